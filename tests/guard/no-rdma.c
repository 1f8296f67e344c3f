// SPDX-License-Identifier: GPL-2.0-only
/* In place of rdma.c where libibverbs is not installed. */
#include <errno.h>

#include "connections.h"

static int no_open(unsigned int count, struct error *err)
{
	(void)count;
	return error_set(err, -ENOSYS, "built without libibverbs");
}

const struct connections_ops connections_rdma = {
	.what = "soft-RoCE",
	.open = no_open,
};
