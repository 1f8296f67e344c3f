/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whole buffers over a connection that blocks: for workers.
 */
#ifndef MIGLAB_VMM_TRANSFER_H
#define MIGLAB_VMM_TRANSFER_H

#include <stddef.h>
#include <stdint.h>

/* All of it, or what write(2) says. */
int transfer_send(int fd, const uint8_t *bytes, size_t len);

/* All of it; -EPIPE when the connection ends before, or what read(2) says. */
int transfer_receive(int fd, uint8_t *bytes, size_t len);

#endif
