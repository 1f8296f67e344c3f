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

#define RETRY_MS	10
#define LINE_MAX_BYTES	256

struct agent {
	struct guarded guarded;
	struct address address;
	int fd;			/* -1: not connected */
	const char *word;	/* what was asked; NULL: nothing */
	uint64_t answer_ns;	/* how long an answer may take */
	uint64_t until_ns;	/* for the one to @word */
	char line[LINE_MAX_BYTES];	/* as far as it is here */
	size_t len;
};

static void hang_up(struct agent *agent)
{
	if (agent->fd >= 0)
		close(agent->fd);
	agent->fd = -1;
	agent->word = NULL;
	agent->len = 0;
}

/* 0 or -errno. A UNIX socket is connected at once, or not at all. */
static int dial(struct agent *agent)
{
	int ret;

	if (agent->fd >= 0)
		return 0;
	agent->fd = address_socket(&agent->address);
	if (agent->fd < 0)
		return agent->fd;
	if (!connect(agent->fd, &agent->address.any, agent->address.len))
		return 0;
	ret = -errno;
	hang_up(agent);
	return ret;
}

static int send_word(struct agent *agent, const char *word)
{
	char line[16];
	int len = snprintf(line, sizeof(line), "%s\n", word);
	ssize_t n = send(agent->fd, line, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	return n == len ? 0 : n < 0 ? -errno : -EAGAIN;
}

/* One that was started again is not heard of before the old connection is used. */
static int ask(struct guarded *g, const char *word, struct error *err)
{
	struct agent *agent = (struct agent *)g;
	int ret = dial(agent) ?: send_word(agent, word);

	if (ret) {
		hang_up(agent);
		ret = dial(agent) ?: send_word(agent, word);
	}
	if (ret) {
		hang_up(agent);
		return error_set(err, ret, "%s: the agent %s is gone: %s", word,
				 agent->address.text, strerror(-ret));
	}
	agent->word = word;
	agent->until_ns = clock_ns() + agent->answer_ns;
	return 0;
}

static int agent_suspend(struct guarded *g, struct error *err)
{
	return ask(g, "suspend", err);
}

static int agent_restore(struct guarded *g, struct error *err)
{
	return ask(g, "restore", err);
}

static int agent_fd(const struct guarded *g)
{
	return ((const struct agent *)g)->fd;
}

static uint64_t agent_deadline(const struct guarded *g)
{
	const struct agent *agent = (const struct agent *)g;

	return agent->word ? agent->until_ns : UINT64_MAX;
}

/* It is of no use any more; @word: what was asked, or NULL. */
static int fail(struct agent *agent, int code, const char *word, const char *what,
		struct error *err)
{
	hang_up(agent);
	error_set(err, code, "the agent %s %s", agent->address.text, what);
	return word ? error_prefix(err, code, "%s", word) : code;
}

/* 1 with a whole line, of which nothing may follow; 0 when it is not here yet. */
static int read_line(struct agent *agent, struct error *err)
{
	const char *word = agent->word;
	ssize_t n = recv(agent->fd, agent->line + agent->len, LINE_MAX_BYTES - agent->len,
			 MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (!word || clock_ns() < agent->until_ns)
			return 0;
		return fail(agent, -ETIMEDOUT, word, "does not answer in time", err);
	}
	if (n <= 0)
		return fail(agent, -EPIPE, word, "is gone", err);
	if (!word)
		return fail(agent, -EPROTO, word, "speaks without having been asked", err);
	agent->len += n;
	if (agent->line[agent->len - 1] == '\n') {
		agent->line[agent->len - 1] = '\0';
		return 1;
	}
	if (agent->len == LINE_MAX_BYTES || memchr(agent->line, '\n', agent->len))
		return fail(agent, -EPROTO, word, "says more than a line", err);
	return 0;
}

static int agent_take(struct guarded *g, unsigned int *ret_count, struct error *err)
{
	struct agent *agent = (struct agent *)g;
	const char *word = agent->word;
	unsigned int count;
	char end;
	int ret = agent->fd < 0 ? 0 : read_line(agent, err);

	if (ret <= 0)
		return ret;
	agent->word = NULL;
	agent->len = 0;
	if (sscanf(agent->line, "ok %u%c", &count, &end) != 1)
		return error_set(err, -EREMOTEIO, "%s: the agent says \"%s\"", word, agent->line);
	*ret_count = count;
	return 1;
}

static void agent_close(struct guarded *g)
{
	struct agent *agent = (struct agent *)g;

	hang_up(agent);
	free(agent);
}

static const struct guard_ops agent_ops = {
	.suspend = agent_suspend,
	.restore = agent_restore,
	.fd = agent_fd,
	.deadline = agent_deadline,
	.take = agent_take,
	.close = agent_close,
};

int guard_open_agent(const char *uri, uint64_t deadline_ns, uint64_t answer_ns,
		     struct guarded **ret_guarded, struct error *err)
{
	struct agent *agent = calloc(1, sizeof(*agent));
	int ret;

	if (!agent)
		return error_set(err, -ENOMEM, "no memory for an agent");
	agent->guarded.ops = &agent_ops;
	agent->fd = -1;
	agent->answer_ns = answer_ns;
	ret = unix_address(uri, &agent->address, err);
	if (!ret) {
		while ((ret = dial(agent)) && (ret == -ENOENT || ret == -ECONNREFUSED) &&
		       clock_ns() < deadline_ns)
			poll(NULL, 0, RETRY_MS);
		if (ret)
			error_set(err, ret, "cannot connect to the agent %s: %s", uri,
				  strerror(-ret));
	}
	if (ret) {
		agent_close(&agent->guarded);
		return ret;
	}
	*ret_guarded = &agent->guarded;
	return 0;
}
