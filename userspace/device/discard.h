/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A destination for a lone device: takes any state and throws it away. It has
 * none of its own, so going to PRE_COPY or STOP_COPY is refused with -EOPNOTSUPP.
 */
#ifndef MIGLAB_DEVICE_DISCARD_H
#define MIGLAB_DEVICE_DISCARD_H

#include "device/ops.h"

#define DISCARD "discard"	/* how it is written, without keys */

/* For device_open(). */
int discard_open(const char *spec, struct device **ret_dev, struct error *err);

#endif
