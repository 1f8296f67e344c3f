// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reliable connections of soft-RoCE, between the devices rxe0 and rxe1 that
 * tests/guard/network makes. A connection is a queue pair; two that are connected to
 * each other are two of them, since each is a requester of its own.
 *
 * The timeout is changed in RTS. rxe takes that; by the book it is for SQD, which on
 * many adapters is not to be had from RTS.
 */
#include <errno.h>
#include <infiniband/verbs.h>
#include <stdlib.h>
#include <string.h>

#include "connections.h"
#include "link.h"

#define ENDS		2
#define CUT_LINK	"v1"
#define BUFFER_BYTES	4096
#define QUEUE		16
#define PORT		1

/* One of the two devices. */
static struct end {
	const char *name;
	uint8_t address[4];
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct ibv_mr *mr;
	union ibv_gid gid;
	int gid_index;
	char buffer[BUFFER_BYTES];
} ends[ENDS] = {
	{ .name = "rxe0", .address = { 10, 99, 0, 1 } },
	{ .name = "rxe1", .address = { 10, 99, 0, 2 } },
};

static struct connection {
	struct end *end;
	struct ibv_cq *cq;
	struct ibv_qp *qp;
	unsigned int posted;		/* on their way */
	uint64_t writes;
	const char *dead;
} all[CONNECTIONS_MAX];

static unsigned int count;

/* Where the other end of connection @i is. */
static struct connection *peer(unsigned int i)
{
	return &all[i ^ 1];
}

/* --- opening --------------------------------------------------------------- */

/* The RoCEv2 address that belongs to the interface's IPv4 address. */
static int find_gid(struct end *end)
{
	union ibv_gid gid;

	for (int i = 0; !ibv_query_gid(end->context, PORT, i, &gid); i++) {
		if (memcmp(gid.raw + 12, end->address, 4))
			continue;
		end->gid = gid;
		end->gid_index = i;
		return 0;
	}
	return -ENOENT;
}

static int open_end(struct end *end, struct ibv_device **devices, struct error *err)
{
	for (; *devices; devices++)
		if (!strcmp(ibv_get_device_name(*devices), end->name))
			break;
	end->context = *devices ? ibv_open_device(*devices) : NULL;
	if (!end->context)
		return error_set(err, -ENODEV, "there is no RDMA device %s", end->name);
	end->pd = ibv_alloc_pd(end->context);
	if (end->pd)
		end->mr = ibv_reg_mr(end->pd, end->buffer, BUFFER_BYTES,
				     IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	if (!end->mr || find_gid(end))
		return error_set(err, -ENODEV, "%s cannot be used", end->name);
	return 0;
}

static int open_ends(struct error *err)
{
	struct ibv_device **devices = ibv_get_device_list(NULL);
	int ret;

	if (!devices)
		return error_set(err, -errno, "no RDMA devices: %s", strerror(errno));
	ret = open_end(&ends[0], devices, err) ?: open_end(&ends[1], devices, err);
	ibv_free_device_list(devices);
	return ret;
}

static int create(struct connection *c, struct end *end)
{
	struct ibv_qp_init_attr init = {
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
		.cap = { .max_send_wr = QUEUE, .max_recv_wr = 1, .max_send_sge = 1,
			 .max_recv_sge = 1 },
	};
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = PORT,
		.qp_access_flags = IBV_ACCESS_REMOTE_WRITE,
	};

	*c = (struct connection){ .end = end };
	c->cq = ibv_create_cq(end->context, 2 * QUEUE, NULL, NULL, 0);
	if (!c->cq)
		return -errno;
	init.send_cq = c->cq;
	init.recv_cq = c->cq;
	c->qp = ibv_create_qp(end->pd, &init);
	if (!c->qp)
		return -errno;
	return -ibv_modify_qp(c->qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
			      IBV_QP_ACCESS_FLAGS);
}

