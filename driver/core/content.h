/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bytes of a device's migratable state, and how they become a stream and a
 * checksum. Every device model has them; what they mean is the model's affair.
 *
 * Pure: memory comes from the caller, who serialises.
 */
#ifndef MIGLAB_CORE_CONTENT_H
#define MIGLAB_CORE_CONTENT_H

#include "port.h"
#include "precopy.h"
#include "stream.h"

/*
 * Brings @len bytes at @offset up to date before they are sent. @offset and @len are
 * multiples of MIGLAB_PAGE within the state. Returns 0, or an error for the reader.
 */
typedef int (*miglab_fetch_fn)(void *opaque, u64 offset, u32 len);

struct miglab_content {
	struct miglab_identity id;	/* id.state_bytes is the size of @bytes */
	u8 *bytes;
	miglab_fetch_fn fetch;		/* NULL: the bytes are always up to date */
	void *opaque;			/* for @fetch */
};

/**
 * miglab_content_stage() - produce the session's next record
 * @track: the session's accounting, which is told what was staged
 * @final: the device is in STOP_COPY, so that the end record follows the last page
 * @buf: MIGLAB_RECORD_MAX bytes
 *
 * All of the record before has been read.
 *
 * Return: how much of the record is to be read: all, but for a stream that is to end
 * early; or 0 when there is nothing to send: for good with @final, for now without it;
 * or the error of @c->fetch, after which the same may be tried again.
 */
ssize_t miglab_content_stage(struct miglab_content *c, struct miglab_precopy *track, bool final,
			     u8 *buf);

/* Puts decoded pages in place; a miglab_pages_fn whose @opaque is a struct miglab_content. */
void miglab_content_put_pages(void *opaque, u64 offset, const u8 *data, u32 len);

/*
 * The checksum over all bytes: crc32c, initial value and final xor ~0. Fetches nothing.
 * The caller may sleep.
 */
u32 miglab_content_fingerprint(const struct miglab_content *c);

/* Upper bound of a whole stream for a state of @state_bytes, when nothing changes meanwhile. */
u64 miglab_content_stream_bytes(u64 state_bytes);

#endif
