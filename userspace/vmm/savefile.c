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

#define NAME_MAX_BYTES	(SAVEFILE_PATH_MAX + HELLO_ID_MAX + 32)

static const char *final_name(const char *path, const char *id, char *ret_name)
{
	snprintf(ret_name, NAME_MAX_BYTES, "%s%s%s", path, id ? "." : "", id ? id : "");
	return ret_name;
}

static const char *part_name(const char *path, const char *id, uint64_t session, char *ret_name)
{
	size_t len = strlen(final_name(path, id, ret_name));

	snprintf(ret_name + len, NAME_MAX_BYTES - len, ".%016llx.part",
		 (unsigned long long)session);
	return ret_name;
}

static int check_kind(const char *name, bool is_file, struct error *err)
{
	return is_file ? 0 : error_set(err, -EINVAL,
				       "cannot use %s as a file: it is no regular file", name);
}

/* Nobody is waited for at the other end of what is no file. */
static int open_file(const char *path, const char *id, int *ret_fd, struct error *err)
{
	char name[NAME_MAX_BYTES];
	struct stat st;
	int fd, ret;

	final_name(path, id, name);
	if (!stat(name, &st)) {
		ret = check_kind(name, S_ISREG(st.st_mode), err);
		if (ret)
			return ret;
	}
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, "cannot open %s: %s", name, strerror(errno));
	ret = check_kind(name, !fstat(fd, &st) && S_ISREG(st.st_mode), err);
	if (ret) {
		close(fd);
		return ret;
	}
	*ret_fd = fd;
	return 0;
}

static int write_file(int fd, const uint8_t *bytes, size_t len, const char *name,
		      struct error *err)
{
	ssize_t n = write(fd, bytes, len);

	if (n == (ssize_t)len)
		return 0;
	return error_set(err, -EIO, "cannot write to %s: %s", name,
			 strerror(n < 0 ? errno : ENOSPC));
}

int savefile_create(const char *path, const char *id, const struct hello *hello, int *ret_fd,
		    struct error *err)
{
	uint8_t frame[HELLO_BYTES_MAX];
	size_t len = hello_encode(frame, hello);
	char name[NAME_MAX_BYTES];
	struct stat st;
	int fd, ret;

	final_name(path, id, name);
	if (!lstat(name, &st)) {
		ret = check_kind(name, S_ISREG(st.st_mode), err);
		if (ret)
			return ret;
	}
	part_name(path, id, hello->session, name);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set(err, -errno, "cannot create %s: %s", name, strerror(errno));
	ret = write_file(fd, frame, len, name, err);
	if (ret) {
		close(fd);
		unlink(name);
		return ret;
	}
	*ret_fd = fd;
	return 0;
}

int savefile_done(int fd, bool running, struct error *err)
{
	uint8_t frame[DONE_BYTES];
	int ret;

	frame_put_header(frame, FRAME_DONE, 1);
	frame[FRAME_HEADER_BYTES] = running;
	ret = write_file(fd, frame, sizeof(frame), "the file", err);
	if (!ret && fdatasync(fd))
		ret = error_set(err, -errno, "cannot write the file to disk: %s",
				strerror(errno));
	return ret;
}

int savefile_keep(const char *path, const char *id, uint64_t session, struct error *err)
{
	char part[NAME_MAX_BYTES], name[NAME_MAX_BYTES];

	part_name(path, id, session, part);
	if (rename(part, final_name(path, id, name)))
		return error_set(err, -errno, "cannot rename %s to %s: %s", part, name,
				 strerror(errno));
	return 0;
}

void savefile_drop(const char *path, const char *id, uint64_t session)
{
	char name[NAME_MAX_BYTES];

	unlink(part_name(path, id, session, name));
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

	ret = open_file(path, NULL, &fd, err);
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

	ret = open_file(path, id, &fd, err);
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
