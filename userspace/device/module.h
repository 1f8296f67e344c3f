/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loading miglab's kernel modules.
 */
#ifndef MIGLAB_DEVICE_MODULE_H
#define MIGLAB_DEVICE_MODULE_H

#include "base/error.h"

/*
 * Sees to it that the module @name is loaded, with modprobe unless @path, below the root of sysfs
 * and only there with the module, exists. -ENOENT with a sentence when it cannot be.
 */
int module_load(const char *name, const char *path, struct error *err);

#endif
