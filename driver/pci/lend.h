/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of the kernel's that a function reaches by DMA for a moment, through the page
 * tables of its user: at an address that the user has not mapped.
 *
 * Its user must be trusted: the owner of the page tables, type1 or iommufd, does not know of it.
 * A mapping that is asked for at that address meanwhile is refused with EADDRINUSE, or, on kernels
 * that do not look (6.12), spoils counts of pages; and the search for the address reads page
 * tables that an unmap may be freeing. So only where root asks for it.
 */
#ifndef MIGLAB_LEND_H
#define MIGLAB_LEND_H

#include "pci.h"

struct iommu_domain;

#define MIGLAB_LOAN_BYTES	PAGE_SIZE

struct miglab_loan {
	u8 *bytes;		/* MIGLAB_LOAN_BYTES, zeroes at first; the caller's until its end */
	u64 iova;		/* where the function reaches them */
	struct iommu_domain *domain;
};

/**
 * miglab_lend() - let the function of an open device reach a page of zeroes
 * @limit: the page is wholly below
 *
 * Until miglab_end_loan(), which the same thread calls, the device is attached to what it is
 * attached to now: attaching and detaching wait. May sleep.
 *
 * Return: 0; -ENODEV when the function has no page tables of its user's or shares its IOMMU
 * group, -EBUSY when it is being attached, -ENOSPC when all below @limit is mapped, -ENOMEM,
 * or what the IOMMU says.
 */
int miglab_lend(struct miglab_device *m, u64 limit, struct miglab_loan *ret_loan);

/* The function, whatever it does, does not reach the page any more. */
void miglab_end_loan(struct miglab_device *m, struct miglab_loan *loan);

#endif
