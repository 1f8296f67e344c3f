// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/transfer.h"

#include <errno.h>
#include <unistd.h>

int transfer_send(int fd, const uint8_t *bytes, size_t len)
{
	for (size_t done = 0; done < len; ) {
		ssize_t n = write(fd, bytes + done, len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? n : 0;
	}
	return 0;
}

int transfer_receive(int fd, uint8_t *bytes, size_t len)
{
	for (size_t done = 0; done < len; ) {
		ssize_t n = read(fd, bytes + done, len - done);

		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? n : 0;
	}
	return 0;
}
