// SPDX-License-Identifier: GPL-2.0-only
/* VFIO_DEVICE_FEATURE_DMA_LOGGING: a bit for each page of the ranges that the user named. */
#include <linux/bitmap.h>
#include <linux/export.h>
#include <linux/interval_tree.h>
#include <linux/iova_bitmap.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "device.h"

/* MODULE_IMPORT_NS(), whose argument was no string before 6.13 */
MODULE_INFO(import_ns, "IOMMUFD");

#define PAGES_MAX	(1ull << 28)	/* in one log: 32 MiB of bits; 1 TiB in pages of 4 KiB */

/* Some pages, by their numbers, and which of them were written. */
struct log_range {
	u64 first, last;
	unsigned long *bits;
};

/* Two ranges may share a page where the user's are not multiples of it. */
struct miglab_log {
	unsigned int shift;	/* of the log's pages */
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

static u64 pages_of(const struct interval_tree_node *node, unsigned int shift)
{
	return (node->last >> shift) - (node->start >> shift) + 1;
}

/* The smallest pages of which the ranges are not too many. They reach over a range's ends. */
static unsigned int choose_shift(struct rb_root_cached *ranges)
{
	struct interval_tree_node *node;
	unsigned int shift = PAGE_SHIFT;
	u64 pages;

	for (;; shift++) {
		pages = 0;
		for (node = interval_tree_iter_first(ranges, 0, ULONG_MAX); node;
		     node = interval_tree_iter_next(node, 0, ULONG_MAX))
			pages += pages_of(node, shift);
		if (pages <= PAGES_MAX)
			return shift;
	}
}

static int range_init(struct log_range *range, const struct interval_tree_node *node,
		      unsigned int shift)
{
	range->first = node->start >> shift;
	range->last = node->last >> shift;
	range->bits = kvcalloc(BITS_TO_LONGS(pages_of(node, shift)), sizeof(long),
			       GFP_KERNEL_ACCOUNT);
	return range->bits ? 0 : -ENOMEM;
}

/* The core lets an empty range through, which ends before it begins. */
static bool any_is_empty(struct rb_root_cached *ranges)
{
	struct interval_tree_node *node;

	for (node = interval_tree_iter_first(ranges, 0, ULONG_MAX); node;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX))
		if (node->last < node->start)
			return true;
	return false;
}

static struct miglab_log *log_new(struct rb_root_cached *ranges, u32 count)
{
	struct interval_tree_node *node;
	struct miglab_log *log;
	u32 i = 0;
	int ret;

	if (any_is_empty(ranges))
		return ERR_PTR(-EINVAL);
	log = kzalloc(struct_size(log, range, count), GFP_KERNEL_ACCOUNT);
	if (!log)
		return ERR_PTR(-ENOMEM);
	log->count = count;
	log->shift = choose_shift(ranges);
	for (node = interval_tree_iter_first(ranges, 0, ULONG_MAX); node && i < count;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX)) {
		ret = range_init(&log->range[i++], node, log->shift);
		if (ret) {
			log_free(log);
			return ERR_PTR(ret);
		}
	}
	return log;
}

/* Does the range have all of these pages? */
static bool has(const struct log_range *range, u64 first, u64 last)
{
	return range->bits && first >= range->first && last <= range->last;
}

/* The range that has all of these pages, or NULL. */
static struct log_range *find(struct miglab_log *log, u64 first, u64 last)
{
	u32 i;

	for (i = 0; i < log->count; i++)
		if (has(&log->range[i], first, last))
			return &log->range[i];
	return NULL;
}

static void log_page(struct miglab_log *log, u64 page)
{
	u32 i;

	for (i = 0; i < log->count; i++)
		if (has(&log->range[i], page, page))
			__set_bit(page - log->range[i].first, log->range[i].bits);
}

void miglab_log_written(struct miglab_dirtylog *dirty, u64 iova, u64 len)
{
	u64 page, last;

	mutex_lock(&dirty->lock);
	if (dirty->log) {
		last = (iova + len - 1) >> dirty->log->shift;
		for (page = iova >> dirty->log->shift; page <= last; page++)
			log_page(dirty->log, page);
	}
	mutex_unlock(&dirty->lock);
}
EXPORT_SYMBOL_GPL(miglab_log_written);

void miglab_log_stop(struct miglab_dirtylog *dirty)
{
	mutex_lock(&dirty->lock);
	log_free(dirty->log);
	dirty->log = NULL;
	mutex_unlock(&dirty->lock);
}

/* @page_size is a hint; the log's own pages are what it says then. */
static int log_start(struct vfio_device *vdev, struct rb_root_cached *ranges, u32 count,
		     u64 *page_size)
{
	struct miglab_dirtylog *dirty = &miglab_from_vfio(vdev)->dirty;
	struct miglab_log *log;
	u64 chosen;
	int ret = 0;

	if (!is_power_of_2(*page_size))
		return -EINVAL;
	log = log_new(ranges, count);
	if (IS_ERR(log))
		return PTR_ERR(log);
	chosen = 1ull << log->shift;
	mutex_lock(&dirty->lock);
	if (dirty->log)
		ret = -EBUSY;
	else
		swap(dirty->log, log);
	mutex_unlock(&dirty->lock);
	log_free(log);
	if (!ret)
		*page_size = chosen;
	return ret;
}

static int log_stop(struct vfio_device *vdev)
{
	miglab_log_stop(&miglab_from_vfio(vdev)->dirty);
	return 0;
}

/*
 * What was written in @iova to @last, which the range has, since the last time; the core's @report
 * merges or repeats bits. It has none for what is before its begin, and the core does not look. A
 * page that is reported in part only stays written.
 */
static void report_range(struct log_range *range, unsigned int shift, u64 iova, u64 last,
			 struct iova_bitmap *report)
{
	unsigned long stop = (last >> shift) - range->first + 1;
	unsigned long bit = (iova >> shift) - range->first;
	u64 from, to;

	for_each_set_bit_from(bit, range->bits, stop) {
		from = (range->first + bit) << shift;
		to = from + (1ull << shift) - 1;
		iova_bitmap_set(report, max(from, iova), min(to, last) - max(from, iova) + 1);
		if (from >= iova && to <= last)
			__clear_bit(bit, range->bits);
	}
}

static int log_read_and_clear(struct vfio_device *vdev, unsigned long iova, unsigned long len,
			      struct iova_bitmap *report)
{
	struct miglab_dirtylog *dirty = &miglab_from_vfio(vdev)->dirty;
	struct log_range *range = NULL;
	u64 last = iova + len - 1;

	if (!IS_ALIGNED(iova | len, PAGE_SIZE))
		return -EINVAL;
	mutex_lock(&dirty->lock);
	if (dirty->log)
		range = find(dirty->log, iova >> dirty->log->shift, last >> dirty->log->shift);
	if (range)
		report_range(range, dirty->log->shift, iova, last, report);
	mutex_unlock(&dirty->lock);
	return range ? 0 : -EINVAL;
}

const struct vfio_log_ops miglab_log_ops = {
	.log_start = log_start,
	.log_stop = log_stop,
	.log_read_and_clear = log_read_and_clear,
};
EXPORT_SYMBOL_GPL(miglab_log_ops);
