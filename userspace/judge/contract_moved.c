// SPDX-License-Identifier: GPL-2.0-only
/* Was the state of each device moved when the VMM said that it was? */
#include "judge/contract_rules.h"

#include "device/state.h"
#include "device/uapi.h"

/* Where the state of a device has got to. */
enum course {
	NOT_BEGUN,
	SAVED,		/* it was in STOP_COPY, and has not gone on to run or been reset */
	LOADING,	/* in RESUMING */
	LOADED,		/* RESUMING -> STOP took it */
	REFUSED,	/* it did not */
	GIVEN_UP,	/* it runs again, without having moved */
	LOST,		/* reset, with what was loaded */
};

/* The last of the records that "completed" vouches for. */
static size_t count_before(const struct contract_input *in)
{
	return contract_end(in) - in->records;
}

static bool completed(const struct contract_input *in, struct contract_line *line)
{
	const struct contract_record *end = contract_end(in);

	if (end && end->status == CONTRACT_COMPLETED)
		return true;
	contract_say(line, VERDICT_NONE, end ? "the migration did not complete" :
		     "the end of the migration was not seen");
	return false;
}

static enum course after_arc(enum course course, uint32_t from, const struct contract_record *end)
{
	if (from == VFIO_DEVICE_STATE_RESUMING)
		return end->result ? REFUSED : LOADED;
	if (end->result)
		return course;
	if (end->to == VFIO_DEVICE_STATE_STOP_COPY)
		return SAVED;
	if (end->to == VFIO_DEVICE_STATE_RESUMING)
		return LOADING;
	return course == SAVED && device_state_serves(end->to) ? GIVEN_UP : course;
}

static enum course after_reset(enum course course)
{
	return course == LOADED || course == LOADING || course == REFUSED ? LOST :
	       course == SAVED ? GIVEN_UP : course;
}

static enum course course_of(const struct contract_input *in, unsigned int device)
{
	const size_t count = count_before(in);
	enum course course = NOT_BEGUN;
	uint32_t from = CONTRACT_UNKNOWN;

	for (size_t i = 0; i < count; i++) {
		const struct contract_record *r = &in->records[i];

		if (r->what > CONTRACT_RESET || r->device != device)
			continue;
		if (r->what == CONTRACT_BEGINS)
			from = r->from;
		else if (r->what == CONTRACT_ENDS)
			course = after_arc(course, from, r);
		else if (r->what == CONTRACT_RESET && !r->result)
			course = after_reset(course);
	}
	return course;
}

void contract_state_moved(const struct contract_input *in, struct contract_line *line)
{
	static const char *const faults[] = {
		[NOT_BEGUN] = "was neither saved nor loaded",
		[SAVED] = NULL,
		[LOADING] = "was still in RESUMING, so its driver has not accepted the state",
		[LOADED] = NULL,
		[REFUSED] = "refused the state",
		[GIVEN_UP] = "left STOP_COPY to run again",
		[LOST] = "was reset, and lost what was loaded",
	};

	if (!completed(in, line))
		return;
	for (unsigned int i = 0; i < in->devices; i++) {
		const char *fault = faults[course_of(in, i)];

		if (fault)
			contract_say(line, VERDICT_FAIL, "completed, and %s %s", in->ids[i], fault);
	}
	if (line->outcome != VERDICT_FAIL)
		contract_say(line, VERDICT_PASS, "completed, and every device was");
}

/* --- up to the end mark ---------------------------------------------------- */

enum reading { NO_STREAM, NOT_KNOWN, CUT_SHORT, WHOLE };

/* How far the last stream of @device was read that "completed" vouches for. */
static enum reading reading_of(const struct contract_input *in, unsigned int device)
{
	const size_t count = count_before(in);
	enum reading reading = NO_STREAM;

	for (size_t i = 0; i < count; i++) {
		const struct contract_record *r = &in->records[i];

		if (r->device != device)
			continue;
		if (r->what == CONTRACT_ENDS && !r->result && r->to == VFIO_DEVICE_STATE_STOP_COPY)
			reading = NOT_KNOWN;
		if (r->what == CONTRACT_READ)
			reading = r->whole ? WHOLE : CUT_SHORT;
	}
	return reading;
}

void contract_stream_complete(const struct contract_input *in, struct contract_line *line)
{
	unsigned int whole = 0, unknown = 0;

	if (!completed(in, line))
		return;
	for (unsigned int i = 0; i < in->devices; i++) {
		enum reading reading = reading_of(in, i);

		whole += reading == WHOLE;
		unknown += reading == NOT_KNOWN;
		if (reading == CUT_SHORT)
			contract_say(line, VERDICT_FAIL,
				     "completed, and the stream of %s was not read to its end",
				     in->ids[i]);
	}
	if (line->outcome == VERDICT_FAIL)
		return;
	if (unknown)
		contract_say(line, VERDICT_NONE, "nothing tells how far streams were read");
	else if (!whole)
		contract_say(line, VERDICT_NONE, "no stream was saved here");
	else
		contract_say(line, VERDICT_PASS, "each of %u streams was read to its end", whole);
}
