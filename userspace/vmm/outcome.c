// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/outcome.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "qmp/json.h"

static const char *const end_names[] = { "source", "destination" };

/* --- the verdict ----------------------------------------------------------- */

static bool completed(const struct outcome *o)
{
	return !strcmp(o->machine[OUTCOME_SOURCE].migration, "completed") &&
	       !strcmp(o->machine[OUTCOME_DESTINATION].migration, "completed");
}

static bool cancelled(const struct outcome *o)
{
	return !strcmp(o->machine[OUTCOME_SOURCE].migration, "cancelled");
}

/* Two states of which neither was looked at are not equal. */
static bool fingerprints_equal(const struct outcome_device *d)
{
	return strcmp(d->fingerprint[OUTCOME_SOURCE], "none") &&
	       !strcmp(d->fingerprint[OUTCOME_SOURCE], d->fingerprint[OUTCOME_DESTINATION]);
}

static bool fingerprints_known(const struct outcome_device *d)
{
	return *d->fingerprint[OUTCOME_SOURCE] && *d->fingerprint[OUTCOME_DESTINATION];
}

static bool memory_equal(const struct outcome_memory *m)
{
	return *m->checksum[OUTCOME_SOURCE] &&
	       !strcmp(m->checksum[OUTCOME_SOURCE], m->checksum[OUTCOME_DESTINATION]);
}

static bool runs(const struct outcome *o, enum outcome_end end)
{
	return o->machine[end].answered && o->machine[end].running;
}

static bool stands(const struct outcome *o, enum outcome_end end)
{
	return o->machine[end].answered && !o->machine[end].running;
}

/* Why the migration is no success; "" when it is. */
static void migration_fault(const struct outcome *o, struct error *why)
{
	if (runs(o, OUTCOME_SOURCE) && runs(o, OUTCOME_DESTINATION))
		error_set(why, 0, "both machines run");
	else if (cancelled(o))
		error_set(why, 0, "the migration was cancelled, by another client of the source");
	else if (!completed(o))
		error_set(why, 0, "the migration failed");
	else if (stands(o, OUTCOME_DESTINATION))
		error_set(why, 0, "the migration completed, and the destination does not run");
}

/* What did not arrive as it was sent; "" when all did. */
static void transfer_fault(const struct outcome *o, struct error *why)
{
	const struct outcome_workload *w = &o->workload;

	for (unsigned int i = 0; i < o->count; i++) {
		const struct outcome_device *d = &o->device[i];

		if (d->thrown_away || !fingerprints_known(d) || fingerprints_equal(d))
			continue;
		error_set(why, 0, "the state of vf%u did not arrive", i);
		return;
	}
	if (o->memory.there && !memory_equal(&o->memory))
		error_set(why, 0, "the memory did not arrive");
	else if (w->kind && (*w->error[OUTCOME_SOURCE] || *w->error[OUTCOME_DESTINATION] ||
			     !w->told[OUTCOME_SOURCE] || !w->told[OUTCOME_DESTINATION]))
		error_set(why, 0, "the workload found something wrong");
}

/* What the judge is not content with; "" when it is. */
static void judge_fault(const struct outcome *o, struct error *why)
{
	bool expected = false;

	for (unsigned int i = 0; i < o->count; i++) {
		const struct outcome_device *d = &o->device[i];

		expected |= d->judged && outcome_has_arc(d);
		if (d->announced && !outcome_has_arc(d)) {
			error_set(why, 0, "vf%u announced PRE_COPY_P2P, which it does not have", i);
			return;
		}
	}
	if (o->judge == OUTCOME_JUDGE_FAIL)
		error_set(why, 0, "the judge is not content");
	else if (o->judge == OUTCOME_JUDGE_NA && expected)
		error_set(why, 0, "there was no transition to PRE_COPY_P2P to judge");
	else if (o->judge == OUTCOME_UNJUDGED)
		error_set(why, 0, "nobody judged it");
}

/* What was compared, and what there was to announce. */
static void praise(const struct outcome *o, struct error *why)
{
	unsigned int compared = 0, announced = 0;
	const char *state, *prepare;

	for (unsigned int i = 0; i < o->count; i++) {
		const struct outcome_device *d = &o->device[i];

		compared += !d->thrown_away && fingerprints_known(d);
		announced += d->quiesced;
	}
	state = compared == o->count ? "the state arrived" :
		compared ? "the state that could be compared arrived" :
			   "the migration completed, with no state to compare (N/A)";
	prepare = announced ? "each transition to PRE_COPY_P2P was announced in time" :
			      "nothing was announced because nothing had to be (N/A)";
	error_set(why, 0, "%s; %s", state, prepare);
}

