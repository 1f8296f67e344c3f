// SPDX-License-Identifier: GPL-2.0-only
#include "qmp/server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/listener.h"
#include "base/log.h"
#include "base/utf8.h"
#include "qmp/address.h"
#include "qmp/outbox.h"
#include "qmp/reader.h"
#include "qmp/schema.h"

/* The QEMU whose behaviour is mirrored; management applications look at it. */
#define QEMU_MAJOR	11
#define QEMU_MINOR	1
#define QEMU_MICRO	3

#define QUEUE		16	/* connections that wait for accept(2) */

struct client {
	struct qmp_server *server;
	uint64_t number;	/* from 1, never used again */
	int fd;			/* -1: dropped, the next reap() frees it */
	struct loop_source *source;
	struct qmp_reader reader;
	struct outbox outbox;
	bool negotiated;
	bool finished;		/* says nothing more; dropped when it has its answers */
	bool lagged;		/* an event had to wait; logged */
};

struct qmp_server {
	struct loop *loop;
	struct listener *listener;
	const struct qmp_command *commands;
	void *opaque;
	void (*left)(void *opaque, uint64_t client);	/* NULL: nobody wants to know */
	struct client *serving;		/* in use up the stack */
	uint64_t last_number;		/* of a client */
	struct log_limit unread, malformed, refused, lagging;	/* lines about clients */
	struct client *clients[QMP_CLIENTS_MAX];
};

static const struct qmp_command own_commands[];

static const char *const class_names[] = {
	[QMP_GENERIC_ERROR] = "GenericError",
	[QMP_COMMAND_NOT_FOUND] = "CommandNotFound",
	[QMP_DEVICE_NOT_ACTIVE] = "DeviceNotActive",
	[QMP_DEVICE_NOT_FOUND] = "DeviceNotFound",
	[QMP_KVM_MISSING_CAP] = "KVMMissingCap",
};

int qmp_fail(struct qmp_error *err, enum qmp_class class, const char *fmt, ...)
{
	va_list args;

	if (!err)
		return -EINVAL;

	err->class = class;
	va_start(args, fmt);
	error_vset(&err->error, -EINVAL, fmt, args);
	va_end(args);
	/* A reason that others gave may be cut, or never have been UTF-8; JSON has to be. */
	utf8_clean(err->error.text);
	return -EINVAL;
}

/* --- clients ---------------------------------------------------------------- */

/* At any time; the memory stays until reap(). */
static void client_drop(struct client *client)
{
	if (client->fd < 0)
		return;
	loop_remove(client->source);
	close(client->fd);
	client->fd = -1;
}

/* Frees what was dropped, except for the one whose request is being served. */
static void reap(struct qmp_server *server)
{
	size_t i;

	for (i = 0; i < QMP_CLIENTS_MAX; i++) {
		struct client *client = server->clients[i];

		if (!client || client->fd >= 0 || client == server->serving)
			continue;
		server->clients[i] = NULL;
		if (server->left)
			server->left(server->opaque, client->number);
		qmp_reader_cleanup(&client->reader);
		outbox_cleanup(&client->outbox);
		free(client);
	}
}

static void client_watch(struct client *client)
{
	bool pending = outbox_pending(&client->outbox);

	if (client->finished && !pending)
		client_drop(client);
	else
		loop_events(client->source, (client->finished ? 0 : POLLIN) |
					    (pending ? POLLOUT : 0));
}

static void client_send(struct client *client, const char *text, size_t len)
{
	int ret;

	if (client->fd < 0)
		return;

	ret = outbox_send(&client->outbox, client->fd, text, len, QMP_BACKLOG_MAX);
	if (ret) {
		if (ret == -ENOBUFS)
			log_warn_limited(&client->server->unread,
					 "qmp: dropped a client that left more than %u bytes unread",
					 QMP_BACKLOG_MAX);
		client_drop(client);
		return;
	}
	client_watch(client);
}

