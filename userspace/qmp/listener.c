// SPDX-License-Identifier: GPL-2.0-only
#include "qmp/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCHEME	"unix:"
#define QUEUE	16		/* connections that wait for accept(2) */

static int check_options(const char *options, struct error *err)
{
	static const char *const known[] = { ",server=on", ",server", ",wait=off", ",nowait" };
	size_t len, i;

	for (; *options; options += len) {
		len = 1 + strcspn(options + 1, ",");
		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (strlen(known[i]) == len && !strncmp(options, known[i], len))
				break;
		if (i == sizeof(known) / sizeof(known[0]))
			return error_set(err, -EINVAL, "qmp: unknown option '%.*s', write "
					 "unix:PATH[,server=on][,wait=off]", (int)len - 1,
					 options + 1);
	}
	return 0;
}

int qmp_address_parse(const char *uri, struct sockaddr_un *ret_address, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = uri + strlen(SCHEME);
	size_t len;
	int ret;

	if (strncmp(uri, SCHEME, strlen(SCHEME)) || !*path || *path == ',')
		return error_set(err, -EINVAL, "qmp: '%s' is no socket address, write unix:PATH",
				 uri);

	len = strcspn(path, ",");
	if (len >= sizeof(address.sun_path))
		return error_set(err, -ENAMETOOLONG, "qmp: the socket path has %zu bytes and %zu "
				 "fit, choose a shorter one", len, sizeof(address.sun_path) - 1);
	ret = check_options(path + len, err);
	if (ret)
		return ret;

	memcpy(address.sun_path, path, len);
	*ret_address = address;
	return 0;
}

/* 0 when there is nothing at the path (any more). */
static int remove_stale(const struct sockaddr_un *address, struct error *err)
{
	const char *path = address->sun_path;
	struct stat st;
	int fd, ret;

	if (lstat(path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, -EEXIST, "qmp: %s exists and is no socket, choose another "
				 "path", path);

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(err, -errno, "qmp: socket: %s", strerror(errno));
	ret = connect(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;
	close(fd);

	if (ret && ret != -EAGAIN && ret != -ECONNREFUSED)
		return error_set(err, ret, "qmp: cannot tell whether %s is in use: %s", path,
				 strerror(-ret));
	if (ret != -ECONNREFUSED)
		return error_set(err, -EADDRINUSE, "qmp: another process listens at %s, choose "
				 "another path", path);
	if (unlink(path) && errno != ENOENT)
		return error_set(err, -errno, "qmp: cannot replace the stale socket %s: %s", path,
				 strerror(errno));
	return 0;
}

int qmp_listener_open(struct qmp_listener *listener, const char *uri, struct error *err)
{
	struct sockaddr_un address;
	int fd, ret;

	ret = qmp_address_parse(uri, &address, err) ?: remove_stale(&address, err);
	if (ret)
		return ret;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(err, -errno, "qmp: socket: %s", strerror(errno));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		ret = error_set(err, -errno, "qmp: cannot create the socket %s: %s",
				address.sun_path, strerror(errno));
		goto out_close;
	}
	if (listen(fd, QUEUE)) {
		ret = error_set(err, -errno, "qmp: cannot listen at %s: %s", address.sun_path,
				strerror(errno));
		goto out_unlink;
	}
	listener->fd = fd;
	listener->address = address;
	return 0;

out_unlink:
	unlink(address.sun_path);
out_close:
	close(fd);
	return ret;
}

void qmp_listener_close(struct qmp_listener *listener)
{
	close(listener->fd);
	unlink(listener->address.sun_path);
}
