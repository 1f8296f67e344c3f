// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VFIO device through its own character device and iommufd: kernels with
 * CONFIG_VFIO_DEVICE_CDEV, 6.6 and later.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device/sysfs.h"
#include "device/uapi.h"
#include "device/vfio.h"

#define CDEV_PATH_SIZE	(32 + SYSFS_NAME_SIZE)

static void cdev_path(char path[CDEV_PATH_SIZE], const char *vfio_name)
{
	snprintf(path, CDEV_PATH_SIZE, "/dev/vfio/devices/%s", vfio_name);
}

bool vfio_cdev_present(const char *vfio_name)
{
	char path[CDEV_PATH_SIZE];

	cdev_path(path, vfio_name);
	return !access(path, F_OK) && !access("/dev/iommu", F_OK);
}

static int open_file(const char *bdf, const char *path, int *ret_fd, struct error *err)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, -errno,
				 "%s: cannot open %s: %s; run as root or give yourself access to that file",
				 bdf, path, strerror(errno));
	*ret_fd = fd;
	return 0;
}

/* Binds, and attaches to an address space without mappings. */
static int bind_iommufd(const char *bdf, struct vfio_files *files, struct error *err)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = files->iommufd,
	};
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };

	if (ioctl(files->device, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		return error_set(err, -errno, "%s: the kernel does not open the device: %s%s", bdf,
				 strerror(errno), errno == EINVAL || errno == EBUSY ?
				 "; another process may be using it" : "");
	if (ioctl(files->iommufd, IOMMU_IOAS_ALLOC, &ioas))
		return error_set(err, -errno, "%s: iommufd gives no address space: %s", bdf,
				 strerror(errno));
	attach.pt_id = ioas.out_ioas_id;
	if (ioctl(files->device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach))
		return error_set(err, -errno,
				 "%s: it cannot be attached to an address space: %s", bdf,
				 strerror(errno));
	files->ioas = ioas.out_ioas_id;
	return 0;
}

int vfio_cdev_open(const char *bdf, const char *vfio_name, struct vfio_files *ret_files,
		   struct error *err)
{
	struct vfio_files files = { .group = -1, .container = -1 };
	char path[CDEV_PATH_SIZE];
	int ret;

	cdev_path(path, vfio_name);
	ret = open_file(bdf, path, &files.device, err);
	if (ret)
		return ret;
	ret = open_file(bdf, "/dev/iommu", &files.iommufd, err);
	if (ret)
		goto close_device;
	ret = bind_iommufd(bdf, &files, err);
	if (ret)
		goto close_iommufd;
	*ret_files = files;
	return 0;

close_iommufd:
	close(files.iommufd);
close_device:
	close(files.device);
	return ret;
}
