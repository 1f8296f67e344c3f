// SPDX-License-Identifier: GPL-2.0-only
#include "unit.h"

#include "port/crc32c.h"

static u32 bit_by_bit(u32 crc, const u8 *data, size_t len)
{
	while (len--) {
		crc ^= *data++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

/* RFC 3720 appendix B.4, and the usual check string. */
static void test_published_values(void **unused)
{
	u8 data[32];

	(void)unused;
	assert_int_equal(~crc32c(~0u, "123456789", 9), 0xe3069283);
	memset(data, 0, sizeof(data));
	assert_int_equal(~crc32c(~0u, data, sizeof(data)), 0x8a9136aa);
	memset(data, 0xff, sizeof(data));
	assert_int_equal(~crc32c(~0u, data, sizeof(data)), 0x62a8ab43);
	for (u8 i = 0; i < 32; i++)
		data[i] = i;
	assert_int_equal(~crc32c(~0u, data, sizeof(data)), 0x46dd794e);
	for (u8 i = 0; i < 32; i++)
		data[i] = 31 - i;
	assert_int_equal(~crc32c(~0u, data, sizeof(data)), 0x113fdb5c);
}

static void test_all_ways_agree(void **unused)
{
	u8 data[300];

	(void)unused;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (u8)(i * 167 + 13);
	for (size_t at = 0; at < 9; at++) {
		for (size_t len = 0; at + len <= sizeof(data); len++) {
			u32 want = bit_by_bit(0x12345678, data + at, len);

			assert_int_equal(crc32c(0x12345678, data + at, len), want);
			assert_int_equal(crc32c_by_table(0x12345678, data + at, len), want);
		}
	}
}

static void test_continues(void **unused)
{
	u8 data[64];

	(void)unused;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (u8)(i * 3 + 1);
	for (size_t cut = 0; cut <= sizeof(data); cut++) {
		u32 crc = crc32c(~0u, data, cut);

		assert_int_equal(crc32c(crc, data + cut, sizeof(data) - cut),
				 crc32c(~0u, data, sizeof(data)));
	}
	assert_int_equal(crc32c(7, NULL, 0), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_values),
		cmocka_unit_test(test_all_ways_agree),
		cmocka_unit_test(test_continues),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