/* The message as it goes out, to be freed; takes @message over. NULL: no memory. */
static char *message_text(struct json_object *message, size_t *ret_len)
{
	char *text;
	int len;

	len = asprintf(&text, "%s\r\n",
		       json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN |
							       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(message);
	if (len < 0)
		return NULL;
	*ret_len = (size_t)len;
	return text;
}

/* Takes @message over. A client that cannot be answered is dropped. */
static void client_send_message(struct client *client, struct json_object *message)
{
	size_t len;
	char *text = message_text(message, &len);

	if (text)
		client_send(client, text, len);
	else
		client_drop(client);
	free(text);
}

static void client_fail(struct client *client, const struct qmp_request *request,
			const struct qmp_error *err)
{
	struct json_object *message = json_object_new_object();
	struct json_object *error = json_object_new_object();

	json_object_object_add(error, "class", json_object_new_string(class_names[err->class]));
	json_object_object_add(error, "desc", json_object_new_string(err->error.text));
	if (request->has_id)
		json_object_object_add(message, "id", json_object_get(request->id));
	json_object_object_add(message, "error", error);
	client_send_message(client, message);
}

static void client_return(struct client *client, const struct qmp_request *request,
			  struct json_object *value)
{
	struct json_object *message = json_object_new_object();

	json_object_object_add(message, "return", value ?: json_object_new_object());
	if (request->has_id)
		json_object_object_add(message, "id", json_object_get(request->id));
	client_send_message(client, message);
}

/* --- commands --------------------------------------------------------------- */

static const struct qmp_command *find_command(const struct qmp_command *commands, const char *name)
{
	for (; commands->name; commands++)
		if (!strcmp(commands->name, name))
			return commands;
	return NULL;
}

static int client_execute(struct client *client, const struct qmp_request *request,
			  struct json_object **ret, struct qmp_error *err)
{
	const struct qmp_command *command = find_command(own_commands, request->command);
	struct json_object *args;
	void *opaque = client;
	int status;

	if (!client->negotiated && (!command || strcmp(command->name, "qmp_capabilities")))
		return qmp_fail(err, QMP_COMMAND_NOT_FOUND, "Expecting capabilities negotiation "
				"with 'qmp_capabilities'");
	if (!command) {
		command = find_command(client->server->commands, request->command);
		opaque = client->server->opaque;
	}
	if (!command)
		return qmp_fail(err, QMP_COMMAND_NOT_FOUND, "The command %s has not been found",
				request->command);

	args = request->arguments ? json_object_get(request->arguments) : json_object_new_object();
	status = qmp_check_arguments(command->args, args, err);
	if (!status)
		status = command->handler(opaque, args, ret, err);
	json_object_put(args);
	return status;
}

static void client_serve(struct client *client, struct json_object *value)
{
	struct qmp_error err = { .class = QMP_GENERIC_ERROR };
	struct json_object *ret = NULL;
	struct qmp_request request;
	int status;

	status = qmp_request_parse(value, &request, &err);
	if (!status)
		status = client_execute(client, &request, &ret, &err);
	if (status)
		client_fail(client, &request, &err);
	else
		client_return(client, &request, ret);
}

/* "oob" is the only capability of QEMU, and not offered here. The parameter 'null' is QEMU's. */
static int refuse_capability(struct json_object *name, struct qmp_error *err)
{
	if (!json_object_is_type(name, json_type_string))
		return qmp_fail(err, QMP_GENERIC_ERROR,
				"Invalid parameter type for 'enable[0]', expected: string");
	if (!strcmp(json_object_get_string(name), "oob"))
		return qmp_fail(err, QMP_GENERIC_ERROR, "Capability oob not available");
	return qmp_fail(err, QMP_GENERIC_ERROR, "Parameter 'null' does not accept value '%s'",
			json_object_get_string(name));
}

static int qmp_capabilities(void *opaque, struct json_object *args, struct json_object **ret,
			    struct qmp_error *err)
{
	struct client *client = opaque;
	struct json_object *enable;

	(void)ret;
	if (client->negotiated)
		return qmp_fail(err, QMP_COMMAND_NOT_FOUND,
				"Capabilities negotiation is already complete, command ignored");

	if (json_object_object_get_ex(args, "enable", &enable) &&
	    json_object_array_length(enable))
		return refuse_capability(json_object_array_get_idx(enable, 0), err);

	client->negotiated = true;
	return 0;
}

static void list_commands(struct json_object *list, const struct qmp_command *commands)
{
	for (; commands->name; commands++) {
		struct json_object *entry = json_object_new_object();

		json_object_object_add(entry, "name", json_object_new_string(commands->name));
		json_object_array_add(list, entry);
	}
}

static int query_commands(void *opaque, struct json_object *args, struct json_object **ret,
			  struct qmp_error *err)
{
	struct client *client = opaque;

	(void)args;
	(void)err;
	*ret = json_object_new_array();
	list_commands(*ret, own_commands);
	list_commands(*ret, client->server->commands);
	return 0;
}

static struct json_object *version(void)
{
	struct json_object *object = json_object_new_object();
	struct json_object *qemu = json_object_new_object();

	json_object_object_add(qemu, "major", json_object_new_int(QEMU_MAJOR));
	json_object_object_add(qemu, "minor", json_object_new_int(QEMU_MINOR));
	json_object_object_add(qemu, "micro", json_object_new_int(QEMU_MICRO));
	json_object_object_add(object, "qemu", qemu);
	json_object_object_add(object, "package",
			       json_object_new_string("miglab " MIGLAB_VERSION));
	return object;
}

static int query_version(void *opaque, struct json_object *args, struct json_object **ret,
			 struct qmp_error *err)
{
	(void)opaque;
	(void)args;
	(void)err;
	*ret = version();
	return 0;
}

/* Their opaque is the client. */
static const struct qmp_command own_commands[] = {
	{ "qmp_capabilities", "?enable:a", qmp_capabilities, "End the negotiation" },
	{ "query-commands", "", query_commands, "The names of all commands" },
	{ "query-version", "", query_version, "The QEMU that is mirrored, and miglab's version" },
	{ 0 },
};

/* --- sockets ---------------------------------------------------------------- */

static void client_parse(struct client *client, const char *buf, size_t len)
{
	struct qmp_error err = { .class = QMP_GENERIC_ERROR };
	const struct qmp_request nameless = { 0 };
	struct json_object *value;
	size_t used;
	int ret;

	for (; len && client->fd >= 0; buf += used, len -= used) {
		ret = qmp_reader_next(&client->reader, buf, len, &used, &value, &err.error);
		if (ret > 0) {
			client_serve(client, value);
			json_object_put(value);
			continue;
		}

		/* An endless malformed request was answered where it went wrong. */
		if (ret == -EBADMSG || ret == -EMSGSIZE)
			client_fail(client, &nameless, &err);
		if (ret == -EOVERFLOW || ret == -EMSGSIZE) {
			log_warn_limited(&client->server->malformed, "qmp: dropped a client: %s",
					 err.error.text);
			client_drop(client);
		}
	}
}

/* It may only have closed its side, as socat does at the end of its input. */
static void client_finish(struct client *client)
{
	if (client->finished) {
		client_drop(client);
		return;
	}
	client->finished = true;
	client_watch(client);
}

static void client_ready(void *opaque, int fd, short revents)
{
	struct client *client = opaque;
	struct qmp_server *server = client->server;
	char buf[16384];
	ssize_t len;

	server->serving = client;
	if (revents & POLLOUT && outbox_flush(&client->outbox, fd))
		client_drop(client);
	else
		client_watch(client);

	if (client->fd >= 0 && revents & ~POLLOUT) {
		len = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (len > 0)
			client_parse(client, buf, (size_t)len);
		else if (!len)
			client_finish(client);
		else if (errno != EAGAIN && errno != EINTR)
			client_drop(client);
	}
	server->serving = NULL;
	reap(server);
}

static void client_greet(struct client *client)
{
	struct json_object *greeting = json_object_new_object();
	struct json_object *inner = json_object_new_object();

	json_object_object_add(inner, "version", version());
	json_object_object_add(inner, "capabilities", json_object_new_array());
	json_object_object_add(greeting, "QMP", inner);
	client_send_message(client, greeting);
}

/* Takes @fd over. */
static int client_new(struct qmp_server *server, int fd, struct client **ret_client)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		goto out_close;
	if (qmp_reader_init(&client->reader, QMP_REQUEST_MAX, QMP_DEPTH_MAX))
		goto out_free;
	client->source = loop_add(server->loop, fd, POLLIN, client_ready, client);
	if (!client->source)
		goto out_cleanup;

	client->server = server;
	client->number = ++server->last_number;
	client->fd = fd;
	*ret_client = client;
	client_greet(client);
	return 0;

out_cleanup:
	qmp_reader_cleanup(&client->reader);
out_free:
	free(client);
out_close:
	close(fd);
	return -ENOMEM;
}

