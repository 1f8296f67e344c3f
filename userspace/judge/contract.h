/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a VMM owes its devices and who listens to it: one verdict for each promise.
 *
 * Pure: records in, in the order in which they happened, and a line for each rule out.
 * Each device's path may be legal and the machine's migration wrong all the same; so a rule
 * looks at all devices together, and at what the VMM said. Documentation/vmm-contract.rst
 * is the table of the rules.
 */
#ifndef MIGLAB_JUDGE_CONTRACT_H
#define MIGLAB_JUDGE_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "judge/verdict.h"

#define CONTRACT_TEXT_MAX	256
#define CONTRACT_UNKNOWN	UINT32_MAX	/* of a state: nobody knows it */

enum contract_what {
	CONTRACT_BEGINS,	/* an arc: @from, @to, on the way to @wanted */
	CONTRACT_ENDS,		/* the arc of the device that began is over: @result */
	CONTRACT_KNOWN,		/* the VMM asked, or set what was so already: in @to */
	CONTRACT_RESET,		/* VFIO_DEVICE_RESET returned @result */
	/* Up to here it is the VMM's doing. */
	CONTRACT_FOUND,		/* the judge looked: it is in @to */
	CONTRACT_READ,		/* the device's stream was read up to here; @whole: to its end */
	CONTRACT_SAID,		/* VFIO_MIGRATION was received: the device is in @to */
	CONTRACT_ANNOUNCED,	/* the same: it will go to @to */
	CONTRACT_STATUS,	/* MIGRATION was received: @status */
	CONTRACT_STANDS,	/* the machine stands: STOP was received, or the VMM was asked */
	CONTRACT_RUNS,		/* it runs: the same of RESUME */
};

enum contract_status {
	CONTRACT_SETUP,		/* it has begun: setup, active and so on */
	CONTRACT_COMPLETED,
	CONTRACT_FAILED,
	CONTRACT_CANCELLED,
};

struct contract_record {
	enum contract_what what;
	unsigned int device;	/* not of STATUS, STANDS and RUNS */
	uint64_t ns;		/* when; for durations, since the order is that of the array */
	uint32_t from, to, wanted;	/* enum vfio_device_mig_state */
	int result;		/* 0 or negative errno */
	bool whole;
	enum contract_status status;
};

struct contract_input {
	const struct contract_record *records;
	size_t count;
	const char *const *ids;		/* of the devices */
	const uint32_t *start;		/* where each was at first, or CONTRACT_UNKNOWN */
	unsigned int devices;
	bool sees_questions;		/* no record of KNOWN or RESET is missing */
	uint64_t noise_ns;		/* see verdict.h */
	uint64_t lead_ns;		/* see verdict.h; 0: no limit */
	uint64_t downtime_ns;		/* the limit; 0: there is none */
	unsigned int compared;		/* devices of which two witnesses were compared */
	const struct verdict_line *announced;	/* what verdict_judge() said of the same run */
	size_t announced_count;
};

struct contract_line {
	const struct contract_rule *rule;
	enum verdict_outcome outcome;
	char text[CONTRACT_TEXT_MAX];	/* what was seen, or why there is nothing to judge */
};

struct contract_rule {
	const char *id;
	const char *where;	/* the place that the promise is written in */
	const char *what;	/* the promise */
	/* Fills outcome and text of @line, which is VERDICT_NONE and "" before. */
	void (*judge)(const struct contract_input *in, struct contract_line *line);
};

#define CONTRACT_RULES	10

extern const struct contract_rule contract_rules[CONTRACT_RULES];

/* A line for each rule, in the order of the table. */
void contract_judge(const struct contract_input *in, struct contract_line lines[CONTRACT_RULES]);

/*
 * What the chosen lines come to: one that fails fails, else one that is open leaves it open,
 * and nothing has passed unless one did. @chosen NULL: all.
 */
enum verdict_outcome contract_sum(const struct contract_line lines[CONTRACT_RULES],
				  const bool chosen[CONTRACT_RULES]);

/* Marks the rules named in @text, "p2p-barrier,recovery"; -EINVAL with the name that is none. */
int contract_ids(const char *text, bool ret_named[CONTRACT_RULES], struct error *err);

#endif
