/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A migration that is measured: two machines of the same kind, from their start to their end.
 * Whatever goes wrong ends the program with status 3 and a sentence: then there are no figures.
 */
#ifndef TESTS_BENCH_MIGRATION_H
#define TESTS_BENCH_MIGRATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../peer/scenario.h"
#include "../peer/vmm.h"
#include "device/uapi.h"

#define BENCH_DEVICES	64
#define GUARD_NS	(300 * 1000000000ull)	/* of each wait, against a hang */

struct setup {
	enum vmm_kind kind;
	const char *policy;	/* of miglab run */
	/*
	 * DEV of each device. NULL: functions of $MIGLAB_DEVICES, which are bound; the
	 * first half are sources, the second destinations.
	 */
	const char *emulated;
	size_t devices;
	const char *rules;	/* of such functions at the source, */
	const char *profile;	/* and of both sides; NULL: full */
	const char *state_bytes;	/* the same; NULL: 1 MiB */
};

struct migration {
	const struct setup *setup;
	const char *bdf[SIDES][BENCH_DEVICES];
	struct vmm vmm[SIDES];
	struct qmp_client *second;	/* another client of the source */
	char dir[64];
	uint64_t since_ns;		/* arcs before that are not of the migration */
};

/* Of the arcs FROM>TO of all devices of a side, in CLOCK_MONOTONIC nanoseconds. */
struct span {
	size_t count;
	uint64_t first_begin_ns, last_begin_ns, first_end_ns, last_end_ns;
};

/* Prints a sentence and ends the program with status 3. */
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Prints a figure, as table reads it. */
void figure(const char *section, const char *row, const char *column, double value);

/* A number in the answer of query-migrate, @object being NULL or the name of an inner object. */
int64_t migrate_number(struct qmp_client *client, const char *object, const char *member);

/*
 * Starts both machines. The caller outranks them and shares a processor with the source, so
 * that it has an event before the source goes on.
 */
void migration_start(struct migration *m, const struct setup *setup);
void migration_begin(struct migration *m);
/* Until both sides have completed. */
void migration_finish(struct migration *m);
/* Ends the machines. */
void migration_end(struct migration *m);

/* An attribute of a device, freed by the caller; and one that is written. */
char *migration_read(struct migration *m, enum side side, size_t device, const char *attribute);
void migration_write(struct migration *m, enum side side, size_t device, const char *attribute,
		     const char *text);

/* The kernel's record, or the emulated device's, of the arcs that succeeded. */
struct span migration_span(struct migration *m, enum side side, uint32_t from, uint32_t to);

#endif