static void on_connection(void *opaque, int fd)
{
	struct qmp_server *server = opaque;
	size_t i;

	for (i = 0; i < QMP_CLIENTS_MAX && server->clients[i]; i++)
		;
	if (i == QMP_CLIENTS_MAX) {
		log_warn_limited(&server->refused, "qmp: refused a client: %d are connected",
				 QMP_CLIENTS_MAX);
		close(fd);
	} else if (client_new(server, fd, &server->clients[i])) {
		log_warn_limited(&server->refused, "qmp: refused a client: no memory");
	}
	reap(server);
}

int qmp_server_new(struct loop *loop, const char *uri, const struct qmp_command *commands,
		   void *opaque, struct qmp_server **ret_server, struct error *err)
{
	struct qmp_server *server = calloc(1, sizeof(*server));
	struct address address;
	int ret;

	if (!server)
		return error_set(err, -ENOMEM, "qmp: no memory");

	server->loop = loop;
	server->commands = commands;
	server->opaque = opaque;
	ret = qmp_address_parse(uri, &address, err);
	if (!ret) {
		ret = listener_new(loop, &address, QUEUE, on_connection, server,
				   &server->listener, err);
		if (ret)
			error_prefix(err, ret, "qmp");
	}
	if (ret) {
		free(server);
		return ret;
	}
	*ret_server = server;
	return 0;
}

