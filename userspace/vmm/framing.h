/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wire format between two machines, without the wire: frames of type,
 * length and payload, little-endian.
 *
 * Every connection begins with a HELLO. The control connection then carries
 * READY, ACK, DONE, LOADED and FAILED, and ALIVE all the time, since a device of the
 * peer may take as long as it likes where its control thread may not; a device's
 * own connection carries DATA, INITIAL and AGAIN and is ended by END, so that a
 * connection that breaks is never taken for the end. That of the machine's memory, which
 * is the last in the list of devices, as HELLO_MEMORY, carries PAGES, ZEROS and AGAIN, at
 * last SUMS of all pages, and END.
 */
#ifndef MIGLAB_VMM_FRAMING_H
#define MIGLAB_VMM_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FRAME_HEADER_BYTES	8
#define FRAME_DATA_MAX		(128u << 10)	/* payload of DATA */
#define FRAME_CONTROL_MAX	8192u		/* payload of everything else */
#define FRAME_TEXT_MAX		511u		/* payload of FAILED */

#define HELLO_DEVICES_MAX	64
#define HELLO_ID_MAX		63
#define HELLO_MEMORY		"#ram"	/* which no device can be called */

enum frame_type {
	FRAME_HELLO = 1,	/* struct hello, encoded */
	FRAME_READY,		/* nothing */
	FRAME_DONE,		/* 1 byte: 1 when the source was running */
	FRAME_LOADED,		/* nothing */
	FRAME_FAILED,		/* why, as text */
	FRAME_DATA,		/* bytes of the device's stream, at least 1 */
	FRAME_END,		/* 8 bytes: how many bytes DATA had, or pages came, altogether */
	FRAME_ALIVE,		/* nothing */
	FRAME_ACK,		/* nothing */
	FRAME_INITIAL,		/* nothing: DATA had all initial bytes */
	FRAME_AGAIN,		/* nothing: what DATA had so far is void */
	FRAME_PAGES,		/* 8 bytes: address of the first; then 1 to FRAME_PAGES_MAX pages */
	FRAME_ZEROS,		/* 8 bytes each: address and size of pages that are all zero */
	FRAME_SUMS,		/* 8 bytes: address; then 4 bytes for each page: its CRC32C */
};

#define FRAME_PAGE		4096u
#define FRAME_PAGES_MAX		31u
#define FRAME_SUMS_MAX		1024u

/* Writes FRAME_HEADER_BYTES. */
void frame_put_header(uint8_t *buf, enum frame_type type, uint32_t length);

/*
 * Reads FRAME_HEADER_BYTES. -EPROTO for a type that does not exist or a length
 * that the type cannot have.
 */
int frame_header(const uint8_t *buf, enum frame_type *ret_type, uint32_t *ret_length);

/* Of payloads. */
void frame_put_u32(uint8_t *buf, uint32_t value);
uint32_t frame_u32(const uint8_t *buf);
void frame_put_u64(uint8_t *buf, uint64_t value);
uint64_t frame_u64(const uint8_t *buf);

/* A frame other than DATA and PAGES in the making; all zero at first. Its errors stick. */
struct frame_reader {
	size_t have;
	int error;
	enum frame_type type;	/* these two once it is complete */
	uint32_t length;
	uint8_t buf[FRAME_HEADER_BYTES + FRAME_CONTROL_MAX];
};

/*
 * Where the next bytes of the frame go, and how many at most: never any of the
 * frame that follows. Starts a new frame after a complete one.
 */
size_t frame_want(struct frame_reader *r, uint8_t **ret_at);

/* @n bytes are there now: 1 when the frame is complete, 0 when not yet, -EPROTO. */
int frame_got(struct frame_reader *r, size_t n);

static inline const uint8_t *frame_payload(const struct frame_reader *r)
{
	return r->buf + FRAME_HEADER_BYTES;
}

enum hello_kind { HELLO_CONTROL, HELLO_DATA };

struct hello {
	enum hello_kind kind;
	uint64_t session;	/* the same for all connections of one migration */
	uint32_t index;		/* of DATA: which of the devices that CONTROL lists */
	uint32_t count;		/* of CONTROL: devices, 1 to HELLO_DEVICES_MAX */
	uint64_t memory;	/* of CONTROL: its bytes; 0: there is none */
	char id[HELLO_DEVICES_MAX][HELLO_ID_MAX + 1];
};

#define HELLO_BYTES_MAX	(FRAME_HEADER_BYTES + 40 + HELLO_DEVICES_MAX * (HELLO_ID_MAX + 1))

/* The whole frame, header included; @buf has HELLO_BYTES_MAX. Returns its size. */
size_t hello_encode(uint8_t *buf, const struct hello *hello);

/* -EPROTO for a payload that is none, -EPROTONOSUPPORT for another version's. */
int hello_decode(const uint8_t *payload, size_t length, struct hello *ret_hello);

#endif
