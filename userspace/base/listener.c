// SPDX-License-Identifier: GPL-2.0-only
#include "base/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define PAUSE_NS	(100 * NSEC_PER_MSEC)	/* after accept(2) failed */

struct listener {
	struct loop *loop;
	int fd;
	struct address address;
	struct stat socket;		/* the file of a UNIX socket */
	struct loop_source *source;
	struct loop_timer *pause;
	struct log_limit failures;	/* of accept(2) */
	listener_fn fn;
	void *opaque;
};

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/*
 * Removes the socket that @found is of. Somebody may have put a living one in its place since:
 * only what has another name, where nobody looks for it, is ours to judge.
 */
static int take_away(const char *path, const struct stat *found, struct error *err)
{
	char aside[sizeof(((struct address *)0)->text) + 32];
	struct stat st;

	snprintf(aside, sizeof(aside), "%s.stale-%d", path, (int)getpid());
	if (rename(path, aside)) {
		if (errno == ENOENT)
			return 0;
		return error_set(err, -errno, "cannot replace the stale socket %s: %s", path,
				 strerror(errno));
	}
	if (!lstat(aside, &st) && !same_file(&st, found)) {
		renameat2(AT_FDCWD, aside, AT_FDCWD, path, RENAME_NOREPLACE);
		return error_set(err, -EADDRINUSE,
				 "another process listens at %s, choose another path", path);
	}
	unlink(aside);
	return 0;
}

/* 0 when there is nothing at the path (any more). */
static int remove_stale(const struct address *address, struct error *err)
{
	const char *path = address->text;
	struct stat st;
	int fd, ret;

	if (address->any.sa_family != AF_UNIX || lstat(path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, -EEXIST, "%s exists and is no socket, choose another path",
				 path);
	fd = address_socket(address);
	if (fd < 0)
		return error_set(err, fd, "no socket: %s", strerror(-fd));
	ret = connect(fd, &address->any, address->len) ? -errno : 0;
	close(fd);

	if (ret && ret != -EAGAIN && ret != -ECONNREFUSED)
		return error_set(err, ret, "cannot tell whether %s is in use: %s", path,
				 strerror(-ret));
	if (ret != -ECONNREFUSED)
		return error_set(err, -EADDRINUSE,
				 "another process listens at %s, choose another path", path);
	return take_away(path, &st, err);
}

/* Unless another one has taken its place. */
static void remove_socket(const struct address *address, const struct stat *own)
{
	struct stat st;

	if (address->any.sa_family == AF_UNIX && !lstat(address->text, &st) &&
	    same_file(&st, own))
		unlink(address->text);
}

static int open_socket(const struct address *address, int queue, int *ret_fd,
		       struct stat *ret_socket, struct error *err)
{
	struct stat st = { 0 };
	int fd = address_socket(address), one = 1, ret;

	if (fd < 0)
		return error_set(err, fd, "no socket: %s", strerror(-fd));
	/* bind(2) gives it to the file, so that at no time others may connect. */
	if (address->any.sa_family == AF_UNIX && fchmod(fd, 0600)) {
		ret = error_set(err, -errno, "cannot make the socket %s private: %s",
				address->text, strerror(errno));
		goto out_close;
	}
	/* The connections of an earlier migration do not keep a TCP port. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &address->any, address->len)) {
		ret = error_set(err, -errno, "cannot create the socket %s: %s", address->text,
				strerror(errno));
		goto out_close;
	}
	if (address->any.sa_family == AF_UNIX)
		lstat(address->text, &st);
	if (listen(fd, queue)) {
		ret = error_set(err, -errno, "cannot listen at %s: %s", address->text,
				strerror(errno));
		goto out_unlink;
	}
	*ret_fd = fd;
	*ret_socket = st;
	return 0;

out_unlink:
	remove_socket(address, &st);
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
	log_warn_limited(&l->failures, "%s: cannot accept a connection: %s", l->address.text,
			 strerror(errno));
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
	l->fn(l->opaque, fd);
}

int listener_new(struct loop *loop, const struct address *address, int queue, listener_fn fn,
		 void *opaque, struct listener **ret_listener, struct error *err)
{
	struct listener *l = calloc(1, sizeof(*l));
	int ret;

	if (!l)
		return error_set(err, -ENOMEM, "no memory to listen at %s", address->text);
	*l = (struct listener){ .loop = loop, .address = *address, .fn = fn, .opaque = opaque };
	ret = remove_stale(address, err);
	if (!ret)
		ret = open_socket(address, queue, &l->fd, &l->socket, err);
	if (ret) {
		free(l);
		return ret;
	}
	l->source = loop_add(loop, l->fd, POLLIN, on_connection, l);
	if (!l->source) {
		listener_free(l);
		return error_set(err, -ENOMEM, "no memory to listen at %s", address->text);
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
	remove_socket(&l->address, &l->socket);
	free(l);
}
