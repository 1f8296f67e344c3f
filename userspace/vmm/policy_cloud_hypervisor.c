// SPDX-License-Identifier: GPL-2.0-only
/*
 * The order of cloud-hypervisor: no pre-copy and no P2P states. One device after the other
 * is stopped and saved, or loaded and started; only the memory goes ahead.
 */
#include <stddef.h>

#include "vmm/program.h"

static const struct step start[] = {
	RESUME(ALWAYS),
	SET_FORWARD(move_run, ALWAYS),
	CPUS(RUN, ALWAYS),
	END,
};

static const struct step stop[] = {
	RUNSTATE(PAUSED, ALWAYS),
	CPUS(STOP, ALWAYS),
	SET_FORWARD(move_halt, ALWAYS),
	STOP(ALWAYS),
	END,
};

static const struct step source[] = {
	AWAIT(READY),
	CHECK,
	SET(move_memory_ahead),
	STATUS(ACTIVE, ALWAYS),
	CHECK,
	WORK(PASS, devices_in_pre_copy),
	CHECK,
	SETTLE,
	CHECK,
	RUNSTATE(FINISH_MIGRATE, ALWAYS),
	CPUS(STOP, WHEN_LIVE),
	SET_FORWARD(move_halt, WHEN_LIVE),
	STOP(WHEN_LIVE),
	STATUS(PRE_SWITCHOVER, WITH_PAUSE),
	PAUSE(WITH_PAUSE),
	STATUS(DEVICE, ALWAYS),
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

static const struct step source_undo[] = {
	STATUS(FAILING, ALWAYS),
	TELL(FAILED),
	CLOSE,
	SET_FORWARD(move_end_saving, WHEN_PAUSED),
	RESTORE(WHEN_PAUSED),
	RESUME(WHEN_STOPPED),
	SET_FORWARD(move_run, WHEN_LIVE),
	CPUS(RUN, WHEN_LIVE),
	STATUS(FAILED, ALWAYS),
	END,
};

static const struct step source_doubt[] = {
	STATUS(FAILING, ALWAYS),
	CLOSE,
	RUNSTATE(PAUSED, ALWAYS),
	SET_FORWARD(move_end_saving, ALWAYS),
	STATUS(FAILED, ALWAYS),
	END,
};

static const struct step incoming[] = {
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
	SET_FORWARD(move_run, WHEN_TAKING_OVER),
	CHECK,
	CPUS(RUN, WHEN_TAKING_OVER),
	TELL(LOADED),
	STATUS(COMPLETED, ALWAYS),
	CLOSE,
	END,
};

/* The source runs on as soon as it is told: no device may be running here any more. */
static const struct step incoming_undo[] = {
	{ STEP_WORK, WORK_END, devices_in_resuming, .when = ALWAYS, .carry_on = true },
	SET_FORWARD(move_halt, WHEN_RESUMED),
	STOP(WHEN_RESUMED),
	TELL(FAILED),
	CLOSE,
	RUNSTATE(INMIGRATE, ALWAYS),
	STATUS(FAILED, ALWAYS),
	END,
};

const struct policy policy_cloud_hypervisor = {
	.name = "cloud-hypervisor",
	.start = start,
	.stop = stop,
	.source = source,
	.source_undo = source_undo,
	.source_doubt = source_doubt,
	.incoming = incoming,
	.incoming_undo = incoming_undo,
	.stop_copy_only = true,
};
