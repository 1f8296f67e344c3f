/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A management application: listens to the VMMs of a migration, and suspends the
 * timeouts of connections while their device is deaf.
 */
#ifndef MIGLAB_GUARD_GUARD_H
#define MIGLAB_GUARD_GUARD_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "guard/plan.h"

#define GUARD_VMMS_MAX		8
#define GUARD_DEVICES_MAX	64

struct guard_device {
	const char *id;		/* device-id in the events, "vf0" */
	const char *agent;	/* who has its connections: "unix:PATH" */
};

struct guard_options {
	const char *qmp[GUARD_VMMS_MAX];	/* source and destination, "unix:PATH" */
	size_t vmm_count;
	struct guard_device devices[GUARD_DEVICES_MAX];
	size_t device_count;
	struct plan_options plan;
	uint64_t connect_ns;	/* how long an agent or a VMM may take to be there */
	uint64_t answer_ns;	/* how long an agent may take to answer */
	/* As judge_options.watch_interrupts. */
	int (*watch_interrupts)(void);
};

/**
 * guard_run() - guard until all VMMs are gone, or it is interrupted
 * @out: a descriptor, gets a line for what was done; the first one says that it listens.
 *	Nothing waits for who reads it.
 *
 * No device waits for the agent of another one. An agent that is gone while it should have its
 * connections suspended is asked again as soon as it is back. Nothing is suspended when this
 * returns, unless an agent does not answer. Asks for real-time scheduling, as the judge does.
 *
 * Return: 0 when `running` ended each suspension; 1 when the clock or the end of the
 * guard did, or an agent failed; negative errno with @err when it could not listen, or tell.
 */
int guard_run(const struct guard_options *opt, int out, struct error *err);

#endif
