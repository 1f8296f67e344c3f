/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI functions, and mediated devices that are some, as sysfs shows them.
 */
#ifndef MIGLAB_DEVICE_PCI_H
#define MIGLAB_DEVICE_PCI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "device/sysfs.h"

#define PCI_DEVICES	"bus/pci/devices"	/* below the root of sysfs */
#define MDEV_DEVICES	"bus/mdev/devices"
#define PCI_DRIVERS	"bus/pci/drivers"
#define PCI_BDF_SIZE	16			/* "0000:01:00.0", domains of up to 6 digits too */

#define MIGLAB_DRIVER	"miglab_vfio_pci"
#define MIGLAB_MDEV	"miglab_mdev"

/*
 * "0000:01:00.0" or "01:00.0", either with "vfio:" in front as where devices are named,
 * to the name that sysfs uses. -EINVAL with a sentence for anything else.
 */
int pci_parse_bdf(const char *text, char ret_bdf[PCI_BDF_SIZE], struct error *err);

/* Parses and checks that the function exists: -ENODEV with a sentence when it does not. */
int pci_find(const char *text, char ret_bdf[PCI_BDF_SIZE], struct error *err);

/*
 * As these two, also of the UUID of a mediated device, perhaps with "mdev=" in front, to the name
 * that sysfs uses.
 */
int pci_or_mdev_parse(const char *text, char ret_name[SYSFS_NAME_SIZE], struct error *err);
int pci_or_mdev_find(const char *text, char ret_name[SYSFS_NAME_SIZE], struct error *err);

/* Is that name the UUID of a mediated device? */
bool pci_is_mdev(const char *name);

/*
 * Where VFIO devices of that name are, below the root of sysfs: PCI functions, or
 * mediated devices, whose name is a UUID. Each of pci_driver(), pci_iommu_group() and
 * pci_vfio_name() takes either.
 */
const char *pci_or_mdev(const char *name);

/* The name of its driver; "none" when it has none. */
void pci_driver(const char *bdf, char ret_name[SYSFS_NAME_SIZE]);

/* Class code 06xxxx: no VFIO driver takes these. */
bool pci_is_bridge(const char *bdf);

/* The number of its IOMMU group, as text; -ENXIO with a sentence when it has none. */
int pci_iommu_group(const char *bdf, char ret_group[SYSFS_NAME_SIZE], struct error *err);

/* The VFIO device that its driver registered, "vfio3"; -ENODEV: its driver is none of VFIO's. */
int pci_vfio_name(const char *bdf, char ret_name[SYSFS_NAME_SIZE]);

#endif
