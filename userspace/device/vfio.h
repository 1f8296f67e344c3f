/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a device descriptor is got from the kernel. Private to vfio*.c.
 */
#ifndef MIGLAB_DEVICE_VFIO_H
#define MIGLAB_DEVICE_VFIO_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "device/ops.h"
#include "device/pci.h"

/* The device, and what must stay open as long as it does; -1: not used. */
struct vfio_files {
	int device;
	int group, container;	/* vfio_group.c */
	int iommufd;		/* vfio_cdev.c */
	unsigned int ioas;	/* of iommufd: the address space that it is attached to */
};

/* Who says which pages the device wrote. */
enum vfio_tracker { TRACKER_NONE, TRACKER_DEVICE, TRACKER_CONTAINER, TRACKER_NOBODY };

struct vfio {
	struct device dev;	/* first: the ops' argument */
	struct vfio_files files;
	bool asked;		/* whether the kernel tells of sessions that begin anew */
	bool opted_in;		/* it does: the flags of struct vfio_precopy_info mean something */
	atomic_int data_fd;	/* the session's, or -1; a reset may come from another thread */
	char bdf[SYSFS_NAME_SIZE];	/* or the UUID of a mediated device */
	enum vfio_tracker tracker;	/* vfio_memory.c; of these addresses */
	uint64_t tracked_iova, tracked_length;
};

/* VFIO_DEVICE_FEATURE with a payload of @size bytes, at most 40, in and out. */
int vfio_feature(struct vfio *v, __u32 flags, void *payload, size_t size);

/* vfio.c: of a struct vfio whose files are open and whose data_fd is -1. */
extern const struct device_ops vfio_ops;

/* vfio_memory.c */
int vfio_map(struct device *dev, uint64_t iova, void *host, uint64_t length, struct error *err);
int vfio_track(struct device *dev, uint64_t iova, uint64_t length, struct error *err);
int vfio_dirty(struct device *dev, uint64_t *bitmap, struct error *err);
void vfio_untrack(struct device *dev);

/* vfio_edu.c: as in struct device_calls, of an edu; -EOPNOTSUPP of any other device. */
int vfio_edu_dma(struct device *dev, uint64_t iova, uint64_t length);
int vfio_edu_dma_wait(struct device *dev, int timeout_ms);

/* vfio_calls.c */
extern const struct device_calls vfio_calls;

/*
 * /dev/vfio/GROUP with a type1 container of its own. Negative errno with a
 * sentence: permission, group not viable (names the members), in use.
 */
int vfio_group_open(const char *bdf, const char *group, struct vfio_files *ret_files,
		    struct error *err);

/* Has this kernel a character device for @vfio_name, and iommufd? */
bool vfio_cdev_present(const char *vfio_name);

/* /dev/vfio/devices/VFIO_NAME, bound and attached to an iommufd of its own. */
int vfio_cdev_open(const char *bdf, const char *vfio_name, struct vfio_files *ret_files,
		   struct error *err);

#endif
