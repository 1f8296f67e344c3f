/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fault-and-latency rules: what shall happen to which arc or operation.
 *
 *	arc=PRE_COPY>PRE_COPY_P2P delay_us=300000 jitter_us=20000 seed=7
 *	arc=PRE_COPY_P2P>STOP_COPY errno=EIO every=2 times=1 then=ERROR
 *	arc=PRE_COPY>PRE_COPY_P2P hold limit_us=10000000
 *	op=read short=1
 *	op=save corrupt=4096
 *
 * A set is at most 4095 bytes of text, its rules separated by newlines or ';',
 * '#' starts a comment that ends with the line. Rules are matched in order; the
 * first one that matches the arc or operation and whose counters let it act, acts;
 * one whose counters say no lets the next one see it. Of nth=, every= and times= all
 * that are given have to agree.
 *
 * The words of a rule come in any order, separated by blanks (a carriage return
 * is one), each key once. Either arc= or op= is required; arc= names one arc of any
 * of the state machines that the uAPI defines, so that a rule may name one that the
 * present device lacks. What the other keys mean, and for which op=, is a table in
 * rules.c. limit_us= needs hold, seed= needs jitter_us=, then= needs errno=. Numbers
 * are decimal. errno= takes a name or 1 to 4095.
 *
 * Pure: the answer to "this begins" is a plan {delay, hold, errno, ..}; the shell
 * does the waiting. The caller serialises all calls on one set.
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

/* What a rule is for. */
enum miglab_op {
	MIGLAB_OP_ARC,		/* an arc begins */
	MIGLAB_OP_READ,		/* a read() of a data_fd */
	MIGLAB_OP_WRITE,	/* a write() to one */
	MIGLAB_OP_PRECOPY_INFO,	/* VFIO_MIG_GET_PRECOPY_INFO */
	MIGLAB_OP_DATA_SIZE,	/* VFIO_DEVICE_FEATURE_MIG_DATA_SIZE */
	MIGLAB_OP_SAVE,		/* a session that saves: once for each, when it begins */
	MIGLAB_OP_LOAD,		/* RESUMING -> STOP, after the arc's own rule */
	MIGLAB_OP_RESET,	/* VFIO_DEVICE_RESET */
	MIGLAB_OP_DMA,		/* a DMA command is about to be held: once for each */
	MIGLAB_OP_DMA_RECORD,	/* what a DMA moved is about to be recorded */
	MIGLAB_OP_DIRTY,	/* a page of the device's memory is about to be marked as dirty */
	MIGLAB_OP_POLL,		/* a sleeping poll() of a data_fd is about to be woken */
	MIGLAB_NR_OPS,
};

/* What a rule does beside waiting and failing: bits of miglab_plan.faults. */
#define MIGLAB_FAULT_ERROR	(1u << 0)	/* then=ERROR: having failed, go to ERROR */
#define MIGLAB_FAULT_SHORT	(1u << 1)	/* short=: move at most .size bytes, 1 or more */
#define MIGLAB_FAULT_CORRUPT	(1u << 2)	/* corrupt=: change the state's byte at .corrupt */
#define MIGLAB_FAULT_TRUNCATE	(1u << 3)	/* truncate=: end the stream at .truncate bytes */
#define MIGLAB_FAULT_VALUE	(1u << 4)	/* value=: answer .size */
#define MIGLAB_FAULT_GARBAGE	(1u << 5)	/* garbage: answer sizes that cannot be */
#define MIGLAB_FAULT_REINIT	(1u << 6)	/* reinit: begin the initial pass anew */
#define MIGLAB_FAULT_DROP	(1u << 7)	/* drop: do not wake, record or mark */
#define MIGLAB_FAULT_SLIP	(1u << 8)	/* slip=: do not hold */

struct miglab_rule {
	u32 op;			/* enum miglab_op */
	u32 from, to;		/* of MIGLAB_OP_ARC, enum miglab_state */
	u32 faults;		/* MIGLAB_FAULT_* */
	u64 delay_us;		/* delay_us=, 0 to MIGLAB_DELAY_MAX_US */
	u64 jitter_us;		/* jitter_us=: adds 0 to jitter_us, evenly spread */
	u64 limit_us;		/* limit_us=: how long a hold lasts before it fails */
	u64 prng;		/* seed=: state of the jitter's generator */
	u64 size;		/* short= or value= */
	u64 corrupt;		/* corrupt=: bytes into the state */
	u64 truncate;		/* truncate=: bytes of stream */
	u32 nth;		/* nth=N: acts on the Nth match only; 0 when absent */
	u32 every;		/* every=N: acts on each Nth match; 0 when absent */
	u32 times;		/* times=N or slip=N: acts at most N times; 0 when absent */
	u32 matched, acted;	/* counters */
	int error;		/* errno=: negative errno to fail with, or 0 */
	bool hold;		/* hold: waits for a release */
};

struct miglab_rules {
	u32 count;
	u32 ops;		/* a bit for each enum miglab_op that has a rule */
	struct miglab_rule rule[MIGLAB_RULES_MAX];
};

/* Where a set was refused, and why. */
struct miglab_rules_error {
	u32 line, column;	/* 1-based position of the offending word */
	const char *what;	/* static text, e.g. "unknown errno" */
	char value[32];		/* the word itself, cut to fit, NUL-terminated */
};

/* What an arc or operation shall do. All zero: nothing. */
struct miglab_plan {
	u32 rule;		/* which rule answered, 1-based; 0: none */
	u32 faults;		/* MIGLAB_FAULT_*; they say which of these apply */
	u64 size, corrupt, truncate;
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

/*
 * The arc that the @len bytes "FROM>TO" name, one of any of the state machines that the uAPI
 * defines. Return: NULL, or what is wrong with it, and the two states then may be anything.
 */
const char *miglab_arc_parse(const char *at, size_t len, u32 *ret_from, u32 *ret_to);

/* The arc @from > @to begins: counts the match and says what shall happen. */
struct miglab_plan miglab_rules_match(struct miglab_rules *rules, u32 from, u32 to);

/* @op begins, which is not MIGLAB_OP_ARC: counts the match and says what shall happen. */
struct miglab_plan miglab_rules_match_op(struct miglab_rules *rules, enum miglab_op op);

/* How often the rules of @rules acted, all together. */
u64 miglab_rules_acted(const struct miglab_rules *rules);

/* "read" and so on, as op= has it; "arc" for MIGLAB_OP_ARC. */
const char *miglab_op_name(enum miglab_op op);

#endif
