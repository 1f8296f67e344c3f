/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The QMP server: sockets, negotiation, JSON as a stream, dispatch through a
 * table of commands. It knows nothing of devices.
 *
 * Everything runs in the loop's thread and nothing waits: output that a client
 * does not take is buffered up to QMP_BACKLOG_MAX, then the client is dropped.
 */
#ifndef MIGLAB_QMP_SERVER_H
#define MIGLAB_QMP_SERVER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/loop.h"

#define QMP_REQUEST_MAX	(1u << 16)	/* bytes of one request; parsed, they take 40 times that */
#define QMP_DEPTH_MAX	64		/* nesting of one request */
#define QMP_CLIENTS_MAX	32		/* at once; one more is closed at accept */
#define QMP_BACKLOG_MAX	(1u << 20)	/* bytes that a client may leave unread */

struct qmp_server;

/* QEMU's error classes, qapi/error.json. */
enum qmp_class {
	QMP_GENERIC_ERROR,
	QMP_COMMAND_NOT_FOUND,
	QMP_DEVICE_NOT_ACTIVE,
	QMP_DEVICE_NOT_FOUND,
	QMP_KVM_MISSING_CAP,
};

struct qmp_error {
	enum qmp_class class;
	struct error error;
};

/*
 * One verb. Schema, handler and document share this one list.
 */
struct qmp_command {
	const char *name;
	/*
	 * The arguments: "uri:s,?exit-on-error:b". Types: s string, b bool,
	 * i integer (64 bit), u the same where QEMU has uint64, and takes negative
	 * ones, a array, o object, * any; '?' in front: optional. The server refuses
	 * missing, unknown and wrongly typed ones in QEMU's words before the handler
	 * is called.
	 */
	const char *args;
	/*
	 * Never blocks. @args is never NULL. Return 0 and a value that the server
	 * owns from then on (*ret left NULL means {}), or negative with @err filled.
	 */
	int (*handler)(void *opaque, struct json_object *args, struct json_object **ret,
		       struct qmp_error *err);
	const char *doc;	/* one line, for the manual */
};

/* Handlers' shorthand: fills @err and returns -EINVAL. */
int qmp_fail(struct qmp_error *err, enum qmp_class class, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * qmp_server_new() - listen on @uri
 * @uri: "unix:PATH", as -qmp of QEMU; QEMU's suffix ",server=on,wait=off" is accepted
 * @commands: the verbs, ended by a NULL name; qmp_capabilities, query-commands and
 *	query-version are the server's own
 * @opaque: for the handlers
 *
 * A stale socket at PATH is replaced, anything else there is an error.
 */
int qmp_server_new(struct loop *loop, const char *uri, const struct qmp_command *commands,
		   void *opaque, struct qmp_server **ret_server, struct error *err);

/*
 * Flushes what sockets take at once, closes all clients, removes the socket. Not from
 * a handler. NULL is allowed.
 */
void qmp_server_free(struct qmp_server *server);

/* Whose request is being handled, a number that no other client ever has; 0: nobody's. */
uint64_t qmp_server_client(const struct qmp_server *server);
/* The process at the other end of that client's connection; 0: not known. */
pid_t qmp_server_client_pid(const struct qmp_server *server);
/*
 * @left is called in the loop's thread with the handlers' opaque and the number of each client
 * whose connection has ended, once, and not within its own request. It may not call the server.
 */
void qmp_server_on_leave(struct qmp_server *server, void (*left)(void *opaque, uint64_t client));
/* Is that client still connected? */
bool qmp_server_has(const struct qmp_server *server, uint64_t client);

/**
 * qmp_server_event() - send an event to every negotiated client
 * @data: taken over; NULL for an event without data
 *
 * When it returns, the event has been handed to the kernel for every client
 * whose socket had room: what is sent before a blocking call is out before it.
 * A client without room gets it from its backlog and is counted: each such
 * client makes one line in the log.
 */
void qmp_server_event(struct qmp_server *server, const char *name, struct json_object *data);

#endif
