// SPDX-License-Identifier: GPL-2.0-only
#include "tracing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "order.h"

#define TRACEFS		"/sys/kernel/tracing/"
#define SYSCALLS	"events/syscalls/"

/*
 * What is written, with its text: a system call of x86-64 gets its arguments in a struct
 * pt_regs, rdi at 112 and rsi at 104; the first piece of a struct user_msghdr is at msg_iov, 16.
 */
#define PROBES_GROUP	"miglab_order"
#define PROBE(call, text) \
	"p:" PROBES_GROUP "/" ORDER_PROBE "_" call " __x64_sys_" call " fd=+112($arg1):s32 text=" \
	text ":string\n"
#define PROBES \
	PROBE("write", "+u0(+104($arg1))") \
	PROBE("sendto", "+u0(+104($arg1))") \
	PROBE("sendmsg", "+u0(+u0(+u16(+104($arg1))))")

struct setting {
	const char *file, *text;
};

/* What has to be off while the rest changes comes first. */
static const struct setting start_settings[] = {
	{ "tracing_on", "0" },
	{ "events/enable", "0" },
	{ "current_tracer", "nop" },
	{ "trace_clock", "mono" },
	{ "buffer_size_kb", "8192" },
	{ "trace", "" },
	{ "options/event-fork", "1" },
	{ SYSCALLS "sys_enter_ioctl/filter", "cmd == 0x3b75" },	/* VFIO_DEVICE_FEATURE */
	{ SYSCALLS "sys_enter_ioctl/enable", "1" },
	{ "kprobe_events", PROBES },
	{ "events/" PROBES_GROUP "/enable", "1" },
	{ SYSCALLS "sys_exit_write/enable", "1" },
	{ SYSCALLS "sys_exit_sendto/enable", "1" },
	{ SYSCALLS "sys_exit_sendmsg/enable", "1" },
	{ "events/miglab/miglab_arc_begin/enable", "1" },
};

/* Opening "trace" for writing empties it; the rest is one write. */
static int write_file(const char *file, const char *text, int flags, struct error *err)
{
	char path[256];
	int fd, ret = 0;

	snprintf(path, sizeof(path), TRACEFS "%s", file);
	fd = open(path, O_WRONLY | flags);
	if (fd < 0 || (*text && write(fd, text, strlen(text)) < 0))
		ret = error_set(err, -errno, "%s: cannot write \"%s\": %s", path, text,
				strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret;
}

static int trace_threads(pid_t pid, struct error *err)
{
	char path[64];
	struct dirent *entry;
	DIR *dir;
	int ret;

	ret = write_file("set_event_pid", "", O_TRUNC, err);
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	while (!ret && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			ret = write_file("set_event_pid", entry->d_name, O_APPEND, err);
	closedir(dir);
	return ret;
}

int tracing_start(pid_t pid, struct error *err)
{
	size_t i;
	int ret = 0;

	if (access(TRACEFS "trace", F_OK) && mount("tracefs", TRACEFS, "tracefs", 0, NULL))
		return error_set(err, -errno, "tracefs: %s", strerror(errno));
	for (i = 0; !ret && i < sizeof(start_settings) / sizeof(start_settings[0]); i++)
		ret = write_file(start_settings[i].file, start_settings[i].text, O_TRUNC, err);
	if (!ret)
		ret = trace_threads(pid, err);
	return ret ? ret : write_file("tracing_on", "1", 0, err);
}

static int read_trace(char **ret_text, struct error *err)
{
	FILE *in = fopen(TRACEFS "trace", "re");
	char *text = NULL;
	size_t size = 0;

	if (!in || getdelim(&text, &size, '\0', in) < 0) {
		if (in)
			fclose(in);
		free(text);
		return error_set(err, -EIO, TRACEFS "trace cannot be read");
	}
	fclose(in);
	*ret_text = text;
	return 0;
}

/* "# entries-in-buffer/entries-written: 12/12   #P:2" */
static int check_complete(const char *text, struct error *err)
{
	const char *at = strstr(text, "entries-written: ");
	unsigned long kept, written;

	if (!at || sscanf(at, "entries-written: %lu/%lu", &kept, &written) != 2)
		return error_set(err, -EPROTO, "the trace does not say how complete it is");
	if (kept != written)
		return error_set(err, -EOVERFLOW, "the trace has only %lu of %lu entries", kept,
				 written);
	return 0;
}

int tracing_stop(char **ret_text, struct error *err)
{
	char *text = NULL;
	int ret = write_file("tracing_on", "0", 0, err);

	if (!ret)
		ret = write_file("events/enable", "0", 0, err);
	if (!ret)
		ret = read_trace(&text, err);
	if (ret)
		return ret;
	ret = check_complete(text, err);
	if (ret)
		free(text);
	else
		*ret_text = text;
	return ret;
}
