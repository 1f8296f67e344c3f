/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fault-and-latency rules: what shall happen to which arc.
 *
 *	arc=PRE_COPY>PRE_COPY_P2P delay_us=300000 jitter_us=20000 seed=7
 *	arc=PRE_COPY_P2P>STOP_COPY errno=EIO every=2 times=1
 *	arc=PRE_COPY>PRE_COPY_P2P hold limit_us=10000000
 *
 * A set is at most 4095 bytes of text, its rules separated by newlines or ';',
 * '#' starts a comment that ends with the line. Rules are matched in order; the
 * first one that matches the arc and whose counters let it act, acts; one whose
 * counters say no lets the next one see the arc. Of nth=, every= and times= all
 * that are given have to agree.
 *
 * The words of a rule come in any order, separated by blanks (a carriage return
 * is one), each key once. arc= is required and names one arc of the full state
 * machine; limit_us= needs hold, seed= needs jitter_us=. Numbers are decimal.
 * errno= takes a name or 1 to 4095.
 *
 * Pure: the answer to "this arc begins" is a plan {delay, hold, errno}; the
 * shell does the waiting. The caller serialises all calls on one set.
 */
#ifndef MIGLAB_CORE_RULES_H
#define MIGLAB_CORE_RULES_H

#include "port.h"

#define MIGLAB_RULES_TEXT_MAX	4095	/* bytes of text in one set */
#define MIGLAB_RULES_MAX	64	/* rules in one set */
#define MIGLAB_DELAY_MAX_US	3600000000ull	/* the longest delay, jitter or limit: one hour */
#define MIGLAB_HOLD_LIMIT_US	30000000ull	/* how long a hold without limit_us lasts */

/* What a new device does when nobody says otherwise. */
#define MIGLAB_RULES_DEFAULT	"arc=PRE_COPY>PRE_COPY_P2P delay_us=300000"

struct miglab_rule {
	u32 from, to;		/* the arc, enum miglab_state */
	u64 delay_us;		/* delay_us=, 0 to MIGLAB_DELAY_MAX_US */
	u64 jitter_us;		/* jitter_us=: adds 0 to jitter_us, evenly spread */
	u64 limit_us;		/* limit_us=: how long a hold lasts before it fails */
	u64 prng;		/* seed=: state of the jitter's generator */
	int error;		/* errno=: negative errno that the arc fails with, or 0 */
	u32 nth;		/* nth=N: acts on the Nth match only; 0 when absent */
	u32 every;		/* every=N: acts on each Nth match; 0 when absent */
	u32 times;		/* times=N: acts at most N times; 0 when absent */
	u32 matched, acted;	/* counters */
	bool hold;		/* hold: waits for a release */
};

struct miglab_rules {
	u32 count;
	struct miglab_rule rule[MIGLAB_RULES_MAX];
};

/* Where a set was refused, and why. */
struct miglab_rules_error {
	u32 line, column;	/* 1-based position of the offending word */
	const char *what;	/* static text, e.g. "unknown errno" */
	char value[32];		/* the word itself, cut to fit, NUL-terminated */
};

/* What an arc shall do. All zero: nothing. */
struct miglab_plan {
	u32 rule;		/* which rule answered, 1-based; 0: none */
	u64 delay_us;		/* wait so long, after a hold was released */
	u64 limit_us;		/* of the hold; -ETIMEDOUT when it is reached */
	int error;		/* then fail with this negative errno, or 0 */
	bool hold;		/* wait until one permit can be consumed */
};

/**
 * miglab_rules_parse() - read a whole set
 * @ret: the new set, with fresh counters
 * @text: @len bytes, need not be NUL-terminated; one trailing NUL is tolerated
 * @err: says where and why when the set is refused
 *
 * All or nothing: on an error @ret is untouched.
 *
 * Return: 0, -EINVAL, or -E2BIG for a text or a set that is too large.
 */
int miglab_rules_parse(struct miglab_rules *ret, const char *text, size_t len,
		       struct miglab_rules_error *err);

/* The arc @from > @to begins: counts the match and says what shall happen. */
struct miglab_plan miglab_rules_match(struct miglab_rules *rules, u32 from, u32 to);

#endif
