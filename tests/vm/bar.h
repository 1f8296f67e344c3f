/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two functions with the model bar, open, their memory mapped: what is in the source's
 * moves to the destination. BAR 2 of both is memory of one size.
 */
#ifndef TESTS_VM_BAR_H
#define TESTS_VM_BAR_H

#include <linux/vfio.h>

#include "core/stream.h"
#include "lab.h"

#define PAGE		4096u
#define BAR_INDEX	2

struct memory {
	struct device *dev;
	int fd;				/* of the device */
	struct vfio_region_info info;	/* of the BAR */
	unsigned char *map;		/* all of it */
};

extern struct memory src, dst;

/* The setup and the teardown of each row. */
int open_both(void **state);
int close_both(void **state);

#define bar_row(function) cmocka_unit_test_setup_teardown(function, open_both, close_both)

uint64_t pages(void);	/* of the memory */

/* One more mapping. */
unsigned char *map_pages(const struct memory *m, uint64_t first, uint64_t count);

/* Noise that depends on the seed. */
void fill(struct memory *m, uint64_t seed);

void reset_memory(struct memory *m);	/* VFIO_DEVICE_RESET */

uint16_t command_of(const struct memory *m);
void set_command(const struct memory *m, uint16_t command);

/*
 * A migration: begin() is up to the first end of the data, so that everything was sent
 * once; pump() moves what there is for now and returns its bytes; end() moves the rest, and both
 * devices are in STOP; end_refused() does that too, but the destination refuses it and keeps
 * its memory, which differs.
 */
void begin(void);
uint64_t pump(ssize_t *ret_end);
ssize_t pump_once(void);	/* one read() of it, or what that returned instead */
void end(void);
void end_refused(void);

uint64_t dirty_bytes(void);	/* of the source, whose initial_bytes are 0 */

bool same_fingerprints(void);
void assert_moved(void);

#endif
