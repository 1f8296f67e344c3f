// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cleanup.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio_pci_core.h>	/* for VFIO_PCI_OFFSET_* only */

#include "function.h"

#define CONFIG_CHUNK	64u	/* bytes of config space that are copied at a time */

int miglab_function_init(struct miglab_function *f, struct vfio_device *vdev,
			 const struct miglab_function_id *id, const struct miglab_bar_ops *ops,
			 void *data)
{
	int ret;

	f->vdev = vdev;
	f->id = *id;
	f->ops = ops;
	f->data = data;
	ret = miglab_config_space_init(&f->config, id);
	if (ret)
		return ret;
	init_rwsem(&f->memory_lock);
	miglab_irq_init(&f->irq, &f->id, &f->config);
	return 0;
}

void miglab_function_destroy(struct miglab_function *f)
{
	miglab_irq_destroy(&f->irq);
}

/* As the user of vfio-pci finds a function, which the kernel has enabled for him. */
static void power_on(struct miglab_function *f)
{
	const __le16 command = cpu_to_le16(PCI_COMMAND_MEMORY);

	miglab_config_space_power_on(&f->config);
	miglab_config_space_write(&f->config, PCI_COMMAND, (const u8 *)&command, sizeof(command));
}

void miglab_function_open(struct miglab_function *f)
{
	down_write(&f->memory_lock);
	mutex_lock(&f->irq.lock);
	power_on(f);
	mutex_unlock(&f->irq.lock);
	up_write(&f->memory_lock);
	miglab_irq_open(&f->irq);
}

void miglab_function_close(struct miglab_function *f)
{
	miglab_irq_close(&f->irq);
}

void miglab_function_reset(struct miglab_function *f)
{
	guard(rwsem_write)(&f->memory_lock);
	guard(mutex)(&f->irq.lock);
	miglab_irq_reset(&f->irq);
	miglab_config_space_reset(&f->config);
}

bool miglab_function_is_master(struct miglab_function *f)
{
	guard(mutex)(&f->irq.lock);
	return miglab_config_space_master(&f->config);
}

static bool is_memory_enabled(struct miglab_function *f)
{
	guard(mutex)(&f->irq.lock);
	return miglab_config_space_memory(&f->config);
}

bool miglab_function_request(struct miglab_function *f)
{
	return miglab_irq_request(&f->irq);
}

/* --- mappings ------------------------------------------------------------------------- */

void miglab_function_unmap(struct miglab_function *f, unsigned int bar, u64 offset, u64 len)
{
	/* Before the first open there is nothing that could have been mapped. */
	if (f->vdev->inode)
		unmap_mapping_range(f->vdev->inode->i_mapping,
				    VFIO_PCI_INDEX_TO_OFFSET(bar) + offset, len, true);
}

/* Memory was disabled: whoever touches it now gets SIGBUS. */
static void unmap_disabled(struct miglab_function *f)
{
	unsigned int bar;

	lockdep_assert_held_write(&f->memory_lock);
	if (miglab_config_space_memory(&f->config))
		return;
	for (bar = 0; bar < MIGLAB_BARS; bar++)
		if (f->id.bar[bar].flags & MIGLAB_BAR_MMAP)
			miglab_function_unmap(f, bar, 0, f->id.bar[bar].bytes);
}

static unsigned long bar_page(const struct vm_fault *vmf)
{
	return vmf->pgoff & (VFIO_PCI_OFFSET_MASK >> PAGE_SHIFT);
}

static vm_fault_t function_fault(struct vm_fault *vmf)
{
	struct miglab_function *f = vmf->vma->vm_private_data;

	guard(rwsem_read)(&f->memory_lock);
	if (!is_memory_enabled(f))
		return VM_FAULT_SIGBUS;
	return f->ops->fault(f->data, vmf, bar_page(vmf));
}

static vm_fault_t function_mkwrite(struct vm_fault *vmf)
{
	struct miglab_function *f = vmf->vma->vm_private_data;

	guard(rwsem_read)(&f->memory_lock);
	if (!is_memory_enabled(f))
		return VM_FAULT_SIGBUS;
	return f->ops->mkwrite(f->data, vmf, bar_page(vmf));
}

static const struct vm_operations_struct function_vm_ops = {
	.fault = function_fault,
	.pfn_mkwrite = function_mkwrite,
};

int miglab_function_mmap(struct miglab_function *f, struct vm_area_struct *vma)
{
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT, bytes;
	u64 index = VFIO_PCI_OFFSET_TO_INDEX(offset);

	if (index >= MIGLAB_BARS || !(f->id.bar[index].flags & MIGLAB_BAR_MMAP))
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	offset &= VFIO_PCI_OFFSET_MASK;
	bytes = f->id.bar[index].bytes;
	if (offset >= bytes || vma->vm_end - vma->vm_start > bytes - offset)
		return -EINVAL;
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = f;
	vma->vm_ops = &function_vm_ops;
	return 0;
}

