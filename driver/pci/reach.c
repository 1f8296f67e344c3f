// SPDX-License-Identifier: GPL-2.0-only
#include <linux/iommufd.h>
#include <linux/module.h>
#include <linux/vfio.h>

#include "reach.h"

#if IS_ENABLED(CONFIG_IOMMUFD)
MODULE_INFO(import_ns, "IOMMUFD");	/* as MODULE_IMPORT_NS() has it in all kernels */

/* Nothing is pinned, so nothing has to be given back. */
static void access_unmap(void *data, unsigned long iova, unsigned long length)
{
}

static const struct iommufd_access_ops access_ops = {
	.unmap = access_unmap,
};

int miglab_reach(struct miglab_device *m, dma_addr_t iova, void *data, size_t len, bool write)
{
	unsigned int flags = IOMMUFD_ACCESS_RW_KTHREAD;

	if (!to_pci(m)->access)
		return vfio_dma_rw(&to_pci(m)->core.vdev, iova, data, len, write);
	if (write)
		flags |= IOMMUFD_ACCESS_RW_WRITE;
	return iommufd_access_rw(to_pci(m)->access, iova, data, len, flags);
}

int miglab_bind_iommufd(struct vfio_device *vdev, struct iommufd_ctx *ctx, u32 *ret_id)
{
	struct miglab_device *m = miglab_from_vfio(vdev);
	struct iommufd_access *access;
	u32 access_id;
	int ret;

	ret = vfio_iommufd_physical_bind(vdev, ctx, ret_id);
	if (ret)
		return ret;
	access = iommufd_access_create(ctx, &access_ops, m, &access_id);
	if (IS_ERR(access)) {
		vfio_iommufd_physical_unbind(vdev);
		return PTR_ERR(access);
	}
	to_pci(m)->access = access;
	to_pci(m)->access_attached = false;
	return 0;
}

void miglab_unbind_iommufd(struct vfio_device *vdev)
{
	struct miglab_device *m = miglab_from_vfio(vdev);

	iommufd_access_destroy(to_pci(m)->access);
	to_pci(m)->access = NULL;
	vfio_iommufd_physical_unbind(vdev);
}

static void access_detach(struct miglab_device *m)
{
	if (to_pci(m)->access_attached)
		iommufd_access_detach(to_pci(m)->access);
	to_pci(m)->access_attached = false;
}

int miglab_attach_ioas(struct vfio_device *vdev, u32 *id)
{
	struct miglab_device *m = miglab_from_vfio(vdev);
	u32 ioas = *id;
	int ret;

	ret = mutex_lock_killable(&to_pci(m)->attach_lock);
	if (ret)
		return ret;
	ret = vfio_iommufd_physical_attach_ioas(vdev, id);
	if (!ret) {
		access_detach(m);
		to_pci(m)->access_attached = !iommufd_access_attach(to_pci(m)->access, ioas);
	}
	mutex_unlock(&to_pci(m)->attach_lock);
	return ret;
}

void miglab_detach_ioas(struct vfio_device *vdev)
{
	struct miglab_device *m = miglab_from_vfio(vdev);

	mutex_lock(&to_pci(m)->attach_lock);
	access_detach(m);
	vfio_iommufd_physical_detach_ioas(vdev);
	mutex_unlock(&to_pci(m)->attach_lock);
}
#else
int miglab_reach(struct miglab_device *m, dma_addr_t iova, void *data, size_t len, bool write)
{
	return vfio_dma_rw(&to_pci(m)->core.vdev, iova, data, len, write);
}
#endif
