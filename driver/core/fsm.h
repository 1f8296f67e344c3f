/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device migration state machine of uapi/linux/vfio.h, as a table.
 *
 * The kernel module walks with the kernel's own vfio_mig_get_next_state();
 * this table serves the emulated device, the rules' arc names and the checks
 * that compare the two.
 */
#ifndef MIGLAB_CORE_FSM_H
#define MIGLAB_CORE_FSM_H

#include "port.h"

/* Values of enum vfio_device_mig_state, uapi/linux/vfio.h. */
enum miglab_state {
	MIGLAB_ERROR = 0,
	MIGLAB_STOP = 1,
	MIGLAB_RUNNING = 2,
	MIGLAB_STOP_COPY = 3,
	MIGLAB_RESUMING = 4,
	MIGLAB_RUNNING_P2P = 5,
	MIGLAB_PRE_COPY = 6,
	MIGLAB_PRE_COPY_P2P = 7,
	MIGLAB_NR_STATES = 8,
};

/* Values of VFIO_MIGRATION_*, uapi/linux/vfio.h, struct vfio_device_feature_migration. */
#define MIGLAB_FLAG_STOP_COPY	(1u << 0)
#define MIGLAB_FLAG_P2P		(1u << 1)
#define MIGLAB_FLAG_PRE_COPY	(1u << 2)
#define MIGLAB_FLAGS_FULL	(MIGLAB_FLAG_STOP_COPY | MIGLAB_FLAG_P2P | MIGLAB_FLAG_PRE_COPY)

/**
 * miglab_fsm_next() - the first arc on the path from @cur to @want
 * @flags: MIGLAB_FLAG_*, one of the four sets that the uAPI defines (1, 3, 5, 7)
 * @cur: the present state
 * @want: the requested state
 * @ret_next: the state that the first arc ends in; @cur itself when @want == @cur
 *
 * Same answers as vfio_mig_get_next_state() for every pair, except that
 * @cur == MIGLAB_ERROR and a @cur that @flags lack are refused without a warning.
 *
 * Return: 0, or -EINVAL when there is no path (@ret_next is untouched).
 */
int miglab_fsm_next(u32 flags, u32 cur, u32 want, u32 *ret_next);

/* Is @state one that @flags offer? ERROR counts as offered: any device can be in it. */
bool miglab_state_supported(u32 flags, u32 state);

/* PRE_COPY, PRE_COPY_P2P and STOP_COPY share one data_fd: the saving group. */
bool miglab_state_is_saving(u32 state);

/*
 * A profile is the name of a set of flags: "full", "no-p2p", "no-precopy", "stop-copy".
 * @flags: one of the four sets that the uAPI defines; "?" for any other.
 */
const char *miglab_profile_name(u32 flags);

#define MIGLAB_NR_PROFILES	4

/* The name of profile @i, which is below that. */
const char *miglab_profile_at(unsigned int i);

/* The flags of the profile whose name is the @len bytes at @name, or -EINVAL. */
int miglab_profile_parse(const char *name, size_t len, u32 *ret_flags);

/* "PRE_COPY_P2P" and so on, spelt as in the uAPI; "?" for a value that is none. */
const char *miglab_state_name(u32 state);

/*
 * The state whose name is the @len bytes at @name, or -EINVAL. Case matters,
 * as in the uAPI.
 */
int miglab_state_parse(const char *name, size_t len, u32 *ret_state);

#endif
