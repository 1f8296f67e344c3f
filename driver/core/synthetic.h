/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The synthetic device model: a state that fits any PCI function.
 *
 * The state is a block of bytes that begins as noise and of which the device
 * rewrites pages, dirty_bytes_per_sec, while it runs. It stands for a device's
 * internal state; it is not the function's own state, which stays where it is.
 *
 * Pure: time comes in as now_ns, memory comes from the caller, who serialises.
 */
#ifndef MIGLAB_CORE_SYNTHETIC_H
#define MIGLAB_CORE_SYNTHETIC_H

#include "port.h"
#include "content.h"

#define MIGLAB_STATE_BYTES_DEFAULT	(1ull << 20)
#define MIGLAB_STATE_BYTES_MIN		((u64)MIGLAB_PAGE)
#define MIGLAB_STATE_BYTES_MAX		(1ull << 30)	/* and a multiple of MIGLAB_PAGE */

struct miglab_synthetic {
	struct miglab_content *content;
	u64 rate;			/* dirty_bytes_per_sec */
	u64 since_ns;			/* up to when the device's work is done */
	u64 work;			/* done but too little for a page: bytes per second * ns */
	u64 prng;
	bool running;			/* does the device change its state? */
};

/* Is @state_bytes a size that a state may have? */
bool miglab_synthetic_size_ok(u64 state_bytes);

/*
 * Fills @content, which outlives the model, with noise from @seed; the rate is 0. The
 * caller may sleep.
 */
void miglab_synthetic_init(struct miglab_synthetic *m, struct miglab_content *content, u64 seed);

/* Does a device in @state (enum miglab_state) change its state? RUNNING and PRE_COPY do. */
bool miglab_synthetic_active(u32 state);

/*
 * The device is active or idle from @now_ns on. The caller has done
 * miglab_synthetic_advance() to @now_ns first.
 */
void miglab_synthetic_run(struct miglab_synthetic *m, bool active, u64 now_ns);

/*
 * Does the device's work up to @now_ns: rewrites pages at its rate, each at most
 * once in a call, and marks them in @track (NULL: no session). Bounded by the
 * number of pages, however long ago the last call was.
 */
void miglab_synthetic_advance(struct miglab_synthetic *m, struct miglab_precopy *track, u64 now_ns);

/* Nanoseconds from @now_ns until the next page changes; U64_MAX when none will. */
u64 miglab_synthetic_next_ns(const struct miglab_synthetic *m, u64 now_ns);

#endif
