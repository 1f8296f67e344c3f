/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Announcements that are answered: a VMM with the capability x-prepare-ack waits before the ioctl
 * until who promised so has answered, for at most its own bound.
 */
#ifndef MIGLAB_GUARD_PROMISE_H
#define MIGLAB_GUARD_PROMISE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "qmp/client.h"

/**
 * guard_promise() - promise to answer each announcement, if this VMM waits for that
 * @ret_promised: false for one that does not know the capability, or does not take it now
 *
 * Return: 0, or what qmp_client_call() says of a connection that does not work.
 */
int guard_promise(struct qmp_client *vmm, uint64_t deadline_ns, bool *ret_promised,
		  struct error *err);

/* Does a VFIO_MIGRATION event with this device-state announce a change of state? */
bool guard_is_announcement(const char *state);

/*
 * The announcement of device @id is heeded; @seq: its member x-seq, which stays the caller's, or
 * NULL. As qmp_client_call().
 */
int guard_answer(struct qmp_client *vmm, const char *id, struct json_object *seq,
		 uint64_t deadline_ns, struct error *err);

#endif
