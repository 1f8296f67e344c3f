// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "device/state.h"
#include "device/uapi.h"

static const char *const state_names[] = {
	[VFIO_DEVICE_STATE_ERROR] = "ERROR",
	[VFIO_DEVICE_STATE_STOP] = "STOP",
	[VFIO_DEVICE_STATE_RUNNING] = "RUNNING",
	[VFIO_DEVICE_STATE_STOP_COPY] = "STOP_COPY",
	[VFIO_DEVICE_STATE_RESUMING] = "RESUMING",
	[VFIO_DEVICE_STATE_RUNNING_P2P] = "RUNNING_P2P",
	[VFIO_DEVICE_STATE_PRE_COPY] = "PRE_COPY",
	[VFIO_DEVICE_STATE_PRE_COPY_P2P] = "PRE_COPY_P2P",
};

#define NR_STATES (sizeof(state_names) / sizeof(state_names[0]))

const char *device_state_name(uint32_t state)
{
	return state < NR_STATES ? state_names[state] : "?";
}

int device_state_parse(const char *name, uint32_t *ret_state)
{
	for (uint32_t state = 0; state < NR_STATES; state++) {
		if (strcmp(state_names[state], name))
			continue;
		*ret_state = state;
		return 0;
	}
	return -EINVAL;
}

bool device_state_serves(uint32_t state)
{
	return state == VFIO_DEVICE_STATE_RUNNING || state == VFIO_DEVICE_STATE_PRE_COPY;
}

bool device_state_is_saving(uint32_t state)
{
	return state == VFIO_DEVICE_STATE_PRE_COPY || state == VFIO_DEVICE_STATE_PRE_COPY_P2P ||
	       state == VFIO_DEVICE_STATE_STOP_COPY;
}

const char *device_strerror(int code)
{
	return code == ETIMEDOUT ? "timed out, as a hold does at its limit" : strerror(code);
}
