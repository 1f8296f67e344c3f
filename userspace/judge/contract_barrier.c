// SPDX-License-Identifier: GPL-2.0-only
/*
 * The P2P barrier. Judged where an arc begins, since an order needs no clock: no device may
 * begin to run while another one is stopped, and none to stop while another one runs.
 *
 * A reset is no arc: there is no other way out of ERROR. But a device that was reset runs,
 * and is to be quiet before the next one stops.
 */
#include "judge/contract_rules.h"

#include <stdlib.h>
#include <string.h>

#include "device/state.h"
#include "device/uapi.h"

enum step { NEITHER, STARTS, STOPS };

/* One that goes to load was not in use: it is no step. */
static enum step step_of(const struct contract_record *r)
{
	if (r->wanted == VFIO_DEVICE_STATE_RESUMING)
		return NEITHER;
	if (device_state_serves(r->to) && !device_state_serves(r->from))
		return STARTS;
	if (contract_is_stopped(r->to) && !contract_is_stopped(r->from))
		return STOPS;
	return NEITHER;
}

/* The device that is where it may not be when @device takes @step; @count: none. */
static unsigned int offender(const uint32_t *states, unsigned int count, unsigned int device,
			     enum step step)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (i == device)
			continue;
		if (step == STARTS ? contract_is_stopped(states[i]) :
				     device_state_serves(states[i]))
			break;
	}
	return i;
}

/* Returns the number of steps that were looked at; says the first that was wrong. */
static unsigned int watch_steps(const struct contract_input *in, uint32_t *states,
				struct contract_line *line)
{
	unsigned int steps = 0;

	for (size_t i = 0; i < in->count; i++) {
		const struct contract_record *r = &in->records[i];
		unsigned int other;
		enum step step;

		if (r->what > CONTRACT_FOUND)
			continue;
		step = r->what == CONTRACT_BEGINS && !contract_result(in, r, NULL) ? step_of(r) :
		       NEITHER;
		states[r->device] = contract_follow(states[r->device], r);
		if (step == NEITHER)
			continue;
		steps++;
		other = offender(states, in->devices, r->device, step);
		if (other < in->devices && line->outcome != VERDICT_FAIL)
			contract_say(line, VERDICT_FAIL, "%s went %s -> %s while %s was in %s",
				     in->ids[r->device], device_state_name(r->from),
				     device_state_name(r->to), in->ids[other],
				     device_state_name(states[other]));
	}
	return steps;
}

void contract_p2p_barrier(const struct contract_input *in, struct contract_line *line)
{
	unsigned int steps;
	uint32_t *states;

	if (in->devices < 2) {
		contract_say(line, VERDICT_NONE, "there is one device");
		return;
	}
	states = calloc(in->devices, sizeof(*states));
	if (!states) {
		contract_say(line, VERDICT_OPEN, "no memory");
		return;
	}
	memcpy(states, in->start, in->devices * sizeof(*states));
	steps = watch_steps(in, states, line);
	free(states);
	if (!steps)
		contract_say(line, VERDICT_NONE, "no device stopped or started");
	else if (line->outcome != VERDICT_FAIL)
		contract_say(line, VERDICT_PASS, "%u steps of %u devices in order", steps,
			     in->devices);
}
