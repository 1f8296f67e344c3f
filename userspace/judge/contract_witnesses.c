// SPDX-License-Identifier: GPL-2.0-only
/* Can what all other verdicts rest on be believed? verdict.h has what came of the comparison. */
#include "judge/contract_rules.h"

void contract_witnesses_agree(const struct contract_input *in, struct contract_line *line)
{
	for (size_t i = 0; i < in->announced_count; i++)
		if (in->announced[i].kind == VERDICT_DISAGREE)
			contract_say(line, VERDICT_FAIL, "they differ on %s",
				     in->ids[in->announced[i].device]);
	if (line->outcome == VERDICT_FAIL)
		return;
	if (in->compared)
		contract_say(line, VERDICT_PASS, "they agree on %u devices", in->compared);
	else
		contract_say(line, VERDICT_NONE, "no device has both");
}
