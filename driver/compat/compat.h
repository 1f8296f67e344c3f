/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernels. Kbuild probes the headers; no other file of the
 * driver knows of versions. COMPAT_*_OPS are initialisers in struct vfio_device_ops.
 */
#ifndef MIGLAB_COMPAT_H
#define MIGLAB_COMPAT_H

#include <linux/fs.h>
#include <linux/vfio_pci_core.h>
#include <linux/workqueue.h>

/* Since 6.19 the core asks for a region's information through its own operation. */
#ifdef HAVE_REGION_INFO_CAPS
#define COMPAT_REGION_INFO_OPS		.get_region_info_caps = vfio_pci_ioctl_get_region_info,
#define COMPAT_MDEV_REGION_INFO_OPS	.get_region_info_caps = miglab_mdev_region_info,
#else
#define COMPAT_REGION_INFO_OPS
#define COMPAT_MDEV_REGION_INFO_OPS
#endif

/* Since 6.17 vfio_pci_core_match() calls this one without looking. */
#ifdef HAVE_MATCH_TOKEN_UUID
#define COMPAT_MATCH_OPS	.match_token_uuid = vfio_pci_core_match_token_uuid,
#else
#define COMPAT_MATCH_OPS
#endif

/* Since 7.1 a user may opt in to being told that a saving session began anew. */
#ifdef HAVE_PRECOPY_INFO_V2
static inline bool compat_precopy_info_v2(const struct vfio_device *vdev)
{
	return vdev->precopy_info_v2;
}
#else
static inline bool compat_precopy_info_v2(const struct vfio_device *vdev)
{
	return false;
}

#define VFIO_PRECOPY_INFO_REINIT	(1 << 0)
#endif

/* Since 6.17 the unbound work queue is the default one, and has another name. */
#ifdef HAVE_SYSTEM_DFL_WQ
#define compat_unbound_wq	system_dfl_wq
#else
#define compat_unbound_wq	system_unbound_wq
#endif

/* Binary attributes became constant in two steps, between 6.13 and 6.17. */
#ifdef HAVE_BIN_READ_CONST
#define compat_bin_read_const	const
#else
#define compat_bin_read_const
#endif

#ifdef HAVE_BIN_ATTRS_CONST
#define compat_bin_attrs_const	const
#else
#define compat_bin_attrs_const
#endif

#endif
