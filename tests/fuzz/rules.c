// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parser of rules.
 *
 * - A set that is accepted, printed from what it means, is the same set.
 * - Two texts, each accepted, are accepted one behind the other and mean both; one of
 *   which is refused, is.
 * - A refusal leaves the output alone and names a place in the text and the word there.
 * - A plan is within the bounds that its rule gives.
 */
#include "fuzz.h"

#include "core/fsm.h"
#include "core/rules.h"

#define PRINTED_MAX	(MIGLAB_RULES_MAX * 256)

/* As the parser reads each set; a printed one may exceed the limit of a text. */
static struct miglab_rules set, again, joined, untouched;

/* --- printing ------------------------------------------------------------------- */

#define FIELD(member)	offsetof(struct miglab_rule, member), \
			sizeof(((struct miglab_rule *)NULL)->member)

static const struct { const char *key; size_t field, bytes; } numbers[] = {
	{ "delay_us", FIELD(delay_us) }, { "limit_us", FIELD(limit_us) }, { "nth", FIELD(nth) },
	{ "every", FIELD(every) }, { "times", FIELD(times) },
};

/* Keys whose presence is a bit of faults; with a number, or without. */
static const struct { u32 fault; const char *key; size_t field, bytes; } faults[] = {
	{ MIGLAB_FAULT_SHORT, "short", FIELD(size) },
	{ MIGLAB_FAULT_VALUE, "value", FIELD(size) },
	{ MIGLAB_FAULT_CORRUPT, "corrupt", FIELD(corrupt) },
	{ MIGLAB_FAULT_TRUNCATE, "truncate", FIELD(truncate) },
	{ MIGLAB_FAULT_GARBAGE, "garbage", 0, 0 },
	{ MIGLAB_FAULT_REINIT, "reinit", 0, 0 },
	{ MIGLAB_FAULT_DROP, "drop", 0, 0 },
};

/* A number of 32 bits or 64. */
static u64 field_of(const struct miglab_rule *rule, size_t field, size_t bytes)
{
	const u8 *at = (const u8 *)rule + field;
	u64 value;
	u32 low;

	if (bytes == sizeof(low)) {
		memcpy(&low, at, sizeof(low));
		return low;
	}
	memcpy(&value, at, sizeof(value));
	return value;
}

static size_t print_rule(char *text, size_t room, const struct miglab_rule *rule)
{
	size_t n;

#define PRINT(...) (n += (size_t)snprintf(text + n, room - n, __VA_ARGS__))
	n = 0;
	if (rule->op == MIGLAB_OP_ARC)
		PRINT("arc=%s>%s", miglab_state_name(rule->from), miglab_state_name(rule->to));
	else
		PRINT("op=%s", miglab_op_name(rule->op));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (field_of(rule, numbers[i].field, numbers[i].bytes))
			PRINT(" %s=%llu", numbers[i].key,
			      (unsigned long long)field_of(rule, numbers[i].field,
							   numbers[i].bytes));
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		if (!(rule->faults & faults[i].fault))
			continue;
		PRINT(" %s", faults[i].key);
		if (faults[i].field)
			PRINT("=%llu", (unsigned long long)field_of(rule, faults[i].field,
								    faults[i].bytes));
	}
	if (rule->jitter_us || rule->prng)
		PRINT(" jitter_us=%llu seed=%llu", (unsigned long long)rule->jitter_us,
		      (unsigned long long)rule->prng);
	if (rule->error)
		PRINT(" errno=%d", -rule->error);
	PRINT("%s%s\n", rule->faults & MIGLAB_FAULT_ERROR ? " then=ERROR" : "",
	      rule->hold ? " hold" : "");
#undef PRINT
	CHECK(n < room);
	return n;
}

static void check_reparses(const struct miglab_rules *rules)
{
	static char text[PRINTED_MAX];
	struct miglab_rules_error err;
	size_t len = 0;

	for (u32 i = 0; i < rules->count; i++)
		len += print_rule(text + len, sizeof(text) - len, &rules->rule[i]);
	if (len > MIGLAB_RULES_TEXT_MAX)
		return;
	again = untouched;
	CHECK(!miglab_rules_parse(&again, text, len, &err));
	CHECK(again.count == rules->count && again.ops == rules->ops);
	CHECK(!memcmp(again.rule, rules->rule, rules->count * sizeof(rules->rule[0])));
}

/* --- refusals ------------------------------------------------------------------- */

