// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who listens is told before a device goes deaf. What is said of PRE_COPY_P2P is judged by
 * verdict.h, arc by arc; here is what its lines come to.
 */
#include "judge/contract_rules.h"

#include "base/clock.h"
#include "device/state.h"
#include "device/uapi.h"

/* The first line of @outcome, with EARLY taken for @early; NULL: none. */
static const struct verdict_line *find_line(const struct contract_input *in,
					    enum verdict_outcome outcome,
					    enum verdict_outcome early)
{
	for (size_t i = 0; i < in->announced_count; i++) {
		const struct verdict_line *l = &in->announced[i];

		/* That is a verdict of its own. */
		if (l->kind == VERDICT_DISAGREE)
			continue;
		if ((l->kind == VERDICT_EARLY ? early : l->outcome) == outcome)
			return l;
	}
	return NULL;
}

static unsigned int count_arcs(const struct contract_input *in)
{
	unsigned int arcs = 0;

	for (size_t i = 0; i < in->announced_count; i++)
		arcs += in->announced[i].arc != NULL;
	return arcs;
}

void contract_prepare_before(const struct contract_input *in, struct contract_line *line)
{
	static const enum verdict_outcome order[] = { VERDICT_FAIL, VERDICT_OPEN };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		const struct verdict_line *l = find_line(in, order[i], VERDICT_PASS);

		if (!l)
			continue;
		contract_say(line, order[i], "%s: %s", in->ids[l->device], verdict_name(l->kind));
		return;
	}
	if (count_arcs(in))
		contract_say(line, VERDICT_PASS, "%u arcs, each announced before it",
			     count_arcs(in));
	else
		contract_say(line, VERDICT_NONE, "no arc to PRE_COPY_P2P");
}

void contract_not_too_early(const struct contract_input *in, struct contract_line *line)
{
	unsigned int in_time = 0;

	for (size_t i = 0; i < in->announced_count; i++) {
		const struct verdict_line *l = &in->announced[i];

		in_time += l->kind == VERDICT_BEFORE || l->kind == VERDICT_HELD;
		if (l->kind == VERDICT_EARLY)
			contract_say(line, VERDICT_FAIL, "%s was announced %.0f ms before its arc",
				     in->ids[l->device],
				     (l->arc->begin_ns - l->prepare_ns) / 1e6);
	}
	if (line->outcome == VERDICT_FAIL)
		return;
	if (!in_time || !in->lead_ns)
		contract_say(line, VERDICT_NONE, in_time ? "no lead is too long" :
			     "nothing was announced before its arc");
	else
		contract_say(line, VERDICT_PASS, "%u announcements, none more than %.0f ms ahead",
			     in_time, in->lead_ns / 1e6);
}

/* --- devices without PRE_COPY ---------------------------------------------- */

static bool has_pre_copy(const struct contract_input *in, unsigned int device)
{
	for (size_t i = 0; i < in->count; i++)
		if (in->records[i].what == CONTRACT_BEGINS && in->records[i].device == device &&
		    (in->records[i].to == VFIO_DEVICE_STATE_PRE_COPY ||
		     in->records[i].from == VFIO_DEVICE_STATE_PRE_COPY))
			return true;
	return false;
}

/* Was anything said of the device of @arc before it began? */
static bool was_announced(const struct contract_input *in, const struct contract_record *arc)
{
	for (const struct contract_record *r = in->records; r < in->records + in->count; r++)
		if (r->what == CONTRACT_ANNOUNCED && r->device == arc->device && r->ns <= arc->ns)
			return true;
	return false;
}

/* The arc by which @device, in use, goes deaf while the machine migrates; NULL: there is none. */
static const struct contract_record *goes_deaf(const struct contract_input *in,
					       unsigned int device)
{
	bool migrates = true;

	for (size_t i = 0; i < in->count; i++) {
		const struct contract_record *r = &in->records[i];

		/* Before a migration a machine may be stopped for other reasons. */
		if (r->what == CONTRACT_STATUS && r->status != CONTRACT_SETUP)
			migrates = false;
		if (r->what == CONTRACT_STATUS && r->status == CONTRACT_SETUP)
			migrates = true;
		if (r->what == CONTRACT_BEGINS && r->device == device && migrates &&
		    r->from == VFIO_DEVICE_STATE_RUNNING &&
		    r->wanted != VFIO_DEVICE_STATE_RESUMING)
			return r;
	}
	return NULL;
}

static void judge_deafness(const struct contract_input *in, struct contract_line *line,
			   const struct contract_record *arc, bool *ret_silent)
{
	const struct contract_record *end;
	bool announced = was_announced(in, arc);

	contract_result(in, arc, &end);
	*ret_silent |= !announced;
	contract_say(line, line->outcome, "%s %s -> %s, %.1f ms, %s", in->ids[arc->device],
		     device_state_name(arc->from), device_state_name(arc->to),
		     end ? (end->ns - arc->ns) / 1e6 : 0.0,
		     announced ? "announced" : "and nothing was said before");
}

void contract_quiesce_announced(const struct contract_input *in, struct contract_line *line)
{
	bool silent = false, any = false;

	for (unsigned int i = 0; i < in->devices; i++) {
		const struct contract_record *arc;

		if (has_pre_copy(in, i) || contract_loads(in, i))
			continue;
		arc = goes_deaf(in, i);
		if (!arc)
			continue;
		any = true;
		judge_deafness(in, line, arc, &silent);
	}
	if (!any)
		contract_say(line, VERDICT_NONE, "no device without PRE_COPY went deaf");
	else
		line->outcome = silent ? VERDICT_FAIL : VERDICT_PASS;
}
