// SPDX-License-Identifier: GPL-2.0-only
#include "report/timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device/state.h"
#include "device/uapi.h"

const char *timeline_side_name(enum timeline_side side)
{
	return side == TIMELINE_SOURCE ? "source" : "destination";
}

static uint64_t end_of(const struct timeline_input *in, const struct lab_arc *arc)
{
	return arc->end_ns ? arc->end_ns : in->end_ns;
}

/* Where a device is once the arc is over. */
static uint32_t state_after(const struct lab_arc *arc)
{
	return arc->result ? arc->from : arc->to;
}

/* --- spans ----------------------------------------------------------------- */

static void add_span(struct timeline *t, const struct timeline_span *span)
{
	if (span->kind == TIMELINE_IN_ARC || span->end_ns > span->begin_ns)
		t->spans[t->span_count++] = *span;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void add_state(struct timeline *t, int lane, enum timeline_side side, uint32_t state,
		      uint64_t begin_ns, uint64_t end_ns)
{
	const struct timeline_span span = {
		.lane = lane, .side = side, .kind = TIMELINE_IN_STATE, .from = state, .to = state,
		.begin_ns = later(begin_ns, t->in->begin_ns), .end_ns = end_ns,
	};

	add_span(t, &span);
}

/* Arcs, and what is between them: the next arc knows best where the device was before it. */
static void add_spans(struct timeline *t, int lane, enum timeline_side side)
{
	const struct timeline_device *dev = &t->in->devices[lane];
	uint64_t at_ns = t->in->begin_ns;
	uint32_t state = VFIO_DEVICE_STATE_RUNNING;

	for (size_t i = 0; i < dev->count[side]; i++) {
		const struct lab_arc *arc = &dev->arcs[side][i];
		const struct timeline_span span = {
			.lane = lane, .side = side, .kind = TIMELINE_IN_ARC,
			.from = arc->from, .to = arc->to, .result = arc->result,
			.begin_ns = arc->begin_ns, .end_ns = end_of(t->in, arc),
		};

		state = state_after(arc);
		if (arc->begin_ns < t->in->begin_ns)
			continue;
		add_state(t, lane, side, arc->from, at_ns, arc->begin_ns);
		add_span(t, &span);
		at_ns = span.end_ns;
	}
	if (dev->arcs[side])
		add_state(t, lane, side, state, at_ns, t->in->end_ns);
}

/* --- deafness -------------------------------------------------------------- */

/* When the destination's device serves, at the earliest after @ns; 0: it does not. */
static uint64_t successor_serves(const struct timeline *t, int lane, uint64_t ns)
{
	const struct timeline_device *dev = &t->in->devices[lane];

	for (size_t i = 0; i < dev->count[TIMELINE_DESTINATION]; i++) {
		const struct lab_arc *arc = &dev->arcs[TIMELINE_DESTINATION][i];

		if (arc->end_ns > ns && !arc->result && device_state_serves(arc->to))
			return arc->end_ns;
	}
	return 0;
}

static void add_deaf(struct timeline *t, int lane, uint64_t begin_ns, uint64_t end_ns)
{
	struct timeline_deaf deaf = {
		.lane = lane, .begin_ns = begin_ns, .end_ns = end_ns ? end_ns : t->in->end_ns,
		.open = !end_ns,
	};

	if (t->in->timeout_ns && deaf.end_ns - begin_ns > t->in->timeout_ns)
		deaf.timeout_ns = begin_ns + t->in->timeout_ns;
	t->deaf[t->deaf_count++] = deaf;
}

static void add_deafness(struct timeline *t, int lane)
{
	const struct timeline_device *dev = &t->in->devices[lane];
	uint64_t since_ns = 0;

	for (size_t i = 0; i < dev->count[TIMELINE_SOURCE]; i++) {
		const struct lab_arc *arc = &dev->arcs[TIMELINE_SOURCE][i];

		if (arc->begin_ns < t->in->begin_ns)
			continue;
		if (!since_ns && device_state_serves(arc->from) && !device_state_serves(arc->to))
			since_ns = arc->begin_ns;
		if (since_ns && arc->end_ns && device_state_serves(state_after(arc))) {
			add_deaf(t, lane, since_ns, arc->end_ns);
			since_ns = 0;
		}
	}
	if (since_ns)
		add_deaf(t, lane, since_ns, successor_serves(t, lane, since_ns));
}

/* --- marks ----------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
	const struct timeline_mark *x = a, *y = b;

	return (x->ns > y->ns) - (x->ns < y->ns);
}

static void add_marks(struct timeline *t)
{
	for (size_t i = 0; i < t->in->event_count; i++) {
		const struct timeline_mark *event = &t->in->events[i];

		if (event->ns >= t->in->begin_ns && event->ns <= t->in->end_ns)
			t->marks[t->mark_count++] = *event;
	}
	qsort(t->marks, t->mark_count, sizeof(*t->marks), by_time);
}

const struct timeline_mark *timeline_find(const struct timeline *t, enum timeline_side side,
					  const char *text)
{
	for (size_t i = 0; i < t->mark_count; i++)
		if (t->marks[i].side == side && !strcmp(t->marks[i].text, text))
			return &t->marks[i];
	return NULL;
}

const char *timeline_outcome(const struct timeline *t, enum timeline_side side)
{
	const char *outcome = "unknown";

	for (size_t i = 0; i < t->mark_count; i++)
		if (t->marks[i].side == side && t->marks[i].kind == TIMELINE_STATUS)
			outcome = t->marks[i].text;
	return outcome;
}

int timeline_build(const struct timeline_input *in, struct timeline *ret)
{
	struct timeline t = { .in = in };
	size_t arcs = 0, own = 0;

	for (size_t i = 0; i < in->device_count; i++) {
		own += in->devices[i].count[TIMELINE_SOURCE];
		arcs += in->devices[i].count[TIMELINE_SOURCE] +
			in->devices[i].count[TIMELINE_DESTINATION];
	}
	/* An arc and what was before it; and the state at the end, on either side. */
	t.spans = calloc(2 * (arcs + in->device_count) + 1, sizeof(*t.spans));
	t.deaf = calloc(own + 1, sizeof(*t.deaf));
	t.marks = calloc(in->event_count + 1, sizeof(*t.marks));
	if (!t.spans || !t.deaf || !t.marks) {
		timeline_free(&t);
		return -ENOMEM;
	}
	for (size_t i = 0; i < in->device_count; i++) {
		add_spans(&t, i, TIMELINE_SOURCE);
		add_spans(&t, i, TIMELINE_DESTINATION);
		add_deafness(&t, i);
	}
	add_marks(&t);
	*ret = t;
	return 0;
}

void timeline_free(struct timeline *t)
{
	free(t->spans);
	free(t->deaf);
	free(t->marks);
}
