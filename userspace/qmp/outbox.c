// SPDX-License-Identifier: GPL-2.0-only
#include "qmp/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* How much went, 0 when there is no room, or -errno. */
static ssize_t send_some(int fd, const char *data, size_t len)
{
	ssize_t done;

	do
		done = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (done < 0 && errno == EINTR);

	if (done >= 0)
		return done;
	return errno == EAGAIN ? 0 : -errno;
}

static int keep(struct outbox *box, const char *data, size_t len, size_t max)
{
	size_t waiting = box->end - box->head;

	if (len > max - waiting)
		return -ENOBUFS;

	if (box->head) {
		memmove(box->data, box->data + box->head, waiting);
		box->head = 0;
		box->end = waiting;
	}
	if (waiting + len > box->capacity) {
		size_t capacity = 2 * (waiting + len);
		char *grown = realloc(box->data, capacity);

		if (!grown)
			return -ENOMEM;
		box->data = grown;
		box->capacity = capacity;
	}
	memcpy(box->data + waiting, data, len);
	box->end += len;
	return 0;
}

int outbox_send(struct outbox *box, int fd, const char *data, size_t len, size_t max)
{
	ssize_t done = 0;

	if (!outbox_pending(box)) {
		done = send_some(fd, data, len);
		if (done < 0)
			return (int)done;
	}
	return (size_t)done == len ? 0 : keep(box, data + done, len - (size_t)done, max);
}

int outbox_flush(struct outbox *box, int fd)
{
	ssize_t done;

	while (outbox_pending(box)) {
		done = send_some(fd, box->data + box->head, box->end - box->head);
		if (done <= 0)
			return (int)done;
		box->head += (size_t)done;
	}
	box->head = 0;
	box->end = 0;
	return 0;
}

void outbox_cleanup(struct outbox *box)
{
	free(box->data);
	*box = (struct outbox){ 0 };
}
