// SPDX-License-Identifier: GPL-2.0-only
#include "unit.h"

#include "core/fsm.h"
#include "core/rules.h"

#define ARC	"arc=PRE_COPY>PRE_COPY_P2P"
#define SET(text) .set = text, .len = sizeof(text) - 1

static struct miglab_rules rules;

/* A set that is taken, and what its first rule then says. */
static const struct {
	const char *set;
	size_t len;
	u32 count;
	struct miglab_rule first;
} good[] = {
#define P2P	.from = MIGLAB_PRE_COPY, .to = MIGLAB_PRE_COPY_P2P
	{ SET(""), 0, { 0 } },
	{ SET("\0"), 0, { 0 } },
	{ SET("\n"), 0, { 0 } },
	{ SET(" \t\r\n;; ;\n"), 0, { 0 } },
	{ SET("# nothing"), 0, { 0 } },
	{ SET("# " ARC "\n"), 0, { 0 } },
	{ SET(MIGLAB_RULES_DEFAULT), 1, { P2P, .delay_us = 300000 } },
	{ SET(ARC), 1, { P2P } },
	{ SET(ARC "\n"), 1, { P2P } },
	{ SET(ARC "\0"), 1, { P2P } },
	{ SET(ARC "\n\0"), 1, { P2P } },
	{ SET(ARC " delay_us=5\r\n" ARC "\r\n"), 2, { P2P, .delay_us = 5 } },
	{ SET(ARC ";" ARC ";"), 2, { P2P } },
	{ SET(";;" ARC "\n\n;" ARC), 2, { P2P } },
	{ SET("\t " ARC "  \t delay_us=1 "), 1, { P2P, .delay_us = 1 } },
	{ SET("delay_us=1 " ARC), 1, { P2P, .delay_us = 1 } },
	{ SET("# one; two\n" ARC " # delay_us=1; " ARC), 1, { P2P } },
	{ SET(ARC " delay_us=1#comment"), 1, { P2P, .delay_us = 1 } },
	{ SET(ARC "# a\n# b\n" ARC), 2, { P2P } },
	{ SET("arc=STOP>STOP_COPY"), 1, { .from = MIGLAB_STOP, .to = MIGLAB_STOP_COPY } },
	{ SET("arc=RESUMING>STOP"), 1, { .from = MIGLAB_RESUMING, .to = MIGLAB_STOP } },
	{ SET(ARC " delay_us=300000 jitter_us=20000 seed=7"), 1,
	  { P2P, .delay_us = 300000, .jitter_us = 20000, .prng = 7 } },
	{ SET("arc=PRE_COPY_P2P>STOP_COPY errno=EIO every=2 times=1"), 1,
	  { .from = MIGLAB_PRE_COPY_P2P, .to = MIGLAB_STOP_COPY, .error = -EIO, .every = 2,
	    .times = 1 } },
	{ SET(ARC " hold limit_us=10000000"), 1, { P2P, .hold = true, .limit_us = 10000000 } },
	{ SET(ARC " limit_us=1 hold"), 1, { P2P, .hold = true, .limit_us = 1 } },
	{ SET(ARC " hold"), 1, { P2P, .hold = true, .limit_us = MIGLAB_HOLD_LIMIT_US } },
	{ SET(ARC " hold delay_us=2 errno=EBUSY nth=3"), 1,
	  { P2P, .hold = true, .limit_us = MIGLAB_HOLD_LIMIT_US, .delay_us = 2, .error = -EBUSY,
	    .nth = 3 } },
	{ SET(ARC " delay_us=0 jitter_us=0"), 1, { P2P } },
	{ SET(ARC " delay_us=000007"), 1, { P2P, .delay_us = 7 } },
	{ SET(ARC " delay_us=3600000000"), 1, { P2P, .delay_us = 3600000000 } },
	{ SET(ARC " jitter_us=3600000000"), 1, { P2P, .jitter_us = 3600000000 } },
	{ SET(ARC " hold limit_us=3600000000"), 1,
	  { P2P, .hold = true, .limit_us = 3600000000 } },
	{ SET(ARC " jitter_us=1 seed=18446744073709551615"), 1,
	  { P2P, .jitter_us = 1, .prng = U64_MAX } },
	{ SET(ARC " nth=1"), 1, { P2P, .nth = 1 } },
	{ SET(ARC " nth=4294967295"), 1, { P2P, .nth = 4294967295 } },
	{ SET(ARC " every=4294967295"), 1, { P2P, .every = 4294967295 } },
	{ SET(ARC " times=4294967295"), 1, { P2P, .times = 4294967295 } },
	{ SET(ARC " times=5 every=3 nth=2"), 1, { P2P, .nth = 2, .every = 3, .times = 5 } },
	{ SET(ARC " errno=1"), 1, { P2P, .error = -1 } },
	{ SET(ARC " errno=4095"), 1, { P2P, .error = -4095 } },
	{ SET(ARC " errno=ENOMEM"), 1, { P2P, .error = -ENOMEM } },
	{ SET(ARC " errno=EINVAL"), 1, { P2P, .error = -EINVAL } },
	{ SET(ARC " errno=ETIMEDOUT"), 1, { P2P, .error = -ETIMEDOUT } },
	{ SET(ARC " errno=ENODEV"), 1, { P2P, .error = -ENODEV } },
	{ SET(ARC " errno=EAGAIN"), 1, { P2P, .error = -EAGAIN } },
	{ SET(ARC " errno=ENOSPC"), 1, { P2P, .error = -ENOSPC } },
	{ SET(ARC " errno=EPERM"), 1, { P2P, .error = -EPERM } },
	{ SET(ARC " errno=EACCES"), 1, { P2P, .error = -EACCES } },
	{ SET(ARC " errno=EFAULT"), 1, { P2P, .error = -EFAULT } },
	{ SET(ARC " errno=EINTR"), 1, { P2P, .error = -EINTR } },
	{ SET(ARC " errno=EMSGSIZE"), 1, { P2P, .error = -EMSGSIZE } },
	{ SET(ARC " errno=ENOSYS"), 1, { P2P, .error = -ENOSYS } },
	{ SET(ARC " errno=EOPNOTSUPP"), 1, { P2P, .error = -EOPNOTSUPP } },
	/* Arcs of smaller devices. */
	{ SET("arc=RUNNING>STOP"), 1, { .from = MIGLAB_RUNNING, .to = MIGLAB_STOP } },
	{ SET("arc=STOP>RUNNING"), 1, { .from = MIGLAB_STOP, .to = MIGLAB_RUNNING } },
	{ SET("arc=PRE_COPY>STOP_COPY"), 1, { .from = MIGLAB_PRE_COPY, .to = MIGLAB_STOP_COPY } },
	{ SET(ARC " errno=EIO then=ERROR"), 1,
	  { P2P, .error = -EIO, .faults = MIGLAB_FAULT_ERROR } },
	{ SET(ARC " then=ERROR errno=5"), 1,
	  { P2P, .error = -5, .faults = MIGLAB_FAULT_ERROR } },
	{ SET("op=read"), 1, { .op = MIGLAB_OP_READ } },
	{ SET("op=read delay_us=5 jitter_us=6 seed=7 errno=EIO short=1 nth=2"), 1,
	  { .op = MIGLAB_OP_READ, .delay_us = 5, .jitter_us = 6, .prng = 7, .error = -EIO,
	    .size = 1, .faults = MIGLAB_FAULT_SHORT, .nth = 2 } },
	{ SET("short=18446744073709551615 op=write"), 1,
	  { .op = MIGLAB_OP_WRITE, .size = U64_MAX, .faults = MIGLAB_FAULT_SHORT } },
	{ SET("op=precopy_info garbage reinit delay_us=400000 errno=EBUSY"), 1,
	  { .op = MIGLAB_OP_PRECOPY_INFO, .delay_us = 400000, .error = -EBUSY,
	    .faults = MIGLAB_FAULT_GARBAGE | MIGLAB_FAULT_REINIT } },
	{ SET("op=data_size value=0"), 1,
	  { .op = MIGLAB_OP_DATA_SIZE, .faults = MIGLAB_FAULT_VALUE } },
	{ SET("op=data_size value=18446744073709551615 delay_us=1 errno=1"), 1,
	  { .op = MIGLAB_OP_DATA_SIZE, .size = U64_MAX, .delay_us = 1, .error = -1,
	    .faults = MIGLAB_FAULT_VALUE } },
	{ SET("op=save corrupt=4096"), 1,
	  { .op = MIGLAB_OP_SAVE, .corrupt = 4096, .faults = MIGLAB_FAULT_CORRUPT } },
	{ SET("op=save corrupt=0 truncate=0 delay_us=9"), 1,
	  { .op = MIGLAB_OP_SAVE, .delay_us = 9,
	    .faults = MIGLAB_FAULT_CORRUPT | MIGLAB_FAULT_TRUNCATE } },
	{ SET("op=load errno=EINVAL then=ERROR"), 1,
	  { .op = MIGLAB_OP_LOAD, .error = -EINVAL, .faults = MIGLAB_FAULT_ERROR } },
	{ SET("op=reset errno=EIO times=1"), 1,
	  { .op = MIGLAB_OP_RESET, .error = -EIO, .times = 1 } },
	{ SET("op=dma slip=3"), 1,
	  { .op = MIGLAB_OP_DMA, .times = 3, .faults = MIGLAB_FAULT_SLIP } },
	{ SET("op=dma_record drop nth=2"), 1,
	  { .op = MIGLAB_OP_DMA_RECORD, .nth = 2, .faults = MIGLAB_FAULT_DROP } },
	{ SET("op=dirty drop every=3"), 1,
	  { .op = MIGLAB_OP_DIRTY, .every = 3, .faults = MIGLAB_FAULT_DROP } },
	{ SET("op=poll drop every=2"), 1,
	  { .op = MIGLAB_OP_POLL, .every = 2, .faults = MIGLAB_FAULT_DROP } },
};

