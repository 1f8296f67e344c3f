// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long the devices of a machine were deaf, and what took so long: from the first one that
 * goes deaf until the VMM says that the destination has them, or all serve again.
 */
#include "judge/contract_rules.h"

#include "base/clock.h"
#include "device/state.h"
#include "device/uapi.h"

struct span {
	uint64_t from_ns, to_ns;	/* to_ns 0: not over */
	uint64_t arcs_ns;		/* of it some device was in an arc */
};

static bool leaves_service(const struct contract_record *r)
{
	return r->what == CONTRACT_BEGINS && device_state_serves(r->from) &&
	       !device_state_serves(r->to) && r->wanted != VFIO_DEVICE_STATE_RESUMING;
}

static const struct contract_record *find_begin(const struct contract_input *in)
{
	for (size_t i = 0; i < in->count; i++)
		if (leaves_service(&in->records[i]))
			return &in->records[i];
	return NULL;
}

/* The last arc that brought a device back, behind @begin; else what was said at the end. */
static uint64_t find_end(const struct contract_input *in, const struct contract_record *begin)
{
	const struct contract_record *end = contract_end(in);
	uint64_t ns = 0;

	if (!end)
		return 0;
	if (end->status == CONTRACT_COMPLETED)
		return end->ns;
	for (const struct contract_record *r = begin; r < in->records + in->count; r++)
		if (r->what == CONTRACT_ENDS && !r->result && device_state_serves(r->to))
			ns = r->ns;
	return ns;
}

/* The time in @span in which at least one arc was in progress. */
static uint64_t time_in_arcs(const struct contract_input *in, const struct span *span)
{
	uint64_t sum_ns = 0, since_ns = 0;
	unsigned int open = 0;

	for (size_t i = 0; i < in->count; i++) {
		const struct contract_record *r = &in->records[i];

		if (r->ns < span->from_ns || r->ns > span->to_ns)
			continue;
		if (r->what == CONTRACT_BEGINS && !open++)
			since_ns = r->ns;
		if (r->what == CONTRACT_ENDS && open && !--open)
			sum_ns += r->ns - since_ns;
	}
	return sum_ns;
}

void contract_downtime(const struct contract_input *in, struct contract_line *line)
{
	const struct contract_record *begin = find_begin(in);
	struct span span = { .from_ns = begin ? begin->ns : 0 };
	uint64_t all_ns;

	if (begin)
		span.to_ns = find_end(in, begin);
	if (span.to_ns < span.from_ns || !span.to_ns) {
		contract_say(line, VERDICT_NONE, begin ? "it did not end" : "no device went deaf");
		return;
	}
	span.arcs_ns = time_in_arcs(in, &span);
	all_ns = span.to_ns - span.from_ns;
	contract_say(line, VERDICT_NONE, "%.1f ms: %.1f in changes of state, %.1f in saving and "
		     "loading", all_ns / 1e6, span.arcs_ns / 1e6, (all_ns - span.arcs_ns) / 1e6);
	if (!in->downtime_ns)
		contract_say(line, VERDICT_NONE, "no limit was given");
	else
		contract_say(line, all_ns > in->downtime_ns ? VERDICT_FAIL : VERDICT_PASS,
			     "the limit is %.0f ms", in->downtime_ns / 1e6);
}
