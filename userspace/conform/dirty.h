/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log of what a device writes to memory, in the words of the cases.
 */
#ifndef MIGLAB_CONFORM_DIRTY_H
#define MIGLAB_CONFORM_DIRTY_H

#include "conform/case.h"

/* DMA_LOGGING_START of @num ranges: 0 or negative errno; *page_size is in and out. */
int dirty_start_raw(struct conform *c, const struct vfio_device_feature_dma_logging_range *ranges,
		    uint32_t num, uint64_t *page_size);
/* Of one range in pages of 4096 bytes; succeeds. */
void dirty_start(struct conform *c, uint64_t iova, uint64_t length);
/* DMA_LOGGING_STOP, whatever it answers. */
int dirty_stop(struct conform *c);
/* DMA_LOGGING_REPORT into @bitmap, which has 8-byte words. */
int dirty_report(struct conform *c, uint64_t iova, uint64_t length, uint64_t page_size,
		 uint64_t *bitmap);
/* Reports a range of at most 4096 pages; how many were written since the last report. */
int dirty_count(struct conform *c, uint64_t iova, uint64_t length);

#endif
