// SPDX-License-Identifier: GPL-2.0-only
#include "order.h"

#include <ctype.h>
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DESCRIPTORS_MAX	1024
#define ARC_BEGIN	"miglab_arc_begin: "
#define WRITE_BEGIN	ORDER_PROBE "_"
#define TESTED_ARC	"PRE_COPY>PRE_COPY_P2P"

enum what { OTHER, WRITE, WRITTEN, IOCTL, ARC };

/* One line of the trace. */
struct entry {
	enum what what;
	int tid;
	double time_us;
	int fd;			/* WRITE; WRITTEN has the four of the thread's last WRITE */
	bool announces;		/* it is a prepare event, and begins the write */
	long bytes;		/* of the event */
	char id[32];		/* of the device that it announces */
	long result;		/* WRITTEN */
	uint64_t seq;		/* ARC */
	char bdf[16];		/* ARC */
};

struct trace {
	struct entry *entries;
	size_t count;
};

static const char *member(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &value))
		return "";
	return json_object_get_string(value) ?: "";
}

/* Does @text begin with a whole prepare event? What is behind it is not looked at. */
static void parse_event(const char *text, struct entry *e)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *event = json_tokener_parse_ex(tokener, text, strlen(text));
	struct json_object *data = NULL;

	if (!strcmp(member(event, "event"), "VFIO_MIGRATION"))
		json_object_object_get_ex(event, "data", &data);
	if (!strcmp(member(data, "device-state"), "pre-copy-p2p-prepare")) {
		e->announces = true;
		e->bytes = json_tokener_get_parse_end(tokener);
		while (text[e->bytes - 1] != '}')	/* it goes on to the next word */
			e->bytes--;
		snprintf(e->id, sizeof(e->id), "%s", member(data, "device-id"));
	}
	json_object_put(event);
	json_tokener_free(tokener);
}

/* "miglab_entered_write: (__x64_sys_write+0x4/0x20) fd=29 text="{..}"", cut at a line's end */
static void parse_write(const char *text, struct entry *e)
{
	const char *fd = strstr(text, ") fd="), *said = strstr(text, " text=\"");

	if (!fd || !said)
		return;
	e->what = WRITE;
	e->fd = atoi(fd + 5);
	parse_event(said + 7, e);
}

/* "sys_ioctl(fd: 1e, ..)", "sys_sendmsg -> 0x9c": the kernel writes hexadecimal numbers. */
static void parse_syscall(const char *text, struct entry *e)
{
	static const char *const writes[] = {
		"sys_write -> ", "sys_sendto -> ", "sys_sendmsg -> ",
	};
	size_t i;

	if (!strncmp(text, "sys_ioctl(", 10)) {
		e->what = IOCTL;
		return;
	}
	for (i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		if (strncmp(text, writes[i], strlen(writes[i])))
			continue;
		e->what = WRITTEN;
		e->result = (long)strtoull(text + strlen(writes[i]), NULL, 16);
	}
}

/* "miglab_arc_begin: BDF FROM>TO requested=.. seq=N ..": only arcs under test. */
static void parse_arc(const char *text, struct entry *e)
{
	char arc[40];
	const char *seq = strstr(text, " seq=");

	if (!seq || sscanf(text, ARC_BEGIN "%15s %39s", e->bdf, arc) != 2)
		return;
	if (strcmp(arc, TESTED_ARC))
		return;
	e->what = ARC;
	e->seq = strtoull(seq + 5, NULL, 10);
}

/* "  COMM-TID  [CPU] FLAGS SECONDS.MICROS: EVENT": a name may hold anything but " [CPU] ". */
static bool parse_line(const char *line, struct entry *ret)
{
	struct entry e = { .fd = -1 };
	const char *cpu = line, *tid;
	double seconds;
	int used = 0;

	do {
		cpu = strstr(cpu + 1, " [");
		if (!cpu)
			return false;
	} while (sscanf(cpu, " [%*d] %*s %lf: %n", &seconds, &used) != 1 || !used);
	for (tid = cpu; tid > line && tid[-1] == ' '; tid--)
		;
	while (tid > line && isdigit((unsigned char)tid[-1]))
		tid--;
	e.tid = atoi(tid);
	e.time_us = seconds * 1e6;
	parse_syscall(cpu + used, &e);
	if (!strncmp(cpu + used, WRITE_BEGIN, strlen(WRITE_BEGIN)))
		parse_write(cpu + used, &e);
	if (!strncmp(cpu + used, ARC_BEGIN, strlen(ARC_BEGIN)))
		parse_arc(cpu + used, &e);
	*ret = e;
	return e.what != OTHER;
}

/* A returned write is the one that the same thread entered last. */
static void find_entered(const struct trace *t, struct entry *written)
{
	size_t i;

	for (i = t->count; i-- > 0;) {
		const struct entry *e = &t->entries[i];

		if (e->tid != written->tid || e->what != WRITE)
			continue;
		written->fd = e->fd;
		written->announces = e->announces;
		written->bytes = e->bytes;
		memcpy(written->id, e->id, sizeof(e->id));
		return;
	}
}

