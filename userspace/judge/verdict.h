/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The verdict: was each PRE_COPY -> PRE_COPY_P2P arc announced before it began?
 *
 * Pure: receipts and histories in, lines out. Two witnesses are heard, and the
 * VMM is neither of them: the judge, who stamps what it receives, and the history
 * of the device, which says when an arc began and ended. Both use CLOCK_MONOTONIC.
 *
 * Under test is every PRE_COPY -> PRE_COPY_P2P arc, however it ended, also one on
 * the way to STOP_COPY. A device can be announced only while it is in PRE_COPY,
 * so each prepare event belongs to the stay in PRE_COPY in which it was received;
 * that is how one prepare never serves two arcs, and how a late one is not taken
 * for an early one of the next arc.
 *
 * What a line proves:
 * - Receipt before the arc began: the VMM had sent the event before it entered the
 *   ioctl. No assumption about scheduling is needed. Only this is BEFORE.
 * - Receipt after the arc began says nothing for certain: the judge may have been
 *   asleep while the event lay in the socket. Up to VERDICT_NOISE_NS, and as long as
 *   the judge itself waited for a processor, this decides nothing: INCONCLUSIVE.
 * - With proof by hold such a receipt is HELD, and a pass: the arc was held and only
 *   the judge let it go, having the event. So the event was out before the ioctl
 *   returned, within the noise of its beginning. What remains is a VMM that sends
 *   from another thread while the ioctl already waits; the proof by order, which
 *   the tests with QEMU have, excludes that one, too.
 * - A line that decides nothing and a run without an arc are not a pass: an outcome
 *   has four values.
 */
#ifndef MIGLAB_JUDGE_VERDICT_H
#define MIGLAB_JUDGE_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "device/lab.h"

/*
 * How long after an arc's beginning the receipt of an event sent before it may
 * come. A woken process waits for a processor for a few time slices, 3 to 4 ms each,
 * and several times that on an emulated machine, whose processors are processes
 * themselves. Well below the 300 ms of a default arc; and a manager whose timeouts
 * are tens of milliseconds has no use for an event that comes later, whoever was slow.
 */
#define VERDICT_NOISE_NS	(50 * NSEC_PER_MSEC)

/*
 * How long before its arc an announcement may come, unless the user knows better. QEMU
 * and miglab run announce a few milliseconds before the ioctl, also of several devices;
 * on a loaded, emulated machine that is a few hundred, and an x-prepare-ack that is
 * waited for adds its bound, a second. The fault that this is to find, a VMM that announces
 * when pre-copy begins, leads by the whole of pre-copy.
 */
#define VERDICT_LEAD_NS		(5 * NSEC_PER_SEC)

enum verdict_kind {
	VERDICT_BEFORE,		/* received before the arc began: passes */
	VERDICT_HELD,		/* received within the noise, and proved by hold: passes */
	VERDICT_EARLY,		/* received longer before the arc than is allowed */
	VERDICT_DURING,		/* received while the arc ran */
	VERDICT_LATE,		/* received after it had ended */
	VERDICT_MISSING,	/* never received */
	VERDICT_INCONCLUSIVE,	/* received after the beginning, within the noise */
	VERDICT_UNDELIVERED,	/* the connection broke first: the judge cannot say */
	VERDICT_DUPLICATE,	/* more than one prepare event for one arc */
	VERDICT_STRAY,		/* a prepare event without an arc: too many, or the wrong device */
	VERDICT_WITHDRAWN,	/* the same, but the migration was given up: a note, no fault */
	VERDICT_FOREIGN,	/* the arc is not of the process that sends the events */
	VERDICT_GAP,		/* entries of the history are lost */
	VERDICT_DISAGREE,	/* another witness of the same device says something else */
	VERDICT_NA,		/* no arc, or not as many as were expected */
	VERDICT_KINDS
};

/* "BEFORE", "N/A" and so on. */
const char *verdict_name(enum verdict_kind kind);

enum verdict_outcome {
	VERDICT_PASS,
	VERDICT_FAIL,
	VERDICT_OPEN,		/* there was an arc, and what is known decides nothing */
	VERDICT_NONE,		/* nothing was judged */
};

