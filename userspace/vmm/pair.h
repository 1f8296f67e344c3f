/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A rehearsal: a source, a destination and a judge, each a process of its own,
 * and one migration.
 */
#ifndef MIGLAB_VMM_PAIR_H
#define MIGLAB_VMM_PAIR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

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
	unsigned int expect;	/* announced transitions of each device, for the judge */
	uint64_t timeout_ns;	/* for the whole */
	const struct pair_observer *observer;	/* NULL: none */
};

/**
 * pair_migrate() - migrate once and say on @out how it went
 *
 * Leaves no process and no file behind. SIGINT, SIGTERM and SIGHUP end it.
 *
 * Return: 0 when the migration completed, fingerprints and memories are equal, the workload
 * found nothing wrong on either side and the judge is content; 1 when not; -EINVAL when a
 * device cannot be opened as written; other negative errno when it could not be tried; @err
 * has the sentence.
 */
int pair_migrate(const struct pair_options *opt, FILE *out, struct error *err);

#endif
