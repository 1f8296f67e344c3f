// SPDX-License-Identifier: GPL-2.0-only
#include "rules.h"
#include "fsm.h"
#include "prng.h"

#define ERRNO_MAX	4095
#define COUNT_MAX	((u32)~0u)

/* Some bytes of the text, not NUL-terminated, and where they begin. */
struct word {
	const char *at;
	size_t len;
	u32 line, column;
};

struct cursor {
	const char *at, *end;
	u32 line, column;
};

enum rule_key {
	KEY_ARC,
	KEY_OP,
	KEY_DELAY,
	KEY_JITTER,
	KEY_SEED,
	KEY_HOLD,
	KEY_LIMIT,
	KEY_ERRNO,
	KEY_THEN,
	KEY_SHORT,
	KEY_VALUE,
	KEY_GARBAGE,
	KEY_REINIT,
	KEY_CORRUPT,
	KEY_TRUNCATE,
	KEY_DROP,
	KEY_SLIP,
	KEY_NTH,
	KEY_EVERY,
	KEY_TIMES,
	NR_KEYS
};

#define NAME(text) .name = text, .len = sizeof(text) - 1

static const struct {
	const char *name;
	size_t len;
} ops[MIGLAB_NR_OPS] = {
	[MIGLAB_OP_ARC] = { NAME("arc") },
	[MIGLAB_OP_READ] = { NAME("read") },
	[MIGLAB_OP_WRITE] = { NAME("write") },
	[MIGLAB_OP_PRECOPY_INFO] = { NAME("precopy_info") },
	[MIGLAB_OP_DATA_SIZE] = { NAME("data_size") },
	[MIGLAB_OP_SAVE] = { NAME("save") },
	[MIGLAB_OP_LOAD] = { NAME("load") },
	[MIGLAB_OP_RESET] = { NAME("reset") },
	[MIGLAB_OP_DMA] = { NAME("dma") },
	[MIGLAB_OP_DMA_RECORD] = { NAME("dma_record") },
	[MIGLAB_OP_DIRTY] = { NAME("dirty") },
	[MIGLAB_OP_POLL] = { NAME("poll") },
};

#define ON(op)	(1u << MIGLAB_OP_##op)
#define ANY	((1u << MIGLAB_NR_OPS) - 1)
#define WAITS	(ANY & ~(ON(DMA) | ON(DMA_RECORD) | ON(DIRTY) | ON(POLL)))
#define FAILS	(WAITS & ~ON(SAVE))

/* The value is a number that goes to a field of the rule: one of 64 bits, or a count of 32. */
#define NUMBER(member, least, most) \
	.kind = KIND_NUMBER, .field = offsetof(struct miglab_rule, member), \
	.min = least, .max = most
#define COUNT(member) \
	.kind = KIND_COUNT, .field = offsetof(struct miglab_rule, member), \
	.min = 1, .max = COUNT_MAX

/* This key makes no sense without another one. */
#define NEEDS(key, text) .needs = key, .alone = text

