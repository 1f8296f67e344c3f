// SPDX-License-Identifier: GPL-2.0-only
/*
 * The system calls of a VFIO device, as they are.
 */
#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device/vfio.h"

static int real(struct device *dev, int fd)
{
	return fd == DEVICE_SELF ? ((struct vfio *)dev)->files.device : fd;
}

static int call_ioctl(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = ioctl(real(dev, fd), request, arg);

	return ret < 0 ? -errno : ret;
}

static ssize_t call_read(struct device *dev, int fd, void *buf, size_t size)
{
	ssize_t n = read(real(dev, fd), buf, size);

	return n < 0 ? -errno : n;
}

static ssize_t call_write(struct device *dev, int fd, const void *buf, size_t size)
{
	ssize_t n = write(real(dev, fd), buf, size);

	return n < 0 ? -errno : n;
}

static ssize_t call_pread(struct device *dev, int fd, void *buf, size_t size, off_t offset)
{
	ssize_t n = pread(real(dev, fd), buf, size, offset);

	return n < 0 ? -errno : n;
}

static ssize_t call_pwrite(struct device *dev, int fd, const void *buf, size_t size, off_t offset)
{
	ssize_t n = pwrite(real(dev, fd), buf, size, offset);

	return n < 0 ? -errno : n;
}

static int call_poll(struct device *dev, int fd, short events, int timeout_ms)
{
	struct pollfd pfd = { .fd = real(dev, fd), .events = events };

	return poll(&pfd, 1, timeout_ms) < 0 ? -errno : pfd.revents;
}

static int call_close(struct device *dev, int fd)
{
	(void)dev;
	return close(fd) ? -errno : 0;
}

static int call_group(struct device *dev)
{
	int fd = ((struct vfio *)dev)->files.group;

	return fd < 0 ? -EBADF : fd;
}

static int call_sysfs(struct device *dev, char *ret_path, size_t size)
{
	const char *name = ((struct vfio *)dev)->bdf;

	return sysfs_path(ret_path, size, "%s/%s", pci_or_mdev(name), name);
}

const struct device_calls vfio_calls = {
	.ioctl = call_ioctl,
	.read = call_read,
	.write = call_write,
	.pread = call_pread,
	.pwrite = call_pwrite,
	.poll = call_poll,
	.close = call_close,
	.dma = vfio_edu_dma,
	.dma_wait = vfio_edu_dma_wait,
	.fileno = real,
	.group = call_group,
	.sysfs = call_sysfs,
};
