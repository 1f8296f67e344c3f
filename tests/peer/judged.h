/* SPDX-License-Identifier: GPL-2.0-only */
/* miglab judge as a child process, and what it said. */
#ifndef TESTS_PEER_JUDGED_H
#define TESTS_PEER_JUDGED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/error.h"
#include "order.h"

#define JUDGED_MAX	16	/* lines, and devices */

struct judged {
	pid_t pid;
	FILE *out;		/* its stdout */
	const char *const *bdfs;	/* of vf0, vf1, .. */
	size_t devices;
	int status;		/* its exit status; -1: it was killed */
	char *text[JUDGED_MAX];	/* its lines for people */
	char verdict[JUDGED_MAX][16];
	bool by_hold[JUDGED_MAX];	/* the proof by hold ran */
	size_t count;
	char result[16];	/* what the verdicts come to */
	char ids[JUDGED_MAX][32];	/* of the claims */
	struct order_claim claims[JUDGED_MAX];	/* prepare events in wire order */
	size_t claim_count;
};

/* Starts it on the VMM at @uri and returns when it listens. @bdfs outlives @j. */
int judged_start(struct judged *j, const char *uri, const char *const *bdfs, size_t devices,
		 bool release, int cpu, struct error *err);

/* Asks for its verdict now, for a migration that will not end by itself. */
void judged_interrupt(struct judged *j);

/*
 * Reads to its end. A claim's arc is the one of its device's verdict; of a device with
 * several arcs it is the last. -EPROTO when it says what nobody understands.
 */
int judged_finish(struct judged *j, struct error *err);

/* Ends it if it runs, frees its lines; a zeroed one is allowed. */
void judged_free(struct judged *j);

#endif
