// SPDX-License-Identifier: GPL-2.0-only
#include "judge/lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A line being written; what does not fit is dropped. */
struct text {
	char *at;
	size_t left;
};

static void put(struct text *text, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text->at, text->left, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	if ((size_t)len >= text->left)
		len = text->left - 1;
	text->at += len;
	text->left -= len;
}

static double ms(uint64_t ns)
{
	return ns / 1e6;
}

/* "0.08 ms before": from a to b, whichever is first. */
static void put_distance(struct text *text, uint64_t a_ns, uint64_t b_ns)
{
	put(text, "%.2f ms %s", ms(a_ns <= b_ns ? b_ns - a_ns : a_ns - b_ns),
	    a_ns <= b_ns ? "before" : "after");
}

static void put_arc(struct text *text, const struct lab_arc *arc)
{
	if (!arc->end_ns)
		put(text, "  arc in progress");
	else
		put(text, "  arc %.1f ms", ms(arc->end_ns - arc->begin_ns));
	if (arc->end_ns && arc->result)
		put(text, ", failed (%s)", strerror(-arc->result));
}

static void put_prepare(struct text *text, const struct verdict_line *line)
{
	const struct lab_arc *arc = line->arc;

	put(text, "   prepare received ");
	if (line->kind == VERDICT_LATE) {
		put_distance(text, line->prepare_ns, arc->end_ns);
		put(text, " the arc's end");
	} else {
		put_distance(text, line->prepare_ns, arc->begin_ns);
		put(text, arc->begin_ns <= line->prepare_ns ? " the arc's beginning" : " the arc");
	}
	if (line->done_ns) {
		put(text, ", ");
		put_distance(text, line->prepare_ns, line->done_ns);
		put(text, " the completion event");
	}
	if (line->by_hold)
		put(text, ", before the hold was released");
	if (line->answers)
		put(text, ", answered by %u in at most %.2f ms", line->answers,
		    ms(line->slowest_ns));
	if (line->silent)
		put(text, ", not answered by %u", line->silent);
	if (line->kind == VERDICT_DUPLICATE)
		put(text, ", %u times", line->count);
}

/* What there is to say without a receipt or without an arc. */
static void put_reason(struct text *text, const struct verdict_input *in,
		       const struct verdict_line *line)
{
	switch (line->kind) {
	case VERDICT_MISSING:
		put(text, "   no prepare received");
		if (line->other)
			put(text, " (one for %s)", line->other);
		if (line->done_ns)
			put(text, ", completion event %.2f ms after the arc",
			    line->done_ns > line->arc->end_ns ?
				    ms(line->done_ns - line->arc->end_ns) : 0.0);
		break;
	case VERDICT_UNDELIVERED:
		put(text, "   the event connection broke before the arc ended");
		break;
	case VERDICT_STRAY:
		put(text, "  a prepare received without an arc that follows");
		break;
	case VERDICT_GAP:
		put(text, "  entries of the history are lost");
		break;
	case VERDICT_NA:
		if (in->expected >= 0)
			put(text, "  %u arcs, %d expected", line->count, in->expected);
		else
			put(text, "  no arc");
		break;
	default:
		break;
	}
}

void verdict_text(const struct verdict_input *in, const struct verdict_line *line,
		  const struct verdict_subject *subject, char out[VERDICT_TEXT_MAX])
{
	struct text text = { out, VERDICT_TEXT_MAX };

	put(&text, "%s %s  PRE_COPY -> PRE_COPY_P2P", subject->id, subject->where);
	if (line->arc)
		put_arc(&text, line->arc);
	if (line->arc && line->prepare_ns)
		put_prepare(&text, line);
	else
		put_reason(&text, in, line);
	put(&text, "   %s  %s", verdict_name(line->kind), line->pass ? "PASS" : "FAIL");
	if (strcmp(subject->keeper, "kernel"))
		put(&text, "   history: %s", subject->keeper);
}

static void add_string(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

static void add_number(struct json_object *object, const char *key, int64_t value)
{
	json_object_object_add(object, key, json_object_new_int64(value));
}

struct json_object *verdict_json(const struct verdict_input *in, const struct verdict_line *line,
				 const struct verdict_subject *subject)
{
	struct json_object *object = json_object_new_object();
	char text[VERDICT_TEXT_MAX];

	verdict_text(in, line, subject, text);
	add_string(object, "text", text);
	add_string(object, "device", subject->id);
	add_string(object, "where", subject->where);
	add_string(object, "history", subject->keeper);
	add_string(object, "verdict", verdict_name(line->kind));
	json_object_object_add(object, "pass", json_object_new_boolean(line->pass));
	if (line->arc) {
		add_number(object, "seq", line->arc->seq);
		add_number(object, "begin_ns", line->arc->begin_ns);
		add_number(object, "result", line->arc->result);
		json_object_object_add(object, "by-hold", json_object_new_boolean(line->by_hold));
	}
	if (line->arc && line->arc->end_ns)
		add_number(object, "end_ns", line->arc->end_ns);
	if (line->prepare_ns)
		add_number(object, "prepare_ns", line->prepare_ns);
	if (line->done_ns)
		add_number(object, "done_ns", line->done_ns);
	if (line->answers)
		add_number(object, "slowest_answer_ns", line->slowest_ns);
	if (line->answers || line->silent) {
		add_number(object, "answers", line->answers);
		add_number(object, "silent", line->silent);
	}
	if (line->kind == VERDICT_DUPLICATE || line->kind == VERDICT_NA)
		add_number(object, "count", line->count);
	if (line->kind == VERDICT_NA && in->expected >= 0)
		add_number(object, "expected", in->expected);
	return object;
}
