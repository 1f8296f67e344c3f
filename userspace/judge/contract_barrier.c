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

#include "device/state.h"
#include "device/uapi.h"

/* A device that loads was not in use before it did. */
struct party {
	uint32_t state;
	bool idle;
};

enum step { NEITHER, STARTS, STOPS };

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

/* The device that is where it may not be when another one takes @step; NULL: none. */
static const struct party *offender(const struct party *parties, unsigned int count,
				    unsigned int device, enum step step)
{
	for (unsigned int i = 0; i < count; i++) {
		const struct party *p = &parties[i];

		if (i == device || p->idle)
			continue;
		if (step == STARTS ? contract_is_stopped(p->state) : device_state_serves(p->state))
			return p;
	}
	return NULL;
}

static void follow(struct party *party, const struct contract_record *r)
{
	party->state = contract_follow(party->state, r);
	if (party->state == VFIO_DEVICE_STATE_RESUMING)
		party->idle = false;
}

/* Returns the number of steps that were looked at; says the first that was wrong. */
static unsigned int watch_steps(const struct contract_input *in, struct party *parties,
				struct contract_line *line)
{
	unsigned int steps = 0;

	for (size_t i = 0; i < in->count; i++) {
		const struct contract_record *r = &in->records[i];
		const struct party *other;
		enum step step;

		if (r->what > CONTRACT_FOUND)
			continue;
		step = r->what == CONTRACT_BEGINS && !contract_result(in, r, NULL) ? step_of(r) :
		       NEITHER;
		follow(&parties[r->device], r);
		if (step == NEITHER)
			continue;
		steps++;
		other = offender(parties, in->devices, r->device, step);
		if (other && line->outcome != VERDICT_FAIL)
			contract_say(line, VERDICT_FAIL, "%s went %s -> %s while %s was in %s",
				     in->ids[r->device], device_state_name(r->from),
				     device_state_name(r->to), in->ids[other - parties],
				     device_state_name(other->state));
	}
	return steps;
}

void contract_p2p_barrier(const struct contract_input *in, struct contract_line *line)
{
	struct party *parties;
	unsigned int steps;

	if (in->devices < 2) {
		contract_say(line, VERDICT_NONE, "there is one device");
		return;
	}
	parties = calloc(in->devices, sizeof(*parties));
	if (!parties) {
		contract_say(line, VERDICT_OPEN, "no memory");
		return;
	}
	for (unsigned int i = 0; i < in->devices; i++)
		parties[i] = (struct party){ in->start[i], contract_loads(in, i) };
	steps = watch_steps(in, parties, line);
	free(parties);
	if (!steps)
		contract_say(line, VERDICT_NONE, "no device stopped or started");
	else if (line->outcome != VERDICT_FAIL)
		contract_say(line, VERDICT_PASS, "%u steps of %u devices in order", steps,
			     in->devices);
}
