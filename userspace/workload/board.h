/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest finds of its devices: registers, memory behind a BAR, an interrupt.
 * Private to the workloads.
 */
#ifndef MIGLAB_WORKLOAD_BOARD_H
#define MIGLAB_WORKLOAD_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "device/memory.h"
#include "device/ops.h"

/* What is written and compared at a time, and how many of them one after the other. */
#define BOARD_SLOT	MEMORY_PAGE
#define BOARD_SLOTS	4u

struct board {
	struct memory *memory;

	struct device *edu;	/* NULL: the workload needs none */
	uint64_t registers;	/* where its BAR 0 is, for pread() */
	int irq, wake;		/* eventfds: its interrupt, and whoever wants the thread */

	struct device *bar;	/* NULL: none */
	uint8_t *bytes;		/* @bar_size of them, mapped */
	uint64_t bar_size;
	uint64_t bar_iova;	/* where edu finds them; 0: nowhere */
};

/* The first edu among @devices, with memory and bus mastering on and its MSI on @irq. */
int board_find_edu(struct board *b, struct device *const *devices, unsigned int count,
		   struct error *err);

/* The first of @devices with a BAR that can be mapped: its largest one. */
int board_find_bar(struct board *b, struct device *const *devices, unsigned int count,
		   struct error *err);

/* Lets edu, whose DMA reaches @reach bytes from 0, reach the BAR behind the memory. */
int board_join(struct board *b, uint64_t reach, struct error *err);

void board_close(struct board *b);

/* edu's registers; -errno of the access. */
int board_read(const struct board *b, uint32_t offset, uint32_t *ret_value);
int board_write(const struct board *b, uint32_t offset, uint32_t value);

#endif
