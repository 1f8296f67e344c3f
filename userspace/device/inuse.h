/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Would taking a PCI function away from its driver hurt somebody?
 */
#ifndef MIGLAB_DEVICE_INUSE_H
#define MIGLAB_DEVICE_INUSE_H

#include <stdbool.h>

#include "base/error.h"

/*
 * 0 when nobody is known to use the function @bdf, or the mediated device of that UUID.
 * -EBUSY with a sentence when
 * a network interface of it is up, a disk of it is mounted, swapped to or held
 * by another device, or a process has its IOMMU group open. Needs root to see
 * the disks that other mount namespaces use.
 */
int pci_check_unused(const char *bdf, struct error *err);

#define PCI_USE_SIZE	160

/* What of the function @bdf is in use: "its net device eth0 is up"; false: nothing. */
bool pci_in_use(const char *bdf, char ret_what[PCI_USE_SIZE]);

#endif
