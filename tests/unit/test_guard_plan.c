// SPDX-License-Identifier: GPL-2.0-only
/* When the timeouts of a device's connections are off. */
#include "unit.h"

#include "guard/plan.h"

#define PREPARE	"pre-copy-p2p-prepare"
#define ROWS(a)	(sizeof(a) / sizeof((a)[0]))

static const struct plan_options options = { .grace_ns = 10, .limit_ns = 100 };

enum step_kind { END, EVENT, SETTLE, VANISH, TIME };

/* One call, and what it must answer; for VANISH whether a grace period begins. */
struct step {
	enum step_kind kind;
	unsigned int vmm;
	const char *state;
	uint64_t now_ns;
	int want;
};

#define AT(now, vmm, state, want)	{ EVENT, vmm, state, now, want }
#define SETTLED(want)			{ SETTLE, 0, NULL, 0, want }
#define VANISHED(now, want)		{ VANISH, 0, NULL, now, want }
#define PASSED(now, want)		{ TIME, 0, NULL, now, want }

static const struct row {
	const char *name;
	struct step steps[12];
} rows[] = {
	{ "a migration", {
		AT(1, 0, "pre-copy", PLAN_NOTHING), SETTLED(PLAN_NOTHING),
		AT(2, 0, PREPARE, PLAN_SUSPEND), AT(3, 0, "pre-copy-p2p", PLAN_NOTHING),
		AT(4, 0, "stop-copy", PLAN_NOTHING), SETTLED(PLAN_NOTHING),
		AT(5, 1, "running", PLAN_NOTHING), SETTLED(PLAN_NOTHING), SETTLED(PLAN_RESTORE),
		SETTLED(PLAN_NOTHING),
	} },
	{ "one that fails", {
		AT(2, 0, PREPARE, PLAN_SUSPEND), AT(5, 0, "running", PLAN_NOTHING),
		SETTLED(PLAN_NOTHING), SETTLED(PLAN_RESTORE),
	} },
	{ "not announced", {
		AT(3, 0, "pre-copy-p2p", PLAN_SUSPEND), AT(5, 1, "running", PLAN_NOTHING),
		SETTLED(PLAN_NOTHING), SETTLED(PLAN_RESTORE),
	} },
	{ "it starts up", {
		AT(1, 0, "running-p2p", PLAN_NOTHING), AT(1, 0, "running", PLAN_NOTHING),
		SETTLED(PLAN_NOTHING),
	} },
	{ "the source's events are read after the destination's", {
		AT(2, 0, PREPARE, PLAN_SUSPEND), AT(5, 1, "running", PLAN_NOTHING),
		AT(5, 0, "pre-copy-p2p", PLAN_NOTHING), SETTLED(PLAN_NOTHING),
		SETTLED(PLAN_RESTORE),
	} },
	{ "the source's events come when it has been looked at", {
		AT(2, 0, PREPARE, PLAN_SUSPEND), AT(5, 1, "running", PLAN_NOTHING),
		SETTLED(PLAN_NOTHING), AT(5, 0, "pre-copy-p2p", PLAN_NOTHING),
		SETTLED(PLAN_RESTORE), SETTLED(PLAN_NOTHING),
	} },
	{ "it runs at the source, then at the destination", {
		AT(2, 0, PREPARE, PLAN_SUSPEND), AT(5, 0, "running", PLAN_NOTHING),
		SETTLED(PLAN_NOTHING), AT(6, 1, "running", PLAN_NOTHING),
		SETTLED(PLAN_NOTHING), SETTLED(PLAN_RESTORE),
	} },
	{ "time is up before the second round", {
		AT(2, 0, PREPARE, PLAN_SUSPEND), AT(5, 1, "running", PLAN_NOTHING),
		SETTLED(PLAN_NOTHING), PASSED(102, PLAN_RESTORE), SETTLED(PLAN_NOTHING),
	} },
	{ "the next migration begins before anyone looks", {
		AT(2, 0, PREPARE, PLAN_SUSPEND), AT(50, 0, "running", PLAN_NOTHING),
		AT(50, 0, PREPARE, PLAN_NOTHING), SETTLED(PLAN_NOTHING),
		PASSED(149, PLAN_NOTHING), PASSED(150, PLAN_RESTORE),
	} },
	{ "the VMM vanishes", {
		AT(2, 0, PREPARE, PLAN_SUSPEND), VANISHED(5, true), PASSED(14, PLAN_NOTHING),
		PASSED(15, PLAN_RESTORE), PASSED(16, PLAN_NOTHING),
	} },
	{ "it vanishes, and the other one says running", {
		AT(2, 0, PREPARE, PLAN_SUSPEND), VANISHED(5, true),
		AT(6, 1, "running", PLAN_NOTHING), SETTLED(PLAN_NOTHING), SETTLED(PLAN_RESTORE),
		PASSED(15, PLAN_NOTHING),
	} },
	{ "both vanish: once is enough", {
		AT(2, 0, PREPARE, PLAN_SUSPEND), VANISHED(5, true), VANISHED(6, false),
		PASSED(15, PLAN_RESTORE),
	} },
	{ "it vanishes when nothing is suspended", {
		VANISHED(5, false), PASSED(500, PLAN_NOTHING),
	} },
	{ "it never says running", {
		AT(2, 0, PREPARE, PLAN_SUSPEND), PASSED(101, PLAN_NOTHING),
		PASSED(102, PLAN_RESTORE),
	} },
	{ "a grace period is no extension", {
		AT(2, 0, PREPARE, PLAN_SUSPEND), VANISHED(99, false), PASSED(102, PLAN_RESTORE),
	} },
};

static int take(struct plan *p, const struct step *s)
{
	switch (s->kind) {
	case EVENT:
		return plan_event(p, &options, s->vmm, s->state, s->now_ns);
	case SETTLE:
		return plan_settle(p);
	case VANISH:
		return plan_vanished(p, &options, s->now_ns);
	default:
		return plan_time(p, s->now_ns);
	}
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct plan p = { 0 };

		for (const struct step *s = rows[i].steps; s->kind != END; s++) {
			int got = take(&p, s);

			if (got != s->want)
				fail_msg("%s: step %zd gave %d, not %d", rows[i].name,
					 s - rows[i].steps + 1, got, s->want);
			assert_int_equal(plan_deadline(&p) != UINT64_MAX, p.suspended);
			assert_int_equal(plan_deadline(&p) == 0, p.suspended && p.due);
		}
		assert_false(p.suspended);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
