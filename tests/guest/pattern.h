/* SPDX-License-Identifier: GPL-2.0-only */
/* Words that are unlikely to be anywhere by accident. */
#ifndef TESTS_GUEST_PATTERN_H
#define TESTS_GUEST_PATTERN_H

#include <stdint.h>

/* Word @index of the data of turn @n: another one for each of both. */
static inline uint32_t pattern(uint32_t n, uint32_t index)
{
	uint32_t x = n * 0x9e3779b1u + index * 0x85ebca77u + 1;

	x = (x ^ x >> 15) * 0x2c1b3c6du;
	return x ^ x >> 13;
}

#endif
