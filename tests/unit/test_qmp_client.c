// SPDX-License-Identifier: GPL-2.0-only
/*
 * qmp/client against a peer that follows a script, in a thread of its own, and
 * against our own server. The deadlines are far away: none of them is waited for,
 * except where the passing of one is what is tested.
 */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "qmp/client.h"
#include "qmp/server.h"

#define GREETING	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 3, \"minor\": 1, " \
			"\"major\": 11}, \"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define EVENT(name, data) "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, " \
			"\"event\": \"" name "\"" data "}\r\n"
#define PASS(n)		EVENT("MIGRATION_PASS", ", \"data\": {\"pass\": " #n "}")

/* Said after accept(2), and after each request that was received; then it closes. */
struct script {
	const char *lines[8];
};

struct fixture {
	char dir[32];
	char path[64];
	char uri[80];
	int listen_fd;
	const struct script *script;
	size_t piece;		/* bytes of one send(2) of the peer; 0: all at once */
	pthread_t thread;
	struct qmp_client *client;
	struct error err;
};

static uint64_t far_away(void)
{
	return clock_ns() + 200 * NSEC_PER_SEC;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->dir, "/tmp/miglab-unit-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/qmp", f->dir);
	snprintf(f->uri, sizeof(f->uri), "unix:%s", f->path);
	f->listen_fd = -1;
	*state = f;
	return 0;
}

/* The client leaves, which ends the peer's thread, too. */
static void finish(struct fixture *f)
{
	qmp_client_free(f->client);
	f->client = NULL;
	if (!f->script)
		return;
	pthread_join(f->thread, NULL);
	close(f->listen_fd);
	unlink(f->path);
	f->script = NULL;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	finish(f);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

/* --- the peer ----------------------------------------------------------------- */

static void say(int fd, const char *text, size_t piece)
{
	size_t len = strlen(text), part;

	for (; len; text += part, len -= part) {
		part = piece && piece < len ? piece : len;
		if (send(fd, text, part, MSG_NOSIGNAL) != (ssize_t)part)
			return;
	}
}

/* Requests of the client are lines; the peer counts on that. */
static bool hear(int fd)
{
	char c = 0;

	while (c != '\n')
		if (recv(fd, &c, 1, 0) != 1)
			return false;
	return true;
}

/* Ends when the client leaves, or with a request for which the script has no line. */
static void *play(void *opaque)
{
	struct fixture *f = opaque;
	const char *const *line = f->script->lines;
	int fd = accept(f->listen_fd, NULL, NULL);

	do
		say(fd, *line, f->piece);
	while (hear(fd) && *++line);
	close(fd);
	return NULL;
}

static void start(struct fixture *f, const struct script *script)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	f->script = script;
	f->listen_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
	assert_int_equal(bind(f->listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(f->listen_fd, 1), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, play, f), 0);
}

static void start_and_connect(struct fixture *f, const struct script *script)
{
	start(f, script);
	assert_int_equal(qmp_client_connect(f->uri, far_away(), &f->client, &f->err), 0);
}

static void expect_event(struct fixture *f, const char *name, const char *data)
{
	struct qmp_event event;

	assert_int_equal(qmp_client_event(f->client, far_away(), &event, &f->err), 1);
	assert_string_equal(event.name, name);
	if (data)
		assert_string_equal(json_object_to_json_string_ext(event.data, 0), data);
	else
		assert_null(event.data);
	qmp_event_release(&event);
}

/* --- calls and events --------------------------------------------------------- */

