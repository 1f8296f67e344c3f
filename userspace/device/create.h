/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes and removes emulated functions of miglab_mdev: mediated devices, each with a UUID.
 */
#ifndef MIGLAB_DEVICE_CREATE_H
#define MIGLAB_DEVICE_CREATE_H

#include "base/error.h"
#include "device/sysfs.h"

/**
 * create_function() - make a function that is software
 * @model: what it is and what it migrates
 * @profile: what its migration can do
 * @uuid: its name; NULL: a random one
 * @ret_uuid: its name
 *
 * Loads the module when it is not there. What the function can do never changes.
 *
 * Return: 0; -EINVAL for a model, a profile or a UUID that is none; -EEXIST for a UUID that a
 * device has; -ENOENT when the module cannot be loaded; or what the kernel said; @err has the
 * sentence.
 */
int create_function(const char *model, const char *profile, const char *uuid,
		    char ret_uuid[SYSFS_NAME_SIZE], struct error *err);

/*
 * Removes the function of that UUID. -EINVAL if it is not one of miglab_mdev's, -ENODEV if there is
 * none, -EBUSY if a process has it open.
 */
int remove_function(const char *uuid, struct error *err);

#endif
