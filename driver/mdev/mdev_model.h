/* SPDX-License-Identifier: GPL-2.0-only */
/* A model of an emulated function: what the function is, what it does, and what migrates of it. */
#ifndef MIGLAB_MDEV_MODEL_H
#define MIGLAB_MDEV_MODEL_H

#include "function.h"
#include "model.h"

struct miglab_mdev_model {
	const struct miglab_model_ops *ops;	/* its states and images */
	const struct miglab_bar_ops *bars;	/* whose @data is the struct miglab_device */

	/*
	 * @identify: what the function is. @bytes are those of its memory or its state, which
	 * sized() has accepted.
	 */
	void (*identify)(u64 bytes, struct miglab_function_id *ret_id);

	/* @sized: can there be one of so many bytes? NULL: it has one size, and ignores @bytes. */
	bool (*sized)(u64 bytes);

	/* @state_bytes: the size of its state, a multiple of MIGLAB_PAGE. */
	u64 (*state_bytes)(u64 bytes);

	/**
	 * @open: the device is being opened
	 *
	 * After miglab_function_open(), before miglab_migration_open(). Makes m->model_data. No
	 * lock of ours is held. Returns 0, or an error that fails the open; then close() is not
	 * called. NULL: there is nothing to do.
	 */
	int (*open)(struct miglab_device *m, struct miglab_function *f);

	/*
	 * @close: undoes open(), after miglab_migration_close() and before miglab_function_close().
	 * Nobody reaches the model any more. May sleep; waits for no user.
	 */
	void (*close)(struct miglab_device *m);
};

extern const struct miglab_mdev_model miglab_mdev_edu, miglab_mdev_synthetic;

/*
 * A guest resets the function: as VFIO_DEVICE_RESET, but no rule acts. @data is the struct
 * miglab_device. No lock is held. For struct miglab_bar_ops; in main.c.
 */
void miglab_mdev_reset(void *data);

#endif
