/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Carries out one command on the machine's memory, as a mover does on a device: the same
 * states and commands, so that memory migrates as one device more, after the others on the
 * way in and with them on the way out. Blocks as long as it takes.
 *
 * What devices wrote is asked of them, last when all of them have stopped. What stands for
 * the processors goes and stands at its command.
 */
#ifndef MIGLAB_VMM_RAM_MOVER_H
#define MIGLAB_VMM_RAM_MOVER_H

#include <stdbool.h>

#include "device/memory.h"
#include "vmm/ram.h"
#include "vmm/work.h"
#include "workload/workload.h"

struct ram_mover {
	struct memory *memory;
	struct device *const *devices;	/* @count of them, which have the memory mapped */
	unsigned int count;
	struct workload *workload;	/* NULL: there are no processors */
	struct ram ram;
	uint64_t *written;	/* a bitmap of ram_words() */
	uint8_t *buf;		/* one frame */
	uint32_t state;		/* enum vfio_device_mig_state */
	unsigned int tracking;	/* so many of the devices record what they write */
};

/* All outlive it; @workload may be NULL. -ENOMEM. */
int ram_mover_init(struct ram_mover *m, struct memory *memory, struct device *const *devices,
		   unsigned int count, struct workload *workload);
void ram_mover_fini(struct ram_mover *m);

/* As mover_do(); @mover is a struct ram_mover. */
void ram_mover_do(void *mover, const struct work *work, struct work_result *ret_result);

#endif
