// SPDX-License-Identifier: GPL-2.0-only
/*
 * JUnit XML. The counts stand in the first element, so that nothing is printed
 * before the end.
 */
#include <stdio.h>
#include <stdlib.h>

#include "report/results.h"
#include "report/xml.h"

static FILE *body;
static char *body_text, *suite;
static size_t body_size;

static void begin(const char *subject, size_t rows)
{
	size_t size;
	FILE *out = open_memstream(&suite, &size);

	(void)rows;
	body = open_memstream(&body_text, &body_size);
	if (!out || !body)
		abort();
	xml_put(out, subject);
	fclose(out);
}

static void row(const struct report_row *row)
{
	static const char *const elements[] = {
		[REPORT_PASSED] = "system-out",
		[REPORT_FAILED] = "failure",
		[REPORT_SKIPPED] = "skipped",
	};
	const char *element = elements[row->verdict];

	fprintf(body, "  <testcase classname=\"%s\" name=\"%s\" time=\"%.3f\"", row->group,
		row->name, row->ns / 1e9);
	if (row->verdict == REPORT_PASSED && !*row->text) {
		fputs("/>\n", body);
		return;
	}
	fprintf(body, ">\n    <%s", element);
	if (row->verdict == REPORT_PASSED) {
		fputc('>', body);
		xml_put(body, row->text);
		fprintf(body, "</%s>", element);
	} else {
		fputs(" message=\"", body);
		xml_put(body, row->text);
		fputs("\"/>", body);
	}
	fputs("\n  </testcase>\n", body);
}

/* A suite that did not come to its end has one test more, which is in error. */
static void end(const struct report_totals *totals)
{
	const unsigned int errors = totals->broken ? 1 : 0;

	if (errors) {
		fputs("  <testcase classname=\"suite\" name=\"end\">\n    <error message=\"", body);
		xml_put(body, totals->broken);
		fputs("\"/>\n  </testcase>\n", body);
	}
	fclose(body);
	printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	       "<testsuite name=\"%s\" tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\">\n%s</testsuite>\n",
	       suite, totals->passed + totals->failed + totals->skipped + errors, totals->failed,
	       errors, totals->skipped, body_text);
	free(body_text);
	free(suite);
}

const struct report_format junit_format = {
	.name = "junit",
	.begin = begin,
	.row = row,
	.end = end,
};
