/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a device wrote to memory by DMA, for those who track dirty pages: the container
 * (type1), the device's own log where the kernel has one, and another device whose
 * state is the memory that was written.
 */
#ifndef MIGLAB_DIRTY_H
#define MIGLAB_DIRTY_H

#include <linux/atomic.h>
#include <linux/types.h>
#include <linux/wait.h>

struct miglab_device;
struct vfio_device;

/* Part of struct miglab_pci. */
struct miglab_dirty {
	wait_queue_head_t wait;		/* until pins is 0 */
	atomic_t pins;			/* of pages that are pinned for a moment */
	bool alone;			/* in its IOMMU group, so that type1 is told; since open */
};

void miglab_dirty_init(struct miglab_dirty *dirty);

/*
 * The device, whose model reports its DMA, was opened: is it alone in its IOMMU group? type1
 * takes what one device of a group reports for the DMA of all. The log says if it is not told.
 */
void miglab_dirty_open(struct miglab_device *m);

/**
 * miglab_dirty_dma() - the device wrote @len bytes at @iova by DMA, and they have landed
 *
 * The device is open, and stays so until this returns. No lock is held: this takes
 * type1's and the user's mmap_lock, and may fault the user's pages in. Comes before an
 * arc that stops DMA takes effect, so that who stops the device and then asks for the
 * dirty pages finds all of them.
 *
 * With the first call type1 takes it that all of the device's DMA is reported so, and
 * counts no longer every page as dirty; it is not told if the IOMMU group has other devices
 * too. @iova is the user's: what is not mapped, or not for writing, is ignored.
 */
void miglab_dirty_dma(struct miglab_device *m, u64 iova, u64 len);

/* A dma_unmap of struct vfio_device_ops: waits until no page is pinned. */
void miglab_dirty_unmap(struct vfio_device *vdev, u64 iova, u64 len);

#endif
