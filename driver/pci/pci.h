/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One bound function.
 *
 * Locks beside those of device.h: commit_lock() is core.memory_lock for reading, so
 *	attach_lock > a session's io_lock, and inside of the device set's lock
 *	image's lock > core.memory_lock > reset_lock
 *	mmap_lock > core.memory_lock: a page fault takes it, one of a data_fd's copy too
 *	core.memory_lock > device_lock: a reset by ioctl holds the former for writing, and the
 *		core only tries for the latter
 */
#ifndef MIGLAB_PCI_H
#define MIGLAB_PCI_H

#include <linux/vfio_pci_core.h>

#include "device.h"
#include "dirty.h"
#include "pci_model.h"

struct miglab_pci {
	struct vfio_pci_core_device core;
	struct miglab_device m;

	struct iommufd_access *access;	/* from bind to unbind of an iommufd, else NULL */
	bool access_attached;		/* to an IOAS; guarded by the device set's lock */

	/*
	 * Keeps the function attached to its user's page tables while something of ours is mapped
	 * there. Inside of the device set's lock.
	 */
	struct mutex attach_lock;

	/* While the device is open. */
	const struct miglab_pci_model *model;
	u32 bars;			/* a bit for each BAR that the model claims */
	struct miglab_dirty dirty;	/* brings its own locks */

	/* Guarded by m.state_lock; who only samples the first need not take it. */
	u32 command_writes;		/* beginnings and ends of writes to the bus master's byte */
	u32 command_writers;		/* writes of the user's that have begun and not ended */

	/* Guarded by m.state_lock. */
	struct miglab_pci_choice choice;	/* the user's, for the next open */
	bool bus_master_off;		/* ... by us, since the device claims to be stopped */
	bool bus_master_lent;		/* on, by us, for a transfer of our own */
	bool bus_master_wanted;		/* what the user believes the bit to be meanwhile */
};

static inline struct miglab_pci *to_pci(struct miglab_device *m)
{
	return container_of(m, struct miglab_pci, m);
}

static inline struct miglab_pci *pci_from_vfio(struct vfio_device *vdev)
{
	return container_of(vdev, struct miglab_pci, core.vdev);
}

/* Only between probe() and remove(), where drvdata is the vfio_pci_core_device. */
static inline struct miglab_pci *pci_from_dev(struct device *dev)
{
	return container_of(dev_get_drvdata(dev), struct miglab_pci, core);
}

#endif
