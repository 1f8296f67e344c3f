// SPDX-License-Identifier: GPL-2.0-only
/*
 * Passes over a memory, its frames and its checksums: what one side puts on the wire
 * the other side takes, and nothing else.
 */
#include "unit.h"

#include <errno.h>

#include "vmm/framing.h"
#include "vmm/ram.h"

#define PAGES	130u	/* two words and a bit */
#define SIZE	(PAGES * FRAME_PAGE)
#define WORDS	3

static uint8_t buf[FRAME_HEADER_BYTES + FRAME_DATA_MAX];

struct side {
	struct ram ram;
	uint8_t *bytes;
};

static void open_side(struct side *s)
{
	s->bytes = calloc(PAGES, FRAME_PAGE);
	assert_non_null(s->bytes);
	assert_int_equal(ram_init(&s->ram, s->bytes, SIZE), 0);
	assert_int_equal(ram_words(&s->ram), WORDS);
	ram_begin(&s->ram);
}

static void close_side(struct side *s)
{
	ram_fini(&s->ram);
	free(s->bytes);
}

/* Hands the frame in buf to the destination. */
static int take(struct side *d, struct error *err)
{
	const uint8_t *payload = buf + FRAME_HEADER_BYTES;
	enum frame_type type;
	uint32_t length;

	assert_int_equal(frame_header(buf, &type, &length), 0);
	if (type == FRAME_PAGES)
		return ram_take_pages(&d->ram, payload, length, err);
	if (type == FRAME_ZEROS)
		return ram_take_zeros(&d->ram, payload, err);
	assert_int_equal(type, FRAME_SUMS);
	return ram_take_sums(&d->ram, payload, length, err);
}

/* How many frames the pass had. */
static unsigned int pass(struct side *s, struct side *d)
{
	unsigned int frames = 0;
	struct error err;
	size_t len;

	for (; (len = ram_put_pages(&s->ram, buf)); frames++) {
		assert_true(len <= sizeof(buf));
		assert_int_equal(take(d, &err), 0);
	}
	assert_int_equal(s->ram.stats.remaining, 0);
	return frames;
}

static int compare(struct side *s, struct side *d, struct error *err)
{
	int ret = 0;

	for (uint64_t page = 0; !ret && ram_put_sums(&s->ram, page, buf); page += FRAME_SUMS_MAX)
		ret = take(d, err);
	return ret ? ret : ram_take_end(&d->ram, err);
}

static void sync_page(struct side *s, unsigned int page)
{
	uint64_t written[WORDS] = { 0 };

	written[page / 64] = 1ull << page % 64;
	ram_sync(&s->ram, written);
}

static void test_a_migration(void **state)
{
	struct side s, d;
	struct error err;

	(void)state;
	open_side(&s);
	open_side(&d);
	assert_int_equal(s.ram.stats.remaining, SIZE);
	memset(s.bytes + 3 * FRAME_PAGE, 1, 40 * FRAME_PAGE);
	s.bytes[SIZE - 1] = 9;
	/* What is there already is overwritten by zeros, too. */
	memset(d.bytes, 7, SIZE);
	/* zeros, 31 pages, 9 pages, zeros, the last page */
	assert_int_equal(pass(&s, &d), 5);
	assert_memory_equal(s.bytes, d.bytes, SIZE);
	assert_int_equal(s.ram.stats.normal, 41);
	assert_int_equal(s.ram.stats.duplicate, PAGES - 41);
	assert_int_equal(d.ram.stats.transferred, s.ram.stats.transferred);

	s.bytes[64 * FRAME_PAGE] = 5;
	sync_page(&s, 64);
	assert_int_equal(s.ram.stats.remaining, FRAME_PAGE);
	assert_int_equal(pass(&s, &d), 1);
	assert_int_equal(compare(&s, &d, &err), 0);
	assert_true(s.ram.stats.summed && d.ram.stats.summed);
	assert_int_equal(s.ram.stats.checksum, d.ram.stats.checksum);
	assert_int_equal(s.ram.stats.syncs, 1);
	close_side(&s);
	close_side(&d);
}

/* A stream that begins anew begins with its checksums, too. */
static void test_a_second_stream(void **state)
{
	struct side s, d;
	struct error err;

	(void)state;
	open_side(&s);
	open_side(&d);
	s.bytes[5] = 1;
	for (int i = 0; i < 2; i++) {
		pass(&s, &d);
		assert_int_equal(compare(&s, &d, &err), 0);
		ram_begin(&s.ram);
		ram_begin(&d.ram);
		assert_false(d.ram.stats.summed);
	}
	close_side(&s);
	close_side(&d);
}

/* The sum is of all pages, in order. */
static void test_checksum(void **state)
{
	struct side a, b;
	struct error err;

	(void)state;
	open_side(&a);
	open_side(&b);
	a.bytes[0] = b.bytes[FRAME_PAGE] = 1;
	ram_put_sums(&a.ram, PAGES, buf);
	assert_int_equal(compare(&a, &a, &err), 0);
	assert_int_equal(compare(&b, &b, &err), 0);
	assert_int_not_equal(a.ram.stats.checksum, b.ram.stats.checksum);
	close_side(&a);
	close_side(&b);
}

