// SPDX-License-Identifier: GPL-2.0-only
#include "precopy.h"
#include "stream.h"

#define WORD_BITS	64u
#define RUN_PAGES	(MIGLAB_PAGES_MAX / MIGLAB_PAGE)

static u64 words(u64 pages)
{
	return (pages + WORD_BITS - 1) / WORD_BITS;
}

static u64 bit(u64 page)
{
	return 1ull << (page % WORD_BITS);
}

static u64 at_most(u64 n, u64 limit)
{
	return n < limit ? n : limit;
}

static bool is_dirty(const struct miglab_precopy *p, u64 page)
{
	return p->dirty[page / WORD_BITS] & bit(page);
}

/* Stream bytes of @pages in a row: full records, and a shorter one at the end. */
static u64 run_bytes(u64 pages)
{
	return pages * MIGLAB_PAGE + (pages + RUN_PAGES - 1) / RUN_PAGES * MIGLAB_PAGES_BYTES;
}

size_t miglab_precopy_bytes_needed(u64 state_bytes)
{
	return (size_t)(words(state_bytes / MIGLAB_PAGE) * sizeof(u64));
}

void miglab_precopy_start(struct miglab_precopy *p, u64 state_bytes, void *bitmap)
{
	memset(bitmap, 0, miglab_precopy_bytes_needed(state_bytes));
	*p = (struct miglab_precopy){
		.pages = state_bytes / MIGLAB_PAGE,
		.dirty = bitmap,
		.corrupt = U64_MAX,
		.left = U64_MAX,
	};
}

void miglab_precopy_spoil(struct miglab_precopy *p, u64 corrupt, u64 truncate)
{
	p->corrupt = corrupt;
	p->left = truncate;
}

void miglab_precopy_reinit(struct miglab_precopy *p)
{
	memset(p->dirty, 0, words(p->pages) * sizeof(u64));
	p->cursor = 0;
	p->dirty_pages = 0;
	p->scan = 0;
	/* The record under way goes on, but dirty_bytes has to be 0. */
	p->unread_initial = true;
}

void miglab_precopy_mark(struct miglab_precopy *p, u64 page)
{
	/* The initial pass has still to come by what is not below its cursor. */
	if (page >= p->cursor || is_dirty(p, page))
		return;
	p->dirty[page / WORD_BITS] |= bit(page);
	p->dirty_pages++;
}
EXPORT_SYMBOL_GPL(miglab_precopy_mark);

/* The first dirty page from @p->scan on, round the end; there is one. */
static u64 find_dirty(const struct miglab_precopy *p)
{
	u64 page = p->scan;

	for (;;) {
		if (page >= p->cursor)
			page = 0;
		if (is_dirty(p, page))
			return page;
		/* What is left of the word holds no dirty page: skip it whole. */
		if (p->dirty[page / WORD_BITS] >> (page % WORD_BITS))
			page++;
		else
			page = (page / WORD_BITS + 1) * WORD_BITS;
	}
}

static u64 claim_initial(struct miglab_precopy *p, u64 *ret_first)
{
	u64 left = p->pages - p->cursor;
	u64 run = left < RUN_PAGES ? left : RUN_PAGES;

	*ret_first = p->cursor;
	p->cursor += run;
	return run;
}

static u64 claim_dirty(struct miglab_precopy *p, u64 *ret_first)
{
	u64 first = find_dirty(p);
	u64 page = first;

	while (page < p->cursor && page - first < RUN_PAGES && is_dirty(p, page)) {
		p->dirty[page / WORD_BITS] &= ~bit(page);
		page++;
	}
	p->dirty_pages -= page - first;
	p->scan = page;
	*ret_first = first;
	return page - first;
}

bool miglab_precopy_next(struct miglab_precopy *p, u64 *ret_offset, u32 *ret_len)
{
	u64 first, run;

	if (p->cursor < p->pages)
		run = claim_initial(p, &first);
	else if (p->dirty_pages)
		run = claim_dirty(p, &first);
	else
		return false;

	p->records++;
	*ret_offset = first * MIGLAB_PAGE;
	*ret_len = (u32)run * MIGLAB_PAGE;
	return true;
}

void miglab_precopy_give_back(struct miglab_precopy *p, u64 offset, u32 len, bool initial)
{
	u64 page, first = offset / MIGLAB_PAGE;

	p->records--;
	if (initial)
		p->cursor = first;
	for (page = first; page < first + len / MIGLAB_PAGE; page++)
		miglab_precopy_mark(p, page);
}

void miglab_precopy_staged(struct miglab_precopy *p, u64 bytes, bool initial)
{
	p->unread = at_most(bytes, p->left);
	p->unread_initial = initial;
}

void miglab_precopy_read(struct miglab_precopy *p, u64 bytes)
{
	p->unread -= bytes;
	p->left -= bytes;
}

void miglab_precopy_info(const struct miglab_precopy *p, u64 *ret_initial, u64 *ret_dirty)
{
	u64 unread_initial = p->unread_initial ? p->unread : 0;
	u64 initial = unread_initial + run_bytes(p->pages - p->cursor) +
		      (p->header ? 0 : MIGLAB_HEADER_BYTES);
	/* Records add their heads to this; how many there will be is not known yet. */
	u64 dirty = p->unread - unread_initial + p->dirty_pages * MIGLAB_PAGE;

	*ret_initial = at_most(initial, p->left);
	*ret_dirty = at_most(dirty, p->left - *ret_initial);
}

u64 miglab_precopy_remaining(const struct miglab_precopy *p)
{
	/* At worst no two dirty pages share a record. */
	u64 bytes = p->unread + run_bytes(p->pages - p->cursor) +
		    p->dirty_pages * (MIGLAB_PAGE + MIGLAB_PAGES_BYTES) +
		    (p->header ? 0 : MIGLAB_HEADER_BYTES) + (p->end ? 0 : MIGLAB_END_BYTES);

	return at_most(bytes, p->left);
}
