// SPDX-License-Identifier: GPL-2.0-only
/*
 * What stands in for RDMA where there is none: a reliable protocol over UDP with the
 * same timeout and retries. A write is a sequence number, and the same number comes back
 * for it. A cut drops what arrives at the far end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "connections.h"

#define TIMEOUT_UNIT_NS	4096ull

struct udp {
	int near, far;		/* connected to each other */
	unsigned int timeout, tries;
	uint64_t sent, acked;	/* sequence numbers; equal: nothing on its way */
	uint64_t sent_ns;
	bool dead;
};

static struct udp all[CONNECTIONS_MAX];
static unsigned int count;
static bool is_cut;

static int udp_socket(struct sockaddr_in *ret_name)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(name);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && (bind(fd, (struct sockaddr *)&name, sizeof(name)) ||
			getsockname(fd, (struct sockaddr *)&name, &len))) {
		close(fd);
		return -1;
	}
	*ret_name = name;
	return fd;
}

static int udp_open(unsigned int wanted, struct error *err)
{
	for (count = 0; count < wanted; count++) {
		struct udp *c = &all[count];
		struct sockaddr_in near, far;

		*c = (struct udp){ .timeout = CONNECTION_TIMEOUT };
		c->near = udp_socket(&near);
		c->far = udp_socket(&far);
		if (c->near < 0 || c->far < 0 ||
		    connect(c->near, (struct sockaddr *)&far, sizeof(far)) ||
		    connect(c->far, (struct sockaddr *)&near, sizeof(near)))
			return error_set(err, -errno, "no UDP sockets: %s", strerror(errno));
	}
	return 0;
}

static void transmit(struct udp *c)
{
	c->sent_ns = clock_ns();
	if (send(c->near, &c->sent, sizeof(c->sent), 0) < 0)
		c->dead = errno != EAGAIN && errno != ECONNREFUSED;
}

static void answer(struct udp *c)
{
	uint64_t seq;

	while (recv(c->far, &seq, sizeof(seq), 0) == sizeof(seq))
		if (!is_cut && send(c->far, &seq, sizeof(seq), 0) < 0)
			break;
}

static void hear(struct udp *c)
{
	uint64_t seq;

	while (recv(c->near, &seq, sizeof(seq), 0) == sizeof(seq))
		if (seq == c->sent)
			c->acked = seq;
}

static bool timed_out(const struct udp *c)
{
	return c->timeout && clock_ns() - c->sent_ns > TIMEOUT_UNIT_NS << c->timeout;
}

static void udp_work(void)
{
	for (unsigned int i = 0; i < count; i++) {
		struct udp *c = &all[i];

		answer(c);
		hear(c);
		if (c->dead)
			continue;
		if (c->acked == c->sent) {
			c->sent++;
			c->tries = 0;
			transmit(c);
		} else if (timed_out(c) && c->tries++ < CONNECTION_RETRIES) {
			transmit(c);
		} else if (timed_out(c)) {
			c->dead = true;
		}
	}
}

/* A timeout that is back begins anew, with a retransmission. */
static int udp_set_timeout(unsigned int i, unsigned int timeout)
{
	struct udp *c = &all[i];

	c->timeout = timeout;
	c->tries = 0;
	if (timeout && c->acked != c->sent)
		transmit(c);
	return 0;
}

static int udp_cut(bool cut, struct error *err)
{
	(void)err;
	is_cut = cut;
	return 0;
}

static void udp_state(unsigned int i, struct connection_state *ret)
{
	*ret = (struct connection_state){
		.dead = all[i].dead ? "retry count exceeded" : NULL,
		.timeout = all[i].timeout,
		.writes = all[i].acked,
	};
}

const struct connections_ops connections_udp = {
	.what = "a stand-in over UDP, no RDMA",
	.open = udp_open,
	.work = udp_work,
	.set_timeout = udp_set_timeout,
	.cut = udp_cut,
	.state = udp_state,
};
