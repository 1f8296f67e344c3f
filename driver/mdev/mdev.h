/* SPDX-License-Identifier: GPL-2.0-only */
/* One emulated function: a mediated device, and a model that gives it something to do. */
#ifndef MIGLAB_MDEV_H
#define MIGLAB_MDEV_H

#include <linux/mdev.h>
#include <linux/vfio.h>

#include "device.h"
#include "function.h"

struct miglab_mdev;

/* What a model is as a function. As a model of what migrates it is @ops, see model.h. */
struct miglab_mdev_model {
	const struct miglab_model_ops *ops;
	const struct miglab_bar_ops *bars;	/* with the struct miglab_mdev as its data */

	/* @identify: what the function is. Never fails. */
	void (*identify)(struct miglab_mdev *mdev, struct miglab_function_id *ret_id);

	/*
	 * @state_bytes: how much of it migrates, for good: a multiple of MIGLAB_PAGE. The function
	 * is identified. Called once, before create().
	 */
	u64 (*state_bytes)(const struct miglab_mdev *mdev);

	/*
	 * @create: the device comes into being: makes m.model_data. Returns 0 or an error;
	 * then destroy(), which undoes it, is not called. Both may sleep. May be NULL.
	 */
	int (*create)(struct miglab_mdev *mdev);
	void (*destroy)(struct miglab_mdev *mdev);

	/*
	 * @open: the device is opened: its function is as after power-on, and so becomes the
	 * model. @close: it is closed: nothing of it acts any more when this returns. No
	 * access and no SET is in progress. Both may sleep, but wait for no user. May be NULL.
	 */
	void (*open)(struct miglab_mdev *mdev);
	void (*close)(struct miglab_mdev *mdev);
};

extern const struct miglab_mdev_model miglab_mdev_edu, miglab_mdev_mem, miglab_mdev_synthetic;

struct miglab_mdev {
	struct vfio_device vdev;	/* the first, for vfio_alloc_device() */
	struct miglab_device m;
	struct miglab_function f;	/* brings its own locks */
	const struct miglab_mdev_model *model;
};

static inline struct miglab_mdev *to_mdev(struct miglab_device *m)
{
	return container_of(m, struct miglab_mdev, m);
}

/*
 * A type of /sys/class/mdev_bus/miglab_mdev/mdev_supported_types: a model with a profile. There is
 * one for each pair.
 */
struct miglab_mdev_type {
	struct mdev_type type;
	const struct miglab_mdev_model *model;
	const char *profile;
	char name[32];
};

static inline struct miglab_mdev_type *to_miglab_type(struct mdev_type *type)
{
	return container_of(type, struct miglab_mdev_type, type);
}

/* main.c */

/* A reset, by VFIO_DEVICE_RESET or by way of config space. No lock is held. May sleep. */
void miglab_mdev_reset(struct miglab_mdev *mdev);

extern struct mdev_driver miglab_mdev_driver;

/* parent.c: the device that the functions hang off. Both may sleep. */
int miglab_parent_register(void);
void miglab_parent_unregister(void);

#endif
