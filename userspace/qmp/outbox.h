/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a socket did not take yet. Sending never blocks, and never raises SIGPIPE.
 */
#ifndef MIGLAB_QMP_OUTBOX_H
#define MIGLAB_QMP_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

struct outbox {
	char *data;
	size_t head;		/* sent up to here */
	size_t end;
	size_t capacity;
};

/* Something waits for POLLOUT. */
static inline bool outbox_pending(const struct outbox *box)
{
	return box->head < box->end;
}

/*
 * Hands @data to the kernel before it returns, as far as the socket has room and
 * nothing older waits; the rest is kept. -ENOBUFS when more than @max bytes would
 * wait, -ENOMEM, or what send(2) says.
 */
int outbox_send(struct outbox *box, int fd, const char *data, size_t len, size_t max);

/* Sends what waits, as far as there is room: 0, or what send(2) says. */
int outbox_flush(struct outbox *box, int fd);

void outbox_cleanup(struct outbox *box);

#endif
