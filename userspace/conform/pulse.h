/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls of a process to its device, counted in memory that its parent shares: by which
 * it sees whether they go on, however slow the machine is.
 */
#ifndef MIGLAB_CONFORM_PULSE_H
#define MIGLAB_CONFORM_PULSE_H

#include <stdatomic.h>
#include <sys/types.h>

struct device;

#define PULSE_SLOTS	32	/* threads that are told apart; more count for the sum only */

/* Of one thread. */
struct pulse_slot {
	const char *_Atomic call;	/* the one under way, for messages; NULL: none */
	atomic_ulong begun;		/* calls so far */
};

struct pulse {
	pid_t pid;		/* whose threads have the slots; those of its children have none */
	atomic_ulong ended;	/* calls that have come back, of any thread and child */
	atomic_uint threads;	/* slots that are taken */
	struct pulse_slot slot[PULSE_SLOTS];
};

/*
 * From now on @dev->calls counts in @p, which outlives @dev, and does as before. One device of
 * a process at a time.
 */
void pulse_attach(struct pulse *p, struct device *dev);

#endif
