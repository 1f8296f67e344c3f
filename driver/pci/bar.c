// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model of a function whose state is the memory behind one of its BARs.
 *
 * In pre-copy a page that is written has to be sent again, so each first access to a page
 * since it was last sent is caught. A page is not mapped until it is touched, and then is
 * taken for written; to send it is to
 *
 *	clean it: forget its mark and take away all mappings, under the lock; then copy it.
 *
 * Who writes a page marks it and makes the write possible under the same lock: maps
 * it in a page fault, or writes in a write(). So a write either comes with a
 * mark after the cleaning, or was possible before the cleaning and is in the copy.
 */
#include <linux/bitmap.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "memory.h"
#include "pci.h"

/* The memory and its lock are given back after so many bytes. */
#define CHUNK		65536u

struct bar {
	struct list_head entry;		/* in bars */
	struct miglab_device *m;
	unsigned int index;
	u64 bytes;
	void __iomem *io;
	bool live;			/* the memory is the state, not the image; image's lock */

	/* Guards all below. Inside of memory_lock; held over mapping and unmapping. */
	struct mutex lock;
	bool tracking;
	unsigned long *dirty;		/* a bit for each page that changed since it was cleaned */
};

/* Those that are open: what one device writes may be the memory of another. */
static LIST_HEAD(bars);
static DEFINE_MUTEX(bars_lock);		/* guards bars; taken outside of the locks of each */

static struct bar *to_bar(struct miglab_device *m)
{
	return m->model_data;
}

static bool is_precopy(u32 state)
{
	return state == MIGLAB_PRE_COPY || state == MIGLAB_PRE_COPY_P2P;
}

/* --- which BAR ---------------------------------------------------------------------- */

static bool holds_msix(struct pci_dev *pdev, int index)
{
	u32 table, pba;

	if (!pdev->msix_cap)
		return false;
	pci_read_config_dword(pdev, pdev->msix_cap + PCI_MSIX_TABLE, &table);
	pci_read_config_dword(pdev, pdev->msix_cap + PCI_MSIX_PBA, &pba);
	return (table & PCI_MSIX_TABLE_BIR) == index || (pba & PCI_MSIX_PBA_BIR) == index;
}

/* What is wrong with this BAR as the end of a sentence, or NULL. */
static const char *objection(struct pci_dev *pdev, int index)
{
	unsigned long flags = pci_resource_flags(pdev, index);

	if (!pci_resource_len(pdev, index) || flags & IORESOURCE_UNSET)
		return "the function has no such BAR";
	if (!(flags & IORESOURCE_MEM))
		return "the BAR is an I/O port range and not memory";
	/* Then PCI has it that a read may change something: it is registers. */
	if (!(flags & IORESOURCE_PREFETCH))
		return "the BAR is not prefetchable: it has registers and not memory";
	if (holds_msix(pdev, index))
		return "the BAR has the MSI-X table or its pending bits, and not only memory";
	if (!miglab_synthetic_size_ok(pci_resource_len(pdev, index)))
		return "the BAR is not a multiple of 4096 bytes or larger than 1 GiB";
	return NULL;
}

/* The BAR that is meant, or -1 and why there is none. */
static int pick(struct pci_dev *pdev, const struct miglab_pci_choice *choice, const char **ret_why)
{
	int index, best = -1;

	if (choice->bar >= 0) {
		*ret_why = objection(pdev, choice->bar);
		return *ret_why ? -1 : choice->bar;
	}
	for (index = 0; index < PCI_STD_NUM_BARS; index++) {
		if (objection(pdev, index))
			continue;
		if (best < 0 || pci_resource_len(pdev, index) > pci_resource_len(pdev, best))
			best = index;
	}
	*ret_why = "the function has no BAR that is prefetchable memory of 4096 bytes to 1 GiB";
	return best;
}

static int bar_fits(struct pci_dev *pdev, const struct miglab_pci_choice *choice,
		    const char **ret_why)
{
	*ret_why = "it needs pages of 4096 bytes";
	if (PAGE_SIZE != MIGLAB_PAGE)
		return -ENODEV;
	return pick(pdev, choice, ret_why) < 0 ? -ENODEV : 0;
}

static u64 bar_state_bytes(struct miglab_device *m, const struct miglab_pci_choice *choice)
{
	const char *why;

	return pci_resource_len(to_pci(m)->core.pdev, pick(to_pci(m)->core.pdev, choice, &why));
}

/* --- marks -------------------------------------------------------------------------- */

