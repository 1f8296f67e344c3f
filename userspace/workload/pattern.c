// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "workload/kind.h"

#define NO_ZERO	0x0101010101010101ull

static void word_of(uint64_t operation, unsigned int what, size_t i, uint8_t ret_bytes[8])
{
	uint64_t x = (operation << 20 | what << 12 | i) * 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 29) | NO_ZERO;
	memcpy(ret_bytes, &x, sizeof(x));
}

void pattern_fill(uint8_t *bytes, uint64_t operation, unsigned int what)
{
	for (size_t i = 0; i < BOARD_SLOT / 8; i++)
		word_of(operation, what, i, bytes + 8 * i);
}

size_t pattern_compare(const uint8_t *bytes, size_t len, uint64_t operation, unsigned int what)
{
	uint8_t want[8];
	size_t at = 0;

	for (; at < len; at++) {
		if (at % 8 == 0)
			word_of(operation, what, at / 8, want);
		if (bytes[at] != want[at % 8])
			break;
	}
	return at;
}
