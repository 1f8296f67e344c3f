/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a verdict is told: a line for people, an object for programs. Pure.
 */
#ifndef MIGLAB_JUDGE_LINES_H
#define MIGLAB_JUDGE_LINES_H

#include <json-c/json.h>

#include "judge/verdict.h"

#define VERDICT_TEXT_MAX	512

/* Whom a line is about. */
struct verdict_subject {
	const char *id;		/* "vf0" */
	const char *where;	/* BDF or "emu" */
	const char *keeper;	/* who keeps the history: told unless it is "kernel" */
};

/*
 * One line without its newline. @in is what the verdict was found from. Longer
 * than VERDICT_TEXT_MAX - 1 it is cut.
 */
void verdict_text(const struct verdict_input *in, const struct verdict_line *line,
		  const struct verdict_subject *subject, char text[VERDICT_TEXT_MAX]);

/*
 * The same as an object: text (the line), device, where, history, verdict, pass, and
 * where known seq, begin_ns, end_ns, result, by-hold, prepare_ns, done_ns, count,
 * expected. The caller owns it.
 */
struct json_object *verdict_json(const struct verdict_input *in, const struct verdict_line *line,
				 const struct verdict_subject *subject);

#endif
