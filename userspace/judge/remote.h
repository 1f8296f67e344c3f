/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The attributes of emulated devices in another process: struct lab over the QMP
 * commands x-miglab-read and x-miglab-write of `miglab run`. One connection serves all
 * devices of a VMM; what is leased through it ends with it.
 */
#ifndef MIGLAB_JUDGE_REMOTE_H
#define MIGLAB_JUDGE_REMOTE_H

#include <stdint.h>

#include "base/error.h"
#include "device/lab.h"

struct remote;

/*
 * Connects to the VMM at @uri, "unix:PATH". @deadline_ns: CLOCK_MONOTONIC. Returns what
 * qmp_client_connect() says.
 */
int remote_connect(const char *uri, uint64_t deadline_ns, struct remote **ret_remote,
		   struct error *err);
/* Once its labs are closed. NULL is allowed. */
void remote_free(struct remote *remote);

/*
 * For poll(2): readable means that remote_drain() has something to do; -1 when the connection
 * has ended. The VMM sends its events here as well, and they must be read by somebody.
 */
int remote_fd(const struct remote *remote);
/* Throws away the events that are here. Does not wait. */
void remote_drain(struct remote *remote);

/**
 * lab_open_remote() - attributes of device @id of the VMM
 * @remote: outlives the lab
 *
 * An operation waits for the VMM's control thread, at most five seconds.
 *
 * Return: 0, -ENOMEM, -ENODEV when the VMM knows no such device or no such command, or
 * what the first read says.
 */
int lab_open_remote(struct remote *remote, const char *id, struct lab **ret_lab,
		    struct error *err);

#endif
