/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a device wrote to memory by DMA, for those who track dirty pages.
 */
#ifndef MIGLAB_DIRTY_H
#define MIGLAB_DIRTY_H

#include "device.h"

/*
 * The device wrote @len bytes at @iova since the last report. Called without locks,
 * and before an arc that stops DMA takes effect, so that who stops the device and then
 * asks for the dirty pages finds all of them. May sleep.
 */
static inline void miglab_dirty_dma(struct miglab_device *m, dma_addr_t iova, size_t len)
{
}

#endif
