// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/ram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "port.h"
#include "vmm/framing.h"

#define WORD	64u

int ram_init(struct ram *r, uint8_t *bytes, uint64_t size)
{
	*r = (struct ram){ .bytes = bytes, .pages = size / FRAME_PAGE };
	r->bitmap = calloc(ram_words(r), sizeof(*r->bitmap));
	r->sums = calloc(r->pages, sizeof(*r->sums));
	if (r->bitmap && r->sums)
		return 0;
	ram_fini(r);
	return -ENOMEM;
}

void ram_fini(struct ram *r)
{
	free(r->bitmap);
	free(r->sums);
	r->bitmap = NULL;
	r->sums = NULL;
}

size_t ram_words(const struct ram *r)
{
	return (r->pages + WORD - 1) / WORD;
}

static bool is_set(const struct ram *r, uint64_t page)
{
	return r->bitmap[page / WORD] >> page % WORD & 1;
}

static void count(struct ram *r)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < ram_words(r); i++)
		pages += __builtin_popcountll(r->bitmap[i]);
	r->stats.remaining = pages * FRAME_PAGE;
}

void ram_begin(struct ram *r)
{
	r->stats = (struct ram_stats){ .total = r->pages * FRAME_PAGE };
	memset(r->bitmap, 0xff, r->pages / WORD * sizeof(*r->bitmap));
	if (r->pages % WORD)
		r->bitmap[r->pages / WORD] = (1ull << r->pages % WORD) - 1;
	r->next = 0;
	r->full = 0;
	r->summed = 0;
	count(r);
}

void ram_sync(struct ram *r, const uint64_t *written)
{
	for (size_t i = 0; i < ram_words(r); i++)
		r->bitmap[i] |= written[i];
	/* Whoever sets bits behind the last page means nothing by it. */
	if (r->pages % WORD)
		r->bitmap[r->pages / WORD] &= (1ull << r->pages % WORD) - 1;
	count(r);
	r->next = 0;
	r->stats.syncs++;
	r->full = r->stats.remaining == r->stats.total ? r->full + 1 : 0;
}

bool ram_is_hopeless(const struct ram *r)
{
	return r->full >= RAM_FULL_PASSES_MAX;
}

static bool is_zero(const uint8_t *page)
{
	return !page[0] && !memcmp(page, page + 1, FRAME_PAGE - 1);
}

/* The next page to be sent from @page on; r->pages when there is none. */
static uint64_t find(const struct ram *r, uint64_t page)
{
	while (page < r->pages && !(r->bitmap[page / WORD] >> page % WORD)) {
		page = (page / WORD + 1) * WORD;
		if (page >= r->pages)
			return r->pages;
	}
	while (page < r->pages && !is_set(r, page))
		page++;
	return page;
}

/* How many from @page on, which is one, are to be sent and are zero or not as @zero says. */
static uint64_t run_length(const struct ram *r, uint64_t page, bool zero, uint64_t most)
{
	uint64_t n = 1;

	while (n < most && page + n < r->pages && is_set(r, page + n) &&
	       is_zero(r->bytes + (page + n) * FRAME_PAGE) == zero)
		n++;
	return n;
}

/*
 * A page is looked at once, and copied later: a device may write it in between. Then it
 * is to be sent again anyway.
 */
size_t ram_put_pages(struct ram *r, uint8_t *buf)
{
	uint64_t page = find(r, r->next), n;
	uint8_t *payload = buf + FRAME_HEADER_BYTES;
	uint32_t length;
	bool zero;

	if (page == r->pages)
		return 0;
	zero = is_zero(r->bytes + page * FRAME_PAGE);
	n = run_length(r, page, zero, zero ? UINT64_MAX : FRAME_PAGES_MAX);
	frame_put_u64(payload, page * FRAME_PAGE);
	if (zero) {
		frame_put_u64(payload + 8, n * FRAME_PAGE);
		r->stats.duplicate += n;
		length = 16;
	} else {
		memcpy(payload + 8, r->bytes + page * FRAME_PAGE, n * FRAME_PAGE);
		r->stats.normal += n;
		length = 8 + n * FRAME_PAGE;
	}
	frame_put_header(buf, zero ? FRAME_ZEROS : FRAME_PAGES, length);
	for (uint64_t i = page; i < page + n; i++)
		r->bitmap[i / WORD] &= ~(1ull << i % WORD);
	r->next = page + n;
	r->stats.remaining -= n * FRAME_PAGE;
	r->stats.transferred += FRAME_HEADER_BYTES + length;
	return FRAME_HEADER_BYTES + length;
}

