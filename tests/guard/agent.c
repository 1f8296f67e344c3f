// SPDX-License-Identifier: GPL-2.0-only
/*
 * An application with reliable connections, and the agent that a guard asks.
 *
 * Usage: agent unix:PATH COUNT rdma|udp
 *
 * Says on stdout what its connections are once they are open. Takes lines from any number of
 * clients, and answers each with one:
 *
 *	suspend, restore	ok COUNT	the timeouts of those that are alive, off or back
 *	cut, join		ok 0		the two ends from and to each other
 *	status			ok ALIVE DEAD FORMER MOVING WHY
 *
 * FORMER connections have the timeout that they began with; MOVING are alive and had a write
 * acknowledged since the last join; WHY is what killed the last one, or "-". When the client that
 * suspended goes, the timeouts are restored. Ends on SIGTERM, 3 when it could not begin.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "connections.h"

#define CLIENTS_MAX	8
#define WORK_MS		2
#define LINE_BYTES	64

static const struct connections_ops *ops;
static unsigned int count;
static unsigned int former[CONNECTIONS_MAX];	/* timeouts, while suspended */
static uint64_t joined[CONNECTIONS_MAX];	/* writes at the last join */
static int suspended_by = -1;			/* a client's descriptor */

static struct connection_state state_of(unsigned int i)
{
	struct connection_state state;

	ops->state(i, &state);
	return state;
}

static int answer(int fd, const char *text)
{
	return send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int answer_count(int fd, unsigned int changed, int failed)
{
	char text[64];

	if (failed)
		snprintf(text, sizeof(text), "error %s\n", strerror(-failed));
	else
		snprintf(text, sizeof(text), "ok %u\n", changed);
	return answer(fd, text);
}

static int suspend(int fd)
{
	unsigned int changed = 0;
	int failed = 0;

	for (unsigned int i = 0; suspended_by < 0 && i < count; i++) {
		struct connection_state state = state_of(i);

		former[i] = state.timeout;
		if (state.dead)
			continue;
		failed = ops->set_timeout(i, 0) ?: failed;
		changed++;
	}
	suspended_by = fd;
	return answer_count(fd, changed, failed);
}

static int restore_all(unsigned int *ret_changed)
{
	unsigned int changed = 0;
	int failed = 0;

	for (unsigned int i = 0; suspended_by >= 0 && i < count; i++) {
		if (state_of(i).dead)
			continue;
		failed = ops->set_timeout(i, former[i]) ?: failed;
		changed++;
	}
	suspended_by = -1;
	*ret_changed = changed;
	return failed;
}

static int restore(int fd)
{
	unsigned int changed;
	int failed = restore_all(&changed);

	return answer_count(fd, changed, failed);
}

static int answer_cut(int fd, bool cut)
{
	struct error err;
	int ret = ops->cut(cut, &err);

	for (unsigned int i = 0; !cut && i < count; i++)
		joined[i] = state_of(i).writes;
	return answer_count(fd, 0, ret);
}

static int cut(int fd)
{
	return answer_cut(fd, true);
}

static int join(int fd)
{
	return answer_cut(fd, false);
}

static int status(int fd)
{
	unsigned int dead = 0, same = 0, moving = 0;
	const char *why = "-";
	char text[192];

	for (unsigned int i = 0; i < count; i++) {
		struct connection_state state = state_of(i);

		same += state.timeout == CONNECTION_TIMEOUT;
		moving += !state.dead && state.writes > joined[i];
		dead += state.dead != NULL;
		why = state.dead ?: why;
	}
	snprintf(text, sizeof(text), "ok %u %u %u %u %s\n", count - dead, dead, same, moving, why);
	return answer(fd, text);
}

static const struct {
	const char *word;
	int (*run)(int fd);
} commands[] = {
	{ "suspend\n", suspend }, { "restore\n", restore }, { "cut\n", cut }, { "join\n", join },
	{ "status\n", status },
};

/* The word of a client that waits for the answer before the next: negative when it is gone. */
static int serve_client(int fd, char line[LINE_BYTES])
{
	size_t len = strlen(line);
	ssize_t n = read(fd, line + len, LINE_BYTES - 1 - len);

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -EPIPE;
	line[len + n] = '\0';
	if (!strchr(line, '\n'))
		return 0;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(line, commands[i].word))
			continue;
		line[0] = '\0';
		return commands[i].run(fd);
	}
	return -EPROTO;
}

static void end_client(struct pollfd *client)
{
	unsigned int changed;

	if (suspended_by == client->fd)
		restore_all(&changed);
	close(client->fd);
	client->fd = -1;
}

/* The first of @fds listens, the rest are clients. */
static void serve(struct pollfd fds[CLIENTS_MAX + 1])
{
	static char lines[CLIENTS_MAX + 1][LINE_BYTES];
	unsigned int i;

	ops->work();
	if (poll(fds, CLIENTS_MAX + 1, WORK_MS) <= 0)
		return;
	for (i = 1; i <= CLIENTS_MAX; i++)
		if (fds[i].fd >= 0 && fds[i].revents && serve_client(fds[i].fd, lines[i]))
			end_client(&fds[i]);
	for (i = 1; fds[0].revents && i <= CLIENTS_MAX; i++) {
		if (fds[i].fd >= 0)
			continue;
		fds[i].fd = accept4(fds[0].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		lines[i][0] = '\0';
		break;
	}
}

static int fail(const struct error *err)
{
	fprintf(stderr, "agent: %s\n", err->text);
	return 3;
}

int main(int argc, char **argv)
{
	const struct sched_param low = { .sched_priority = 1 };
	struct pollfd fds[CLIENTS_MAX + 1];
	struct address address;
	struct error err;

	count = argc == 4 ? atoi(argv[2]) : 0;
	if (!count || count > CONNECTIONS_MAX || count % 2) {
		fprintf(stderr, "usage: agent unix:PATH COUNT rdma|udp\n");
		return 2;
	}
	ops = strcmp(argv[3], "udp") ? &connections_rdma : &connections_udp;
	if (ops->open(count, &err) || unix_address(argv[1], &address, &err))
		return fail(&err);
	for (unsigned int i = 0; i <= CLIENTS_MAX; i++)
		fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	fds[0].fd = address_socket(&address);
	if (bind(fds[0].fd, &address.any, address.len) || listen(fds[0].fd, CLIENTS_MAX)) {
		error_set(&err, -errno, "%s: %s", argv[1], strerror(errno));
		return fail(&err);
	}
	/* As a network card does it: whatever else the machine is busy with. */
	sched_setscheduler(0, SCHED_FIFO, &low);
	printf("%s\n", ops->what);
	fflush(stdout);
	for (;;)
		serve(fds);
}
