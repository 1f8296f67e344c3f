// SPDX-License-Identifier: GPL-2.0-only
#include "judge/verdict.h"

#include <errno.h>
#include <stdlib.h>

#include "device/uapi.h"

static const char *const kind_name[VERDICT_KINDS] = {
	[VERDICT_BEFORE] = "BEFORE",
	[VERDICT_HELD] = "HELD",
	[VERDICT_EARLY] = "EARLY",
	[VERDICT_DURING] = "DURING",
	[VERDICT_LATE] = "LATE",
	[VERDICT_MISSING] = "MISSING",
	[VERDICT_INCONCLUSIVE] = "INCONCLUSIVE",
	[VERDICT_UNDELIVERED] = "UNDELIVERED",
	[VERDICT_DUPLICATE] = "DUPLICATE",
	[VERDICT_STRAY] = "STRAY",
	[VERDICT_WITHDRAWN] = "WITHDRAWN",
	[VERDICT_FOREIGN] = "FOREIGN",
	[VERDICT_GAP] = "GAP",
	[VERDICT_DISAGREE] = "DISAGREE",
	[VERDICT_NA] = "N/A",
};

/* A stay in PRE_COPY: what is announced in it, and the arc that was tried from it. */
struct stay {
	uint64_t from_ns, to_ns;	/* receipts in [from_ns, to_ns) belong to it */
	const struct lab_arc *arc;	/* NULL: left by another arc, or not yet */
	uint64_t given_up_ns;	/* when it was left for RUNNING, as after a cancel; 0: it was not */
};

struct court {
	const struct verdict_input *in;
	struct verdict_line *lines;
	size_t count;
	size_t device;		/* the one being judged */
};

const char *verdict_name(enum verdict_kind kind)
{
	return kind_name[kind];
}

bool verdict_is_tested(const struct lab_arc *arc)
{
	return arc->from == VFIO_DEVICE_STATE_PRE_COPY && arc->to == VFIO_DEVICE_STATE_PRE_COPY_P2P;
}

/* Did @arc bring the device into PRE_COPY, so that a new announcement may come? */
static bool enters_precopy(const struct lab_arc *arc)
{
	return arc->to == VFIO_DEVICE_STATE_PRE_COPY && arc->end_ns && !arc->result;
}

/* Did @arc end pre-copy without a switchover? */
static bool gives_up(const struct lab_arc *arc)
{
	return arc->from == VFIO_DEVICE_STATE_PRE_COPY && arc->to == VFIO_DEVICE_STATE_RUNNING &&
	       arc->end_ns && !arc->result;
}

static enum verdict_outcome outcome_of(enum verdict_kind kind)
{
	switch (kind) {
	case VERDICT_BEFORE:
	case VERDICT_HELD:
		return VERDICT_PASS;
	case VERDICT_INCONCLUSIVE:
		return VERDICT_OPEN;
	case VERDICT_WITHDRAWN:
	case VERDICT_NA:
		return VERDICT_NONE;
	default:
		return VERDICT_FAIL;
	}
}

static struct verdict_line *add_line(struct court *court, enum verdict_kind kind)
{
	struct verdict_line *line = &court->lines[court->count++];

	*line = (struct verdict_line){
		.device = court->device,
		.kind = kind,
		.outcome = outcome_of(kind),
	};
	return line;
}

static bool belongs(const struct court *court, const struct stay *stay,
		    const struct verdict_receipt *receipt)
{
	return receipt->device == (int)court->device && receipt->received_ns >= stay->from_ns &&
	       receipt->received_ns < stay->to_ns;
}

/* Was the arc held, and did the judge let it go because it had this receipt? */
static bool proved_by_hold(const struct lab_arc *arc, const struct verdict_receipt *prepare)
{
	return prepare->released_ns >= prepare->received_ns &&
	       prepare->released_ns >= arc->begin_ns &&
	       (!arc->end_ns || prepare->released_ns <= arc->end_ns);
}

