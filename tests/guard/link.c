// SPDX-License-Identifier: GPL-2.0-only
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_gact.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PRIORITY	1u

struct request {
	struct nlmsghdr head;
	struct tcmsg tc;
	char attributes[256];
};

static struct rtattr *put(struct request *r, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = (void *)((char *)r + NLMSG_ALIGN(r->head.nlmsg_len));

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	r->head.nlmsg_len = NLMSG_ALIGN(r->head.nlmsg_len) + RTA_ALIGN(a->rta_len);
	return a;
}

/* All that was put since belongs to @nest. */
static void end(struct request *r, struct rtattr *nest)
{
	nest->rta_len = (char *)r + r->head.nlmsg_len - (char *)nest;
}

/* matchall with one action: drop. */
static void put_drop(struct request *r)
{
	const struct tc_gact gact = { .action = TC_ACT_SHOT };
	struct rtattr *options, *actions, *action, *parameters;

	options = put(r, TCA_OPTIONS, NULL, 0);
	actions = put(r, TCA_MATCHALL_ACT, NULL, 0);
	action = put(r, 1, NULL, 0);
	put(r, TCA_ACT_KIND, "gact", sizeof("gact"));
	parameters = put(r, TCA_ACT_OPTIONS, NULL, 0);
	put(r, TCA_GACT_PARMS, &gact, sizeof(gact));
	end(r, parameters);
	end(r, action);
	end(r, actions);
	end(r, options);
}

static int ask_kernel(const struct request *r)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), ret = -EIO;
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char more[512];
	} answer;

	if (fd < 0)
		return -errno;
	if (send(fd, r, r->head.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
		ret = -errno;
	else if (answer.head.nlmsg_type == NLMSG_ERROR)
		ret = answer.error.error;
	close(fd);
	return ret;
}

int link_drop(const char *name, bool drop)
{
	struct request r = {
		.head = {
			.nlmsg_len = NLMSG_LENGTH(sizeof(r.tc)),
			.nlmsg_type = drop ? RTM_NEWTFILTER : RTM_DELTFILTER,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK |
				       (drop ? NLM_F_CREATE | NLM_F_EXCL : 0),
		},
		.tc = {
			.tcm_family = AF_UNSPEC,
			.tcm_ifindex = if_nametoindex(name),
			.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
			.tcm_info = TC_H_MAKE(PRIORITY << 16, htons(ETH_P_ALL)),
		},
	};

	if (!r.tc.tcm_ifindex)
		return -ENODEV;
	put(&r, TCA_KIND, "matchall", sizeof("matchall"));
	if (drop)
		put_drop(&r);
	return ask_kernel(&r);
}
