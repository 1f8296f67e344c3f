// SPDX-License-Identifier: GPL-2.0-only
#include <linux/iommu.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/vfio.h>

#include "pci.h"

void miglab_dirty_init(struct miglab_dirty *dirty)
{
	init_waitqueue_head(&dirty->wait);
	atomic_set(&dirty->pins, 0);
}

static int count_one(struct device *dev, void *count)
{
	++*(int *)count;
	return 0;
}

void miglab_dirty_open(struct miglab_device *m)
{
	struct iommu_group *group = iommu_group_get(&to_pci(m)->core.pdev->dev);
	int devices = 0;

	if (group)
		iommu_group_for_each_dev(group, &devices, count_one);
	iommu_group_put(group);
	to_pci(m)->dirty.alone = devices == 1;
	if (!to_pci(m)->dirty.alone)
		pci_info_ratelimited(to_pci(m)->core.pdev, "shares its IOMMU group: type1 takes all memory as dirty\n");
}

/*
 * To pin a page is to tell type1 that it is dirty; while it is pinned it stays so. Returns
 * false for what is no page of memory.
 */
static bool pin_for_a_moment(struct miglab_device *m, u64 iova)
{
	struct vfio_device *vdev = &to_pci(m)->core.vdev;
	struct page *page;
	bool pinned;

	atomic_inc(&to_pci(m)->dirty.pins);
	pinned = vfio_pin_pages(vdev, iova, 1, IOMMU_WRITE, &page) == 1;
	if (pinned)
		vfio_unpin_pages(vdev, iova, 1);
	if (atomic_dec_and_test(&to_pci(m)->dirty.pins))
		wake_up_all(&to_pci(m)->dirty.wait);
	return pinned;
}

/*
 * Another function's memory is written peer to peer: that is for its model to know. An iommufd
 * maps no memory of our functions, and may take its domain away while this looks.
 */
static void tell_peer(struct miglab_device *m, u64 iova)
{
	struct iommu_domain *domain;
	phys_addr_t at;

	if (to_pci(m)->access)
		return;
	domain = iommu_get_domain_for_dev(&to_pci(m)->core.pdev->dev);
	if (!domain)
		return;
	at = iommu_iova_to_phys(domain, iova);
	if (at)
		miglab_bar_written(at);
}

void miglab_dirty_dma(struct miglab_device *m, u64 iova, u64 len)
{
	u64 n;

	for (; len; iova += n, len -= n) {
		n = min_t(u64, len, PAGE_SIZE - offset_in_page(iova));
		miglab_log_written(&m->dirty, iova, n);
		if (!to_pci(m)->dirty.alone || !pin_for_a_moment(m, iova & PAGE_MASK))
			tell_peer(m, iova);
	}
}

/*
 * type1 unmaps nothing that is pinned. It calls this with a lock held that another open
 * or close in the same container may wait for with the lock that an unpinning needs: so
 * this waits for a bounded time, after which type1 lets both go on, and asks again.
 */
void miglab_dirty_unmap(struct vfio_device *vdev, u64 iova, u64 len)
{
	struct miglab_dirty *dirty = &pci_from_vfio(vdev)->dirty;

	wait_event_timeout(dirty->wait, !atomic_read(&dirty->pins), HZ);
}
