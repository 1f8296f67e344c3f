/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bus mastering is off while the device claims to be stopped, so that a real
 * function does no DMA and sends no message signalled interrupt then.
 *
 * It is done in the function's real command register. The user sees and sets the
 * bit as if nothing had happened; what was set meanwhile becomes real when the
 * device leaves the stopped states. A write that sets the bit in between is real
 * for the moment until it is undone. Legacy interrupts are not masked.
 */
#ifndef MIGLAB_BUSMASTER_H
#define MIGLAB_BUSMASTER_H

#include "pci.h"

/*
 * Must a device in @state (enum miglab_state) do no DMA? STOP, STOP_COPY and RESUMING;
 * and ERROR, since nobody knows what a broken device would do.
 */
bool miglab_bus_master_must_be_off(u32 state);

/* Switches the real bit to what @m->state wants. state_lock is held. */
void miglab_bus_master_update(struct miglab_device *m);

/*
 * The real bit is on from now on, for a transfer of the driver's own, until it is taken back;
 * then it is what the user wants and the state lets it be, whatever came in between. The device's
 * locks but for a model's may not be held. Returns what miglab_bus_master_untouched() takes.
 */
u32 miglab_bus_master_lend(struct miglab_device *m);
void miglab_bus_master_take_back(struct miglab_device *m);

/*
 * Was the byte with the bit not written, not even in part, since m->command_writes was @writes?
 * Else nobody can tell what the bit was in the moment that counts.
 */
bool miglab_bus_master_untouched(struct miglab_device *m, u32 writes);

/*
 * vfio_device_ops.read and .write of what no model claims: the core's, with the bit as
 * the user believes it.
 */
ssize_t miglab_bus_master_read(struct vfio_device *vdev, char __user *buf, size_t count,
			       loff_t *ppos);
ssize_t miglab_bus_master_write(struct vfio_device *vdev, const char __user *buf, size_t count,
				loff_t *ppos);

#endif
