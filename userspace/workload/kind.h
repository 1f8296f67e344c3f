/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A kind of workload: a program that is cut into steps. Private to the workloads.
 */
#ifndef MIGLAB_WORKLOAD_KIND_H
#define MIGLAB_WORKLOAD_KIND_H

#include "workload/board.h"

/* What a guest knows, at address 0 of its memory. Little-endian, as the hosts are. */
struct guest {
	uint64_t magic;		/* of the kind; anything else: it has not begun */
	uint64_t operation;	/* the number of the one under way */
	uint64_t phase;		/* of that */
	uint64_t asked;		/* interrupts that must have come by the end of the phase */
	uint64_t taken;		/* interrupts that came */
	uint64_t spare;		/* so many may come once more: see wake_guest() */
};

enum step { STEP_DONE, STEP_WAIT };	/* or a negative errno */

struct kind {
	const char *name;
	uint64_t magic;
	/* Finds the devices. -EINVAL and a sentence when they are not there. */
	int (*wire)(struct board *b, struct device *const *devices, unsigned int count,
		    struct error *err);
	/*
	 * Goes on as far as it can without waiting, by at most one phase, and says whether it
	 * has to wait for an interrupt, or for time. @g is in memory when it returns. An error
	 * is what the device or the memory did wrong: @err has the sentence.
	 */
	int (*step)(struct board *b, struct guest *g, struct error *err);
};

extern const struct kind kind_edu_dma, kind_edu_p2p, kind_bar_write;

/*
 * BOARD_SLOT bytes that no other operation has, nor the same one with another @what. Never
 * all of them zero.
 */
void pattern_fill(uint8_t *bytes, uint64_t operation, unsigned int what);

/* The first byte of @len that is not as pattern_fill() makes it; @len: all are. */
size_t pattern_compare(const uint8_t *bytes, size_t len, uint64_t operation, unsigned int what);

#endif
