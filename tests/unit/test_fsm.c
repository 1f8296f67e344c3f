// SPDX-License-Identifier: GPL-2.0-only
#include "unit.h"

#include "core/fsm.h"

/*
 * What vfio_mig_get_next_state() of Linux 7.3 answers, written down apart from
 * the table under test. '-' is -EINVAL, a row of 'W' a state that the flags lack.
 */
static const struct {
	u32 flags;
	u32 pairs, arcs;	/* legal from != to, and those of one step */
	const char *rows[7];
} kernel[] = {
	{ 7, 40, 15, {
		"STP: STP RP2 RP2 RP2 RP2 SCP RES",
		"RUN: RP2 RUN RP2 PRC RP2 RP2 RP2",
		"RP2: STP RUN RP2 RUN PP2 STP STP",
		"PRC: RUN RUN RUN PRC PP2 PP2 RUN",
		"PP2: RP2 RP2 RP2 PRC PP2 SCP RP2",
		"SCP: STP STP STP  -   -  SCP STP",
		"RES: STP STP STP STP STP STP RES",
	} },
	{ 5, 19, 9, {
		"STP: STP RUN  -  RUN  -  SCP RES",
		"RUN: STP RUN  -  PRC  -  STP STP",
		"RP2:  W   W   W   W   W   W   W ",
		"PRC: RUN RUN  -  PRC  -  SCP RUN",
		"PP2:  W   W   W   W   W   W   W ",
		"SCP: STP STP  -   -   -  SCP STP",
		"RES: STP STP  -  STP  -  STP RES",
	} },
	{ 3, 20, 8, {
		"STP: STP RP2 RP2  -   -  SCP RES",
		"RUN: RP2 RUN RP2  -   -  RP2 RP2",
		"RP2: STP RUN RP2  -   -  STP STP",
		"PRC:  W   W   W   W   W   W   W ",
		"PP2:  W   W   W   W   W   W   W ",
		"SCP: STP STP STP  -   -  SCP STP",
		"RES: STP STP STP  -   -  STP RES",
	} },
	{ 1, 12, 6, {
		"STP: STP RUN  -   -   -  SCP RES",
		"RUN: STP RUN  -   -   -  STP STP",
		"RP2:  W   W   W   W   W   W   W ",
		"PRC:  W   W   W   W   W   W   W ",
		"PP2:  W   W   W   W   W   W   W ",
		"SCP: STP STP  -   -   -  SCP STP",
		"RES: STP STP  -   -   -  STP RES",
	} },
};

/* The tables' order of rows and columns. */
static const struct {
	const char *abbreviation;
	u32 state;
} order[7] = {
	{ "STP", 1 }, { "RUN", 2 }, { "RP2", 5 }, { "PRC", 6 }, { "PP2", 7 }, { "SCP", 3 },
	{ "RES", 4 },
};

static u32 state_of(const char *cell)
{
	for (u32 i = 0; i < 7; i++)
		if (!strncmp(cell, order[i].abbreviation, 3))
			return order[i].state;
	return 0;
}

static void assert_refused(u32 flags, u32 from, u32 to)
{
	u32 next = 99;

	assert_int_equal(miglab_fsm_next(flags, from, to, &next), -EINVAL);
	assert_int_equal(next, 99);
}

static void test_every_pair(void **unused)
{
	(void)unused;
	for (size_t t = 0; t < ARRAY_SIZE(kernel); t++) {
		for (u32 row = 0; row < 7; row++) {
			const char *text = kernel[t].rows[row];

			assert_int_equal(state_of(text), order[row].state);
			for (u32 col = 0; col < 7; col++) {
				u32 want = state_of(text + 5 + 4 * col);
				u32 from = order[row].state, to = order[col].state, next = 99;

				if (!want) {
					assert_refused(kernel[t].flags, from, to);
					continue;
				}
				assert_int_equal(miglab_fsm_next(kernel[t].flags, from, to, &next),
						 0);
				assert_int_equal(next, want);
			}
		}
	}
}

static void test_numbers_of_pairs_and_arcs(void **unused)
{
	(void)unused;
	for (size_t t = 0; t < ARRAY_SIZE(kernel); t++) {
		u32 pairs = 0, arcs = 0;

		for (u32 from = 0; from < 8; from++) {
			for (u32 to = 0; to < 8; to++) {
				u32 next;

				if (from == to ||
				    miglab_fsm_next(kernel[t].flags, from, to, &next))
					continue;
				pairs++;
				arcs += next == to;
			}
		}
		assert_int_equal(pairs, kernel[t].pairs);
		assert_int_equal(arcs, kernel[t].arcs);
	}
}

