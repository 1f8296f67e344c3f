/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How far a migration is, and whether the rest fits into the downtime. Pure.
 */
#ifndef MIGLAB_VMM_PROGRESS_H
#define MIGLAB_VMM_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/coordinator.h"

/* All zero when a migration begins, but for sizes that are known already. */
struct progress {
	struct {
		uint64_t bytes, busy_ns;	/* moved so far, and the time that took */
		uint64_t size;			/* to be sent yet, as the driver guesses */
		struct precopy_info info;	/* after the last pass */
		bool passed;			/* there was one */
	} device[VMM_DEVICES_MAX];
	struct ram_stats ram;		/* of the memory, if there is one */
};

/* Adds the answer of the worker of @device. */
void progress_add(struct progress *p, unsigned int device, const struct work_result *result);

/* By all of them, the memory included. */
uint64_t progress_transferred(const struct progress *p);
/* What devices have to send yet, that of a stop-copy included. */
uint64_t progress_remaining(const struct progress *p);

/*
 * How long the rest will take at @bandwidth bytes per second, 0: as fast as so far.
 * @limit_ms while that is not known.
 */
uint64_t progress_downtime_ms(const struct progress *p, uint64_t limit_ms, uint64_t bandwidth);

/*
 * Has every device in pre-copy sent its initial bytes, and can what they have left
 * be sent in @downtime_ms at @bandwidth bytes per second, 0: as fast as so far?
 */
bool progress_converged(const struct progress *p, const struct coordinator *c,
			uint64_t downtime_ms, uint64_t bandwidth);

#endif
