/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A rehearsal: a source, a destination and a judge, each a process of its own,
 * and one migration.
 */
#ifndef MIGLAB_VMM_PAIR_H
#define MIGLAB_VMM_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "vmm/outcome.h"

struct qmp_event;

/* Who wants to know how a migration went. Called by the thread of pair_migrate(). */
struct pair_observer {
	void (*begin)(void *opaque);	/* it is about to be asked for */
	void (*event)(void *opaque, bool destination, const struct qmp_event *event);
	/* At the end, however it ended: the history of a device that has one, as text. */
	void (*history)(void *opaque, bool destination, unsigned int device, const char *text);
	void *opaque;
};

struct pair_options {
	const char *const *from, *const *to;	/* DEV of each of the @count devices, in pairs */
	unsigned int count;
	const char *policy;
	bool no_prepare;
	const char *ram, *workload;	/* as --ram and --workload of miglab run; NULL: none */
	long downtime_ms;	/* downtime-limit of the source; -1: what it begins with */
	uint64_t bandwidth;	/* its avail-switchover-bandwidth, bytes/s; 0: what it measures */
	int expect;	/* announced transitions of each device, for the judge; -1: by its flags */
	uint64_t timeout_ns;	/* for the whole */
	bool json;	/* the judge's lines are to be JSON */
	const struct pair_observer *observer;	/* NULL: none */
};

/**
 * pair_migrate() - migrate once
 * @ret: all zero; what is known of it, however it ended. outcome_cleanup() frees what it has
 *
 * Ends within @timeout_ns and at most 40 s that its children take to end, whatever they do;
 * a call of a device that cannot be killed leaves a process behind and says so. Leaves no
 * file behind. SIGINT, SIGTERM, SIGHUP and SIGQUIT end it in the same way, SIGKILL leaves
 * the directory miglab-PID-* below TMPDIR.
 *
 * Return: 0 when it was tried to its end, and outcome_result() says how; -EINVAL when a
 * device cannot be opened as written; other negative errno when it could not be tried; @err
 * has the sentence, and so has @ret.
 */
int pair_migrate(const struct pair_options *opt, struct outcome *ret, struct error *err);

#endif
