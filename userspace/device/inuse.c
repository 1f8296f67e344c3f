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
static int check_child(const char *bdf, const char *at, const char *name, struct error *err)
{
	char class[SYSFS_NAME_SIZE];

	if (sysfs_link_name(class, sizeof(class), "%s/subsystem", at))
		return 0;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		const char *why = strcmp(class, checks[i].class) ? NULL : checks[i].check(at, name);

		if (why)
			return error_set(err, -EBUSY, "%s is in use: its %s device %s %s", bdf,
					 class, name, why);
	}
	return 0;
}

/* All directories below @at, not through symbolic links. */
static int check_below(const char *bdf, const char *at, int depth, struct error *err)
{
	char path[PATH_MAX], below[PATH_MAX], **names;
	size_t count;
	int ret = 0;

	if (!depth || sysfs_names(&names, &count, "%s", at))
		return 0;
	for (size_t i = 0; i < count && !ret; i++) {
		int fd;

		if (snprintf(below, sizeof(below), "%s/%s", at, names[i]) >= (int)sizeof(below) ||
		    sysfs_path(path, sizeof(path), "%s", below))
			continue;
		fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		close(fd);
		ret = check_child(bdf, below, names[i], err);
		if (!ret)
			ret = check_below(bdf, below, depth - 1, err);
	}
	sysfs_names_free(names, count);
	return ret;
}

/* The group's file opens once only; without a VFIO driver it does not exist. */
static int check_group(const char *bdf, struct error *err)
{
	char group[SYSFS_NAME_SIZE], vfio[SYSFS_NAME_SIZE], path[32 + SYSFS_NAME_SIZE];
	int fd;

	if (pci_vfio_name(bdf, vfio) || pci_iommu_group(bdf, group, NULL))
		return 0;
	snprintf(path, sizeof(path), "/dev/vfio/%s", group);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	else if (errno == EBUSY)
		return error_set(err, -EBUSY, "%s is in use: a process has %s open", bdf, path);
	return 0;
}

int pci_check_unused(const char *bdf, struct error *err)
{
	char at[sizeof(PCI_DEVICES) + PCI_BDF_SIZE];
	int ret;

	snprintf(at, sizeof(at), PCI_DEVICES "/%s", bdf);
	ret = check_below(bdf, at, 8, err);
	return ret ? ret : check_group(bdf, err);
}
