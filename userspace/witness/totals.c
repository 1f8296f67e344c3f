// SPDX-License-Identifier: GPL-2.0-only
#include "witness/totals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/state.h"
#include "device/uapi.h"

static struct totals_device *find_device(struct totals *t, const char *name)
{
	struct totals_device *more;

	for (size_t i = 0; i < t->count; i++)
		if (!strcmp(t->devices[i].name, name))
			return &t->devices[i];
	more = realloc(t->devices, (t->count + 1) * sizeof(*more));
	if (!more)
		return NULL;
	t->devices = more;
	more += t->count++;
	memset(more, 0, sizeof(*more));
	snprintf(more->name, sizeof(more->name), "%s", name);
	return more;
}

static bool is_anyone_deaf(const struct totals *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->devices[i].deaf_since_ns)
			return true;
	return false;
}

static void go_deaf(struct totals *t, struct totals_device *dev, uint64_t ns)
{
	if (!dev->deaf_since_ns)
		dev->deaf_since_ns = ns;
	if (!t->blackout_since_ns)
		t->blackout_since_ns = ns;
}

static void hear(struct totals_device *dev, uint64_t ns)
{
	uint64_t deaf_ns = ns - dev->deaf_since_ns;

	dev->deaf_since_ns = 0;
	dev->deaf_ns += deaf_ns;
	if (deaf_ns > dev->longest_deaf_ns)
		dev->longest_deaf_ns = deaf_ns;
}

/* The destination of one of the deaf devices serves: of the one that has waited longest. */
static void take_over(struct totals *t, uint64_t ns)
{
	struct totals_device *first = NULL;

	for (size_t i = 0; i < t->count; i++)
		if (t->devices[i].deaf_since_ns &&
		    (!first || t->devices[i].deaf_since_ns < first->deaf_since_ns))
			first = &t->devices[i];
	if (first)
		hear(first, ns);
}

static void end_blackout(struct totals *t, uint64_t ns)
{
	if (!t->blackout_since_ns || is_anyone_deaf(t))
		return;
	if (ns - t->blackout_since_ns > t->blackout_ns)
		t->blackout_ns = ns - t->blackout_since_ns;
	t->blackout_since_ns = 0;
}

/* The device is in @state now. */
static void arrive(struct totals *t, struct totals_device *dev, uint32_t state, uint64_t ns)
{
	if (state == VFIO_DEVICE_STATE_RESUMING) {
		dev->loads = true;
		/* It never was in use: forget that it left RUNNING. */
		dev->deaf_since_ns = 0;
		if (!is_anyone_deaf(t))
			t->blackout_since_ns = 0;
	} else if (device_state_serves(state) && dev->loads) {
		dev->loads = false;
		take_over(t, ns);
	} else if (device_state_serves(state) && dev->deaf_since_ns) {
		hear(dev, ns);
	}
	end_blackout(t, ns);
}

static void end_arc(struct totals *t, struct totals_device *dev, const struct witness_arc *arc)
{
	uint64_t took_ns = arc->end_ns - arc->begin_ns;

	dev->arcs++;
	dev->failed += arc->result < 0;
	if (took_ns >= dev->slowest_ns) {
		dev->slowest_ns = took_ns;
		dev->slowest_from = arc->from;
		dev->slowest_to = arc->to;
	}
	/* After a failure nothing is known until somebody asks, resets or goes on. */
	if (!arc->result)
		arrive(t, dev, arc->to, arc->end_ns);
}

int totals_add(struct totals *t, enum arcs_news news, const struct witness_arc *arc)
{
	struct totals_device *dev;

	if (news == ARCS_LOST) {
		t->lost += arc->result;
		return 0;
	}
	dev = find_device(t, arc->device);
	if (!dev)
		return -ENOMEM;
	switch (news) {
	case ARCS_BEGUN:
		arrive(t, dev, arc->from, arc->begin_ns);
		if (device_state_serves(arc->from) && !device_state_serves(arc->to))
			go_deaf(t, dev, arc->begin_ns);
		break;
	case ARCS_ENDED:
		end_arc(t, dev, arc);
		break;
	case ARCS_STATE:
		arrive(t, dev, arc->to, arc->end_ns);
		break;
	case ARCS_RESET:
		dev->resets++;
		dev->loads = false;
		if (!arc->result)
			arrive(t, dev, arc->to, arc->end_ns);
		break;
	case ARCS_LOST:
	case ARCS_MARK:
	case ARCS_SENT:
		break;
	}
	return 0;
}

void totals_free(struct totals *t)
{
	free(t->devices);
}
