/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An edu function and the memory that it reaches, the same for all of them, as a guest's
 * devices reach the same memory.
 */
#ifndef TESTS_VM_EDU_H
#define TESTS_VM_EDU_H

#include <linux/vfio.h>

#include "core/edu.h"
#include "lab.h"

#define RAM_BYTES	65536u
#define RAM_IOVA	0x100000u

/* The parts of the memory that the rows use. */
enum { SOURCE = 0, TARGET = 0x2000, OTHER = 0x4000 };

/* Counters of the attribute "stats". */
enum counter { DMA_DONE, DMA_FAILED, DMA_HELD, DMA_REFUSED, DMA_CORRECTED, NR_COUNTERS };

struct edu {
	struct device *dev;
	int fd, container, event;
	uint64_t bar, config;
	uint64_t counted[NR_COUNTERS];	/* when it was opened */
};

extern unsigned char *ram;

/* The setup and the teardown of a group: there is memory. */
int setup_ram(void **state);
int teardown_ram(void **state);

/* Function @index, quiet and enabled, which reaches the memory. */
void open_edu(struct edu *e, unsigned int index);
/* @size bytes at @vaddr are at @iova for it. */
void map_for_edu(struct edu *e, void *vaddr, uint64_t iova, uint64_t size);
void set_edu_command(struct edu *e, uint16_t command);
uint64_t since_open(struct edu *e, enum counter counter);

/* Its registers. */
uint64_t get(struct edu *e, uint64_t at, size_t size);
void put(struct edu *e, uint64_t at, uint64_t value, size_t size);
/* Waits until these bits are clear; fails after a minute. */
void wait_clear(struct edu *e, uint64_t at, size_t size, uint64_t bits);

/* Gives a command for @count bytes at @iova; transfer() also waits until it is done. */
void give(struct edu *e, uint64_t iova, uint32_t buffer, uint32_t count, uint32_t cmd);
void transfer(struct edu *e, uint64_t iova, uint32_t buffer, uint32_t count, uint32_t cmd);

/* Noise to @count bytes of the memory. */
void fill_ram(uint32_t at, uint32_t count, unsigned int seed);

#endif
