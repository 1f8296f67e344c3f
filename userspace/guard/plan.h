/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When the timeouts of a device's connections are off. Pure: events in, what is to be
 * done out; time comes as an argument.
 *
 * Off from pre-copy-p2p-prepare until the device, or its successor at the destination,
 * is `running`. A VMM that sends no prepare event is heard, too, although its
 * pre-copy-p2p comes when the device is deaf already. Off for ever is never: a
 * suspension ends by the clock after a limit, and a grace period after a VMM vanished
 * that could have ended it.
 */
#ifndef MIGLAB_GUARD_PLAN_H
#define MIGLAB_GUARD_PLAN_H

#include <stdbool.h>
#include <stdint.h>

struct plan_options {
	uint64_t grace_ns;	/* after a VMM vanished */
	uint64_t limit_ns;	/* of a suspension as a whole */
};

enum plan_action {
	PLAN_NOTHING,
	PLAN_SUSPEND,
	PLAN_RESTORE,
};

/* Of one device; all zero at first. */
struct plan {
	bool suspended;
	bool due;		/* `running` was received: plan_settle() restores */
	bool heard;		/* and the round in which it was received is over */
	unsigned int due_from;	/* of which VMM */
	uint64_t until_ns;	/* suspended no longer than this */
};

/**
 * plan_event() - a VFIO_MIGRATION event of the device
 * @vmm: which of the VMMs sent it
 * @state: its device-state
 *
 * Return: PLAN_NOTHING or PLAN_SUSPEND. A restoration waits for plan_settle(): the events
 * of the source that precede the destination's `running` may still lie in its socket, or have
 * come to it when it had been looked at already.
 */
enum plan_action plan_event(struct plan *p, const struct plan_options *opt, unsigned int vmm,
			    const char *state, uint64_t now_ns);

/*
 * All that lay in the socket of each VMM has been taken, one after the other. PLAN_RESTORE when
 * that was so twice since `running` was sent: what every VMM had sent before it has been seen.
 */
enum plan_action plan_settle(struct plan *p);

/* A VMM vanished. Returns whether that began a grace period. */
bool plan_vanished(struct plan *p, const struct plan_options *opt, uint64_t now_ns);

/* PLAN_RESTORE when the time of a suspension is up. */
enum plan_action plan_time(struct plan *p, uint64_t now_ns);

/* When plan_time(), or now when plan_settle(), has something to do; UINT64_MAX: never. */
uint64_t plan_deadline(const struct plan *p);

#endif