/* @page changes: the lock is held until the change is made or possible. Was it clean? */
static bool mark(struct bar *bar, unsigned long page)
{
	struct miglab_rulebook *book = bar->m->book;

	lockdep_assert_held(&bar->lock);
	if (!bar->tracking || test_bit(page, bar->dirty))
		return false;
	if (miglab_rulebook_knows(book, MIGLAB_OP_DIRTY) &&
	    miglab_rulebook_op(book, MIGLAB_OP_DIRTY).faults & MIGLAB_FAULT_DROP)
		return false;
	__set_bit(page, bar->dirty);
	return true;
}

/* These pages are as good as sent: who writes them from now on marks them. */
static void clean(struct bar *bar, u64 offset, u64 len)
{
	u64 begin = VFIO_PCI_INDEX_TO_OFFSET(bar->index) + offset;

	mutex_lock(&bar->lock);
	bitmap_clear(bar->dirty, offset >> PAGE_SHIFT, len >> PAGE_SHIFT);
	unmap_mapping_range(to_pci(bar->m)->core.vdev.inode->i_mapping, begin, len, true);
	mutex_unlock(&bar->lock);
}

/* The bytes are there already: to be cleaned before this is as good as after it. */
static void written(struct bar *bar, u64 offset)
{
	bool marked;

	mutex_lock(&bar->lock);
	marked = mark(bar, offset >> PAGE_SHIFT);
	mutex_unlock(&bar->lock);
	if (marked)
		miglab_migration_nudge(bar->m);
}

void miglab_bar_written(phys_addr_t at)
{
	struct bar *bar;
	u64 offset;

	mutex_lock(&bars_lock);
	list_for_each_entry(bar, &bars, entry) {
		offset = at - pci_resource_start(to_pci(bar->m)->core.pdev, bar->index);
		if (offset < bar->bytes)
			written(bar, offset);
	}
	mutex_unlock(&bars_lock);
}

static void set_tracking(struct bar *bar, bool on)
{
	mutex_lock(&bar->lock);
	bar->tracking = on;
	mutex_unlock(&bar->lock);
	if (on)
		clean(bar, 0, bar->bytes);
}

static int bar_prepare(struct miglab_device *m, u32 from, u32 to, u32 gen)
{
	if (is_precopy(to) && !is_precopy(from))
		set_tracking(to_bar(m), true);
	return 0;
}

static void bar_settle(struct miglab_device *m, u32 state)
{
	if (!is_precopy(state))
		set_tracking(to_bar(m), false);
}

/* What is in the memory stays, as in that of any function: nothing else is known of it. */
static void bar_reset(struct miglab_device *m)
{
	set_tracking(to_bar(m), false);
}

static void bar_advance(struct miglab_device *m, struct miglab_image *image)
{
	struct bar *bar = to_bar(m);
	unsigned long page, pages = bar->bytes >> PAGE_SHIFT;

	if (!image->tracked)
		return;
	mutex_lock(&bar->lock);
	for_each_set_bit(page, bar->dirty, pages)
		miglab_precopy_mark(&image->track, page);
	bitmap_zero(bar->dirty, pages);
	mutex_unlock(&bar->lock);
}

/* --- the driver's own access -------------------------------------------------------- */

/* Makes the memory accessible, whatever its user did to the function, and keeps it so. */
static int enter_memory(struct bar *bar, bool *ret_exposed)
{
	struct pci_dev *pdev = to_pci(bar->m)->core.pdev;

	if (pm_runtime_resume_and_get(&pdev->dev))
		return -EIO;
	down_write(&to_pci(bar->m)->core.memory_lock);
	if (!miglab_memory_powered(pdev)) {
		up_write(&to_pci(bar->m)->core.memory_lock);
		pm_runtime_put(&pdev->dev);
		return -EIO;
	}
	*ret_exposed = miglab_memory_expose(pdev);
	return 0;
}

static void leave_memory(struct bar *bar, bool exposed)
{
	miglab_memory_unexpose(&to_pci(bar->m)->core, exposed);
	up_write(&to_pci(bar->m)->core.memory_lock);
	pm_runtime_put(&to_pci(bar->m)->core.pdev->dev);
}

/* Whole pages by words of 8 bytes: memcpy_fromio() takes 4 at a time on x86. */
static void get_words(const struct bar *bar, __le64 *to, u64 offset, u32 len)
{
	const void __iomem *from = bar->io + offset;
	u32 at;

	for (at = 0; at < len; at += sizeof(*to))
		*to++ = cpu_to_le64(readq_relaxed(from + at));
}

static void put_words(const struct bar *bar, const __le64 *from, u64 offset, u32 len)
{
	void __iomem *to = bar->io + offset;
	u32 at;

	for (at = 0; at < len; at += sizeof(*from))
		writeq_relaxed(le64_to_cpu(*from++), to + at);
}

