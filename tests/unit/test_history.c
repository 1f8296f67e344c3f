// SPDX-License-Identifier: GPL-2.0-only
#include "unit.h"

#include "core/fsm.h"
#include "core/history.h"

static struct miglab_history history;

static int fresh(void **unused)
{
	(void)unused;
	memset(&history, 0xa5, sizeof(history));
	miglab_history_init(&history);
	return 0;
}

static void add(u64 n)
{
	while (n--)
		miglab_history_begin(&history, MIGLAB_RUNNING, MIGLAB_PRE_COPY, MIGLAB_PRE_COPY, 1,
				     history.next_seq * 10)->result = 0;
}

static void test_empty(void **unused)
{
	(void)unused;
	assert_null(miglab_history_from(&history, 0));
	assert_null(miglab_history_from(&history, 1));
	assert_null(miglab_history_from(&history, U64_MAX));
}

static void test_begin_fills_an_entry(void **unused)
{
	struct miglab_arc *arc = miglab_history_begin(&history, MIGLAB_PRE_COPY,
						      MIGLAB_PRE_COPY_P2P, MIGLAB_STOP_COPY, 4711,
						      123456789);

	(void)unused;
	assert_int_equal(arc->seq, 1);
	assert_int_equal(arc->from, MIGLAB_PRE_COPY);
	assert_int_equal(arc->to, MIGLAB_PRE_COPY_P2P);
	assert_int_equal(arc->requested, MIGLAB_STOP_COPY);
	assert_int_equal(arc->begin_ns, 123456789);
	assert_int_equal(arc->end_ns, 0);
	assert_int_equal(arc->result, MIGLAB_IN_PROGRESS);
	assert_int_equal(arc->rule, 0);
	assert_int_equal(arc->pid, 4711);
	assert_ptr_equal(miglab_history_from(&history, 0), arc);
}

static void test_what_the_shell_writes_stays(void **unused)
{
	struct miglab_arc *arc = miglab_history_begin(&history, 1, 2, 2, 1, 5);

	(void)unused;
	arc->result = -EIO;
	arc->end_ns = 9;
	arc->rule = 3;
	add(MIGLAB_HISTORY_ARCS - 1);
	assert_ptr_equal(miglab_history_from(&history, 1), arc);
	assert_int_equal(arc->result, -EIO);
	assert_int_equal(arc->end_ns, 9);

	/* One more takes its place, and leaves nothing of it. */
	assert_ptr_equal(miglab_history_begin(&history, 1, 2, 2, 1, 5), arc);
	assert_int_equal(arc->end_ns, 0);
	assert_int_equal(arc->rule, 0);
	assert_int_equal(arc->result, MIGLAB_IN_PROGRESS);
}

/* Reading on from the last seq + 1 sees each remembered arc once and in order. */
static void test_ring_keeps_the_newest(void **unused)
{
	static const struct {
		u64 arcs, oldest;
	} rows[] = {
		{ 1, 1 }, { 255, 1 }, { 256, 1 }, { 257, 2 }, { 512, 257 }, { 1000, 745 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct miglab_arc *arc;
		u64 seq = 0, seen = 0;

		fresh(unused);
		add(rows[i].arcs);
		while ((arc = miglab_history_from(&history, seq))) {
			assert_int_equal(arc->seq, seen ? seq : rows[i].oldest);
			assert_int_equal(arc->begin_ns, arc->seq * 10);
			seq = arc->seq + 1;
			seen++;
		}
		assert_int_equal(seq, rows[i].arcs + 1);
		assert_int_equal(seen, rows[i].arcs - rows[i].oldest + 1);
	}
}

static void test_line_fits(void **unused)
{
	char line[2 * MIGLAB_HISTORY_LINE];
	int len = snprintf(line, sizeof(line), MIGLAB_HISTORY_FMT, ~0ull,
			   miglab_state_name(MIGLAB_PRE_COPY_P2P),
			   miglab_state_name(MIGLAB_PRE_COPY_P2P),
			   miglab_state_name(MIGLAB_PRE_COPY_P2P), ~0ull, ~0ull, "-4095", ~0u,
			   INT32_MIN);

	(void)unused;
	assert_true(len > 0 && len <= MIGLAB_HISTORY_LINE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_empty, fresh),
		cmocka_unit_test_setup(test_begin_fills_an_entry, fresh),
		cmocka_unit_test_setup(test_what_the_shell_writes_stays, fresh),
		cmocka_unit_test_setup(test_ring_keeps_the_newest, fresh),
		cmocka_unit_test(test_line_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