/* A page that nobody said was written: the reason for all these sums. */
static void test_lost_page(void **state)
{
	struct side s, d;
	struct error err;

	(void)state;
	open_side(&s);
	open_side(&d);
	pass(&s, &d);
	s.bytes[129 * FRAME_PAGE + 17] = 1;
	sync_page(&s, 128);
	pass(&s, &d);
	assert_int_equal(compare(&s, &d, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "page at address 0x81000"));
	assert_false(d.ram.stats.summed);
	close_side(&s);
	close_side(&d);
}

static void test_passes(void **state)
{
	static const uint64_t all[WORDS] = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
	struct side s, d;

	(void)state;
	open_side(&s);
	open_side(&d);
	assert_false(ram_is_hopeless(&s.ram));
	for (unsigned int i = 0; i < RAM_FULL_PASSES_MAX; i++) {
		assert_false(ram_is_hopeless(&s.ram));
		pass(&s, &d);
		ram_sync(&s.ram, all);
		/* Bits behind the last page count for nothing. */
		assert_int_equal(s.ram.stats.remaining, SIZE);
	}
	assert_true(ram_is_hopeless(&s.ram));
	/* In a row. */
	pass(&s, &d);
	sync_page(&s, 1);
	assert_false(ram_is_hopeless(&s.ram));
	/* A page stays to be sent until it was. */
	sync_page(&s, 2);
	assert_int_equal(s.ram.stats.remaining, 2 * FRAME_PAGE);
	assert_int_not_equal(s.ram.stats.transferred, 0);
	ram_begin(&s.ram);
	assert_int_equal(s.ram.stats.remaining, SIZE);
	assert_int_equal(s.ram.stats.transferred, 0);
	close_side(&s);
	close_side(&d);
}

static void test_bad_frames(void **state)
{
	static const struct { uint64_t at, length; bool zeros; } rows[] = {
		{ 1, FRAME_PAGE, false },
		{ SIZE, FRAME_PAGE, false },
		{ SIZE - FRAME_PAGE, 2 * FRAME_PAGE, false },
		{ UINT64_MAX - FRAME_PAGE + 1, FRAME_PAGE, false },
		{ 0, 0, true },
		{ 0, 1, true },
		{ FRAME_PAGE, SIZE, true },
		{ FRAME_PAGE, UINT64_MAX - FRAME_PAGE + 1, true },
		{ 7, FRAME_PAGE, true },
	};
	uint8_t payload[8 + 2 * FRAME_PAGE] = { 0 };
	struct error err;
	struct side d;

	(void)state;
	open_side(&d);
	memset(d.bytes, 1, SIZE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		frame_put_u64(payload, rows[i].at);
		frame_put_u64(payload + 8, rows[i].length);
		assert_int_equal(rows[i].zeros ? ram_take_zeros(&d.ram, payload, &err) :
				 ram_take_pages(&d.ram, payload, 8 + rows[i].length, &err),
				 -EPROTO);
		assert_non_null(strstr(err.text, "no pages of it"));
	}
	assert_int_equal(d.ram.stats.normal + d.ram.stats.duplicate, 0);
	/* The twin that is accepted. */
	frame_put_u64(payload, SIZE - 2 * FRAME_PAGE);
	assert_int_equal(ram_take_pages(&d.ram, payload, sizeof(payload), &err), 0);
	assert_int_equal(d.bytes[SIZE - 2 * FRAME_PAGE - 1], 1);
	assert_int_equal(d.bytes[SIZE - 1], 0);
	close_side(&d);
}

static void test_bad_sums(void **state)
{
	uint8_t payload[8 + 4 * (PAGES + 1)] = { 0 };
	struct side s, d;
	struct error err;

	(void)state;
	open_side(&s);
	open_side(&d);
	assert_int_equal(ram_take_end(&d.ram, &err), -EPROTO);
	assert_non_null(strstr(err.text, "0 of 130"));
	frame_put_u64(payload, FRAME_PAGE);
	assert_int_equal(ram_take_sums(&d.ram, payload, 12, &err), -EPROTO);
	frame_put_u64(payload, 0);
	assert_int_equal(ram_take_sums(&d.ram, payload, sizeof(payload), &err), -EPROTO);
	assert_int_equal(compare(&s, &d, &err), 0);
	/* What was compared stays as it is. */
	frame_put_u64(payload + 8, FRAME_PAGE);
	assert_int_equal(ram_take_zeros(&d.ram, payload, &err), -EPROTO);
	assert_non_null(strstr(err.text, "behind their checksums"));
	/* All over again would be behind the last page. */
	assert_int_not_equal(ram_put_sums(&s.ram, 0, buf), 0);
	assert_int_equal(take(&d, &err), -EPROTO);
	close_side(&s);
	close_side(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_migration),
		cmocka_unit_test(test_a_second_stream),
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_lost_page),
		cmocka_unit_test(test_passes),
		cmocka_unit_test(test_bad_frames),
		cmocka_unit_test(test_bad_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