static int parse_trace(const char *text, struct trace *ret)
{
	struct trace t = { 0 };
	char *copy = strdup(text), *save = NULL, *line;
	size_t lines = 1;

	for (line = copy; line && *line; line++)
		lines += *line == '\n';
	t.entries = calloc(lines, sizeof(*t.entries));
	if (!copy || !t.entries) {
		free(copy);
		free(t.entries);
		return -ENOMEM;
	}
	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct entry *e = &t.entries[t.count];

		if (*line == '#' || !parse_line(line, e))
			continue;
		if (e->what == WRITTEN)
			find_entered(&t, e);
		t.count++;
	}
	free(copy);
	*ret = t;
	return 0;
}

/* The index of the arc's beginning, or -1. */
static long find_arc(const struct trace *t, const struct order_claim *claim)
{
	size_t i;

	for (i = 0; i < t->count; i++)
		if (t->entries[i].what == ARC && t->entries[i].seq == claim->seq &&
		    !strcmp(t->entries[i].bdf, claim->bdf))
			return i;
	return -1;
}

/* The index of the ioctl that the arc at @arc began in, or -1. */
static long find_ioctl(const struct trace *t, long arc)
{
	long i;

	for (i = arc - 1; i >= 0; i--)
		if (t->entries[i].tid == t->entries[arc].tid && t->entries[i].what == IOCTL)
			return i;
	return -1;
}

/* The first whole write of the prepare event of @id to @fd at or behind @from, or -1. */
static long find_write(const struct trace *t, int fd, const char *id, size_t from)
{
	size_t i;

	for (i = from; i < t->count; i++) {
		const struct entry *e = &t->entries[i];

		if (e->what == WRITTEN && e->fd == fd && e->announces && e->result >= e->bytes &&
		    !strcmp(e->id, id))
			return i;
	}
	return -1;
}

/* Were all of the claims' events, in their order, written to @fd? */
static bool carries(const struct trace *t, int fd, const struct order_claim *claims, size_t count)
{
	long at = -1;
	size_t i;

	for (i = 0; i < count; i++) {
		at = find_write(t, fd, claims[i].id, at + 1);
		if (at < 0)
			return false;
	}
	return true;
}

/* The ioctl that makes the claim's arc, or -1. */
static long ioctl_of(const struct trace *t, const struct order_claim *c)
{
	long arc = find_arc(t, c);

	return arc < 0 ? -1 : find_ioctl(t, arc);
}

/* The first ioctl of all claims; -1 if one has none. */
static long first_ioctl(const struct trace *t, const struct order_claim *claims, size_t count)
{
	long first = LONG_MAX;
	size_t i;

	for (i = 0; i < count; i++) {
		long call = ioctl_of(t, &claims[i]);

		if (call < first)
			first = call;
	}
	return first;
}

/* Each claim's write on @fd, which carries them all, is before its ioctl, or before all. */
static int check_descriptor(const struct trace *t, int fd, const struct order_claim *claims,
			    size_t count, bool together, double *lead_us, struct error *err)
{
	long first = together ? first_ioctl(t, claims, count) : -1, at = -1;
	size_t i;

	for (i = 0; i < count; i++) {
		const struct order_claim *c = &claims[i];
		long call = together ? first : ioctl_of(t, c);
		double lead;

		at = find_write(t, fd, c->id, at + 1);
		if (call < 0)
			return error_set(err, 1, "arc %llu of %s is not in the trace with "
					 "its ioctl", (unsigned long long)c->seq, c->bdf);
		if (at > call)
			return error_set(err, 1, "arc %llu of %s: its prepare event was written to "
					 "descriptor %d after %s ioctl was entered",
					 (unsigned long long)c->seq, c->bdf, fd,
					 together ? "the first" : "the");
		lead = t->entries[call].time_us - t->entries[at].time_us;
		if (lead < *lead_us)
			*lead_us = lead;
	}
	return 0;
}

/* Every arc of the trace has exactly one claim. */
static int check_arcs(const struct trace *t, const struct order_claim *claims, size_t count,
		      struct error *err)
{
	size_t i, c, found;

	for (i = 0; i < t->count; i++) {
		if (t->entries[i].what != ARC)
			continue;
		for (found = c = 0; c < count; c++)
			found += claims[c].seq == t->entries[i].seq &&
				 !strcmp(claims[c].bdf, t->entries[i].bdf);
		if (found != 1)
			return error_set(err, 1, "arc %llu of %s was announced %zu times",
					 (unsigned long long)t->entries[i].seq, t->entries[i].bdf,
					 found);
	}
	return 0;
}

static int check_trace(const struct trace *t, const struct order_claim *claims, size_t count,
		       bool together, double *lead_us, struct error *err)
{
	bool carried = false;
	int fd, ret = check_arcs(t, claims, count, err);

	if (!ret && !count)
		return error_set(err, 1, "no arc was announced");
	for (fd = 0; !ret && fd < DESCRIPTORS_MAX; fd++) {
		if (!carries(t, fd, claims, count))
			continue;
		carried = true;
		ret = check_descriptor(t, fd, claims, count, together, lead_us, err);
	}
	if (!ret && !carried)
		return error_set(err, 1, "no descriptor got the prepare events whole, in order");
	return ret;
}

int order_check(const char *trace, const struct order_claim *claims, size_t count, bool together,
		double *ret_lead_us, struct error *err)
{
	double lead_us = 1e18;
	struct trace t;
	int ret = parse_trace(trace, &t);

	if (ret)
		return error_set(err, ret, "no memory for the trace");
	ret = check_trace(&t, claims, count, together, &lead_us, err);
	free(t.entries);
	if (!ret && ret_lead_us)
		*ret_lead_us = lead_us;
	return ret;
}
