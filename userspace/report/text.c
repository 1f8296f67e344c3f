// SPDX-License-Identifier: GPL-2.0-only
#include "report/text.h"

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

		if (s->side == TIMELINE_SOURCE && timeline_serves(s->from) &&
		    !timeline_serves(s->to) && (!first || s->begin_ns < first))
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

static void write_arcs(const struct timeline *t, int lane, FILE *out)
{
	for (size_t i = 0; i < t->span_count; i++) {
		const struct timeline_span *s = &t->spans[i];
		char name[40];

		if (s->lane != lane || s->kind != TIMELINE_IN_ARC)
			continue;
		snprintf(name, sizeof(name), "%s > %s", device_state_name(s->from),
			 device_state_name(s->to));
		fprintf(out, "  %-11s %-26s %10.3f %10.3f ms%s%s\n", timeline_side_name(s->side),
			name, ms(t, s->begin_ns),
			(double)(s->end_ns - s->begin_ns) / NSEC_PER_MSEC,
			s->result ? "  " : "", s->result > 0 ? "in progress" :
			s->result ? strerror(-s->result) : "");
	}
}

static void write_deaf(const struct timeline *t, int lane, FILE *out)
{
	for (size_t i = 0; i < t->deaf_count; i++) {
		const struct timeline_deaf *d = &t->deaf[i];

		if (d->lane != lane)
			continue;
		fprintf(out, "  deaf                                   %10.3f %10.3f ms%s",
			ms(t, d->begin_ns), (double)(d->end_ns - d->begin_ns) / NSEC_PER_MSEC,
			d->open ? ", no end seen" : "");
		if (d->timeout_ns)
			fprintf(out, "; a connection's timeout of %.0f ms ran out at %.3f",
				(double)t->in->timeout_ns / NSEC_PER_MSEC, ms(t, d->timeout_ns));
		fprintf(out, "\n");
	}
}

static void write_marks(const struct timeline *t, int lane, FILE *out)
{
	for (size_t i = 0; i < t->mark_count; i++) {
		const struct timeline_mark *m = &t->marks[i];

		if (m->lane == lane)
			fprintf(out, "  %-11s event %-20s %10.3f\n", timeline_side_name(m->side),
				m->text, ms(t, m->ns));
	}
}

void text_write(const struct timeline *t, FILE *out)
{
	fprintf(out, "source: %s, destination: %s\n\n", timeline_outcome(t, TIMELINE_SOURCE),
		timeline_outcome(t, TIMELINE_DESTINATION));
	write_checkpoints(t, out);
	fprintf(out, "\nmachine: milliseconds since the migration was asked for\n");
	write_marks(t, TIMELINE_MACHINE, out);
	for (size_t i = 0; i < t->in->device_count; i++) {
		const struct timeline_device *dev = &t->in->devices[i];

		fprintf(out, "\n%s  %s -> %s\n", dev->id, dev->name[TIMELINE_SOURCE],
			dev->name[TIMELINE_DESTINATION]);
		write_arcs(t, i, out);
		write_deaf(t, i, out);
		write_marks(t, i, out);
	}
}
