// SPDX-License-Identifier: GPL-2.0-only
#include <linux/gfp.h>
#include <linux/iommu.h>

#include "lend.h"

/*
 * The highest page below @limit that is not mapped; 0: none, for that one is never lent. Nothing
 * keeps the user from changing his mappings meanwhile: see lend.h.
 */
static u64 find_hole(struct iommu_domain *domain, u64 limit)
{
	u64 iova = round_down(limit, PAGE_SIZE);

	while (iova) {
		iova -= PAGE_SIZE;
		if (!iommu_iova_to_phys(domain, iova))
			break;
		cond_resched();
	}
	return iova;
}

static int map_page(struct miglab_device *m, u64 limit, struct miglab_loan *loan)
{
	/* Others of its group could take its page tables away. */
	if (!to_pci(m)->dirty.alone)
		return -ENODEV;
	loan->domain = iommu_get_domain_for_dev(&to_pci(m)->core.pdev->dev);
	if (!loan->domain || !(loan->domain->type & __IOMMU_DOMAIN_PAGING))
		return -ENODEV;
	loan->iova = find_hole(loan->domain, limit);
	if (!loan->iova)
		return -ENOSPC;
	return iommu_map(loan->domain, loan->iova, virt_to_phys(loan->bytes), PAGE_SIZE,
			 IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE, GFP_KERNEL_ACCOUNT);
}

int miglab_lend(struct miglab_device *m, u64 limit, struct miglab_loan *ret_loan)
{
	struct miglab_loan loan = { .bytes = (u8 *)get_zeroed_page(GFP_KERNEL_ACCOUNT) };
	int ret;

	if (!loan.bytes)
		return -ENOMEM;
	if (!mutex_trylock(&to_pci(m)->attach_lock)) {
		ret = -EBUSY;
		goto out_free;
	}
	ret = map_page(m, limit, &loan);
	if (ret)
		goto out_unlock;
	*ret_loan = loan;
	return 0;

out_unlock:
	mutex_unlock(&to_pci(m)->attach_lock);
out_free:
	free_page((unsigned long)loan.bytes);
	return ret;
}

void miglab_end_loan(struct miglab_device *m, struct miglab_loan *loan)
{
	iommu_unmap(loan->domain, loan->iova, PAGE_SIZE);
	mutex_unlock(&to_pci(m)->attach_lock);
	free_page((unsigned long)loan->bytes);
}
