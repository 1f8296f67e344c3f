// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/policy.h"

#include <stddef.h>
#include <string.h>

#define IN(state)	(1u << VFIO_DEVICE_STATE_##state)
#define IN_ANY		(~IN(ERROR))
#define TO(state)	VFIO_DEVICE_STATE_##state
#define RESET		VFIO_DEVICE_STATE_ERROR
#define HAS_P2P		VFIO_MIGRATION_P2P
#define HAS_PRE_COPY	VFIO_MIGRATION_PRE_COPY

static const struct move begin_pre_copy[] = {
	{ IN(RUNNING), HAS_PRE_COPY, TO(PRE_COPY), TO(RUNNING), false },
	{ 0 },
};

/* The machine stops or starts: first no device may send to another one any more. */
static const struct move quiesce[] = {
	{ IN(PRE_COPY), HAS_P2P, TO(PRE_COPY_P2P), RESET, true },
	{ IN_ANY, HAS_P2P, TO(RUNNING_P2P), RESET, false },
	{ 0 },
};

static const struct move halt[] = {
	{ IN(PRE_COPY) | IN(PRE_COPY_P2P), 0, TO(STOP_COPY), RESET, false },
	{ IN_ANY, 0, TO(STOP), RESET, false },
	{ 0 },
};

static const struct move run[] = {
	{ IN_ANY, 0, TO(RUNNING), RESET, false },
	{ 0 },
};

static const struct move stop_copy[] = {
	{ IN_ANY, 0, TO(STOP_COPY), TO(STOP), false },
	{ 0 },
};

static const struct move end_saving[] = {
	{ IN(PRE_COPY) | IN(PRE_COPY_P2P), 0, TO(RUNNING), RESET, false },
	{ IN(STOP_COPY), 0, TO(STOP), RESET, false },
	{ 0 },
};

static const struct move resume[] = {
	{ IN_ANY, 0, TO(RESUMING), TO(RUNNING), false },
	{ 0 },
};

static const struct move in_pre_copy[] = { { .from = IN(PRE_COPY) }, { 0 } };
static const struct move in_pre_copy_group[] = {
	{ .from = IN(PRE_COPY) | IN(PRE_COPY_P2P) },
	{ 0 },
};

static const struct move in_stop_copy[] = { { .from = IN(STOP_COPY) }, { 0 } };
static const struct move in_resuming[] = { { .from = IN(RESUMING) }, { 0 } };

#define STATUS(s, cond)		{ STEP_STATUS, STATUS_##s, .when = cond }
#define RUNSTATE(s, cond)	{ STEP_RUNSTATE, RUN_##s, .when = cond }
#define STOP(cond)		{ STEP_STOP, .when = cond }
#define RESUME(cond)		{ STEP_RESUME, .when = cond }
#define TELL(m)			{ STEP_TELL, MSG_##m, .when = ALWAYS }
#define AWAIT(m)		{ STEP_AWAIT, MSG_##m, .when = ALWAYS }
#define PAUSE(cond)		{ STEP_PAUSE, .when = cond }
#define ACKED(cond)		{ STEP_ACKED, .when = cond }
#define SETTLE			{ STEP_SETTLE, .when = ALWAYS }
#define RESTORE(cond)		{ STEP_RESTORE, .when = cond }
#define CHECK			{ STEP_CHECK, .when = ALWAYS }
#define CLOSE			{ STEP_CLOSE, .when = ALWAYS }
#define END			{ STEP_END, .when = ALWAYS }
#define WORK(op, mv)		{ STEP_WORK, WORK_##op, (mv), .when = ALWAYS }
/* One after the other, and not a device further once one failed. */
#define SET(mv)			{ STEP_WORK, WORK_SET, (mv), .when = ALWAYS, .serial = true }
/* Those that cannot be given up half way: forward when starting, backward when stopping. */
#define SET_FORWARD(mv, cond)	{ STEP_WORK, WORK_SET, (mv), .when = cond, .serial = true, \
				  .carry_on = true }
#define SET_BACKWARD(mv, cond)	{ STEP_WORK, WORK_SET, (mv), .when = cond, .serial = true, \
				  .carry_on = true, .reverse = true }

/* Are there initial bytes again? Here a device that is slow to say delays no announcement. */
#define LOOK_AGAIN(mv, cond)	{ STEP_WORK, WORK_INFO, (mv), .when = cond, .carry_on = true }

static const struct step qemu_start[] = {
	RESUME(ALWAYS),
	SET_FORWARD(quiesce, ALWAYS),
	SET_FORWARD(run, ALWAYS),
	END,
};

static const struct step qemu_stop[] = {
	RUNSTATE(PAUSED, ALWAYS),
	SET_BACKWARD(quiesce, ALWAYS),
	SET_BACKWARD(halt, ALWAYS),
	STOP(ALWAYS),
	END,
};