/* The place of @line and @column in @text, at most @len. */
static size_t place_of(const char *text, size_t len, u32 line, u32 column)
{
	size_t at = 0;

	for (; line > 1; line--) {
		const char *newline = memchr(text + at, '\n', len - at);

		CHECK(newline);
		at = (size_t)(newline - text) + 1;
	}
	CHECK(column && column - 1 <= len - at);
	CHECK(!memchr(text + at, '\n', column - 1));
	return at + column - 1;
}

static void check_refusal(const char *text, size_t len, int ret,
			  const struct miglab_rules_error *err)
{
	size_t at, n = strnlen(err->value, sizeof(err->value));

	CHECK(ret == -EINVAL || ret == -E2BIG);
	CHECK(err->what && *err->what && n < sizeof(err->value));
	at = place_of(text, len, err->line, err->column);
	CHECK(n <= len - at);
	for (size_t i = 0; i < n; i++) {
		CHECK((u8)err->value[i] >= ' ' && err->value[i] != 0x7f);
		CHECK(err->value[i] == text[at + i] ||
		      (err->value[i] == '?' && ((u8)text[at + i] < ' ' || text[at + i] == 0x7f)));
	}
}

/* --- plans ---------------------------------------------------------------------- */

static void check_plan(const struct miglab_rules *rules, const struct miglab_plan *plan, u32 op)
{
	const struct miglab_rule *rule;

	if (!plan->rule) {
		CHECK(!plan->error && !plan->hold && !plan->delay_us && !plan->faults);
		return;
	}
	rule = &rules->rule[plan->rule - 1];
	CHECK(plan->rule <= rules->count && rule->op == op && rules->ops & 1u << op);
	CHECK(plan->delay_us >= rule->delay_us &&
	      plan->delay_us - rule->delay_us <= rule->jitter_us);
	CHECK(plan->delay_us <= 2 * MIGLAB_DELAY_MAX_US && plan->limit_us <= MIGLAB_DELAY_MAX_US);
	CHECK(plan->error <= 0 && plan->error >= -4095);
	CHECK(plan->hold == !!plan->limit_us);
	CHECK(!(plan->faults & MIGLAB_FAULT_SHORT) || plan->size);
	CHECK(!rule->times || rule->acted <= rule->times);
	CHECK(rule->acted <= rule->matched && (!rule->nth || rule->matched == rule->nth));
	CHECK(!rule->every || rule->matched % rule->every == 0);
}

static void check_plans(struct miglab_rules *rules)
{
	for (u32 i = 0; i < rules->count; i++) {
		const struct miglab_rule *rule = &rules->rule[i];
		struct miglab_plan plan = rule->op == MIGLAB_OP_ARC ?
			miglab_rules_match(rules, rule->from, rule->to) :
			miglab_rules_match_op(rules, rule->op);

		check_plan(rules, &plan, rule->op);
	}
}

/* --- texts ---------------------------------------------------------------------- */

static int parse(struct miglab_rules *ret_rules, const char *text, size_t len)
{
	struct miglab_rules_error err = { 0 };
	int ret;

	*ret_rules = untouched;
	ret = miglab_rules_parse(ret_rules, text, len, &err);
	if (ret) {
		CHECK(!memcmp(ret_rules, &untouched, sizeof(untouched)));
		check_refusal(text, len, ret, &err);
	}
	return ret;
}

/* @text in two, the second part beginning on a line of its own. */
static void check_joins(const char *text, size_t len, size_t cut)
{
	static char both[MIGLAB_RULES_TEXT_MAX + 2];
	int first, second, ret;

	/* A NUL at the end of a text is not of it. */
	if (len >= MIGLAB_RULES_TEXT_MAX || memchr(text, '\0', len))
		return;
	memcpy(both, text, cut);
	both[cut] = '\n';
	memcpy(both + cut + 1, text + cut, len - cut);
	first = parse(&set, text, cut);
	second = parse(&again, text + cut, len - cut);
	ret = parse(&joined, both, len + 1);
	if (first || second) {
		CHECK(ret);
		return;
	}
	CHECK(ret == (set.count + again.count > MIGLAB_RULES_MAX ? -E2BIG : 0));
	if (ret)
		return;
	CHECK(joined.count == set.count + again.count && joined.ops == (set.ops | again.ops));
	CHECK(!memcmp(joined.rule, set.rule, set.count * sizeof(set.rule[0])));
	CHECK(!memcmp(joined.rule + set.count, again.rule, again.count * sizeof(set.rule[0])));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	size_t len = size - 1;

	if (!size)
		return 0;
	if (!untouched.count)
		memset(&untouched, 0x5a, sizeof(untouched));
	check_joins(text, len, len ? data[0] % (len + 1) : 0);
	if (!parse(&set, text, len)) {
		check_reparses(&set);
		check_plans(&set);
	}
	return 0;
}