enum outcome_result outcome_result(const struct outcome *o, struct error *why)
{
	*why = o->error;
	if (*why->text)
		return OUTCOME_NA;
	migration_fault(o, why);
	if (!*why->text)
		transfer_fault(o, why);
	if (!*why->text)
		judge_fault(o, why);
	if (*why->text)
		return OUTCOME_FAIL;
	praise(o, why);
	return OUTCOME_PASS;
}

static const char *const result_names[] = { "PASS", "FAIL", "N/A" };

void outcome_last_line(const struct outcome *o, struct error *line)
{
	enum outcome_result result = outcome_result(o, line);

	error_prefix(line, 0, "%s", result_names[result]);
}

/* --- text ------------------------------------------------------------------ */

static void put_migration(const struct outcome *o, FILE *out)
{
	if (completed(o)) {
		fprintf(out, "migration completed in %llu ms, downtime %llu ms, %llu bytes\n",
			(unsigned long long)o->total_ms, (unsigned long long)o->downtime_ms,
			(unsigned long long)o->bytes);
		return;
	}
	for (enum outcome_end end = 0; end < OUTCOME_ENDS; end++) {
		const struct outcome_machine *m = &o->machine[end];

		if (strcmp(m->migration, "completed"))
			fprintf(out, "%s: migration %s%s%s\n", end_names[end],
				*m->migration ? m->migration : "not heard of",
				*m->why ? ": " : "", m->why);
	}
}

/* What a device that lacks the transition has instead. */
static void put_lack(const struct outcome_device *d, FILE *out)
{
	const char *lacks = d->flags & VFIO_MIGRATION_PRE_COPY ? "PRE_COPY_P2P" : "PRE_COPY";

	if (*d->profile)
		fprintf(out, "no %s (profile %s)", lacks, d->profile);
	else
		fprintf(out, "no %s (its flags)", lacks);
}

static void put_device(const struct outcome *o, unsigned int i, FILE *out)
{
	const struct outcome_device *d = &o->device[i];

	fprintf(out, "vf%u %s -> %s  ", i, d->dev[OUTCOME_SOURCE], d->dev[OUTCOME_DESTINATION]);
	if (d->quiesced)
		fprintf(out, "PRE_COPY -> PRE_COPY_P2P %.1f ms",
			(double)d->quiesce_ns / NSEC_PER_MSEC);
	else if (!outcome_has_arc(d))
		put_lack(d, out);
	else
		fputs("PRE_COPY -> PRE_COPY_P2P not made", out);
	if (d->thrown_away)
		fputs("  state thrown away: no fingerprints to compare\n", out);
	else if (!fingerprints_known(d))
		fputs("  no fingerprints: not a driver of miglab's\n", out);
	else if (fingerprints_equal(d))
		fprintf(out, "  fingerprints equal: %s\n", d->fingerprint[OUTCOME_SOURCE]);
	else
		fprintf(out, "  fingerprints differ: source %s, destination %s\n",
			d->fingerprint[OUTCOME_SOURCE], d->fingerprint[OUTCOME_DESTINATION]);
}

/* On either side; the VMM's own message names where it wanted to go, not which arc it was. */
static void put_failed_arcs(const struct outcome *o, FILE *out)
{
	for (unsigned int i = 0; i < o->count; i++)
		for (enum outcome_end end = 0; end < OUTCOME_ENDS; end++)
			if (*o->device[i].failed[end])
				fprintf(out, "vf%u of the %s: %s\n", i, end_names[end],
					o->device[i].failed[end]);
}

/* The most likely reason of a destination that refuses what it gets. */
static void put_sizes(const struct outcome *o, FILE *out)
{
	for (unsigned int i = 0; i < o->count; i++) {
		const struct outcome_device *d = &o->device[i];
		const char *sent = d->state_bytes[OUTCOME_SOURCE];
		const char *taken = d->state_bytes[OUTCOME_DESTINATION];

		if (*sent && *taken && strcmp(sent, taken))
			fprintf(out, "vf%u: the source's state has %s bytes, the destination's %s; "
				"give both the same state_bytes\n", i, sent, taken);
	}
}

static const char *or_none(const char *text)
{
	return *text ? text : "none";
}

