// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one device that can be made to write memory by anybody: QEMU's edu. Its buffer has
 * zeros when it is opened, and nobody here puts anything else there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/edu.h"
#include "device/function.h"
#include "device/lab.h"
#include "device/vfio.h"

#define LOOK_US	1000	/* how often its register is read */

/* Of our own models only one keeps what this device was given to do. */
static bool has_other_model(struct device *dev)
{
	char *model = NULL;
	bool other;

	if (!dev->lab || dev->lab->ops->read(dev->lab, "model", &model, NULL))
		return false;
	other = strcmp(model, "edu\n");
	free(model);
	return other;
}

static int find(struct device *dev, uint64_t *ret_base)
{
	struct vfio_region_info info;
	int ret = -EOPNOTSUPP;

	if (function_is_edu(dev) && !has_other_model(dev))
		ret = function_region(dev, VFIO_PCI_BAR0_REGION_INDEX, &info);
	if (!ret)
		*ret_base = info.offset;
	return ret;
}

/* 1 while a transfer is under way, or held. */
static int is_busy(struct device *dev, uint64_t base)
{
	uint32_t command;
	int ret = function_read(dev, base, MIGLAB_EDU_DMA_CMD, &command);

	return ret ? ret : !!(command & MIGLAB_EDU_RUN);
}

int vfio_edu_dma(struct device *dev, uint64_t iova, uint64_t length)
{
	uint64_t base;
	int ret = find(dev, &base);

	if (ret || !length)
		return ret;
	if (length > MIGLAB_EDU_BUFFER || iova > MIGLAB_EDU_REACH - length)
		return -EINVAL;
	ret = is_busy(dev, base);
	if (ret)
		return ret < 0 ? ret : -EBUSY;
	return function_enable(dev) ?:
	       function_edu_transfer(dev, base, MIGLAB_EDU_BUFFER_AT, iova, length,
				     MIGLAB_EDU_TO_RAM);
}

int vfio_edu_dma_wait(struct device *dev, int timeout_ms)
{
	const uint64_t until = clock_ns() + timeout_ms * NSEC_PER_MSEC;
	uint64_t base;
	int ret = find(dev, &base);

	if (ret)
		return ret;
	ret = is_busy(dev, base);
	while (ret > 0 && clock_ns() < until) {
		usleep(LOOK_US);
		ret = is_busy(dev, base);
	}
	return ret > 0 ? -ETIMEDOUT : ret;
}
