// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function whose state is the memory behind its BAR, which its user may map.
 *
 * The memory is the bytes of the device's image, so nothing is copied to save or to load it: a
 * data_fd is read from what the user has mapped, and what was loaded is mapped from then on.
 *
 * In pre-copy a page that is written has to be sent again. So a page is not mapped until it is
 * touched, and is taken for written then; to send it is to
 *
 *	clean it: forget its mark and take away all mappings, under the lock; then copy it.
 *
 * Who writes a page marks it and makes the write possible under the same lock: maps it in a page
 * fault, or writes in a write(). So a write either comes with a mark after the cleaning, or was
 * possible before the cleaning and is in the copy. While the device is stopped a page is mapped
 * for reading only, and who writes to it gets SIGBUS: what it stopped with is what it moves with.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/cleanup.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci_ids.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "mdev.h"

/* QEMU's vendor, whose ids nobody registers; no driver claims this one. */
#define VENDOR		0x1234
#define DEVICE		0x6d6d

#define BAR		2u
#define BYTES_DEFAULT	(64ull << 20)
#define BYTES_MAX	(1ull << 30)

static unsigned long long mem_bytes = BYTES_DEFAULT;

static int set_mem_bytes(const char *text, const struct kernel_param *param)
{
	unsigned long long value;
	int ret;

	ret = kstrtoull(text, 0, &value);
	if (ret)
		return ret;
	if (!is_power_of_2(value) || value < MIGLAB_PAGE || value > BYTES_MAX) {
		pr_err("parameter mem_bytes: %llu is not a power of 2 from 4096 to 1 GiB\n", value);
		return -EINVAL;
	}
	WRITE_ONCE(mem_bytes, value);
	return 0;
}

static const struct kernel_param_ops mem_bytes_ops = {
	.set = set_mem_bytes,
	.get = param_get_ullong,
};

module_param_cb(mem_bytes, &mem_bytes_ops, &mem_bytes, 0644);
MODULE_PARM_DESC(mem_bytes, "Memory of new mem devices: a power of 2 from 4096 to 1 GiB");

struct mem {
	struct miglab_mdev *mdev;
	u64 bytes;		/* of the memory; behind it in the state is the function's page */
	u8 page[MIGLAB_PAGE];	/* on its way to an image; guarded by the image's lock */

	/*
	 * Guards all below. Inside of an image's lock and the function's memory_lock, outside of
	 * state_lock; held over mapping and unmapping, and no user memory is touched under it.
	 */
	struct mutex lock;
	struct miglab_image *image;	/* whose bytes are the memory, a reference; NULL: not yet */
	bool stopped;
	bool tracking;
	unsigned long *dirty;		/* a bit for each page that changed since */
};

static struct mem *to_mem(struct miglab_device *m)
{
	return m->model_data;
}

static struct mem *mem_of(void *data)
{
	return to_mem(&((struct miglab_mdev *)data)->m);
}

static bool is_precopy(u32 state)
{
	return state == MIGLAB_PRE_COPY || state == MIGLAB_PRE_COPY_P2P;
}

static bool is_running(u32 state)
{
	return state == MIGLAB_RUNNING || state == MIGLAB_RUNNING_P2P || is_precopy(state);
}

/* --- the memory ------------------------------------------------------------------------ */

static void unmap_pages(struct mem *mem, u64 offset, u64 len)
{
	lockdep_assert_held(&mem->lock);
	miglab_function_unmap(&mem->mdev->f, BAR, offset, len);
}

/* The device's present image; it is open. */
static struct miglab_image *get_present_image(struct miglab_device *m)
{
	guard(mutex)(&m->state_lock);
	return miglab_image_get(m->image);
}

