/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rows in the virtual test host share: bound functions, their
 * attributes, and a device that is in another thread while an arc is held.
 */
#ifndef TESTS_VM_LAB_H
#define TESTS_VM_LAB_H

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <sys/types.h>
#include <linux/vfio.h>
#include <cmocka.h>

#include "device/lab.h"
#include "device/ops.h"

#define STREAM_MAX (4u << 20)

/* Of each wait, against a hang only: a busy host makes a machine slow, and this is far beyond. */
#define PATIENCE_MS	300000
#define PATIENCE_NS	(PATIENCE_MS * NSEC_PER_MSEC)

/* The BDF or UUID of function number @index of $MIGLAB_DEVICES. */
const char *function(unsigned int index);

/* Sets an attribute of function number @index, which need not be open. */
void configure(unsigned int index, const char *name, const char *value);

/* Each asserts; text is to be freed. What a row leaves open, close_functions() closes. */
struct device *open_function(unsigned int index);
/* With the profile of that name; the next open is "full" again. */
struct device *open_profile(unsigned int index, const char *profile);
void close_function(struct device *dev);
int close_functions(void **state);	/* the teardown of every row */
char *attribute(struct device *dev, const char *name);
void set_attribute(struct device *dev, const char *name, const char *text);
void go(struct device *dev, uint32_t state);
int try_state(struct device *dev, uint32_t state);	/* 0 or what the SET failed with */
uint32_t state_of(struct device *dev);
uint64_t stat_of(struct device *dev, const char *key);
uint64_t last_seq(struct device *dev);

/* Waits until the attribute `held` names an arc; fails after a minute. */
void wait_held(struct lab *lab);

/* What VFIO says of a region of the device behind @fd. */
struct vfio_region_info region(int fd, unsigned int index);
/* The first @count interrupts of kind @index of that device signal these eventfds from now on. */
void wire_interrupts(int fd, uint32_t index, const int *events, unsigned int count);

/* Reads the session until read() says 0 or -ENOMSG, which is *ret_end; returns the bytes. */
size_t drain(struct device *dev, void *buf, size_t size, ssize_t *ret_end);
/* Writes a whole stream in pieces of at most @piece; 0 or the negative errno of a write. */
int load(struct device *dev, const void *stream, size_t size, size_t piece);

/*
 * Saves @src, with pre-copy if it has that, which ends in STOP, and loads @dst, which ends in
 * RUNNING; the states are equal.
 */
void move_state(struct device *src, struct device *dst);

/* What /proc/self/fd calls a VFIO device and a session. */
#define DEVICE_FD	"anon_inode:[vfio-device]"
#define SESSION_FD	"anon_inode:miglab"

/* This process's first descriptor of that kind but for @other; asserts that there is one. */
int find_descriptor(const char *kind, int other);

/* A SET in a thread of its own. */
struct setter {
	pthread_t thread;
	struct device *dev;
	uint32_t state;
	int result;
};

void setter_start(struct setter *s, struct device *dev, uint32_t state);
int setter_join(struct setter *s);

/* A child whose failed assertions end it, instead of letting it go on with the rows. */
pid_t fork_child(void);
/* Kills it, and returns when it and its descriptors are gone. */
void kill_child(pid_t pid);

#define row(function) cmocka_unit_test_teardown(function, close_functions)

int fsm_rows(void);
int stream_rows(void);
int rules_rows(void);
int arcs_rows(void);
int history_rows(void);
int looks_rows(void);
int faults_rows(void);
int hold_rows(void);
int life_rows(void);
int datafd_rows(void);
int storm_rows(void);
int sweep_rows(void);
int mdev_edu_rows(void);
int mdev_mem_rows(void);
int irq_rows(void);
int msix_rows(void);
int leave_rows(void);
int limits_rows(void);
int memory_rows(void);
int edu_rows(void);
int edu_exact_rows(void);
int p2p_rows(void);
int bar_rows(void);
int bar_states_rows(void);
int bar_dma_rows(void);

#endif
