// SPDX-License-Identifier: GPL-2.0-only
#include "crc32c.h"

#define POLYNOMIAL	0x82f63b78u	/* Castagnoli's, bits reversed */

/* table[n][b]: what byte b does to the CRC from n bytes before the end of a group of eight. */
static u32 table[8][256];

static void fill_table(void)
{
	for (u32 b = 0; b < 256; b++) {
		u32 crc = b;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[0][b] = crc;
	}
	for (u32 b = 0; b < 256; b++)
		for (int n = 1; n < 8; n++)
			table[n][b] = table[n - 1][b] >> 8 ^ table[0][table[n - 1][b] & 0xff];
}

static u64 load_le64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

u32 crc32c_by_table(u32 crc, const void *data, size_t len)
{
	const u8 *p = data;

	for (; len >= 8; len -= 8, p += 8) {
		u64 v = load_le64(p) ^ crc;

		crc = table[7][v & 0xff] ^ table[6][v >> 8 & 0xff] ^
		      table[5][v >> 16 & 0xff] ^ table[4][v >> 24 & 0xff] ^
		      table[3][v >> 32 & 0xff] ^ table[2][v >> 40 & 0xff] ^
		      table[1][v >> 48 & 0xff] ^ table[0][v >> 56];
	}
	while (len--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
	return crc;
}

#ifdef __x86_64__
#include <nmmintrin.h>

__attribute__((target("sse4.2")))
static u32 by_instruction(u32 crc, const void *data, size_t len)
{
	const u8 *p = data;
	u64 wide = crc;

	for (; len >= 8; len -= 8, p += 8)
		wide = _mm_crc32_u64(wide, load_le64(p));
	crc = (u32)wide;
	while (len--)
		crc = _mm_crc32_u8(crc, *p++);
	return crc;
}

static bool has_instruction(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("sse4.2");
}
#else
#define by_instruction crc32c_by_table

static bool has_instruction(void)
{
	return false;
}
#endif

static u32 (*fastest)(u32 crc, const void *data, size_t len) = crc32c_by_table;

/* Before main() and any thread, so that nothing here needs a lock. */
__attribute__((constructor))
static void choose(void)
{
	fill_table();
	if (has_instruction())
		fastest = by_instruction;
}

u32 crc32c(u32 crc, const void *data, size_t len)
{
	return fastest(crc, data, len);
}
