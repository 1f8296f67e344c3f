// SPDX-License-Identifier: GPL-2.0-only
#include "report/trace.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "device/state.h"

#define PID_DEAF	(TIMELINE_SIDES + 1)
#define TID_MACHINE	0

static int pid_of(enum timeline_side side)
{
	return side + 1;
}

static int tid_of(int lane)
{
	return lane == TIMELINE_MACHINE ? TID_MACHINE : lane + 1;
}

/* The format wants microseconds; three digits keep the nanoseconds. */
static struct json_object *microseconds(uint64_t ns)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu.%03u", (unsigned long long)(ns / 1000),
		 (unsigned int)(ns % 1000));
	return json_object_new_double_s(ns / 1000.0, text);
}

static void put_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

static struct json_object *new_event(const char *phase, const char *name, int pid, int tid)
{
	struct json_object *e = json_object_new_object();

	put_text(e, "ph", phase);
	put_text(e, "name", name);
	json_object_object_add(e, "pid", json_object_new_int(pid));
	json_object_object_add(e, "tid", json_object_new_int(tid));
	return e;
}

/* "process_name" or "thread_name". */
static void add_name(struct json_object *events, const char *what, int pid, int tid,
		     const char *name)
{
	struct json_object *e = new_event("M", what, pid, tid);
	struct json_object *args = json_object_new_object();

	put_text(args, "name", name);
	json_object_object_add(e, "args", args);
	json_object_array_add(events, e);
}

static void add_names(struct json_object *events, const struct timeline_input *in)
{
	add_name(events, "process_name", PID_DEAF, 0, "deaf");
	for (enum timeline_side s = 0; s < TIMELINE_SIDES; s++) {
		add_name(events, "process_name", pid_of(s), 0, timeline_side_name(s));
		add_name(events, "thread_name", pid_of(s), TID_MACHINE, "machine");
	}
	for (size_t i = 0; i < in->device_count; i++) {
		for (enum timeline_side s = 0; s < TIMELINE_SIDES; s++)
			add_name(events, "thread_name", pid_of(s), tid_of(i), in->devices[i].id);
		add_name(events, "thread_name", PID_DEAF, tid_of(i), in->devices[i].id);
	}
}

static struct json_object *add_complete(struct json_object *events, const struct timeline_input *in,
					const char *name, int pid, int tid, uint64_t begin_ns,
					uint64_t end_ns)
{
	struct json_object *e = new_event("X", name, pid, tid);

	json_object_object_add(e, "ts", microseconds(begin_ns - in->begin_ns));
	json_object_object_add(e, "dur", microseconds(end_ns - begin_ns));
	json_object_array_add(events, e);
	return e;
}

static void add_span(struct json_object *events, const struct timeline_input *in,
		     const struct timeline_span *span)
{
	struct json_object *e, *args;
	char name[64];

	if (span->kind == TIMELINE_IN_ARC)
		snprintf(name, sizeof(name), "%s > %s", device_state_name(span->from),
			 device_state_name(span->to));
	else
		snprintf(name, sizeof(name), "%s", device_state_name(span->from));
	e = add_complete(events, in, name, pid_of(span->side), tid_of(span->lane), span->begin_ns,
			 span->end_ns);
	put_text(e, "cat", span->kind == TIMELINE_IN_ARC ? "arc" : "state");
	if (span->result) {
		args = json_object_new_object();
		put_text(args, "result",
			 span->result > 0 ? "in progress" : strerror(-span->result));
		json_object_object_add(e, "args", args);
	}
}

static void add_deaf(struct json_object *events, const struct timeline_input *in,
		     const struct timeline_deaf *deaf)
{
	struct json_object *e;

	e = add_complete(events, in, deaf->open ? "deaf, no end seen" : "deaf", PID_DEAF,
			 tid_of(deaf->lane), deaf->begin_ns, deaf->end_ns);
	put_text(e, "cat", "deaf");
	if (!deaf->timeout_ns)
		return;
	e = new_event("i", "connection timeout", PID_DEAF, tid_of(deaf->lane));
	json_object_object_add(e, "ts", microseconds(deaf->timeout_ns - in->begin_ns));
	put_text(e, "s", "t");
	put_text(e, "cat", "timeout");
	json_object_array_add(events, e);
}

static void add_mark(struct json_object *events, const struct timeline_input *in,
		     const struct timeline_mark *mark)
{
	static const char *const category[] = {
		[TIMELINE_PREPARE] = "prepare",
		[TIMELINE_STATE] = "event",
		[TIMELINE_STATUS] = "migration",
		[TIMELINE_RUN] = "machine",
	};
	struct json_object *e = new_event("i", mark->text, pid_of(mark->side),
					  tid_of(mark->lane));

	json_object_object_add(e, "ts", microseconds(mark->ns - in->begin_ns));
	put_text(e, "s", "t");
	put_text(e, "cat", category[mark->kind]);
	json_object_array_add(events, e);
}

int trace_write(const struct timeline *t, FILE *out)
{
	struct json_object *root = json_object_new_object();
	struct json_object *events = json_object_new_array();
	const char *text;

	add_names(events, t->in);
	for (size_t i = 0; i < t->span_count; i++)
		add_span(events, t->in, &t->spans[i]);
	for (size_t i = 0; i < t->deaf_count; i++)
		add_deaf(events, t->in, &t->deaf[i]);
	for (size_t i = 0; i < t->mark_count; i++)
		add_mark(events, t->in, &t->marks[i]);
	put_text(root, "displayTimeUnit", "ms");
	json_object_object_add(root, "traceEvents", events);
	text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_SPACED);
	if (text)
		fprintf(out, "%s\n", text);
	json_object_put(root);
	return text ? 0 : -ENOMEM;
}
