/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A listening address and the connections to it that have not found their place
 * yet: each has to say with a HELLO what it is for.
 *
 * All functions belong to the loop's thread, and none waits for a guest.
 */
#ifndef MIGLAB_VMM_GUESTS_H
#define MIGLAB_VMM_GUESTS_H

#include <stdint.h>

#include "base/error.h"
#include "base/listener.h"
#include "base/log.h"
#include "vmm/framing.h"

/* Connections at once: a migration's own, and some strangers. */
#define GUESTS_MAX	(HELLO_DEVICES_MAX + 8)

struct guest;

enum admission {
	GUEST_TAKEN,	/* the descriptor is the callee's */
	GUEST_REFUSED,	/* it is closed */
	GUEST_EARLY,	/* asked again when another one was taken */
};

/* A guest has introduced itself. May call guests_close(). */
typedef enum admission (*guest_fn)(void *opaque, int fd, const struct hello *hello);

/* All zero when closed. */
struct guests {
	struct loop *loop;
	struct listener *listener;	/* NULL: closed */
	const char *where;		/* the address, for messages */
	guest_fn admit;
	void *opaque;
	struct guest *guest[GUESTS_MAX];
	struct log_limit strangers, turned_away, idle;	/* how often they are spoken of */
};

/* @address outlives it. Errors are those of listener_new(). */
int guests_open(struct guests *g, struct loop *loop, const struct address *address, guest_fn admit,
		void *opaque, struct error *err);

/* Sends everybody away. Nothing when closed. */
void guests_close(struct guests *g);

/* Sends away who has been of no use for longer than @timeout_ns. */
void guests_expire(struct guests *g, uint64_t timeout_ns);

#endif
