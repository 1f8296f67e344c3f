// SPDX-License-Identifier: GPL-2.0-only
/*
 * KTAP version 1, as Documentation/dev-tools/ktap.rst of the kernel has it.
 */
#include <stdio.h>
#include <string.h>

#include "report/results.h"

static unsigned int number;

static void begin(const char *subject, size_t rows)
{
	number = 0;
	printf("KTAP version 1\n# %s\n1..%zu\n", subject, rows);
}

/* Diagnostics: every line of @text behind a mark. */
static void print_lines(const char *text)
{
	while (*text) {
		int len = strcspn(text, "\n");

		printf("# %.*s\n", len, text);
		text += len + (text[len] == '\n');
	}
}

static void row(const struct report_row *row)
{
	const int first_line = strcspn(row->text, "\n");

	if (row->verdict != REPORT_SKIPPED)
		print_lines(row->text);
	printf("%s %u %s.%s", row->verdict == REPORT_FAILED ? "not ok" : "ok", ++number,
	       row->group, row->name);
	if (row->verdict == REPORT_SKIPPED)
		printf(" # SKIP %.*s", first_line, row->text);
	putchar('\n');
	fflush(stdout);
}

static void end(const struct report_totals *totals)
{
	if (totals->broken)
		printf("Bail out! %s\n", totals->broken);
	printf("# Totals: pass:%u fail:%u xfail:0 xpass:0 skip:%u error:0\n", totals->passed,
	       totals->failed, totals->skipped);
}

const struct report_format ktap_format = {
	.name = "ktap",
	.begin = begin,
	.row = row,
	.end = end,
};
