// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci.h>
#include <linux/uaccess.h>

#include "busmaster.h"

bool miglab_bus_master_must_be_off(u32 state)
{
	return state == MIGLAB_STOP || state == MIGLAB_STOP_COPY || state == MIGLAB_RESUMING ||
	       state == MIGLAB_ERROR;
}

/*
 * Returns what the bit was. The kernel's own pci_intx() reads and writes the whole register, under
 * no lock that this could take: it may undo what is done here meanwhile.
 */
static bool set_real_bit(struct miglab_device *m, bool on)
{
	u8 old, new;

	pci_read_config_byte(to_pci(m)->core.pdev, PCI_COMMAND, &old);
	new = on ? old | PCI_COMMAND_MASTER : old & ~PCI_COMMAND_MASTER;
	if (new != old)
		pci_write_config_byte(to_pci(m)->core.pdev, PCI_COMMAND, new);
	return old & PCI_COMMAND_MASTER;
}

/* What the real bit is to be while that is not the user's affair. */
static bool real_bit(struct miglab_device *m)
{
	const struct miglab_pci *pci = to_pci(m);

	return pci->bus_master_lent || (pci->bus_master_wanted && !pci->bus_master_off);
}

void miglab_bus_master_update(struct miglab_device *m)
{
	bool off = miglab_bus_master_must_be_off(m->state);

	lockdep_assert_held(&m->state_lock);
	if (off == to_pci(m)->bus_master_off)
		return;
	if (off && !to_pci(m)->bus_master_lent)
		to_pci(m)->bus_master_wanted = set_real_bit(m, false);
	to_pci(m)->bus_master_off = off;
	if (!off)
		set_real_bit(m, real_bit(m));
}

u32 miglab_bus_master_lend(struct miglab_device *m)
{
	u32 writes;
	bool was;

	mutex_lock(&m->state_lock);
	was = set_real_bit(m, true);
	if (!to_pci(m)->bus_master_off)
		to_pci(m)->bus_master_wanted = was;
	to_pci(m)->bus_master_lent = true;
	writes = to_pci(m)->command_writes;
	mutex_unlock(&m->state_lock);
	return writes;
}

void miglab_bus_master_take_back(struct miglab_device *m)
{
	mutex_lock(&m->state_lock);
	to_pci(m)->bus_master_lent = false;
	set_real_bit(m, real_bit(m));
	mutex_unlock(&m->state_lock);
}

bool miglab_bus_master_untouched(struct miglab_device *m, u32 writes)
{
	bool untouched;

	mutex_lock(&m->state_lock);
	untouched = to_pci(m)->command_writes == writes && !to_pci(m)->command_writers;
	mutex_unlock(&m->state_lock);
	return untouched;
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
static int show_bit(char __user *buf, loff_t pos, bool wanted)
{
	u8 command;

	if (get_user(command, command_at(buf, pos)))
		return -EFAULT;
	command = wanted ? command | PCI_COMMAND_MASTER : command & ~PCI_COMMAND_MASTER;
	return put_user(command, command_at(buf, pos));
}

ssize_t miglab_bus_master_read(struct vfio_device *vdev, char __user *buf, size_t count,
			       loff_t *ppos)
{
	struct miglab_device *m = miglab_from_vfio(vdev);
	loff_t pos = *ppos;
	bool hidden, wanted;
	ssize_t done;

	done = vfio_pci_core_read(vdev, buf, count, ppos);
	if (done <= 0 || !covers_command(pos, done))
		return done;

	mutex_lock(&m->state_lock);
	hidden = to_pci(m)->bus_master_off || to_pci(m)->bus_master_lent;
	wanted = to_pci(m)->bus_master_wanted;
	mutex_unlock(&m->state_lock);
	if (hidden && show_bit(buf, pos, wanted))
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
	down_read(&to_pci(m)->core.memory_lock);
	mutex_lock(&m->state_lock);
	if (written)
		to_pci(m)->bus_master_wanted = wanted;
	if (written || to_pci(m)->bus_master_off || to_pci(m)->bus_master_lent)
		set_real_bit(m, real_bit(m));
	to_pci(m)->command_writers--;
	WRITE_ONCE(to_pci(m)->command_writes, to_pci(m)->command_writes + 1);
	mutex_unlock(&m->state_lock);
	up_read(&to_pci(m)->core.memory_lock);
}

/* Before the bit may change, for who has to know whether it did; settle() does after it. */
static void count_write(struct miglab_device *m)
{
	mutex_lock(&m->state_lock);
	WRITE_ONCE(to_pci(m)->command_writes, to_pci(m)->command_writes + 1);
	to_pci(m)->command_writers++;
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
