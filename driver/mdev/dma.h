/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DMA of an emulated function: the user's memory by IOVA.
 *
 * type1 and iommufd hold a lock of their own over the copy, and a page fault in it may wait for
 * somebody who never comes (userfaultfd, FUSE). So the copy is made in the context of the user who
 * started it, where SIGKILL ends the fault, and never by a work, which no signal reaches and for
 * which close() would wait: the user's exit closes his userfaultfd after the device, or not at all.
 *
 * Dirty pages. type1 marks what it is asked to write, and has it that an emulated device writes
 * nothing else: VFIO_IOMMU_DIRTY_PAGES is exact, from the first page on. iommufd marks nothing,
 * since a bitmap is of the page tables of an IOMMU and there is none: IOMMU_HWPT_GET_DIRTY_BITMAP
 * knows nothing of this device, and VFIO_DEVICE_FEATURE_DMA_LOGGING is what says it, on kernels
 * that have iommufd with that.
 */
#ifndef MIGLAB_DMA_H
#define MIGLAB_DMA_H

#include <linux/types.h>

struct miglab_function;

/**
 * miglab_dma_read() - the function reads @len bytes of memory at @iova
 *
 * The device is open and stays so; the caller is its user's thread. No lock is held. Sleeps for as
 * long as a page fault takes; killable.
 *
 * What cannot be read is zeroes in @bytes: not mapped, no bus master, the user is being killed.
 *
 * Return: whether all could be read.
 */
bool miglab_dma_read(struct miglab_function *f, u64 iova, void *bytes, size_t len);

/* The reverse; what cannot be written is not. */
bool miglab_dma_write(struct miglab_function *f, u64 iova, const void *bytes, size_t len);

#endif
