/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The migration stream: little-endian records, each with a CRC.
 *
 *	HEADER  version, model, PCI ids, sizes		first, exactly once
 *	PAGES   offset, bytes				any number; the last word on a page wins
 *	END     number of PAGES records, fingerprint	last; makes truncation and damage visible
 *
 * A record is {tag, flags, length, crc32c} and @length bytes of payload. The
 * CRC covers tag, flags, length and payload, but not the bytes of pages: these have
 * the fingerprint, which is the CRC of the whole state. A record without
 * MIGLAB_REC_MANDATORY and with an unknown tag is skipped, one with it refused,
 * and so is one with an unknown flag.
 *
 * Pure: encoding writes into the caller's buffer, decoding is resumable at any
 * byte and its errors are sticky. Neither copies or reads the bytes of pages.
 */
#ifndef MIGLAB_CORE_STREAM_H
#define MIGLAB_CORE_STREAM_H

#include "port.h"

#define MIGLAB_STREAM_VERSION	2
#define MIGLAB_STREAM_MAGIC	0x42414c47494d0001ull	/* on the wire: 01 00 "MIGLAB" */

#define MIGLAB_PAGE		4096u		/* what is tracked */
#define MIGLAB_PAGES_MAX	65536u		/* data bytes in one PAGES record */
#define MIGLAB_FIXED_MAX	256u		/* payload bytes of any other record */

#define MIGLAB_REC_MANDATORY	(1u << 0)

enum miglab_tag {
	MIGLAB_TAG_HEADER = 1,
	MIGLAB_TAG_PAGES = 2,
	MIGLAB_TAG_END = 3,
};

struct miglab_rec {
	__le32 tag;		/* enum miglab_tag */
	__le32 flags;		/* MIGLAB_REC_* */
	__le32 length;		/* payload bytes, at most MIGLAB_PAYLOAD_MAX */
	__le32 crc;
};

struct miglab_header_payload {
	__le64 magic;		/* MIGLAB_STREAM_MAGIC */
	__le32 version;		/* MIGLAB_STREAM_VERSION */
	__le32 model;		/* enum miglab_model */
	__le16 vendor, device, subvendor, subdevice;
	__le64 state_bytes;
};

struct miglab_pages_payload {
	__le64 offset;		/* bytes into the state, multiple of MIGLAB_PAGE */
	/* then the data: a multiple of MIGLAB_PAGE, 1 page to MIGLAB_PAGES_MAX */
};

struct miglab_end_payload {
	__le64 records;		/* PAGES records in this stream */
	__le64 fingerprint;	/* crc32c of the state, initial value and final xor ~0 */
};

enum miglab_model {
	MIGLAB_MODEL_SYNTHETIC = 1,
	MIGLAB_MODEL_BAR = 2,
	MIGLAB_MODEL_EDU = 3,
};

#define MIGLAB_PAYLOAD_MAX	(sizeof(struct miglab_pages_payload) + MIGLAB_PAGES_MAX)
#define MIGLAB_RECORD_MAX	(sizeof(struct miglab_rec) + MIGLAB_PAYLOAD_MAX)
#define MIGLAB_HEADER_BYTES	(sizeof(struct miglab_rec) + sizeof(struct miglab_header_payload))
#define MIGLAB_PAGES_BYTES	(sizeof(struct miglab_rec) + sizeof(struct miglab_pages_payload))
#define MIGLAB_END_BYTES	(sizeof(struct miglab_rec) + sizeof(struct miglab_end_payload))

/* What two devices must have in common for one to resume the other's stream. */
struct miglab_identity {
	u32 model;
	u16 vendor, device, subvendor, subdevice;
	u64 state_bytes;
};

/*
 * Encoding. Each writes one record to @buf, MIGLAB_HEADER_BYTES, MIGLAB_PAGES_BYTES or
 * MIGLAB_END_BYTES, and returns the record's size. Behind what is written for PAGES come
 * @len bytes of pages, which are the caller's affair.
 */
size_t miglab_stream_put_header(u8 *buf, const struct miglab_identity *id);
size_t miglab_stream_put_pages(u8 *buf, u64 offset, u32 len);
size_t miglab_stream_put_end(u8 *buf, u64 records, u32 fingerprint);

struct miglab_decoder {
	struct miglab_identity expect;
	u8 *state;		/* the caller's expect.state_bytes bytes */
	size_t have;		/* bytes of the present record that arrived */
	u64 offset;		/* where the present record's pages go, once it is checked */
	u64 records;		/* PAGES records seen */
	u64 fingerprint;	/* that the state must have, once the end was seen */
	int error;		/* sticky, 0 so far */
	bool header, end;	/* seen */
	u8 head[sizeof(struct miglab_rec) + MIGLAB_FIXED_MAX];	/* the record up to its pages */
};

/* @state: @expect->state_bytes bytes that outlive the decoder, where pages go. */
void miglab_decoder_init(struct miglab_decoder *d, const struct miglab_identity *expect, u8 *state);

/**
 * miglab_decoder_want() - where the next bytes of the stream go
 * @ret_at: the address to copy to
 *
 * Lets the shell copy from its user straight to where the bytes belong: those of pages
 * within the state, once the rest of their record proved good. A copy that fails
 * leaves the decoder as it was. After the end record no more of the state is asked for.
 *
 * Return: how many bytes fit at @ret_at (never 0), or the sticky error.
 */
ssize_t miglab_decoder_want(struct miglab_decoder *d, u8 **ret_at);

/**
 * miglab_decoder_got() - @n bytes were copied to where miglab_decoder_want() said
 *
 * Checks each record as it becomes complete, a PAGES record before its pages.
 *
 * Return: 0, or an error that sticks: -EINVAL (malformed, wrong version, model,
 * ids, sizes, order, CRC, data after the end record).
 */
int miglab_decoder_got(struct miglab_decoder *d, size_t n);

/*
 * 0 when a whole stream was seen, the sticky error, or -EINVAL when it is truncated. Whether
 * the state has the fingerprint is the caller's to find out, see miglab_content_loaded().
 */
int miglab_decoder_finish(const struct miglab_decoder *d);

#endif