static void put_memory(const struct outcome_memory *m, FILE *out)
{
	fprintf(out, "memory of %llu bytes, %llu pages in %llu bytes moved  ",
		(unsigned long long)m->size, (unsigned long long)m->pages,
		(unsigned long long)m->transferred);
	if (memory_equal(m))
		fprintf(out, "checksums equal: %s\n", m->checksum[OUTCOME_SOURCE]);
	else
		fprintf(out, "checksums differ: source %s, destination %s\n",
			or_none(m->checksum[OUTCOME_SOURCE]),
			or_none(m->checksum[OUTCOME_DESTINATION]));
}

static void put_workload(const struct outcome_workload *w, FILE *out)
{
	for (enum outcome_end end = 0; end < OUTCOME_ENDS; end++) {
		if (!w->told[end]) {
			fprintf(out, "workload: %s\n", w->error[end]);
			continue;
		}
		fprintf(out,
			"workload %s  %s: %llu operations, %llu of them here, %llu interrupts: %s\n",
			w->kind, end_names[end], (unsigned long long)w->operations[end],
			(unsigned long long)w->here[end], (unsigned long long)w->interrupts[end],
			*w->error[end] ? w->error[end] : "each once, and with the right bytes");
	}
}

/* Its objects have what it would have written as lines. */
static void put_judge(const char *lines, FILE *out)
{
	char *copy = strdup(lines), *rest = copy, *line;

	while ((line = strsep(&rest, "\n"))) {
		struct json_object *object = *line == '{' ? json_tokener_parse(line) : NULL;

		if (*line)
			fprintf(out, "%s\n", object ? json_arg(object, "text") ?: "" : line);
		json_object_put(object);
	}
	free(copy);
}

static bool same_state(const struct outcome_device *a, const struct outcome_device *b,
		       enum outcome_end end)
{
	return !strcmp(a->state[end], b->state[end]) && a->busy[end] == b->busy[end];
}

/* "vf0 STOP, vf1 to vf3 RUNNING". */
static void put_states(const struct outcome *o, enum outcome_end end, FILE *out)
{
	for (unsigned int i = 0, last; i < o->count; i = last + 1) {
		const struct outcome_device *d = &o->device[i];

		for (last = i; last + 1 < o->count && same_state(d, d + last + 1 - i, end); )
			last++;
		fprintf(out, ", vf%u", i);
		if (last > i)
			fprintf(out, " to vf%u", last);
		fprintf(out, " %s%s", *d->state[end] ? d->state[end] : "in an unknown state",
			d->busy[end] ? " (in a call)" : "");
	}
}

/* Who runs, and where the devices are. */
static void put_machine(const struct outcome *o, enum outcome_end end, FILE *out)
{
	const struct outcome_machine *m = &o->machine[end];

	if (!m->answered) {
		fprintf(out, "now: the %s %s\n", end_names[end],
			*m->gone ? m->gone : "does not answer");
		return;
	}
	fprintf(out, "now: the %s %s (%s)", end_names[end], m->running ? "runs" : "does not run",
		m->runstate);
	put_states(o, end, out);
	fputc('\n', out);
}

void outcome_text(const struct outcome *o, FILE *out)
{
	if (!o->begun)
		return;
	if (!*o->error.text || completed(o))
		put_migration(o, out);
	for (unsigned int i = 0; completed(o) && i < o->count; i++)
		put_device(o, i, out);
	if (!completed(o)) {
		put_failed_arcs(o, out);
		put_sizes(o, out);
	}
	if (o->memory.there)
		put_memory(&o->memory, out);
	if (o->workload.kind && completed(o))
		put_workload(&o->workload, out);
	if (o->judge_lines)
		put_judge(o->judge_lines, out);
	for (enum outcome_end end = 0; end < OUTCOME_ENDS; end++)
		put_machine(o, end, out);
}

/* --- JSON ------------------------------------------------------------------ */

static void add_text(struct json_object *object, const char *name, const char *text)
{
	if (text && *text)
		json_add_string(object, name, text);
}

static struct json_object *migration_json(const struct outcome *o)
{
	struct json_object *object = json_object_new_object();

	json_add_string(object, "status", !o->begun ? "none" :
			completed(o) ? "completed" : cancelled(o) ? "cancelled" :
			*o->error.text ? "unfinished" : "failed");
	if (!completed(o))
		return object;
	json_add_int(object, "total-time-ms", o->total_ms);
	json_add_int(object, "downtime-ms", o->downtime_ms);
	json_add_int(object, "transferred-bytes", o->bytes);
	return object;
}

