// SPDX-License-Identifier: GPL-2.0-only
#include "migration.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../peer/attribute.h"
#include "base/clock.h"
#include "device/lab.h"

#define SOURCE_CPU	1
#define OTHER_CPU	0
#define ANY_CPU		(CPU_SETSIZE - 1)

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(3);
}

void figure(const char *section, const char *row, const char *column, double value)
{
	printf("%s\t%s\t%s\t%.9g\n", section, row, column, value);
}

static struct json_object *query(struct qmp_client *client, const char *command,
				 struct json_object *args)
{
	struct json_object *answer;
	struct error err;

	if (qmp_client_call(client, command, args, clock_ns() + GUARD_NS, &answer, &err))
		die("%s: %s", command, err.text);
	return answer;
}

int64_t migrate_number(struct qmp_client *client, const char *object, const char *member)
{
	struct json_object *answer = query(client, "query-migrate", NULL), *from = answer;
	int64_t number;

	if (object)
		from = json_object_object_get(answer, object);
	number = json_object_get_int64(json_object_object_get(from, member));
	json_object_put(answer);
	return number;
}

static void find_functions(struct migration *m)
{
	char *names = getenv("MIGLAB_DEVICES"), *save = NULL, *name;
	const char *all[2 * BENCH_DEVICES];
	size_t count = 0, i;

	names = strdup(names ? names : "");
	for (name = strtok_r(names, " ", &save); name && count < 2 * BENCH_DEVICES;
	     name = strtok_r(NULL, " ", &save))
		all[count++] = name;
	if (count < 2 * m->setup->devices)
		die("%zu functions in MIGLAB_DEVICES, %zu needed", count, 2 * m->setup->devices);
	for (i = 0; i < m->setup->devices; i++) {
		m->bdf[SOURCE][i] = all[i];
		m->bdf[DESTINATION][i] = all[count / 2 + i];
	}
}

static void set_attribute(const char *bdf, const char *name, const char *text)
{
	struct error err;

	if (attribute_write(bdf, name, text, &err))
		die("%s: %s", bdf, err.text);
}

static void set_up_functions(struct migration *m)
{
	const struct setup *s = m->setup;
	size_t side, i;

	find_functions(m);
	for (side = 0; side < SIDES; side++)
		for (i = 0; i < s->devices; i++) {
			const char *bdf = m->bdf[side][i];

			set_attribute(bdf, "profile", s->profile ? s->profile : "full");
			set_attribute(bdf, "state_bytes",
				      s->state_bytes ? s->state_bytes : "1048576");
			set_attribute(bdf, "rules", side == SOURCE && s->rules ? s->rules : "\n");
		}
}

static void start_side(struct migration *m, enum side side, const char *role, int cpu)
{
	const struct vmm_plan plan = {
		.kind = m->setup->kind, .dir = m->dir, .role = role, .bdfs = m->bdf[side],
		.emulated = m->setup->emulated, .policy = m->setup->policy,
		.devices = m->setup->devices, .incoming = side == DESTINATION,
		.cpu = m->setup->emulated ? ANY_CPU : cpu,
	};
	struct error err;

	if (vmm_start(&m->vmm[side], &plan, &err))
		die("%s", err.text);
}

