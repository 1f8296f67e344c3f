/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What of a memory is to be sent yet, in passes, and how it is put on the wire and taken
 * from it. Without I/O, clock and threads.
 *
 * A pass sends each page that was written before it began; what is written meanwhile is for
 * the next one. All addresses are multiples of FRAME_PAGE.
 */
#ifndef MIGLAB_VMM_RAM_H
#define MIGLAB_VMM_RAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * So many passes in a row after which all pages are to be sent again are enough: nobody
 * knows what was written, or everything is, and the next one would change nothing.
 */
#define RAM_FULL_PASSES_MAX	2

/* A page has 4096 bytes. */
struct ram_stats {
	uint64_t total;		/* bytes of the memory */
	uint64_t remaining;	/* bytes of pages to be sent yet */
	uint64_t normal;	/* pages sent as they are */
	uint64_t duplicate;	/* pages sent as zeros */
	uint64_t transferred;	/* bytes on the wire */
	uint64_t precopy;	/* of which before the machine stopped; 0 until then */
	uint64_t syncs;		/* how often it was asked what was written */
	bool summed;		/* @checksum is valid */
	uint32_t checksum;	/* over the sums of all pages */
};

struct ram {
	uint8_t *bytes;
	uint64_t pages;
	uint64_t *bitmap;	/* a bit for each page that is to be sent */
	uint64_t next;		/* where the pass goes on */
	unsigned int full;	/* passes in a row that ended with all pages to be sent */
	uint32_t *sums;		/* of each page, CRC32C, while they are compared */
	uint64_t summed;	/* destination: pages whose sums came */
	struct ram_stats stats;
};

/* @bytes: @size of them, at least a page; they outlive it. -ENOMEM. */
int ram_init(struct ram *r, uint8_t *bytes, uint64_t size);
void ram_fini(struct ram *r);

/* All pages are to be sent, or came not yet, and all figures are 0. */
void ram_begin(struct ram *r);

/* Words of a bitmap of its pages. */
size_t ram_words(const struct ram *r);

/* A pass is over, and these pages were written since the one before. */
void ram_sync(struct ram *r, const uint64_t *written);

/* RAM_FULL_PASSES_MAX is reached. */
bool ram_is_hopeless(const struct ram *r);

/*
 * Puts the next frame of the pass into @buf, which has FRAME_HEADER_BYTES +
 * FRAME_DATA_MAX: FRAME_PAGES or FRAME_ZEROS. Its size; 0 when the pass is over.
 */
size_t ram_put_pages(struct ram *r, uint8_t *buf);

/*
 * Puts FRAME_SUMS of the pages from @page on into @buf. Its size; 0 behind the last page,
 * when stats.checksum is there. All pages in order, from 0.
 */
size_t ram_put_sums(struct ram *r, uint64_t page, uint8_t *buf);

/*
 * The destination's side, each with the payload of a frame and its length, which fits the
 * frame's type. -EPROTO when it is about what is no page of this memory, or, of sums, not
 * about the next ones; -EBADMSG when a page has another sum. @err has the sentence, without a name.
 */
int ram_take_pages(struct ram *r, const uint8_t *payload, uint32_t length, struct error *err);
int ram_take_zeros(struct ram *r, const uint8_t *payload, struct error *err);
int ram_take_sums(struct ram *r, const uint8_t *payload, uint32_t length, struct error *err);

/* The source has no more: -EPROTO unless all sums came. stats.checksum is there then. */
int ram_take_end(struct ram *r, struct error *err);

#endif
