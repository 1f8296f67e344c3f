// SPDX-License-Identifier: GPL-2.0-only
#include "device/function.h"

#include <errno.h>
#include <linux/pci_regs.h>

#include "core/edu.h"

#define EDU_ID	0x11e81234u

static int result(ssize_t n, size_t size)
{
	return n == (ssize_t)size ? 0 : n < 0 ? (int)n : -EIO;
}

static int read_at(struct device *dev, uint64_t at, void *value, size_t size)
{
	return result(dev->calls->pread(dev, DEVICE_SELF, value, size, (off_t)at), size);
}

static int write_at(struct device *dev, uint64_t at, const void *value, size_t size)
{
	return result(dev->calls->pwrite(dev, DEVICE_SELF, value, size, (off_t)at), size);
}

int function_region(struct device *dev, uint32_t index, struct vfio_region_info *ret_info)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };
	int ret = dev->calls ? dev->calls->ioctl(dev, DEVICE_SELF, VFIO_DEVICE_GET_REGION_INFO,
						 &info) : -ENOTTY;

	if (ret >= 0)
		*ret_info = info;
	return ret < 0 ? ret : 0;
}

int function_enable(struct device *dev)
{
	struct vfio_region_info info;
	uint16_t command;
	int ret = function_region(dev, VFIO_PCI_CONFIG_REGION_INDEX, &info);

	if (ret)
		return ret;
	ret = read_at(dev, info.offset + PCI_COMMAND, &command, sizeof(command));
	if (ret)
		return ret;
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	return write_at(dev, info.offset + PCI_COMMAND, &command, sizeof(command));
}

bool function_is_edu(struct device *dev)
{
	struct vfio_region_info info;
	uint32_t id = 0;

	return !function_region(dev, VFIO_PCI_CONFIG_REGION_INDEX, &info) &&
	       !read_at(dev, info.offset + PCI_VENDOR_ID, &id, sizeof(id)) && id == EDU_ID;
}

int function_read(struct device *dev, uint64_t base, uint32_t offset, uint32_t *ret_value)
{
	uint32_t value;
	int ret = read_at(dev, base + offset, &value, sizeof(value));

	if (!ret)
		*ret_value = value;
	return ret;
}

int function_write(struct device *dev, uint64_t base, uint32_t offset, uint32_t value)
{
	return write_at(dev, base + offset, &value, sizeof(value));
}

int function_edu_transfer(struct device *dev, uint64_t base, uint64_t from, uint64_t to,
			  uint32_t count, uint32_t command)
{
	return function_write(dev, base, MIGLAB_EDU_DMA_SRC, from) ?:
	       function_write(dev, base, MIGLAB_EDU_DMA_DST, to) ?:
	       function_write(dev, base, MIGLAB_EDU_DMA_COUNT, count) ?:
	       function_write(dev, base, MIGLAB_EDU_DMA_CMD, command | MIGLAB_EDU_RUN);
}
