/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a verdict is told: a line for people, an object for programs. Pure.
 */
#ifndef MIGLAB_JUDGE_LINES_H
#define MIGLAB_JUDGE_LINES_H

#include <json-c/json.h>
#include <stdbool.h>

#include "judge/verdict.h"

#define VERDICT_TEXT_MAX	512

/* Whom a line is about. */
struct verdict_subject {
	const char *id;		/* "vf0" */
	const char *where;	/* BDF or "emu" */
	const char *keeper;	/* who keeps the history */
};

/* A whole run. */
struct verdict_run {
	struct verdict_sum sum;
	const char *ended;	/* why watching ended: "migration", "timeout" and so on */
	const char *migration;	/* what MIGRATION said: "completed", "failed"; NULL: nothing */
	const char *keeper;	/* who keeps the histories: told unless it is "kernel" */
};

/*
 * One line without its newline: what decides, and the verdict as its last words. With
 * @long_line also what was measured besides. @in is what the verdict was found from.
 * Longer than VERDICT_TEXT_MAX - 1 it is cut.
 */
void verdict_text(const struct verdict_input *in, const struct verdict_line *line,
		  const struct verdict_subject *subject, bool long_line,
		  char text[VERDICT_TEXT_MAX]);

/*
 * The same as an object: text (the line), device, where, history, verdict, pass, and
 * where known seq, begin_ns, end_ns, result, pid, by-hold, own-hold, prepare_ns, lead_ns
 * (from the prepare event to the arc, negative behind its beginning), done_ns, count,
 * expected. The caller owns it.
 */
struct json_object *verdict_json(const struct verdict_input *in, const struct verdict_line *line,
				 const struct verdict_subject *subject);

/* The last line, in the manner of verdict_text(): "PASS", "HELD  PASS", "FAIL", "N/A". */
void verdict_run_text(const struct verdict_run *run, char text[VERDICT_TEXT_MAX]);

/* The same as an object: text, result, pass, ended, arcs, held, without, where known migration. */
struct json_object *verdict_run_json(const struct verdict_run *run);

/* Puts '?' in the place of what is no character to print in @text, which somebody else chose. */
void verdict_clean(char *text);

#endif