static void assert_rule(const char *set, const struct miglab_rule *got,
			const struct miglab_rule *want)
{
	if (got->op == want->op && got->faults == want->faults && got->size == want->size &&
	    got->corrupt == want->corrupt && got->truncate == want->truncate &&
	    got->from == want->from && got->to == want->to && got->delay_us == want->delay_us &&
	    got->jitter_us == want->jitter_us && got->limit_us == want->limit_us &&
	    got->prng == want->prng && got->error == want->error && got->nth == want->nth &&
	    got->every == want->every && got->times == want->times && got->hold == want->hold &&
	    !got->matched && !got->acted)
		return;
	fail_msg("\"%s\": other rule than expected", set);
}

/* As memory of just its size, so that a read past its end is seen. */
static int parse(const char *set, size_t len, struct miglab_rules_error *err)
{
	char *text = malloc(len ? len : 1);
	int ret;

	assert_non_null(text);
	memcpy(text, set, len);
	ret = miglab_rules_parse(&rules, text, len, err);
	free(text);
	return ret;
}

static void test_good_sets(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct miglab_rules_error err = { 0 };

		memset(&rules, 0xa5, sizeof(rules));
		if (parse(good[i].set, good[i].len, &err))
			fail_msg("\"%s\": line %u column %u: %s", good[i].set, err.line,
				 err.column, err.what);
		assert_int_equal(rules.count, good[i].count);
		if (rules.count)
			assert_rule(good[i].set, &rules.rule[0], &good[i].first);
	}
}

