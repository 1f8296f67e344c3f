// SPDX-License-Identifier: GPL-2.0-only
#include "sums.h"
#include "stream.h"

#define NOWHERE		U64_MAX
#define BREATH		64u	/* after so many pages others may run */

static const u8 zeroes[MIGLAB_PAGE];

static size_t bitmap_bytes(u64 pages)
{
	return (size_t)((pages + 63) / 64 * sizeof(u64));
}

size_t miglab_sums_bytes_needed(u64 state_bytes)
{
	u64 pages = state_bytes / MIGLAB_PAGE;

	return bitmap_bytes(pages) + (size_t)pages * sizeof(u32);
}

void miglab_sums_init(struct miglab_sums *s, u64 state_bytes, void *memory)
{
	u64 pages = state_bytes / MIGLAB_PAGE;

	*s = (struct miglab_sums){
		.pages = pages,
		.known = memory,
		.crc = (u32 *)((u8 *)memory + bitmap_bytes(pages)),
		.at = NOWHERE,
	};
	memset(s->known, 0, bitmap_bytes(pages));
}

static bool is_known(const struct miglab_sums *s, u64 page)
{
	return s->known[page / 64] >> page % 64 & 1;
}

/* @len bytes within one page. */
static void add_piece(struct miglab_sums *s, u64 offset, const u8 *bytes, size_t len)
{
	u64 page = offset / MIGLAB_PAGE;

	if (offset % MIGLAB_PAGE == 0)
		s->part = 0;
	else if (offset != s->at)
		len = 0;
	s->known[page / 64] &= ~(1ull << page % 64);
	s->at = len ? offset + len : NOWHERE;
	s->part = crc32c(s->part, bytes, len);
	if (!len || s->at % MIGLAB_PAGE)
		return;
	s->crc[page] = s->part;
	s->known[page / 64] |= 1ull << page % 64;
}

void miglab_sums_add(struct miglab_sums *s, u64 offset, const u8 *bytes, size_t len)
{
	size_t n;

	for (; len; offset += n, bytes += n, len -= n) {
		n = MIGLAB_PAGE - (size_t)(offset % MIGLAB_PAGE);
		n = n < len ? n : len;
		add_piece(s, offset, bytes, n);
	}
}

/*
 * What a page of zeroes makes of a CRC. It is linear in the bits of the CRC, so what it makes of
 * each is enough; and a page of other bytes makes the same of it, and adds its own CRC.
 */
static void find_shifts(u32 ret_shift[32])
{
	u32 i;

	for (i = 0; i < 32; i++)
		ret_shift[i] = crc32c(1u << i, zeroes, sizeof(zeroes));
}

static u32 shift_by_page(const u32 shift[32], u32 crc)
{
	u32 i, shifted = 0;

	for (i = 0; i < 32; i++)
		shifted ^= shift[i] & -(crc >> i & 1);
	return shifted;
}

u32 miglab_sums_fingerprint(const struct miglab_sums *s, const u8 *state)
{
	u32 shift[32], crc = ~0u;
	u64 page;

	find_shifts(shift);
	for (page = 0; page < s->pages; page++) {
		if (is_known(s, page))
			crc = shift_by_page(shift, crc) ^ s->crc[page];
		else
			crc = crc32c(crc, state + page * MIGLAB_PAGE, MIGLAB_PAGE);
		if (page % BREATH == 0)
			cond_resched();
	}
	return ~crc;
}
