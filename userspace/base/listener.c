// SPDX-License-Identifier: GPL-2.0-only
#include "base/listener.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define SCHEME		"unix:"
#define PAUSE_NS	(100 * NSEC_PER_MSEC)	/* after accept(2) failed */

struct listener {
	struct loop *loop;
	int fd;
	struct sockaddr_un address;
	struct loop_source *source;
	struct loop_timer *pause;
	bool failing;			/* accept(2) did, which was logged */
	listener_fn fn;
	void *opaque;
};

int unix_address(const char *uri, struct sockaddr_un *ret_address, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = uri + strlen(SCHEME);

	if (strncmp(uri, SCHEME, strlen(SCHEME)) || !*path)
		return error_set(err, -EINVAL, "'%s' is no socket address, write unix:PATH", uri);
	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, -ENAMETOOLONG,
				 "the socket path has %zu bytes and %zu fit, choose a shorter one",
				 strlen(path), sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	*ret_address = address;
	return 0;
}

static int new_socket(struct error *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? error_set(err, -errno, "no socket: %s", strerror(errno)) : fd;
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
		return error_set(err, -EEXIST, "%s exists and is no socket, choose another path",
				 path);
	fd = new_socket(err);
	if (fd < 0)
		return fd;
	ret = connect(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;
	close(fd);

	if (ret && ret != -EAGAIN && ret != -ECONNREFUSED)
		return error_set(err, ret, "cannot tell whether %s is in use: %s", path,
				 strerror(-ret));
	if (ret != -ECONNREFUSED)
		return error_set(err, -EADDRINUSE,
				 "another process listens at %s, choose another path", path);
	if (unlink(path) && errno != ENOENT)
		return error_set(err, -errno, "cannot replace the stale socket %s: %s", path,
				 strerror(errno));
	return 0;
}

static int open_socket(const struct sockaddr_un *address, int queue, int *ret_fd,
		       struct error *err)
{
	int fd = new_socket(err), ret;

	if (fd < 0)
		return fd;
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address))) {
		ret = error_set(err, -errno, "cannot create the socket %s: %s", address->sun_path,
				strerror(errno));
		goto out_close;
	}
	if (listen(fd, queue)) {
		ret = error_set(err, -errno, "cannot listen at %s: %s", address->sun_path,
				strerror(errno));
		goto out_unlink;
	}
	*ret_fd = fd;
	return 0;

out_unlink:
	unlink(address->sun_path);
out_close:
	close(fd);
	return ret;
}

static void resume(void *opaque)
{
	struct listener *l = opaque;

	l->pause = NULL;
	loop_events(l->source, POLLIN);
}

/* The connection stays in the queue: without a pause, the loop would spin. */
static void pause_accepting(struct listener *l)
{
	if (!l->failing)
		log_warn("%s: cannot accept a connection: %s", l->address.sun_path,
			 strerror(errno));
	l->failing = true;
	l->pause = loop_at(l->loop, clock_ns() + PAUSE_NS, resume, l);
	if (l->pause)
		loop_events(l->source, 0);
}

static void on_connection(void *opaque, int listen_fd, short revents)
{
	struct listener *l = opaque;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)revents;
	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			pause_accepting(l);
		return;
	}
	l->failing = false;
	l->fn(l->opaque, fd);
}

int listener_new(struct loop *loop, const struct sockaddr_un *address, int queue, listener_fn fn,
		 void *opaque, struct listener **ret_listener, struct error *err)
{
	struct listener *l = calloc(1, sizeof(*l));
	int ret;

	if (!l)
		return error_set(err, -ENOMEM, "no memory to listen at %s", address->sun_path);
	*l = (struct listener){ .loop = loop, .address = *address, .fn = fn, .opaque = opaque };
	ret = remove_stale(address, err);
	if (!ret)
		ret = open_socket(address, queue, &l->fd, err);
	if (ret) {
		free(l);
		return ret;
	}
	l->source = loop_add(loop, l->fd, POLLIN, on_connection, l);
	if (!l->source) {
		listener_free(l);
		return error_set(err, -ENOMEM, "no memory to listen at %s", address->sun_path);
	}
	*ret_listener = l;
	return 0;
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	loop_cancel(l->pause);
	loop_remove(l->source);
	close(l->fd);
	unlink(l->address.sun_path);
	free(l);
}
