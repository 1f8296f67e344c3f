// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci.h>
#include <linux/uaccess.h>

#include "busmaster.h"

bool miglab_bus_master_must_be_off(u32 state)
{
	return state == MIGLAB_STOP || state == MIGLAB_STOP_COPY || state == MIGLAB_RESUMING ||
	       state == MIGLAB_ERROR;
}

/* The low byte only: interrupt masking owns the high one. Returns what the bit was. */
static bool set_real_bit(struct miglab_device *m, bool on)
{
	u8 old, new;

	pci_read_config_byte(m->core.pdev, PCI_COMMAND, &old);
	new = on ? old | PCI_COMMAND_MASTER : old & ~PCI_COMMAND_MASTER;
	if (new != old)
		pci_write_config_byte(m->core.pdev, PCI_COMMAND, new);
	return old & PCI_COMMAND_MASTER;
}

void miglab_bus_master_update(struct miglab_device *m)
{
	bool off = miglab_bus_master_must_be_off(m->state);

	lockdep_assert_held(&m->state_lock);
	if (off == m->bus_master_off)
		return;
	if (off)
		m->bus_master_wanted = set_real_bit(m, false);
	else
		set_real_bit(m, m->bus_master_wanted);
	m->bus_master_off = off;
}

/* Does an access of @len bytes at @pos reach the byte that holds the bit? */
static bool covers_command(loff_t pos, size_t len)
{
	u64 offset = pos & VFIO_PCI_OFFSET_MASK;

	return VFIO_PCI_OFFSET_TO_INDEX(pos) == VFIO_PCI_CONFIG_REGION_INDEX &&
	       offset <= PCI_COMMAND && offset + len > PCI_COMMAND;
}

/* Where in the user's buffer, of an access at @pos, that byte is. */
static u8 __user *command_at(const char __user *buf, loff_t pos)
{
	return (u8 __user *)buf + PCI_COMMAND - (pos & VFIO_PCI_OFFSET_MASK);
}

/* Shows the bit as wanted in what was read from @pos on to @buf. */
static int show_wanted_bit(char __user *buf, loff_t pos)
{
	u8 command;

	if (get_user(command, command_at(buf, pos)))
		return -EFAULT;
	return put_user(command | PCI_COMMAND_MASTER, command_at(buf, pos));
}

ssize_t miglab_bus_master_read(struct vfio_device *vdev, char __user *buf, size_t count,
			       loff_t *ppos)
{
	struct miglab_device *m = miglab_from_vfio(vdev);
	loff_t pos = *ppos;
	ssize_t done;
	bool hidden;

	done = vfio_pci_core_read(vdev, buf, count, ppos);
	if (done <= 0 || !covers_command(pos, done))
		return done;

	mutex_lock(&m->state_lock);
	hidden = m->bus_master_off && m->bus_master_wanted;
	mutex_unlock(&m->state_lock);
	if (hidden && show_wanted_bit(buf, pos))
		return -EFAULT;
	return done;
}

/*
 * The user wrote the bit as @wanted or, with @written false, failed to and may have
 * switched it on all the same. What the real bit is by now says nothing: an arc may
 * have come in between.
 */
static void settle(struct miglab_device *m, bool written, bool wanted)
{
	down_read(&m->core.memory_lock);
	mutex_lock(&m->state_lock);
	if (written && m->bus_master_off)
		m->bus_master_wanted = wanted;
	if (written || m->bus_master_off)
		set_real_bit(m, wanted && !m->bus_master_off);
	mutex_unlock(&m->state_lock);
	up_read(&m->core.memory_lock);
}

/* Before the bit may change, for a model that has to know whether it did. */
static void count_write(struct miglab_device *m)
{
	mutex_lock(&m->state_lock);
	WRITE_ONCE(m->command_writes, m->command_writes + 1);
	mutex_unlock(&m->state_lock);
}

ssize_t miglab_bus_master_write(struct vfio_device *vdev, const char __user *buf, size_t count,
				loff_t *ppos)
{
	loff_t pos = *ppos;
	ssize_t done;
	u8 command;

	if (!covers_command(pos, count))
		return vfio_pci_core_write(vdev, buf, count, ppos);
	if (get_user(command, command_at(buf, pos)))
		return -EFAULT;
	count_write(miglab_from_vfio(vdev));
	done = vfio_pci_core_write(vdev, buf, count, ppos);
	settle(miglab_from_vfio(vdev), done > 0 && covers_command(pos, done),
	       command & PCI_COMMAND_MASTER);
	return done;
}
