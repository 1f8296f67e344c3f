// SPDX-License-Identifier: GPL-2.0-only
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PREFIX	"miglab: "

static enum log_level threshold = LOG_LEVEL_WARN;

void log_set_level(enum log_level level)
{
	threshold = level;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[1024] = PREFIX;
	int saved = errno;
	va_list args;
	ssize_t done;
	size_t len;

	if (level > threshold)
		return;

	va_start(args, fmt);
	vsnprintf(line + strlen(PREFIX), sizeof(line) - strlen(PREFIX) - 1, fmt, args);
	va_end(args);
	len = strlen(line);
	line[len++] = '\n';

	/* There is nowhere to complain to when stderr is gone. */
	done = write(STDERR_FILENO, line, len);
	(void)done;
	errno = saved;
}
