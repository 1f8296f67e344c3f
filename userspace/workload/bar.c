// SPDX-License-Identifier: GPL-2.0-only
/*
 * bar-write: the processor writes a device's memory through its mapped BAR, one slot after
 * the other over all of it, and looks first at what it had left there.
 */
#include <errno.h>
#include <string.h>

#include "workload/kind.h"

static int bar_step(struct board *b, struct guest *g, struct error *err)
{
	uint64_t slots = b->bar_size / BOARD_SLOT;
	uint8_t *at = b->bytes + g->operation % slots * BOARD_SLOT;
	uint64_t before = g->operation - slots;
	uint8_t bytes[BOARD_SLOT];
	size_t wrong = BOARD_SLOT;

	memcpy(bytes, at, sizeof(bytes));
	if (g->operation >= slots)
		wrong = pattern_compare(bytes, BOARD_SLOT, before, 0);
	if (wrong != BOARD_SLOT)
		return error_set(err, -EBADMSG,
				 "operation %llu: byte %zu of its slot is not what operation %llu wrote there",
				 (unsigned long long)g->operation, wrong,
				 (unsigned long long)before);
	pattern_fill(bytes, g->operation, 0);
	memcpy(at, bytes, sizeof(bytes));
	g->operation++;
	memory_write(b->memory, 0, g, sizeof(*g));
	return STEP_DONE;
}

const struct kind kind_bar_write = {
	.name = "bar-write",
	.magic = 0x6574697277726162,
	.wire = board_find_bar,
	.step = bar_step,
};
