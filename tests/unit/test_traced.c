// SPDX-License-Identifier: GPL-2.0-only
/* Arcs of the kernel's trace as a history has them, and whether the two agree. */
#include "unit.h"

#include <errno.h>

#include "base/clock.h"
#include "device/uapi.h"
#include "judge/traced.h"

#define S(name)		VFIO_DEVICE_STATE_##name
#define MS(n)		((n) * NSEC_PER_MSEC)
#define ARC(n, f, t, b, e, r) { .seq = (n), .from = S(f), .to = S(t), .requested = S(t), \
				.begin_ns = MS(b), .end_ns = MS(e), .result = (r), .pid = 7 }
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static const char *const names[] = { "0000:01:00.0", "", "u-u-i-d" };

static void news(struct traced *t, enum arcs_news what, const char *device, uint32_t from,
		 uint32_t to, unsigned int at, int result)
{
	struct witness_arc arc = {
		.tgid = 7, .from = from, .to = to, .wanted = S(STOP_COPY), .begin_ns = MS(at),
		.end_ns = what == ARCS_BEGUN ? 0 : MS(at), .result = result,
	};

	snprintf(arc.device, sizeof(arc.device), "%s", device);
	traced_news(t, what, &arc);
}

static void arcs_become_a_history(void **state)
{
	struct traced t;
	const struct lab_arc *arcs;

	(void)state;
	assert_int_equal(traced_init(&t, names, COUNT(names)), 0);
	news(&t, ARCS_ENDED, "u-u-i-d", S(STOP), S(RUNNING_P2P), 5, 0);
	news(&t, ARCS_BEGUN, "u-u-i-d", S(RUNNING), S(PRE_COPY), 10, WITNESS_IN_PROGRESS);
	news(&t, ARCS_BEGUN, "0000:02:00.0", S(RUNNING), S(PRE_COPY), 11, WITNESS_IN_PROGRESS);
	news(&t, ARCS_ENDED, "u-u-i-d", S(RUNNING), S(PRE_COPY), 20, -EIO);
	news(&t, ARCS_BEGUN, "u-u-i-d", S(RUNNING), S(PRE_COPY), 30, WITNESS_IN_PROGRESS);
	assert_int_equal(t.devices[0].count, 0);
	assert_int_equal(t.devices[2].count, 2);
	arcs = t.devices[2].arcs;
	assert_int_equal(arcs[0].seq, 1);
	assert_int_equal(arcs[0].from, S(RUNNING));
	assert_int_equal(arcs[0].to, S(PRE_COPY));
	assert_int_equal(arcs[0].requested, S(STOP_COPY));
	assert_int_equal(arcs[0].begin_ns, MS(10));
	assert_int_equal(arcs[0].end_ns, MS(20));
	assert_int_equal(arcs[0].result, -EIO);
	assert_int_equal(arcs[0].pid, 7);
	assert_int_equal(arcs[1].seq, 2);
	assert_int_equal(arcs[1].end_ns, 0);
	assert_int_equal(arcs[1].result, 1);
	traced_free(&t);
}

static void questions_and_losses_are_kept(void **state)
{
	struct traced t;

	(void)state;
	assert_int_equal(traced_init(&t, names, COUNT(names)), 0);
	news(&t, ARCS_STATE, "0000:01:00.0", S(STOP), S(STOP), 10, 0);
	news(&t, ARCS_RESET, "u-u-i-d", S(RUNNING), S(RUNNING), 20, -EINVAL);
	news(&t, ARCS_STATE, "0000:02:00.0", S(STOP), S(STOP), 30, 0);
	news(&t, ARCS_LOST, "", 0, 0, 0, 12);
	news(&t, ARCS_LOST, "", 0, 0, 0, 3);
	assert_int_equal(t.asked_count, 2);
	assert_int_equal(t.asked[0].what, CONTRACT_KNOWN);
	assert_int_equal(t.asked[0].to, S(STOP));
	assert_int_equal(t.asked[0].ns, MS(10));
	assert_int_equal(t.asked[1].what, CONTRACT_RESET);
	assert_int_equal(t.asked[1].device, 2);
	assert_int_equal(t.asked[1].result, -EINVAL);
	assert_int_equal(t.lost, 15);
	traced_free(&t);
}