static const struct {
	const char *name;
	size_t len;
	enum { KIND_TEXT, KIND_NUMBER, KIND_COUNT, KIND_FLAG } kind;
	u32 on;			/* the ops that may have it */
	u32 fault;		/* what its presence adds to miglab_rule.faults */
	size_t field;
	u64 min, max;
	enum rule_key needs;
	const char *alone;	/* what to say without it; NULL: needs none */
} keys[NR_KEYS] = {
	[KEY_ARC] = { NAME("arc"), .on = ON(ARC) },
	[KEY_OP] = { NAME("op"), .on = ANY & ~ON(ARC) },
	[KEY_DELAY] = { NAME("delay_us"), .on = WAITS, NUMBER(delay_us, 0, MIGLAB_DELAY_MAX_US) },
	[KEY_JITTER] = { NAME("jitter_us"), .on = WAITS,
			 NUMBER(jitter_us, 0, MIGLAB_DELAY_MAX_US) },
	[KEY_SEED] = { NAME("seed"), .on = WAITS, NUMBER(prng, 0, U64_MAX),
		       NEEDS(KEY_JITTER, "seed without jitter_us") },
	[KEY_HOLD] = { NAME("hold"), .kind = KIND_FLAG, .on = ON(ARC) },
	[KEY_LIMIT] = { NAME("limit_us"), .on = ON(ARC),
			NUMBER(limit_us, 1, MIGLAB_DELAY_MAX_US),
			NEEDS(KEY_HOLD, "limit_us without hold") },
	[KEY_ERRNO] = { NAME("errno"), .on = FAILS, .min = 1, .max = ERRNO_MAX },
	[KEY_THEN] = { NAME("then"), .on = ON(ARC) | ON(LOAD), .fault = MIGLAB_FAULT_ERROR,
		       NEEDS(KEY_ERRNO, "then without errno") },
	[KEY_SHORT] = { NAME("short"), .on = ON(READ) | ON(WRITE), .fault = MIGLAB_FAULT_SHORT,
			NUMBER(size, 1, U64_MAX) },
	[KEY_VALUE] = { NAME("value"), .on = ON(DATA_SIZE), .fault = MIGLAB_FAULT_VALUE,
			NUMBER(size, 0, U64_MAX) },
	[KEY_GARBAGE] = { NAME("garbage"), .kind = KIND_FLAG, .on = ON(PRECOPY_INFO),
			  .fault = MIGLAB_FAULT_GARBAGE },
	[KEY_REINIT] = { NAME("reinit"), .kind = KIND_FLAG, .on = ON(PRECOPY_INFO),
			 .fault = MIGLAB_FAULT_REINIT },
	[KEY_CORRUPT] = { NAME("corrupt"), .on = ON(SAVE), .fault = MIGLAB_FAULT_CORRUPT,
			  NUMBER(corrupt, 0, U64_MAX) },
	[KEY_TRUNCATE] = { NAME("truncate"), .on = ON(SAVE), .fault = MIGLAB_FAULT_TRUNCATE,
			   NUMBER(truncate, 0, U64_MAX) },
	[KEY_DROP] = { NAME("drop"), .kind = KIND_FLAG,
		       .on = ON(DMA_RECORD) | ON(DIRTY) | ON(POLL),
		       .fault = MIGLAB_FAULT_DROP },
	[KEY_SLIP] = { NAME("slip"), .on = ON(DMA), .fault = MIGLAB_FAULT_SLIP,
		       COUNT(times) },
	[KEY_NTH] = { NAME("nth"), .on = ANY, COUNT(nth) },
	[KEY_EVERY] = { NAME("every"), .on = ANY, COUNT(every) },
	[KEY_TIMES] = { NAME("times"), .on = ANY & ~ON(DMA), COUNT(times) },
};

#define ERRNO(symbol) { NAME(#symbol), symbol }

/* What a driver could plausibly fail with; any other goes by its number. */
static const struct {
	const char *name;
	size_t len;
	int value;
} errnos[] = {
	ERRNO(EPERM), ERRNO(ENOENT), ERRNO(EINTR), ERRNO(EIO), ERRNO(ENXIO), ERRNO(E2BIG),
	ERRNO(EBADF), ERRNO(EAGAIN), ERRNO(ENOMEM), ERRNO(EACCES), ERRNO(EFAULT), ERRNO(EBUSY),
	ERRNO(EEXIST), ERRNO(ENODEV), ERRNO(EINVAL), ERRNO(EMFILE), ERRNO(ENOTTY), ERRNO(EFBIG),
	ERRNO(ENOSPC), ERRNO(EPIPE), ERRNO(ERANGE), ERRNO(ENOSYS), ERRNO(ENOMSG), ERRNO(ENODATA),
	ERRNO(ETIME), ERRNO(EPROTO), ERRNO(EBADMSG), ERRNO(EOVERFLOW), ERRNO(EMSGSIZE),
	ERRNO(EOPNOTSUPP), ERRNO(ETIMEDOUT), ERRNO(EALREADY), ERRNO(EINPROGRESS),
	ERRNO(EREMOTEIO), ERRNO(ECANCELED),
};

