/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reliable connections with a timeout and a number of retries, between two ends that
 * can be cut off from each other. Both ends are in this process, and close with it.
 */
#ifndef TESTS_GUARD_CONNECTIONS_H
#define TESTS_GUARD_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define CONNECTIONS_MAX	64

/*
 * As in the local ACK timeout of InfiniBand: 4.096 us * 2^14 = 67 ms; 0: none. With two retries a
 * connection lives for 200 ms after the cut: well below the 300 ms of the transition, and well
 * above what an emulated, busy machine takes to wake a guard and its agent.
 */
#define CONNECTION_TIMEOUT	14
#define CONNECTION_RETRIES	2

struct connection_state {
	const char *dead;	/* why it is; NULL: it is alive. Static text */
	unsigned int timeout;	/* as it is now */
	uint64_t writes;	/* that were acknowledged */
};

struct connections_ops {
	const char *what;	/* "soft-RoCE" */

	/* Opens @count (1 to CONNECTIONS_MAX) connections; -ENOSYS when this build cannot. */
	int (*open)(unsigned int count, struct error *err);

	/* Keeps one write of each connection on its way. Never blocks; call it often. */
	void (*work)(void);

	/* -errno when one of those that are alive refuses. */
	int (*set_timeout)(unsigned int i, unsigned int timeout);

	/* Nothing arrives any more, and again. In force when it returns. */
	int (*cut)(bool cut, struct error *err);

	void (*state)(unsigned int i, struct connection_state *ret);
};

extern const struct connections_ops connections_rdma, connections_udp;

#endif
