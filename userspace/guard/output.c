// SPDX-License-Identifier: GPL-2.0-only
#include "guard/output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static void add(struct output *o, const char *line, int len)
{
	if (o->error)
		return;
	if (len < 0 || (size_t)len > sizeof(o->text) - o->len) {
		o->lost++;
		return;
	}
	memcpy(o->text + o->len, line, len);
	o->len += len;
}

/* Of a pipe that is writable, so much never blocks. */
static size_t portion(const struct output *o)
{
	return o->len < PIPE_BUF ? o->len : PIPE_BUF;
}

void output_flush(struct output *o)
{
	struct pollfd fd = { .fd = o->fd, .events = POLLOUT };

	while (o->len && poll(&fd, 1, 0) > 0) {
		ssize_t n = write(o->fd, o->text, portion(o));

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0) {
			o->error = -errno;
			o->len = 0;
			return;
		}
		o->len -= n;
		memmove(o->text, o->text + n, o->len);
	}
}

void output_line(struct output *o, const char *fmt, ...)
{
	char line[1024];
	va_list args;
	int len;

	output_flush(o);
	if (o->lost && !o->len) {
		len = snprintf(line, sizeof(line), "%u lines are lost: nobody read them\n",
			       o->lost);
		o->lost = 0;
		add(o, line, len);
	}
	va_start(args, fmt);
	len = vsnprintf(line, sizeof(line) - 1, fmt, args);
	va_end(args);
	if (len >= (int)sizeof(line) - 1)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	add(o, line, len);
	output_flush(o);
}

int output_finish(struct output *o, uint64_t deadline_ns)
{
	uint64_t now;

	for (output_flush(o); o->len && (now = clock_ns()) < deadline_ns; output_flush(o)) {
		struct pollfd fd = { .fd = o->fd, .events = POLLOUT };

		poll(&fd, 1, (deadline_ns - now) / NSEC_PER_MSEC + 1);
	}
	return o->error ? o->error : o->len || o->lost ? -EAGAIN : 0;
}
