/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one session of the judge has for the rules of contract.h: where devices were at
 * first and at the end, and all that was heard meanwhile.
 */
#ifndef MIGLAB_JUDGE_ACCOUNT_H
#define MIGLAB_JUDGE_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>

#include "judge/contract.h"
#include "judge/witness.h"

struct account;

/* NULL: no memory. @targets outlive it. */
struct account *account_new(const struct witness_target *targets, size_t count);
void account_free(struct account *a);	/* NULL is allowed */

/* Looks where devices are and whether the machine runs; what cannot be asked is not known. */
void account_begin(struct account *a, struct witness *w);

/* Takes down an event, in the order of the wire. */
void account_hear(struct account *a, const struct qmp_event *event);

/**
 * account_judge() - all rules on what was seen since account_begin()
 * @in: of witness_collect()
 * @announced: what verdict_judge() made of @in
 * @downtime_ns: see contract.h
 *
 * Return: 0 or -ENOMEM.
 */
int account_judge(struct account *a, struct witness *w, const struct verdict_input *in,
		  const struct verdict_line *announced, size_t announced_count,
		  uint64_t downtime_ns, struct contract_line lines[CONTRACT_RULES]);

#endif