/* The bytes of @image, whose reference this takes over, are the memory from now on. */
static void replace_image(struct mem *mem, struct miglab_image *image)
{
	struct miglab_image *old = mem->image;

	lockdep_assert_held(&mem->lock);
	mem->image = image;
	if (!old)
		return;
	if (old != image)
		unmap_pages(mem, 0, mem->bytes);
	miglab_image_put(old);
}

static u8 *memory(struct mem *mem)
{
	lockdep_assert_held(&mem->lock);
	if (!mem->image)
		mem->image = get_present_image(&mem->mdev->m);
	return mem->image->content.bytes;
}

/* --- marks ----------------------------------------------------------------------------- */

/* @page changes: the lock is held until the change is made or possible. Was it clean? */
static bool mark_page(struct mem *mem, unsigned long page)
{
	struct miglab_rulebook *book = mem->mdev->m.book;

	lockdep_assert_held(&mem->lock);
	if (!mem->tracking || test_bit(page, mem->dirty))
		return false;
	if (miglab_rulebook_knows(book, MIGLAB_OP_DIRTY) &&
	    miglab_rulebook_op(book, MIGLAB_OP_DIRTY).faults & MIGLAB_FAULT_DROP)
		return false;
	__set_bit(page, mem->dirty);
	return true;
}

/* These pages are as good as sent: who writes them from now on marks them. */
static void clean_pages(struct mem *mem, u64 offset, u64 len)
{
	lockdep_assert_held(&mem->lock);
	bitmap_clear(mem->dirty, offset >> PAGE_SHIFT, len >> PAGE_SHIFT);
	unmap_pages(mem, offset, len);
}

static void set_tracking(struct mem *mem, bool on)
{
	lockdep_assert_held(&mem->lock);
	mem->tracking = on;
	if (on)
		clean_pages(mem, 0, mem->bytes);
}

/* --- the user's access ------------------------------------------------------------------- */

/*
 * Maps the page as the vma has it, and takes it for written. To map it for reading only until it is
 * written would say more, but who follows such a mapping takes it as it is and does not ask again:
 * type1 fails to map it for DMA, and KVM to let a guest write.
 */
static vm_fault_t map_page(struct mem *mem, struct vm_fault *vmf, unsigned long page,
			   bool *ret_marked)
{
	unsigned long pfn = vmalloc_to_pfn(memory(mem) + (page << PAGE_SHIFT));
	struct vm_area_struct *vma = vmf->vma;

	lockdep_assert_held(&mem->lock);
	if (mem->stopped && vmf->flags & FAULT_FLAG_WRITE)
		return VM_FAULT_SIGBUS;
	/* Since there is a mkwrite(), vm_page_prot is for reading only. */
	if (mem->stopped)
		return vmf_insert_pfn(vma, vmf->address, pfn);
	*ret_marked = mark_page(mem, page);
	return vmf_insert_pfn_prot(vma, vmf->address, pfn, vm_get_page_prot(vma->vm_flags));
}

static vm_fault_t mem_fault(void *data, struct vm_fault *vmf, unsigned long page)
{
	struct mem *mem = mem_of(data);
	bool marked = false;
	vm_fault_t ret;

	mutex_lock(&mem->lock);
	ret = map_page(mem, vmf, page, &marked);
	mutex_unlock(&mem->lock);
	if (marked)
		miglab_migration_nudge(&mem->mdev->m);
	return ret;
}

/*
 * The page was mapped while the device was stopped. Its mapping goes, and the next fault makes
 * another one: the kernel would make this one writable after the lock is dropped.
 */
static vm_fault_t mem_mkwrite(void *data, struct vm_fault *vmf, unsigned long page)
{
	struct mem *mem = mem_of(data);

	guard(mutex)(&mem->lock);
	if (mem->stopped)
		return VM_FAULT_SIGBUS;
	unmap_pages(mem, (u64)page << PAGE_SHIFT, PAGE_SIZE);
	return VM_FAULT_NOPAGE;
}

