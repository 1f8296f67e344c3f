// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/acks.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/clock.h"

void acks_init(struct acks *a, struct loop *loop, const struct acks_handler *handler,
	       void *opaque)
{
	*a = (struct acks){ .loop = loop, .handler = handler, .opaque = opaque };
	for (unsigned int i = 0; i < VMM_DEVICES_MAX; i++)
		a->device[i].acks = a;
}

static void close_announcement(struct announcement *one)
{
	loop_cancel(one->bound);
	one->bound = NULL;
	memset(one->due, 0, sizeof(one->due));
}

void acks_clear(struct acks *a)
{
	for (unsigned int i = 0; i < VMM_DEVICES_MAX; i++)
		close_announcement(&a->device[i]);
}

/* The slot of @client, 0 for a free one; -1 when there is none. */
static int find(const struct acks *a, uint64_t client)
{
	for (int i = 0; i < QMP_CLIENTS_MAX; i++) {
		if (a->client[i] == client)
			return i;
	}
	return -1;
}

bool acks_subscribed(const struct acks *a, uint64_t client)
{
	return find(a, client) >= 0;
}

/* There are as many slots as there can be clients, once those that left are forgotten. */
void acks_subscribe(struct acks *a, uint64_t client)
{
	int slot = find(a, 0);

	if (!acks_subscribed(a, client) && slot >= 0)
		a->client[slot] = client;
}

void acks_unsubscribe(struct acks *a, uint64_t client)
{
	int slot = find(a, client);

	if (slot >= 0)
		a->client[slot] = 0;
}

bool acks_wanted(const struct acks *a)
{
	for (unsigned int i = 0; i < QMP_CLIENTS_MAX; i++) {
		if (a->client[i])
			return true;
	}
	return false;
}

void acks_purge(struct acks *a, const struct qmp_server *server)
{
	for (unsigned int i = 0; i < QMP_CLIENTS_MAX; i++) {
		if (a->client[i] && !qmp_server_has(server, a->client[i]))
			a->client[i] = 0;
	}
}

/* Who is late has broken its promise, and is not waited for again. */
static void on_bound(void *opaque)
{
	struct announcement *one = opaque;
	struct acks *a = one->acks;
	unsigned int device = one - a->device;

	one->bound = NULL;
	for (unsigned int i = 0; i < QMP_CLIENTS_MAX; i++) {
		if (!one->due[i])
			continue;
		acks_unsubscribe(a, one->due[i]);
		a->handler->heard(a->opaque, device, one->due[i], false,
				  clock_ns() - one->begin_ns);
	}
	close_announcement(one);
	a->handler->ready(a->opaque, device);
}

int acks_begin(struct acks *a, unsigned int device, uint64_t seq, uint64_t bound_ns)
{
	struct announcement *one = &a->device[device];

	close_announcement(one);
	one->seq = seq;
	one->begin_ns = clock_ns();
	one->bound = loop_at(a->loop, one->begin_ns + bound_ns, on_bound, one);
	if (!one->bound)
		return -ENOMEM;
	memcpy(one->due, a->client, sizeof(one->due));
	return 0;
}

static bool any_due(const struct announcement *one)
{
	for (unsigned int i = 0; i < QMP_CLIENTS_MAX; i++) {
		if (one->due[i])
			return true;
	}
	return false;
}

bool acks_answer(struct acks *a, unsigned int device, uint64_t seq, uint64_t client)
{
	struct announcement *one = &a->device[device];
	unsigned int i = 0;

	while (i < QMP_CLIENTS_MAX && one->due[i] != client)
		i++;
	if (i == QMP_CLIENTS_MAX || one->seq != seq)
		return false;
	one->due[i] = 0;
	a->handler->heard(a->opaque, device, client, true, clock_ns() - one->begin_ns);
	if (!any_due(one)) {
		close_announcement(one);
		a->handler->ready(a->opaque, device);
	}
	return true;
}
