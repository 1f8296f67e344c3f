/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The attributes of an emulated device in another process: struct lab over the
 * QMP commands x-miglab-read and x-miglab-write of `miglab run`.
 */
#ifndef MIGLAB_JUDGE_REMOTE_H
#define MIGLAB_JUDGE_REMOTE_H

#include <stdint.h>

#include "base/error.h"
#include "device/lab.h"

/**
 * lab_open_remote() - attributes of device @id of the VMM at @uri
 * @uri: "unix:PATH"; gets a connection of its own
 * @deadline_ns: CLOCK_MONOTONIC, for connecting
 *
 * An operation waits for the VMM's control thread, at most five seconds.
 *
 * Return: 0, -ENODEV when the VMM knows no such device or no such command, or what
 * qmp_client_connect() or the first read says.
 */
int lab_open_remote(const char *uri, const char *id, uint64_t deadline_ns, struct lab **ret_lab,
		    struct error *err);

#endif
