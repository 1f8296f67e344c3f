// SPDX-License-Identifier: GPL-2.0-only
#include "silent.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab.h"

#define PAGE_BYTES	4096
#define FILE_NODE	2
#define REQUEST_MAX	(64 << 10)

static void answer(int fuse, const struct fuse_in_header *in, int error, void *body, size_t size)
{
	struct fuse_out_header out = {
		.len = (uint32_t)(sizeof(out) + size), .error = error, .unique = in->unique,
	};
	struct iovec parts[] = { { &out, sizeof(out) }, { body, size } };

	if (writev(fuse, parts, size ? 2 : 1) < 0 && errno != ENOENT)
		_exit(1);
}

static struct fuse_attr attributes(uint64_t node)
{
	const bool is_file = node == FILE_NODE;

	return (struct fuse_attr){
		.ino = node, .nlink = 1, .size = is_file ? PAGE_BYTES : 0, .blksize = PAGE_BYTES,
		.mode = is_file ? S_IFREG | 0600 : S_IFDIR | 0700,
	};
}

static void serve(int fuse, int reads, const struct fuse_in_header *in)
{
	/*
	 * Without FUSE_ASYNC_READ, which libfuse has by default, the kernel itself waits for what
	 * it has asked a server, and no signal ends that for anybody.
	 */
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
		.flags = FUSE_ASYNC_READ,
		.max_readahead = PAGE_BYTES, .max_write = PAGE_BYTES,
	};
	struct fuse_entry_out entry = { .nodeid = FILE_NODE, .attr = attributes(FILE_NODE) };
	struct fuse_attr_out attr = { .attr = attributes(in->nodeid) };
	struct fuse_open_out opened = { .fh = 0 };

	switch (in->opcode) {
	case FUSE_INIT:
		answer(fuse, in, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		answer(fuse, in, 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
		answer(fuse, in, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		answer(fuse, in, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		if (write(reads, "", 1) != 1)
			_exit(1);
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		answer(fuse, in, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		answer(fuse, in, -ENOSYS, NULL, 0);
	}
}

/* Until the file system is gone. */
static void run_server(int fuse, int reads)
{
	static char request[REQUEST_MAX];
	ssize_t n;

	while ((n = read(fuse, request, sizeof(request))) > 0 || errno == ENOENT || errno == EINTR)
		if (n > 0)
			serve(fuse, reads, (const struct fuse_in_header *)request);
	_exit(0);
}

void silent_mount(struct silent *s)
{
	char options[64];
	int pipes[2], fuse;

	snprintf(s->dir, sizeof(s->dir), "/tmp/miglab-silent-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	assert_int_equal(system("modprobe fuse"), 0);
	fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	assert_true(fuse >= 0);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
	assert_int_equal(mount("silent", s->dir, "fuse", MS_NOSUID | MS_NODEV, options), 0);
	assert_int_equal(pipe(pipes), 0);
	s->server = fork();
	assert_true(s->server >= 0);
	if (!s->server)
		run_server(fuse, pipes[1]);
	close(pipes[1]);
	close(fuse);
	s->reads = pipes[0];
}

void silent_unmount(struct silent *s)
{
	int status;

	assert_int_equal(umount2(s->dir, MNT_DETACH), 0);
	assert_int_equal(kill(s->server, SIGKILL), 0);
	assert_int_equal(waitpid(s->server, &status, 0), s->server);
	close(s->reads);
	assert_int_equal(rmdir(s->dir), 0);
}

const char *silent_path(const struct silent *s)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/page", s->dir);
	return path;
}
