/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guard guards: the connections of one device, whoever has them.
 */
#ifndef MIGLAB_GUARD_OPS_H
#define MIGLAB_GUARD_OPS_H

#include "base/error.h"

struct guarded;

struct guard_ops {
	/*
	 * Switches the timeouts of all connections off; what they were is remembered. Blocks
	 * for as long as that takes. @ret_count: connections that are suspended now.
	 * Return: 0, or negative errno, after which some may be suspended.
	 */
	int (*suspend)(struct guarded *g, unsigned int *ret_count, struct error *err);

	/*
	 * Gives them their former timeouts back; without a suspension nothing.
	 * @ret_count: connections that have theirs again. Return: 0 or negative errno.
	 */
	int (*restore)(struct guarded *g, unsigned int *ret_count, struct error *err);

	void (*close)(struct guarded *g);
};

/* The head of everything that can be guarded. */
struct guarded {
	const struct guard_ops *ops;
};

#endif
