// SPDX-License-Identifier: GPL-2.0-only
#include "unit.h"

#include "core/content.h"
#include "core/sums.h"

#define PAGES	70u	/* more than a word of bits */
#define BYTES	(PAGES * MIGLAB_PAGE)

static u8 state[BYTES];
static u64 memory[BYTES / MIGLAB_PAGE];
static struct miglab_sums sums;

static void begin(unsigned int seed)
{
	assert_true(miglab_sums_bytes_needed(BYTES) <= sizeof(memory));
	for (size_t i = 0; i < BYTES; i++)
		state[i] = (u8)((seed = seed * 1103515245u + 12345u) >> 16);
	memset(memory, 0x55, sizeof(memory));
	miglab_sums_init(&sums, BYTES, memory);
}

static void assert_right(void)
{
	const struct miglab_content content = { .id.state_bytes = BYTES, .bytes = state };

	assert_int_equal(miglab_sums_fingerprint(&sums, state),
			 miglab_content_fingerprint(&content));
}

static void add(u64 offset, size_t len)
{
	miglab_sums_add(&sums, offset, state + offset, len);
}

/* Are those of all pages known, so that none is read? */
static bool all_known(void)
{
	static const u8 other[BYTES];

	return miglab_sums_fingerprint(&sums, state) == miglab_sums_fingerprint(&sums, other);
}

static void test_of_nothing(void **unused)
{
	(void)unused;
	begin(1);
	assert_right();
	assert_false(all_known());
}

static void test_pieces(void **unused)
{
	static const size_t sizes[] = { 1, 7, 512, 4095, 4096, 4097, 65536, BYTES };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		begin((unsigned int)i);
		for (size_t at = 0, n; at < BYTES; at += n) {
			n = sizes[i] < BYTES - at ? sizes[i] : BYTES - at;
			add(at, n);
		}
		assert_true(all_known());
		assert_right();
	}
}

/* In any order, and what comes again counts. */
static void test_pages_come_again(void **unused)
{
	(void)unused;
	begin(3);
	for (u64 page = PAGES; page--;)
		add(page * MIGLAB_PAGE, MIGLAB_PAGE);
	state[5 * MIGLAB_PAGE] ^= 1;
	state[69 * MIGLAB_PAGE + 4095] ^= 1;
	add(69 * MIGLAB_PAGE, MIGLAB_PAGE);
	add(5 * MIGLAB_PAGE, MIGLAB_PAGE);
	assert_true(all_known());
	assert_right();
}

/* Half a page, a page without its beginning, a page with a gap: they are read. */
static void test_parts(void **unused)
{
	(void)unused;
	begin(4);
	add(0, BYTES);
	state[0] ^= 1;
	add(0, 100);
	assert_false(all_known());
	assert_right();
	state[2 * MIGLAB_PAGE + 50] ^= 1;
	add(2 * MIGLAB_PAGE + 40, MIGLAB_PAGE - 40);
	assert_right();
	state[3 * MIGLAB_PAGE + 60] ^= 1;
	add(3 * MIGLAB_PAGE, 50);
	add(3 * MIGLAB_PAGE + 60, MIGLAB_PAGE - 60);
	assert_right();
	add(3 * MIGLAB_PAGE, 50);
	add(3 * MIGLAB_PAGE + 50, 0);
	add(3 * MIGLAB_PAGE + 50, MIGLAB_PAGE - 50);
	assert_right();
}

/* A sum that is wrong shows: the above would not be worth anything else. */
static void test_wrong_sums_show(void **unused)
{
	(void)unused;
	begin(5);
	add(0, BYTES);
	for (u64 page = 0; page < PAGES; page += 23) {
		const struct miglab_content content = { .id.state_bytes = BYTES, .bytes = state };

		sums.crc[page] ^= 0x10;
		assert_int_not_equal(miglab_sums_fingerprint(&sums, state),
				     miglab_content_fingerprint(&content));
		sums.crc[page] ^= 0x10;
	}
	assert_right();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_nothing),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_pages_come_again),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_wrong_sums_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