/* A set that is refused, and where. */
static const struct {
	const char *set;
	size_t len;
	u32 line, column;
	const char *what, *value;
} bad[] = {
	{ SET("foo"), 1, 1, "unknown key", "foo" },
	{ SET(ARC " delay=1"), 1, 27, "unknown key", "delay=1" },
	{ SET(ARC " delay_usx=1"), 1, 27, "unknown key", "delay_usx=1" },
	{ SET(ARC " Delay_us=1"), 1, 27, "unknown key", "Delay_us=1" },
	{ SET(ARC " =1"), 1, 27, "unknown key", "=1" },
	{ SET(ARC " ="), 1, 27, "unknown key", "=" },
	{ SET(ARC ", delay_us=1"), 1, 1, "unknown state", ARC "," },
	{ SET(ARC "\n" ARC " bogus\n"), 2, 27, "unknown key", "bogus" },
	{ SET(ARC "\r\n" ARC " bogus\r\n"), 2, 27, "unknown key", "bogus" },
	{ SET(ARC ";" ARC " bogus"), 1, 53, "unknown key", "bogus" },
	{ SET("# one\n\n\t " ARC "\n ;bogus"), 4, 3, "unknown key", "bogus" },
	{ SET("\xc3\xa4rc=x"), 1, 1, "unknown key", "\xc3\xa4rc=x" },
	{ SET("a\x01\x7f=x"), 1, 1, "unknown key", "a?\?=x" },

	{ SET("delay_us=1"), 1, 1, "rule without arc or op", "delay_us=1" },
	{ SET(ARC "\n  hold"), 2, 3, "rule without arc or op", "hold" },
	{ SET(ARC ";delay_us=5 times=1"), 1, 27, "rule without arc or op", "delay_us=5" },
	{ SET("arc"), 1, 1, "missing value", "arc" },
	{ SET("arc="), 1, 1, "arc is not FROM>TO", "arc=" },
	{ SET("arc=PRE_COPY"), 1, 1, "arc is not FROM>TO", "arc=PRE_COPY" },
	{ SET("arc=>"), 1, 1, "unknown state", "arc=>" },
	{ SET("arc=>STOP"), 1, 1, "unknown state", "arc=>STOP" },
	{ SET("arc=STOP>"), 1, 1, "unknown state", "arc=STOP>" },
	{ SET("arc=stop>STOP_COPY"), 1, 1, "unknown state", "arc=stop>STOP_COPY" },
	{ SET("arc=STOP>STOP_COPY>STOP"), 1, 1, "unknown state", "arc=STOP>STOP_COPY>STOP" },
	{ SET("arc=STOP > STOP_COPY"), 1, 1, "arc is not FROM>TO", "arc=STOP" },
	{ SET("arc=PRE_COPY>STOP"), 1, 1, "not a single arc", "arc=PRE_COPY>STOP" },
	{ SET("arc=RUNNING>STOP_COPY"), 1, 1, "not a single arc", "arc=RUNNING>STOP_COPY" },
	{ SET("arc=STOP_COPY>PRE_COPY"), 1, 1, "not a single arc", "arc=STOP_COPY>PRE_COPY" },
	{ SET("arc=STOP>STOP"), 1, 1, "not a single arc", "arc=STOP>STOP" },
	{ SET("arc=STOP>ERROR"), 1, 1, "not a single arc", "arc=STOP>ERROR" },
	{ SET("arc=ERROR>RUNNING"), 1, 1, "not a single arc", "arc=ERROR>RUNNING" },

	{ SET("op"), 1, 1, "missing value", "op" },
	{ SET("op="), 1, 1, "unknown op", "op=" },
	{ SET("op=rea"), 1, 1, "unknown op", "op=rea" },
	{ SET("op=reads"), 1, 1, "unknown op", "op=reads" },
	{ SET("op=READ"), 1, 1, "unknown op", "op=READ" },
	{ SET("op=arc"), 1, 1, "unknown op", "op=arc" },
	{ SET("op=read op=read"), 1, 9, "key given twice", "op=read" },
	{ SET("op=read " ARC), 1, 1, "rule with both arc and op", "op=read" },
	{ SET(ARC " op=read"), 1, 1, "rule with both arc and op", ARC },
	{ SET("errno=EIO then=ERROR"), 1, 1, "rule without arc or op", "errno=EIO" },

	{ SET(ARC " then=ERROR"), 1, 27, "then without errno", "then=ERROR" },
	{ SET(ARC " errno=EIO then=STOP"), 1, 37, "then is not ERROR", "then=STOP" },
	{ SET(ARC " errno=EIO then=error"), 1, 37, "then is not ERROR", "then=error" },
	{ SET(ARC " errno=EIO then="), 1, 37, "then is not ERROR", "then=" },
	{ SET(ARC " errno=EIO then"), 1, 37, "missing value", "then" },
	{ SET("op=precopy_info garbage=1"), 1, 17, "key takes no value", "garbage=1" },
	{ SET("op=precopy_info reinit=1"), 1, 17, "key takes no value", "reinit=1" },
	{ SET("op=poll drop="), 1, 9, "key takes no value", "drop=" },
	{ SET("op=read short=0"), 1, 9, "number too small", "short=0" },
	{ SET("op=read short"), 1, 9, "missing value", "short" },
	{ SET("op=save corrupt=-1"), 1, 9, "not a decimal number", "corrupt=-1" },
	{ SET("op=save truncate="), 1, 9, "missing number", "truncate=" },
	{ SET("op=data_size value=18446744073709551616"), 1, 14, "number too large",
	  "value=18446744073709551616" },

	{ SET(ARC " " ARC), 1, 27, "key given twice", ARC },
	{ SET(ARC " hold hold"), 1, 32, "key given twice", "hold" },
	{ SET(ARC " delay_us=1 delay_us=1"), 1, 38, "key given twice", "delay_us=1" },
	{ SET(ARC " hold=1"), 1, 27, "key takes no value", "hold=1" },
	{ SET(ARC " hold="), 1, 27, "key takes no value", "hold=" },
	{ SET(ARC " delay_us"), 1, 27, "missing value", "delay_us" },
	{ SET(ARC " limit_us=5 delay_us=1"), 1, 27, "limit_us without hold", "limit_us=5" },
	{ SET(ARC " delay_us=1 seed=1"), 1, 38, "seed without jitter_us", "seed=1" },

	{ SET(ARC " delay_us="), 1, 27, "missing number", "delay_us=" },
	{ SET(ARC " delay_us= 5"), 1, 27, "missing number", "delay_us=" },
	{ SET(ARC " delay_us=5ms"), 1, 27, "not a decimal number", "delay_us=5ms" },
	{ SET(ARC " delay_us=0x10"), 1, 27, "not a decimal number", "delay_us=0x10" },
	{ SET(ARC " delay_us=-1"), 1, 27, "not a decimal number", "delay_us=-1" },
	{ SET(ARC " delay_us=+1"), 1, 27, "not a decimal number", "delay_us=+1" },
	{ SET(ARC " delay_us=1=1"), 1, 27, "not a decimal number", "delay_us=1=1" },
	{ SET(ARC " delay_us=3600000001"), 1, 27, "number too large", "delay_us=3600000001" },
	{ SET(ARC " jitter_us=3600000001"), 1, 27, "number too large", "jitter_us=3600000001" },
	{ SET(ARC " hold limit_us=3600000001"), 1, 32, "number too large", "limit_us=3600000001" },
	{ SET(ARC " hold limit_us=0"), 1, 32, "number too small", "limit_us=0" },
	{ SET(ARC " seed=18446744073709551616"), 1, 27, "number too large",
	  "seed=18446744073709551616" },
	{ SET(ARC " seed=99999999999999999999"), 1, 27, "number too large",
	  "seed=99999999999999999999" },
	{ SET(ARC " nth=0"), 1, 27, "number too small", "nth=0" },
	{ SET(ARC " every=0"), 1, 27, "number too small", "every=0" },
	{ SET(ARC " times=0"), 1, 27, "number too small", "times=0" },
	{ SET(ARC " nth=4294967296"), 1, 27, "number too large", "nth=4294967296" },
	{ SET(ARC " every=4294967296"), 1, 27, "number too large", "every=4294967296" },
	{ SET(ARC " times=4294967296"), 1, 27, "number too large", "times=4294967296" },

	{ SET(ARC " errno="), 1, 27, "unknown errno", "errno=" },
	{ SET(ARC " errno=EFOO"), 1, 27, "unknown errno", "errno=EFOO" },
	{ SET(ARC " errno=EIO2"), 1, 27, "unknown errno", "errno=EIO2" },
	{ SET(ARC " errno=EI"), 1, 27, "unknown errno", "errno=EI" },
	{ SET(ARC " errno=eio"), 1, 27, "unknown errno", "errno=eio" },
	{ SET(ARC " errno=-5"), 1, 27, "unknown errno", "errno=-5" },
	{ SET(ARC " errno=5x"), 1, 27, "not a decimal number", "errno=5x" },
	{ SET(ARC " errno=0"), 1, 27, "number too small", "errno=0" },
	{ SET(ARC " errno=4096"), 1, 27, "number too large", "errno=4096" },

	{ SET("\0\0"), 1, 1, "NUL byte in the text", "?" },
	{ SET("\0" ARC), 1, 1, "NUL byte in the text", "?" },
	{ SET(ARC "\n" ARC "\0" ARC), 2, 26, "NUL byte in the text", "?" },
	{ SET("# \0\n"), 1, 3, "NUL byte in the text", "?" },

	/* 31 bytes of a word are quoted. */
	{ SET("1234567890123456789012345678901"), 1, 1, "unknown key",
	  "1234567890123456789012345678901" },
	{ SET("12345678901234567890123456789012"), 1, 1, "unknown key",
	  "1234567890123456789012345678901" },
};

