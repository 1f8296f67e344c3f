/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a saving session has still to send: initial_bytes, dirty_bytes, the end.
 *
 * The initial pass walks the state once; a page that changes behind the walk
 * becomes dirty and is sent again. The figures obey uapi/linux/vfio.h, struct
 * vfio_precopy_info: initial_bytes only falls and reaches 0 by reading,
 * dirty_bytes is 0 at the start, and their sum never promises bytes that read()
 * cannot deliver while still in pre-copy. Only a reinit lets initial_bytes rise.
 *
 * Pure; the caller brings the bitmap's memory and serialises.
 */
#ifndef MIGLAB_CORE_PRECOPY_H
#define MIGLAB_CORE_PRECOPY_H

#include "port.h"

struct miglab_precopy {
	u64 pages;		/* in the whole state */
	u64 cursor;		/* pages the initial pass has sent */
	u64 *dirty;		/* a bit for each page, only below @cursor */
	u64 dirty_pages;	/* bits set */
	u64 scan;		/* where the next search for a dirty page begins */
	u64 records;		/* PAGES records produced */
	u64 unread;		/* bytes that are staged and not yet read */
	bool unread_initial;	/* ... and belong to the initial pass */
	u64 corrupt;		/* the byte of the state that is sent wrong; U64_MAX: none */
	u64 left;		/* bytes that may still be read; U64_MAX less what was: no limit */
	bool header, end;	/* those records were produced */
};

/* Bytes that miglab_precopy_start() needs for a state of @state_bytes. */
size_t miglab_precopy_bytes_needed(u64 state_bytes);

/* A new session begins: everything is initial, nothing is dirty. Zeroes @bitmap. */
void miglab_precopy_start(struct miglab_precopy *p, u64 state_bytes, void *bitmap);

/*
 * Faults of this session: the byte of the state at @corrupt is sent wrong, each time, and
 * the end record's fingerprint agrees; the stream ends after @truncate bytes, for now in
 * pre-copy and for good in stop-copy. U64_MAX: not. Before anything was read.
 */
void miglab_precopy_spoil(struct miglab_precopy *p, u64 corrupt, u64 truncate);

/* Everything is initial again, what was sent included (VFIO_PRECOPY_INFO_REINIT). */
void miglab_precopy_reinit(struct miglab_precopy *p);

/* Page number @page changed. */
void miglab_precopy_mark(struct miglab_precopy *p, u64 page);

/**
 * miglab_precopy_next() - claim the next run of pages to send
 * @ret_offset: where it begins, in bytes
 * @ret_len: how long it is, 1 page to MIGLAB_PAGES_MAX
 *
 * The initial pass first, then dirty pages.
 *
 * Return: true, or false when nothing is left for now.
 */
bool miglab_precopy_next(struct miglab_precopy *p, u64 *ret_offset, u32 *ret_len);

/*
 * What the last miglab_precopy_next() claimed, and nobody marked since, is not sent after
 * all: it has still to be.
 */
void miglab_precopy_give_back(struct miglab_precopy *p, u64 offset, u32 len, bool initial);

/*
 * A record of @bytes was staged for reading, all of the one before having been
 * read; @initial: it is of the header or the initial pass. What goes beyond the
 * stream's end is not unread, and never will be read.
 */
void miglab_precopy_staged(struct miglab_precopy *p, u64 bytes, bool initial);

/* @bytes of what is staged were read; never more than is unread. */
void miglab_precopy_read(struct miglab_precopy *p, u64 bytes);

/* The two figures of VFIO_MIG_GET_PRECOPY_INFO, in bytes of stream. */
void miglab_precopy_info(const struct miglab_precopy *p, u64 *ret_initial, u64 *ret_dirty);

/* Upper bound of the bytes that read() will still deliver up to the end of the stream. */
u64 miglab_precopy_remaining(const struct miglab_precopy *p);

#endif
