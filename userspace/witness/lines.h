/* SPDX-License-Identifier: GPL-2.0-only */
/* How a watch is written: a line for each arc and a table at the end; or JSON. */
#ifndef MIGLAB_WITNESS_LINES_H
#define MIGLAB_WITNESS_LINES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "witness/arcs.h"
#include "witness/totals.h"

/*
 * @wall_ns: what is to be added to a time of the trace to have CLOCK_REALTIME.
 * An arc that begins has a line in JSON only: who reads lines wants to know how it ended.
 */
void lines_arc(FILE *out, bool json, enum arcs_news news, const struct witness_arc *arc,
	       uint64_t wall_ns);

/* The sums; what is not over is said to last until @now_ns. */
void lines_totals(FILE *out, bool json, const struct totals *t, uint64_t now_ns);

#endif