static void test_bad_sets(void **unused)
{
	static struct miglab_rules before;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct miglab_rules_error err;

		memset(&err, 0xa5, sizeof(err));
		memset(&rules, 0xa5, sizeof(rules));
		before = rules;
		assert_int_equal(parse(bad[i].set, bad[i].len, &err), -EINVAL);
		if (err.line != bad[i].line || err.column != bad[i].column ||
		    strcmp(err.what, bad[i].what) || strcmp(err.value, bad[i].value))
			fail_msg("\"%s\": line %u column %u: %s: \"%s\"", bad[i].set, err.line,
				 err.column, err.what, err.value);
		/* All or nothing. */
		assert_memory_equal(&rules, &before, sizeof(rules));
	}
}

static void test_every_single_arc_is_taken(void **unused)
{
	u32 taken = 0;

	(void)unused;
	for (u32 from = 0; from < MIGLAB_NR_STATES; from++) {
		for (u32 to = 0; to < MIGLAB_NR_STATES; to++) {
			struct miglab_rules_error err;
			char set[64];
			int len = snprintf(set, sizeof(set), "arc=%s>%s", miglab_state_name(from),
					   miglab_state_name(to));

			if (parse(set, (size_t)len, &err))
				continue;
			assert_int_equal(rules.rule[0].from, from);
			assert_int_equal(rules.rule[0].to, to);
			taken++;
		}
	}
	/* Fifteen of the full machine, three that only smaller ones have. */
	assert_int_equal(taken, 18);
}

