// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/wire.h"

#include <errno.h>
#include <sys/socket.h>

int wire_send(int fd, const uint8_t *frame, size_t len)
{
	ssize_t n = send(fd, frame, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -ENOBUFS;
}

int wire_receive(int fd, struct frame_reader *r)
{
	uint8_t *at;
	size_t want = frame_want(r, &at);
	ssize_t n;

	do {
		n = recv(fd, at, want, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? frame_got(r, n) : -EPIPE;
}
