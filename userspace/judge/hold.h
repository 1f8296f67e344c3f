/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The proof by hold: what is held, and which prepare event lets which transition go. Pure.
 */
#ifndef MIGLAB_JUDGE_HOLD_H
#define MIGLAB_JUDGE_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/lab.h"

/*
 * What is written to the attribute `hold`: transitions under test, and for how long one is held
 * that is not announced. Far longer than an announcement takes, and shorter than managers wait.
 */
#define HOLD_LEASE	"PRE_COPY>PRE_COPY_P2P limit_us=" HOLD_TEXT(HOLD_LIMIT_US) "\n"
#define HOLD_LIMIT_US	5000000
#define HOLD_TEXT(n)	HOLD_TEXT_(n)
#define HOLD_TEXT_(n)	#n

/* The number of the transition under test that the attribute `held` names in @text; 0: none. */
uint64_t hold_seq(const char *text);

/*
 * Did a prepare event that was received at @received_ns announce the transition number @seq?
 * Not when the device entered PRE_COPY since then, or had a transition under test behind it
 * already, in the history @arcs, oldest first: then it announced another one.
 */
bool hold_announced(const struct lab_arc *arcs, size_t count, uint64_t seq, uint64_t received_ns);

#endif
