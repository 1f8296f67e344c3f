/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Gives PCI functions to miglab_vfio_pci and back, through driver_override.
 */
#ifndef MIGLAB_DEVICE_BIND_H
#define MIGLAB_DEVICE_BIND_H

#include "base/error.h"

/**
 * bind_function() - make miglab_vfio_pci the driver of the function @bdf
 * @profile: for the attribute profile; NULL: leave it
 * @model: for the attribute model; NULL: leave it
 *
 * Loads the module when it is not there. Remembers the driver that the function
 * had, in /run/miglab/BDF. A function that is bound already only gets @profile
 * and @model, if nobody has it open. When something fails after the function was
 * taken from its driver, it is given back.
 *
 * Return: 0, -EINVAL for a malformed address, a bridge or a refused attribute, -ENODEV
 * for a function that does not exist, -ENXIO for one without an IOMMU group, -EBUSY
 * for one in use, -ENOENT when the module cannot be loaded, or what the kernel
 * said; @err has the sentence.
 */
int bind_function(const char *bdf, const char *profile, const char *model, struct error *err);

/*
 * Takes the function from miglab_vfio_pci and gives it to the driver that it had
 * before; when that is not known, to the one that the kernel finds. -EINVAL when
 * its driver is another, -EIO when it does not get back to the one that it had, which
 * stays remembered so that it can be tried again; else as above.
 */
int unbind_function(const char *bdf, struct error *err);

#endif
