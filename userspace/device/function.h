/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PCI function as its own driver finds it: regions, configuration space, and the
 * registers of QEMU's edu (docs/specs/edu.rst, core/edu.h), through a device's calls.
 *
 * Any thread. 0 or negative errno: what the system call says, -EIO when it moves less
 * than it was asked for, -ENOTTY of a device that has no calls.
 */
#ifndef MIGLAB_DEVICE_FUNCTION_H
#define MIGLAB_DEVICE_FUNCTION_H

#include <stdbool.h>
#include <stdint.h>

#include "device/ops.h"
#include "device/uapi.h"

/* VFIO_DEVICE_GET_REGION_INFO of VFIO_PCI_*_REGION_INDEX. */
int function_region(struct device *dev, uint32_t index, struct vfio_region_info *ret_info);

/* Memory and DMA are switched on. */
int function_enable(struct device *dev);

/* Is it an edu? Not when it cannot be asked. */
bool function_is_edu(struct device *dev);

/* The 4-byte register at @offset in the region that begins at @base. */
int function_read(struct device *dev, uint64_t base, uint32_t offset, uint32_t *ret_value);
int function_write(struct device *dev, uint64_t base, uint32_t offset, uint32_t value);

/*
 * Gives edu a transfer of @count bytes, at most its buffer, which it begins when it may.
 * @command: MIGLAB_EDU_*, without RUN. One at a time: edu does not hear of a second.
 */
int function_edu_transfer(struct device *dev, uint64_t base, uint64_t from, uint64_t to,
			  uint32_t count, uint32_t command);

#endif
