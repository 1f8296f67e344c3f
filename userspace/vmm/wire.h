/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Control frames over a socket, without waiting for its other end.
 */
#ifndef MIGLAB_VMM_WIRE_H
#define MIGLAB_VMM_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/framing.h"

/*
 * Sends a whole frame. Control frames are few and small: a socket that has no room for
 * one has a peer that is gone. -ENOBUFS for half of it, or what the system says.
 */
int wire_send(int fd, const uint8_t *frame, size_t len);

/*
 * One recv(2): 1 when a frame is complete, 0 when not yet, -EAGAIN, -EPIPE at the end,
 * -EPROTO for what is no frame, or what the system says.
 */
int wire_receive(int fd, struct frame_reader *r);

#endif