static void calls_are_answered_among_events(void **state)
{
	static const struct script script = {
		{ GREETING, PASS(1) "{\"return\": {}, \"id\": 1}\r\n",
		  PASS(2) EVENT("STOP", "") "{\"return\": {\"status\": \"active\"}, \"id\": 2}\r\n"
		  PASS(3),
		  "{\"id\": 3, \"error\": {\"class\": \"GenericError\", "
		  "\"desc\": \"no, \xc3\xa9\"}}\r\n" },
	};
	static const size_t pieces[] = { 0, 1, 7 };
	struct fixture *f = *state;
	struct json_object *ret;

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		f->piece = pieces[i];
		start_and_connect(f, &script);
		assert_int_equal(qmp_client_call(f->client, "query-migrate", NULL, far_away(), &ret,
						 &f->err), 0);
		assert_string_equal(json_object_to_json_string_ext(ret, 0),
				    "{\"status\":\"active\"}");
		json_object_put(ret);
		assert_int_equal(qmp_client_call(f->client, "x", json_object_new_object(),
						 far_away(), NULL, &f->err), -EREMOTEIO);
		assert_string_equal(f->err.text, "no, \xc3\xa9");

		expect_event(f, "MIGRATION_PASS", "{\"pass\":1}");
		expect_event(f, "MIGRATION_PASS", "{\"pass\":2}");
		expect_event(f, "STOP", NULL);
		expect_event(f, "MIGRATION_PASS", "{\"pass\":3}");

		finish(f);
	}
}

static void event_carries_its_receipt(void **state)
{
	static const struct script script = {
		{ GREETING, "{\"return\": {}, \"id\": 1}\r\n" PASS(1) },
	};
	struct fixture *f = *state;
	uint64_t before = clock_ns();
	struct qmp_event event;

	start_and_connect(f, &script);
	assert_int_equal(qmp_client_event(f->client, far_away(), &event, &f->err), 1);
	assert_in_range(event.received_ns, before, clock_ns());
	assert_int_equal(event.bytes, strlen(PASS(1)) - 2);
	qmp_event_release(&event);
}

/* Whatever its time of delivery, an event is stamped when it arrived. */
static void receipt_is_not_delivery(void **state)
{
	static const struct script script = {
		{ GREETING, PASS(1) "{\"return\": {}, \"id\": 1}\r\n" },
	};
	struct fixture *f = *state;
	struct qmp_event event;
	uint64_t connected;

	start_and_connect(f, &script);
	connected = clock_ns();
	assert_int_equal(qmp_client_event(f->client, 0, &event, &f->err), 1);
	assert_true(event.received_ns <= connected);
	qmp_event_release(&event);
}

static void zero_deadline_does_not_wait(void **state)
{
	static const struct script script = { { GREETING, "{\"return\": {}, \"id\": 1}\r\n" } };
	struct fixture *f = *state;
	struct pollfd pfd = { .events = POLLIN };
	struct qmp_event event;

	start_and_connect(f, &script);
	assert_int_equal(qmp_client_event(f->client, 0, &event, &f->err), 0);
	pfd.fd = qmp_client_fd(f->client);
	assert_int_equal(poll(&pfd, 1, 0), 0);
}

/* An answer to a call that was given up is not taken for the next one's. */
static void late_answer_is_not_mistaken(void **state)
{
	static struct script script = { { GREETING, "{\"return\": {}, \"id\": 1}\r\n", "" } };
	struct fixture *f = *state;
	struct json_object *ret;
	char *line;

	/* So far apart that one read does not get both. */
	assert_true(asprintf(&line, "{\"return\": \"late\", \"id\": 2}%70000s"
			     "{\"return\": \"right\", \"id\": 3}\r\n", "") > 0);
	script.lines[3] = line;

	start_and_connect(f, &script);
	assert_int_equal(qmp_client_call(f->client, "slow", NULL, 0, NULL, &f->err), -ETIMEDOUT);
	assert_string_equal(f->err.text, "qmp: slow: no answer in time");
	assert_int_equal(qmp_client_call(f->client, "next", NULL, far_away(), &ret, &f->err), 0);
	assert_string_equal(json_object_get_string(ret), "right");
	json_object_put(ret);
	finish(f);
	free(line);
}

/* QEMU could not parse the command, so it does not know whose error it is. */
static void error_without_id_is_the_answer(void **state)
{
	static const struct script script = {
		{ GREETING, "{\"return\": {}, \"id\": 1}\r\n",
		  "{\"error\": {\"class\": \"GenericError\", "
		  "\"desc\": \"JSON parse error\"}}\r\n" },
	};
	struct fixture *f = *state;

	start_and_connect(f, &script);
	assert_int_equal(qmp_client_call(f->client, "x", NULL, far_away(), NULL, &f->err),
			 -EREMOTEIO);
	assert_string_equal(f->err.text, "JSON parse error");
}

