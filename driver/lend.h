/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of the kernel's that a function reaches by DMA for a moment, through the page
 * tables of its user: at an address that the user has not mapped.
 *
 * A mapping that the user asks for at that address meanwhile is refused with EADDRINUSE, or, on
 * kernels that do not look (6.12), warned of and void. So only for hosts whose root wants it.
 */
#ifndef MIGLAB_LEND_H
#define MIGLAB_LEND_H

#include "device.h"

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
 * attached to now: attaching and detaching wait. May sleep; killable.
 *
 * Return: 0; -ENODEV when the function has no page tables of its user's, -ENOSPC when he
 * has mapped all below @limit, -EINTR, -ENOMEM, or what the IOMMU says.
 */
int miglab_lend(struct miglab_device *m, u64 limit, struct miglab_loan *ret_loan);

/* The function, whatever it does, does not reach the page any more. */
void miglab_end_loan(struct miglab_device *m, struct miglab_loan *loan);

#endif
