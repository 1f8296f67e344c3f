// SPDX-License-Identifier: GPL-2.0-only
/* The proof by hold: what is held, and whose prepare event lets it go. */
#include "unit.h"

#include <errno.h>

#include "core/fsm.h"
#include "core/lease.h"
#include "judge/hold.h"

#define ROWS(a)	(sizeof(a) / sizeof((a)[0]))

#define ENTER(n, at, result)	{ n, MIGLAB_RUNNING, MIGLAB_PRE_COPY, MIGLAB_PRE_COPY, (at) - 5, \
				  at, result, 0, 1 }
#define TESTED(n, at, result)	{ n, MIGLAB_PRE_COPY, MIGLAB_PRE_COPY_P2P, MIGLAB_PRE_COPY_P2P, \
				  (at) - 5, at, result, 0, 1 }
#define LEAVE(n, at)		{ n, MIGLAB_PRE_COPY, MIGLAB_RUNNING, MIGLAB_RUNNING, (at) - 5, \
				  at, 0, 0, 1 }
#define HELD(n)			TESTED(n, 5, BUSY)
#define BUSY			1

static void test_what_is_held(void **state)
{
	static const struct {
		const char *text;
		uint64_t seq;
	} rows[] = {
		{ "PRE_COPY>PRE_COPY_P2P seq=7 rule=lease\n", 7 },
		{ "PRE_COPY>PRE_COPY_P2P seq=18446744073709551615 rule=1\n", UINT64_MAX },
		{ "none\n", 0 },
		{ "", 0 },
		{ "PRE_COPY>RUNNING seq=7 rule=1\n", 0 },
		{ "RUNNING_P2P>PRE_COPY_P2P seq=7 rule=1\n", 0 },
		{ "PRE_COPY>PRE_COPY_P2P seq= rule=1\n", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++)
		if (hold_seq(rows[i].text) != rows[i].seq)
			fail_msg("\"%s\"", rows[i].text);
}

/* The transition that is held has the number 9. */
static const struct row {
	const char *name;
	struct lab_arc arcs[4];
	size_t count;
	uint64_t received_ns;
	bool announced;
} rows[] = {
	{ "announced in PRE_COPY", { ENTER(8, 100, 0), HELD(9) }, 2, 101, true },
	{ "while it is held", { ENTER(8, 100, 0), HELD(9) }, 2, 100000, true },
	{ "before PRE_COPY", { ENTER(8, 100, 0), HELD(9) }, 2, 99, false },
	{ "as it is entered", { ENTER(8, 100, 0), HELD(9) }, 2, 100, false },
	{ "of the try before", { ENTER(7, 100, 0), TESTED(8, 200, -EIO), HELD(9) }, 3, 150, false },
	{ "of the second try", { ENTER(7, 100, 0), TESTED(8, 200, -EIO), HELD(9) }, 3, 201, true },
	{ "of a migration that was cancelled",
	  { ENTER(6, 100, 0), LEAVE(7, 200), ENTER(8, 300, 0), HELD(9) }, 4, 150, false },
	{ "after one that was cancelled",
	  { ENTER(6, 100, 0), LEAVE(7, 200), ENTER(8, 300, 0), HELD(9) }, 4, 301, true },
	{ "PRE_COPY was not entered", { ENTER(7, 100, 0), ENTER(8, 300, -EIO), HELD(9) }, 3, 150,
	  true },
	{ "later arcs do not matter", { ENTER(8, 100, 0), HELD(9), TESTED(10, 300, 0) }, 3, 200,
	  true },
	{ "the beginning is lost", { HELD(9) }, 1, 1, true },
};

static void test_announced(void **state)
{
	const struct row *row = *state;

	assert_int_equal(hold_announced(row->arcs, row->count, 9, row->received_ns),
			 row->announced);
}

/* The driver takes what is written to it. */
static void test_lease(void **state)
{
	struct miglab_lease lease;

	(void)state;
	assert_int_equal(miglab_lease_parse(HOLD_LEASE, strlen(HOLD_LEASE), &lease), 0);
	assert_int_equal(lease.from, MIGLAB_PRE_COPY);
	assert_int_equal(lease.to, MIGLAB_PRE_COPY_P2P);
	assert_int_equal(lease.limit_us, 5000000);
}

int main(void)
{
	struct CMUnitTest tests[ROWS(rows) + 2];
	size_t i;

	for (i = 0; i < ROWS(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, test_announced, NULL, NULL,
						(void *)&rows[i] };
	tests[i++] = (struct CMUnitTest)cmocka_unit_test(test_what_is_held);
	tests[i++] = (struct CMUnitTest)cmocka_unit_test(test_lease);
	return cmocka_run_group_tests_name("hold", tests, NULL, NULL);
}
