/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One function through bare ioctls: what the operations of a device hide, the
 * descriptors above all. One at a time; close_raw() is the teardown.
 */
#ifndef TESTS_VM_RAW_H
#define TESTS_VM_RAW_H

#include "lab.h"

#define PAGE_BYTES 4096

/*
 * Opens function number @index with no rules. What comes back serves attribute(),
 * set_attribute(), stat_of() and last_seq() only, until raw_close().
 */
struct device *raw_open(unsigned int index);
void raw_close(void);
int close_raw(void **state);

/* The number @index was opened with. */
const char *raw_bdf(void);

/*
 * SET: 0 or the negative errno. *ret_fd is the data_fd, -1 when there is none, and
 * after a failure always: that is asserted here.
 */
int raw_set(uint32_t state, int *ret_fd);

/* SET that succeeds, returning the data_fd or -1. */
int raw_go(uint32_t state);

/* GET. */
uint32_t raw_state(void);

/* VFIO_DEVICE_RESET and VFIO_DEVICE_PCI_HOT_RESET of the function alone: 0 or negative errno. */
int raw_reset(void);
int raw_hot_reset(void);

/* The function's command register as the user of VFIO sees and sets it. */
uint16_t raw_command(void);
void raw_set_command(uint16_t command);
/* @size bytes from there on; what pwrite() returns, or negative errno. */
ssize_t raw_write_command(const void *buf, size_t size);

/* @size bytes of memory that end where nothing is mapped; never freed. */
unsigned char *at_the_edge(size_t size);

#define raw_row(function) cmocka_unit_test_teardown(function, close_raw)

#endif
