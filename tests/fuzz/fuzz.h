/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzz targets share. A target is one LLVMFuzzerTestOneInput() that aborts when
 * a property does not hold; libFuzzer calls it with inputs of its own making, replay.c
 * with those of the corpus.
 */
#ifndef MIGLAB_TESTS_FUZZ_H
#define MIGLAB_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns 0. All that the input changed is as before when it returns. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(property) do {							\
	if (!(property)) {							\
		fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #property); \
		abort();							\
	}									\
} while (0)

#define CUTS_MAX	64	/* what is behind them stays in one piece */

/*
 * The first byte of an input says how the rest is cut to pieces: 0 not at all, 1 to
 * single bytes, all others to pieces of changing size.
 */
struct cuts {
	uint32_t seed;
	unsigned int left;
};

static inline struct cuts cuts_of(uint8_t byte)
{
	return (struct cuts){ byte, byte ? CUTS_MAX : 0 };
}

/* How long the next piece is, 1 to @max; @max is not 0. */
static inline size_t next_cut(struct cuts *cuts, size_t max)
{
	if (!cuts->left)
		return max;
	cuts->left--;
	if (cuts->seed == 1)
		return 1;
	cuts->seed = cuts->seed * 1103515245u + 12345u;
	/* Above all short ones, and now and then the whole rest. */
	cuts->seed |= 2;
	return cuts->seed >> 28 ? 1 + (cuts->seed >> 16) % (max < 32 ? max : 32) : max;
}

#endif