/* Of a receipt that is the only one of its arc. */
static enum verdict_kind kind_of_receipt(const struct verdict_input *in, const struct lab_arc *arc,
					 const struct verdict_receipt *prepare, bool by_hold)
{
	uint64_t at_ns = prepare->received_ns;

	if (at_ns < arc->begin_ns)
		return in->lead_ns && arc->begin_ns - at_ns > in->lead_ns ? VERDICT_EARLY :
									    VERDICT_BEFORE;
	if (at_ns - arc->begin_ns < in->noise_ns + prepare->late_ns)
		return by_hold ? VERDICT_HELD : VERDICT_INCONCLUSIVE;
	if (!arc->end_ns || at_ns < arc->end_ns)
		return VERDICT_DURING;
	return VERDICT_LATE;
}

/*
 * Without a receipt: was it the VMM or the connection? What is sent before a
 * break is still received, so a connection that lasted beyond the arc clears itself.
 */
static enum verdict_kind kind_of_silence(const struct verdict_input *in, const struct lab_arc *arc)
{
	if (in->broken_ns && (!arc->end_ns || in->broken_ns <= arc->end_ns))
		return VERDICT_UNDELIVERED;
	return VERDICT_MISSING;
}

/* The device of a prepare event that nobody asked about, if there was one in @stay. */
static const char *unjudged(const struct verdict_input *in, const struct stay *stay)
{
	size_t i;

	for (i = 0; i < in->receipt_count; i++) {
		const struct verdict_receipt *r = &in->receipts[i];

		if (r->device < 0 && r->event == VERDICT_PREPARE &&
		    r->received_ns >= stay->from_ns && r->received_ns < stay->to_ns)
			return r->id;
	}
	return NULL;
}

/* Who answered is told, and changes no verdict: the device was announced all the same. */
static void count_answer(struct verdict_line *line, const struct verdict_receipt *r)
{
	line->silent += r->event == VERDICT_SILENCE;
	if (r->event != VERDICT_ANSWER)
		return;
	line->answers++;
	if (r->elapsed_ns > line->slowest_ns)
		line->slowest_ns = r->elapsed_ns;
}

/*
 * A prepare event that came when the histories were read and the arc had ended may be
 * of a migration that has begun since, whose arcs nobody has read.
 */
static bool is_of_later(const struct verdict_input *in, const struct lab_arc *arc,
			const struct verdict_receipt *r)
{
	return r->received_ns >= in->until_ns && arc->end_ns && r->received_ns > arc->end_ns;
}

/* Fills @line with what was received in @stay; returns the first prepare event, or NULL. */
static const struct verdict_receipt *hear(const struct court *court, const struct stay *stay,
					  struct verdict_line *line)
{
	const struct verdict_receipt *prepare = NULL;
	size_t i;

	for (i = 0; i < court->in->receipt_count; i++) {
		const struct verdict_receipt *r = &court->in->receipts[i];

		if (!belongs(court, stay, r))
			continue;
		if (r->event == VERDICT_DONE && !line->done_ns &&
		    r->received_ns >= stay->arc->begin_ns)
			line->done_ns = r->received_ns;
		if (is_of_later(court->in, stay->arc, r))
			continue;
		count_answer(line, r);
		if (r->event == VERDICT_PREPARE && !line->count++)
			prepare = r;
	}
	return prepare;
}

static enum verdict_kind kind_of_arc(const struct court *court, const struct verdict_line *line,
				     const struct verdict_receipt *prepare)
{
	int32_t pid = court->in->devices[court->device].pid;

	/* A trace may not say whose an arc is. */
	if (pid && line->arc->pid && line->arc->pid != pid)
		return VERDICT_FOREIGN;
	if (!prepare)
		return kind_of_silence(court->in, line->arc);
	if (line->count > 1)
		return VERDICT_DUPLICATE;
	return kind_of_receipt(court->in, line->arc, prepare, line->by_hold);
}

