// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device behind the kernel's VFIO uAPI.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device/lab.h"
#include "device/open.h"
#include "device/state.h"
#include "device/vfio.h"

static struct vfio *to_vfio(struct device *dev)
{
	return (struct vfio *)dev;
}

int vfio_feature(struct vfio *v, __u32 flags, void *payload, size_t size)
{
	union {
		struct vfio_device_feature head;
		char bytes[sizeof(struct vfio_device_feature) + 40];
	} arg = { .head = { .argsz = sizeof(arg.head) + size, .flags = flags } };

	memcpy(arg.head.data, payload, size);
	if (ioctl(v->files.device, VFIO_DEVICE_FEATURE, &arg))
		return -errno;
	memcpy(payload, arg.head.data, size);
	return 0;
}

static void adopt_session(struct vfio *v, int fd)
{
	int old = atomic_exchange(&v->data_fd, fd);

	if (old >= 0)
		close(old);
}

/* A state that is none is an error: nobody above could do anything with it. */
static int get_state(struct vfio *v, uint32_t *ret_state, struct error *err)
{
	struct vfio_device_feature_mig_state state = { 0 };
	int ret = vfio_feature(v, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
			       &state, sizeof(state));

	if (ret)
		return error_set(err, ret, "%s: cannot get its state: %s", v->dev.name,
				 strerror(-ret));
	if (state.device_state > VFIO_DEVICE_STATE_PRE_COPY_P2P)
		return error_set(err, -EBADFD, "%s: the driver says that it is in state %u, which "
				 "is none", v->dev.name, state.device_state);
	*ret_state = state.device_state;
	return 0;
}

enum session_kind { NO_SESSION, SAVING, RESUMING };

static enum session_kind kind_of(uint32_t state)
{
	if (device_state_is_saving(state))
		return SAVING;
	return state == VFIO_DEVICE_STATE_RESUMING ? RESUMING : NO_SESSION;
}

/* After a SET that failed: closes the session if the device left it on the way. */
static void settle_session(struct vfio *v, enum session_kind before)
{
	uint32_t state;

	if (get_state(v, &state, NULL) || kind_of(state) != before)
		adopt_session(v, -1);
}

/* After a SET that succeeded, and gave @data_fd, -1 for none. */
static int switch_session(struct vfio *v, enum session_kind before, uint32_t state, int data_fd,
			  struct error *err)
{
	const bool begins = kind_of(state) != NO_SESSION && kind_of(state) != before;

	if (begins != (data_fd >= 0)) {
		if (data_fd >= 0)
			close(data_fd);
		return error_set(err, -EBADFD, "%s: the driver gave %s data_fd on the way to %s",
				 v->dev.name, begins ? "no" : "a second", device_state_name(state));
	}
	if (kind_of(state) != before)
		adopt_session(v, data_fd);
	return 0;
}

/*
 * Asks, once, to be told when a saving session begins anew; not every kernel can do that.
 * Not when the device is opened: who uses the calls decides for himself.
 */
static void opt_in(struct vfio *v)
{
	char none = 0;

	if (v->asked)
		return;
	v->asked = true;
	v->opted_in = v->dev.flags & VFIO_MIGRATION_PRE_COPY &&
		      !vfio_feature(v, VFIO_DEVICE_FEATURE_SET |
				    VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2, &none, 0);
}

static int vfio_set_state(struct device *dev, uint32_t want, struct error *err)
{
	struct vfio_device_feature_mig_state state = { .device_state = want, .data_fd = -1 };
	struct vfio *v = to_vfio(dev);
	uint32_t before;
	int ret = get_state(v, &before, err);

	if (ret)
		return ret;
	opt_in(v);
	ret = vfio_feature(v, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
			   &state, sizeof(state));
	if (ret) {
		settle_session(v, kind_of(before));
		return error_set(err, ret, "%s: %s to %s (state %u) failed: %s", dev->name,
				 device_state_name(before), device_state_name(want), want,
				 strerror(-ret));
	}
	return switch_session(v, kind_of(before), want, state.data_fd, err);
}

