/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The results of a suite, one at a time, to standard output.
 */
#ifndef MIGLAB_REPORT_RESULTS_H
#define MIGLAB_REPORT_RESULTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum report_verdict { REPORT_PASSED, REPORT_FAILED, REPORT_SKIPPED };

struct report_row {
	const char *group, *name;	/* of letters, digits, "-", "_" and "." */
	enum report_verdict verdict;
	const char *text;	/* why it failed or was skipped, else notes; lines, "" for none */
	uint64_t ns;		/* how long it took */
};

struct report_totals {
	unsigned int passed, failed, skipped;
	const char *broken;	/* why the suite did not come to its end; NULL: it did */
};

/* begin, any number of rows, end. */
struct report_format {
	const char *name;
	void (*begin)(const char *subject, size_t rows);
	void (*row)(const struct report_row *row);
	void (*end)(const struct report_totals *totals);
};

extern const struct report_format ktap_format, junit_format;

/* The one of that name, or -EINVAL and a sentence about --format. */
int report_format_find(const char *name, const struct report_format **ret, struct error *err);

#endif