/* Did the arc fail because the judge held it for as long as it may? */
static bool failed_by_judge(const struct verdict_input *in, const struct lab_arc *arc)
{
	return in->hold_ns && arc->end_ns && arc->result == -ETIMEDOUT &&
	       arc->end_ns - arc->begin_ns >= in->hold_ns;
}

/* The line of the arc that was tried from @stay. */
static void judge_arc(struct court *court, const struct stay *stay)
{
	const struct verdict_input *in = court->in;
	struct verdict_line *line = add_line(court, VERDICT_MISSING);
	const struct verdict_receipt *prepare = hear(court, stay, line);

	line->arc = stay->arc;
	if (prepare) {
		line->prepare_ns = prepare->received_ns;
		line->by_hold = proved_by_hold(stay->arc, prepare);
	}
	line->own_hold = failed_by_judge(in, stay->arc);
	line->unheld = in->hold_ns && !line->by_hold && !line->own_hold;
	line->kind = kind_of_arc(court, line, prepare);
	line->outcome = outcome_of(line->kind);
	if (line->kind == VERDICT_MISSING)
		line->other = unjudged(in, stay);
}

/*
 * Without an arc every prepare event in @stay is one too many, but for the one that a
 * cancel overtook.
 */
static void judge_strays(struct court *court, const struct stay *stay)
{
	const struct verdict_input *in = court->in;
	uint64_t withdrawn_ns = stay->given_up_ns ? stay->given_up_ns + in->noise_ns : 0;
	size_t i;

	for (i = 0; i < in->receipt_count; i++) {
		const struct verdict_receipt *r = &in->receipts[i];
		struct verdict_line *line;

		if (r->event != VERDICT_PREPARE || !belongs(court, stay, r) ||
		    r->received_ns >= in->until_ns)
			continue;
		line = add_line(court, r->received_ns < withdrawn_ns ? VERDICT_WITHDRAWN :
								      VERDICT_STRAY);
		line->prepare_ns = r->received_ns;
		withdrawn_ns = 0;
	}
}

/* Was the arc that was tried from @stay announced by the time it ended? */
static bool announced_in_time(const struct court *court, const struct stay *stay)
{
	struct stay first = *stay;
	size_t i;

	first.to_ns = stay->arc->end_ns;
	for (i = 0; i < court->in->receipt_count; i++) {
		const struct verdict_receipt *r = &court->in->receipts[i];

		if (r->event == VERDICT_PREPARE && belongs(court, &first, r))
			return true;
	}
	return false;
}

/*
 * An arc that failed left the device in PRE_COPY. What is announced after it is another
 * try, which did not come to an arc.
 */
static void judge_stay(struct court *court, const struct stay *stay)
{
	struct stay tried = *stay, rest = *stay;

	if (!stay->arc) {
		judge_strays(court, stay);
		return;
	}
	rest.from_ns = stay->to_ns;
	if (stay->arc->result < 0 && announced_in_time(court, stay))
		tried.to_ns = rest.from_ns = stay->arc->end_ns;
	judge_arc(court, &tried);
	judge_strays(court, &rest);
}

/* Judges @stay, which ends at @to_ns, and begins the next one. */
static void end_stay(struct court *court, struct stay *stay, uint64_t to_ns)
{
	stay->to_ns = to_ns;
	judge_stay(court, stay);
	*stay = (struct stay){ .from_ns = to_ns };
}

/*
 * An arc that failed is tried again: where does the announcement of the second try
 * begin? An arc that was not announced by its end takes the next event, as a late one.
 */
static uint64_t retried_at(const struct court *court, const struct stay *stay,
			   const struct lab_arc *again)
{
	return announced_in_time(court, stay) ? stay->arc->end_ns : again->begin_ns;
}

