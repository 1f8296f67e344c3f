/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A listening UNIX socket, named as QEMU's -qmp option names it.
 */
#ifndef MIGLAB_QMP_LISTENER_H
#define MIGLAB_QMP_LISTENER_H

#include <sys/un.h>

#include "base/error.h"

struct qmp_listener {
	int fd;			/* does not block */
	struct sockaddr_un address;
};

/*
 * "unix:PATH" into an address: -EINVAL for another scheme, -ENAMETOOLONG. QEMU's
 * options server=on and wait=off may follow, each after a comma.
 */
int qmp_address_parse(const char *uri, struct sockaddr_un *ret_address, struct error *err);

/*
 * Listens. A socket that refuses connections is left over from an earlier process
 * and is replaced. -EADDRINUSE when somebody listens there, -EEXIST when PATH is
 * something else, or what the system says.
 */
int qmp_listener_open(struct qmp_listener *listener, const char *uri, struct error *err);
/* Removes the socket, too. */
void qmp_listener_close(struct qmp_listener *listener);

#endif
