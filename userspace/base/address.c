// SPDX-License-Identifier: GPL-2.0-only
#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define UNIX	"unix:"
#define TCP	"tcp:"

int unix_address(const char *uri, struct address *ret_address, struct error *err)
{
	struct address address = { .len = sizeof(address.un), .un.sun_family = AF_UNIX };
	const char *path = uri + strlen(UNIX);

	if (strncmp(uri, UNIX, strlen(UNIX)) || !*path)
		return error_set(err, -EINVAL, "'%s' is no socket address, write unix:PATH", uri);
	if (strlen(path) >= sizeof(address.un.sun_path))
		return error_set(err, -ENAMETOOLONG,
				 "the socket path has %zu bytes and %zu fit, choose a shorter one",
				 strlen(path), sizeof(address.un.sun_path) - 1);
	strcpy(address.un.sun_path, path);
	strcpy(address.text, path);
	*ret_address = address;
	return 0;
}

/* 0 when @text is none. */
static in_port_t parse_port(const char *text)
{
	unsigned long port = 0;
	char *end;

	if (*text >= '0' && *text <= '9')
		port = strtoul(text, &end, 10);
	return port && port <= 65535 && !*end ? htons(port) : 0;
}

/* "[IPv6]" or IPv4; @host is writable. */
static bool parse_host(char *host, struct address *address)
{
	size_t len = strlen(host);

	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		address->len = sizeof(address->in6);
		address->in6.sin6_family = AF_INET6;
		return inet_pton(AF_INET6, host + 1, &address->in6.sin6_addr) == 1;
	}
	address->len = sizeof(address->in);
	address->in.sin_family = AF_INET;
	return inet_pton(AF_INET, host, &address->in.sin_addr) == 1;
}

static int tcp_address(const char *uri, struct address *ret_address, struct error *err)
{
	const char *text = uri + strlen(TCP), *colon = strrchr(text, ':');
	struct address address = { 0 };
	char host[sizeof(address.text)];
	in_port_t port = colon ? parse_port(colon + 1) : 0;

	if (strlen(text) < sizeof(host) && port) {
		memcpy(host, text, colon - text);
		host[colon - text] = '\0';
		if (parse_host(host, &address)) {
			/* At the same place in both families. */
			address.in.sin_port = port;
			strcpy(address.text, text);
			*ret_address = address;
			return 0;
		}
	}
	return error_set(err, -EINVAL,
			 "'%s' is no address, write tcp:HOST:PORT with HOST as a number: 127.0.0.1 or [::1]",
			 uri);
}

int socket_address(const char *uri, struct address *ret_address, struct error *err)
{
	if (!strncmp(uri, TCP, strlen(TCP)))
		return tcp_address(uri, ret_address, err);
	if (!strncmp(uri, UNIX, strlen(UNIX)))
		return unix_address(uri, ret_address, err);
	return error_set(err, -EINVAL,
			 "'%s' is no socket address, write unix:PATH or tcp:HOST:PORT", uri);
}

bool address_is_local(const struct address *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohl(address->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	if (address->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&address->in6.sin6_addr);
	return true;
}

int address_socket(const struct address *address)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		return -errno;
	if (address->any.sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}
