// SPDX-License-Identifier: GPL-2.0-only
#include "qmp/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "qmp/address.h"
#include "qmp/reader.h"

/* A peer may say more than a client may ask: query-qmp-schema of QEMU is 300 KiB. */
#define MESSAGE_MAX	(64u << 20)
#define DEPTH_MAX	512

#define RETRY_NS	(10 * NSEC_PER_MSEC)

struct queued {
	struct queued *next;
	struct qmp_event event;
};

struct qmp_client {
	int fd;
	struct qmp_reader reader;
	struct queued *first;
	struct queued **last;
	int64_t id;			/* of the command that was sent last */
	struct json_object *message;	/* what is no event: greeting or answer */
	int broken;			/* -errno: there is no more to read */
	struct error why;
};

/* --- input ------------------------------------------------------------------ */

static int break_off(struct qmp_client *client, int code, const char *why)
{
	client->broken = code;
	return error_set(&client->why, code, "%s", why);
}

/* An event goes to the queue; anything else is the message that somebody waits for. */
static int take(struct qmp_client *client, struct json_object *value, uint64_t now)
{
	struct json_object *name, *data;
	struct queued *queued;

	if (!json_object_is_type(value, json_type_object)) {
		json_object_put(value);
		return break_off(client, -EPROTO, "the peer sent JSON that is no object");
	}
	if (!json_object_object_get_ex(value, "event", &name)) {
		json_object_put(client->message);
		client->message = value;
		return 0;
	}

	queued = json_object_is_type(name, json_type_string) ? calloc(1, sizeof(*queued)) : NULL;
	if (!queued) {
		json_object_put(value);
		return break_off(client, -EPROTO, "an event could not be kept");
	}
	queued->event.received_ns = now;
	queued->event.bytes = client->reader.bytes;
	snprintf(queued->event.name, sizeof(queued->event.name), "%s",
		 json_object_get_string(name));
	if (json_object_object_get_ex(value, "data", &data))
		queued->event.data = json_object_get(data);
	json_object_put(value);

	*client->last = queued;
	client->last = &queued->next;
	return 0;
}

/* Reads once what is there. Returns 1 after news, 0 when there was nothing, or what broke. */
static int fill(struct qmp_client *client)
{
	struct json_object *value;
	struct error err;
	char buf[65536];
	size_t used, at;
	uint64_t now;
	ssize_t len;
	int ret;

	if (client->broken)
		return client->broken;

	len = recv(client->fd, buf, sizeof(buf), MSG_DONTWAIT);
	now = clock_ns();
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (len <= 0)
		return break_off(client, -EPIPE, "the peer closed the connection");

	for (at = 0; at < (size_t)len; at += used) {
		ret = qmp_reader_next(&client->reader, buf + at, (size_t)len - at, &used, &value,
				      &err);
		if (ret > 0)
			ret = take(client, value, now);
		else if (ret < 0)
			ret = break_off(client, -EPROTO, err.text);
		if (ret)
			return ret;
	}
	return 1;
}

/* What poll(2) says; 0 when the deadline comes first. One that has passed does not wait. */
static int wait_for(struct qmp_client *client, short events, uint64_t deadline_ns)
{
	struct pollfd pfd = { .fd = client->fd, .events = events };
	uint64_t now = clock_ns();
	uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
	struct timespec timeout = {
		.tv_sec = (time_t)(left / NSEC_PER_SEC),
		.tv_nsec = (long)(left % NSEC_PER_SEC),
	};

	/* After a signal, the caller looks and waits again. */
	if (ppoll(&pfd, 1, &timeout, NULL) < 0)
		return errno == EINTR ? POLLIN : break_off(client, -errno, strerror(errno));
	return pfd.revents;
}

/* Why there is no more, for @err. */
static int broken(const struct qmp_client *client, struct error *err)
{
	return error_set(err, client->broken, "%s", client->why.text);
}

