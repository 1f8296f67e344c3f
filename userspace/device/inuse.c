// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/inuse.h"
#include "device/pci.h"

/* Is the block device @dev ("8:1") the source of a mount? */
static bool is_mounted(const char *dev)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, number[32];
	bool found = false;
	size_t size = 0;

	if (!mounts)
		return false;
	while (!found && getline(&line, &size, mounts) > 0)
		found = sscanf(line, "%*s %*s %31s", number) == 1 && !strcmp(number, dev);
	free(line);
	fclose(mounts);
	return found;
}

/*
 * Whoever mounts, swaps to or stacks upon a disk claims it, also where no mount
 * table that we see shows it; an exclusive open then fails.
 */
static bool is_claimed(const char *name)
{
	char path[8 + SYSFS_NAME_SIZE];
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == EBUSY;
	close(fd);
	return false;
}

static const char *check_net(const char *at, const char *name)
{
	unsigned long flags;

	(void)name;
	return !sysfs_read_number(&flags, "%s/flags", at) && flags & IFF_UP ? "is up" : NULL;
}

static const char *check_block(const char *at, const char *name)
{
	size_t holders = 0;
	char dev[32], **names;

	if (!sysfs_names(&names, &holders, "%s/holders", at))
		sysfs_names_free(names, holders);
	if (holders)
		return "is held by another device";
	if (!sysfs_read_line(dev, sizeof(dev), "%s/dev", at) && is_mounted(dev))
		return "is mounted";
	return is_claimed(name) ? "is claimed, as by a mount or as swap space" : NULL;
}

/* What may hang below a function, by its class, and why it is in use, NULL if it is not. */
static const struct {
	const char *class;
	const char *(*check)(const char *at, const char *name);
} checks[] = {
	{ "net", check_net },
	{ "block", check_block },
};

/* @at: a path below the root of sysfs. */
static bool is_child_used(const char *at, const char *name, char ret_what[PCI_USE_SIZE])
{
	char class[SYSFS_NAME_SIZE];

	if (sysfs_link_name(class, sizeof(class), "%s/subsystem", at))
		return false;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		const char *why = strcmp(class, checks[i].class) ? NULL : checks[i].check(at, name);

		if (!why)
			continue;
		snprintf(ret_what, PCI_USE_SIZE, "its %s device %s %s", class, name, why);
		return true;
	}
	return false;
}

/* All directories below @at, not through symbolic links. */
static bool is_used_below(const char *at, int depth, char ret_what[PCI_USE_SIZE])
{
	char path[PATH_MAX], below[PATH_MAX], **names;
	bool used = false;
	size_t count;

	if (!depth || sysfs_names(&names, &count, "%s", at))
		return false;
	for (size_t i = 0; i < count && !used; i++) {
		int fd;

		if (snprintf(below, sizeof(below), "%s/%s", at, names[i]) >= (int)sizeof(below) ||
		    sysfs_path(path, sizeof(path), "%s", below))
			continue;
		fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		close(fd);
		used = is_child_used(below, names[i], ret_what) ||
		       is_used_below(below, depth - 1, ret_what);
	}
	sysfs_names_free(names, count);
	return used;
}

/* The group's file opens once only; without a VFIO driver it does not exist. */
static bool is_group_open(const char *bdf, char ret_what[PCI_USE_SIZE])
{
	char group[SYSFS_NAME_SIZE], vfio[SYSFS_NAME_SIZE], path[32 + SYSFS_NAME_SIZE];
	int fd;

	if (pci_vfio_name(bdf, vfio) || pci_iommu_group(bdf, group, NULL))
		return false;
	snprintf(path, sizeof(path), "/dev/vfio/%s", group);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	else if (errno == EBUSY)
		snprintf(ret_what, PCI_USE_SIZE, "a process has %s open", path);
	return fd < 0 && errno == EBUSY;
}

bool pci_in_use(const char *bdf, char ret_what[PCI_USE_SIZE])
{
	char at[sizeof(MDEV_DEVICES) + SYSFS_NAME_SIZE];

	snprintf(at, sizeof(at), "%s/%s", pci_or_mdev(bdf), bdf);
	return is_used_below(at, 8, ret_what) || is_group_open(bdf, ret_what);
}

int pci_check_unused(const char *bdf, struct error *err)
{
	char what[PCI_USE_SIZE];

	return pci_in_use(bdf, what) ? error_set(err, -EBUSY, "%s is in use: %s", bdf, what) : 0;
}