/* As get_words(). Were there other words in @to before? */
static bool get_other_words(const struct bar *bar, __le64 *to, u64 offset, u32 len)
{
	const void __iomem *from = bar->io + offset;
	u64 others = 0, word;
	u32 at;

	for (at = 0; at < len; at += sizeof(*to)) {
		word = readq_relaxed(from + at);
		others |= word ^ le64_to_cpu(*to);
		*to++ = cpu_to_le64(word);
	}
	return others;
}

static int copy_out(struct bar *bar, u8 *to, u64 offset, u32 len)
{
	bool exposed;
	int ret;

	ret = enter_memory(bar, &exposed);
	if (ret)
		return ret;
	get_words(bar, (__le64 *)to, offset, len);
	leave_memory(bar, exposed);
	return 0;
}

/*
 * Puts these bytes of the image there, and what is there then into the image: that is what counts.
 * Unless a reset came since @gen, which may have been what this waited for.
 */
static int copy_in(struct bar *bar, struct miglab_image *image, u64 offset, u32 len, u32 gen)
{
	__le64 *words = (__le64 *)(image->content.bytes + offset);
	bool exposed;
	int ret;

	ret = enter_memory(bar, &exposed);
	if (ret)
		return ret;
	ret = miglab_wait_cut_short(bar->m, gen);
	if (!ret) {
		put_words(bar, words, offset, len);
		if (get_other_words(bar, words, offset, len))
			image->altered = true;
	}
	leave_memory(bar, exposed);
	return ret;
}

static void bar_enter(struct miglab_device *m, struct miglab_image *image, u32 state)
{
	to_bar(m)->live = state == MIGLAB_RUNNING || state == MIGLAB_RUNNING_P2P ||
			  is_precopy(state);
}

static int bar_fetch(struct miglab_device *m, struct miglab_image *image, u64 offset, u32 len)
{
	struct bar *bar = to_bar(m);

	/* What is written to a device that has stopped is not of the state that it stopped with. */
	if (!bar->live)
		return 0;
	clean(bar, offset, len);
	return copy_out(bar, image->content.bytes + offset, offset, len);
}

/*
 * All of the memory, and not only what is marked: the fingerprint is to tell when a mark
 * was lost. Nothing is sent that has no mark, so marks are looked at last.
 */
static int bar_freeze(struct miglab_device *m, struct miglab_image *image)
{
	struct bar *bar = to_bar(m);
	u64 at;
	u32 n;
	int ret = 0;

	for (at = 0; at < bar->bytes && !ret; at += n) {
		n = min_t(u64, CHUNK, bar->bytes - at);
		ret = fatal_signal_pending(current) ? -EINTR :
		      copy_out(bar, image->content.bytes + at, at, n);
		cond_resched();
	}
	bar_advance(m, image);
	return ret;
}

static int bar_restore(struct miglab_device *m, struct miglab_image *image, u32 gen)
{
	struct bar *bar = to_bar(m);
	u64 at;
	u32 n;
	int ret = 0;

	for (at = 0; at < bar->bytes && !ret; at += n) {
		n = min_t(u64, CHUNK, bar->bytes - at);
		ret = fatal_signal_pending(current) ? -EINTR :
		      copy_in(bar, image, at, n, gen);
		cond_resched();
	}
	return ret;
}

/* --- the user's access -------------------------------------------------------------- */

/*
 * Maps the page as the vma has it, and takes it for written. To map it for reading only until
 * it is written would say more, but who follows such a mapping takes it as it is and does not
 * ask again: type1 fails to map it for DMA, and KVM to let a guest write.
 */
static vm_fault_t map_page(struct bar *bar, struct vm_fault *vmf, bool *ret_marked)
{
	unsigned long page = vmf->pgoff & (VFIO_PCI_OFFSET_MASK >> PAGE_SHIFT);
	phys_addr_t start = pci_resource_start(to_pci(bar->m)->core.pdev, bar->index);

	lockdep_assert_held(&bar->lock);
	*ret_marked = mark(bar, page);
	return vmf_insert_pfn(vmf->vma, vmf->address, (start >> PAGE_SHIFT) + page);
}

static vm_fault_t bar_fault(struct vm_fault *vmf)
{
	struct vfio_pci_core_device *core = vmf->vma->vm_private_data;
	struct miglab_device *m = miglab_from_vfio(&core->vdev);
	struct bar *bar = to_bar(m);
	vm_fault_t ret = VM_FAULT_SIGBUS;
	bool marked = false;

	down_read(&core->memory_lock);
	if (miglab_memory_accessible(core)) {
		mutex_lock(&bar->lock);
		ret = map_page(bar, vmf, &marked);
		mutex_unlock(&bar->lock);
	}
	up_read(&core->memory_lock);
	if (marked)
		miglab_migration_nudge(m);
	return ret;
}

static const struct vm_operations_struct bar_vm_ops = {
	.fault = bar_fault,
};

