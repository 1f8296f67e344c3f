/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a watch adds up: how long each device was deaf, and the group. Pure.
 *
 * A device is deaf from the beginning of the arc that leaves RUNNING or PRE_COPY for a
 * state in which it does not serve, to the end of the one that brings it back. One that
 * goes to RESUMING is a destination: it was not in use, so it is not deaf. The blackout is
 * that of the whole group: from the first device that goes deaf until for each deaf one
 * either itself serves again or a destination has begun to.
 */
#ifndef MIGLAB_WITNESS_TOTALS_H
#define MIGLAB_WITNESS_TOTALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "witness/arcs.h"

struct totals_device {
	char name[WITNESS_NAME_MAX];
	unsigned int arcs, failed, resets;
	uint64_t deaf_ns;		/* all times together that are over */
	uint64_t longest_deaf_ns;
	uint64_t deaf_since_ns;		/* 0: it is not deaf */
	uint64_t slowest_ns;		/* of its arcs */
	uint32_t slowest_from, slowest_to;
	bool loads;			/* it is a destination, and has not run since */
};

struct totals {
	struct totals_device *devices;	/* in the order of their first arcs */
	size_t count;
	uint64_t blackout_ns;		/* the longest of those that are over */
	uint64_t blackout_since_ns;	/* 0: there is none now */
	unsigned int lost;		/* lines that the kernel had no room for */
};

/* Takes what arcs.h tells. 0 or -ENOMEM. */
int totals_add(struct totals *t, enum arcs_news news, const struct witness_arc *arc);
void totals_free(struct totals *t);

#endif
