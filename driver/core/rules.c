// SPDX-License-Identifier: GPL-2.0-only
#include "rules.h"
#include "fsm.h"
#include "prng.h"

#define ERRNO_MAX	4095

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
	KEY_DELAY,
	KEY_JITTER,
	KEY_SEED,
	KEY_HOLD,
	KEY_LIMIT,
	KEY_ERRNO,
	KEY_NTH,
	KEY_EVERY,
	KEY_TIMES,
	NR_KEYS
};

#define NAME(text) .name = text, .len = sizeof(text) - 1

static const struct {
	const char *name;
	size_t len;
	u64 min, max;		/* of a number */
} keys[NR_KEYS] = {
	[KEY_ARC] = { NAME("arc") },
	[KEY_DELAY] = { NAME("delay_us"), 0, MIGLAB_DELAY_MAX_US },
	[KEY_JITTER] = { NAME("jitter_us"), 0, MIGLAB_DELAY_MAX_US },
	[KEY_SEED] = { NAME("seed"), 0, U64_MAX },
	[KEY_HOLD] = { NAME("hold") },
	[KEY_LIMIT] = { NAME("limit_us"), 1, MIGLAB_DELAY_MAX_US },
	[KEY_ERRNO] = { NAME("errno"), 1, ERRNO_MAX },
	[KEY_NTH] = { NAME("nth"), 1, (u32)~0u },
	[KEY_EVERY] = { NAME("every"), 1, (u32)~0u },
	[KEY_TIMES] = { NAME("times"), 1, (u32)~0u },
};

#define ERRNO(symbol) { NAME(#symbol), symbol }

/* What a driver could plausibly fail an arc with; any other goes by its number. */
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

static const char *parse_arc(const char *at, size_t len, u32 *ret_from, u32 *ret_to)
{
	const char *to = memchr(at, '>', len);
	u32 next;

	if (!to)
		return "arc is not FROM>TO";
	if (miglab_state_parse(at, (size_t)(to - at), ret_from) ||
	    miglab_state_parse(to + 1, len - (size_t)(to + 1 - at), ret_to))
		return "unknown state";
	/* A device walks from arc to arc: a rule for a whole path would never match. */
	if (*ret_from == *ret_to ||
	    miglab_fsm_next(MIGLAB_FLAGS_FULL, *ret_from, *ret_to, &next) || next != *ret_to)
		return "not a single arc";
	return NULL;
}

static void set_number(struct miglab_rule *rule, enum rule_key key, u64 n)
{
	switch (key) {
	case KEY_DELAY:
		rule->delay_us = n;
		break;
	case KEY_JITTER:
		rule->jitter_us = n;
		break;
	case KEY_SEED:
		rule->prng = n;
		break;
	case KEY_LIMIT:
		rule->limit_us = n;
		break;
	case KEY_NTH:
		rule->nth = (u32)n;
		break;
	case KEY_EVERY:
		rule->every = (u32)n;
		break;
	case KEY_TIMES:
		rule->times = (u32)n;
		break;
	default:
		break;
	}
}

static const char *parse_value(struct miglab_rule *rule, enum rule_key key, const char *at,
			       size_t len)
{
	const char *what;
	u64 n;

	if (key == KEY_ARC)
		return parse_arc(at, len, &rule->from, &rule->to);
	if (key == KEY_ERRNO)
		return parse_errno(at, len, &rule->error);
	what = parse_number(at, len, key, &n);
	if (!what)
		set_number(rule, key, n);
	return what;
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
	if (key == KEY_HOLD) {
		rule->hold = true;
		return value ? "hold takes no value" : NULL;
	}
	if (!value)
		return "missing value";
	return parse_value(rule, key, value + 1, w->len - len - 1);
}

/* 1: a rule was read, 0: there are no more, or a negative errno. */
static int parse_rule(struct cursor *c, struct miglab_rule *rule, struct miglab_rules_error *err)
{
	struct word seen[NR_KEYS] = { 0 };
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

	if (!seen[KEY_ARC].at)
		return refuse(err, &first, "rule without arc");
	if (seen[KEY_LIMIT].at && !rule->hold)
		return refuse(err, &seen[KEY_LIMIT], "limit_us without hold");
	if (seen[KEY_SEED].at && !seen[KEY_JITTER].at)
		return refuse(err, &seen[KEY_SEED], "seed without jitter_us");
	if (rule->hold && !rule->limit_us)
		rule->limit_us = MIGLAB_HOLD_LIMIT_US;
	return 1;
}

/* Reads the set that begins at @c; with @ret NULL only to see whether it is good. */
static int parse_set(struct cursor c, struct miglab_rules *ret, struct miglab_rules_error *err)
{
	struct cursor before = c;
	struct miglab_rule rule;
	struct word w;
	u32 count = 0;
	int more;

	while ((more = parse_rule(&c, &rule, err)) > 0) {
		if (count == MIGLAB_RULES_MAX) {
			next_word(&before, true, &w);
			refuse(err, &w, "more than 64 rules");
			return -E2BIG;
		}
		if (ret)
			ret->rule[count] = rule;
		count++;
		before = c;
	}
	if (ret)
		ret->count = count;
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

/* Counts a match of @rule's arc. Does it act on this one? */
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

struct miglab_plan miglab_rules_match(struct miglab_rules *rules, u32 from, u32 to)
{
	struct miglab_plan plan = { 0 };
	u32 i;

	for (i = 0; i < rules->count; i++) {
		struct miglab_rule *rule = &rules->rule[i];

		if (rule->from != from || rule->to != to || !rule_acts(rule))
			continue;
		plan.rule = i + 1;
		plan.delay_us = rule->delay_us + jitter(rule);
		plan.limit_us = rule->limit_us;
		plan.error = rule->error;
		plan.hold = rule->hold;
		break;
	}
	return plan;
}
