/* SPDX-License-Identifier: GPL-2.0-only */
/* How the verdicts of contract.h are told: a line for people, an object for programs. Pure. */
#ifndef MIGLAB_JUDGE_CONTRACT_LINES_H
#define MIGLAB_JUDGE_CONTRACT_LINES_H

#include <json-c/json.h>
#include <stdio.h>

#include "judge/contract.h"

/* "p2p-barrier  vf1 went .. while vf0 was in STOP_COPY   FAIL" and a newline. */
void contract_line_put(FILE *out, const struct contract_line *line);

/* Members contract (the id), outcome, pass, text. The caller owns it. */
struct json_object *contract_line_json(const struct contract_line *line);

/* What the chosen lines come to, @outcome; @ended as in lines.h. */
void contract_sum_put(FILE *out, const struct contract_line lines[CONTRACT_RULES],
		      const bool chosen[CONTRACT_RULES], enum verdict_outcome outcome,
		      const char *migration, const char *ended);
struct json_object *contract_sum_json(const struct contract_line lines[CONTRACT_RULES],
				      const bool chosen[CONTRACT_RULES],
				      enum verdict_outcome outcome, const char *migration,
				      const char *ended);

/* Every rule: id, promise, where it is written. */
void contract_list(FILE *out);

#endif
