// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/guests.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "vmm/wire.h"

struct guest {
	struct guests *guests;
	int fd;
	struct loop_source *source;	/* NULL once @hello is there */
	uint64_t since_ns;
	struct frame_reader reader;
	struct hello hello;
};

static void dismiss(struct guest **slot)
{
	if (!*slot)
		return;
	loop_remove((*slot)->source);
	close((*slot)->fd);
	free(*slot);
	*slot = NULL;
}

/* Whoever admits may close everything, so the guest is in no slot meanwhile. */
static enum admission offer(struct guests *g, struct guest **slot)
{
	struct guest *guest = *slot;
	enum admission verdict;

	*slot = NULL;
	verdict = g->admit(g->opaque, guest->fd, &guest->hello);
	if (verdict == GUEST_EARLY) {
		*slot = guest;
		return verdict;
	}
	if (verdict == GUEST_REFUSED)
		close(guest->fd);
	free(guest);
	return verdict;
}

static void offer_early(struct guests *g)
{
	for (unsigned int i = 0; i < GUESTS_MAX; i++) {
		if (g->guest[i] && !g->guest[i]->source)
			offer(g, &g->guest[i]);
	}
}

static void on_guest(void *opaque, int fd, short revents)
{
	struct guest *guest = opaque;
	struct guests *g = guest->guests;
	struct guest **slot = g->guest;
	int ret = wire_receive(fd, &guest->reader);

	(void)revents;
	if (ret == 0 || ret == -EAGAIN)
		return;
	while (*slot != guest)
		slot++;
	if (ret > 0 && guest->reader.type == FRAME_HELLO)
		ret = hello_decode(frame_payload(&guest->reader), guest->reader.length,
				   &guest->hello);
	else
		ret = -EPROTO;
	if (ret) {
		log_warn_limited(&g->strangers,
				 "a connection to %s did not introduce itself as a source of this version",
				 g->where);
		dismiss(slot);
		return;
	}
	loop_remove(guest->source);
	guest->source = NULL;
	if (offer(g, slot) == GUEST_TAKEN)
		offer_early(g);
}

static int receive_guest(struct guests *g, int fd)
{
	struct guest **slot = g->guest, *guest;

	while (slot < g->guest + GUESTS_MAX && *slot)
		slot++;
	if (slot == g->guest + GUESTS_MAX)
		return -EUSERS;
	guest = calloc(1, sizeof(*guest));
	if (!guest)
		return -ENOMEM;
	guest->guests = g;
	guest->fd = fd;
	guest->since_ns = clock_ns();
	guest->source = loop_add(g->loop, fd, POLLIN, on_guest, guest);
	if (!guest->source) {
		free(guest);
		return -ENOMEM;
	}
	*slot = guest;
	return 0;
}

static void on_connection(void *opaque, int fd)
{
	struct guests *g = opaque;
	int ret = receive_guest(g, fd);

	if (ret) {
		log_warn_limited(&g->turned_away, "a connection to %s is closed: %s", g->where,
				 strerror(-ret));
		close(fd);
	}
}

int guests_open(struct guests *g, struct loop *loop, const struct address *address, guest_fn admit,
		void *opaque, struct error *err)
{
	*g = (struct guests){
		.loop = loop, .where = address->text, .admit = admit, .opaque = opaque,
	};
	return listener_new(loop, address, GUESTS_MAX, on_connection, g, &g->listener, err);
}

void guests_close(struct guests *g)
{
	listener_free(g->listener);
	g->listener = NULL;
	for (unsigned int i = 0; i < GUESTS_MAX; i++)
		dismiss(&g->guest[i]);
}

void guests_expire(struct guests *g, uint64_t timeout_ns)
{
	uint64_t now_ns = clock_ns();

	for (unsigned int i = 0; i < GUESTS_MAX; i++) {
		if (!g->guest[i] || now_ns - g->guest[i]->since_ns <= timeout_ns)
			continue;
		log_warn_limited(&g->idle,
				 "a connection to %s that was of no use for %llu ms is closed",
				 g->where, (unsigned long long)(timeout_ns / NSEC_PER_MSEC));
		dismiss(&g->guest[i]);
	}
}