/* Which keys an op takes: a word of each key, and the ops in the order of enum miglab_op. */
static void test_every_key_of_every_op(void **unused)
{
	static const struct {
		const char *word, *takes;
	} rows[] = {
		/*
		 * arc, read, write, precopy_info, data_size, save, load, reset, dma,
		 * dma_record, dirty, poll
		 */
		{ "delay_us=1", "yyyyyyyy----" },
		{ "jitter_us=1", "yyyyyyyy----" },
		{ "jitter_us=1 seed=1", "yyyyyyyy----" },
		{ "hold", "y-----------" },
		{ "hold limit_us=1", "y-----------" },
		{ "errno=EIO", "yyyyy-yy----" },
		{ "errno=EIO then=ERROR", "y-----y-----" },
		{ "short=1", "-yy---------" },
		{ "value=1", "----y-------" },
		{ "garbage", "---y--------" },
		{ "reinit", "---y--------" },
		{ "corrupt=1", "-----y------" },
		{ "truncate=1", "-----y------" },
		{ "drop", "---------yyy" },
		{ "slip=1", "--------y---" },
		{ "nth=1", "yyyyyyyyyyyy" },
		{ "every=1", "yyyyyyyyyyyy" },
		{ "times=1", "yyyyyyyy-yyy" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (u32 op = 0; op < MIGLAB_NR_OPS; op++) {
			struct miglab_rules_error err;
			char set[80];
			int len;

			if (op == MIGLAB_OP_ARC)
				len = snprintf(set, sizeof(set), ARC " %s", rows[i].word);
			else
				len = snprintf(set, sizeof(set), "op=%s %s", miglab_op_name(op),
					       rows[i].word);
			if (rows[i].takes[op] == 'y') {
				if (parse(set, (size_t)len, &err))
					fail_msg("\"%s\": %s", set, err.what);
				assert_int_equal(rules.rule[0].op, op);
				assert_int_equal(rules.ops, 1u << op);
				continue;
			}
			assert_int_equal(parse(set, (size_t)len, &err), -EINVAL);
			assert_string_equal(err.what, op ? "key is not for this op" :
							   "key is not for an arc");
		}
	}
}

static void test_number_of_rules(void **unused)
{
	static const char rule[] = "arc=STOP>RESUMING\n";
	static char set[66 * sizeof(rule)];
	struct miglab_rules_error err = { 0 };

	(void)unused;
	for (u32 i = 0; i < 66; i++)
		memcpy(set + i * (sizeof(rule) - 1), rule, sizeof(rule));
	assert_int_equal(parse(set, 64 * (sizeof(rule) - 1), &err), 0);
	assert_int_equal(rules.count, 64);

	rules.count = 12345;
	assert_int_equal(parse(set, 65 * (sizeof(rule) - 1), &err), -E2BIG);
	assert_int_equal(rules.count, 12345);
	assert_int_equal(err.line, 65);
	assert_int_equal(err.column, 1);
	assert_string_equal(err.what, "more than 64 rules");
	assert_string_equal(err.value, "arc=STOP>RESUMING");
}

static void test_size_of_text(void **unused)
{
	static const struct {
		size_t len;
		bool nul;		/* is the last byte one? */
		int ret;
	} rows[] = {
		{ 4095, false, 0 }, { 4095, true, 0 }, { 4096, true, 0 },
		{ 4096, false, -E2BIG }, { 4097, true, -E2BIG }, { 100000, false, -E2BIG },
	};
	static char text[100000];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct miglab_rules_error err = { 0 };

		memset(text, '\n', sizeof(text));
		memcpy(text + 4000, ARC, sizeof(ARC) - 1);
		if (rows[i].nul)
			text[rows[i].len - 1] = '\0';
		rules.count = 12345;
		assert_int_equal(parse(text, rows[i].len, &err), rows[i].ret);
		assert_int_equal(rules.count, rows[i].ret ? 12345 : 1);
		if (rows[i].ret)
			assert_string_equal(err.what, "text longer than 4095 bytes");
	}
}