static int connect_to(struct connection *c, const struct connection *other)
{
	struct ibv_qp_attr rtr = {
		.qp_state = IBV_QPS_RTR,
		.path_mtu = IBV_MTU_1024,
		.dest_qp_num = other->qp->qp_num,
		.max_dest_rd_atomic = 1,
		.min_rnr_timer = 12,
		.ah_attr = {
			.is_global = 1,
			.port_num = PORT,
			.grh = { .dgid = other->end->gid, .sgid_index = c->end->gid_index,
				 .hop_limit = 1 },
		},
	};
	struct ibv_qp_attr rts = {
		.qp_state = IBV_QPS_RTS,
		.timeout = CONNECTION_TIMEOUT,
		.retry_cnt = CONNECTION_RETRIES,
		.rnr_retry = 7,
		.max_rd_atomic = 1,
	};

	return -(ibv_modify_qp(c->qp, &rtr, IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
			       IBV_QP_DEST_QPN | IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
			       IBV_QP_MIN_RNR_TIMER) ?:
		 ibv_modify_qp(c->qp, &rts, IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
			       IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC));
}

static int rdma_open(unsigned int wanted, struct error *err)
{
	int ret = open_ends(err);

	if (ret)
		return ret;
	for (count = 0; !ret && count < wanted; count++)
		ret = create(&all[count], &ends[count % ENDS]);
	for (unsigned int i = 0; !ret && i < count; i++)
		ret = connect_to(&all[i], peer(i));
	return ret ? error_set(err, ret, "no queue pairs: %s", strerror(-ret)) : 0;
}

/* --- working --------------------------------------------------------------- */

static void post(struct connection *c)
{
	struct end *to = c->end == &ends[0] ? &ends[1] : &ends[0];
	struct ibv_sge sge = {
		.addr = (uintptr_t)c->end->buffer, .length = 8, .lkey = c->end->mr->lkey,
	};
	struct ibv_send_wr wr = {
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = IBV_WR_RDMA_WRITE,
		.wr.rdma = {
			.remote_addr = (uintptr_t)to->buffer + BUFFER_BYTES / 2,
			.rkey = to->mr->rkey,
		},
	}, *bad;

	if (!ibv_post_send(c->qp, &wr, &bad))
		c->posted++;
}

static void rdma_work(void)
{
	for (unsigned int i = 0; i < count; i++) {
		struct connection *c = &all[i];
		struct ibv_wc wc;

		while (ibv_poll_cq(c->cq, 1, &wc) == 1) {
			c->posted--;
			if (wc.status == IBV_WC_SUCCESS)
				c->writes++;
			else if (!c->dead)
				c->dead = ibv_wc_status_str(wc.status);
		}
		if (!c->dead && !c->posted)
			post(c);
	}
}

/*
 * One more write on top: a timer that is set anew is armed by the next request only, and a write
 * that was lost without a timer would wait for ever.
 */
static int rdma_set_timeout(unsigned int i, unsigned int timeout)
{
	struct ibv_qp_attr attr = { .timeout = timeout };
	struct connection *c = &all[i];
	int ret = c->dead ? 0 : ibv_modify_qp(c->qp, &attr, IBV_QP_TIMEOUT);

	if (!ret && !c->dead && timeout && c->posted < QUEUE)
		post(c);
	return -ret;
}

static int rdma_cut(bool cut, struct error *err)
{
	int ret = link_drop(CUT_LINK, cut);

	return ret ? error_set(err, ret, "the link " CUT_LINK " cannot be cut or joined: %s",
			       strerror(-ret)) : 0;
}

static void rdma_state(unsigned int i, struct connection_state *ret)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr = { .timeout = 0 };

	ibv_query_qp(all[i].qp, &attr, IBV_QP_STATE | IBV_QP_TIMEOUT, &init);
	*ret = (struct connection_state){
		.dead = all[i].dead, .timeout = attr.timeout, .writes = all[i].writes,
	};
}

const struct connections_ops connections_rdma = {
	.what = "soft-RoCE",
	.open = rdma_open,
	.work = rdma_work,
	.set_timeout = rdma_set_timeout,
	.cut = rdma_cut,
	.state = rdma_state,
};
