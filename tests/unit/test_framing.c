// SPDX-License-Identifier: GPL-2.0-only
#include "unit.h"

#include <errno.h>

#include "vmm/framing.h"

static void test_headers(void **state)
{
	static const struct {
		uint32_t type, length;
		int result;
	} rows[] = {
		{ 0, 0, -EPROTO },
		{ FRAME_HELLO, 39, -EPROTO },
		{ FRAME_HELLO, 40, 0 },
		{ FRAME_HELLO, FRAME_CONTROL_MAX, 0 },
		{ FRAME_HELLO, FRAME_CONTROL_MAX + 1, -EPROTO },
		{ FRAME_READY, 0, 0 },
		{ FRAME_READY, 1, -EPROTO },
		{ FRAME_DONE, 0, -EPROTO },
		{ FRAME_DONE, 1, 0 },
		{ FRAME_FAILED, FRAME_TEXT_MAX, 0 },
		{ FRAME_FAILED, FRAME_TEXT_MAX + 1, -EPROTO },
		{ FRAME_DATA, 0, -EPROTO },
		{ FRAME_DATA, FRAME_DATA_MAX, 0 },
		{ FRAME_DATA, FRAME_DATA_MAX + 1, -EPROTO },
		{ FRAME_DATA, UINT32_MAX, -EPROTO },
		{ FRAME_END, 7, -EPROTO },
		{ FRAME_END, 8, 0 },
		{ FRAME_ALIVE, 0, 0 },
		{ FRAME_ALIVE, 1, -EPROTO },
		{ FRAME_ACK, 1, -EPROTO },
		{ FRAME_INITIAL, 0, 0 },
		{ FRAME_AGAIN, 0, 0 },
		{ FRAME_PAGES, 8, -EPROTO },
		{ FRAME_PAGES, FRAME_PAGE, -EPROTO },
		{ FRAME_PAGES, 8 + FRAME_PAGE, 0 },
		{ FRAME_PAGES, 9 + FRAME_PAGE, -EPROTO },
		{ FRAME_PAGES, 8 + FRAME_PAGES_MAX * FRAME_PAGE, 0 },
		{ FRAME_PAGES, 8 + (FRAME_PAGES_MAX + 1) * FRAME_PAGE, -EPROTO },
		{ FRAME_ZEROS, 8, -EPROTO },
		{ FRAME_ZEROS, 16, 0 },
		{ FRAME_SUMS, 8, -EPROTO },
		{ FRAME_SUMS, 12, 0 },
		{ FRAME_SUMS, 14, -EPROTO },
		{ FRAME_SUMS, 8 + 4 * FRAME_SUMS_MAX, 0 },
		{ FRAME_SUMS, 12 + 4 * FRAME_SUMS_MAX, -EPROTO },
		{ FRAME_SUMS + 1, 0, -EPROTO },
		{ UINT32_MAX, 0, -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t buf[FRAME_HEADER_BYTES];
		enum frame_type type = 0;
		uint32_t length = 0;

		frame_put_header(buf, rows[i].type, rows[i].length);
		assert_int_equal(frame_header(buf, &type, &length), rows[i].result);
		assert_int_equal(type, rows[i].result ? 0 : rows[i].type);
		assert_int_equal(length, rows[i].result ? 0 : rows[i].length);
	}
}

/* The wire does not depend on the machine. */
static void test_wire(void **state)
{
	static const uint8_t header[] = { FRAME_END, 0, 0, 0, 8, 0, 0, 0 };
	static const uint8_t number[] = { 8, 7, 6, 5, 4, 3, 2, 1 };
	uint8_t buf[FRAME_HEADER_BYTES];

	(void)state;
	frame_put_header(buf, FRAME_END, 8);
	assert_memory_equal(buf, header, sizeof(header));
	frame_put_u64(buf, 0x0102030405060708);
	assert_memory_equal(buf, number, sizeof(number));
	assert_true(frame_u64(number) == 0x0102030405060708);
}

/* Feeds @len bytes in steps of at most @step; how many frames became complete, or -EPROTO. */
static int read_frames(struct frame_reader *r, const uint8_t *bytes, size_t len, size_t step)
{
	int frames = 0;

	while (len) {
		uint8_t *at;
		size_t n = frame_want(r, &at);
		int ret;

		assert_true(n > 0);
		n = n < step ? n : step;
		n = n < len ? n : len;
		memcpy(at, bytes, n);
		ret = frame_got(r, n);
		if (ret < 0)
			return ret;
		frames += ret;
		bytes += n;
		len -= n;
	}
	return frames;
}

static void test_any_segmentation(void **state)
{
	uint8_t bytes[3 * FRAME_HEADER_BYTES + 1 + 5], *p = bytes;

	(void)state;
	frame_put_header(p, FRAME_READY, 0);
	p += FRAME_HEADER_BYTES;
	frame_put_header(p, FRAME_DONE, 1);
	p += FRAME_HEADER_BYTES;
	*p++ = 1;
	frame_put_header(p, FRAME_FAILED, 5);
	memcpy(p + FRAME_HEADER_BYTES, "it is", 5);
	for (size_t step = 1; step <= sizeof(bytes); step++) {
		struct frame_reader r = { 0 };

		assert_int_equal(read_frames(&r, bytes, sizeof(bytes), step), 3);
		assert_int_equal(r.type, FRAME_FAILED);
		assert_int_equal(r.length, 5);
		assert_memory_equal(frame_payload(&r), "it is", 5);
	}
}

/* A control connection carries no data, and an error sticks. */
static void test_bad_frame_sticks(void **state)
{
	struct frame_reader r = { 0 };
	uint8_t bytes[FRAME_HEADER_BYTES];

	(void)state;
	frame_put_header(bytes, FRAME_DATA, 1);
	assert_int_equal(read_frames(&r, bytes, sizeof(bytes), sizeof(bytes)), -EPROTO);
	frame_put_header(bytes, FRAME_READY, 0);
	assert_int_equal(frame_got(&r, 1), -EPROTO);
	r = (struct frame_reader){ 0 };
	frame_put_header(bytes, FRAME_PAGES, 8 + FRAME_PAGE);
	assert_int_equal(read_frames(&r, bytes, sizeof(bytes), sizeof(bytes)), -EPROTO);
}

static const struct hello control = {
	.kind = HELLO_CONTROL, .session = 0x1234, .count = 2, .memory = 4096,
	.id = { "vf0", "net1" },
};

static void test_hello(void **state)
{
	const struct hello data = { .kind = HELLO_DATA, .session = 7, .index = 3 };
	uint8_t buf[HELLO_BYTES_MAX];
	struct hello back;
	size_t len = hello_encode(buf, &control);

	(void)state;
	assert_int_equal(hello_decode(buf + FRAME_HEADER_BYTES, len - FRAME_HEADER_BYTES, &back),
			 0);
	assert_memory_equal(&back, &control, sizeof(back));
	len = hello_encode(buf, &data);
	assert_int_equal(hello_decode(buf + FRAME_HEADER_BYTES, len - FRAME_HEADER_BYTES, &back),
			 0);
	assert_memory_equal(&back, &data, sizeof(back));
}

static void test_largest_hello(void **state)
{
	struct hello hello = { .kind = HELLO_CONTROL, .count = HELLO_DEVICES_MAX }, back;
	uint8_t buf[HELLO_BYTES_MAX];
	size_t len;

	(void)state;
	for (unsigned int i = 0; i < HELLO_DEVICES_MAX; i++)
		memset(hello.id[i], 'a' + i % 26, HELLO_ID_MAX);
	len = hello_encode(buf, &hello);
	assert_int_equal(len, HELLO_BYTES_MAX);
	assert_int_equal(hello_decode(buf + FRAME_HEADER_BYTES, len - FRAME_HEADER_BYTES, &back),
			 0);
	assert_memory_equal(&back, &hello, sizeof(back));
}

static void test_truncated_hello(void **state)
{
	uint8_t buf[HELLO_BYTES_MAX];
	size_t len = hello_encode(buf, &control) - FRAME_HEADER_BYTES;
	struct hello back;

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *copy = malloc(cut + 1);	/* exact, for the address sanitizer */

		memcpy(copy + 1, buf + FRAME_HEADER_BYTES, cut);
		assert_int_equal(hello_decode(copy + 1, cut, &back), -EPROTO);
		free(copy);
	}
	assert_int_equal(hello_decode(buf + FRAME_HEADER_BYTES, len + 1, &back), -EPROTO);
}

