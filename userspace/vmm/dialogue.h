/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What source and destination have said to each other in one migration, and what
 * follows from it. Pure.
 */
#ifndef MIGLAB_VMM_DIALOGUE_H
#define MIGLAB_VMM_DIALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/message.h"

/* Made anew for each migration: all zero but @outgoing and @with_ack. */
struct dialogue {
	bool outgoing;		/* this machine is the source */
	bool with_ack;		/* capability switchover-ack */
	bool committed;		/* MSG_DONE was sent: no way back by cancel */
	bool peer_running;	/* of MSG_DONE: the source was running */
	uint32_t received;	/* bits 1 << enum message, but for MSG_ACK */
};

/*
 * The peer says @message. False when it is not its turn to say so: what comes too
 * early must not count later.
 */
bool dialogue_take(struct dialogue *d, enum message message, bool running);

bool dialogue_heard(const struct dialogue *d, enum message message);

/* The peer has everything, and has not said that it gave up. */
bool dialogue_peer_may_run(const struct dialogue *d);

/* "destination" or "source". */
const char *dialogue_peer(const struct dialogue *d);

/* What the peer is to do, as an infinitive, while @message is awaited. */
const char *dialogue_duty(const struct dialogue *d, enum message message);

/* The same while devices send or take data. */
const char *dialogue_work(const struct dialogue *d);

#endif
