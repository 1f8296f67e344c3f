/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether the memory behind a function's BARs can be accessed: by its user, as he has set
 * the function up, and by the driver whatever he did.
 */
#ifndef MIGLAB_MEMORY_H
#define MIGLAB_MEMORY_H

#include <linux/vfio_pci_core.h>

/* Does the function's power state let it answer? memory_lock is held. */
bool miglab_memory_powered(const struct pci_dev *pdev);

/* May its user access the memory? As the core has it. memory_lock is held. */
bool miglab_memory_accessible(const struct vfio_pci_core_device *core);

/*
 * Lets a powered function decode memory accesses, and returns whether it did not before:
 * miglab_memory_unexpose() undoes just that, unless its user wants it so. memory_lock is
 * held for writing, or a reset has the function to itself.
 */
bool miglab_memory_expose(struct pci_dev *pdev);
void miglab_memory_unexpose(struct vfio_pci_core_device *core, bool exposed);

#endif
