/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The record of arcs: a ring that proves when each began and ended.
 *
 * Pure; the caller serialises. The shells print an entry with the format below,
 * so that the module's attribute and an emulated device read the same.
 */
#ifndef MIGLAB_CORE_HISTORY_H
#define MIGLAB_CORE_HISTORY_H

#include "port.h"

#define MIGLAB_HISTORY_ARCS	256	/* arcs remembered; older ones are overwritten */
#define MIGLAB_HISTORY_LINE	160	/* no line is longer, its newline included */
#define MIGLAB_IN_PROGRESS	1	/* result of an arc that has not ended */

struct miglab_arc {
	u64 seq;		/* 1 for the first arc since bind; a gap means lost entries */
	u32 from, to;		/* enum miglab_state */
	u32 requested;		/* where the SET wants to end; differs from @to in mid-path */
	u64 begin_ns;		/* CLOCK_MONOTONIC, before any rule acts */
	u64 end_ns;		/* CLOCK_MONOTONIC, 0 while in progress */
	int result;		/* 0, negative errno, or MIGLAB_IN_PROGRESS */
	u32 rule;		/* the rule that acted, 1-based; 0: none */
	s32 pid;		/* who asked: thread group id as the initial namespace sees it */
};

struct miglab_history {
	u64 next_seq;		/* seq of the next arc; 1 at first */
	struct miglab_arc arc[MIGLAB_HISTORY_ARCS];
};

/*
 * One line: "seq from to requested t_begin_ns t_end_ns result rule pid\n".
 * States by name, result "0", "-5" or "busy".
 */
#define MIGLAB_HISTORY_FMT "%llu %s %s %s %llu %llu %s %u %d\n"

void miglab_history_init(struct miglab_history *h);

/* Adds an arc in progress; the entry's address is good until MIGLAB_HISTORY_ARCS more. */
struct miglab_arc *miglab_history_begin(struct miglab_history *h, u32 from, u32 to, u32 requested,
					s32 pid, u64 now_ns);

/* The oldest entry whose seq is at least @seq, or NULL when there is none. */
const struct miglab_arc *miglab_history_from(const struct miglab_history *h, u64 seq);

#endif