static int vfio_get_state(struct device *dev, uint32_t *ret_state, struct error *err)
{
	return get_state(to_vfio(dev), ret_state, err);
}

static int vfio_data_size(struct device *dev, uint64_t *ret_bytes, struct error *err)
{
	struct vfio_device_feature_mig_data_size size = { 0 };
	int ret = vfio_feature(to_vfio(dev),
			       VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, &size,
			       sizeof(size));

	if (ret)
		return error_set(err, ret, "%s: cannot get the size of its data: %s", dev->name,
				 strerror(-ret));
	*ret_bytes = size.stop_copy_length;
	return 0;
}

static int vfio_precopy_info(struct device *dev, struct precopy_info *ret_info, struct error *err)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };
	int fd = to_vfio(dev)->data_fd;

	if (fd < 0)
		return error_set(err, -EBADF, "%s: no saving session is open", dev->name);
	if (ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info))
		return error_set(err, -errno, "%s: cannot get its pre-copy figures: %s", dev->name,
				 strerror(errno));
	*ret_info = (struct precopy_info){
		.initial_bytes = info.initial_bytes,
		.dirty_bytes = info.dirty_bytes,
		.reinit = to_vfio(dev)->opted_in && info.flags & VFIO_PRECOPY_INFO_REINIT,
	};
	return 0;
}

/* What a driver's read() or write() gave: nothing stands between it and us that would check it. */
static ssize_t moved(ssize_t n, size_t size)
{
	if (n < 0)
		return -errno;
	return (size_t)n > size ? -EBADFD : n;
}

static ssize_t vfio_read(struct device *dev, void *buf, size_t size)
{
	return moved(read(to_vfio(dev)->data_fd, buf, size), size);
}

static ssize_t vfio_write(struct device *dev, const void *buf, size_t size)
{
	return moved(write(to_vfio(dev)->data_fd, buf, size), size);
}

