/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A listening socket of an event loop.
 */
#ifndef MIGLAB_BASE_LISTENER_H
#define MIGLAB_BASE_LISTENER_H

#include "base/address.h"
#include "base/error.h"
#include "base/loop.h"

struct listener;

/* Gets each connection: it does not block, is closed on exec, and is @fn's own from then on. */
typedef void (*listener_fn)(void *opaque, int fd);

/**
 * listener_new() - listen, and accept in the loop
 * @queue: connections that may wait for accept(2)
 *
 * A UNIX socket is its owner's alone (0600). One that refuses connections is left over
 * from an earlier process and is replaced. When accepting fails, say for want of
 * descriptors, it pauses for a moment.
 *
 * Return: 0, -EADDRINUSE when somebody listens there, -EEXIST when PATH is something
 * else, -ENOMEM, or what the system says.
 */
int listener_new(struct loop *loop, const struct address *address, int queue, listener_fn fn,
		 void *opaque, struct listener **ret_listener, struct error *err);

/*
 * Removes its UNIX socket, too, unless another one has taken its place. Also from @fn. NULL is
 * allowed.
 */
void listener_free(struct listener *listener);

#endif