/* Cuts the history into stays in PRE_COPY and judges each; returns the number of tested arcs. */
static unsigned int judge_history(struct court *court, const struct verdict_device *dev)
{
	struct stay stay = { .from_ns = 0 };
	unsigned int tested = 0;
	size_t i;

	for (i = 0; i < dev->count; i++) {
		const struct lab_arc *arc = &dev->arcs[i];

		if (arc->seq < dev->first_seq)
			continue;
		if (verdict_is_tested(arc)) {
			if (stay.arc)
				end_stay(court, &stay, retried_at(court, &stay, arc));
			stay.arc = arc;
			tested++;
		} else if (enters_precopy(arc)) {
			end_stay(court, &stay, arc->end_ns);
		} else if (gives_up(arc)) {
			stay.given_up_ns = arc->end_ns;
		}
	}
	end_stay(court, &stay, UINT64_MAX);
	return tested;
}

/* Is every arc since the judge began still there? */
static bool has_gap(const struct verdict_device *dev)
{
	uint64_t next = dev->first_seq;
	size_t i;

	for (i = 0; i < dev->count; i++) {
		const struct lab_arc *arc = &dev->arcs[i];

		/* A history that counts again from 1 began anew: the driver was bound again. */
		if (arc->seq < dev->first_seq && arc->begin_ns > dev->since_ns)
			return true;
		if (arc->seq >= dev->first_seq && arc->seq != next++)
			return true;
	}
	/* It did so, too, when it is shorter than it was. */
	return next == dev->first_seq &&
	       (dev->count ? dev->arcs[dev->count - 1].seq : 0) + 1 < dev->first_seq;
}

/*
 * What the device did instead of an arc under test, since the judge began: how it went on
 * its way from RUNNING, or else the first that it did.
 */
static const struct lab_arc *other_arc(const struct verdict_device *dev)
{
	const struct lab_arc *first = NULL;
	size_t i;

	for (i = 0; i < dev->count; i++) {
		const struct lab_arc *arc = &dev->arcs[i];

		if (arc->seq < dev->first_seq)
			continue;
		if (arc->from == VFIO_DEVICE_STATE_RUNNING)
			return arc;
		if (!first)
			first = arc;
	}
	return first;
}

static void judge_device(struct court *court)
{
	const struct verdict_device *dev = &court->in->devices[court->device];
	int expected = court->in->expected;
	unsigned int tested;

	if (has_gap(dev))
		add_line(court, VERDICT_GAP);
	if (dev->disagreement)
		add_line(court, VERDICT_DISAGREE);
	tested = judge_history(court, dev);
	if (!tested || (expected >= 0 && tested != (unsigned int)expected)) {
		struct verdict_line *line = add_line(court, VERDICT_NA);

		line->count = tested;
		line->instead = other_arc(dev);
		if (tested || expected > 0)
			line->outcome = VERDICT_FAIL;
	}
}

int verdict_judge(const struct verdict_input *in, struct verdict_line **ret_lines,
		  size_t *ret_count)
{
	/* At most: a line for each arc and receipt; gap, disagreement and count of each device. */
	size_t room = in->receipt_count + 3 * in->device_count + 1;
	struct court court = { .in = in };
	size_t i;

	for (i = 0; i < in->device_count; i++)
		room += in->devices[i].count;
	court.lines = calloc(room, sizeof(*court.lines));
	if (!court.lines)
		return -ENOMEM;
	for (; court.device < in->device_count; court.device++)
		judge_device(&court);
	*ret_lines = court.lines;
	*ret_count = court.count;
	return 0;
}

void verdict_add_up(const struct verdict_line *lines, size_t count, struct verdict_sum *ret)
{
	struct verdict_sum sum = { .outcome = VERDICT_PASS };
	bool failed = false, open = false;
	size_t i;

	for (i = 0; i < count; i++) {
		sum.arcs += lines[i].arc != NULL;
		sum.held += lines[i].kind == VERDICT_HELD;
		sum.without += lines[i].kind == VERDICT_NA && !lines[i].count;
		failed |= lines[i].outcome == VERDICT_FAIL;
		open |= lines[i].outcome == VERDICT_OPEN;
	}
	if (failed)
		sum.outcome = VERDICT_FAIL;
	else if (open)
		sum.outcome = VERDICT_OPEN;
	else if (sum.without || !sum.arcs)
		sum.outcome = VERDICT_NONE;
	*ret = sum;
}
