/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A generator for noise and jitter: splitmix64 (Steele, Lea, Flood 2014). Any
 * seed is a good one, the same seed gives the same numbers everywhere.
 */
#ifndef MIGLAB_CORE_PRNG_H
#define MIGLAB_CORE_PRNG_H

#include "port.h"

/* The next number, evenly spread over all 64-bit values; @state is the seed at first. */
static inline u64 miglab_prng(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

#endif