/* Like that of any BAR, but for who serves its page faults. */
static int bar_mmap(struct miglab_device *m, struct vm_area_struct *vma)
{
	int ret;

	ret = vfio_pci_core_mmap(&to_pci(m)->core.vdev, vma);
	if (!ret)
		vma->vm_ops = &bar_vm_ops;
	return ret;
}

/* @len bytes within one page. */
static int access_page(struct bar *bar, u64 at, void *bytes, size_t len, bool write)
{
	struct vfio_pci_core_device *core = &to_pci(bar->m)->core;
	bool marked = false;
	int ret = -EIO;

	down_read(&core->memory_lock);
	if (miglab_memory_accessible(core)) {
		ret = 0;
		mutex_lock(&bar->lock);
		if (write) {
			marked = mark(bar, at >> PAGE_SHIFT);
			memcpy_toio(bar->io + at, bytes, len);
		} else {
			memcpy_fromio(bytes, bar->io + at, len);
		}
		mutex_unlock(&bar->lock);
	}
	up_read(&core->memory_lock);
	if (marked)
		miglab_migration_nudge(bar->m);
	return ret;
}

static int user_access_page(struct bar *bar, u64 at, char __user *buf, void *page, size_t len,
			    bool write)
{
	int ret;

	if (write && copy_from_user(page, buf, len))
		return -EFAULT;
	ret = access_page(bar, at, page, len, write);
	if (ret || write)
		return ret;
	return copy_to_user(buf, page, len) ? -EFAULT : 0;
}

static ssize_t bar_rw(struct miglab_device *m, char __user *buf, size_t len, loff_t *ppos,
		      bool write)
{
	struct bar *bar = to_bar(m);
	u64 at = *ppos & VFIO_PCI_OFFSET_MASK;
	size_t done, n;
	void *page;
	int ret = 0;

	if (at >= bar->bytes)
		return -EINVAL;
	len = min_t(u64, len, bar->bytes - at);
	page = (void *)__get_free_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	for (done = 0; done < len; done += n) {
		n = min_t(size_t, len - done, PAGE_SIZE - offset_in_page(at + done));
		ret = user_access_page(bar, at + done, buf + done, page, n, write);
		if (ret)
			break;
		cond_resched();
	}
	free_page((unsigned long)page);
	if (ret)
		return ret;
	*ppos += done;
	return done;
}

/* --- the device --------------------------------------------------------------------- */

static int bar_open(struct miglab_device *m, const struct miglab_pci_choice *choice)
{
	struct pci_dev *pdev = to_pci(m)->core.pdev;
	const char *why;
	struct bar *bar;

	bar = kzalloc(sizeof(*bar), GFP_KERNEL_ACCOUNT);
	if (!bar)
		return -ENOMEM;
	bar->m = m;
	bar->index = pick(pdev, choice, &why);
	bar->bytes = pci_resource_len(pdev, bar->index);
	bar->dirty = bitmap_zalloc(bar->bytes >> PAGE_SHIFT, GFP_KERNEL_ACCOUNT);
	if (!bar->dirty)
		goto free_bar;
	bar->io = pci_ioremap_bar(pdev, bar->index);
	if (!bar->io)
		goto free_dirty;
	mutex_init(&bar->lock);
	m->model_data = bar;
	to_pci(m)->bars = BIT(bar->index);
	mutex_lock(&bars_lock);
	list_add(&bar->entry, &bars);
	mutex_unlock(&bars_lock);
	return 0;

free_dirty:
	bitmap_free(bar->dirty);
free_bar:
	kfree(bar);
	return -ENOMEM;
}

static void bar_close(struct miglab_device *m)
{
	struct bar *bar = to_bar(m);

	mutex_lock(&bars_lock);
	list_del(&bar->entry);
	mutex_unlock(&bars_lock);
	iounmap(bar->io);
	mutex_destroy(&bar->lock);
	bitmap_free(bar->dirty);
	kfree(bar);
}

static const struct miglab_model_ops bar_ops = {
	.name = "bar",
	.notice = "migrates the contents of a memory BAR",
	.model = MIGLAB_MODEL_BAR,
	.enter = bar_enter,
	.advance = bar_advance,
	.fetch = bar_fetch,
	.freeze = bar_freeze,
	.restore = bar_restore,
	.prepare = bar_prepare,
	.settle = bar_settle,
	.reset = bar_reset,
};

const struct miglab_pci_model miglab_pci_bar = {
	.ops = &bar_ops,
	.takes_bar = true,
	.fits = bar_fits,
	.state_bytes = bar_state_bytes,
	.open = bar_open,
	.close = bar_close,
	.rw = bar_rw,
	.mmap = bar_mmap,
};
