// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VFIO device through its IOMMU group and a type1 container: what every kernel
 * with VFIO has.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device/pci.h"
#include "device/uapi.h"
#include "device/vfio.h"

static int group_open_error(const char *bdf, const char *path, int code, struct error *err)
{
	switch (code) {
	case -EACCES:
	case -EPERM:
		return error_set(err, code,
				 "%s: no permission for %s; run as root or give yourself access to that file",
				 bdf, path);
	case -EBUSY:
		return error_set(err, code,
				 "%s: %s is in use by another process, or by another device of this one",
				 bdf, path);
	default:
		return error_set(err, code, "%s: cannot open %s: %s", bdf, path, strerror(-code));
	}
}

/* Names the members of the group that keep it from being used. */
static int not_viable(const char *bdf, const char *group, struct error *err)
{
	char others[256] = "", driver[SYSFS_NAME_SIZE], vfio[SYSFS_NAME_SIZE];
	size_t count = 0, used = 0;
	char **names = NULL;

	sysfs_names(&names, &count, "kernel/iommu_groups/%s/devices", group);
	for (size_t i = 0; i < count && used < sizeof(others); i++) {
		pci_driver(names[i], driver);
		if (!strcmp(driver, "none") || !strcmp(driver, "pcieport") ||
		    !pci_vfio_name(names[i], vfio))
			continue;
		used += snprintf(others + used, sizeof(others) - used, "%s%s (%s)",
				 used ? ", " : "", names[i], driver);
	}
	sysfs_names_free(names, count);
	return error_set(err, -ENXIO,
			 "%s: IOMMU group %s is not usable while these of its members have drivers that are not VFIO's: %s; bind or unbind them too",
			 bdf, group, used ? others : "(none found)");
}

static int open_group(const char *bdf, const char *group, int *ret_fd, struct error *err)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char path[32 + SYSFS_NAME_SIZE];
	int fd, ret;

	snprintf(path, sizeof(path), "/dev/vfio/%s", group);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return group_open_error(bdf, path, -errno, err);
	if (ioctl(fd, VFIO_GROUP_GET_STATUS, &status)) {
		ret = error_set(err, -errno, "%s: cannot ask %s for its status: %s", bdf, path,
				strerror(errno));
		close(fd);
		return ret;
	}
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		close(fd);
		return not_viable(bdf, group, err);
	}
	*ret_fd = fd;
	return 0;
}

static int set_container(const char *bdf, int group, int container, struct error *err)
{
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container))
		return error_set(err, -errno, "%s: its group does not join a container: %s", bdf,
				 strerror(errno));
	if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return error_set(err, -errno,
				 "%s: the kernel has no type1 IOMMU for it: %s; try: modprobe vfio_iommu_type1",
				 bdf, strerror(errno));
	return 0;
}

int vfio_group_open(const char *bdf, const char *group, struct vfio_files *ret_files,
		    struct error *err)
{
	struct vfio_files files = { .device = -1, .group = -1, .iommufd = -1 };
	int ret;

	files.container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (files.container < 0)
		return error_set(err, -errno,
				 "%s: cannot open /dev/vfio/vfio: %s; try: modprobe vfio", bdf,
				 strerror(errno));
	ret = open_group(bdf, group, &files.group, err);
	if (ret)
		goto close_container;
	ret = set_container(bdf, files.group, files.container, err);
	if (ret)
		goto close_group;
	files.device = ioctl(files.group, VFIO_GROUP_GET_DEVICE_FD, bdf);
	if (files.device < 0) {
		ret = error_set(err, -errno, "%s: the kernel does not open the device: %s", bdf,
				strerror(errno));
		goto close_group;
	}
	*ret_files = files;
	return 0;

close_group:
	close(files.group);
close_container:
	close(files.container);
	return ret;
}