static int refuse(struct miglab_rules_error *err, const struct word *w, const char *what)
{
	size_t i, len = w->len < sizeof(err->value) ? w->len : sizeof(err->value) - 1;

	memset(err, 0, sizeof(*err));
	err->line = w->line;
	err->column = w->column;
	err->what = what;
	/* The shells print this on one line. */
	for (i = 0; i < len; i++)
		err->value[i] = (u8)w->at[i] < ' ' || w->at[i] == 0x7f ? '?' : w->at[i];
	return -EINVAL;
}

static void step(struct cursor *c)
{
	if (*c->at++ == '\n') {
		c->line++;
		c->column = 1;
	} else {
		c->column++;
	}
}

static bool is_separator(char c)
{
	return c == '\n' || c == ';';
}

static bool is_in_word(char c)
{
	return !is_separator(c) && c != ' ' && c != '\t' && c != '\r' && c != '#';
}

static void skip_comment(struct cursor *c)
{
	while (c->at < c->end && *c->at != '\n')
		step(c);
}

/* The next word of this rule or, with @of_new_rule, of the first rule after it. */
static bool next_word(struct cursor *c, bool of_new_rule, struct word *ret)
{
	while (c->at < c->end && !is_in_word(*c->at)) {
		if (is_separator(*c->at) && !of_new_rule)
			return false;
		if (*c->at == '#')
			skip_comment(c);
		else
			step(c);
	}
	if (c->at == c->end)
		return false;
	*ret = (struct word){ .at = c->at, .line = c->line, .column = c->column };
	while (c->at < c->end && is_in_word(*c->at))
		step(c);
	ret->len = (size_t)(c->at - ret->at);
	return true;
}

/* Returns NULL or, as all parsers of values here, what is wrong with it. */
static const char *parse_number(const char *at, size_t len, enum rule_key key, u64 *ret)
{
	u64 n = 0;
	size_t i;

	if (!len)
		return "missing number";
	for (i = 0; i < len; i++) {
		u32 digit = (u8)at[i] - (u32)'0';

		if (digit > 9)
			return "not a decimal number";
		if (n > div64_u64(U64_MAX - digit, 10))
			return "number too large";
		n = n * 10 + digit;
	}
	if (n < keys[key].min)
		return "number too small";
	if (n > keys[key].max)
		return "number too large";
	*ret = n;
	return NULL;
}

static const char *parse_errno(const char *at, size_t len, int *ret)
{
	const char *what;
	u64 number;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(errnos); i++) {
		if (len == errnos[i].len && !memcmp(at, errnos[i].name, len)) {
			*ret = -errnos[i].value;
			return NULL;
		}
	}
	if (!len || *at < '0' || *at > '9')
		return "unknown errno";
	what = parse_number(at, len, KEY_ERRNO, &number);
	if (!what)
		*ret = -(int)number;
	return what;
}

/* Is it one arc of a device with one of the sets of flags that the uAPI defines? */
static bool is_single_arc(u32 from, u32 to)
{
	u32 flags, next;

	for (flags = MIGLAB_FLAG_STOP_COPY; flags <= MIGLAB_FLAGS_FULL; flags += 2)
		if (from != to && !miglab_fsm_next(flags, from, to, &next) && next == to)
			return true;
	return false;
}

const char *miglab_arc_parse(const char *at, size_t len, u32 *ret_from, u32 *ret_to)
{
	const char *to = memchr(at, '>', len);

	if (!to)
		return "arc is not FROM>TO";
	if (miglab_state_parse(at, (size_t)(to - at), ret_from) ||
	    miglab_state_parse(to + 1, len - (size_t)(to + 1 - at), ret_to))
		return "unknown state";
	/* A device walks from arc to arc: a rule for a whole path would never match. */
	return is_single_arc(*ret_from, *ret_to) ? NULL : "not a single arc";
}

