/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decides what happens next: commands, answers and messages in; work, events
 * and messages out. A plain state machine without I/O, clock, threads or memory
 * of its own; it executes the programs of its policy.
 */
#ifndef MIGLAB_VMM_COORDINATOR_H
#define MIGLAB_VMM_COORDINATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "vmm/dialogue.h"
#include "vmm/policy.h"

/* The machine's memory counts as one. */
#define VMM_DEVICES_MAX		64
/* A step of a program gives each device at most an event and a command. */
#define COORDINATOR_OUTPUTS_MAX	(2 * VMM_DEVICES_MAX + 32)

enum input_kind {
	INPUT_MIGRATE,		/* the shell connects; MSG_READY or INPUT_LOST follows */
	INPUT_INCOMING,		/* the shell listens; MSG_READY when all connections are there */
	INPUT_CANCEL,
	INPUT_STOP,
	INPUT_CONT,
	INPUT_CONTINUE,		/* migrate-continue; for nothing outside STEP_PAUSE */
	INPUT_PREPARED,		/* nobody has to answer the OUTPUT_PREPARE of @device any more */
	INPUT_WORK_DONE,	/* the answer to an OUTPUT_WORK */
	INPUT_MESSAGE,		/* from the peer */
	INPUT_LOST,		/* the peer or the way to it; @text says what happened */
	INPUT_SILENT,		/* the peer says nothing any more; @text says for how long */
};

struct input {
	enum input_kind kind;
	unsigned int device;			/* of WORK_DONE and PREPARED */
	const struct work_result *result;	/* of WORK_DONE */
	bool converged;		/* of WORK_DONE after WORK_PASS: the rest fits into the downtime */
	enum message message;	/* of MESSAGE */
	bool running;		/* of MSG_DONE: the source was running */
	const char *text;	/* of MSG_FAILED, LOST and SILENT */
};

enum output_kind {
	OUTPUT_WORK,		/* for the worker of @device */
	OUTPUT_VFIO,		/* event VFIO_MIGRATION: @device is in @state */
	OUTPUT_PREPARE,		/* event VFIO_MIGRATION: @device will go to @state */
	OUTPUT_WITHDRAW,	/* nobody has to answer an OUTPUT_PREPARE any more: none begins */
	OUTPUT_STATUS,		/* event MIGRATION */
	OUTPUT_STOP,		/* event STOP */
	OUTPUT_RESUME,		/* event RESUME */
	OUTPUT_TELL,		/* a message for the peer; MSG_FAILED has coordinator.error */
	OUTPUT_ABORT,		/* shut the devices' connections: workers shall come back */
	OUTPUT_CLOSE,		/* close all connections; no worker uses one */
};

struct output {
	enum output_kind kind;
	unsigned int device;
	enum work_op op;		/* of WORK */
	uint32_t state, recover;	/* of WORK, VFIO and PREPARE */
	int error;			/* of VFIO: 0, or why it is not where it was to go */
	uint64_t ns;			/* of VFIO: how long that took */
	enum migration_status status;
	enum message message;
	bool running;			/* of MSG_DONE */
};

/* To be carried out in this order, each before the next. */
struct outputs {
	unsigned int count;
	struct output item[COORDINATOR_OUTPUTS_MAX];
};

struct coordinator {
	const struct policy *policy;
	bool no_prepare;		/* suppress OUTPUT_PREPARE */
	bool with_pause, with_ack;	/* capabilities; constant while this is a source */
	bool prepare_all;		/* announce each change of state */
	bool await_prepared;		/* an INPUT_PREPARED comes for each OUTPUT_PREPARE */
	unsigned int count;		/* devices */
	struct {
		uint32_t flags;		/* VFIO_MIGRATION_* */
		uint32_t state;		/* as the last answer said; never asked for */
		bool busy;		/* its worker has a command */
	} device[VMM_DEVICES_MAX];

	enum runstate runstate;
	enum migration_status status;
	struct error error;		/* why it is failing, failed, or empty */
	bool want_running;		/* what stop and cont asked for last */
	struct dialogue dialogue;	/* of the migration that is or was */

	/* The program that runs: NULL when idle. */
	const struct step *at, *undo;
	const struct step *back;	/* where to go on when a STEP_SETTLE's program ends */
	const struct step *queued, *queued_undo;	/* a migration that waits for its turn */
	unsigned int next;		/* the step's next device, in the step's order */
	bool announced;			/* those that @next begins with were announced */
	uint64_t unprepared;		/* bits 1 << device: INPUT_PREPARED is missing */
	unsigned int pending;		/* devices that are busy */
	bool aborted;			/* OUTPUT_ABORT went out in this step */
	bool broke;			/* a device failed in this step */
	bool failed;			/* the next STEP_CHECK goes to @undo */
	bool live, stopped, resumed, taking_over, scattered;	/* see enum condition */
	enum runstate before;		/* the switchover */
	bool continued;			/* INPUT_CONTINUE came */
	bool again;			/* the machine was started: WORK_SAVE begins a new stream */
	unsigned int acks;		/* that devices asked for and the peer did not send yet */
};

/*
 * @flags: VFIO_MIGRATION_* of each of the @count (1 to VMM_DEVICES_MAX) devices,
 * all of which are in RUNNING. @incoming: waits for a migration; else INPUT_CONT
 * starts the machine.
 */
void coordinator_init(struct coordinator *c, const struct policy *policy, bool no_prepare,
		      bool incoming, const uint32_t *flags, unsigned int count);

/*
 * Takes in @input and appends to @out what is to be done about it. Commands
 * that make no sense at present change nothing: coordinator_refuses() first.
 */
void coordinator_step(struct coordinator *c, const struct input *input, struct outputs *out);

/* Why @command cannot be had now, in QEMU's words; NULL when it can. */
const char *coordinator_refuses(const struct coordinator *c, enum input_kind command);

/* Why no migration can be had as long as the devices are as they are; NULL when it can. */
const char *coordinator_blocked(const struct coordinator *c);

/* Between setup and the final status. */
bool coordinator_migrating(const struct coordinator *c);

#endif
