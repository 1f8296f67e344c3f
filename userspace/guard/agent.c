// SPDX-License-Identifier: GPL-2.0-only
#include "guard/agent.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"

#define ANSWER_NS	(2 * NSEC_PER_SEC)
#define LINE_MAX_BYTES	256

struct agent {
	struct guarded guarded;
	int fd;			/* -1 after a failure */
};

/* One line without its newline, of which nothing may follow. */
static int read_line(int fd, char line[LINE_MAX_BYTES])
{
	uint64_t until_ns = clock_ns() + ANSWER_NS, now;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	size_t len = 0;

	while (len < LINE_MAX_BYTES && (now = clock_ns()) < until_ns) {
		ssize_t n;

		if (poll(&pfd, 1, (until_ns - now) / NSEC_PER_MSEC + 1) <= 0)
			continue;
		n = read(fd, line + len, LINE_MAX_BYTES - len);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			return n ? -errno : -EPIPE;
		len += n;
		if (line[len - 1] == '\n') {
			line[len - 1] = '\0';
			return 0;
		}
	}
	return len < LINE_MAX_BYTES ? -ETIMEDOUT : -EPROTO;
}

static int ask(struct guarded *g, const char *word, unsigned int *ret_count, struct error *err)
{
	struct agent *agent = (struct agent *)g;
	char line[LINE_MAX_BYTES], end;
	unsigned int count;
	int ret = 0;

	if (agent->fd < 0)
		return error_set(err, -EPIPE, "%s: the agent is gone", word);
	if (send(agent->fd, word, strlen(word), MSG_NOSIGNAL) < 0 ||
	    send(agent->fd, "\n", 1, MSG_NOSIGNAL) < 0)
		ret = -errno;
	ret = ret ?: read_line(agent->fd, line);
	if (ret) {
		close(agent->fd);
		agent->fd = -1;
		return error_set(err, ret, "%s: the agent does not answer: %s", word,
				 strerror(-ret));
	}
	if (sscanf(line, "ok %u%c", &count, &end) != 1)
		return error_set(err, -EREMOTEIO, "%s: the agent says \"%s\"", word, line);
	*ret_count = count;
	return 0;
}

static int agent_suspend(struct guarded *g, unsigned int *ret_count, struct error *err)
{
	return ask(g, "suspend", ret_count, err);
}

static int agent_restore(struct guarded *g, unsigned int *ret_count, struct error *err)
{
	return ask(g, "restore", ret_count, err);
}

static void agent_close(struct guarded *g)
{
	struct agent *agent = (struct agent *)g;

	if (agent->fd >= 0)
		close(agent->fd);
	free(agent);
}

static const struct guard_ops agent_ops = {
	.suspend = agent_suspend,
	.restore = agent_restore,
	.close = agent_close,
};

int guard_open_agent(const char *uri, struct guarded **ret_guarded, struct error *err)
{
	struct address address;
	struct agent *agent;
	int fd, ret = unix_address(uri, &address, err);

	if (ret)
		return ret;
	fd = address_socket(&address);
	ret = fd < 0 ? fd : connect(fd, &address.any, address.len) ? -errno : 0;
	agent = ret ? NULL : calloc(1, sizeof(*agent));
	if (!agent) {
		ret = ret ?: -ENOMEM;
		if (fd >= 0)
			close(fd);
		return error_set(err, ret, "cannot connect to the agent %s: %s", uri,
				 strerror(-ret));
	}
	agent->guarded.ops = &agent_ops;
	agent->fd = fd;
	*ret_guarded = &agent->guarded;
	return 0;
}
