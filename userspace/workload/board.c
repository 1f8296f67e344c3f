// SPDX-License-Identifier: GPL-2.0-only
#include "workload/board.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device/uapi.h"

#define EDU_ID	0x11e81234u

static int region(struct device *dev, uint32_t index, struct vfio_region_info *ret_info)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };
	int ret = dev->calls ? dev->calls->ioctl(dev, DEVICE_SELF, VFIO_DEVICE_GET_REGION_INFO,
						 &info) : -ENOTTY;

	if (ret >= 0)
		*ret_info = info;
	return ret < 0 ? ret : 0;
}

static int read_config(struct device *dev, uint32_t at, void *value, size_t size)
{
	struct vfio_region_info info;
	int ret = region(dev, VFIO_PCI_CONFIG_REGION_INDEX, &info);
	ssize_t n;

	if (ret)
		return ret;
	n = dev->calls->pread(dev, DEVICE_SELF, value, size, (off_t)(info.offset + at));
	return n == (ssize_t)size ? 0 : n < 0 ? (int)n : -EIO;
}

/* Memory and DMA, as a guest's driver switches them on. */
static int enable(struct device *dev)
{
	struct vfio_region_info info;
	uint16_t command;
	ssize_t n;
	int ret = region(dev, VFIO_PCI_CONFIG_REGION_INDEX, &info) ?:
		  read_config(dev, PCI_COMMAND, &command, sizeof(command));

	if (ret)
		return ret;
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	n = dev->calls->pwrite(dev, DEVICE_SELF, &command, sizeof(command),
			       (off_t)(info.offset + PCI_COMMAND));
	return n == sizeof(command) ? 0 : n < 0 ? (int)n : -EIO;
}

static int wire_interrupt(struct board *b)
{
	struct {
		struct vfio_irq_set head;
		int32_t fd;
	} set = {
		.head = {
			.argsz = sizeof(set),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_MSI_IRQ_INDEX,
			.count = 1,
		},
		.fd = b->irq,
	};
	int ret = b->edu->calls->ioctl(b->edu, DEVICE_SELF, VFIO_DEVICE_SET_IRQS, &set);

	return ret < 0 ? ret : 0;
}

static bool is_edu(struct device *dev)
{
	uint32_t id = 0;

	return !read_config(dev, PCI_VENDOR_ID, &id, sizeof(id)) && id == EDU_ID;
}

int board_find_edu(struct board *b, struct device *const *devices, unsigned int count,
		   struct error *err)
{
	struct vfio_region_info info = { 0 };
	unsigned int i = 0;
	int ret;

	while (i < count && !is_edu(devices[i]))
		i++;
	if (i == count)
		return error_set(err, -EINVAL,
				 "it needs an edu, a function 1234:11e8, and none of the devices is one");
	b->edu = devices[i];
	b->irq = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ret = b->irq < 0 ? -errno : region(b->edu, VFIO_PCI_BAR0_REGION_INDEX, &info) ?:
				    enable(b->edu) ?: wire_interrupt(b);
	b->registers = info.offset;
	return ret ? error_set(err, ret, "%s: cannot wire it up: %s", b->edu->name,
			       strerror(-ret)) : 0;
}

/* The largest BAR of @dev that can be mapped; false when there is none. */
static bool largest_bar(struct device *dev, struct vfio_region_info *ret_info)
{
	struct vfio_region_info best = { 0 }, info;

	for (uint32_t i = VFIO_PCI_BAR0_REGION_INDEX; i <= VFIO_PCI_BAR5_REGION_INDEX; i++) {
		if (!region(dev, i, &info) && info.flags & VFIO_REGION_INFO_FLAG_MMAP &&
		    info.size > best.size && info.size >= BOARD_SLOTS * BOARD_SLOT)
			best = info;
	}
	if (best.size)
		*ret_info = best;
	return best.size;
}

int board_find_bar(struct board *b, struct device *const *devices, unsigned int count,
		   struct error *err)
{
	struct vfio_region_info info;
	unsigned int i = 0;
	void *bytes;
	int ret;

	while (i < count && (is_edu(devices[i]) || !largest_bar(devices[i], &info)))
		i++;
	if (i == count)
		return error_set(err, -EINVAL,
				 "it needs a device with a memory BAR that can be mapped, and there is none");
	b->bar = devices[i];
	ret = enable(b->bar);
	if (ret)
		return error_set(err, ret, "%s: cannot switch its memory on: %s", b->bar->name,
				 strerror(-ret));
	bytes = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		     b->bar->calls->fileno(b->bar, DEVICE_SELF), (off_t)info.offset);
	if (bytes == MAP_FAILED)
		return error_set(err, -errno, "%s: cannot map its BAR: %s", b->bar->name,
				 strerror(errno));
	b->bytes = bytes;
	b->bar_size = info.size;
	return 0;
}

/* A BAR is a power of two. edu reaches 256 MiB as QEMU makes it. */
int board_join(struct board *b, struct error *err)
{
	b->bar_iova = (b->memory->size + b->bar_size - 1) / b->bar_size * b->bar_size;
	return b->edu->ops->map(b->edu, b->bar_iova, b->bytes, b->bar_size, err);
}

void board_close(struct board *b)
{
	if (b->bytes)
		munmap(b->bytes, b->bar_size);
	if (b->irq >= 0)
		close(b->irq);
	if (b->wake >= 0)
		close(b->wake);
}

int board_read(const struct board *b, uint32_t offset, uint32_t *ret_value)
{
	uint32_t value;
	ssize_t n = b->edu->calls->pread(b->edu, DEVICE_SELF, &value, sizeof(value),
					 (off_t)(b->registers + offset));

	if (n != sizeof(value))
		return n < 0 ? (int)n : -EIO;
	*ret_value = value;
	return 0;
}

int board_write(const struct board *b, uint32_t offset, uint32_t value)
{
	ssize_t n = b->edu->calls->pwrite(b->edu, DEVICE_SELF, &value, sizeof(value),
					  (off_t)(b->registers + offset));

	return n == sizeof(value) ? 0 : n < 0 ? (int)n : -EIO;
}
