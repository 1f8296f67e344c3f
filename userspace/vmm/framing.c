// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/framing.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#define HELLO_MAGIC	0x4d4d5642414c474dull	/* on the wire: "MGLABVMM" */
#define HELLO_VERSION	2u

/*
 * Magic 8, version 4, kind 4, session 8, index 4, count 4, memory 8; then {length 1, id} of
 * each device.
 */
#define HELLO_FIXED	40

/* From @min to @max bytes, in steps of @step from @min on; 0: any number. */
static const struct { uint32_t min, max, step; } lengths[] = {
	[FRAME_HELLO] = { HELLO_FIXED, FRAME_CONTROL_MAX, 0 },
	[FRAME_READY] = { 0, 0, 0 },
	[FRAME_DONE] = { 1, 1, 0 },
	[FRAME_LOADED] = { 0, 0, 0 },
	[FRAME_FAILED] = { 0, FRAME_TEXT_MAX, 0 },
	[FRAME_DATA] = { 1, FRAME_DATA_MAX, 0 },
	[FRAME_END] = { 8, 8, 0 },
	[FRAME_ALIVE] = { 0, 0, 0 },
	[FRAME_ACK] = { 0, 0, 0 },
	[FRAME_INITIAL] = { 0, 0, 0 },
	[FRAME_AGAIN] = { 0, 0, 0 },
	[FRAME_PAGES] = { 8 + FRAME_PAGE, 8 + FRAME_PAGES_MAX * FRAME_PAGE, FRAME_PAGE },
	[FRAME_ZEROS] = { 16, 16, 0 },
	[FRAME_SUMS] = { 8 + 4, 8 + 4 * FRAME_SUMS_MAX, 4 },
};

static_assert(8 + FRAME_PAGES_MAX * FRAME_PAGE <= FRAME_DATA_MAX, "one buffer serves both");
static_assert(8 + 4 * FRAME_SUMS_MAX <= FRAME_CONTROL_MAX, "see struct frame_reader");

void frame_put_u32(uint8_t *buf, uint32_t value)
{
	value = htole32(value);
	memcpy(buf, &value, sizeof(value));
}

uint32_t frame_u32(const uint8_t *buf)
{
	uint32_t value;

	memcpy(&value, buf, sizeof(value));
	return le32toh(value);
}

void frame_put_u64(uint8_t *buf, uint64_t value)
{
	value = htole64(value);
	memcpy(buf, &value, sizeof(value));
}

uint64_t frame_u64(const uint8_t *buf)
{
	uint64_t value;

	memcpy(&value, buf, sizeof(value));
	return le64toh(value);
}

void frame_put_header(uint8_t *buf, enum frame_type type, uint32_t length)
{
	frame_put_u32(buf, type);
	frame_put_u32(buf + 4, length);
}

int frame_header(const uint8_t *buf, enum frame_type *ret_type, uint32_t *ret_length)
{
	uint32_t type = frame_u32(buf), length = frame_u32(buf + 4);

	if (type < FRAME_HELLO || type >= sizeof(lengths) / sizeof(lengths[0]) ||
	    length < lengths[type].min || length > lengths[type].max ||
	    (lengths[type].step && (length - lengths[type].min) % lengths[type].step))
		return -EPROTO;
	*ret_type = type;
	*ret_length = length;
	return 0;
}

static bool complete(const struct frame_reader *r)
{
	return r->have >= FRAME_HEADER_BYTES && r->have == FRAME_HEADER_BYTES + r->length;
}

size_t frame_want(struct frame_reader *r, uint8_t **ret_at)
{
	if (complete(r))
		r->have = 0;
	*ret_at = r->buf + r->have;
	if (r->have < FRAME_HEADER_BYTES)
		return FRAME_HEADER_BYTES - r->have;
	return FRAME_HEADER_BYTES + r->length - r->have;
}

int frame_got(struct frame_reader *r, size_t n)
{
	if (r->error)
		return r->error;
	r->have += n;
	if (r->have == FRAME_HEADER_BYTES) {
		r->error = frame_header(r->buf, &r->type, &r->length);
		if (!r->error && (r->type == FRAME_DATA || r->type == FRAME_PAGES))
			r->error = -EPROTO;
		if (r->error)
			return r->error;
	}
	return complete(r);
}

size_t hello_encode(uint8_t *buf, const struct hello *hello)
{
	uint8_t *p = buf + FRAME_HEADER_BYTES;

	frame_put_u64(p, HELLO_MAGIC);
	frame_put_u32(p + 8, HELLO_VERSION);
	frame_put_u32(p + 12, hello->kind);
	frame_put_u64(p + 16, hello->session);
	frame_put_u32(p + 24, hello->index);
	frame_put_u32(p + 28, hello->count);
	frame_put_u64(p + 32, hello->memory);
	p += HELLO_FIXED;
	for (uint32_t i = 0; i < hello->count; i++) {
		size_t len = strlen(hello->id[i]);

		*p++ = len;
		memcpy(p, hello->id[i], len);
		p += len;
	}
	frame_put_header(buf, FRAME_HELLO, p - buf - FRAME_HEADER_BYTES);
	return p - buf;
}

static int decode_ids(const uint8_t *p, const uint8_t *end, struct hello *hello)
{
	for (uint32_t i = 0; i < hello->count; i++) {
		size_t len = p < end ? *p++ : 0;

		if (!len || len > HELLO_ID_MAX || len > (size_t)(end - p) || memchr(p, 0, len))
			return -EPROTO;
		memcpy(hello->id[i], p, len);
		p += len;
	}
	return p == end ? 0 : -EPROTO;
}

int hello_decode(const uint8_t *payload, size_t length, struct hello *ret_hello)
{
	struct hello hello = { 0 };
	int ret;

	if (length < HELLO_FIXED || frame_u64(payload) != HELLO_MAGIC)
		return -EPROTO;
	if (frame_u32(payload + 8) != HELLO_VERSION)
		return -EPROTONOSUPPORT;
	hello.kind = frame_u32(payload + 12);
	hello.session = frame_u64(payload + 16);
	hello.index = frame_u32(payload + 24);
	hello.count = frame_u32(payload + 28);
	hello.memory = frame_u64(payload + 32);
	if (hello.kind > HELLO_DATA || hello.count > HELLO_DEVICES_MAX ||
	    (hello.kind == HELLO_CONTROL) != (hello.count > 0) ||
	    (hello.kind == HELLO_DATA && hello.memory))
		return -EPROTO;
	ret = decode_ids(payload + HELLO_FIXED, payload + length, &hello);
	if (ret)
		return ret;
	*ret_hello = hello;
	return 0;
}
