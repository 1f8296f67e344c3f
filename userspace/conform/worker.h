/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Work on a device in a process of its own, so that a call that hangs and a driver that
 * crashes it are seen from outside. It does not outlive us.
 */
#ifndef MIGLAB_CONFORM_WORKER_H
#define MIGLAB_CONFORM_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "conform/pulse.h"

#define WORKER_TEXT	2048

enum worker_end {
	WORKER_ENDED,		/* by itself */
	WORKER_HUNG,		/* and was killed */
	WORKER_INTERRUPTED,	/* a signal of interrupt.h came, and it was killed */
};

struct worker {
	/* To be filled in: */
	void (*run)(void *arg, int out, struct pulse *pulse);	/* in the process; ends it */
	void *arg;
	unsigned int limit_s;	/* as in watch.h */
	bool finish;		/* one signal does not break it off, the second does */

	/* What became of it: */
	enum worker_end end;
	bool stuck;		/* it could not be killed, and keeps what it has open */
	int status;		/* as of waitpid(), unless it is stuck */
	char told[WORKER_TEXT];	/* what it wrote to @out */
	char why[96];		/* it hung */
	uint64_t ns;		/* how long it took */
};

/*
 * Runs @w in a process and waits for its end. Fill in the first four members, the rest is
 * overwritten. Waits for as long as it makes progress.
 *
 * Return: 0, or the negative errno when no process could be started.
 */
int worker_run(struct worker *w);

#endif
