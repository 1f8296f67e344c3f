/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A deadline for each change of state that is under way. Belongs to the loop's thread
 * and waits for nothing: a device that hangs is told of while it hangs.
 */
#ifndef MIGLAB_VMM_DEADLINES_H
#define MIGLAB_VMM_DEADLINES_H

#include <stdint.h>

#include "base/loop.h"
#include "vmm/coordinator.h"

/* @device, on the way from @from to @to, is late. Once for each change of state. */
typedef void (*late_fn)(void *opaque, unsigned int device, uint32_t from, uint32_t to,
			uint64_t elapsed_ns);

struct deadlines {
	struct loop *loop;
	late_fn late;
	void *opaque;
	struct deadline {
		struct deadlines *all;
		struct loop_timer *timer;	/* NULL: none, or it was late */
		uint32_t from, to;
		uint64_t begin_ns;
	} device[VMM_DEVICES_MAX];
};

void deadlines_init(struct deadlines *d, struct loop *loop, late_fn late, void *opaque);
/* @device is told to go to @to; @limit_ns 0: it may take as long as it likes. */
void deadlines_begin(struct deadlines *d, unsigned int device, uint32_t from, uint32_t to,
		     uint64_t limit_ns);
/* It answered. Nothing when no deadline runs. */
void deadlines_end(struct deadlines *d, unsigned int device);
/* No deadline runs any more. */
void deadlines_clear(struct deadlines *d);

#endif