static uint32_t page_sum(const struct ram *r, uint64_t page)
{
	return crc32c(~0u, r->bytes + page * FRAME_PAGE, FRAME_PAGE);
}

/* The same on any machine. */
static void sum_up(struct ram *r)
{
	uint32_t sum = ~0u;

	for (uint64_t page = 0; page < r->pages; page++) {
		uint8_t bytes[4];

		frame_put_u32(bytes, r->sums[page]);
		sum = crc32c(sum, bytes, sizeof(bytes));
	}
	r->stats.checksum = ~sum;
	r->stats.summed = true;
}

size_t ram_put_sums(struct ram *r, uint64_t page, uint8_t *buf)
{
	uint8_t *payload = buf + FRAME_HEADER_BYTES;
	uint32_t length = 8;

	if (page >= r->pages) {
		sum_up(r);
		return 0;
	}
	frame_put_u64(payload, page * FRAME_PAGE);
	for (; page < r->pages && length < 8 + 4 * FRAME_SUMS_MAX; page++, length += 4) {
		r->sums[page] = page_sum(r, page);
		frame_put_u32(payload + length, r->sums[page]);
	}
	frame_put_header(buf, FRAME_SUMS, length);
	r->stats.transferred += FRAME_HEADER_BYTES + length;
	return FRAME_HEADER_BYTES + length;
}

/* @at and @length are of the wire. */
static int check_pages(const struct ram *r, uint64_t at, uint64_t length, struct error *err)
{
	uint64_t size = r->pages * FRAME_PAGE;

	if (r->summed)
		return error_set(err, -EPROTO, "the source sent pages behind their checksums");
	if (at % FRAME_PAGE == 0 && length % FRAME_PAGE == 0 && length && at < size &&
	    length <= size - at)
		return 0;
	return error_set(err, -EPROTO,
			 "the source sent %llu bytes at address %#llx, which are no pages of it",
			 (unsigned long long)length, (unsigned long long)at);
}

int ram_take_pages(struct ram *r, const uint8_t *payload, uint32_t length, struct error *err)
{
	uint64_t at = frame_u64(payload);
	int ret = check_pages(r, at, length - 8, err);

	if (ret)
		return ret;
	memcpy(r->bytes + at, payload + 8, length - 8);
	r->stats.normal += (length - 8) / FRAME_PAGE;
	r->stats.transferred += FRAME_HEADER_BYTES + length;
	return 0;
}

int ram_take_zeros(struct ram *r, const uint8_t *payload, struct error *err)
{
	uint64_t at = frame_u64(payload), length = frame_u64(payload + 8);
	int ret = check_pages(r, at, length, err);

	if (ret)
		return ret;
	memset(r->bytes + at, 0, length);
	r->stats.duplicate += length / FRAME_PAGE;
	r->stats.transferred += FRAME_HEADER_BYTES + 16;
	return 0;
}

int ram_take_sums(struct ram *r, const uint8_t *payload, uint32_t length, struct error *err)
{
	uint64_t n = (length - 8) / 4;

	if (frame_u64(payload) != r->summed * FRAME_PAGE || n > r->pages - r->summed)
		return error_set(err, -EPROTO,
				 "the source sent checksums of what is no page of it, or twice");
	for (uint64_t i = 0; i < n; i++, r->summed++) {
		uint32_t want = frame_u32(payload + 8 + 4 * i);

		r->sums[r->summed] = page_sum(r, r->summed);
		if (r->sums[r->summed] != want)
			return error_set(err, -EBADMSG,
					 "the page at address %#llx is not what the source has: checksum %08x here, %08x there",
					 (unsigned long long)r->summed * FRAME_PAGE,
					 r->sums[r->summed], want);
	}
	r->stats.transferred += FRAME_HEADER_BYTES + length;
	return 0;
}

int ram_take_end(struct ram *r, struct error *err)
{
	if (r->summed != r->pages)
		return error_set(err, -EPROTO,
				 "it ended after the checksums of %llu of %llu pages",
				 (unsigned long long)r->summed, (unsigned long long)r->pages);
	sum_up(r);
	r->stats.remaining = 0;
	return 0;
}
