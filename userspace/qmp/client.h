/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A QMP client for any VMM: what the judge, the migrate command and the tests
 * speak. Synchronous; one thread uses one client.
 */
#ifndef MIGLAB_QMP_CLIENT_H
#define MIGLAB_QMP_CLIENT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct qmp_client;

/* An event, with the time of its receipt. */
struct qmp_event {
	uint64_t received_ns;	/* CLOCK_MONOTONIC, right after the read(2) that completed it */
	size_t bytes;		/* its length on the wire, without the line end */
	char name[64];
	struct json_object *data;	/* owned by the event; NULL without data */
};

/*
 * Connects to "unix:PATH", reads the greeting, negotiates. Tries again until
 * @deadline_ns (CLOCK_MONOTONIC) while the socket is not there yet or refuses.
 */
int qmp_client_connect(const char *uri, uint64_t deadline_ns, struct qmp_client **ret_client,
		       struct error *err);
/* NULL is allowed. */
void qmp_client_free(struct qmp_client *client);

/*
 * For poll(2): readable means that qmp_client_event() may have news. Events that
 * came with earlier input are not seen here: call it until it returns 0 first.
 */
int qmp_client_fd(const struct qmp_client *client);

/**
 * qmp_client_call() - one command and its answer
 * @args: taken over; NULL for none
 * @ret: the "return" value, owned by the caller; may be NULL
 *
 * Waits for the answer until @deadline_ns; events that arrive meanwhile are kept,
 * without a limit.
 *
 * Return: 0, -EREMOTEIO with the server's error text, or -ENODEV when that is of the
 * class DeviceNotFound, -ETIMEDOUT, -EPIPE when the connection ended, -EPROTO when the
 * peer sent no QMP. A command that was not sent whole in time ends the connection.
 */
int qmp_client_call(struct qmp_client *client, const char *command, struct json_object *args,
		    uint64_t deadline_ns, struct json_object **ret, struct error *err);

/**
 * qmp_client_event() - the next event, in the order of the wire
 * @deadline_ns: 0: do not wait
 *
 * Return: 1 with an event (release with qmp_event_release()), 0 when none came in
 * time, -EPIPE when the connection ended, -EPROTO when the peer sent no JSON. What was
 * received before an end is delivered first.
 */
int qmp_client_event(struct qmp_client *client, uint64_t deadline_ns, struct qmp_event *ret_event,
		     struct error *err);
void qmp_event_release(struct qmp_event *event);

/* The member @key of the event's data as text; "" when there is none. Good until the release. */
const char *qmp_event_text(const struct qmp_event *event, const char *key);

#endif
