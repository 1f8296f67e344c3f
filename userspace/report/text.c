// SPDX-License-Identifier: GPL-2.0-only
#include "report/text.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "device/state.h"
#include "device/uapi.h"

/* When a checkpoint was passed; 0: it was not, or nothing recorded it. */
typedef uint64_t (*checkpoint_fn)(const struct timeline *t);

static uint64_t downtime_start(const struct timeline *t)
{
	uint64_t first = 0;

	for (size_t i = 0; i < t->span_count; i++) {
		const struct timeline_span *s = &t->spans[i];

		if (s->side == TIMELINE_SOURCE && device_state_serves(s->from) &&
		    !device_state_serves(s->to) && (!first || s->begin_ns < first))
			first = s->begin_ns;
	}
	return first;
}

static uint64_t vm_stopped(const struct timeline *t)
{
	const struct timeline_mark *mark = timeline_find(t, TIMELINE_SOURCE, "STOP");

	return mark ? mark->ns : 0;
}

static uint64_t downtime_end(const struct timeline *t)
{
	const struct timeline_mark *mark = timeline_find(t, TIMELINE_SOURCE, "completed");

	return mark ? mark->ns : 0;
}

static uint64_t loaded(const struct timeline *t)
{
	uint64_t last = 0;

	for (size_t i = 0; i < t->span_count; i++) {
		const struct timeline_span *s = &t->spans[i];

		if (s->side == TIMELINE_DESTINATION && s->kind == TIMELINE_IN_ARC &&
		    s->from == VFIO_DEVICE_STATE_RESUMING && s->begin_ns > last)
			last = s->begin_ns;
	}
	return last;
}

static uint64_t vm_started(const struct timeline *t)
{
	uint64_t last = 0, since = loaded(t);

	for (size_t i = 0; since && i < t->span_count; i++) {
		const struct timeline_span *s = &t->spans[i];

		if (s->side == TIMELINE_DESTINATION && s->kind == TIMELINE_IN_ARC && !s->result &&
		    s->to == VFIO_DEVICE_STATE_RUNNING && s->begin_ns > since && s->end_ns > last)
			last = s->end_ns;
	}
	return last;
}

/*
 * As QEMU's tracepoint vmstate_downtime_checkpoint spells them. src-iterable-saved and
 * src-non-iterable-saved are left out: the machine is nothing but devices, whose state
 * goes out while the destination takes it.
 */
static const struct {
	const char *name;
	checkpoint_fn when;
} checkpoints[] = {
	{ "src-downtime-start", downtime_start },	/* a device begins to leave service */
	{ "src-vm-stopped", vm_stopped },		/* STOP */
	{ "dst-precopy-loadvm-completed", loaded },	/* the last one begins to leave RESUMING */
	{ "dst-precopy-bh-vm-started", vm_started },	/* the last one is in RUNNING */
	{ "src-downtime-end", downtime_end },		/* MIGRATION completed */
};

#define NR_CHECKPOINTS	(sizeof(checkpoints) / sizeof(checkpoints[0]))

static double ms(const struct timeline *t, uint64_t ns)
{
	return ((double)ns - (double)t->in->begin_ns) / NSEC_PER_MSEC;
}

/* The first checkpoint after @ns, by time; NR_CHECKPOINTS when there is none. */
static size_t next_checkpoint(const struct timeline *t, uint64_t ns, uint64_t *ret_ns)
{
	size_t next = NR_CHECKPOINTS;

	for (size_t i = 0; i < NR_CHECKPOINTS; i++) {
		uint64_t when = checkpoints[i].when(t);

		if (when > ns && (next == NR_CHECKPOINTS || when < *ret_ns)) {
			next = i;
			*ret_ns = when;
		}
	}
	return next;
}

/* When the destination begins to leave RESUMING: all of the device's state is there. */
static uint64_t taken(const struct timeline *t, int lane)
{
	for (size_t i = 0; i < t->span_count; i++) {
		const struct timeline_span *s = &t->spans[i];

		if (s->lane == lane && s->side == TIMELINE_DESTINATION &&
		    s->kind == TIMELINE_IN_ARC && s->from == VFIO_DEVICE_STATE_RESUMING)
			return s->begin_ns;
	}
	return 0;
}

static void write_save(const struct timeline *t, int lane, FILE *out)
{
	uint64_t until = taken(t, lane);

	for (size_t i = 0; i < t->span_count; i++) {
		const struct timeline_span *s = &t->spans[i];

		if (s->lane == lane && s->side == TIMELINE_SOURCE && s->kind == TIMELINE_IN_ARC &&
		    s->to == VFIO_DEVICE_STATE_STOP_COPY && !s->result && until > s->end_ns)
			fprintf(out, "Device SAVE of %s took %llu (us)\n",
				t->in->devices[lane].id,
				(unsigned long long)((until - s->end_ns) / NSEC_PER_USEC));
	}
}