static int mem_access(void *data, unsigned int bar, u64 at, void *bytes, size_t len, bool write)
{
	struct mem *mem = mem_of(data);
	bool marked = false;

	mutex_lock(&mem->lock);
	if (!write) {
		memcpy(bytes, memory(mem) + at, len);
	} else if (!mem->stopped) {
		marked = mark_page(mem, at >> PAGE_SHIFT);
		memcpy(memory(mem) + at, bytes, len);
	}
	mutex_unlock(&mem->lock);
	if (marked)
		miglab_migration_nudge(&mem->mdev->m);
	return 0;
}

static void mem_reset_by_guest(void *data)
{
	miglab_mdev_reset(data);
}

static const struct miglab_bar_ops mem_bars = {
	.access = mem_access,
	.fault = mem_fault,
	.mkwrite = mem_mkwrite,
	.reset = mem_reset_by_guest,
};

/* --- states ------------------------------------------------------------------------------- */

static int mem_prepare(struct miglab_device *m, u32 from, u32 to, u32 gen)
{
	struct mem *mem = to_mem(m);

	guard(mutex)(&mem->lock);
	if (is_precopy(to) && !is_precopy(from))
		set_tracking(mem, true);
	if (is_running(to) || mem->stopped)
		return 0;
	mem->stopped = true;
	unmap_pages(mem, 0, mem->bytes);
	miglab_function_freeze(&mem->mdev->f, true);
	return 0;
}

static void mem_settle(struct miglab_device *m, u32 state)
{
	struct mem *mem = to_mem(m);

	guard(mutex)(&mem->lock);
	if (!is_precopy(state))
		set_tracking(mem, false);
	if (!mem->stopped || !is_running(state))
		return;
	mem->stopped = false;
	miglab_function_freeze(&mem->mdev->f, false);
}

/* What is in the memory stays: it is memory. What a load brought is not the device's. */
static void mem_reset(struct miglab_device *m)
{
	struct mem *mem = to_mem(m);

	guard(mutex)(&mem->lock);
	set_tracking(mem, false);
	mem->stopped = false;
	replace_image(mem, get_present_image(m));
}

/* --- the image ----------------------------------------------------------------------------- */

/* A new image is zeroes, and that of a device which was reset is its memory. */
static void mem_fresh(struct miglab_image *image)
{
}

static void advance_function(struct mem *mem, struct miglab_image *image)
{
	u8 *bytes = image->content.bytes + mem->bytes;

	miglab_function_save(&mem->mdev->f, mem->page);
	if (!memcmp(bytes, mem->page, MIGLAB_PAGE))
		return;
	memcpy(bytes, mem->page, MIGLAB_PAGE);
	if (image->tracked)
		miglab_precopy_mark(&image->track, mem->bytes / MIGLAB_PAGE);
}

static int mem_freeze(struct miglab_device *m, struct miglab_image *image)
{
	struct mem *mem = to_mem(m);
	unsigned long page, pages = mem->bytes >> PAGE_SHIFT;

	guard(mutex)(&mem->lock);
	advance_function(mem, image);
	if (!image->tracked)
		return 0;
	for_each_set_bit(page, mem->dirty, pages)
		miglab_precopy_mark(&image->track, page);
	bitmap_zero(mem->dirty, pages);
	return 0;
}

static void mem_advance(struct miglab_device *m, struct miglab_image *image)
{
	if (image->tracked)
		mem_freeze(m, image);
}

/* The bytes are where they are. What is behind the memory has no mappings. */
static int mem_fetch(struct miglab_device *m, struct miglab_image *image, u64 offset, u32 len)
{
	struct mem *mem = to_mem(m);

	guard(mutex)(&mem->lock);
	if (offset < mem->bytes && !mem->stopped)
		clean_pages(mem, offset, min_t(u64, len, mem->bytes - offset));
	return 0;
}

