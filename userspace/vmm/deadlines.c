// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/deadlines.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/log.h"

void deadlines_init(struct deadlines *d, struct loop *loop, late_fn late, void *opaque)
{
	*d = (struct deadlines){ .loop = loop, .late = late, .opaque = opaque };
	for (unsigned int i = 0; i < VMM_DEVICES_MAX; i++)
		d->device[i].all = d;
}

static void on_time(void *opaque)
{
	struct deadline *one = opaque;
	struct deadlines *d = one->all;

	one->timer = NULL;
	d->late(d->opaque, one - d->device, one->from, one->to, clock_ns() - one->begin_ns);
}

void deadlines_begin(struct deadlines *d, unsigned int device, uint32_t from, uint32_t to,
		     uint64_t limit_ns)
{
	struct deadline *one = &d->device[device];

	deadlines_end(d, device);
	if (!limit_ns)
		return;
	one->from = from;
	one->to = to;
	one->begin_ns = clock_ns();
	one->timer = loop_at(d->loop, one->begin_ns + limit_ns, on_time, one);
	if (!one->timer)
		log_warn("no memory for a deadline");
}

void deadlines_end(struct deadlines *d, unsigned int device)
{
	loop_cancel(d->device[device].timer);
	d->device[device].timer = NULL;
}

void deadlines_clear(struct deadlines *d)
{
	for (unsigned int i = 0; i < VMM_DEVICES_MAX; i++)
		deadlines_end(d, i);
}