static struct json_object *machine_json(const struct outcome_machine *m)
{
	struct json_object *object = json_object_new_object();

	add_text(object, "migration", m->migration);
	add_text(object, "error", m->why);
	json_add_bool(object, "answered", m->answered);
	if (m->answered) {
		json_add_bool(object, "running", m->running);
		json_add_string(object, "status", m->runstate);
	}
	return object;
}

static struct json_object *device_end_json(const struct outcome_device *d, enum outcome_end end)
{
	struct json_object *object = json_object_new_object();

	json_add_string(object, "device", d->dev[end]);
	add_text(object, "state", d->state[end]);
	json_add_bool(object, "busy", d->busy[end]);
	add_text(object, "failed-transition", d->failed[end]);
	add_text(object, "fingerprint", d->fingerprint[end]);
	return object;
}

static struct json_object *device_json(const struct outcome *o, unsigned int i)
{
	const struct outcome_device *d = &o->device[i];
	struct json_object *object = json_object_new_object();
	char id[16];

	snprintf(id, sizeof(id), "vf%u", i);
	json_add_string(object, "id", id);
	for (enum outcome_end end = 0; end < OUTCOME_ENDS; end++)
		json_object_object_add(object, end_names[end], device_end_json(d, end));
	add_text(object, "profile", d->profile);
	if (d->known)
		json_add_bool(object, "has-pre-copy-p2p", outcome_has_arc(d));
	if (d->quiesced)
		json_add_int(object, "pre-copy-p2p-ns", d->quiesce_ns);
	if (completed(o) && !d->thrown_away && fingerprints_known(d))
		json_add_bool(object, "fingerprints-equal", fingerprints_equal(d));
	return object;
}

static struct json_object *memory_json(const struct outcome_memory *m)
{
	struct json_object *object = json_object_new_object();

	json_add_int(object, "size", m->size);
	json_add_int(object, "pages", m->pages);
	json_add_int(object, "transferred", m->transferred);
	json_add_bool(object, "checksums-equal", memory_equal(m));
	return object;
}

static struct json_object *workload_json(const struct outcome_workload *w, enum outcome_end end)
{
	struct json_object *object = json_object_new_object();

	json_add_string(object, "kind", w->kind);
	if (w->told[end]) {
		json_add_int(object, "operations", w->operations[end]);
		json_add_int(object, "here", w->here[end]);
		json_add_int(object, "interrupts", w->interrupts[end]);
	}
	add_text(object, "error", w->error[end]);
	return object;
}

/* The judge's objects of devices, as it wrote them. */
static struct json_object *verdicts_json(const char *lines)
{
	struct json_object *list = json_object_new_array();
	char *copy = lines ? strdup(lines) : NULL, *rest = copy, *line;

	while ((line = strsep(&rest, "\n"))) {
		struct json_object *object = *line ? json_tokener_parse(line) : NULL;

		if (json_object_object_get_ex(object, "device", NULL))
			json_object_array_add(list, object);
		else
			json_object_put(object);
	}
	free(copy);
	return list;
}

static const char *const judge_names[] = { "none", "PASS", "FAIL", "N/A", "none" };

struct json_object *outcome_json(const struct outcome *o)
{
	struct json_object *object = json_object_new_object(), *list = json_object_new_array();
	struct error why;
	enum outcome_result result = outcome_result(o, &why);

	json_object_object_add(object, "migration", migration_json(o));
	for (enum outcome_end end = 0; end < OUTCOME_ENDS; end++)
		json_object_object_add(object, end_names[end], machine_json(&o->machine[end]));
	for (unsigned int i = 0; i < o->count; i++)
		json_object_array_add(list, device_json(o, i));
	json_object_object_add(object, "devices", list);
	if (o->memory.there)
		json_object_object_add(object, "memory", memory_json(&o->memory));
	if (o->workload.kind && completed(o)) {
		list = json_object_new_array();
		for (enum outcome_end end = 0; end < OUTCOME_ENDS; end++)
			json_object_array_add(list, workload_json(&o->workload, end));
		json_object_object_add(object, "workload", list);
	}
	json_object_object_add(object, "verdicts", verdicts_json(o->judge_lines));
	json_add_string(object, "judge", judge_names[o->judge]);
	json_add_string(object, "result", result_names[result]);
	json_add_string(object, "reason", why.text);
	return object;
}

void outcome_cleanup(struct outcome *o)
{
	free(o->judge_lines);
	o->judge_lines = NULL;
}
