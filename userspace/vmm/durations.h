/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long each device took to each state, and what follows for the next downtime.
 * Pure. Kept over migrations: the second one knows what the first one measured.
 */
#ifndef MIGLAB_VMM_DURATIONS_H
#define MIGLAB_VMM_DURATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/coordinator.h"

#define DURATION_STATES	(VFIO_DEVICE_STATE_PRE_COPY_P2P + 1)

/* All zero at first. */
struct durations {
	struct {
		uint64_t last_ns[DURATION_STATES];	/* by state that it went to; 0: not yet */
		uint64_t begin_ns;			/* of the one under way; 0: none */
		uint32_t to;
	} device[VMM_DEVICES_MAX];
};

/* @device is told to go to @to. */
void durations_begin(struct durations *d, unsigned int device, uint32_t to, uint64_t now_ns);
/* Its worker answered; only a WORK_SET that worked is a measure. */
void durations_end(struct durations *d, unsigned int device, const struct work_result *result);

/*
 * What the changes of state of a switchover of @c will take: devices that its policy takes
 * one after the other add up, of those that go together the slowest counts. What was
 * never measured counts as nothing, one under way for at least what it took so far.
 */
uint64_t durations_switchover_ns(const struct durations *d, const struct coordinator *c,
				 uint64_t now_ns);

#endif