void qmp_server_free(struct qmp_server *server)
{
	size_t i;

	if (!server)
		return;

	for (i = 0; i < QMP_CLIENTS_MAX; i++) {
		if (!server->clients[i])
			continue;
		outbox_flush(&server->clients[i]->outbox, server->clients[i]->fd);
		client_drop(server->clients[i]);
	}
	reap(server);
	listener_free(server->listener);
	free(server);
}

uint64_t qmp_server_client(const struct qmp_server *server)
{
	return server->serving ? server->serving->number : 0;
}

pid_t qmp_server_client_pid(const struct qmp_server *server)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return server->serving && !getsockopt(server->serving->fd, SOL_SOCKET, SO_PEERCRED, &peer,
					      &len) ? peer.pid : 0;
}

void qmp_server_on_leave(struct qmp_server *server, void (*left)(void *opaque, uint64_t client))
{
	server->left = left;
}

bool qmp_server_has(const struct qmp_server *server, uint64_t client)
{
	for (size_t i = 0; i < QMP_CLIENTS_MAX; i++) {
		const struct client *c = server->clients[i];

		if (c && c->fd >= 0 && c->number == client)
			return true;
	}
	return false;
}

/* --- events ----------------------------------------------------------------- */

static struct json_object *event_message(const char *name, struct json_object *data)
{
	struct json_object *message = json_object_new_object();
	struct json_object *stamp = json_object_new_object();
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	json_object_object_add(stamp, "seconds", json_object_new_int64(now.tv_sec));
	json_object_object_add(stamp, "microseconds", json_object_new_int64(now.tv_nsec / 1000));

	json_object_object_add(message, "timestamp", stamp);
	json_object_object_add(message, "event", json_object_new_string(name));
	if (data)
		json_object_object_add(message, "data", data);
	return message;
}

static void client_send_event(struct client *client, const char *name, const char *text, size_t len)
{
	client_send(client, text, len);
	if (client->fd >= 0 && outbox_pending(&client->outbox) && !client->lagged) {
		client->lagged = true;
		log_warn_limited(&client->server->lagging,
				 "qmp: a client does not read; %s waits in its backlog", name);
	}
}

void qmp_server_event(struct qmp_server *server, const char *name, struct json_object *data)
{
	size_t len, i;
	char *text = message_text(event_message(name, data), &len);

	if (!text) {
		log_error("qmp: no memory for the event %s", name);
		return;
	}
	for (i = 0; i < QMP_CLIENTS_MAX; i++)
		if (server->clients[i] && server->clients[i]->negotiated &&
		    !server->clients[i]->finished)
			client_send_event(server->clients[i], name, text, len);
	free(text);
	reap(server);
}
