/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a migratable device does. This is all that the VMM and the conformance
 * cases see; behind it is the kernel (vfio.c) or driver/core in this process
 * (emu.c).
 *
 * Threads: one thread at a time calls an operation of one device (its worker),
 * except those marked "any thread". State values are those of
 * uapi/linux/vfio.h, enum vfio_device_mig_state.
 */
#ifndef MIGLAB_DEVICE_OPS_H
#define MIGLAB_DEVICE_OPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "device/calls.h"
#include "device/uapi.h"

struct device;
struct lab;

struct precopy_info {
	uint64_t initial_bytes;
	uint64_t dirty_bytes;
	bool reinit;		/* new initial data: initial_bytes may have gone up */
};

struct device_ops {
	/* Closes everything that open made, the data session included. */
	void (*close)(struct device *dev);

	/*
	 * VFIO_DEVICE_FEATURE SET MIG_DEVICE_STATE. Blocks for as long as the
	 * arcs take; killable only. A data session that the new state begins
	 * becomes the device's session, one that it ends is closed.
	 * Return: 0, or the negative errno of the ioctl. -EBADFD when the kernel
	 * hands out a data_fd within a session, or none where one begins.
	 */
	int (*set_state)(struct device *dev, uint32_t state, struct error *err);

	/*
	 * VFIO_DEVICE_FEATURE GET MIG_DEVICE_STATE. Any thread. -EBADFD when the kernel says a
	 * state that is none, so that *@ret_state is one; set_state() too.
	 */
	int (*get_state)(struct device *dev, uint32_t *ret_state, struct error *err);

	/* VFIO_DEVICE_FEATURE_MIG_DATA_SIZE: bytes to the end of a stop-copy. */
	int (*data_size)(struct device *dev, uint64_t *ret_bytes, struct error *err);

	/* VFIO_MIG_GET_PRECOPY_INFO; -EINVAL outside PRE_COPY and PRE_COPY_P2P. */
	int (*precopy_info)(struct device *dev, struct precopy_info *ret_info, struct error *err);

	/*
	 * One read(2) of the data_fd: bytes, 0 at the end of the stream, -ENOMSG
	 * when there is nothing for now (pre-copy only), -EBADF without a session,
	 * -EBADFD when the driver says more than @size; write() too.
	 */
	ssize_t (*read)(struct device *dev, void *buf, size_t size);

	/* One write(2) of the data_fd in RESUMING; may be short. */
	ssize_t (*write)(struct device *dev, const void *buf, size_t size);

	/* Waits @timeout_ms at most for read() to have something: 1, 0 for no, negative errno. */
	int (*wait)(struct device *dev, int timeout_ms);

	/* Closes the data session; without one nothing. */
	void (*end_session)(struct device *dev);

	/*
	 * VFIO_DEVICE_RESET: RUNNING, no session, state of the device lost. Also
	 * from another thread while set_state() blocks, which then gives up with
	 * -EIO (other drivers may finish it first).
	 */
	int (*reset)(struct device *dev, struct error *err);

	/*
	 * The rest is about the memory that the device reaches by DMA. Any thread, but one
	 * at a time for all four.
	 */

	/*
	 * From now on until close() the device finds @host at its address @iova, for
	 * @length bytes: all three multiples of MEMORY_PAGE, and @host is memory or a
	 * mapped BAR that outlives the device. The memory is pinned. Before the first
	 * track(). Return: 0, or what the kernel says, -EINVAL for addresses that the
	 * device or its IOMMU cannot have, -EBUSY where it takes no more of them.
	 */
	int (*map)(struct device *dev, uint64_t iova, void *host, uint64_t length,
		   struct error *err);

	/*
	 * Begins to record the pages of [@iova, @iova + @length), one mapping, that the
	 * device writes: from nothing. @iova and @length as in map(). Once, up to untrack().
	 */
	int (*track)(struct device *dev, uint64_t iova, uint64_t length, struct error *err);

	/*
	 * Sets bit i of @bitmap for each page number i of what is tracked that was
	 * written since the last call, and forgets it; no bit is cleared. After the device
	 * has stopped nothing is missing. A device of which nobody knows what it writes
	 * has written everything.
	 */
	int (*dirty)(struct device *dev, uint64_t *bitmap, struct error *err);

	/* Ends it. Nothing when it had not begun. */
	void (*untrack)(struct device *dev);
};

/* The head of every backend's own structure. */
struct device {
	const struct device_ops *ops;
	const struct device_calls *calls;	/* NULL: no device that could be tested */
	char *name;		/* as the user wrote it: "vfio:0000:01:00.0", "emu" */
	uint32_t flags;		/* VFIO_MIGRATION_*, constant while the device is open */
	struct lab *lab;	/* rules, history, ...; NULL for other people's drivers */
};

/**
 * device_open() - open DEV for migration
 * @spec: "vfio:BDF[,via=group|cdev]", also without "vfio:", or with the UUID of a mediated
 *	device in place of the address; "emu[:key=value,..]" or "discard"; no reserved key id
 * @ret_dev: to be closed with dev->ops->close()
 *
 * The device is in RUNNING afterwards. emu keys: state_bytes, dirty_bytes_per_sec,
 * dma_bytes_per_sec, dma_log_misses, profile, rules, seed, mutant; the rules' own commas are
 * no separators since a rule has none.
 *
 * Return: 0, -EINVAL for a spec that is malformed, -ENODEV for a function that
 * does not exist, -ENXIO for one that is not usable as it is, -EOPNOTSUPP for one
 * that cannot migrate, or what the kernel said; @err has the sentence.
 */
int device_open(const char *spec, struct device **ret_dev, struct error *err);

#endif