static const char *parse_op(const char *at, size_t len, struct miglab_rule *rule)
{
	u32 op;

	for (op = MIGLAB_OP_ARC + 1; op < MIGLAB_NR_OPS; op++) {
		if (len == ops[op].len && !memcmp(at, ops[op].name, len)) {
			rule->op = op;
			return NULL;
		}
	}
	return "unknown op";
}

static const char *parse_text(struct miglab_rule *rule, enum rule_key key, const char *at,
			      size_t len)
{
	static const char error[] = "ERROR";

	switch (key) {
	case KEY_ARC:
		return miglab_arc_parse(at, len, &rule->from, &rule->to);
	case KEY_OP:
		return parse_op(at, len, rule);
	case KEY_ERRNO:
		return parse_errno(at, len, &rule->error);
	default:
		return len == sizeof(error) - 1 && !memcmp(at, error, len) ?
		       NULL : "then is not ERROR";
	}
}

static const char *parse_value(struct miglab_rule *rule, enum rule_key key, const char *at,
			       size_t len)
{
	const char *what;
	u64 n;

	if (keys[key].kind == KIND_TEXT)
		return parse_text(rule, key, at, len);
	what = parse_number(at, len, key, &n);
	if (what)
		return what;
	if (keys[key].kind == KIND_COUNT) {
		u32 count = (u32)n;

		memcpy((u8 *)rule + keys[key].field, &count, sizeof(count));
	} else {
		memcpy((u8 *)rule + keys[key].field, &n, sizeof(n));
	}
	return NULL;
}

/* One word of a rule; @seen holds the words that its keys had, .at NULL if none. */
static const char *parse_word(struct miglab_rule *rule, const struct word *w, struct word *seen)
{
	const char *value = memchr(w->at, '=', w->len);
	size_t len = value ? (size_t)(value - w->at) : w->len;
	u32 key;

	for (key = 0; key < NR_KEYS; key++)
		if (len == keys[key].len && !memcmp(w->at, keys[key].name, len))
			break;
	if (key == NR_KEYS)
		return "unknown key";
	if (seen[key].at)
		return "key given twice";
	seen[key] = *w;
	rule->faults |= keys[key].fault;
	if (keys[key].kind == KIND_FLAG)
		return value ? "key takes no value" : NULL;
	if (!value)
		return "missing value";
	return parse_value(rule, key, value + 1, w->len - len - 1);
}

/* Do the words of a rule, each good in itself, go together? Returns the one that does not. */
static const struct word *check_words(const struct miglab_rule *rule, const struct word *seen,
				      const char **ret_what)
{
	u32 key;

	for (key = 0; key < NR_KEYS; key++) {
		if (!seen[key].at)
			continue;
		*ret_what = rule->op == MIGLAB_OP_ARC ? "key is not for an arc" :
							"key is not for this op";
		if (!(keys[key].on & (1u << rule->op)))
			return &seen[key];
		*ret_what = keys[key].alone;
		if (keys[key].alone && !seen[keys[key].needs].at)
			return &seen[key];
	}
	return NULL;
}

/* 1: a rule was read, 0: there are no more, or a negative errno. */
static int parse_rule(struct cursor *c, struct miglab_rule *rule, struct miglab_rules_error *err)
{
	struct word seen[NR_KEYS] = { 0 };
	const struct word *odd;
	struct word first, w;
	const char *what;

	if (!next_word(c, true, &first))
		return 0;
	memset(rule, 0, sizeof(*rule));
	w = first;
	do {
		what = parse_word(rule, &w, seen);
		if (what)
			return refuse(err, &w, what);
	} while (next_word(c, false, &w));

	if (!seen[KEY_ARC].at && !seen[KEY_OP].at)
		return refuse(err, &first, "rule without arc or op");
	if (seen[KEY_ARC].at && seen[KEY_OP].at)
		return refuse(err, &first, "rule with both arc and op");
	odd = check_words(rule, seen, &what);
	if (odd)
		return refuse(err, odd, what);
	rule->hold = seen[KEY_HOLD].at;
	if (rule->hold && !rule->limit_us)
		rule->limit_us = MIGLAB_HOLD_LIMIT_US;
	return 1;
}

