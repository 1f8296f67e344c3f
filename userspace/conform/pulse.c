// SPDX-License-Identifier: GPL-2.0-only
#include "conform/pulse.h"

#include <unistd.h>

#include "device/ops.h"

static struct pulse *pulse;
static const struct device_calls *real;

/* The slot of this thread; NULL when it has none. */
static struct pulse_slot *own_slot(void)
{
	static _Thread_local unsigned int number;	/* from 1 on; 0: none yet */

	if (pulse->pid != getpid())
		return NULL;
	if (!number)
		number = atomic_fetch_add(&pulse->threads, 1) + 1;
	return number <= PULSE_SLOTS ? &pulse->slot[number - 1] : NULL;
}

static struct pulse_slot *begin(const char *call)
{
	struct pulse_slot *slot = own_slot();

	if (slot) {
		slot->begun++;
		slot->call = call;
	}
	return slot;
}

static void end(struct pulse_slot *slot)
{
	if (slot)
		slot->call = NULL;
	pulse->ended++;
}

static const char *ioctl_name(unsigned long request)
{
	switch (request) {
	case VFIO_DEVICE_FEATURE:
		return "VFIO_DEVICE_FEATURE";
	case VFIO_DEVICE_RESET:
		return "VFIO_DEVICE_RESET";
	case VFIO_DEVICE_PCI_HOT_RESET:
		return "VFIO_DEVICE_PCI_HOT_RESET";
	case VFIO_MIG_GET_PRECOPY_INFO:
		return "VFIO_MIG_GET_PRECOPY_INFO";
	default:
		return "an ioctl()";
	}
}

static int count_ioctl(struct device *dev, int fd, unsigned long request, void *arg)
{
	struct pulse_slot *slot = begin(ioctl_name(request));
	int ret = real->ioctl(dev, fd, request, arg);

	end(slot);
	return ret;
}

static ssize_t count_read(struct device *dev, int fd, void *buf, size_t size)
{
	struct pulse_slot *slot = begin("read()");
	ssize_t ret = real->read(dev, fd, buf, size);

	end(slot);
	return ret;
}

static ssize_t count_write(struct device *dev, int fd, const void *buf, size_t size)
{
	struct pulse_slot *slot = begin("write()");
	ssize_t ret = real->write(dev, fd, buf, size);

	end(slot);
	return ret;
}

static ssize_t count_pread(struct device *dev, int fd, void *buf, size_t size, off_t offset)
{
	struct pulse_slot *slot = begin("pread()");
	ssize_t ret = real->pread(dev, fd, buf, size, offset);

	end(slot);
	return ret;
}

static ssize_t count_pwrite(struct device *dev, int fd, const void *buf, size_t size, off_t offset)
{
	struct pulse_slot *slot = begin("pwrite()");
	ssize_t ret = real->pwrite(dev, fd, buf, size, offset);

	end(slot);
	return ret;
}

static int count_poll(struct device *dev, int fd, short events, int timeout_ms)
{
	struct pulse_slot *slot = begin("poll()");
	int ret = real->poll(dev, fd, events, timeout_ms);

	end(slot);
	return ret;
}

static int count_close(struct device *dev, int fd)
{
	struct pulse_slot *slot = begin("close()");
	int ret = real->close(dev, fd);

	end(slot);
	return ret;
}

static int count_dma(struct device *dev, uint64_t iova, uint64_t length)
{
	struct pulse_slot *slot = begin("giving it work");
	int ret = real->dma(dev, iova, length);

	end(slot);
	return ret;
}

static int count_dma_wait(struct device *dev, int timeout_ms)
{
	struct pulse_slot *slot = begin("waiting for its work");
	int ret = real->dma_wait(dev, timeout_ms);

	end(slot);
	return ret;
}

void pulse_attach(struct pulse *p, struct device *dev)
{
	static struct device_calls counting;

	pulse = p;
	real = dev->calls;
	counting = *real;	/* what takes no time is not counted */
	counting.ioctl = count_ioctl;
	counting.read = count_read;
	counting.write = count_write;
	counting.pread = count_pread;
	counting.pwrite = count_pwrite;
	counting.poll = count_poll;
	counting.close = count_close;
	counting.dma = count_dma;
	counting.dma_wait = count_dma_wait;
	dev->calls = &counting;
}
