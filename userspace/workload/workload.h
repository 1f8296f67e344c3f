/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What stands for a guest: a program that keeps devices busy, and checks what they did.
 *
 * Its whole state is in guest memory, so it migrates as a guest does: the destination goes
 * on where the source was stopped, within the same operation. An operation that got lost,
 * came twice or left other bytes than it should is found there. The program runs in a
 * thread of its own, and stands whenever the machine does.
 */
#ifndef MIGLAB_WORKLOAD_WORKLOAD_H
#define MIGLAB_WORKLOAD_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "device/memory.h"
#include "device/ops.h"

/* The memory that any of them needs at least, from address 0. */
#define WORKLOAD_MEMORY_MIN	(64u << 10)

struct workload;

struct workload_report {
	const char *kind;
	bool running;
	uint64_t operations;	/* finished and checked, since the guest began */
	uint64_t here;		/* of which by this program, since it was last set going */
	uint64_t interrupts;	/* taken, since the guest began */
	uint64_t round;		/* so many operations have looked at everything once more */
	struct error error;	/* what was wrong; "": nothing. Nothing is done after that */
};

/*
 * @kind: "edu-dma", "edu-p2p" or "bar-write". Takes the devices that it needs out of the
 * @count, and wires them up: bus mastering, interrupts, a BAR for a peer's DMA. @memory is
 * mapped for all of them already, and it and the devices outlive the workload. The program
 * stands; no thread runs before workload_run().
 *
 * Return: 0, -EINVAL for another @kind, too little memory or devices that do not do, or what
 * the system says; @err has the sentence.
 */
int workload_new(const char *kind, struct memory *memory, struct device *const *devices,
		 unsigned int count, struct workload **ret_workload, struct error *err);
/* Pauses first. NULL is allowed. */
void workload_free(struct workload *w);

/* The machine runs: the program goes on from what is in memory. -EAGAIN: no thread. */
int workload_run(struct workload *w);

/* The machine stands: no access to a device is under way any more when this returns. */
void workload_pause(struct workload *w);

/* All devices stand, too: what they left, interrupts, goes into memory. Paused. */
void workload_settle(struct workload *w);

/* Any thread. */
void workload_report(struct workload *w, struct workload_report *ret_report);

#endif
