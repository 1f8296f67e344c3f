/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a rehearsal went: what both machines, their devices and the judge said at its end,
 * and the verdict on the whole that follows from it. Pure.
 */
#ifndef MIGLAB_VMM_OUTCOME_H
#define MIGLAB_VMM_OUTCOME_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "vmm/coordinator.h"

#define OUTCOME_STATE_MAX	24

enum outcome_end { OUTCOME_SOURCE, OUTCOME_DESTINATION, OUTCOME_ENDS };

/* Of one device; texts are "" where they are not known. */
struct outcome_device {
	const char *dev[OUTCOME_ENDS];		/* DEV as the user wrote it */
	bool thrown_away;			/* the destination is discard */
	bool known;				/* @flags are */
	uint32_t flags;				/* VFIO_MIGRATION_* of the source's */
	char profile[OUTCOME_STATE_MAX];	/* of miglab's devices: "no-p2p" */
	bool quiesced;				/* it went from PRE_COPY to PRE_COPY_P2P */
	uint64_t quiesce_ns;			/* how long the last time */
	bool announced;				/* pre-copy-p2p-prepare of it was received */
	bool judged;				/* the judge was asked about it */
	char fingerprint[OUTCOME_ENDS][64];
	char state_bytes[OUTCOME_ENDS][OUTCOME_STATE_MAX];	/* when it failed */
	char failed[OUTCOME_ENDS][160];		/* the last arc that failed, and why */
	char state[OUTCOME_ENDS][OUTCOME_STATE_MAX];	/* "PRE_COPY_P2P" */
	bool busy[OUTCOME_ENDS];		/* a call of the device has not returned */
};

/* Of one machine. */
struct outcome_machine {
	char migration[OUTCOME_STATE_MAX];	/* what MIGRATION said last: "completed" */
	char why[512];				/* error-desc of query-migrate */
	bool answered;			/* at the end; then @running and @runstate are known */
	bool running;
	char runstate[OUTCOME_STATE_MAX];	/* of query-status: "postmigrate" */
	char gone[64];				/* why it did not answer: "ended with status 3" */
};

struct outcome_memory {
	bool there;
	uint64_t size, pages, transferred;
	char checksum[OUTCOME_ENDS][16];
};

struct outcome_workload {
	const char *kind;			/* NULL: none */
	bool told[OUTCOME_ENDS];
	uint64_t operations[OUTCOME_ENDS], here[OUTCOME_ENDS], interrupts[OUTCOME_ENDS];
	char error[OUTCOME_ENDS][512];
};

enum outcome_judge {
	OUTCOME_UNJUDGED,	/* the judge was not asked for its verdict */
	OUTCOME_JUDGE_PASS,
	OUTCOME_JUDGE_FAIL,
	OUTCOME_JUDGE_NA,	/* it had nothing to judge */
	OUTCOME_JUDGE_NONE,	/* it could not judge, or did not end */
};

struct outcome {
	unsigned int count;	/* of devices; 0: the options were not looked at yet */
	struct outcome_device device[VMM_DEVICES_MAX];
	struct outcome_machine machine[OUTCOME_ENDS];
	bool begun;		/* the migration was asked for */
	uint64_t total_ms, downtime_ms, bytes;	/* when it completed */
	struct outcome_memory memory;
	struct outcome_workload workload;
	enum outcome_judge judge;
	char *judge_lines;	/* what it wrote, lines of text or of JSON; NULL: nothing */
	struct error error;	/* why it could not be tried to its end; "" when it could */
};

enum outcome_result { OUTCOME_PASS, OUTCOME_FAIL, OUTCOME_NA };

/* What a device's flags allow: PRE_COPY -> PRE_COPY_P2P, the transition that is judged. */
static inline bool outcome_has_arc(const struct outcome_device *d)
{
	const uint32_t both = VFIO_MIGRATION_PRE_COPY | VFIO_MIGRATION_P2P;

	return !d->known || (d->flags & both) == both;
}

/* The verdict on the whole, with its reason as one sentence in @why. */
enum outcome_result outcome_result(const struct outcome *o, struct error *why);

/* Lines for people, all but the last. Errors of writing stay in @out. */
void outcome_text(const struct outcome *o, FILE *out);

/* The last line, without its newline: "PASS: .." */
void outcome_last_line(const struct outcome *o, struct error *line);

/* All of it as one object, which the caller owns. */
struct json_object *outcome_json(const struct outcome *o);

/* Frees what @o has, not @o. */
void outcome_cleanup(struct outcome *o);

#endif
