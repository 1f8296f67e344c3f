// SPDX-License-Identifier: GPL-2.0-only
#include "workload/board.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device/function.h"

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

int board_find_edu(struct board *b, struct device *const *devices, unsigned int count,
		   struct error *err)
{
	struct vfio_region_info info = { 0 };
	unsigned int i = 0;
	int ret;

	while (i < count && !function_is_edu(devices[i]))
		i++;
	if (i == count)
		return error_set(err, -EINVAL,
				 "it needs an edu, a function 1234:11e8, and none of the devices is one");
	b->edu = devices[i];
	b->irq = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ret = b->irq < 0 ? -errno :
			   function_region(b->edu, VFIO_PCI_BAR0_REGION_INDEX, &info) ?:
			   function_enable(b->edu) ?: wire_interrupt(b);
	b->registers = info.offset;
	return ret ? error_set(err, ret, "%s: cannot wire it up: %s", b->edu->name,
			       strerror(-ret)) : 0;
}

/* The largest BAR of @dev that can be mapped; false when there is none. */
static bool largest_bar(struct device *dev, struct vfio_region_info *ret_info)
{
	struct vfio_region_info best = { 0 }, info;

	for (uint32_t i = VFIO_PCI_BAR0_REGION_INDEX; i <= VFIO_PCI_BAR5_REGION_INDEX; i++) {
		if (!function_region(dev, i, &info) && info.flags & VFIO_REGION_INFO_FLAG_MMAP &&
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

	while (i < count && (function_is_edu(devices[i]) || !largest_bar(devices[i], &info)))
		i++;
	if (i == count)
		return error_set(err, -EINVAL,
				 "it needs a device with a memory BAR that can be mapped, and there is none");
	b->bar = devices[i];
	ret = function_enable(b->bar);
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

/* A BAR is a power of two. */
int board_join(struct board *b, uint64_t reach, struct error *err)
{
	b->bar_iova = (b->memory->size + b->bar_size - 1) / b->bar_size * b->bar_size;
	if (b->bar_iova + b->bar_size > reach)
		return error_set(err, -EINVAL,
				 "edu reaches %llu MiB, and the BAR behind the memory would end at %llu MiB: give less memory",
				 (unsigned long long)reach >> 20,
				 (unsigned long long)(b->bar_iova + b->bar_size) >> 20);
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
	return function_read(b->edu, b->registers, offset, ret_value);
}

int board_write(const struct board *b, uint32_t offset, uint32_t value)
{
	return function_write(b->edu, b->registers, offset, value);
}