/* The next message that is no event, owned by the caller. */
static int next_message(struct qmp_client *client, uint64_t deadline_ns, struct json_object **ret,
			struct error *err)
{
	while (!client->message) {
		/* Looked at before waiting, or a flood of events would put it off for ever. */
		bool late = clock_ns() >= deadline_ns;

		if (client->broken)
			return broken(client, err);
		if (!wait_for(client, POLLIN, deadline_ns))
			late = true;
		else
			fill(client);
		if (late && !client->message && !client->broken)
			return error_set(err, -ETIMEDOUT, "no answer in time");
	}
	*ret = client->message;
	client->message = NULL;
	return 0;
}

/* --- connecting ------------------------------------------------------------- */

static void nap(void)
{
	struct timespec time = { .tv_nsec = RETRY_NS };

	nanosleep(&time, NULL);
}

static int connect_until(const struct address *address, uint64_t deadline_ns, int *ret_fd,
			 struct error *err)
{
	int fd, why;

	fd = address_socket(address);
	if (fd < 0)
		return error_set(err, fd, "qmp: socket: %s", strerror(-fd));

	while (connect(fd, &address->any, address->len)) {
		why = errno;
		if ((why == ENOENT || why == ECONNREFUSED || why == EAGAIN || why == EINTR) &&
		    clock_ns() < deadline_ns) {
			nap();
			continue;
		}
		close(fd);
		return error_set(err, -why, "qmp: cannot connect to %s: %s", address->text,
				 strerror(why));
	}
	*ret_fd = fd;
	return 0;
}

static int negotiate(struct qmp_client *client, uint64_t deadline_ns, struct error *err)
{
	struct json_object *greeting;
	int ret;

	ret = next_message(client, deadline_ns, &greeting, err);
	if (ret)
		return error_prefix(err, ret, "qmp: no greeting");
	if (!json_object_object_get_ex(greeting, "QMP", NULL))
		ret = error_set(err, -EPROTO, "qmp: the peer's greeting is not QMP's: %s",
				json_object_to_json_string(greeting));
	json_object_put(greeting);

	return ret ?: qmp_client_call(client, "qmp_capabilities", NULL, deadline_ns, NULL, err);
}

int qmp_client_connect(const char *uri, uint64_t deadline_ns, struct qmp_client **ret_client,
		       struct error *err)
{
	struct address address;
	struct qmp_client *client;
	int ret;

	ret = qmp_address_parse(uri, &address, err);
	if (ret)
		return ret;

	client = calloc(1, sizeof(*client));
	if (!client)
		return error_set(err, -ENOMEM, "qmp: no memory");
	client->fd = -1;
	client->last = &client->first;

	ret = qmp_reader_init(&client->reader, MESSAGE_MAX, DEPTH_MAX);
	if (ret)
		error_set(err, ret, "qmp: no memory");
	ret = ret ?: connect_until(&address, deadline_ns, &client->fd, err);
	ret = ret ?: negotiate(client, deadline_ns, err);
	if (ret) {
		qmp_client_free(client);
		return ret;
	}
	*ret_client = client;
	return 0;
}

void qmp_client_free(struct qmp_client *client)
{
	struct queued *queued;

	if (!client)
		return;

	while ((queued = client->first)) {
		client->first = queued->next;
		qmp_event_release(&queued->event);
		free(queued);
	}
	json_object_put(client->message);
	qmp_reader_cleanup(&client->reader);
	if (client->fd >= 0)
		close(client->fd);
	free(client);
}

int qmp_client_fd(const struct qmp_client *client)
{
	return client->fd;
}

/* --- commands --------------------------------------------------------------- */

