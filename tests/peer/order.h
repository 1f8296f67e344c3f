/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Proof by order: in one trace of the kernel, the VMM's write of the prepare event
 * to its socket has returned before the same VMM enters the ioctl in which the arc
 * begins. No clock and no scheduling of the judge is involved.
 *
 * Pure: the text of a trace in, the proof out. The trace has, of the VMM's threads, a
 * kprobe event ORDER_PROBE with the descriptor and the text of each write, sendto and
 * sendmsg, syscalls/sys_exit_* of these, sys_enter_ioctl, and miglab/miglab_arc_begin.
 *
 * The write is known by what it says: the prepare event of the device, whole. On some
 * descriptor there must be those of all claims, in the order of the wire. Where several
 * descriptors have them, as when a manager listens beside the judge, the order must hold
 * on each, since one of them is the judge's.
 */
#ifndef TESTS_PEER_ORDER_H
#define TESTS_PEER_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define ORDER_PROBE	"miglab_entered"	/* and "_write" and so on; fd=%d text="%s" */

/* A prepare event and the arc that it announced; an array of them is in wire order. */
struct order_claim {
	const char *id;		/* device-id of the event, "vf0" */
	const char *bdf;	/* "0000:01:00.0" */
	uint64_t seq;		/* of the arc, in the device's history */
};

/**
 * order_check() - does the trace prove every claim?
 * @trace: as read from tracefs
 * @together: all events must be out before the first of the ioctls, as the policy "group" has it
 * @ret_lead_us: the smallest time from the write's return to the ioctl; may be NULL
 *
 * Return: 0; 1 with the reason in @err when a claim is not proven, when there is none,
 * or when an arc PRE_COPY > PRE_COPY_P2P has no claim; -ENOMEM.
 */
int order_check(const char *trace, const struct order_claim *claims, size_t count, bool together,
		double *ret_lead_us, struct error *err);

#endif
