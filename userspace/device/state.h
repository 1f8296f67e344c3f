/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The migration states by name, spelt as uapi/linux/vfio.h spells them.
 */
#ifndef MIGLAB_DEVICE_STATE_H
#define MIGLAB_DEVICE_STATE_H

#include <stdbool.h>
#include <stdint.h>

/* "PRE_COPY_P2P" and so on; "?" for a value that is no state. Static text. */
const char *device_state_name(uint32_t state);

/* The state called @name; -EINVAL when there is none. Case matters. */
int device_state_parse(const char *name, uint32_t *ret_state);

/* Does a device do all that its driver asks of it: RUNNING, PRE_COPY? */
bool device_state_serves(uint32_t state);

/* PRE_COPY, PRE_COPY_P2P and STOP_COPY share one data_fd: the saving group. */
bool device_state_is_saving(uint32_t state);

/*
 * Why a change of state failed with the errno @code. As strerror(3), but -ETIMEDOUT, which has
 * nothing to do with a connection here.
 */
const char *device_strerror(int code);

#endif
