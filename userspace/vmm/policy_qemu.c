// SPDX-License-Identifier: GPL-2.0-only
/* The order of QEMU 11.1: one device after the other. */
#include <stddef.h>

#include "vmm/program.h"

/* As SET_FORWARD(), the other way round: when stopping. */
#define SET_BACKWARD(mv, cond)	{ STEP_WORK, WORK_SET, (mv), .when = cond, .serial = true, \
				  .carry_on = true, .reverse = true }

static const struct step qemu_start[] = {
	RESUME(ALWAYS),
	SET_FORWARD(move_rejoin, ALWAYS),
	SET_FORWARD(move_run, ALWAYS),
	CPUS(RUN, ALWAYS),
	END,
};

static const struct step qemu_stop[] = {
	RUNSTATE(PAUSED, ALWAYS),
	CPUS(STOP, ALWAYS),
	SET_BACKWARD(move_quiesce, ALWAYS),
	SET_BACKWARD(move_halt, ALWAYS),
	STOP(ALWAYS),
	END,
};

static const struct step qemu_source[] = {
	AWAIT(READY),
	CHECK,
	SET(move_begin_pre_copy),
	STATUS(ACTIVE, ALWAYS),
	CHECK,
	WORK(PASS, devices_in_pre_copy),
	CHECK,
	SETTLE,
	CHECK,
	RUNSTATE(FINISH_MIGRATE, ALWAYS),
	CPUS(STOP, WHEN_LIVE),
	SET_BACKWARD(move_quiesce, WHEN_LIVE),
	LOOK_AGAIN(devices_in_pre_copy_group, WHEN_LIVE | WITH_ACK),
	SET_BACKWARD(move_halt, WHEN_LIVE),
	STOP(WHEN_LIVE),
	STATUS(PRE_SWITCHOVER, WITH_PAUSE),
	PAUSE(WITH_PAUSE),
	STATUS(DEVICE, ALWAYS),
	ACKED(WHEN_LIVE | WITH_ACK),
	CHECK,
	SET(move_stop_copy),
	CHECK,
	WORK(SAVE, devices_in_stop_copy),
	CHECK,
	TELL(DONE),
	AWAIT(LOADED),
	CHECK,
	STATUS(COMPLETED, ALWAYS),
	RUNSTATE(POSTMIGRATE, ALWAYS),
	SET_FORWARD(move_end_saving, ALWAYS),
	CLOSE,
	END,
};

static const struct step qemu_source_undo[] = {
	STATUS(FAILING, ALWAYS),
	TELL(FAILED),
	CLOSE,
	SET_BACKWARD(move_run, WHEN_LIVE),
	SET_BACKWARD(move_end_saving, WHEN_PAUSED),
	RESTORE(WHEN_PAUSED),
	RESUME(WHEN_STOPPED),
	SET_FORWARD(move_rejoin, WHEN_STOPPED),
	SET_FORWARD(move_run, WHEN_STOPPED),
	CPUS(RUN, WHEN_LIVE),
	STATUS(FAILED, ALWAYS),
	END,
};

static const struct step qemu_source_doubt[] = {
	STATUS(FAILING, ALWAYS),
	CLOSE,
	RUNSTATE(PAUSED, ALWAYS),
	SET_FORWARD(move_end_saving, ALWAYS),
	STATUS(FAILED, ALWAYS),
	END,
};

/*
 * Unlike QEMU it says MSG_LOADED when the devices have taken their state, which
 * a driver may refuse as late as on the way out of RESUMING, not before. For the
 * same reason a machine that shall stay paused leaves RESUMING, too.
 */
static const struct step qemu_incoming[] = {
	AWAIT(READY),
	CHECK,
	STATUS(ACTIVE, ALWAYS),
	TELL(READY),
	SET(move_resume),
	CHECK,
	WORK(LOAD, devices_in_resuming),
	CHECK,
	AWAIT(DONE),
	CHECK,
	RUNSTATE(PAUSED, WHEN_WAITING),
	SET_FORWARD(move_halt, WHEN_WAITING),
	RESUME(WHEN_TAKING_OVER),
	SET_FORWARD(move_rejoin, WHEN_TAKING_OVER),
	CHECK,
	SET_FORWARD(move_run, WHEN_TAKING_OVER),
	CHECK,
	CPUS(RUN, WHEN_TAKING_OVER),
	TELL(LOADED),
	STATUS(COMPLETED, ALWAYS),
	CLOSE,
	END,
};

/* The source runs on as soon as it is told: no device may be running here any more. */
static const struct step qemu_incoming_undo[] = {
	{ STEP_WORK, WORK_END, devices_in_resuming, .when = ALWAYS, .carry_on = true },
	SET_BACKWARD(move_quiesce, WHEN_RESUMED),
	SET_BACKWARD(move_halt, WHEN_RESUMED),
	STOP(WHEN_RESUMED),
	TELL(FAILED),
	CLOSE,
	RUNSTATE(INMIGRATE, ALWAYS),
	STATUS(FAILED, ALWAYS),
	END,
};

const struct policy policy_qemu = {
	.name = "qemu",
	.start = qemu_start,
	.stop = qemu_stop,
	.source = qemu_source,
	.source_undo = qemu_source_undo,
	.source_doubt = qemu_source_doubt,
	.incoming = qemu_incoming,
	.incoming_undo = qemu_incoming_undo,
};