static int vfio_wait(struct device *dev, int timeout_ms)
{
	struct pollfd pfd = { .fd = to_vfio(dev)->data_fd, .events = POLLIN };
	int n;

	if (pfd.fd < 0)
		return -EBADF;
	do {
		n = poll(&pfd, 1, timeout_ms);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static void vfio_end_session(struct device *dev)
{
	adopt_session(to_vfio(dev), -1);
}

static int vfio_reset(struct device *dev, struct error *err)
{
	struct vfio *v = to_vfio(dev);

	if (ioctl(v->files.device, VFIO_DEVICE_RESET))
		return error_set(err, -errno, "%s: cannot be reset: %s%s", dev->name,
				 strerror(errno), errno == EINVAL || errno == ENOTTY ?
				 "; its function has no reset method" : "");
	adopt_session(v, -1);
	return 0;
}

static void close_if(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void vfio_close(struct device *dev)
{
	struct vfio *v = to_vfio(dev);

	adopt_session(v, -1);
	if (dev->lab)
		dev->lab->ops->close(dev->lab);
	close_if(v->files.device);
	close_if(v->files.group);
	close_if(v->files.container);
	close_if(v->files.iommufd);
	free(dev->name);
	free(v);
}

const struct device_ops vfio_ops = {
	.close = vfio_close,
	.set_state = vfio_set_state,
	.get_state = vfio_get_state,
	.data_size = vfio_data_size,
	.precopy_info = vfio_precopy_info,
	.read = vfio_read,
	.write = vfio_write,
	.wait = vfio_wait,
	.end_session = vfio_end_session,
	.reset = vfio_reset,
	.map = vfio_map,
	.track = vfio_track,
	.dirty = vfio_dirty,
	.untrack = vfio_untrack,
};

/* How a device is opened: by its character device where that is, unless told otherwise. */
enum way { ANY_WAY, BY_GROUP, BY_CDEV };

static int not_vfio(const char *bdf, struct error *err)
{
	char driver[SYSFS_NAME_SIZE];

	pci_driver(bdf, driver);
	if (!strcmp(driver, "none"))
		return error_set(err, -ENXIO, "%s: it has no driver; run: miglab bind %s", bdf,
				 bdf);
	return error_set(err, -ENXIO,
			 "%s: its driver is %s, which is none of VFIO's; run: miglab bind %s", bdf,
			 driver, bdf);
}

static int open_files(struct vfio *v, enum way way, struct error *err)
{
	char group[SYSFS_NAME_SIZE], vfio_name[SYSFS_NAME_SIZE];
	int ret = pci_iommu_group(v->bdf, group, err);

	if (ret)
		return ret;
	ret = pci_vfio_name(v->bdf, vfio_name);
	if (ret == -ENODEV)
		return not_vfio(v->bdf, err);
	if (ret)
		return error_set(err, ret, "%s: cannot look up its VFIO device: %s", v->bdf,
				 strerror(-ret));
	if (way == BY_CDEV || (way == ANY_WAY && vfio_cdev_present(vfio_name)))
		return vfio_cdev_open(v->bdf, vfio_name, &v->files, err);
	return vfio_group_open(v->bdf, group, &v->files, err);
}

static int get_flags(struct vfio *v, struct error *err)
{
	struct vfio_device_feature_migration migration = { 0 };
	char driver[SYSFS_NAME_SIZE];
	int ret = vfio_feature(v, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION,
			       &migration, sizeof(migration));

	if (!ret) {
		v->dev.flags = migration.flags;
		return 0;
	}
	if (ret != -ENOTTY)
		return error_set(err, ret, "%s: cannot ask for its migration features: %s", v->bdf,
				 strerror(-ret));
	pci_driver(v->bdf, driver);
	if (pci_is_mdev(v->bdf))
		return error_set(err, -EOPNOTSUPP, "%s: its driver %s offers no migration", v->bdf,
				 driver);
	return error_set(err, -EOPNOTSUPP,
			 "%s: its driver %s offers no migration; run: miglab bind %s", v->bdf,
			 driver, v->bdf);
}

static int open_device(struct vfio *v, enum way way, struct error *err)
{
	int ret = open_files(v, way, err);

	if (!ret)
		ret = get_flags(v, err);
	if (!ret && sysfs_exists("%s/%s/miglab", pci_or_mdev(v->bdf), v->bdf))
		ret = lab_open_sysfs(v->bdf, &v->dev.lab, err);
	return ret;
}

/* "NAME" or "NAME,via=group" or "NAME,via=cdev". */
static int split(const char *spec, char ret_name[NAME_MAX], enum way *ret_way,
		 struct error *err)
{
	size_t len = strcspn(spec, ",");

	snprintf(ret_name, NAME_MAX, "%.*s", (int)len, spec);
	if (!strcmp(spec + len, ",via=group"))
		*ret_way = BY_GROUP;
	else if (!strcmp(spec + len, ",via=cdev"))
		*ret_way = BY_CDEV;
	else if (spec[len])
		return error_set(err, -EINVAL,
				 "vfio: \"%s\" is unknown; write via=group or via=cdev",
				 spec + len + 1);
	return 0;
}

int vfio_open(const char *spec, struct device **ret_dev, struct error *err)
{
	struct vfio *v = calloc(1, sizeof(*v));
	char name[NAME_MAX];
	enum way way = ANY_WAY;
	int ret = -ENOMEM;

	if (v)
		v->dev.name = strdup(spec);
	if (!v || !v->dev.name) {
		free(v);
		return error_set(err, ret, "%s: no memory for the device", spec);
	}
	v->dev.ops = &vfio_ops;
	v->dev.calls = &vfio_calls;
	v->data_fd = -1;
	v->files = (struct vfio_files){ -1, -1, -1, -1, 0 };
	ret = split(spec + strlen("vfio:"), name, &way, err);
	if (!ret)
		ret = pci_or_mdev_find(name, v->bdf, err);
	if (!ret)
		ret = open_device(v, way, err);
	if (ret) {
		vfio_close(&v->dev);
		return ret;
	}
	*ret_dev = &v->dev;
	return 0;
}