/* --- config space ------------------------------------------------------------------------ */

static void config_read(struct miglab_function *f, u32 at, u8 *bytes, u32 len)
{
	guard(mutex)(&f->irq.lock);
	miglab_config_space_read(&f->config, at, bytes, len);
}

static u32 config_write(struct miglab_function *f, u32 at, const u8 *bytes, u32 len)
{
	u32 todo;

	guard(rwsem_write)(&f->memory_lock);
	mutex_lock(&f->irq.lock);
	todo = miglab_config_space_write(&f->config, at, bytes, len);
	miglab_irq_update(&f->irq);
	mutex_unlock(&f->irq.lock);
	unmap_disabled(f);
	return todo;
}

static int config_chunk(struct miglab_function *f, u32 at, char __user *buf, u32 len, bool write)
{
	u8 bytes[CONFIG_CHUNK];

	if (!write) {
		config_read(f, at, bytes, len);
		return copy_to_user(buf, bytes, len) ? -EFAULT : 0;
	}
	if (copy_from_user(bytes, buf, len))
		return -EFAULT;
	if (config_write(f, at, bytes, len) & MIGLAB_CFG_FLR)
		f->ops->reset(f->data);
	return 0;
}

/* --- BARs ---------------------------------------------------------------------------------- */

static int msix_access(struct miglab_function *f, u32 at, void *bytes, u32 len, bool write)
{
	guard(mutex)(&f->irq.lock);
	if (write) {
		miglab_irq_write_bar(&f->irq, at, bytes, len);
		miglab_irq_update(&f->irq);
	} else {
		miglab_irq_read_bar(&f->irq, at, bytes, len);
	}
	return 0;
}

/* The BAR of MSI-X has nothing else; all others are the model's. */
static int bar_access(struct miglab_function *f, unsigned int bar, u64 at, void *bytes, size_t len,
		      bool write)
{
	if (!is_memory_enabled(f))
		return -EIO;
	if (f->id.msix && bar == f->id.msix_bar)
		return msix_access(f, at, bytes, len, write);
	return f->ops->access(f->data, bar, at, bytes, len, write);
}

static int bar_chunk(struct miglab_function *f, unsigned int bar, u64 at, char __user *buf,
		     void *bytes, size_t len, bool write)
{
	int ret;

	if (write && copy_from_user(bytes, buf, len))
		return -EFAULT;
	ret = bar_access(f, bar, at, bytes, len, write);
	if (ret || write)
		return ret;
	return copy_to_user(buf, bytes, len) ? -EFAULT : 0;
}

/* The widest access to a register that begins at @at and is not beyond @left bytes. */
static size_t register_size(u64 at, size_t left)
{
	size_t size = sizeof(u64);

	while (at % size || size > left)
		size /= 2;
	return size;
}

static ssize_t registers_rw(struct miglab_function *f, unsigned int bar, u64 at, char __user *buf,
			    size_t len, bool write)
{
	size_t done, n;
	u64 bytes = 0;
	int ret;

	for (done = 0; done < len; done += n) {
		n = register_size(at + done, len - done);
		ret = bar_chunk(f, bar, at + done, buf + done, &bytes, n, write);
		if (ret)
			return ret;
		cond_resched();
	}
	return done;
}

static ssize_t memory_rw(struct miglab_function *f, unsigned int bar, u64 at, char __user *buf,
			 size_t len, bool write)
{
	size_t done, n;
	int ret = 0;
	void *page;

	page = (void *)__get_free_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	for (done = 0; done < len && !ret; done += n) {
		n = min_t(size_t, len - done, PAGE_SIZE - offset_in_page(at + done));
		ret = bar_chunk(f, bar, at + done, buf + done, page, n, write);
		cond_resched();
	}
	free_page((unsigned long)page);
	return ret ?: done;
}

static ssize_t config_rw(struct miglab_function *f, u64 at, char __user *buf, size_t len,
			 bool write)
{
	size_t done, n;
	int ret;

	for (done = 0; done < len; done += n) {
		n = min_t(size_t, len - done, CONFIG_CHUNK);
		ret = config_chunk(f, at + done, buf + done, n, write);
		if (ret)
			return ret;
	}
	return done;
}

/* How many bytes the region has; 0: there is none. */
static u64 region_bytes(const struct miglab_function *f, u64 index)
{
	if (index == VFIO_PCI_CONFIG_REGION_INDEX)
		return MIGLAB_CFG_BYTES;
	return index < MIGLAB_BARS ? f->id.bar[index].bytes : 0;
}