static void write_checkpoints(const struct timeline *t, FILE *out)
{
	uint64_t ns = 0, next_ns = 0;
	size_t at = next_checkpoint(t, 0, &ns), next;

	if (at == NR_CHECKPOINTS)
		fprintf(out, "no device left service\n");
	while (at != NR_CHECKPOINTS &&
	       (next = next_checkpoint(t, ns, &next_ns)) != NR_CHECKPOINTS) {
		fprintf(out, "%s -> %s: %llu (us)\n", checkpoints[at].name, checkpoints[next].name,
			(unsigned long long)((next_ns - ns) / NSEC_PER_USEC));
		at = next;
		ns = next_ns;
	}
	for (size_t i = 0; i < t->in->device_count; i++)
		write_save(t, i, out);
}

/* --- the tables ------------------------------------------------------------ */

/* A line of a table: a span, a deaf time or a mark, one of them. */
struct line {
	uint64_t ns;
	const struct timeline_span *arc;
	const struct timeline_deaf *deaf;
	const struct timeline_mark *mark;
};

static void write_arc(const struct timeline *t, const struct timeline_span *s, FILE *out)
{
	char name[40];

	snprintf(name, sizeof(name), "%s > %s", device_state_name(s->from),
		 device_state_name(s->to));
	fprintf(out, "  %-11s %-26s %10.3f %10.3f%s%s\n", timeline_side_name(s->side), name,
		ms(t, s->begin_ns), (double)(s->end_ns - s->begin_ns) / NSEC_PER_MSEC,
		s->result ? "  " : "", s->result > 0 ? "in progress" :
		s->result ? device_strerror(-s->result) : "");
}

static void write_deaf(const struct timeline *t, const struct timeline_deaf *d, FILE *out)
{
	fprintf(out, "  %-38s %10.3f %10.3f%s", "deaf", ms(t, d->begin_ns),
		(double)(d->end_ns - d->begin_ns) / NSEC_PER_MSEC, d->open ? ", no end seen" : "");
	if (d->timeout_ns)
		fprintf(out, "; a connection's timeout of %.0f ms ran out at %.3f",
			(double)t->in->timeout_ns / NSEC_PER_MSEC, ms(t, d->timeout_ns));
	fprintf(out, "\n");
}

static void write_line(const struct timeline *t, const struct line *line, FILE *out)
{
	if (line->arc)
		write_arc(t, line->arc, out);
	else if (line->deaf)
		write_deaf(t, line->deaf, out);
	else
		fprintf(out, "  %-11s event %-20s %10.3f\n", timeline_side_name(line->mark->side),
			line->mark->text, ms(t, line->ns));
}

/* By time, and as they were put in where that is the same. */
static struct line *add_line(struct line *lines, size_t *count, uint64_t ns)
{
	size_t i = (*count)++;

	for (; i && lines[i - 1].ns > ns; i--)
		lines[i] = lines[i - 1];
	lines[i] = (struct line){ .ns = ns };
	return &lines[i];
}

/* What there is on a lane, in the order of time. */
static void write_table(const struct timeline *t, int lane, FILE *out)
{
	struct line *lines = calloc(t->span_count + t->deaf_count + t->mark_count + 1,
				    sizeof(*lines));
	size_t count = 0;

	if (!lines) {
		fputs("  no memory for the table\n", out);
		return;
	}
	for (size_t i = 0; i < t->deaf_count; i++)
		if (t->deaf[i].lane == lane)
			add_line(lines, &count, t->deaf[i].begin_ns)->deaf = &t->deaf[i];
	for (size_t i = 0; i < t->span_count; i++)
		if (t->spans[i].lane == lane && t->spans[i].kind == TIMELINE_IN_ARC)
			add_line(lines, &count, t->spans[i].begin_ns)->arc = &t->spans[i];
	for (size_t i = 0; i < t->mark_count; i++)
		if (t->marks[i].lane == lane)
			add_line(lines, &count, t->marks[i].ns)->mark = &t->marks[i];
	for (size_t i = 0; i < count; i++)
		write_line(t, &lines[i], out);
	free(lines);
}

static void write_heading(const char *name, FILE *out)
{
	fprintf(out, "\n%s\n  %-11s %-26s %10s %10s\n", name, "side", "transition or event",
		"at, ms", "took, ms");
}

void text_write(const struct timeline *t, FILE *out)
{
	if (t->in->verdict)
		fprintf(out, "%s\n\n", t->in->verdict);
	if (t->in->text && *t->in->text)
		fprintf(out, "%s\n", t->in->text);
	fprintf(out, "source: %s, destination: %s\n\n", timeline_outcome(t, TIMELINE_SOURCE),
		timeline_outcome(t, TIMELINE_DESTINATION));
	write_checkpoints(t, out);
	fprintf(out, "\nTimes are milliseconds since the migration was asked for.\n");
	write_heading("machine", out);
	write_table(t, TIMELINE_MACHINE, out);
	for (size_t i = 0; i < t->in->device_count; i++) {
		const struct timeline_device *dev = &t->in->devices[i];
		char name[256];

		snprintf(name, sizeof(name), "%s  %s -> %s", dev->id, dev->name[TIMELINE_SOURCE],
			 dev->name[TIMELINE_DESTINATION]);
		write_heading(name, out);
		write_table(t, i, out);
	}
}
