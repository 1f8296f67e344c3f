// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/durations.h"

#include <stddef.h>

void durations_begin(struct durations *d, unsigned int device, uint32_t to, uint64_t now_ns)
{
	d->device[device].begin_ns = now_ns;
	d->device[device].to = to;
}

void durations_end(struct durations *d, unsigned int device, const struct work_result *result)
{
	if (result->op != WORK_SET)
		return;
	d->device[device].begin_ns = 0;
	if (!result->error)
		d->device[device].last_ns[result->state] = result->return_ns - result->enter_ns;
}

static uint64_t expected_ns(const struct durations *d, unsigned int device, uint32_t to,
			    uint64_t now_ns)
{
	uint64_t ns = d->device[device].last_ns[to], so_far;

	if (!d->device[device].begin_ns || d->device[device].to != to)
		return ns;
	so_far = now_ns - d->device[device].begin_ns;
	return so_far > ns ? so_far : ns;
}

/* One step; moves the devices of @state as it says. */
static uint64_t step_ns(const struct durations *d, const struct coordinator *c,
			const struct step *s, uint32_t *state, uint64_t now_ns)
{
	uint64_t sum = 0, most = 0;

	for (unsigned int i = 0; i < c->count; i++) {
		const struct move *m = policy_move(s->moves, state[i], c->device[i].flags);
		uint64_t ns;

		if (!m || m->to == state[i])
			continue;
		ns = expected_ns(d, i, m->to, now_ns);
		state[i] = m->to;
		sum += ns;
		most = ns > most ? ns : most;
	}
	return s->serial ? sum : most;
}

uint64_t durations_switchover_ns(const struct durations *d, const struct coordinator *c,
				 uint64_t now_ns)
{
	uint32_t state[VMM_DEVICES_MAX];
	const struct step *s = c->policy->source;
	uint64_t ns = 0;

	for (unsigned int i = 0; i < c->count; i++)
		state[i] = c->device[i].flags & VFIO_MIGRATION_PRE_COPY ?
			   VFIO_DEVICE_STATE_PRE_COPY : VFIO_DEVICE_STATE_RUNNING;
	while (s->kind != STEP_RUNSTATE || s->arg != RUN_FINISH_MIGRATE)
		s++;
	for (; s->kind != STEP_TELL; s++) {
		if (s->kind == STEP_WORK && s->arg == WORK_SET)
			ns += step_ns(d, c, s, state, now_ns);
	}
	return ns;
}
