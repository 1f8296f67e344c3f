// SPDX-License-Identifier: GPL-2.0-only
/*
 * The frames between two machines.
 *
 * - Any segmentation gives the same frames and the same error, which sticks.
 * - No byte is asked for beyond the reader's buffer or of the next frame.
 * - A header and a HELLO that are accepted encode to the same bytes.
 * - A HELLO that is refused leaves the output alone.
 * - A memory takes what frames bring for it, and nothing that is no page of it.
 */
#include "fuzz.h"

#include <errno.h>

#include "vmm/framing.h"
#include "vmm/ram.h"

#define FRAMES_MAX	64	/* more are not compared */

struct outcome {
	size_t count;
	struct {
		enum frame_type type;
		uint32_t length, sum;
	} frames[FRAMES_MAX];
	int error;
};

/* What a frame_reader has no room for. */
static bool is_bulk(enum frame_type type)
{
	return type == FRAME_DATA || type == FRAME_PAGES;
}

static void check_header(const uint8_t *bytes)
{
	uint8_t again[FRAME_HEADER_BYTES];
	enum frame_type type = 99;
	uint32_t length = 99;
	int ret = frame_header(bytes, &type, &length);

	CHECK(!ret || (ret == -EPROTO && type == 99 && length == 99));
	if (ret)
		return;
	CHECK(length <= (is_bulk(type) ? FRAME_DATA_MAX : FRAME_CONTROL_MAX));
	CHECK(type != FRAME_PAGES || (length % FRAME_PAGE == 8 && length > FRAME_PAGE));
	CHECK(type != FRAME_SUMS || (length % 4 == 0 && length > 8));
	frame_put_header(again, type, length);
	CHECK(!memcmp(again, bytes, sizeof(again)));
}

static void check_hello(const uint8_t *payload, size_t length)
{
	static struct hello hello, untouched;
	static uint8_t again[HELLO_BYTES_MAX];
	int ret;

	memset(&untouched, 0x5a, sizeof(untouched));
	hello = untouched;
	ret = hello_decode(payload, length, &hello);
	if (ret) {
		CHECK(ret == -EPROTO || ret == -EPROTONOSUPPORT);
		CHECK(!memcmp(&hello, &untouched, sizeof(hello)));
		return;
	}
	CHECK(hello.count <= HELLO_DEVICES_MAX && !hello.count == (hello.kind == HELLO_DATA));
	CHECK(hello_encode(again, &hello) == FRAME_HEADER_BYTES + length);
	CHECK(!memcmp(again + FRAME_HEADER_BYTES, payload, length));
}

/* The payload of a frame, to a memory of four pages in an allocation of its own. */
static void check_memory(enum frame_type type, const uint8_t *payload, uint32_t length)
{
	uint8_t *bytes = calloc(4, FRAME_PAGE);
	struct error err;
	struct ram ram;
	int ret = 0;

	CHECK(bytes && !ram_init(&ram, bytes, 4 * FRAME_PAGE));
	ram_begin(&ram);
	if (type == FRAME_ZEROS)
		ret = ram_take_zeros(&ram, payload, &err);
	else if (type == FRAME_SUMS)
		ret = ram_take_sums(&ram, payload, length, &err);
	else if (type == FRAME_PAGES)
		ret = ram_take_pages(&ram, payload, length, &err);
	CHECK(ret == 0 || ret == -EPROTO || (ret == -EBADMSG && type == FRAME_SUMS));
	CHECK(ram.summed <= ram.pages && (!ret || !ram.stats.normal + !ram.stats.duplicate == 2));
	ram_fini(&ram);
	free(bytes);
}

static void take_frame(const struct frame_reader *r, struct outcome *o)
{
	const uint8_t *payload = frame_payload(r);
	uint32_t sum = 0;

	check_header(r->buf);
	CHECK(!is_bulk(r->type) && r->length <= FRAME_CONTROL_MAX);
	if (r->type == FRAME_HELLO)
		check_hello(payload, r->length);
	check_memory(r->type, payload, r->length);
	for (uint32_t i = 0; i < r->length; i++)
		sum = sum * 31 + payload[i];
	if (o->count < FRAMES_MAX) {
		o->frames[o->count].type = r->type;
		o->frames[o->count].length = r->length;
		o->frames[o->count].sum = sum;
	}
	o->count++;
}

static void read_frames(const uint8_t *bytes, size_t len, struct cuts cuts, struct outcome *o)
{
	static struct frame_reader r;

	r.have = 0;
	r.error = 0;
	memset(o, 0, sizeof(*o));
	while (len) {
		uint8_t *at;
		size_t want = frame_want(&r, &at), n;
		int ret;

		CHECK(want && at >= r.buf && want <= (size_t)(r.buf + sizeof(r.buf) - at));
		n = next_cut(&cuts, len < want ? len : want);
		memcpy(at, bytes, n);
		ret = frame_got(&r, n);
		CHECK(ret == 0 || ret == 1 || ret == -EPROTO);
		if (ret < 0) {
			o->error = ret;
			check_header(r.buf);
			CHECK(frame_got(&r, 0) == ret && frame_got(&r, 1) == ret);
			return;
		}
		if (ret)
			take_frame(&r, o);
		bytes += n;
		len -= n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome whole, cut;

	if (!size)
		return 0;
	/* Not only behind a good header. */
	check_hello(data + 1, size - 1);
	if (size > 9 + FRAME_PAGE && (size - 9) % FRAME_PAGE == 0)
		check_memory(FRAME_PAGES, data + 1, size - 1);
	read_frames(data + 1, size - 1, cuts_of(0), &whole);
	read_frames(data + 1, size - 1, cuts_of(data[0]), &cut);
	CHECK(!memcmp(&whole, &cut, sizeof(whole)));
	return 0;
}