/* With the threads that it starts: one that waits for another must not wait for the source. */
static void outrank_the_source(void)
{
	const struct sched_param low = { .sched_priority = 1 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(SOURCE_CPU, &set);
	sched_setaffinity(0, sizeof(set), &set);
	if (sched_setscheduler(0, SCHED_FIFO, &low))
		die("it cannot outrank the source: %s", strerror(errno));
}

void migration_start(struct migration *m, const struct setup *setup)
{
	const char *tmp = getenv("TMPDIR");
	struct error err;

	*m = (struct migration){ .setup = setup };
	snprintf(m->dir, sizeof(m->dir), "%s/bench-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(m->dir))
		die("%s cannot be made", m->dir);
	if (!setup->emulated)
		set_up_functions(m);
	start_side(m, DESTINATION, "destination", OTHER_CPU);
	start_side(m, SOURCE, "source", SOURCE_CPU);
	if (qmp_client_connect(m->vmm[SOURCE].judge_uri, clock_ns() + GUARD_NS, &m->second, &err))
		die("source: %s", err.text);
	if (!setup->emulated)
		outrank_the_source();
}

static void command(struct migration *m, enum side side, const char *name)
{
	struct error err;
	char uri[256];

	snprintf(uri, sizeof(uri), "unix:%s/migration", m->dir);
	if (vmm_command(&m->vmm[side], name, uri, &err))
		die("%s", err.text);
}

void migration_begin(struct migration *m)
{
	command(m, DESTINATION, "migrate-incoming");
	m->since_ns = clock_ns();
	command(m, SOURCE, "migrate");
}

void migration_finish(struct migration *m)
{
	uint64_t deadline_ns = clock_ns() + GUARD_NS;
	struct error err;

	if (vmm_wait(&m->vmm[SOURCE], deadline_ns, &err) ||
	    vmm_wait(&m->vmm[DESTINATION], deadline_ns, &err))
		die("%s", err.text);
}

void migration_end(struct migration *m)
{
	enum side side;

	qmp_client_free(m->second);
	for (side = SOURCE; side < SIDES; side++) {
		vmm_stop(&m->vmm[side]);
		unlink(m->vmm[side].log);
	}
	rmdir(m->dir);
}

/* The arguments of x-miglab-read, or of x-miglab-write with a text. */
static struct json_object *arguments(size_t device, const char *attribute, const char *text)
{
	struct json_object *args = json_object_new_object();
	char id[16];

	snprintf(id, sizeof(id), "vf%zu", device);
	json_object_object_add(args, "device", json_object_new_string(id));
	json_object_object_add(args, "attribute", json_object_new_string(attribute));
	if (text)
		json_object_object_add(args, "text", json_object_new_string(text));
	return args;
}

char *migration_read(struct migration *m, enum side side, size_t device, const char *attribute)
{
	struct json_object *answer;
	struct error err;
	char *text;

	if (!m->setup->emulated) {
		if (attribute_read(m->bdf[side][device], attribute, &text, &err))
			die("%s", err.text);
		return text;
	}
	answer = query(m->vmm[side].client, "x-miglab-read", arguments(device, attribute, NULL));
	text = strdup(json_object_get_string(json_object_object_get(answer, "text")));
	json_object_put(answer);
	return text;
}

void migration_write(struct migration *m, enum side side, size_t device, const char *attribute,
		     const char *text)
{
	if (m->setup->emulated)
		json_object_put(query(m->vmm[side].client, "x-miglab-write",
				      arguments(device, attribute, text)));
	else
		set_attribute(m->bdf[side][device], attribute, text);
}

static void widen(struct span *span, const struct lab_arc *arc)
{
	if (!span->count++)
		*span = (struct span){ 1, arc->begin_ns, arc->begin_ns, arc->end_ns, arc->end_ns };
	if (arc->begin_ns < span->first_begin_ns)
		span->first_begin_ns = arc->begin_ns;
	if (arc->begin_ns > span->last_begin_ns)
		span->last_begin_ns = arc->begin_ns;
	if (arc->end_ns < span->first_end_ns)
		span->first_end_ns = arc->end_ns;
	if (arc->end_ns > span->last_end_ns)
		span->last_end_ns = arc->end_ns;
}

struct span migration_span(struct migration *m, enum side side, uint32_t from, uint32_t to)
{
	struct span span = { .count = 0 };
	size_t device, i, count;
	struct lab_arc *arcs;
	struct error err;

	for (device = 0; device < m->setup->devices; device++) {
		char *text = migration_read(m, side, device, "history");

		if (lab_parse_history(text, &arcs, &count, &err))
			die("%s", err.text);
		free(text);
		for (i = 0; i < count; i++)
			if (arcs[i].begin_ns >= m->since_ns && arcs[i].from == from &&
			    arcs[i].to == to && !arcs[i].result)
				widen(&span, &arcs[i]);
		free(arcs);
	}
	if (span.count != m->setup->devices)
		die("%zu arcs %u>%u of %zu devices", span.count, from, to, m->setup->devices);
	return span;
}
