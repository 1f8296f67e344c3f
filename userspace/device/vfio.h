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
};

struct vfio {
	struct device dev;	/* first: the ops' argument */
	struct vfio_files files;
	bool asked;		/* whether the kernel tells of sessions that begin anew */
	bool opted_in;		/* it does: the flags of struct vfio_precopy_info mean something */
	atomic_int data_fd;	/* the session's, or -1; a reset may come from another thread */
	char bdf[SYSFS_NAME_SIZE];	/* or the UUID of a mediated device */
};

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