/* Reads the set that begins at @c; with @ret NULL only to see whether it is good. */
static int parse_set(struct cursor c, struct miglab_rules *ret, struct miglab_rules_error *err)
{
	struct cursor before = c;
	struct miglab_rule rule;
	u32 count = 0, acted_on = 0;
	struct word w;
	int more;

	while ((more = parse_rule(&c, &rule, err)) > 0) {
		if (count == MIGLAB_RULES_MAX) {
			next_word(&before, true, &w);
			refuse(err, &w, "more than 64 rules");
			return -E2BIG;
		}
		if (ret)
			ret->rule[count] = rule;
		acted_on |= 1u << rule.op;
		count++;
		before = c;
	}
	if (ret) {
		ret->count = count;
		ret->ops = acted_on;
	}
	return more;
}

int miglab_rules_parse(struct miglab_rules *ret, const char *text, size_t len,
		       struct miglab_rules_error *err)
{
	struct cursor c = { .at = text, .end = text + len, .line = 1, .column = 1 };
	struct word w = { .at = text, .line = 1, .column = 1 };
	const char *nul;
	int status;

	if (len && text[len - 1] == '\0')
		c.end = text + --len;
	if (len > MIGLAB_RULES_TEXT_MAX) {
		refuse(err, &w, "text longer than 4095 bytes");
		return -E2BIG;
	}
	nul = len ? memchr(text, '\0', len) : NULL;
	if (nul) {
		while (c.at < nul)
			step(&c);
		w = (struct word){ .at = nul, .len = 1, .line = c.line, .column = c.column };
		return refuse(err, &w, "NUL byte in the text");
	}

	/* A set is too large for a second one on the kernel's stack: look first, then fill. */
	status = parse_set(c, NULL, err);
	return status ? status : parse_set(c, ret, err);
}

/* Counts a match of @rule. Does it act on this one? */
static bool rule_acts(struct miglab_rule *rule)
{
	rule->matched++;
	if (rule->nth && rule->matched != rule->nth)
		return false;
	if (rule->every && rule->matched % rule->every)
		return false;
	if (rule->times && rule->acted >= rule->times)
		return false;
	rule->acted++;
	return true;
}

/* 0 to @rule->jitter_us: both factors fit 32 bits, see MIGLAB_DELAY_MAX_US. */
static u64 jitter(struct miglab_rule *rule)
{
	return (miglab_prng(&rule->prng) >> 32) * (rule->jitter_us + 1) >> 32;
}

/* The answer of the first rule for @op, and of an arc for @from > @to, that acts. */
static struct miglab_plan match(struct miglab_rules *rules, u32 op, u32 from, u32 to)
{
	struct miglab_plan plan = { 0 };
	u32 i;

	for (i = 0; i < rules->count; i++) {
		struct miglab_rule *rule = &rules->rule[i];

		if (rule->op != op || rule->from != from || rule->to != to || !rule_acts(rule))
			continue;
		plan = (struct miglab_plan){
			.rule = i + 1,
			.faults = rule->faults,
			.size = rule->size,
			.corrupt = rule->corrupt,
			.truncate = rule->truncate,
			.delay_us = rule->delay_us + jitter(rule),
			.limit_us = rule->limit_us,
			.error = rule->error,
			.hold = rule->hold,
		};
		break;
	}
	return plan;
}

struct miglab_plan miglab_rules_match(struct miglab_rules *rules, u32 from, u32 to)
{
	return match(rules, MIGLAB_OP_ARC, from, to);
}

struct miglab_plan miglab_rules_match_op(struct miglab_rules *rules, enum miglab_op op)
{
	return match(rules, op, 0, 0);
}

u64 miglab_rules_acted(const struct miglab_rules *rules)
{
	u64 acted = 0;
	u32 i;

	for (i = 0; i < rules->count; i++)
		acted += rules->rule[i].acted;
	return acted;
}

const char *miglab_op_name(enum miglab_op op)
{
	return ops[op].name;
}
