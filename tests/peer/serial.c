// SPDX-License-Identifier: GPL-2.0-only
#include "serial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"

int serial_open(struct serial *serial, const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0 || changes < 0 || inotify_add_watch(changes, path, IN_MODIFY) < 0) {
		int ret = -errno;

		close(fd);
		close(changes);
		return error_set(err, ret, "%s: %s", path, strerror(-ret));
	}
	*serial = (struct serial){ .fd = fd, .changes = changes };
	return 0;
}

void serial_close(struct serial *serial)
{
	close(serial->fd);
	close(serial->changes);
}

int serial_judge(unsigned int *turn, const char *line, struct error *err)
{
	unsigned int number;
	int end = 0;

	if (sscanf(line, "%u FAIL:%n", &number, &end) == 1 && end)
		return error_set(err, 1, "the guest says in turn %u:%s", number, line + end);
	if (sscanf(line, "%u note:%n", &number, &end) == 1 && end && number == *turn + 1)
		return 0;
	if (sscanf(line, "%u ok%n", &number, &end) != 1 || !end || line[end]) {
		if (!*turn)
			return 0;
		return error_set(err, 1, "after turn %u the guest says \"%s\"", *turn, line);
	}
	if (number != *turn + 1)
		return error_set(err, 1, "the guest went from turn %u to turn %u", *turn, number);
	*turn = number;
	return 0;
}

/* The next line is whole: 1; not yet: 0. */
static int read_line(struct serial *serial)
{
	char c;

	while (read(serial->fd, &c, 1) == 1) {
		if (c == '\n') {
			serial->line[serial->used] = '\0';
			serial->used = 0;
			return 1;
		}
		if (serial->used < SERIAL_LINE - 1)
			serial->line[serial->used++] = c;
	}
	return 0;
}

int serial_settle(struct serial *serial, struct error *err)
{
	int ret = 0;

	while (!ret && read_line(serial)) {
		ret = serial_judge(&serial->turn, serial->line, err);
		if (strstr(serial->line, " note: "))
			printf("# serial: %s\n", serial->line);
	}
	return ret;
}

/* Until the file changes, has changed since the last call, or time is up. */
static void await_change(struct serial *serial, uint64_t deadline_ns)
{
	struct pollfd poller = { .fd = serial->changes, .events = POLLIN };
	char events[4096];
	uint64_t now_ns = clock_ns();

	if (now_ns < deadline_ns)
		poll(&poller, 1, (deadline_ns - now_ns) / NSEC_PER_MSEC + 1);
	while (read(serial->changes, events, sizeof(events)) > 0)
		;
}

int serial_await(struct serial *serial, unsigned int turn, uint64_t deadline_ns, struct error *err)
{
	for (;;) {
		int ret = serial_settle(serial, err);

		if (ret || serial->turn >= turn)
			return ret;
		if (clock_ns() >= deadline_ns)
			return error_set(err, -ETIMEDOUT, "the guest is silent after turn %u",
					 serial->turn);
		await_change(serial, deadline_ns);
	}
}
