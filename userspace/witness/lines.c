// SPDX-License-Identifier: GPL-2.0-only
#include "witness/lines.h"

#include <json-c/json.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "device/state.h"

static double ms(uint64_t ns)
{
	return (double)ns / NSEC_PER_MSEC;
}

/* "12:34:56.123456" of the day, local time. */
static void print_time(FILE *out, uint64_t ns)
{
	time_t seconds = ns / NSEC_PER_SEC;
	char text[16] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
	fprintf(out, "%s.%06u", text, (unsigned int)(ns % NSEC_PER_SEC / NSEC_PER_USEC));
}

/* A thread may call itself anything: what a terminal would obey is a '?'. */
static void print_comm(FILE *out, const char *comm)
{
	char text[WITNESS_COMM_MAX];
	size_t i;

	for (i = 0; comm[i]; i++)
		text[i] = comm[i] < ' ' || comm[i] > '~' ? '?' : comm[i];
	text[i] = '\0';
	fprintf(out, "%-15s", text);
}

static void print_result(FILE *out, const struct witness_arc *arc)
{
	if (arc->result == WITNESS_UNKNOWN)
		fputs("  how it ended is not known", out);
	else if (arc->result < 0)
		fprintf(out, "  failed: %s", strerror(-arc->result));
}

static void print_text(FILE *out, enum arcs_news news, const struct witness_arc *arc,
		       uint64_t wall_ns)
{
	char transition[40];

	if (news == ARCS_LOST) {
		fprintf(out, "%d lines were lost: arcs may be missing\n", arc->result);
		return;
	}
	if (news == ARCS_RESET)
		snprintf(transition, sizeof(transition), "reset");
	else
		snprintf(transition, sizeof(transition), "%s -> %s", device_state_name(arc->from),
			 device_state_name(arc->to));
	print_time(out, arc->begin_ns + wall_ns);
	fputs("  ", out);
	print_comm(out, arc->comm);
	fprintf(out, " %7d  %-12s  %-28s", (int)(arc->tgid ? arc->tgid : arc->tid), arc->device,
		transition);
	if (news == ARCS_ENDED)
		fprintf(out, " %10.3f ms", ms(arc->end_ns - arc->begin_ns));
	print_result(out, arc);
	fputc('\n', out);
}

static void add_string(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

static void add_int(struct json_object *object, const char *key, int64_t value)
{
	json_object_object_add(object, key, json_object_new_int64(value));
}

static void print_object(FILE *out, struct json_object *object)
{
	fprintf(out, "%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
}

static const char *const news_names[] = {
	[ARCS_BEGUN] = "arc-begun",
	[ARCS_ENDED] = "arc-ended",
	[ARCS_STATE] = "state",
	[ARCS_RESET] = "reset",
	[ARCS_LOST] = "lost",
};

static void print_json(FILE *out, enum arcs_news news, const struct witness_arc *arc)
{
	struct json_object *object = json_object_new_object();

	add_string(object, "event", news_names[news]);
	if (news == ARCS_LOST) {
		add_int(object, "lines", arc->result);
		print_object(out, object);
		return;
	}
	add_string(object, "device", arc->device);
	add_string(object, "comm", arc->comm);
	add_int(object, "pid", arc->tgid);
	add_int(object, "tid", arc->tid);
	if (news == ARCS_STATE) {
		add_string(object, "state", device_state_name(arc->to));
	} else if (news != ARCS_RESET) {
		add_string(object, "from", device_state_name(arc->from));
		add_string(object, "to", device_state_name(arc->to));
		add_string(object, "wanted", device_state_name(arc->wanted));
	}
	add_int(object, "begin-ns", arc->begin_ns);
	if (arc->end_ns)
		add_int(object, "end-ns", arc->end_ns);
	if (arc->end_ns && arc->result <= 0)
		add_int(object, "result", arc->result);
	print_object(out, object);
}

void lines_arc(FILE *out, bool json, enum arcs_news news, const struct witness_arc *arc,
	       uint64_t wall_ns)
{
	if (json)
		print_json(out, news, arc);
	else if (news != ARCS_BEGUN && news != ARCS_STATE)
		print_text(out, news, arc, wall_ns);
}

/* --- the sums -------------------------------------------------------------- */

static void print_device(FILE *out, const struct totals_device *dev, uint64_t now_ns)
{
	fprintf(out, "%-12s  %u arcs, %u failed", dev->name, dev->arcs, dev->failed);
	if (dev->resets)
		fprintf(out, ", %u resets", dev->resets);
	if (dev->arcs)
		fprintf(out, "; slowest %s -> %s %.3f ms", device_state_name(dev->slowest_from),
			device_state_name(dev->slowest_to), ms(dev->slowest_ns));
	if (dev->deaf_ns)
		fprintf(out, "; deaf for %.3f ms", ms(dev->deaf_ns));
	if (dev->longest_deaf_ns && dev->longest_deaf_ns != dev->deaf_ns)
		fprintf(out, ", %.3f ms at a time", ms(dev->longest_deaf_ns));
	if (dev->deaf_since_ns)
		fprintf(out, "; deaf since %.3f ms, and nobody has taken over",
			ms(now_ns - dev->deaf_since_ns));
	fputc('\n', out);
}

static void print_totals(FILE *out, const struct totals *t, uint64_t now_ns)
{
	for (size_t i = 0; i < t->count; i++)
		print_device(out, &t->devices[i], now_ns);
	if (t->blackout_ns)
		fprintf(out, "blackout of the group: %.3f ms\n", ms(t->blackout_ns));
	if (t->blackout_since_ns)
		fprintf(out, "blackout of the group: since %.3f ms, not over\n",
			ms(now_ns - t->blackout_since_ns));
	if (!t->count)
		fputs("no arc\n", out);
	if (t->lost)
		fprintf(out, "%u lines were lost: this is not all\n", t->lost);
}

static void print_json_device(FILE *out, const struct totals_device *dev, uint64_t now_ns)
{
	struct json_object *object = json_object_new_object();

	add_string(object, "event", "device-total");
	add_string(object, "device", dev->name);
	add_int(object, "arcs", dev->arcs);
	add_int(object, "failed", dev->failed);
	add_int(object, "resets", dev->resets);
	add_int(object, "deaf-ns", dev->deaf_ns);
	add_int(object, "longest-deaf-ns", dev->longest_deaf_ns);
	if (dev->deaf_since_ns)
		add_int(object, "still-deaf-ns", now_ns - dev->deaf_since_ns);
	print_object(out, object);
}

static void print_json_totals(FILE *out, const struct totals *t, uint64_t now_ns)
{
	struct json_object *object;

	for (size_t i = 0; i < t->count; i++)
		print_json_device(out, &t->devices[i], now_ns);
	object = json_object_new_object();
	add_string(object, "event", "total");
	add_int(object, "blackout-ns", t->blackout_ns);
	if (t->blackout_since_ns)
		add_int(object, "unfinished-blackout-ns", now_ns - t->blackout_since_ns);
	add_int(object, "lost", t->lost);
	print_object(out, object);
}

void lines_totals(FILE *out, bool json, const struct totals *t, uint64_t now_ns)
{
	(json ? print_json_totals : print_totals)(out, t, now_ns);
}
