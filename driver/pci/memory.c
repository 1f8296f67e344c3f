// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci.h>

#include "memory.h"

bool miglab_memory_powered(const struct pci_dev *pdev)
{
	return pdev->current_state == PCI_D0 || pdev->current_state == PCI_D1 ||
	       pdev->current_state == PCI_D2;
}

/* Has its user switched it on? */
static bool wants_memory(const struct vfio_pci_core_device *core)
{
	return le16_to_cpup((__le16 *)&core->vconfig[PCI_COMMAND]) & PCI_COMMAND_MEMORY;
}

bool miglab_memory_accessible(const struct vfio_pci_core_device *core)
{
	return !core->pm_runtime_engaged && miglab_memory_powered(core->pdev) &&
	       (core->pdev->no_command_memory || wants_memory(core));
}

bool miglab_memory_expose(struct pci_dev *pdev)
{
	u8 command;

	/* The low byte only: interrupt masking owns the high one. */
	pci_read_config_byte(pdev, PCI_COMMAND, &command);
	if (command & PCI_COMMAND_MEMORY)
		return false;
	pci_write_config_byte(pdev, PCI_COMMAND, command | PCI_COMMAND_MEMORY);
	return true;
}

void miglab_memory_unexpose(struct vfio_pci_core_device *core, bool exposed)
{
	u8 command;

	/* A reset by sysfs may have switched it off for a moment, and on again by now. */
	if (!exposed || wants_memory(core))
		return;
	pci_read_config_byte(core->pdev, PCI_COMMAND, &command);
	pci_write_config_byte(core->pdev, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY);
}
