// SPDX-License-Identifier: GPL-2.0-only
#include "device/discard.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct discard {
	struct device device;
	uint32_t state;
};

static void discard_close(struct device *dev)
{
	free(dev->name);
	free(dev);
}

static bool takes_state(uint32_t state)
{
	return state == VFIO_DEVICE_STATE_RUNNING || state == VFIO_DEVICE_STATE_RUNNING_P2P ||
	       state == VFIO_DEVICE_STATE_STOP || state == VFIO_DEVICE_STATE_RESUMING;
}

static int discard_set_state(struct device *dev, uint32_t state, struct error *err)
{
	if (!takes_state(state))
		return error_set(err, -EOPNOTSUPP, "discard has no state to save");
	((struct discard *)dev)->state = state;
	return 0;
}

static int discard_get_state(struct device *dev, uint32_t *ret_state, struct error *err)
{
	(void)err;
	*ret_state = ((struct discard *)dev)->state;
	return 0;
}

static int discard_data_size(struct device *dev, uint64_t *ret_bytes, struct error *err)
{
	(void)dev;
	(void)err;
	*ret_bytes = 0;
	return 0;
}

static int discard_precopy_info(struct device *dev, struct precopy_info *ret_info,
				struct error *err)
{
	(void)dev;
	(void)ret_info;
	return error_set(err, -EINVAL, "discard has no pre-copy");
}

static ssize_t discard_read(struct device *dev, void *buf, size_t size)
{
	(void)dev;
	(void)buf;
	(void)size;
	return -EBADF;
}

static ssize_t discard_write(struct device *dev, const void *buf, size_t size)
{
	(void)buf;
	return ((struct discard *)dev)->state == VFIO_DEVICE_STATE_RESUMING ? (ssize_t)size :
									      -EBADF;
}

static int discard_wait(struct device *dev, int timeout_ms)
{
	(void)dev;
	(void)timeout_ms;
	return 0;
}

static void discard_end_session(struct device *dev)
{
	(void)dev;
}

static int discard_reset(struct device *dev, struct error *err)
{
	(void)err;
	((struct discard *)dev)->state = VFIO_DEVICE_STATE_RUNNING;
	return 0;
}

/* It reaches no memory, and writes none. */
static int discard_map(struct device *dev, uint64_t iova, void *host, uint64_t length,
		       struct error *err)
{
	(void)dev;
	(void)iova;
	(void)host;
	(void)length;
	(void)err;
	return 0;
}

static int discard_track(struct device *dev, uint64_t iova, uint64_t length, struct error *err)
{
	(void)dev;
	(void)iova;
	(void)length;
	(void)err;
	return 0;
}

static int discard_dirty(struct device *dev, uint64_t *bitmap, struct error *err)
{
	(void)dev;
	(void)bitmap;
	(void)err;
	return 0;
}

static void discard_untrack(struct device *dev)
{
	(void)dev;
}

static const struct device_ops discard_ops = {
	.close = discard_close,
	.set_state = discard_set_state,
	.get_state = discard_get_state,
	.data_size = discard_data_size,
	.precopy_info = discard_precopy_info,
	.read = discard_read,
	.write = discard_write,
	.wait = discard_wait,
	.end_session = discard_end_session,
	.reset = discard_reset,
	.map = discard_map,
	.track = discard_track,
	.dirty = discard_dirty,
	.untrack = discard_untrack,
};

int discard_open(const char *spec, struct device **ret_dev, struct error *err)
{
	struct discard *d;

	if (strcmp(spec, DISCARD))
		return error_set(err, -EINVAL, "\"%s\": " DISCARD " has no keys, write it alone",
				 spec);
	d = calloc(1, sizeof(*d));
	if (!d)
		return error_set(err, -ENOMEM, "no memory for a device");
	d->device.ops = &discard_ops;
	d->device.flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P;
	d->device.name = strdup(spec);
	d->state = VFIO_DEVICE_STATE_RUNNING;
	if (!d->device.name) {
		free(d);
		return error_set(err, -ENOMEM, "no memory for a device");
	}
	*ret_dev = &d->device;
	return 0;
}
