// SPDX-License-Identifier: GPL-2.0-only
/*
 * All devices together: whoever has to know is told of every one before the first
 * goes, all go at once, and none goes on before the last has arrived. The first
 * failure leads back, from where the devices say that they are.
 */
#include <stddef.h>

#include "vmm/program.h"

/* All at once, unless something failed before. Who fails stays where it is. */
#define TOGETHER(mv, cond)	{ STEP_WORK, WORK_SET, (mv), .when = cond, .stay = true }
/* The same on the way back, where something did. */
#define BACK(mv, cond)		{ STEP_WORK, WORK_SET, (mv), .when = cond, .stay = true, \
				  .carry_on = true }
/* A device that did not make it is asked once more: a reset costs its state. */
#define TWICE(mv, cond)		BACK(mv, cond), BACK(mv, cond)
#define ASK(cond)		{ STEP_WORK, WORK_STATE, devices_all, .when = cond, \
				  .carry_on = true }
#define RESET(who, cond)	{ STEP_WORK, WORK_RESET, (who), .when = cond, .carry_on = true }

/*
 * From wherever they are into RUNNING_P2P, and all of them before any runs. What is in
 * PRE_COPY goes over PRE_COPY_P2P, since its short way leads through RUNNING.
 */
#define GATHER(cond)		BACK(move_quiesce, cond), TWICE(move_rejoin, cond), \
				RESET(devices_not_quiesced, cond), BACK(move_rejoin, cond)
#define RELEASE(cond)		TWICE(move_run, cond), RESET(devices_not_running, cond)
/* Quiet first, all of them, then they stand; one that a reset brought back, too. */
#define STAND(cond)		TWICE(move_quiesce, cond), TWICE(move_halt, cond), \
				RESET(devices_in_error, cond), BACK(move_quiesce, cond), \
				BACK(move_halt, cond)
#define LEAVE_SAVING(cond)	TWICE(move_end_saving, cond), \
				RESET(devices_in_saving, cond), RESET(devices_in_error, cond)

static const struct step group_start[] = {
	RESUME(ALWAYS),
	RESET(devices_in_error, ALWAYS),
	GATHER(ALWAYS),
	RELEASE(ALWAYS),
	CPUS(RUN, ALWAYS),
	END,
};

static const struct step group_stop[] = {
	RUNSTATE(PAUSED, ALWAYS),
	CPUS(STOP, ALWAYS),
	STAND(ALWAYS),
	STOP(ALWAYS),
	END,
};

static const struct step group_source[] = {
	AWAIT(READY),
	CHECK,
	TOGETHER(move_begin_pre_copy, ALWAYS),
	CHECK,
	STATUS(ACTIVE, ALWAYS),
	WORK(PASS, devices_in_pre_copy),
	CHECK,
	SETTLE,
	CHECK,
	RUNSTATE(FINISH_MIGRATE, ALWAYS),
	CPUS(STOP, WHEN_LIVE),
	TOGETHER(move_quiesce, WHEN_LIVE),
	CHECK,
	LOOK_AGAIN(devices_in_pre_copy_group, WHEN_LIVE | WITH_ACK),
	ACKED(WHEN_LIVE | WITH_ACK),
	CHECK,
	TOGETHER(move_halt, WHEN_LIVE),
	CHECK,
	STOP(WHEN_LIVE),
	STATUS(PRE_SWITCHOVER, WITH_PAUSE),
	PAUSE(WITH_PAUSE),
	CHECK,
	STATUS(DEVICE, ALWAYS),
	TOGETHER(move_stop_copy, ALWAYS),
	CHECK,
	WORK(SAVE, devices_in_stop_copy),
	CHECK,
	TELL(DONE),
	AWAIT(LOADED),
	CHECK,
	STATUS(COMPLETED, ALWAYS),
	RUNSTATE(POSTMIGRATE, ALWAYS),
	LEAVE_SAVING(ALWAYS),
	CLOSE,
	END,
};

/* As long as all of them run, each may leave pre-copy for itself, and no guest notices. */
static const struct step group_source_undo[] = {
	STATUS(FAILING, ALWAYS),
	TELL(FAILED),
	CLOSE,
	ASK(ALWAYS),
	RESET(devices_in_error, ALWAYS),
	RESUME(WHEN_STOPPED),
	GATHER(WHEN_LIVE | WHEN_SCATTERED),
	RELEASE(WHEN_LIVE),
	CPUS(RUN, WHEN_LIVE),
	LEAVE_SAVING(WHEN_PAUSED),
	RESTORE(ALWAYS),
	STATUS(FAILED, ALWAYS),
	END,
};

static const struct step group_source_doubt[] = {
	STATUS(FAILING, ALWAYS),
	CLOSE,
	RUNSTATE(PAUSED, ALWAYS),
	LEAVE_SAVING(ALWAYS),
	STATUS(FAILED, ALWAYS),
	END,
};

static const struct step group_incoming[] = {
	AWAIT(READY),
	CHECK,
	STATUS(ACTIVE, ALWAYS),
	TELL(READY),
	TOGETHER(move_resume, ALWAYS),
	CHECK,
	WORK(LOAD, devices_in_resuming),
	CHECK,
	AWAIT(DONE),
	CHECK,
	RUNSTATE(PAUSED, WHEN_WAITING),
	TOGETHER(move_halt, WHEN_WAITING),
	RESUME(WHEN_TAKING_OVER),
	TOGETHER(move_rejoin, WHEN_TAKING_OVER),
	CHECK,
	TOGETHER(move_run, WHEN_TAKING_OVER),
	CHECK,
	CPUS(RUN, WHEN_TAKING_OVER),
	TELL(LOADED),
	STATUS(COMPLETED, ALWAYS),
	CLOSE,
	END,
};

/* The source runs on as soon as it is told: no device may be running here any more. */
static const struct step group_incoming_undo[] = {
	{ STEP_WORK, WORK_END, devices_in_resuming, .when = ALWAYS, .carry_on = true },
	ASK(ALWAYS),
	RESET(devices_in_error, ALWAYS),
	RESET(devices_in_resuming, WHEN_RESUMED),
	STAND(WHEN_RESUMED),
	STOP(WHEN_RESUMED),
	TELL(FAILED),
	CLOSE,
	RUNSTATE(INMIGRATE, ALWAYS),
	STATUS(FAILED, ALWAYS),
	END,
};

const struct policy policy_group = {
	.name = "group",
	.start = group_start,
	.stop = group_stop,
	.source = group_source,
	.source_undo = group_source_undo,
	.source_doubt = group_source_doubt,
	.incoming = group_incoming,
	.incoming_undo = group_incoming_undo,
};
