/* SPDX-License-Identifier: GPL-2.0-only */
/* What was seen of a scenario, and whether two players showed the same. Pure. */
#ifndef TESTS_PEER_RECORDING_H
#define TESTS_PEER_RECORDING_H

#include "base/error.h"
#include "scenario.h"
#include "vmm.h"

struct recording {
	char events[SIDES][SEQUENCE_MAX];	/* " M:setup V:vf0:pre-copy .." */
	char arcs[SIDES][SEQUENCE_MAX];		/* " vf0:RUNNING>PRE_COPY .." */
	double measured_ms;	/* between the two events that the row names; -1 without */
};

/*
 * Is @ours what @scenario wants beside @qemu: the same, or where it says why not,
 * exactly the difference that it says? 0; 1 with the first difference in @err.
 */
int recording_compare(const struct scenario *scenario, const struct recording *qemu,
		      const struct recording *ours, struct error *err);

/* Exchanges the events @first and @first + 1 of a side; -ENOENT where there are none. */
int recording_swap(struct recording *recording, enum side side, size_t first);

#endif
