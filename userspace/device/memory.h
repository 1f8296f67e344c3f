/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of a guest: what devices reach by DMA, and the program where a guest's
 * processors would. Of the pages that the program writes it keeps a record; what
 * devices write they record themselves.
 */
#ifndef MIGLAB_DEVICE_MEMORY_H
#define MIGLAB_DEVICE_MEMORY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define MEMORY_PAGE	4096u
/* Below the addresses that a PC's IOMMU keeps for interrupts, with room for some BARs. */
#define MEMORY_SIZE_MAX	(3ull << 30)

/* It begins at address 0 of the guest, and of each device. */
struct memory {
	uint8_t *bytes;
	uint64_t size;		/* a multiple of MEMORY_PAGE */
	atomic_ullong *written;	/* a bit for each page, since the last memory_collect() */
};

/* Words of a bitmap that has a bit for each page of @size bytes. */
size_t memory_bitmap_words(uint64_t size);

/*
 * All zero. -EINVAL when @size is 0, no multiple of MEMORY_PAGE or above MEMORY_SIZE_MAX;
 * -ENOMEM. It outlives the devices that it was mapped for.
 */
int memory_new(uint64_t size, struct memory **ret_memory, struct error *err);
/* NULL is allowed. */
void memory_free(struct memory *m);

/*
 * Copies @len bytes to address @at, and records the pages after the bytes are there: who
 * collects first and reads then misses nothing. Any thread. The range is the caller's to check.
 */
void memory_write(struct memory *m, uint64_t at, const void *bytes, size_t len);

/* Adds what was written since the last call to @bitmap, and forgets it. Any thread. */
void memory_collect(struct memory *m, uint64_t *bitmap);

#endif