/* Which rule acts on the first, second.. match: a digit, '-' for none. */
static const struct {
	const char *set, *acts;
} matches[] = {
	{ "", "----" },
	{ ARC, "1111" },
	{ "arc=STOP>STOP_COPY", "----" },
	{ "arc=PRE_COPY_P2P>PRE_COPY", "----" },
	{ ARC " nth=1", "1-----" },
	{ ARC " nth=3", "--1---" },
	{ ARC " every=1", "111111" },
	{ ARC " every=2", "-1-1-1" },
	{ ARC " every=3", "--1--1" },
	{ ARC " times=2", "11----" },
	{ ARC " every=2 times=1", "-1----" },
	{ ARC " nth=2 times=1", "-1----" },
	{ ARC " times=1;" ARC, "122222" },
	{ ARC ";" ARC, "111111" },
	{ ARC " every=2;" ARC " every=2", "-121-1" },	/* the second sees 1, 3, 5 only */
	{ ARC " every=3;" ARC " every=2;" ARC, "321321" },
	{ "arc=STOP>STOP_COPY;" ARC " nth=2;" ARC, "323333" },
};

static void test_matches(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
		struct miglab_rules_error err;
		u64 total = 0;

		assert_int_equal(parse(matches[i].set, strlen(matches[i].set), &err), 0);
		for (size_t n = 0; matches[i].acts[n]; n++) {
			struct miglab_plan plan = miglab_rules_match(&rules, MIGLAB_PRE_COPY,
								     MIGLAB_PRE_COPY_P2P);
			char acted = plan.rule ? (char)('0' + plan.rule) : '-';

			if (acted != matches[i].acts[n])
				fail_msg("\"%s\", match %zu: rule %c acted", matches[i].set, n + 1,
					 acted);
			total += plan.rule != 0;
			assert_int_equal(miglab_rules_acted(&rules), total);
		}
	}
}

