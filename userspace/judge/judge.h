/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One session of the judge: listen, collect, judge, tell.
 */
#ifndef MIGLAB_JUDGE_JUDGE_H
#define MIGLAB_JUDGE_JUDGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "judge/contract.h"
#include "judge/witness.h"

/* Who is told of the contract instead of @out: begin, a line for each chosen rule, end. */
struct judge_listener {
	void (*begin)(const char *qmp, size_t rules);	/* the judge listens */
	void (*line)(const struct contract_line *line, bool skipped);
	void (*end)(const char *broken);	/* why it did not come to its end; NULL: it did */
};

/* The other promises of a VMM: contract.h. */
struct judge_contract {
	bool wanted;
	bool only[CONTRACT_RULES];	/* these; none: all */
	bool skip[CONTRACT_RULES];	/* not these */
	uint64_t downtime_ns;
	const struct judge_listener *listener;	/* NULL: lines, as the others */
};

struct judge_options {
	struct witness_options witness;	/* on_event and opaque are the judge's own */
	uint64_t timeout_ns;	/* for connecting, and then for the migration */
	/*
	 * Called once the VMM is connected, before anything is held; returns what gets
	 * readable when the user wants the verdict now, or -1. Before it, a signal may
	 * simply end the process. NULL: none.
	 */
	int (*watch_interrupts)(void);
	int expected;		/* arcs of each device; -1: any number */
	uint64_t lead_ns;	/* VERDICT_LEAD_NS; 0: an announcement is never too early */
	bool print;		/* tell the events as they come */
	bool long_lines;	/* with what was measured besides */
	bool json;		/* one JSON object a line */
	struct judge_contract contract;
};

#define JUDGE_SKIPPED	77	/* nothing was judged */

/**
 * judge_run() - judge one migration
 * @out: gets the lines; the first one, flushed, says that the judge listens
 *
 * Asks for real-time scheduling, so that receipts are not late for the judge's own
 * reasons, and does without when it is not allowed.
 *
 * Return: the exit status: 0 when every device was judged and every line passes, 1 when
 * one fails, JUDGE_SKIPPED when none fails and there was no arc of some device, 3 when the
 * arcs that there were do not decide it, or the migration did not end. It has told why
 * then. With the contract its verdicts decide instead, in the same manner, and the
 * announcements are one of them. Negative errno with @err when there could be no verdict.
 */
int judge_run(const struct judge_options *opt, FILE *out, struct error *err);

#endif