/* No legal request fails midway or takes more than four arcs. */
static void test_paths_end(void **unused)
{
	(void)unused;
	for (size_t t = 0; t < ARRAY_SIZE(kernel); t++) {
		for (u32 from = 1; from < 8; from++) {
			for (u32 to = 1; to < 8; to++) {
				u32 cur = from, next, steps = 0;

				if (miglab_fsm_next(kernel[t].flags, from, to, &next))
					continue;
				for (; cur != to; cur = next, steps++)
					assert_int_equal(miglab_fsm_next(kernel[t].flags, cur, to,
									 &next), 0);
				assert_true(steps <= 4);
			}
		}
	}
}

static void test_error_and_unknown_states(void **unused)
{
	static const u32 bad[] = { 0, 8, 9, 255, 0x80000001, 0xffffffff };

	(void)unused;
	for (u32 flags = 1; flags < 8; flags += 2) {
		for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
			for (u32 other = 0; other < 9; other++) {
				assert_refused(flags, bad[i], other);
				assert_refused(flags, other, bad[i]);
			}
		}
	}
}

static void test_supported(void **unused)
{
	/* By state, which of the flag sets 1, 3, 5, 7 offer it. */
	static const bool offered[8][4] = {
		{ 1, 1, 1, 1 }, { 1, 1, 1, 1 }, { 1, 1, 1, 1 }, { 1, 1, 1, 1 },
		{ 1, 1, 1, 1 }, { 0, 1, 0, 1 }, { 0, 0, 1, 1 }, { 0, 0, 0, 1 },
	};

	(void)unused;
	for (u32 state = 0; state < 8; state++)
		for (u32 i = 0; i < 4; i++)
			assert_int_equal(miglab_state_supported(2 * i + 1, state),
					 offered[state][i]);
	assert_false(miglab_state_supported(7, 8));
	assert_false(miglab_state_supported(7, 0xffffffff));
}

static void test_saving_group(void **unused)
{
	(void)unused;
	for (u32 state = 0; state < 10; state++)
		assert_int_equal(miglab_state_is_saving(state),
				 state == 3 || state == 6 || state == 7);
}

static void test_names(void **unused)
{
	static const char *const names[] = {
		"ERROR", "STOP", "RUNNING", "STOP_COPY",
		"RESUMING", "RUNNING_P2P", "PRE_COPY", "PRE_COPY_P2P",
	};
	static const char *const wrong[] = {
		"", "STO", "STOP_", "stop", "PRE_COPY_P2", " STOP", "?",
	};
	u32 state;

	(void)unused;
	for (u32 i = 0; i < 8; i++) {
		char padded[32];

		assert_string_equal(miglab_state_name(i), names[i]);
		snprintf(padded, sizeof(padded), "%s>x", names[i]);
		assert_int_equal(miglab_state_parse(padded, strlen(names[i]), &state), 0);
		assert_int_equal(state, i);
	}
	assert_string_equal(miglab_state_name(8), "?");
	assert_string_equal(miglab_state_name(0xffffffff), "?");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		state = 99;
		assert_int_equal(miglab_state_parse(wrong[i], strlen(wrong[i]), &state), -EINVAL);
		assert_int_equal(state, 99);
	}
}

static void test_profiles(void **unused)
{
	static const struct {
		const char *name;
		u32 flags;
	} rows[] = {
		{ "full", 7 }, { "no-p2p", 5 }, { "no-precopy", 3 }, { "stop-copy", 1 },
	};
	static const char *const wrong[] = { "", "ful", "full\n", "FULL", "no-p2", "?" };
	u32 flags;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_string_equal(miglab_profile_at(i), rows[i].name);
		assert_string_equal(miglab_profile_name(rows[i].flags), rows[i].name);
		flags = 99;
		assert_int_equal(miglab_profile_parse(rows[i].name, strlen(rows[i].name), &flags),
				 0);
		assert_int_equal(flags, rows[i].flags);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		flags = 99;
		assert_int_equal(miglab_profile_parse(wrong[i], strlen(wrong[i]), &flags), -EINVAL);
		assert_int_equal(flags, 99);
	}
	for (flags = 0; flags <= 8; flags += 2)
		assert_string_equal(miglab_profile_name(flags), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair),
		cmocka_unit_test(test_numbers_of_pairs_and_arcs),
		cmocka_unit_test(test_paths_end),
		cmocka_unit_test(test_error_and_unknown_states),
		cmocka_unit_test(test_supported),
		cmocka_unit_test(test_saving_group),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_profiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
