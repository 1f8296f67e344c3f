/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happened to each device of a migration, laid out in time: the histories of
 * the devices and the receipts of events in; lanes, spans, marks and lines out.
 * The pictures are drawn from this and nothing else.
 *
 * Pure. All times are CLOCK_MONOTONIC nanoseconds.
 */
#ifndef MIGLAB_REPORT_TIMELINE_H
#define MIGLAB_REPORT_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/lab.h"

enum timeline_side {
	TIMELINE_SOURCE,
	TIMELINE_DESTINATION,
	TIMELINE_SIDES
};

/* "source", "destination". */
const char *timeline_side_name(enum timeline_side side);

struct timeline_device {
	const char *id;				/* "vf0" */
	const char *name[TIMELINE_SIDES];	/* DEV as the user wrote it */
	const struct lab_arc *arcs[TIMELINE_SIDES];	/* oldest first; NULL: no history */
	size_t count[TIMELINE_SIDES];
};

#define TIMELINE_MACHINE	(-1)	/* the lane of what concerns no single device */
#define TIMELINE_TEXT_MAX	64

enum timeline_event_kind {
	TIMELINE_PREPARE,	/* pre-copy-p2p-prepare */
	TIMELINE_STATE,		/* any other VFIO_MIGRATION event */
	TIMELINE_STATUS,	/* MIGRATION */
	TIMELINE_RUN,		/* STOP and RESUME */
};

/* An event as it was received: on output what a mark is, too. */
struct timeline_mark {
	int lane;		/* index of the device, or TIMELINE_MACHINE */
	enum timeline_side side;
	enum timeline_event_kind kind;
	uint64_t ns;		/* of its receipt */
	char text[TIMELINE_TEXT_MAX];	/* "pre-copy-p2p", "STOP", "completed" */
};

struct timeline_input {
	const struct timeline_device *devices;
	size_t device_count;
	const struct timeline_mark *events;	/* in any order */
	size_t event_count;
	uint64_t begin_ns;	/* the migration was asked for; what ended before is left out */
	uint64_t end_ns;	/* when the histories were read: what is in progress ends here */
	uint64_t timeout_ns;	/* of a connection of the device; 0: none */
	/* What the program says of it; NULL: nothing. A line, and the lines before it. */
	const char *verdict, *text;
};

enum timeline_span_kind {
	TIMELINE_IN_STATE,	/* between two arcs */
	TIMELINE_IN_ARC,
};

/*
 * On each side of each lane spans follow one another in time and do not overlap;
 * there is none of length 0 but arcs.
 */
struct timeline_span {
	int lane;
	enum timeline_side side;
	enum timeline_span_kind kind;
	uint32_t from, to;	/* enum vfio_device_mig_state; equal when in a state */
	int result;		/* of an arc: 0, negative errno, or 1 while in progress */
	uint64_t begin_ns, end_ns;
};

/*
 * A time in which nothing behind the device is answered: from the beginning of the arc
 * that leaves RUNNING or PRE_COPY for a state in which it does not serve, to the end
 * of the one that brings it, or its successor at the destination, back.
 */
struct timeline_deaf {
	int lane;
	uint64_t begin_ns, end_ns;
	bool open;		/* it had not ended when the histories were read */
	uint64_t timeout_ns;	/* when a connection's timeout ran out in it; 0: it did not */
};

struct timeline {
	const struct timeline_input *in;
	struct timeline_span *spans;
	size_t span_count;
	struct timeline_mark *marks;	/* by time, from begin_ns to end_ns */
	size_t mark_count;
	struct timeline_deaf *deaf;
	size_t deaf_count;
};

/**
 * timeline_build() - lay out @in
 * @ret: refers to @in, which outlives it; timeline_free() frees what it has
 *
 * Return: 0 or -ENOMEM.
 */
int timeline_build(const struct timeline_input *in, struct timeline *ret);
void timeline_free(struct timeline *t);

/* What the last MIGRATION event of @side said: "completed"; "unknown" without one. */
const char *timeline_outcome(const struct timeline *t, enum timeline_side side);

/* The first mark of @side with this text, on any lane; NULL when there is none. */
const struct timeline_mark *timeline_find(const struct timeline *t, enum timeline_side side,
					  const char *text);

#endif
