// SPDX-License-Identifier: GPL-2.0-only
/* VFIO_DEVICE_FEATURE_DMA_LOGGING: a bit for each page of the ranges that the user named. */
#include <linux/bitmap.h>
#include <linux/interval_tree.h>
#include <linux/iova_bitmap.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "device.h"

/* MODULE_IMPORT_NS(), whose argument was no string before 6.13 */
MODULE_INFO(import_ns, "IOMMUFD");

#define PAGES_MAX	(1ull << 28)	/* in one log: 1 TiB of memory, 32 MiB of bits */

/* Some pages, by their numbers, and which of them were written. */
struct log_range {
	u64 first, last;
	unsigned long *bits;
};

struct miglab_log {
	u32 count;
	struct log_range range[] __counted_by(count);
};

static void log_free(struct miglab_log *log)
{
	u32 i;

	for (i = 0; log && i < log->count; i++)
		kvfree(log->range[i].bits);
	kfree(log);
}

static int range_init(struct log_range *range, const struct interval_tree_node *node,
		      u64 *pages_left)
{
	u64 pages;

	/* The core lets an empty range through, which ends before it begins. */
	if (node->last < node->start)
		return -EINVAL;
	range->first = node->start >> PAGE_SHIFT;
	range->last = node->last >> PAGE_SHIFT;
	pages = range->last - range->first + 1;
	if (pages > *pages_left)
		return -E2BIG;
	*pages_left -= pages;
	range->bits = kvcalloc(BITS_TO_LONGS(pages), sizeof(long), GFP_KERNEL_ACCOUNT);
	return range->bits ? 0 : -ENOMEM;
}

static struct miglab_log *log_new(struct rb_root_cached *ranges, u32 count)
{
	struct interval_tree_node *node;
	u64 pages_left = PAGES_MAX;
	struct miglab_log *log;
	u32 i = 0;
	int ret;

	log = kzalloc(struct_size(log, range, count), GFP_KERNEL_ACCOUNT);
	if (!log)
		return ERR_PTR(-ENOMEM);
	log->count = count;
	for (node = interval_tree_iter_first(ranges, 0, ULONG_MAX); node && i < count;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX)) {
		ret = range_init(&log->range[i++], node, &pages_left);
		if (ret) {
			log_free(log);
			return ERR_PTR(ret);
		}
	}
	return log;
}

/* The range that has all of these pages, or NULL. */
static struct log_range *find(struct miglab_log *log, u64 first, u64 last)
{
	u32 i;

	for (i = 0; i < log->count; i++)
		if (log->range[i].bits && first >= log->range[i].first &&
		    last <= log->range[i].last)
			return &log->range[i];
	return NULL;
}

void miglab_log_written(struct miglab_dirty *dirty, u64 iova, u64 len)
{
	u64 page, last = (iova + len - 1) >> PAGE_SHIFT;
	struct log_range *range;

	mutex_lock(&dirty->lock);
	for (page = iova >> PAGE_SHIFT; dirty->log && page <= last; page++) {
		range = find(dirty->log, page, page);
		if (range)
			__set_bit(page - range->first, range->bits);
	}
	mutex_unlock(&dirty->lock);
}

void miglab_log_stop(struct miglab_dirty *dirty)
{
	mutex_lock(&dirty->lock);
	log_free(dirty->log);
	dirty->log = NULL;
	mutex_unlock(&dirty->lock);
}

static int log_start(struct vfio_device *vdev, struct rb_root_cached *ranges, u32 count,
		     u64 *page_size)
{
	struct miglab_dirty *dirty = &miglab_from_vfio(vdev)->dirty;
	struct miglab_log *log;
	int ret = 0;

	/* Ranges are multiples of this, and two of them share no page. */
	if (!is_power_of_2(*page_size) || *page_size < PAGE_SIZE)
		return -EINVAL;
	log = log_new(ranges, count);
	if (IS_ERR(log))
		return PTR_ERR(log);
	mutex_lock(&dirty->lock);
	if (dirty->log)
		ret = -EBUSY;
	else
		swap(dirty->log, log);
	mutex_unlock(&dirty->lock);
	log_free(log);
	if (!ret)
		*page_size = PAGE_SIZE;
	return ret;
}

static int log_stop(struct vfio_device *vdev)
{
	miglab_log_stop(&miglab_from_vfio(vdev)->dirty);
	return 0;
}

/* What was written since the last time; the core's @report merges or repeats bits. */
static void report_range(struct log_range *range, u64 first, u64 last, struct iova_bitmap *report)
{
	unsigned long begin = first - range->first, stop = last - range->first + 1;
	unsigned long page;

	for (page = find_next_bit(range->bits, stop, begin); page < stop;
	     page = find_next_bit(range->bits, stop, page + 1))
		iova_bitmap_set(report, (range->first + page) << PAGE_SHIFT, PAGE_SIZE);
	bitmap_clear(range->bits, begin, stop - begin);
}

static int log_read_and_clear(struct vfio_device *vdev, unsigned long iova, unsigned long len,
			      struct iova_bitmap *report)
{
	struct miglab_dirty *dirty = &miglab_from_vfio(vdev)->dirty;
	u64 first = iova >> PAGE_SHIFT, last = (iova + len - 1) >> PAGE_SHIFT;
	struct log_range *range = NULL;

	/* The bitmap has no bit for what is before its begin, and the core does not look. */
	if (!IS_ALIGNED(iova | len, PAGE_SIZE))
		return -EINVAL;
	mutex_lock(&dirty->lock);
	if (dirty->log)
		range = find(dirty->log, first, last);
	if (range)
		report_range(range, first, last, report);
	mutex_unlock(&dirty->lock);
	return range ? 0 : -EINVAL;
}

const struct vfio_log_ops miglab_log_ops = {
	.log_start = log_start,
	.log_stop = log_stop,
	.log_read_and_clear = log_read_and_clear,
};
