/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A thread for each device, and one for the memory: the only place that calls operations
 * which a device or a peer can delay. It carries out one command at a time.
 */
#ifndef MIGLAB_VMM_WORKER_H
#define MIGLAB_VMM_WORKER_H

#include <stdbool.h>

#include "base/loop.h"
#include "vmm/work.h"

struct worker;
struct worker_pool;

/* The answers of all workers, in the order in which they came. @loop is woken for each. -ENOMEM. */
int worker_pool_new(struct loop *loop, struct worker_pool **ret_pool);
/* After worker_free() of all its workers. NULL is allowed. */
void worker_pool_free(struct worker_pool *pool);

/* mover_do() or ram_mover_do(). */
typedef void (*work_fn)(void *mover, const struct work *work, struct work_result *ret_result);

/* @mover stays the caller's, and is used by the worker alone while a command is at work. */
int worker_new(struct worker_pool *pool, work_fn run, void *mover, unsigned int index,
	       struct worker **ret_worker);

/* Ends the thread of an idle worker. NULL is allowed. */
void worker_free(struct worker *worker);

/* Never blocks. The worker is idle: its last answer was taken. */
void worker_post(struct worker *worker, const struct work *work);

/* The next answer and whose it is; false when there is none. */
bool worker_pool_take(struct worker_pool *pool, unsigned int *ret_index,
		      struct work_result *ret_result);

#endif
