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
#include "sums.h"

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
	struct miglab_sums *sums;	/* of the bytes that a stream brought; NULL: not taken */
	/*
	 * miglab_content_fingerprint() of the bytes when they became final, which whoever
	 * stops the device takes down, and miglab_content_loaded(). The end record has it.
	 */
	u32 fingerprint;
};

/* A record on its way to the reader: its head, and where in the state its pages are. */
struct miglab_outgoing {
	u8 head[MIGLAB_HEADER_BYTES];	/* ... or less */
	size_t head_bytes;
	size_t size;		/* of the record, as far as it is to be read */
	size_t taken;		/* ... and was; equal: there is none */
	u64 offset;		/* of its pages */
	u64 corrupt;		/* the byte of the state to send as @wrong; U64_MAX: none */
	u8 wrong;
};

/**
 * miglab_content_stage() - produce the session's next record
 * @track: the session's accounting, which is told what was staged
 * @final: the device is in STOP_COPY, so that the end record follows the last page
 * @out: all of the record before has been read; untouched when there is none
 *
 * Return: 1 for a record; 0 when there is nothing to send: for good with @final, for now
 * without it; or the error of @c->fetch, after which the same may be tried again.
 */
int miglab_content_stage(struct miglab_content *c, struct miglab_precopy *track, bool final,
			 struct miglab_outgoing *out);

/**
 * miglab_content_next() - where the record's next bytes are
 * @ret_at: in @out, or in @c->bytes, which may change meanwhile: pages that are marked then
 *	are sent again, so that it does no harm
 *
 * @out is a record of @c that has not been read whole; who reads adds to @out->taken.
 *
 * Return: how many there are in a row; never 0.
 */
size_t miglab_content_next(const struct miglab_content *c, struct miglab_outgoing *out,
			   const u8 **ret_at);

/**
 * miglab_content_loaded() - has @d put a whole and undamaged state into @c?
 *
 * Takes down the fingerprint. The caller may sleep.
 *
 * Return: 0; what miglab_decoder_finish() says; or -EINVAL, which sticks to @d, if the bytes
 * have not the fingerprint that the stream names.
 */
int miglab_content_loaded(struct miglab_content *c, struct miglab_decoder *d);

/*
 * The checksum over all bytes: crc32c, initial value and final xor ~0. Fetches nothing.
 * The caller may sleep.
 */
u32 miglab_content_fingerprint(const struct miglab_content *c);

/* Upper bound of a whole stream for a state of @state_bytes, when nothing changes meanwhile. */
u64 miglab_content_stream_bytes(u64 state_bytes);

#endif
