/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PCI functions of this machine, mediated devices too, and which of them can migrate.
 */
#ifndef MIGLAB_DEVICE_LIST_H
#define MIGLAB_DEVICE_LIST_H

#include <stddef.h>

#include "base/error.h"
#include "device/pci.h"

enum migratable {
	MIGRATABLE_NO,
	MIGRATABLE_YES,
	MIGRATABLE_UNKNOWN,	/* a VFIO driver of somebody else: opening the device would tell */
};

struct pci_function {
	char bdf[SYSFS_NAME_SIZE];		/* or the UUID of a mediated device */
	unsigned long vendor, device, class;	/* as sysfs shows them; 0 where it does not */
	char driver[SYSFS_NAME_SIZE];		/* "none" when there is none */
	char group[SYSFS_NAME_SIZE];		/* of the IOMMU; "none" when there is none */
	enum migratable migratable;
	/* of miglab's own drivers; "" with another one */
	char profile[SYSFS_NAME_SIZE], model[SYSFS_NAME_SIZE], state[SYSFS_NAME_SIZE];
	char why[320];				/* one sentence, for a reader */
};

/* All functions in the order of their addresses, then UUIDs, in an array that the caller frees. */
int list_functions(struct pci_function **ret_functions, size_t *ret_count, struct error *err);

/* The function @bdf alone; as pci_or_mdev_find() when it is none. */
int list_function(const char *bdf, struct pci_function *ret_function, struct error *err);

#endif
