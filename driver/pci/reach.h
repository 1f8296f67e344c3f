/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory that a device reaches by DMA, as the driver itself reads and writes it,
 * by IOVA: through type1, or through an access of its own to the user's iommufd.
 */
#ifndef MIGLAB_REACH_H
#define MIGLAB_REACH_H

#include "pci.h"

/**
 * miglab_reach() - move @len bytes, at least 1, between @data and the user's memory at @iova
 *
 * May fault pages of the user in, so no lock may be held; works in the user's context and
 * in a work item. The device is open.
 *
 * Return: 0, or an error, -EINVAL above all, when the user has not mapped that or not so.
 */
int miglab_reach(struct miglab_device *m, dma_addr_t iova, void *data, size_t len, bool write);

/*
 * vfio_device_ops of the same names: those for physical devices, with an access beside
 * them. The device may be attached to what has no IOAS; then nothing can be reached.
 */
#if IS_ENABLED(CONFIG_IOMMUFD)
int miglab_bind_iommufd(struct vfio_device *vdev, struct iommufd_ctx *ctx, u32 *ret_id);
void miglab_unbind_iommufd(struct vfio_device *vdev);
int miglab_attach_ioas(struct vfio_device *vdev, u32 *id);
void miglab_detach_ioas(struct vfio_device *vdev);
#else
#define miglab_bind_iommufd	NULL
#define miglab_unbind_iommufd	NULL
#define miglab_attach_ioas	NULL
#define miglab_detach_ioas	NULL
#endif

#endif