ssize_t miglab_function_rw(struct miglab_function *f, char __user *buf, size_t count, loff_t *ppos,
			   bool write)
{
	u64 index = VFIO_PCI_OFFSET_TO_INDEX(*ppos), at = *ppos & VFIO_PCI_OFFSET_MASK;
	u64 bytes = region_bytes(f, index);
	ssize_t done;

	if (at >= bytes)
		return -EINVAL;
	count = min_t(u64, count, bytes - at);
	if (index == VFIO_PCI_CONFIG_REGION_INDEX)
		done = config_rw(f, at, buf, count, write);
	else if (f->id.bar[index].flags & MIGLAB_BAR_MEMORY)
		done = memory_rw(f, index, at, buf, count, write);
	else
		done = registers_rw(f, index, at, buf, count, write);
	if (done > 0)
		*ppos += done;
	return done;
}

/* --- ioctls ---------------------------------------------------------------------------------- */

static long get_info(void __user *arg)
{
	unsigned long min = offsetofend(struct vfio_device_info, num_irqs);
	struct vfio_device_info info;

	if (copy_from_user(&info, arg, min))
		return -EFAULT;
	if (info.argsz < min)
		return -EINVAL;
	info.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	info.num_regions = VFIO_PCI_NUM_REGIONS;
	info.num_irqs = VFIO_PCI_NUM_IRQS;
	return copy_to_user(arg, &info, min) ? -EFAULT : 0;
}

int miglab_function_region_info(const struct miglab_function *f, struct vfio_region_info *info)
{
	if (info->index >= VFIO_PCI_VGA_REGION_INDEX)
		return -EINVAL;
	info->offset = VFIO_PCI_INDEX_TO_OFFSET(info->index);
	info->size = region_bytes(f, info->index);
	info->flags = 0;
	if (info->size)
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	if (info->index < MIGLAB_BARS && f->id.bar[info->index].flags & MIGLAB_BAR_MMAP)
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	return 0;
}

static long get_region_info(const struct miglab_function *f, void __user *arg)
{
	unsigned long min = offsetofend(struct vfio_region_info, offset);
	struct vfio_region_info info;
	int ret;

	if (copy_from_user(&info, arg, min))
		return -EFAULT;
	if (info.argsz < min)
		return -EINVAL;
	ret = miglab_function_region_info(f, &info);
	if (ret)
		return ret;
	return copy_to_user(arg, &info, min) ? -EFAULT : 0;
}

long miglab_function_ioctl(struct miglab_function *f, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case VFIO_DEVICE_GET_INFO:
		return get_info(user);
	case VFIO_DEVICE_GET_REGION_INFO:
		return get_region_info(f, user);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return miglab_irq_get_info(&f->irq, user);
	case VFIO_DEVICE_SET_IRQS:
		return miglab_irq_set(&f->irq, user);
	default:
		return -ENOTTY;
	}
}

/* --- migration ------------------------------------------------------------------------------- */

/* The page of the state: config space, then interrupts; the rest is zero. */
#define IRQ_AT		1024u
#define IRQ_END		(IRQ_AT + MIGLAB_IRQ_STATE_BYTES)

static_assert(MIGLAB_CFG_USED <= IRQ_AT && IRQ_END <= MIGLAB_FUNCTION_STATE_BYTES);

void miglab_function_save(struct miglab_function *f, u8 *page)
{
	guard(mutex)(&f->irq.lock);
	memset(page, 0, MIGLAB_FUNCTION_STATE_BYTES);
	miglab_config_space_save(&f->config, page);
	miglab_irq_save(&f->irq, page + IRQ_AT);
}

int miglab_function_check(const struct miglab_function *f, const u8 *page)
{
	if (memchr_inv(page + MIGLAB_CFG_USED, 0, IRQ_AT - MIGLAB_CFG_USED) ||
	    memchr_inv(page + IRQ_END, 0, MIGLAB_FUNCTION_STATE_BYTES - IRQ_END))
		return -EINVAL;
	return miglab_config_space_check(&f->config, page) ?:
	       miglab_irq_check(&f->irq, page + IRQ_AT);
}

void miglab_function_load(struct miglab_function *f, const u8 *page)
{
	guard(rwsem_write)(&f->memory_lock);
	mutex_lock(&f->irq.lock);
	WARN_ON_ONCE(miglab_config_space_load(&f->config, page));
	miglab_irq_load(&f->irq, page + IRQ_AT);
	mutex_unlock(&f->irq.lock);
	unmap_disabled(f);
}
