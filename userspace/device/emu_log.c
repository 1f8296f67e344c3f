// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulated device's log of the memory that it wrote:
 * VFIO_DEVICE_FEATURE_DMA_LOGGING_*, checked as VFIO and a good driver do.
 */
#include "device/emu.h"

#define LOG_PAGE_MIN	4096u

static bool is_power_of_two(u64 value)
{
	return value && !(value & (value - 1));
}

/* Reads range number @i of the user's; e->log.range[0..i) are accepted already. */
static int take_range(struct emu_log *log, const struct vfio_device_feature_dma_logging_range *from,
		      u32 i)
{
	const struct emu_span new = { from->iova, from->length };
	u64 end;

	if (new.iova % log->page_size || new.length % log->page_size || !new.length)
		return -EINVAL;
	if (__builtin_add_overflow(new.iova, new.length, &end))
		return -EOVERFLOW;
	for (u32 j = 0; j < i; j++)
		if (new.iova < log->range[j].iova + log->range[j].length &&
		    log->range[j].iova < end)
			return -EINVAL;
	log->range[i] = new;
	return 0;
}

int emu_log_start(struct emu *e, struct vfio_device_feature_dma_logging_control *control)
{
	const struct vfio_device_feature_dma_logging_range *ranges;
	struct emu_log new = { .on = true, .page_size = control->page_size };

	if (e->log.on)
		return -EBUSY;
	if (!control->num_ranges || !is_power_of_two(control->page_size))
		return -EINVAL;
	if (control->num_ranges > EMU_LOG_RANGES)
		return -E2BIG;
	if (control->ranges < LOG_PAGE_MIN)
		return -EFAULT;
	ranges = (void *)(uintptr_t)control->ranges;
	if (new.page_size < LOG_PAGE_MIN)
		new.page_size = LOG_PAGE_MIN;
	for (; new.ranges < control->num_ranges; new.ranges++) {
		int ret = take_range(&new, &ranges[new.ranges], new.ranges);

		if (ret)
			return ret;
	}
	control->page_size = new.page_size;
	e->log = new;
	return 0;
}

int emu_log_stop(struct emu *e)
{
	if (!e->log.on)
		return -EINVAL;
	e->log.on = false;
	return 0;
}

static bool is_tracked(const struct emu_log *log, u64 iova, u64 end)
{
	for (u32 i = 0; i < log->ranges; i++)
		if (iova >= log->range[i].iova && end <= log->range[i].iova + log->range[i].length)
			return true;
	return false;
}

/* Sets the bits of [@from, @to) that are in the report. */
static void set_bits(const struct vfio_device_feature_dma_logging_report *r, u64 from, u64 to)
{
	u8 *bitmap = (u8 *)(uintptr_t)r->bitmap;

	from = from > r->iova ? from : r->iova;
	to = to < r->iova + r->length ? to : r->iova + r->length;
	for (u64 at = from; at < to; at = (at / r->page_size + 1) * r->page_size) {
		u64 bit = at / r->page_size - r->iova / r->page_size;

		bitmap[bit / 8] |= 1u << bit % 8;
	}
}

int emu_log_report(struct emu *e, const struct vfio_device_feature_dma_logging_report *r)
{
	struct emu_log *log = &e->log;
	u32 kept = 0;
	u64 end;

	if (r->page_size < LOG_PAGE_MIN || !is_power_of_two(r->page_size))
		return -EINVAL;
	if (__builtin_add_overflow(r->iova, r->length, &end))
		return -EOVERFLOW;
	if (!log->on || !is_tracked(log, r->iova, end))
		return -EINVAL;
	for (u32 i = 0; i < log->pages; i++) {
		u64 at = log->page[i] * log->page_size;

		if (at + log->page_size <= r->iova || at >= end)
			log->page[kept++] = log->page[i];
		else
			set_bits(r, at, at + log->page_size);
	}
	log->pages = kept;
	return 0;
}

static void log_pages(struct emu_log *log, u64 iova, u64 length)
{
	for (u64 page = iova / log->page_size; page <= (iova + length - 1) / log->page_size; page++)
		if (is_tracked(log, page * log->page_size, (page + 1) * log->page_size) &&
		    log->pages < EMU_LOG_PAGES)
			log->page[log->pages++] = page;
}

int emu_log_write(struct emu *e, u64 iova, u64 length)
{
	struct emu_log *log = &e->log;

	if (emu_may_write(e->state)) {
		emu_memory_clear(e, iova, length);
		if (log->on)
			log_pages(log, iova, length);
		return 0;
	}
	if (log->pending == sizeof(log->work) / sizeof(log->work[0]))
		return -EBUSY;
	log->work[log->pending++] = (struct emu_span){ iova, length };
	return 0;
}

void emu_log_resume(struct emu *e)
{
	u32 pending = e->log.pending;

	e->log.pending = 0;
	for (u32 i = 0; i < pending; i++)
		emu_log_write(e, e->log.work[i].iova, e->log.work[i].length);
}