static int mem_restore(struct miglab_device *m, struct miglab_image *image, u32 gen)
{
	const u8 *page = image->content.bytes + to_mem(m)->bytes;
	struct mem *mem = to_mem(m);
	int ret;

	ret = miglab_function_check(&mem->mdev->f, page);
	if (ret)
		return ret;
	mutex_lock(&mem->lock);
	/* A reset that comes after this waits for the lock, and takes the image out again. */
	ret = miglab_wait_cut_short(m, gen);
	if (!ret)
		replace_image(mem, miglab_image_get(image));
	mutex_unlock(&mem->lock);
	if (!ret)
		miglab_function_load(&mem->mdev->f, page);
	return ret;
}

/* --- the device ------------------------------------------------------------------------------ */

static void mem_identify(struct miglab_mdev *mdev, struct miglab_function_id *ret_id)
{
	*ret_id = (struct miglab_function_id){
		.vendor = VENDOR,
		.device = DEVICE,
		.subvendor = VENDOR,
		.subdevice = DEVICE,
		.class = PCI_CLASS_MEMORY_OTHER << 8,
		.bar[BAR] = {
			READ_ONCE(mem_bytes),
			MIGLAB_BAR_64BIT | MIGLAB_BAR_PREFETCH |
			MIGLAB_BAR_MEMORY | MIGLAB_BAR_MMAP,
		},
	};
}

static u64 mem_state_bytes(const struct miglab_mdev *mdev)
{
	return mdev->f.id.bar[BAR].bytes + MIGLAB_FUNCTION_STATE_BYTES;
}

static int mem_create(struct miglab_mdev *mdev)
{
	struct mem *mem;

	/* What is tracked and what is mapped must be the same pages. */
	if (PAGE_SIZE != MIGLAB_PAGE) {
		pr_err("the model mem needs pages of 4096 bytes\n");
		return -ENODEV;
	}
	mem = kvzalloc(sizeof(*mem), GFP_KERNEL_ACCOUNT);
	if (!mem)
		return -ENOMEM;
	mem->mdev = mdev;
	mem->bytes = mdev->f.id.bar[BAR].bytes;
	mem->dirty = bitmap_zalloc(mem->bytes >> PAGE_SHIFT, GFP_KERNEL_ACCOUNT);
	if (!mem->dirty) {
		kvfree(mem);
		return -ENOMEM;
	}
	mutex_init(&mem->lock);
	mdev->m.model_data = mem;
	return 0;
}

static void mem_destroy(struct miglab_mdev *mdev)
{
	struct mem *mem = to_mem(&mdev->m);

	mutex_destroy(&mem->lock);
	bitmap_free(mem->dirty);
	kvfree(mem);
}

static void mem_open(struct miglab_mdev *mdev)
{
	struct mem *mem = to_mem(&mdev->m);

	mem->stopped = false;
	mem->tracking = false;
	bitmap_zero(mem->dirty, mem->bytes >> PAGE_SHIFT);
}

/* Nothing is mapped any more: mappings keep the device open. */
static void mem_close(struct miglab_mdev *mdev)
{
	struct mem *mem = to_mem(&mdev->m);

	if (mem->image)
		miglab_image_put(mem->image);
	mem->image = NULL;
}

static const struct miglab_model_ops mem_ops = {
	.name = "mem",
	.notice = "migrates the memory of a function that is software",
	.model = MIGLAB_MODEL_BAR,
	.fresh = mem_fresh,
	.advance = mem_advance,
	.fetch = mem_fetch,
	.freeze = mem_freeze,
	.restore = mem_restore,
	.prepare = mem_prepare,
	.settle = mem_settle,
	.reset = mem_reset,
};

const struct miglab_mdev_model miglab_mdev_mem = {
	.ops = &mem_ops,
	.bars = &mem_bars,
	.identify = mem_identify,
	.state_bytes = mem_state_bytes,
	.create = mem_create,
	.destroy = mem_destroy,
	.open = mem_open,
	.close = mem_close,
};