/* Of two monitors that got it the later one; none that was written after it was received. */
static void the_last_writing_before_the_receipt_counts(void **state)
{
	struct traced t;

	(void)state;
	assert_int_equal(traced_init(&t, names, COUNT(names)), 0);
	assert_int_equal(traced_sent(&t, "vf0", 0, MS(99)), 0);
	news(&t, ARCS_SENT, "vf0", 0, 0, 10, 0);
	news(&t, ARCS_SENT, "vf0", 0, 0, 11, 0);
	news(&t, ARCS_SENT, "vf1", 0, 0, 12, 0);
	news(&t, ARCS_SENT, "vf0", 0, 0, 20, 0);
	assert_int_equal(traced_sent(&t, "vf0", 7, MS(9)), 0);
	assert_int_equal(traced_sent(&t, "vf0", 7, MS(10)), MS(10));
	assert_int_equal(traced_sent(&t, "vf0", 7, MS(19)), MS(11));
	assert_int_equal(traced_sent(&t, "vf1", 0, MS(19)), MS(12));
	assert_int_equal(traced_sent(&t, "vf0", 8, MS(19)), 0);
	t.sent[0].pid = 0;
	assert_int_equal(traced_sent(&t, "vf0", 8, MS(19)), MS(10));
	traced_free(&t);
}

static void expect_state(const struct traced *t, bool known, uint32_t want)
{
	uint32_t state = 99;

	assert_int_equal(traced_state(t, 0, &state), known);
	if (known)
		assert_int_equal(state, want);
}

static void where_a_device_is_shows_by_its_arcs(void **state)
{
	static const char dev[] = "0000:01:00.0";
	struct traced t;

	(void)state;
	assert_int_equal(traced_init(&t, names, COUNT(names)), 0);
	expect_state(&t, false, 0);
	news(&t, ARCS_STATE, dev, S(STOP), S(STOP), 5, 0);
	expect_state(&t, true, S(STOP));
	news(&t, ARCS_BEGUN, dev, S(RUNNING), S(PRE_COPY), 10, WITNESS_IN_PROGRESS);
	expect_state(&t, false, 0);
	news(&t, ARCS_ENDED, dev, S(RUNNING), S(PRE_COPY), 20, 0);
	expect_state(&t, true, S(PRE_COPY));
	news(&t, ARCS_BEGUN, dev, S(PRE_COPY), S(PRE_COPY_P2P), 30, WITNESS_IN_PROGRESS);
	news(&t, ARCS_ENDED, dev, S(PRE_COPY), S(PRE_COPY_P2P), 40, -EIO);
	expect_state(&t, false, 0);
	news(&t, ARCS_STATE, "u-u-i-d", S(STOP), S(STOP), 45, 0);
	expect_state(&t, false, 0);
	news(&t, ARCS_RESET, dev, S(RUNNING), S(RUNNING), 50, -EIO);
	expect_state(&t, false, 0);
	news(&t, ARCS_RESET, dev, S(RUNNING), S(RUNNING), 60, 0);
	expect_state(&t, true, S(RUNNING));
	traced_free(&t);
}

static const struct lab_arc trace[] = {
	ARC(1, RUNNING, PRE_COPY, 5, 8, 0), ARC(1, PRE_COPY, PRE_COPY_P2P, 100, 400, 0),
	ARC(2, PRE_COPY_P2P, STOP_COPY, 410, 450, -EIO),
};