static struct miglab_plan match_once(const char *set)
{
	struct miglab_rules_error err;

	assert_int_equal(parse(set, strlen(set), &err), 0);
	return miglab_rules_match(&rules, MIGLAB_PRE_COPY, MIGLAB_PRE_COPY_P2P);
}

static void test_plan(void **unused)
{
	struct miglab_plan plan = match_once(ARC " delay_us=5 hold limit_us=7 errno=EIO");

	(void)unused;
	assert_int_equal(plan.rule, 1);
	assert_int_equal(plan.delay_us, 5);
	assert_int_equal(plan.limit_us, 7);
	assert_int_equal(plan.error, -EIO);
	assert_true(plan.hold);
	assert_int_equal(rules.rule[0].matched, 1);
	assert_int_equal(rules.rule[0].acted, 1);

	plan = match_once(ARC " nth=2 delay_us=5 hold errno=EIO");
	assert_int_equal(plan.rule, 0);
	assert_int_equal(plan.delay_us, 0);
	assert_int_equal(plan.limit_us, 0);
	assert_int_equal(plan.error, 0);
	assert_false(plan.hold);
	assert_int_equal(rules.rule[0].matched, 1);
	assert_int_equal(rules.rule[0].acted, 0);
}

static void test_plan_of_an_op(void **unused)
{
	static const char set[] = "op=read short=3 delay_us=4 times=1;op=write errno=EIO;"
				  "op=save corrupt=5 truncate=6;" ARC " errno=EIO then=ERROR";
	struct miglab_rules_error err;
	struct miglab_plan plan;

	(void)unused;
	assert_int_equal(parse(set, sizeof(set) - 1, &err), 0);
	assert_int_equal(rules.ops, 1u << MIGLAB_OP_READ | 1u << MIGLAB_OP_WRITE |
				    1u << MIGLAB_OP_SAVE | 1u << MIGLAB_OP_ARC);
	plan = miglab_rules_match_op(&rules, MIGLAB_OP_READ);
	assert_int_equal(plan.rule, 1);
	assert_int_equal(plan.faults, MIGLAB_FAULT_SHORT);
	assert_int_equal(plan.size, 3);
	assert_int_equal(plan.delay_us, 4);
	assert_int_equal(miglab_rules_match_op(&rules, MIGLAB_OP_READ).rule, 0);

	plan = miglab_rules_match_op(&rules, MIGLAB_OP_WRITE);
	assert_int_equal(plan.rule, 2);
	assert_int_equal(plan.faults, 0);
	assert_int_equal(plan.error, -EIO);

	plan = miglab_rules_match_op(&rules, MIGLAB_OP_SAVE);
	assert_int_equal(plan.rule, 3);
	assert_int_equal(plan.faults, MIGLAB_FAULT_CORRUPT | MIGLAB_FAULT_TRUNCATE);
	assert_int_equal(plan.corrupt, 5);
	assert_int_equal(plan.truncate, 6);

	plan = miglab_rules_match(&rules, MIGLAB_PRE_COPY, MIGLAB_PRE_COPY_P2P);
	assert_int_equal(plan.rule, 4);
	assert_int_equal(plan.faults, MIGLAB_FAULT_ERROR);
	/* An op that no rule is for, and an arc that none is for. */
	assert_int_equal(miglab_rules_match_op(&rules, MIGLAB_OP_LOAD).rule, 0);
	assert_int_equal(miglab_rules_match(&rules, MIGLAB_STOP, MIGLAB_STOP_COPY).rule, 0);
}

