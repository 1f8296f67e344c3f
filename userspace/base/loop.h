/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The event loop of a control thread: poll(2) over a handful of descriptors and
 * timers. One thread owns a loop; only loop_wake() may be called from others.
 */
#ifndef MIGLAB_BASE_LOOP_H
#define MIGLAB_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_source;
struct loop_timer;

/* @revents as poll(2) gives it. May add and remove sources, its own included. */
typedef void (*loop_fn)(void *opaque, int fd, short revents);
typedef void (*loop_timer_fn)(void *opaque);

/* -ENOMEM, or what eventfd(2) says. */
int loop_new(struct loop **ret_loop);
/* Drops sources and timers that are left; closes no descriptor of theirs. */
void loop_free(struct loop *loop);

/*
 * Calls @fn when @fd has one of @events (POLLIN, POLLOUT), and on POLLHUP and POLLERR.
 * The caller keeps @fd. NULL: no memory.
 */
struct loop_source *loop_add(struct loop *loop, int fd, short events, loop_fn fn, void *opaque);
void loop_events(struct loop_source *source, short events);
/* NULL is allowed. */
void loop_remove(struct loop_source *source);

/*
 * One shot, not before @deadline_ns (CLOCK_MONOTONIC), and behind all that are due.
 * Gone when it fires. NULL: no memory.
 */
struct loop_timer *loop_at(struct loop *loop, uint64_t deadline_ns, loop_timer_fn fn, void *opaque);
/* Before it fired; NULL is allowed. */
void loop_cancel(struct loop_timer *timer);

/* Called in the loop's thread after each loop_wake(); several wakes may melt into one call. */
void loop_on_wake(struct loop *loop, loop_timer_fn fn, void *opaque);
/* From any thread, and from a signal handler. Never blocks. */
void loop_wake(struct loop *loop);

/*
 * Serves until loop_stop(), after which nothing more is called; returns the status
 * given there, or -errno when poll(2) fails. May be called again.
 */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop, int status);

#endif
