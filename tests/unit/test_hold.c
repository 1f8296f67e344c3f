// SPDX-License-Identifier: GPL-2.0-only
/* The proof by hold's rules, and that the rules' parser takes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/fsm.h"
#include "core/rules.h"
#include "judge/hold.h"

#define ROWS(a)	(sizeof(a) / sizeof((a)[0]))
#define ARC	"arc=PRE_COPY>PRE_COPY_P2P"
#define HOLD	" hold limit_us=5000000"
#define LAST	"\n" ARC HOLD "\n"

static const struct row {
	const char *name, *text, *held;
} rows[] = {
	{ "no rule", "", LAST },
	{ "a delay stays", ARC " delay_us=300000\n", ARC " delay_us=300000" HOLD "\n" LAST },
	{ "a hold stays as it is", ARC " hold limit_us=7\n", ARC " hold limit_us=7\n" LAST },
	{ "other arcs stay", "arc=RUNNING>PRE_COPY delay_us=5",
	  "arc=RUNNING>PRE_COPY delay_us=5" LAST },
	{ "several on one line", ARC " nth=1 errno=EIO; " ARC " delay_us=5",
	  ARC " nth=1 errno=EIO" HOLD "; " ARC " delay_us=5" HOLD LAST },
	{ "words may change places", "delay_us=5 " ARC "\n", "delay_us=5 " ARC HOLD "\n" LAST },
	{ "a comment", ARC " delay_us=5 # hold; " ARC "\n",
	  ARC " delay_us=5 " HOLD "# hold; " ARC "\n" LAST },
};

static void test_row(void **state)
{
	const struct row *row = *state;
	char *held = hold_rules(row->text);
	struct miglab_rules rules;
	struct miglab_rules_error err;

	assert_non_null(held);
	assert_string_equal(held, row->held);
	assert_int_equal(miglab_rules_parse(&rules, held, strlen(held), &err), 0);
	assert_true(miglab_rules_match(&rules, MIGLAB_PRE_COPY, MIGLAB_PRE_COPY_P2P).hold);
	free(held);
}

int main(void)
{
	struct CMUnitTest tests[ROWS(rows)];
	size_t i;

	for (i = 0; i < ROWS(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, test_row, NULL, NULL,
						(void *)&rows[i] };
	return cmocka_run_group_tests_name("hold", tests, NULL, NULL);
}