static void test_jitter_spread(void **unused)
{
	u32 seen[4] = { 0 };

	(void)unused;
	match_once(ARC " delay_us=100 jitter_us=3 seed=1");
	for (u32 i = 0; i < 4000; i++) {
		struct miglab_plan plan = miglab_rules_match(&rules, MIGLAB_PRE_COPY,
							     MIGLAB_PRE_COPY_P2P);

		assert_true(plan.delay_us >= 100 && plan.delay_us <= 103);
		seen[plan.delay_us - 100]++;
	}
	/* Five standard deviations of an even spread; the seed is fixed, so it never flakes. */
	for (u32 i = 0; i < 4; i++)
		assert_in_range(seen[i], 1000 - 137, 1000 + 137);
}

static void test_jitter_is_reproducible(void **unused)
{
	u64 first = match_once(ARC " jitter_us=1000000 seed=7").delay_us;
	u64 second = miglab_rules_match(&rules, MIGLAB_PRE_COPY, MIGLAB_PRE_COPY_P2P).delay_us;

	(void)unused;
	assert_int_equal(match_once(ARC " jitter_us=1000000 seed=7").delay_us, first);
	assert_int_not_equal(first, second);
	assert_int_not_equal(match_once(ARC " jitter_us=1000000 seed=8").delay_us, first);
	/* Half of the widest range is passed now and then: nothing overflowed. */
	first = 0;
	match_once(ARC " jitter_us=3600000000");
	for (u32 i = 0; i < 100; i++) {
		u64 delay = miglab_rules_match(&rules, MIGLAB_PRE_COPY,
					       MIGLAB_PRE_COPY_P2P).delay_us;

		assert_true(delay <= MIGLAB_DELAY_MAX_US);
		first = delay > first ? delay : first;
	}
	assert_true(first > MIGLAB_DELAY_MAX_US / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_sets),
		cmocka_unit_test(test_bad_sets),
		cmocka_unit_test(test_every_single_arc_is_taken),
		cmocka_unit_test(test_every_key_of_every_op),
		cmocka_unit_test(test_number_of_rules),
		cmocka_unit_test(test_size_of_text),
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_plan_of_an_op),
		cmocka_unit_test(test_jitter_spread),
		cmocka_unit_test(test_jitter_is_reproducible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