static void error_of_an_unknown_device(void **state)
{
	static const struct script script = {
		{ GREETING, "{\"return\": {}, \"id\": 1}\r\n",
		  "{\"id\": 2, \"error\": {\"class\": \"DeviceNotFound\", "
		  "\"desc\": \"Device 'vf9' not found\"}}\r\n",
		  "{\"id\": 3, \"error\": {\"desc\": \"no class\"}}\r\n" },
	};
	struct fixture *f = *state;

	start_and_connect(f, &script);
	assert_int_equal(qmp_client_call(f->client, "x", NULL, far_away(), NULL, &f->err), -ENODEV);
	assert_string_equal(f->err.text, "Device 'vf9' not found");
	assert_int_equal(qmp_client_call(f->client, "x", NULL, far_away(), NULL, &f->err),
			 -EREMOTEIO);
	assert_string_equal(f->err.text, "no class");
}

/* The peer speaks until it was heard and listens only then, as a simple one may. */
static void reads_while_it_writes(void **state)
{
	static struct script script = { { GREETING, NULL, "{\"return\": {}, \"id\": 2}\r\n" } };
	struct json_object *args = json_object_new_object();
	struct fixture *f = *state;
	const size_t len = 1 << 20;
	char *pad = malloc(len), *line;
	struct qmp_event event;

	/* More than the socket buffers hold, either way. */
	assert_non_null(pad);
	memset(pad, 'x', len);
	pad[len - 1] = '\0';
	assert_true(asprintf(&line, "{\"return\": {}, \"id\": 1}\r\n"
			     EVENT("BIG", ", \"data\": \"%s\"") EVENT("END", ""), pad) > 0);
	script.lines[1] = line;
	json_object_object_add(args, "pad", json_object_new_string(pad));

	start_and_connect(f, &script);
	assert_int_equal(qmp_client_call(f->client, "x", args, far_away(), NULL, &f->err), 0);
	assert_int_equal(qmp_client_event(f->client, 0, &event, &f->err), 1);
	assert_int_equal(json_object_get_string_len(event.data), len - 1);
	qmp_event_release(&event);
	expect_event(f, "END", NULL);
	finish(f);
	free(pad);
	free(line);
}

/* --- ends --------------------------------------------------------------------- */

static void end_comes_after_what_was_received(void **state)
{
	static const struct script script = {
		{ GREETING, "{\"return\": {}, \"id\": 1}\r\n",
		  PASS(1) EVENT("SHUTDOWN", "") "{\"return\": {}, \"id\": 2}\r\n" },
	};
	struct fixture *f = *state;
	struct qmp_event event;

	start_and_connect(f, &script);
	assert_int_equal(qmp_client_call(f->client, "quit", NULL, far_away(), NULL, &f->err), 0);

	/* The peer hears this and its script is over. */
	assert_int_equal(qmp_client_call(f->client, "x", NULL, far_away(), NULL, &f->err), -EPIPE);
	assert_string_equal(f->err.text, "qmp: x: the peer closed the connection");
	expect_event(f, "MIGRATION_PASS", "{\"pass\":1}");
	expect_event(f, "SHUTDOWN", NULL);
	for (int i = 0; i < 2; i++)
		assert_int_equal(qmp_client_event(f->client, 0, &event, &f->err), -EPIPE);
	assert_int_equal(qmp_client_call(f->client, "y", NULL, far_away(), NULL, &f->err), -EPIPE);
}

