/* SPDX-License-Identifier: GPL-2.0-only */
/* What the rules of contract.h are written with, and the rules. For contract_*.c only. */
#ifndef MIGLAB_JUDGE_CONTRACT_RULES_H
#define MIGLAB_JUDGE_CONTRACT_RULES_H

#include "judge/contract.h"

void contract_prepare_before(const struct contract_input *in, struct contract_line *line);
void contract_not_too_early(const struct contract_input *in, struct contract_line *line);
void contract_quiesce_announced(const struct contract_input *in, struct contract_line *line);
void contract_p2p_barrier(const struct contract_input *in, struct contract_line *line);
void contract_state_moved(const struct contract_input *in, struct contract_line *line);
void contract_stream_complete(const struct contract_input *in, struct contract_line *line);
void contract_true_end(const struct contract_input *in, struct contract_line *line);
void contract_recovery(const struct contract_input *in, struct contract_line *line);
void contract_downtime(const struct contract_input *in, struct contract_line *line);
void contract_witnesses_agree(const struct contract_input *in, struct contract_line *line);

/* The outcome with its sentence; a sentence that is there already stays in front of it. */
void contract_say(struct contract_line *line, enum verdict_outcome outcome, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* What the arc that begins at @at came to: 0 or negative errno; *ret_end NULL: it is not over. */
int contract_result(const struct contract_input *in, const struct contract_record *at,
		    const struct contract_record **ret_end);

/* The device is set to load what another one saved: a destination's. */
bool contract_loads(const struct contract_input *in, unsigned int device);

/*
 * The device's state behind @record, when it was @state before it. In an arc it is where it
 * comes from; after one that failed it is not known.
 */
uint32_t contract_follow(uint32_t state, const struct contract_record *record);

/* Where @device is at the end. */
uint32_t contract_end_state(const struct contract_input *in, unsigned int device);

/* What MIGRATION said at the end; NULL: no end was seen. */
const struct contract_record *contract_end(const struct contract_input *in);

bool contract_is_stopped(uint32_t state);	/* STOP, STOP_COPY, RESUMING */

#endif
