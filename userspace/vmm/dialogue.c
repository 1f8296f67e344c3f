// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/dialogue.h"

bool dialogue_heard(const struct dialogue *d, enum message message)
{
	return d->received & 1u << message;
}

static bool in_turn(const struct dialogue *d, enum message message)
{
	const uint32_t ready_only = 1u << MSG_READY;

	switch (message) {
	case MSG_READY:
		return !dialogue_heard(d, MSG_READY);
	case MSG_DONE:
		return !d->outgoing && d->received == ready_only;
	case MSG_LOADED:
		return d->committed && d->received == ready_only;
	case MSG_ACK:
		return d->outgoing && d->with_ack && d->received == ready_only;
	case MSG_FAILED:
		return true;
	}
	return false;
}

bool dialogue_take(struct dialogue *d, enum message message, bool running)
{
	if (!in_turn(d, message))
		return false;
	if (message != MSG_ACK)
		d->received |= 1u << message;
	if (message == MSG_DONE)
		d->peer_running = running;
	return true;
}

bool dialogue_peer_may_run(const struct dialogue *d)
{
	return d->committed && !dialogue_heard(d, MSG_FAILED);
}

const char *dialogue_peer(const struct dialogue *d)
{
	return d->outgoing ? "destination" : "source";
}

const char *dialogue_duty(const struct dialogue *d, enum message message)
{
	static const char *const duties[][2] = {
		[MSG_READY] = { "connect all its devices", "get ready" },
		[MSG_DONE] = { "say that it sent everything", "" },
		[MSG_LOADED] = { "", "take over" },
	};

	return duties[message][d->outgoing];
}

const char *dialogue_work(const struct dialogue *d)
{
	return d->outgoing ? "take the devices' state" : "send the devices' state";
}