enum verdict_event {
	VERDICT_PREPARE,	/* pre-copy-p2p-prepare */
	VERDICT_DONE,		/* pre-copy-p2p */
	VERDICT_ANSWER,		/* X_VFIO_PREPARE_ACK: a client answered the prepare event */
	VERDICT_SILENCE,	/* the same: one that had promised to did not in time */
};

/* An event of a device as the judge received it; an array of them is in wire order. */
struct verdict_receipt {
	const char *id;		/* device-id of the event */
	int device;		/* index of the judged device, -1 when it is none of them */
	enum verdict_event event;
	uint64_t received_ns;
	uint64_t late_ns;	/* of this the judge waited for a processor, having been woken */
	uint64_t elapsed_ns;	/* of ANSWER, as the VMM says: since it sent the prepare event */
	uint64_t released_ns;	/* the judge saw the arc held and let it go then; 0: it did not */
};

struct verdict_device {
	const struct lab_arc *arcs;	/* the whole history, oldest first */
	size_t count;
	uint64_t first_seq;	/* the first arc since the judge began */
	uint64_t since_ns;	/* when it began: no arc before @first_seq is younger */
	int32_t pid;		/* who sends the events; 0: not known, or it does not matter */
	unsigned int witnesses;	/* 2: history and kernel's trace were compared */
	const char *disagreement;	/* what came of it; NULL: they agree */
};

struct verdict_input {
	const struct verdict_device *devices;
	size_t device_count;
	const struct verdict_receipt *receipts;
	size_t receipt_count;
	uint64_t broken_ns;	/* when the event connection was found broken; 0: it was not */
	uint64_t until_ns;	/* when histories were read: what came later has no arc yet */
	uint64_t noise_ns;	/* VERDICT_NOISE_NS */
	uint64_t lead_ns;	/* VERDICT_LEAD_NS; 0: an announcement is never too early */
	uint64_t hold_ns;	/* the limit of the judge's own hold; 0: it holds nothing */
	int expected;		/* arcs that each device shall have made; -1: any number */
};

struct verdict_line {
	size_t device;
	enum verdict_kind kind;
	enum verdict_outcome outcome;
	bool by_hold;		/* the proof by hold ran: released after the prepare was here */
	bool unheld;		/* the judge was to hold the arc, and it went through */
	bool own_hold;		/* the arc failed at the limit of the judge's own hold */
	const struct lab_arc *arc;	/* of the input; NULL for STRAY, GAP and N/A */
	uint64_t prepare_ns;	/* receipt of the first prepare event; 0: none */
	uint64_t done_ns;	/* receipt of the completion event; 0: none */
	unsigned int answers, silent;	/* clients that answered, that had promised and did not */
	uint64_t slowest_ns;	/* of the answers */
	unsigned int count;	/* DUPLICATE: prepare events; N/A: arcs in the history */
	const char *other;	/* MISSING: announced instead, and not judged; or NULL */
	const struct lab_arc *instead;	/* N/A: what the device did; NULL: nothing */
};

/* All lines of a run. */
struct verdict_sum {
	enum verdict_outcome outcome;
	unsigned int arcs;	/* that were judged, however */
	unsigned int held;	/* HELD, of those */
	unsigned int without;	/* devices that had none */
};

/**
 * verdict_judge() - one line for each arc and each defect, device by device
 * @ret_lines: freed by the caller; refers to @in
 *
 * A device always gets at least one line.
 *
 * Return: 0 or -ENOMEM.
 */
int verdict_judge(const struct verdict_input *in, struct verdict_line **ret_lines,
		  size_t *ret_count);

/*
 * One line that fails fails the run. Else it decides nothing when a line does, and has
 * judged nothing when a device had no arc: a pass is a pass for every device.
 */
void verdict_add_up(const struct verdict_line *lines, size_t count, struct verdict_sum *ret);

/* Is this an arc under test? */
bool verdict_is_tested(const struct lab_arc *arc);

#endif