static const struct step qemu_source[] = {
	AWAIT(READY),
	CHECK,
	SET(begin_pre_copy),
	STATUS(ACTIVE, ALWAYS),
	CHECK,
	WORK(PASS, in_pre_copy),
	CHECK,
	SETTLE,
	CHECK,
	RUNSTATE(FINISH_MIGRATE, ALWAYS),
	SET_BACKWARD(quiesce, WHEN_LIVE),
	LOOK_AGAIN(in_pre_copy_group, WHEN_LIVE | WITH_ACK),
	SET_BACKWARD(halt, WHEN_LIVE),
	STOP(WHEN_LIVE),
	STATUS(PRE_SWITCHOVER, WITH_PAUSE),
	PAUSE(WITH_PAUSE),
	STATUS(DEVICE, ALWAYS),
	ACKED(WHEN_LIVE | WITH_ACK),
	CHECK,
	SET(stop_copy),
	CHECK,
	WORK(SAVE, in_stop_copy),
	CHECK,
	TELL(DONE),
	AWAIT(LOADED),
	CHECK,
	STATUS(COMPLETED, ALWAYS),
	RUNSTATE(POSTMIGRATE, ALWAYS),
	SET_FORWARD(end_saving, ALWAYS),
	CLOSE,
	END,
};

static const struct step qemu_source_undo[] = {
	STATUS(FAILING, ALWAYS),
	TELL(FAILED),
	CLOSE,
	SET_BACKWARD(run, WHEN_LIVE),
	SET_BACKWARD(end_saving, WHEN_PAUSED),
	RESTORE(WHEN_PAUSED),
	RESUME(WHEN_STOPPED),
	SET_FORWARD(quiesce, WHEN_STOPPED),
	SET_FORWARD(run, WHEN_STOPPED),
	STATUS(FAILED, ALWAYS),
	END,
};

static const struct step qemu_source_doubt[] = {
	STATUS(FAILING, ALWAYS),
	CLOSE,
	RUNSTATE(PAUSED, ALWAYS),
	SET_FORWARD(end_saving, ALWAYS),
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
	SET(resume),
	CHECK,
	WORK(LOAD, in_resuming),
	CHECK,
	AWAIT(DONE),
	CHECK,
	RUNSTATE(PAUSED, WHEN_WAITING),
	SET_FORWARD(halt, WHEN_WAITING),
	RESUME(WHEN_TAKING_OVER),
	SET_FORWARD(quiesce, WHEN_TAKING_OVER),
	CHECK,
	SET_FORWARD(run, WHEN_TAKING_OVER),
	CHECK,
	TELL(LOADED),
	STATUS(COMPLETED, ALWAYS),
	CLOSE,
	END,
};

/* The source runs on as soon as it is told: no device may be running here any more. */
static const struct step qemu_incoming_undo[] = {
	{ STEP_WORK, WORK_END, in_resuming, .when = ALWAYS, .carry_on = true },
	SET_BACKWARD(quiesce, WHEN_RESUMED),
	SET_BACKWARD(halt, WHEN_RESUMED),
	STOP(WHEN_RESUMED),
	TELL(FAILED),
	CLOSE,
	RUNSTATE(INMIGRATE, ALWAYS),
	STATUS(FAILED, ALWAYS),
	END,
};

static const struct policy policies[] = {
	{
		.name = "qemu",
		.start = qemu_start,
		.stop = qemu_stop,
		.source = qemu_source,
		.source_undo = qemu_source_undo,
		.source_doubt = qemu_source_doubt,
		.incoming = qemu_incoming,
		.incoming_undo = qemu_incoming_undo,
	},
};

const struct policy *policy_find(const char *name)
{
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		if (!strcmp(policies[i].name, name))
			return &policies[i];
	}
	return NULL;
}

const char *runstate_name(enum runstate state)
{
	static const char *const names[] = {
		[RUN_PRELAUNCH] = "prelaunch",
		[RUN_INMIGRATE] = "inmigrate",
		[RUN_RUNNING] = "running",
		[RUN_PAUSED] = "paused",
		[RUN_FINISH_MIGRATE] = "finish-migrate",
		[RUN_POSTMIGRATE] = "postmigrate",
	};

	return names[state];
}

const char *status_name(enum migration_status status)
{
	static const char *const names[] = {
		[STATUS_NONE] = "none",
		[STATUS_SETUP] = "setup",
		[STATUS_ACTIVE] = "active",
		[STATUS_PRE_SWITCHOVER] = "pre-switchover",
		[STATUS_DEVICE] = "device",
		[STATUS_COMPLETED] = "completed",
		[STATUS_CANCELLING] = "cancelling",
		[STATUS_CANCELLED] = "cancelled",
		[STATUS_FAILING] = "failing",
		[STATUS_FAILED] = "failed",
	};

	return names[status];
}
