// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/savefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DONE_BYTES	(FRAME_HEADER_BYTES + 1)

const char *savefile_path(const char *uri)
{
	size_t len = strlen(SAVEFILE_SCHEME);

	return strncmp(uri, SAVEFILE_SCHEME, len) ? NULL : uri + len;
}

/* Never waits for somebody at the other end of what is no file. */
static int open_file(const char *path, const char *id, int flags, int *ret_fd, struct error *err)
{
	char name[SAVEFILE_PATH_MAX + HELLO_ID_MAX + 2];
	struct stat st;
	int fd, ret;

	snprintf(name, sizeof(name), "%s%s%s", path, id ? "." : "", id ? id : "");
	fd = open(name, flags | O_CLOEXEC | O_NONBLOCK, 0600);
	if (fd < 0)
		return error_set(err, -errno, "cannot open %s: %s", name, strerror(errno));
	ret = fstat(fd, &st) ? -errno : 0;
	if (!ret && !S_ISREG(st.st_mode))
		ret = -EINVAL;
	if (!ret && flags & O_CREAT && ftruncate(fd, 0))
		ret = -errno;
	if (ret) {
		close(fd);
		return error_set(err, ret, "cannot use %s as a file: %s", name, strerror(-ret));
	}
	*ret_fd = fd;
	return 0;
}

int savefile_create(const char *path, const char *id, const struct hello *hello, int *ret_fd,
		    struct error *err)
{
	uint8_t frame[HELLO_BYTES_MAX];
	size_t len = hello_encode(frame, hello);
	int fd, ret;

	ret = open_file(path, id, O_WRONLY | O_CREAT, &fd, err);
	if (ret)
		return ret;
	if (write(fd, frame, len) != (ssize_t)len) {
		close(fd);
		return error_set(err, -EIO, "cannot write to %s%s%s", path, id ? "." : "",
				 id ? id : "");
	}
	*ret_fd = fd;
	return 0;
}

/* The frame at the beginning of @fd. */
static int read_hello(int fd, struct hello *ret_hello)
{
	struct frame_reader r = { 0 };
	int complete = 0;

	while (!complete) {
		uint8_t *at;
		size_t want = frame_want(&r, &at);
		ssize_t n = read(fd, at, want);

		complete = n > 0 ? frame_got(&r, n) : -EPROTO;
		if (complete < 0)
			return complete;
	}
	return r.type == FRAME_HELLO ? hello_decode(frame_payload(&r), r.length, ret_hello) :
				       -EPROTO;
}

/* DONE, and nothing behind it. */
static int read_done(int fd, bool *ret_running)
{
	uint8_t frame[DONE_BYTES + 1];
	enum frame_type type;
	uint32_t length;

	if (read(fd, frame, sizeof(frame)) != DONE_BYTES || frame_header(frame, &type, &length) ||
	    type != FRAME_DONE)
		return -EPROTO;
	*ret_running = frame[FRAME_HEADER_BYTES] == 1;
	return 0;
}

int savefile_read(const char *path, struct hello *ret_hello, bool *ret_running, struct error *err)
{
	struct hello hello;
	bool running = false;
	int fd, ret;

	ret = open_file(path, NULL, O_RDONLY, &fd, err);
	if (ret)
		return ret;
	ret = read_hello(fd, &hello);
	if (ret || hello.kind != HELLO_CONTROL)
		ret = error_set(err, -EPROTO, "%s holds no migration of this version", path);
	else if (read_done(fd, &running))
		ret = error_set(err, -EPROTO,
				"%s is not complete: the migration to it did not end", path);
	close(fd);
	if (ret)
		return ret;
	*ret_hello = hello;
	*ret_running = running;
	return 0;
}

int savefile_open(const char *path, const struct hello *control, unsigned int index, int *ret_fd,
		  struct error *err)
{
	const char *id = control->id[index];
	struct hello hello;
	int fd, ret;

	ret = open_file(path, id, O_RDONLY, &fd, err);
	if (ret)
		return ret;
	if (read_hello(fd, &hello) || hello.kind != HELLO_DATA || hello.index != index ||
	    hello.session != control->session) {
		close(fd);
		return error_set(err, -EPROTO, "%s.%s does not belong to %s", path, id, path);
	}
	*ret_fd = fd;
	return 0;
}