static void test_bad_hello(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		int result;
	} rows[] = {
		{ 0, 'X', -EPROTO },			/* magic */
		{ 8, 1, -EPROTONOSUPPORT },		/* version */
		{ 12, 2, -EPROTO },			/* kind */
		{ 12, HELLO_DATA, -EPROTO },		/* of data, and yet with devices */
		{ 28, 0, -EPROTO },			/* no devices */
		{ 28, 3, -EPROTO },			/* more than there are */
		{ 28, HELLO_DEVICES_MAX + 1, -EPROTO },
		{ 31, 0x80, -EPROTO },
		{ 40, 0, -EPROTO },			/* empty id */
		{ 40, 255, -EPROTO },			/* longer than the frame */
		{ 41, 0, -EPROTO },			/* NUL in an id */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t buf[HELLO_BYTES_MAX];
		size_t len = hello_encode(buf, &control) - FRAME_HEADER_BYTES;
		struct hello back;

		buf[FRAME_HEADER_BYTES + rows[i].at] = rows[i].value;
		assert_int_equal(hello_decode(buf + FRAME_HEADER_BYTES, len, &back),
				 rows[i].result);
	}
}

/* One of data has neither devices nor a memory, and a third kind is none. */
static void test_bad_hello_of_data(void **state)
{
	static const struct hello hellos[] = {
		{ .kind = HELLO_DATA, .memory = 4096 },
		{ .kind = HELLO_DATA + 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(hellos) / sizeof(hellos[0]); i++) {
		uint8_t buf[HELLO_BYTES_MAX];
		size_t len = hello_encode(buf, &hellos[i]) - FRAME_HEADER_BYTES;
		struct hello back;

		assert_int_equal(hello_decode(buf + FRAME_HEADER_BYTES, len, &back), -EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_any_segmentation),
		cmocka_unit_test(test_bad_frame_sticks),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_largest_hello),
		cmocka_unit_test(test_truncated_hello),
		cmocka_unit_test(test_bad_hello),
		cmocka_unit_test(test_bad_hello_of_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