/* The history in the row beside the trace above, from 50 ms on. */
static void witnesses_agree_or_say_on_what_not(void **state)
{
	static const struct {
		struct lab_arc history[4];
		size_t count;
		uint64_t until_ms;
		const char *why;	/* NULL: they agree */
	} rows[] = {
		{ { ARC(8, PRE_COPY, PRE_COPY_P2P, 101, 399, 0),
		    ARC(9, PRE_COPY_P2P, STOP_COPY, 410, 450, -EIO) }, 2, 500, NULL },
		{ { ARC(7, RUNNING, PRE_COPY, 6, 7, 0),
		    ARC(8, PRE_COPY, PRE_COPY_P2P, 101, 399, 0),
		    ARC(9, PRE_COPY_P2P, STOP_COPY, 410, 450, -EIO) }, 3, 500, NULL },
		{ { ARC(8, PRE_COPY, PRE_COPY_P2P, 101, 399, 0) }, 1, 449, NULL },
		{ { ARC(8, PRE_COPY, PRE_COPY_P2P, 101, 399, 0),
		    ARC(9, PRE_COPY_P2P, STOP_COPY, 410, 450, -EIO) }, 2, 420, NULL },
		{ { ARC(8, PRE_COPY, PRE_COPY_P2P, 101, 399, 0) }, 1, 450,
		  "the history lacks PRE_COPY_P2P -> STOP_COPY" },
		{ { ARC(9, PRE_COPY_P2P, STOP_COPY, 410, 450, -EIO) }, 1, 500,
		  "the trace has another arc than the history's PRE_COPY_P2P -> STOP_COPY" },
		{ { ARC(8, PRE_COPY, PRE_COPY_P2P, 101, 399, 0),
		    ARC(9, PRE_COPY_P2P, STOP_COPY, 410, 450, 0) }, 2, 500, "another arc" },
		{ { ARC(8, PRE_COPY, PRE_COPY_P2P, 101, 399, 0),
		    ARC(9, PRE_COPY_P2P, STOP_COPY, 410, 450, -EIO),
		    ARC(10, PRE_COPY_P2P, STOP_COPY, 460, 470, 0) }, 3, 500,
		  "the trace lacks PRE_COPY_P2P -> STOP_COPY" },
		{ { ARC(8, PRE_COPY, PRE_COPY_P2P, 99, 399, 0),
		    ARC(9, PRE_COPY_P2P, STOP_COPY, 410, 450, -EIO) }, 2, 500,
		  "the trace has another time than the history for PRE_COPY -> PRE_COPY_P2P" },
		{ { ARC(8, PRE_COPY, PRE_COPY_P2P, 101, 401, 0),
		    ARC(9, PRE_COPY_P2P, STOP_COPY, 410, 450, -EIO) }, 2, 500, "another time" },
		{ { ARC(8, PRE_COPY, RUNNING, 101, 399, 0),
		    ARC(9, PRE_COPY_P2P, STOP_COPY, 410, 450, -EIO) }, 2, 500, "another arc" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char why[AGREE_TEXT_MAX] = "";
		bool agrees = traced_agrees(rows[i].history, rows[i].count, trace, COUNT(trace),
					    MS(30), MS(rows[i].until_ms), why);

		if (agrees != !rows[i].why || (rows[i].why && !strstr(why, rows[i].why)))
			fail_msg("row %zu: %s", i, agrees ? "they agree" : why);
	}
}

/* The trace cuts nanoseconds off, and may not know whose an arc is; the history knows both. */
static void what_the_trace_cannot_know_is_no_difference(void **state)
{
	struct lab_arc mine = ARC(8, PRE_COPY, PRE_COPY_P2P, 100, 400, 0), theirs = mine;
	char why[AGREE_TEXT_MAX];

	(void)state;
	mine.begin_ns += 999;
	mine.end_ns += 999;
	assert_true(traced_agrees(&mine, 1, &theirs, 1, 0, MS(500), why));
	mine.end_ns += 1;
	assert_false(traced_agrees(&mine, 1, &theirs, 1, 0, MS(500), why));
	mine.end_ns -= 1;
	theirs.pid = 0;
	assert_true(traced_agrees(&mine, 1, &theirs, 1, 0, MS(500), why));
	theirs.pid = 8;
	assert_false(traced_agrees(&mine, 1, &theirs, 1, 0, MS(500), why));
	theirs.pid = 7;
	theirs.requested = S(STOP_COPY);
	assert_false(traced_agrees(&mine, 1, &theirs, 1, 0, MS(500), why));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(arcs_become_a_history),
		cmocka_unit_test(questions_and_losses_are_kept),
		cmocka_unit_test(the_last_writing_before_the_receipt_counts),
		cmocka_unit_test(where_a_device_is_shows_by_its_arcs),
		cmocka_unit_test(witnesses_agree_or_say_on_what_not),
		cmocka_unit_test(what_the_trace_cannot_know_is_no_difference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
