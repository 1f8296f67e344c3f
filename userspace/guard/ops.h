/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guard guards: the connections of one device, whoever has them. Nothing here
 * blocks: the connections of one device must not make those of another wait.
 */
#ifndef MIGLAB_GUARD_OPS_H
#define MIGLAB_GUARD_OPS_H

#include <stdint.h>

#include "base/error.h"

struct guarded;

struct guard_ops {
	/*
	 * Asks for the timeouts of all connections to be switched off; what they were is
	 * remembered. Only once what was asked before has its answer.
	 * Return: 0, and take() has the answer; negative errno when nobody can be asked.
	 */
	int (*suspend)(struct guarded *g, struct error *err);

	/* As above, for their former timeouts; without a suspension nothing. */
	int (*restore)(struct guarded *g, struct error *err);

	/* For poll(2): take() has news when it is readable; -1 while nobody is there. */
	int (*fd)(const struct guarded *g);

	/* When take() has news at the latest, CLOCK_MONOTONIC; UINT64_MAX: nothing was asked. */
	uint64_t (*deadline)(const struct guarded *g);

	/*
	 * Return: 1 with the answer, of which @ret_count is how many connections are suspended
	 * now, or have their timeouts again; 0 when there is no news; negative errno, after which
	 * nothing is asked any more: -EREMOTEIO when it was refused, and some may be suspended;
	 * any other when who has the connections is gone, which restores them.
	 */
	int (*take)(struct guarded *g, unsigned int *ret_count, struct error *err);

	void (*close)(struct guarded *g);
};

/* The head of everything that can be guarded. */
struct guarded {
	const struct guard_ops *ops;
};

#endif
