// SPDX-License-Identifier: GPL-2.0-only
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define PREFIX	"miglab: "

static enum log_level threshold = LOG_LEVEL_WARN;
static atomic_uint lost;	/* lines that stderr had no room for */

void log_set_level(enum log_level level)
{
	threshold = level;
}

bool log_goes_out(enum log_level level)
{
	return level <= threshold;
}

/* A nonblocking descriptor of stderr's file that shares no flags with others; -1: none. */
static int open_stderr(void)
{
	return open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static bool has_room(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && p.revents & POLLOUT;
}

/*
 * O_NONBLOCK on descriptor 2 itself would be on in every process that shares it. A socket
 * cannot be opened again, and neither can what belongs to another user or is without /proc:
 * what has room for a byte takes a short line, unless somebody else is faster.
 */
static bool put_line(const char *line, size_t len)
{
	struct stat st;
	ssize_t done;
	int fd;

	/* There is nowhere to complain to when stderr is gone. */
	if (fstat(STDERR_FILENO, &st))
		return true;
	if (S_ISSOCK(st.st_mode))
		return send(STDERR_FILENO, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
	fd = S_ISREG(st.st_mode) ? -1 : open_stderr();
	if (fd < 0)
		return has_room(STDERR_FILENO) && write(STDERR_FILENO, line, len) >= 0;
	done = write(fd, line, len);
	close(fd);
	return done >= 0;
}

static void say_lost(void)
{
	unsigned int count = atomic_exchange(&lost, 0);
	char line[80];

	if (!count)
		return;
	snprintf(line, sizeof(line), PREFIX "lost %u lines before this one: nobody read stderr\n",
		 count);
	if (!put_line(line, strlen(line)))
		atomic_fetch_add(&lost, count);
}

/* @more: behind the line. */
static void say(enum log_level level, const char *fmt, va_list args, const char *more)
{
	char line[1024] = PREFIX;
	int saved = errno;
	size_t len;

	if (!log_goes_out(level))
		return;

	vsnprintf(line + strlen(PREFIX), sizeof(line) - strlen(PREFIX) - strlen(more) - 1, fmt,
		  args);
	strcat(line, more);
	len = strlen(line);
	line[len++] = '\n';
	if (put_line(line, len))
		say_lost();
	else
		atomic_fetch_add(&lost, 1);
	errno = saved;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(level, fmt, args, "");
	va_end(args);
}

bool log_limit_allows(struct log_limit *limit, uint64_t now_ns, unsigned int *ret_left_out)
{
	if (now_ns < limit->until_ns) {
		limit->left_out++;
		return false;
	}
	*ret_left_out = limit->left_out;
	*limit = (struct log_limit){ .until_ns = now_ns + NSEC_PER_SEC };
	return true;
}

void log_warn_limited(struct log_limit *limit, const char *fmt, ...)
{
	unsigned int left_out;
	char more[64] = "";
	va_list args;

	if (!log_limit_allows(limit, clock_ns(), &left_out))
		return;
	if (left_out)
		snprintf(more, sizeof(more), " (and %u more such lines before)", left_out);
	va_start(args, fmt);
	say(LOG_LEVEL_WARN, fmt, args, more);
	va_end(args);
}
