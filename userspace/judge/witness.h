/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the judge sees and hears: VFIO_MIGRATION events of any VMM, as a
 * management application receives them, and the histories of the devices.
 */
#ifndef MIGLAB_JUDGE_WITNESS_H
#define MIGLAB_JUDGE_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "judge/contract.h"
#include "judge/target.h"
#include "judge/verdict.h"
#include "qmp/client.h"

struct witness;

struct witness_options {
	const char *qmp;	/* "unix:PATH" */
	const struct witness_target *targets;
	size_t target_count;
	bool keep_events;	/* leave the capability "events" as it is */
	bool release;		/* let a held arc go when its prepare event is here */
	bool hold;		/* lease arcs until witness_free(); wants release, too */
	const char *schedstat;	/* of the judge, as /proc has it; NULL: the kernel's own */
	bool settle;		/* at the end wait, for a while, until no device is in STOP_COPY */
	bool any_process;	/* arcs of a process that does not serve the socket count, too */
	void (*on_event)(void *opaque, const struct qmp_event *event);	/* or NULL */
	void *opaque;
};

/* Why watching ended. */
enum witness_end {
	WITNESS_MIGRATION,	/* MIGRATION said completed, failed or cancelled */
	WITNESS_GONE,		/* the VMM closed the connection, or sent no JSON */
	WITNESS_TIMEOUT,
	WITNESS_INTERRUPTED,
};

/**
 * witness_connect() - look at the functions, then connect to the VMM
 * @opt: outlives the witness
 * @deadline_ns: CLOCK_MONOTONIC; until then a socket that is not there yet is tried again
 *
 * Says on stderr when it waits, and for what.
 *
 * The kernel's trace is a witness of all devices, where it can be, and the only one of those
 * whose driver keeps no history.
 *
 * Return: 0, -ENODEV when there is no such device, -ENXIO when it keeps no history and the
 * kernel has no trace, -EXDEV when clocks cannot be compared, or what qmp_client_connect() says.
 */
int witness_connect(const struct witness_options *opt, uint64_t deadline_ns, struct witness **ret,
		    struct error *err);

/*
 * Asks the VMM for the devices, notes where each history stands, and has arcs held if
 * that is wanted. When it returns, every later event and arc will be seen.
 *
 * Return: 0, -ENODEV when the VMM has no such device, -EINVAL when it has another
 * function by that name, -EOPNOTSUPP when it sends no events of it, -EBUSY, or
 * -EREMOTEIO of an emulated device, while another process has its arcs held, or what
 * a call says.
 */
int witness_begin(struct witness *w, uint64_t deadline_ns, struct error *err);

/* Gives up what was leased: what is held still goes on. NULL is allowed. */
void witness_free(struct witness *w);

/**
 * witness_watch() - receive until something ends it
 * @interrupt_fd: readable when the user wants an end; -1: none
 * @err: filled on WITNESS_GONE, too, with what was wrong
 *
 * Return: enum witness_end, or negative errno when a held arc could not be
 * released or poll(2) failed.
 */
int witness_watch(struct witness *w, int interrupt_fd, uint64_t deadline_ns, struct error *err);

/**
 * witness_collect() - read the histories and what is left in the socket
 * @ret: good until witness_free(); expected is -1
 *
 * Waits for arcs in progress, and for the arc of a prepare event that is here
 * already, as long as something changes, at most ten seconds. Events that the VMM
 * sent before the histories were read are in the input, as long as it lives.
 */
int witness_collect(struct witness *w, struct verdict_input *ret, struct error *err);

/* What MIGRATION, or query-migrate behind the last arc, said at the end; NULL: nothing yet. */
const char *witness_migration(const struct witness *w);

/* Where device @i is now; false when nobody can tell. */
bool witness_state(struct witness *w, size_t i, uint32_t *ret_state);

/* Does the machine run? Asks the VMM: 1, 0, or -1 when it does not say. */
int witness_runs(struct witness *w);

/* Who keeps the history of device @i: "kernel", "kernel's trace", "emulated (same process)". */
const char *witness_keeper(const struct witness *w, size_t i);

/*
 * What the trace has of what the VMM asked and reset, of all devices; NULL: there is no trace
 * of all of them. Good until witness_free().
 */
const struct contract_record *witness_asked(const struct witness *w, size_t *ret_count);

#endif
