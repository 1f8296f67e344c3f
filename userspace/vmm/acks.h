/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is to answer an announcement before its ioctl may begin. A subscriber that does
 * not answer in time costs that time once: it is none from then on.
 *
 * Belongs to the loop's thread and waits for nobody.
 */
#ifndef MIGLAB_VMM_ACKS_H
#define MIGLAB_VMM_ACKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "qmp/server.h"
#include "vmm/coordinator.h"

struct acks_handler {
	/* @client has answered for @device, or (!@answered) did not within the bound. */
	void (*heard)(void *opaque, unsigned int device, uint64_t client, bool answered,
		      uint64_t elapsed_ns);
	/* Nobody has to answer for @device any more. Once for each acks_begin(). */
	void (*ready)(void *opaque, unsigned int device);
};

struct acks {
	struct loop *loop;
	const struct acks_handler *handler;
	void *opaque;
	uint64_t client[QMP_CLIENTS_MAX];	/* who has subscribed; 0: free */
	struct announcement {
		struct acks *acks;
		struct loop_timer *bound;	/* NULL: no answer is due */
		uint64_t seq;			/* its number */
		uint64_t begin_ns;
		uint64_t due[QMP_CLIENTS_MAX];	/* clients; 0: none, or it answered */
	} device[VMM_DEVICES_MAX];
};

void acks_init(struct acks *a, struct loop *loop, const struct acks_handler *handler,
	       void *opaque);
/* No answer is due any more, and nobody is told. */
void acks_clear(struct acks *a);

/* One client's promise to answer each announcement from now on. */
void acks_subscribe(struct acks *a, uint64_t client);
/* The promise is taken back; answers that are due stay due. */
void acks_unsubscribe(struct acks *a, uint64_t client);
bool acks_subscribed(const struct acks *a, uint64_t client);
bool acks_wanted(const struct acks *a);
/* Forgets those that are not connected to @server any more. */
void acks_purge(struct acks *a, const struct qmp_server *server);

/* @device was announced with number @seq, and at least one client has subscribed. -ENOMEM. */
int acks_begin(struct acks *a, unsigned int device, uint64_t seq, uint64_t bound_ns);

/*
 * False when no answer of @client to announcement @seq is due for @device: a late one to an
 * older announcement is none to this one.
 */
bool acks_answer(struct acks *a, unsigned int device, uint64_t seq, uint64_t client);

#endif