static void what_is_no_qmp_ends_the_connection(void **state)
{
	static const struct row {
		struct script script;
		int code;
		const char *text;
	} rows[] = {
		{ { { "HTTP/1.1 200 OK\r\n" } }, -EPROTO, "no greeting" },
		{ { { "{\"hello\": 1}\r\n" } }, -EPROTO, "greeting is not QMP's" },
		{ { { "[]" } }, -EPROTO, "no object" },
		{ { { GREETING, "{\"id\": 1}\r\n" } }, -EPROTO, "neither return nor error" },
		{ { { GREETING, "{\"event\": 1}\r\n" } }, -EPROTO, "an event" },
		{ { { GREETING, "@" } }, -EPROTO, "JSON parse error" },
		{ { { GREETING } }, -EPIPE, "closed the connection" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start(f, &rows[i].script);
		assert_int_equal(qmp_client_connect(f->uri, far_away(), &f->client, &f->err),
				 rows[i].code);
		assert_null(f->client);
		assert_non_null(strstr(f->err.text, rows[i].text));
		finish(f);
	}
}

static void connecting_gives_up(void **state)
{
	static const struct script silent = { { "" } };
	struct fixture *f = *state;

	assert_int_equal(qmp_client_connect("tcp:x", 0, &f->client, &f->err), -EINVAL);
	assert_int_equal(qmp_client_connect(f->uri, 0, &f->client, &f->err), -ENOENT);
	assert_non_null(strstr(f->err.text, "cannot connect to"));

	start(f, &silent);
	assert_int_equal(qmp_client_connect(f->uri, 0, &f->client, &f->err), -ETIMEDOUT);
	assert_string_equal(f->err.text, "qmp: no greeting: no answer in time");
	assert_null(f->client);
}

/* --- our own server ----------------------------------------------------------- */

struct own {
	struct loop *loop;
	struct qmp_server *server;
	char uri[80];
};

static void stop(void *opaque)
{
	struct own *own = opaque;

	loop_stop(own->loop, 0);
}

static int do_echo(void *opaque, struct json_object *args, struct json_object **ret,
		   struct qmp_error *err)
{
	struct own *own = opaque;

	(void)err;
	qmp_server_event(own->server, "ECHO", NULL);
	*ret = json_object_get(args);
	return 0;
}

static const struct qmp_command commands[] = {
	{ "echo", "text:s", do_echo, "Echoes" },
	{ 0 },
};

/* Begins to listen in the thread: the client is there first, and tries again. */
static void *serve(void *opaque)
{
	struct own *own = opaque;

	if (qmp_server_new(own->loop, own->uri, commands, own, &own->server, NULL))
		return own;
	loop_run(own->loop);
	qmp_server_free(own->server);
	return NULL;
}

static void speaks_with_our_server(void **state)
{
	struct json_object *args = json_object_new_object(), *ret;
	struct fixture *f = *state;
	pthread_t thread;
	struct own own;
	char *text;
	void *failed;

	memcpy(own.uri, f->uri, sizeof(own.uri));
	assert_int_equal(loop_new(&own.loop), 0);
	loop_on_wake(own.loop, stop, &own);
	assert_int_equal(pthread_create(&thread, NULL, serve, &own), 0);
	assert_int_equal(qmp_client_connect(f->uri, far_away(), &f->client, &f->err), 0);

	text = calloc(1, QMP_REQUEST_MAX / 2);
	memset(text, 'x', QMP_REQUEST_MAX / 2 - 1);
	json_object_object_add(args, "text", json_object_new_string(text));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(qmp_client_call(f->client, "echo", json_object_get(args),
						 far_away(), &ret, &f->err), 0);
		assert_true(json_object_equal(ret, args));
		json_object_put(ret);
	}
	for (int i = 0; i < 3; i++)
		expect_event(f, "ECHO", NULL);
	json_object_put(args);
	free(text);

	loop_wake(own.loop);
	pthread_join(thread, &failed);
	assert_null(failed);
	loop_free(own.loop);
}

#define CLIENT_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CLIENT_TEST(calls_are_answered_among_events),
		CLIENT_TEST(event_carries_its_receipt),
		CLIENT_TEST(receipt_is_not_delivery),
		CLIENT_TEST(zero_deadline_does_not_wait),
		CLIENT_TEST(late_answer_is_not_mistaken),
		CLIENT_TEST(error_without_id_is_the_answer),
		CLIENT_TEST(error_of_an_unknown_device),
		CLIENT_TEST(reads_while_it_writes),
		CLIENT_TEST(end_comes_after_what_was_received),
		CLIENT_TEST(what_is_no_qmp_ends_the_connection),
		CLIENT_TEST(connecting_gives_up),
		CLIENT_TEST(speaks_with_our_server),
	};

	return cmocka_run_group_tests_name("qmp_client", tests, NULL, NULL);
}
