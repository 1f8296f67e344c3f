/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a stream socket connects to or listens.
 */
#ifndef MIGLAB_BASE_ADDRESS_H
#define MIGLAB_BASE_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"

struct address {
	socklen_t len;
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	char text[sizeof(((struct sockaddr_un *)0)->sun_path)];	/* PATH or HOST:PORT */
};

/* "unix:PATH" into an address: -EINVAL for another scheme, -ENAMETOOLONG. */
int unix_address(const char *uri, struct address *ret_address, struct error *err);

/*
 * "unix:PATH" or "tcp:HOST:PORT", as above. HOST is a number, an IPv6 one in
 * brackets: looking names up would block. PORT is 1 to 65535.
 */
int socket_address(const char *uri, struct address *ret_address, struct error *err);

/* Can only this host reach it? A UNIX socket, or one of the loopback device. */
bool address_is_local(const struct address *address);

/* A socket for @address that does not block, delays nothing and is closed on exec, or -errno. */
int address_socket(const struct address *address);

#endif