/* Reads while it writes: neither end may wait for the other to read first. */
static int send_all(struct qmp_client *client, const char *text, size_t len, uint64_t deadline_ns)
{
	ssize_t done;
	int ret;

	while (len && !client->broken) {
		done = send(client->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (done > 0) {
			text += done;
			len -= (size_t)done;
			continue;
		}
		/* The answers that explain a broken pipe can still be read. */
		if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return break_off(client, -EPIPE, strerror(errno));
		ret = wait_for(client, POLLIN | POLLOUT, deadline_ns);
		if (ret <= 0)
			return break_off(client, -ETIMEDOUT, "the peer does not read");
		if (ret & ~POLLOUT)
			fill(client);
	}
	return client->broken;
}

static int send_command(struct qmp_client *client, const char *command, struct json_object *args,
			uint64_t deadline_ns)
{
	struct json_object *request = json_object_new_object();
	char *text;
	int len, ret;

	json_object_object_add(request, "execute", json_object_new_string(command));
	if (args)
		json_object_object_add(request, "arguments", args);
	json_object_object_add(request, "id", json_object_new_int64(++client->id));
	len = asprintf(&text, "%s\r\n",
		       json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN |
							       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(request);
	if (len < 0)
		return break_off(client, -ENOMEM, "no memory for a command");

	ret = send_all(client, text, (size_t)len, deadline_ns);
	free(text);
	return ret;
}

/* 1: the answer to the last command; an error without an id, too, since it names none. */
static bool is_answer(const struct qmp_client *client, struct json_object *message)
{
	struct json_object *id;

	if (!json_object_object_get_ex(message, "id", &id))
		return json_object_object_get_ex(message, "error", NULL);
	return json_object_is_type(id, json_type_int) && json_object_get_int64(id) == client->id;
}

/* @answer is taken over. */
static int read_answer(const char *command, struct json_object *answer, struct json_object **ret,
		       struct error *err)
{
	struct json_object *value, *desc, *class;
	int status = 0;

	if (json_object_object_get_ex(answer, "return", &value)) {
		if (ret)
			*ret = json_object_get(value);
	} else if (json_object_object_get_ex(answer, "error", &value) &&
		   json_object_object_get_ex(value, "desc", &desc) && desc) {
		class = json_object_object_get(value, "class");
		status = class && !strcmp(json_object_get_string(class), "DeviceNotFound") ?
			 -ENODEV : -EREMOTEIO;
		error_set(err, status, "%s", json_object_get_string(desc));
	} else {
		status = error_set(err, -EPROTO, "qmp: the answer to %s is neither return nor "
				   "error: %s", command, json_object_to_json_string(answer));
	}
	json_object_put(answer);
	return status;
}

int qmp_client_call(struct qmp_client *client, const char *command, struct json_object *args,
		    uint64_t deadline_ns, struct json_object **ret, struct error *err)
{
	struct json_object *answer;
	int status;

	send_command(client, command, args, deadline_ns);
	for (;;) {
		status = next_message(client, deadline_ns, &answer, err);
		if (status)
			return error_prefix(err, status, "qmp: %s", command);
		if (is_answer(client, answer))
			return read_answer(command, answer, ret, err);
		json_object_put(answer);
	}
}

/* --- events ----------------------------------------------------------------- */

int qmp_client_event(struct qmp_client *client, uint64_t deadline_ns, struct qmp_event *ret_event,
		     struct error *err)
{
	struct queued *queued;

	while (!client->first) {
		if (client->broken)
			return error_prefix(err, broken(client, err), "qmp");
		if (!wait_for(client, POLLIN, deadline_ns))
			return 0;
		fill(client);
	}

	queued = client->first;
	client->first = queued->next;
	if (!client->first)
		client->last = &client->first;
	*ret_event = queued->event;
	free(queued);
	return 1;
}

const char *qmp_event_text(const struct qmp_event *event, const char *key)
{
	struct json_object *value;

	if (!event->data || !json_object_object_get_ex(event->data, key, &value))
		return "";
	return json_object_get_string(value) ?: "";
}

void qmp_event_release(struct qmp_event *event)
{
	json_object_put(event->data);
	event->data = NULL;
}
