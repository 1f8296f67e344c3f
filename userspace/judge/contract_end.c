// SPDX-License-Identifier: GPL-2.0-only
/* Where devices end, and how the VMM got to know after a failure. */
#include "judge/contract_rules.h"

#include "device/state.h"
#include "device/uapi.h"

/* --- the end --------------------------------------------------------------- */

enum machine { NOT_SAID, RUNS, STANDS };

static enum machine machine_at_end(const struct contract_input *in)
{
	enum machine machine = NOT_SAID;

	for (size_t i = 0; i < in->count; i++) {
		if (in->records[i].what == CONTRACT_RUNS)
			machine = RUNS;
		if (in->records[i].what == CONTRACT_STANDS)
			machine = STANDS;
	}
	return machine;
}

static bool is_destination(const struct contract_input *in)
{
	for (unsigned int i = 0; i < in->devices; i++)
		if (contract_loads(in, i))
			return true;
	return false;
}

/* What the machine is at the end, and with it where its devices have to be. */
struct ending {
	const char *name;
	bool (*fits)(uint32_t state, uint32_t start);
};

static bool fits_gone(uint32_t state, uint32_t start)
{
	(void)start;
	return state == VFIO_DEVICE_STATE_STOP || state == VFIO_DEVICE_STATE_STOP_COPY;
}

static bool fits_running(uint32_t state, uint32_t start)
{
	(void)start;
	return state == VFIO_DEVICE_STATE_RUNNING;
}

/* A machine that was never started has its devices as they were opened. */
static bool fits_paused(uint32_t state, uint32_t start)
{
	return state == start || contract_is_stopped(state);
}

/* NULL: what was said does not tell where a device has to be. */
static const struct ending *ending_of(const struct contract_input *in)
{
	static const struct ending gone = { "a source that has completed", fits_gone };
	static const struct ending runs = { "a machine that runs", fits_running };
	static const struct ending stands = { "a machine that is paused", fits_paused };
	bool done = contract_end(in)->status == CONTRACT_COMPLETED;
	enum machine machine = machine_at_end(in);

	if (done && !is_destination(in))
		return &gone;
	if ((!done && is_destination(in)) || machine == NOT_SAID)
		return NULL;
	return machine == RUNS ? &runs : &stands;
}

void contract_true_end(const struct contract_input *in, struct contract_line *line)
{
	const struct ending *ending = contract_end(in) ? ending_of(in) : NULL;
	unsigned int unknown = 0;

	if (!ending) {
		contract_say(line, VERDICT_NONE, contract_end(in) ?
			     "what was said needs no device anywhere" :
			     "the end of the migration was not seen");
		return;
	}
	for (unsigned int i = 0; i < in->devices; i++) {
		uint32_t state = contract_end_state(in, i);

		unknown += state == CONTRACT_UNKNOWN;
		if (state != CONTRACT_UNKNOWN && !ending->fits(state, in->start[i]))
			contract_say(line, VERDICT_FAIL, "%s is in %s, of %s", in->ids[i],
				     device_state_name(state), ending->name);
	}
	if (line->outcome == VERDICT_FAIL)
		return;
	if (unknown)
		contract_say(line, VERDICT_NONE, "where %u devices are is not known", unknown);
	else
		contract_say(line, VERDICT_PASS, "each device is where %s needs it", ending->name);
}

/* --- after a failure ------------------------------------------------------- */

/* The way to more migration: who goes there believes that he knows where the device is. */
static bool is_forward(uint32_t wanted)
{
	return device_state_is_saving(wanted) || wanted == VFIO_DEVICE_STATE_RESUMING;
}

/* What came next of the device; NULL: nothing. */
static const struct contract_record *next_of(const struct contract_input *in,
					     const struct contract_record *at)
{
	for (const struct contract_record *r = at + 1; r < in->records + in->count; r++)
		if (r->device == at->device && r->what <= CONTRACT_RESET)
			return r;
	return NULL;
}

/* How the VMM went on after the failure that is @failed; a fault, or NULL. */
static const char *fault_of(const struct contract_input *in, const struct contract_record *failed)
{
	const struct contract_record *next = next_of(in, failed);

	if (!next)
		return "and nobody asked, recovered or reset it";
	if (next->what == CONTRACT_BEGINS && is_forward(next->wanted))
		return "and was sent on without being asked where it is";
	return NULL;
}

void contract_recovery(const struct contract_input *in, struct contract_line *line)
{
	unsigned int failed = 0, unseen = 0;

	for (size_t i = 0; i < in->count; i++) {
		const struct contract_record *r = &in->records[i];
		const char *fault;

		if (r->what != CONTRACT_ENDS || r->result >= 0)
			continue;
		failed++;
		fault = fault_of(in, r);
		unseen += fault && !in->sees_questions;
		if (fault && in->sees_questions)
			contract_say(line, VERDICT_FAIL, "%s failed on its way to %s (%s), %s",
				     in->ids[r->device], device_state_name(r->to),
				     device_strerror(-r->result), fault);
	}
	if (!failed)
		contract_say(line, VERDICT_NONE, "no arc failed");
	else if (unseen)
		contract_say(line, VERDICT_NONE, "%u of %u failures: questions and resets are not "
			     "in the record", unseen, failed);
	else if (line->outcome != VERDICT_FAIL)
		contract_say(line, VERDICT_PASS,
			     "%u failed arcs, each device asked, recovered or reset", failed);
}
