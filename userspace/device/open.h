/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The backends behind device_open(); each gets the whole spec and answers as
 * device_open() does.
 */
#ifndef MIGLAB_DEVICE_OPEN_H
#define MIGLAB_DEVICE_OPEN_H

#include "device/ops.h"

int emu_open(const char *spec, struct device **ret_dev, struct error *err);
int vfio_open(const char *spec, struct device **ret_dev, struct error *err);

#endif
