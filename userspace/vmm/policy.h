/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The order of work, as data: a program is a table of steps that the
 * coordinator executes from top to bottom.
 */
#ifndef MIGLAB_VMM_POLICY_H
#define MIGLAB_VMM_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/message.h"
#include "vmm/work.h"

/* QEMU's RunState, as far as this machine has it. */
enum runstate {
	RUN_PRELAUNCH,
	RUN_INMIGRATE,
	RUN_RUNNING,
	RUN_PAUSED,
	RUN_FINISH_MIGRATE,
	RUN_POSTMIGRATE,
};

/* QEMU's MigrationStatus, as far as it is used. */
enum migration_status {
	STATUS_NONE,
	STATUS_SETUP,
	STATUS_ACTIVE,
	STATUS_PRE_SWITCHOVER,
	STATUS_DEVICE,
	STATUS_COMPLETED,
	STATUS_CANCELLING,
	STATUS_CANCELLED,
	STATUS_FAILING,
	STATUS_FAILED,
};

/* Bits: a step is left out unless all of its conditions hold. */
enum condition {
	ALWAYS = 0,
	WHEN_LIVE = 1 << 0,		/* the machine ran when the switchover began */
	WHEN_PAUSED = 1 << 1,		/* it did not */
	WHEN_STOPPED = 1 << 2,		/* the switchover stopped it, and said so */
	WHEN_RESUMED = 1 << 3,		/* this program started it */
	WHEN_TAKING_OVER = 1 << 4,	/* destination: shall run once it has everything */
	WHEN_WAITING = 1 << 5,		/* destination: shall stay paused */
	WITH_PAUSE = 1 << 6,		/* capability pause-before-switchover */
	WITH_ACK = 1 << 7,		/* capability switchover-ack */
	WHEN_SCATTERED = 1 << 8,	/* devices are not all where the program had them */
};

/*
 * Among the VFIO_MIGRATION_* of a device: it is the machine's memory, which migrates as
 * devices do, sends to nobody, and of whose states nobody hears. With it go the processors.
 */
#define DEVICE_IS_MEMORY	(1u << 31)

/*
 * Which device a step concerns, and what becomes of it. The first row that fits
 * the device counts; a device that none fits, or that is in @to already, is left
 * alone. A table ends with a row whose @from is 0.
 */
struct move {
	uint32_t from;		/* bits 1 << state */
	uint32_t needs;		/* VFIO_MIGRATION_* that the device must have */
	uint32_t to;		/* these three for WORK_SET only */
	uint32_t recover;
	bool announce;		/* pre-copy-p2p-prepare goes out before the worker is told */
};

enum step_kind {
	STEP_END,
	STEP_STATUS,		/* the migration's status becomes @arg */
	STEP_RUNSTATE,		/* the machine's run state becomes @arg */
	STEP_RESTORE,		/* it becomes what it was before the switchover */
	STEP_STOP,		/* the machine stands: event STOP */
	STEP_RESUME,		/* the machine runs: event RESUME */
	STEP_TELL,		/* send message @arg */
	STEP_AWAIT,		/* until message @arg came, or something failed */
	STEP_PAUSE,		/* until migrate-continue, or something failed */
	STEP_ACKED,		/* fails if an acknowledgment is missing */
	STEP_SETTLE,		/* stop and start, until the machine does what was asked for */
	STEP_CHECK,		/* something failed or was cancelled: go to the undo program */
	STEP_WORK,		/* worker op @arg for the devices that @moves selects */
	STEP_CLOSE,		/* close the connections */
};

struct step {
	enum step_kind kind;
	int arg;
	const struct move *moves;
	unsigned int when;	/* enum condition */
	bool reverse;		/* the last device first */
	/*
	 * A device begins when the one before it is done. Otherwise all are announced,
	 * then all begin, and the step is over when the last one is done.
	 */
	bool serial;
	bool carry_on;		/* the other devices go on when one failed */
	bool stay;		/* WORK_STAY takes the place of the moves' @recover */
};

/*
 * The programs. A failure takes @source to @source_undo and @incoming to
 * @incoming_undo at the next STEP_CHECK; to @source_doubt when MSG_DONE was sent and
 * the destination did not say that it gave up: it may run, so this machine must not.
 */
struct policy {
	const char *name;
	const struct step *start, *stop;
	const struct step *source, *source_undo, *source_doubt;
	const struct step *incoming, *incoming_undo;
	bool stop_copy_only;		/* no device ever goes to PRE_COPY */
};

/* NULL when there is none of that name. */
const struct policy *policy_find(const char *name);

/* The row of @moves that fits a device in @state which has @flags; NULL when there is none. */
const struct move *policy_move(const struct move *moves, uint32_t state, uint32_t flags);

/* As QMP spells them. */
const char *runstate_name(enum runstate state);
const char *status_name(enum migration_status status);

#endif
