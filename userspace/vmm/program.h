/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of all policies are written with: steps, and tables of moves.
 * For the policies only.
 */
#ifndef MIGLAB_VMM_PROGRAM_H
#define MIGLAB_VMM_PROGRAM_H

#include "vmm/policy.h"

extern const struct policy policy_qemu, policy_group, policy_cloud_hypervisor;

/* Into pre-copy, where a device has it. */
extern const struct move move_begin_pre_copy[];
/* The memory alone, where no device goes ahead. */
extern const struct move move_memory_ahead[];
/* The machine stops: first no device that runs may send to another one any more. */
extern const struct move move_quiesce[];
/* It starts: first all of them can take what another one sends. From wherever they are. */
extern const struct move move_rejoin[];
/* It stands: within the saving group if it is in it. */
extern const struct move move_halt[];
extern const struct move move_run[];
extern const struct move move_stop_copy[];
/* Out of the saving group, running or not as before. */
extern const struct move move_end_saving[];
extern const struct move move_resume[];

/* Whom a step concerns that moves nothing. */
extern const struct move devices_all[];
extern const struct move devices_in_pre_copy[];
extern const struct move devices_in_pre_copy_group[];
extern const struct move devices_in_saving[];
extern const struct move devices_in_stop_copy[];
extern const struct move devices_in_resuming[];
extern const struct move devices_in_error[];
extern const struct move devices_not_quiesced[];
extern const struct move devices_not_running[];
extern const struct move processors[];

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
/* The same of what cannot be given up half way. */
#define SET_FORWARD(mv, cond)	{ STEP_WORK, WORK_SET, (mv), .when = cond, .serial = true, \
				  .carry_on = true }
/* The processors go on, or stand: the last to go, the first to stand. */
#define CPUS(op, cond)		{ STEP_WORK, WORK_CPUS_##op, processors, .when = cond, \
				  .carry_on = true }
/* Are there initial bytes again? Here a device that is slow to say delays no announcement. */
#define LOOK_AGAIN(mv, cond)	{ STEP_WORK, WORK_INFO, (mv), .when = cond, .carry_on = true }

#endif
