/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An emulated PCI function as its user sees it through VFIO: config space, BARs, interrupts, in the
 * layout of vfio-pci, so that whoever drives a function of vfio-pci drives this one.
 *
 * What the function does is its model's affair, which serves the BARs through struct
 * miglab_bar_ops, raises interrupts, and asks whether it may begin DMA.
 *
 * Locks, outermost first: mmap_lock > memory_lock > the model's own locks > irq.lock. No
 * user memory is touched under any of them.
 */
#ifndef MIGLAB_FUNCTION_H
#define MIGLAB_FUNCTION_H

#include <linux/mm_types.h>
#include <linux/rwsem.h>
#include <linux/types.h>
#include <linux/vfio.h>

#include "config_space.h"
#include "irq.h"
#include "stream.h"

struct miglab_bar_ops {
	/**
	 * @access: the user reads or writes the BAR by read() or write()
	 *
	 * Memory is enabled. Of registers, @len is 1, 2, 4 or 8 and @offset a multiple of it, and
	 * @bytes are little-endian; of memory (MIGLAB_BAR_MEMORY), they are within one page.
	 * @bytes is the kernel's memory. Runs in the context of the user, whose DMA it may do: no
	 * lock is held, and waits are killable. A stopped device ignores writes: who stops and
	 * who writes meet at the model's lock.
	 *
	 * Returns 0, or an error for the user.
	 */
	int (*access)(void *data, unsigned int bar, u64 offset, void *bytes, size_t len,
		      bool write);

	/*
	 * @fault: maps page number @page of a BAR with MIGLAB_BAR_MMAP at @vmf->address. Memory is
	 * enabled, mmap_lock and memory_lock are held. mkwrite() makes a page writable that
	 * fault() mapped for reading only. Both NULL without such a BAR.
	 */
	vm_fault_t (*fault)(void *data, struct vm_fault *vmf, unsigned long page);
	vm_fault_t (*mkwrite)(void *data, struct vm_fault *vmf, unsigned long page);

	/* @reset: a guest wants a function level reset, as VFIO_DEVICE_RESET. No lock is held. */
	void (*reset)(void *data);
};

struct miglab_function {
	struct vfio_device *vdev;
	struct miglab_function_id id;
	const struct miglab_bar_ops *ops;
	void *data;			/* for @ops */

	/*
	 * Makes the memory enable bit and what is mapped agree: held for reading over a page
	 * fault, for writing over a change of config space.
	 */
	struct rw_semaphore memory_lock;

	struct miglab_irq irq;
	/* Guarded by irq.lock, and who changes it holds memory_lock too. */
	struct miglab_config_space config;
};

/*
 * A function that is @id; @data goes to @ops, which outlives it. Returns -EINVAL if there can be no
 * such function.
 */
int miglab_function_init(struct miglab_function *f, struct vfio_device *vdev,
			 const struct miglab_function_id *id, const struct miglab_bar_ops *ops,
			 void *data);
void miglab_function_destroy(struct miglab_function *f);

/*
 * The device is opened: power on, and memory enabled as by the kernel for a user of vfio-pci. And
 * closed: no eventfd is signalled any more. Both may sleep.
 */
void miglab_function_open(struct miglab_function *f);
void miglab_function_close(struct miglab_function *f);

/* read() and write(), mmap() of the device, as in struct vfio_device_ops. */
ssize_t miglab_function_rw(struct miglab_function *f, char __user *buf, size_t count, loff_t *ppos,
			   bool write);
int miglab_function_mmap(struct miglab_function *f, struct vm_area_struct *vma);

/*
 * VFIO_DEVICE_GET_INFO, GET_REGION_INFO, GET_IRQ_INFO, SET_IRQS; -ENOTTY for others. Newer kernels
 * ask for a region by an operation of its own, which is region_info(): @info->index is given.
 */
long miglab_function_ioctl(struct miglab_function *f, unsigned int cmd, unsigned long arg);
int miglab_function_region_info(const struct miglab_function *f, struct vfio_region_info *info);

/* Asks the user to give the device back. Returns false if he wants not to be asked. May sleep. */
bool miglab_function_request(struct miglab_function *f);

/*
 * VFIO_DEVICE_RESET, a function level reset: no interrupt is asserted or pending, and the device is
 * not stopped. What the user set up in config space and by SET_IRQS stays, as with vfio-pci, whose
 * kernel restores it. The model resets itself. May sleep; waits for no user.
 */
void miglab_function_reset(struct miglab_function *f);

/* --- for models ------------------------------------------------------------------------ */

/* May it begin DMA? */
bool miglab_function_is_master(struct miglab_function *f);

/* Asserts INTx or not; sends a message. One of them reaches the user, or none. May sleep. */
static inline void miglab_function_set_intx(struct miglab_function *f, bool level)
{
	miglab_irq_set_intx(&f->irq, level);
}

static inline void miglab_function_send(struct miglab_function *f, unsigned int vector)
{
	miglab_irq_send(&f->irq, vector);
}

/*
 * The device enters STOP, STOP_COPY or RESUMING, or leaves them. What the model raises while it is
 * frozen is kept until it is not. May sleep.
 */
static inline void miglab_function_freeze(struct miglab_function *f, bool frozen)
{
	miglab_irq_freeze(&f->irq, frozen);
}

/* Takes away mappings of these bytes of the BAR: the next access faults. May sleep. */
void miglab_function_unmap(struct miglab_function *f, unsigned int bar, u64 offset, u64 len);

/*
 * What migrates of config space and interrupts, in MIGLAB_FUNCTION_STATE_BYTES. check() returns
 * -EINVAL for what is not the state of such a function; load() takes what check() has taken. May
 * sleep.
 */
#define MIGLAB_FUNCTION_STATE_BYTES	MIGLAB_PAGE

void miglab_function_save(struct miglab_function *f, u8 *page);
int miglab_function_check(const struct miglab_function *f, const u8 *page);
void miglab_function_load(struct miglab_function *f, const u8 *page);

#endif
