// SPDX-License-Identifier: GPL-2.0-only
#include "judge/lines.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "device/state.h"

#define SHOWN_MAX	64	/* of a name that somebody else chose */

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

void verdict_clean(char *text)
{
	unsigned char *at = (unsigned char *)text;

	utf8_clean(text);
	for (; *at; at++) {
		/* U+0080 to U+009F are controls, too. */
		if (*at == 0xc2 && at[1] < 0xa0)
			*at++ = '?';
		else if (*at >= ' ' && *at != 0x7f)
			continue;
		*at = '?';
	}
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

/* Of a hold that came to its limit, and of nothing with a connection. */
static const char *reason(int result)
{
	return result == -ETIMEDOUT ? "timed out" : strerror(-result);
}

static void put_arc(struct text *text, const struct verdict_line *line)
{
	const struct lab_arc *arc = line->arc;

	if (!arc->end_ns)
		put(text, "  arc in progress");
	else
		put(text, "  arc %.1f ms", ms(arc->end_ns - arc->begin_ns));
	if (line->own_hold)
		put(text, ", ended by the judge's own hold");
	else if (arc->end_ns && arc->result)
		put(text, ", failed (%s)", reason(arc->result));
}

/* When the event came, seen from where it should have been. */
static void put_prepare(struct text *text, const struct verdict_input *in,
			const struct verdict_line *line)
{
	const struct lab_arc *arc = line->arc;

	if (line->kind == VERDICT_HELD) {
		put(text, "  held until its prepare came");
		return;
	}
	put(text, "  prepare ");
	if (line->kind == VERDICT_LATE) {
		put_distance(text, line->prepare_ns, arc->end_ns);
		put(text, " its end");
	} else {
		put_distance(text, line->prepare_ns, arc->begin_ns);
		put(text, arc->begin_ns <= line->prepare_ns ? " its beginning" : " it");
	}
	if (line->kind == VERDICT_EARLY)
		put(text, ", more than %.0f ms", ms(in->lead_ns));
	if (line->kind == VERDICT_DUPLICATE)
		put(text, ", %u times", line->count);
	if (line->unheld)
		put(text, ", not held");
}

static void put_answers(struct text *text, const struct verdict_line *line)
{
	if (line->answers)
		put(text, ", answered by %u in at most %.2f ms", line->answers,
		    ms(line->slowest_ns));
	if (line->silent)
		put(text, ", not answered by %u", line->silent);
}

/* Why a device has no arc under test, as far as its history tells. */
static void put_instead(struct text *text, const struct lab_arc *instead)
{
	if (!instead)
		put(text, "; its history is empty");
	else
		put(text, "; it went %s -> %s", device_state_name(instead->from),
		    device_state_name(instead->to));
}

/* What there is to say without a receipt or without an arc. */
static void put_reason(struct text *text, const struct verdict_input *in,
		       const struct verdict_line *line)
{
	char other[SHOWN_MAX];

	switch (line->kind) {
	case VERDICT_MISSING:
		put(text, "  no prepare");
		if (line->other) {
			snprintf(other, sizeof(other), "%s", line->other);
			verdict_clean(other);
			put(text, " (one for %s)", other);
		}
		break;
	case VERDICT_UNDELIVERED:
		put(text, "  the event connection broke before its end");
		break;
	case VERDICT_STRAY:
		put(text, "  a prepare without an arc that follows");
		break;
	case VERDICT_WITHDRAWN:
		put(text, "  a prepare, then the migration was given up");
		break;
	case VERDICT_FOREIGN:
		put(text, "  made by process %d, not by %d, which sends the events",
		    line->arc->pid, in->devices[line->device].pid);
		break;
	case VERDICT_GAP:
		put(text, "  entries of the history are lost");
		break;
	case VERDICT_DISAGREE:
		put(text, "  history and kernel's trace differ: %s",
		    in->devices[line->device].disagreement);
		break;
	case VERDICT_NA:
		if (in->expected >= 0)
			put(text, "  %u arcs, %d expected", line->count, in->expected);
		else
			put(text, "  no arc");
		if (!line->count)
			put_instead(text, line->instead);
		break;
	default:
		break;
	}
}

static void put_details(struct text *text, const struct verdict_line *line)
{
	const struct lab_arc *arc = line->arc;

	if (line->kind == VERDICT_HELD) {
		put(text, ", prepare ");
		put_distance(text, line->prepare_ns, arc->begin_ns);
		put(text, " its beginning");
	} else if (line->by_hold) {
		put(text, ", and before its hold was released");
	}
	if (line->done_ns && line->prepare_ns) {
		put(text, ", prepare ");
		put_distance(text, line->prepare_ns, line->done_ns);
		put(text, " the completion event");
	} else if (line->done_ns) {
		put(text, ", completion event %.2f ms after it",
		    line->done_ns > arc->end_ns ? ms(line->done_ns - arc->end_ns) : 0.0);
	}
	put(text, ", seq %llu, on the way to %s, process %d", (unsigned long long)arc->seq,
	    device_state_name(arc->requested), arc->pid);
}

static const char *outcome_word(enum verdict_outcome outcome)
{
	return outcome == VERDICT_PASS ? "  PASS" : outcome == VERDICT_FAIL ? "  FAIL" : "";
}

void verdict_text(const struct verdict_input *in, const struct verdict_line *line,
		  const struct verdict_subject *subject, bool long_line,
		  char out[VERDICT_TEXT_MAX])
{
	struct text text = { out, VERDICT_TEXT_MAX };

	put(&text, "%s %s  PRE_COPY -> PRE_COPY_P2P", subject->id, subject->where);
	if (line->arc)
		put_arc(&text, line);
	if (line->arc && line->prepare_ns && line->kind != VERDICT_FOREIGN)
		put_prepare(&text, in, line);
	else
		put_reason(&text, in, line);
	put_answers(&text, line);
	if (long_line && line->arc)
		put_details(&text, line);
	if (long_line)
		put(&text, ", history: %s", subject->keeper);
	put(&text, "   %s%s", verdict_name(line->kind), outcome_word(line->outcome));
}

static void add_string(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

static void add_number(struct json_object *object, const char *key, int64_t value)
{
	json_object_object_add(object, key, json_object_new_int64(value));
}

static void add_bool(struct json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

static void add_arc(struct json_object *object, const struct verdict_line *line)
{
	const struct lab_arc *arc = line->arc;

	add_number(object, "seq", arc->seq);
	add_number(object, "begin_ns", arc->begin_ns);
	if (arc->end_ns)
		add_number(object, "end_ns", arc->end_ns);
	add_number(object, "result", arc->result);
	add_number(object, "pid", arc->pid);
	add_bool(object, "by-hold", line->by_hold);
	add_bool(object, "own-hold", line->own_hold);
	if (line->prepare_ns)
		add_number(object, "lead_ns", (int64_t)(arc->begin_ns - line->prepare_ns));
}

struct json_object *verdict_json(const struct verdict_input *in, const struct verdict_line *line,
				 const struct verdict_subject *subject)
{
	struct json_object *object = json_object_new_object();
	char text[VERDICT_TEXT_MAX];

	verdict_text(in, line, subject, false, text);
	add_string(object, "text", text);
	add_string(object, "device", subject->id);
	add_string(object, "where", subject->where);
	add_string(object, "history", subject->keeper);
	add_string(object, "verdict", verdict_name(line->kind));
	add_bool(object, "pass", line->outcome == VERDICT_PASS);
	if (line->arc)
		add_arc(object, line);
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

/* The last words of a run. */
static const char *result_name(const struct verdict_sum *sum)
{
	switch (sum->outcome) {
	case VERDICT_PASS:
		return sum->held ? "HELD" : "PASS";
	case VERDICT_FAIL:
		return "FAIL";
	case VERDICT_OPEN:
		return "INCONCLUSIVE";
	default:
		return "N/A";
	}
}

void verdict_run_text(const struct verdict_run *run, char out[VERDICT_TEXT_MAX])
{
	struct text text = { out, VERDICT_TEXT_MAX };
	const struct verdict_sum *sum = &run->sum;

	put(&text, "result: %u transition%s judged", sum->arcs, sum->arcs == 1 ? "" : "s");
	if (sum->held)
		put(&text, ", %u by hold", sum->held);
	if (sum->without)
		put(&text, ", %u device%s made none", sum->without, sum->without == 1 ? "" : "s");
	if (run->migration)
		put(&text, ", migration %s", run->migration);
	else
		put(&text, ", the migration did not end (%s)", run->ended);
	if (strcmp(run->keeper, "kernel"))
		put(&text, ", history: %s", run->keeper);
	put(&text, "   %s%s", result_name(sum),
	    sum->outcome == VERDICT_PASS && sum->held ? "  PASS" : "");
}

struct json_object *verdict_run_json(const struct verdict_run *run)
{
	struct json_object *object = json_object_new_object();
	char text[VERDICT_TEXT_MAX];

	verdict_run_text(run, text);
	add_string(object, "text", text);
	add_string(object, "result", result_name(&run->sum));
	add_bool(object, "pass", run->sum.outcome == VERDICT_PASS);
	add_string(object, "ended", run->ended);
	if (run->migration)
		add_string(object, "migration", run->migration);
	add_number(object, "arcs", run->sum.arcs);
	add_number(object, "held", run->sum.held);
	add_number(object, "without", run->sum.without);
	return object;
}
