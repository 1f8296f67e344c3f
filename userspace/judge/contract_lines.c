// SPDX-License-Identifier: GPL-2.0-only
#include "judge/contract_lines.h"

static const char *const outcome_names[] = {
	[VERDICT_PASS] = "PASS",
	[VERDICT_FAIL] = "FAIL",
	[VERDICT_OPEN] = "INCONCLUSIVE",
	[VERDICT_NONE] = "N/A",
};

#define OUTCOMES	(sizeof(outcome_names) / sizeof(outcome_names[0]))

void contract_line_put(FILE *out, const struct contract_line *line)
{
	fprintf(out, "%-17s  %s   %s\n", line->rule->id, line->text,
		outcome_names[line->outcome]);
}

static void add_string(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

struct json_object *contract_line_json(const struct contract_line *line)
{
	struct json_object *object = json_object_new_object();

	add_string(object, "contract", line->rule->id);
	add_string(object, "outcome", outcome_names[line->outcome]);
	json_object_object_add(object, "pass",
			       json_object_new_boolean(line->outcome == VERDICT_PASS));
	add_string(object, "text", line->text);
	return object;
}

/* How many of the chosen lines have each outcome. */
static void count_lines(const struct contract_line lines[CONTRACT_RULES],
			const bool chosen[CONTRACT_RULES], unsigned int counts[OUTCOMES])
{
	for (size_t i = 0; i < CONTRACT_RULES; i++)
		counts[lines[i].outcome] += chosen[i];
}

void contract_sum_put(FILE *out, const struct contract_line lines[CONTRACT_RULES],
		      const bool chosen[CONTRACT_RULES], enum verdict_outcome outcome,
		      const char *migration, const char *ended)
{
	unsigned int counts[OUTCOMES] = { 0 };

	count_lines(lines, chosen, counts);
	fprintf(out, "contract: %u kept, %u broken, %u open, %u not judged, ",
		counts[VERDICT_PASS], counts[VERDICT_FAIL], counts[VERDICT_OPEN],
		counts[VERDICT_NONE]);
	if (migration)
		fprintf(out, "migration %s   %s\n", migration, outcome_names[outcome]);
	else
		fprintf(out, "the migration did not end (%s)   %s\n", ended,
			outcome_names[outcome]);
}

struct json_object *contract_sum_json(const struct contract_line lines[CONTRACT_RULES],
				      const bool chosen[CONTRACT_RULES],
				      enum verdict_outcome outcome, const char *migration,
				      const char *ended)
{
	static const struct { const char *key; enum verdict_outcome outcome; } numbers[] = {
		{ "kept", VERDICT_PASS }, { "broken", VERDICT_FAIL }, { "open", VERDICT_OPEN },
		{ "not-judged", VERDICT_NONE },
	};
	struct json_object *object = json_object_new_object();
	unsigned int counts[OUTCOMES] = { 0 };

	count_lines(lines, chosen, counts);
	add_string(object, "result", outcome_names[outcome]);
	json_object_object_add(object, "pass", json_object_new_boolean(outcome == VERDICT_PASS));
	add_string(object, "ended", ended);
	if (migration)
		add_string(object, "migration", migration);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		json_object_object_add(object, numbers[i].key,
				       json_object_new_int64(counts[numbers[i].outcome]));
	return object;
}

void contract_list(FILE *out)
{
	for (size_t i = 0; i < CONTRACT_RULES; i++)
		fprintf(out, "%s\n     %s\n     %s\n", contract_rules[i].id,
			contract_rules[i].what, contract_rules[i].where);
}
