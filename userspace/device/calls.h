/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The uAPI of a migratable device as it is, for those who test it: one member a
 * system call. Nothing is checked, remembered or closed on the caller's behalf, so
 * that one open of a device uses either these or the rest of struct device_ops, from
 * which it may take map() and close().
 *
 * Any thread. Each answers as the system call does, with a negative errno in place
 * of -1. @fd is DEVICE_SELF or a data_fd that a SET gave; an emulated device gives
 * numbers of its own, which are no descriptors of this process.
 */
#ifndef MIGLAB_DEVICE_CALLS_H
#define MIGLAB_DEVICE_CALLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DEVICE_SELF	(-1)

struct device;

struct device_calls {
	int (*ioctl)(struct device *dev, int fd, unsigned long request, void *arg);
	ssize_t (*read)(struct device *dev, int fd, void *buf, size_t size);
	ssize_t (*write)(struct device *dev, int fd, const void *buf, size_t size);
	ssize_t (*pread)(struct device *dev, int fd, void *buf, size_t size, off_t offset);
	ssize_t (*pwrite)(struct device *dev, int fd, const void *buf, size_t size, off_t offset);

	/* Of one descriptor: what of @events, POLLERR and POLLHUP there is; 0: none in time. */
	int (*poll)(struct device *dev, int fd, short events, int timeout_ms);

	int (*close)(struct device *dev, int fd);

	/*
	 * Gives the device work: to write zeros there, as its own driver would make it. It
	 * begins at once, or, in a state in which it may not, in the next one in which it
	 * may. @iova: of memory that map() was called for; @length: at most 4096, 0 only
	 * asks. Does not wait. -EOPNOTSUPP where nobody knows how to make it do that,
	 * -EBUSY while it has as much work as it takes, -EINVAL for what it cannot reach.
	 */
	int (*dma)(struct device *dev, uint64_t iova, uint64_t length);

	/*
	 * Waits until all work that dma() gave is done, written and logged. -ETIMEDOUT if
	 * it is not after @timeout_ms, as in a state in which the device may not begin it.
	 */
	int (*dma_wait)(struct device *dev, int timeout_ms);

	/* The descriptor in this process, to be used and not closed; -EBADF: there is none. */
	int (*fileno)(struct device *dev, int fd);

	/* The descriptor of the device's group; -EBADF when it was opened without one. */
	int (*group)(struct device *dev);

	/* The device's directory in sysfs; -ENOENT when it has none. */
	int (*sysfs)(struct device *dev, char *ret_path, size_t size);
};

#endif
