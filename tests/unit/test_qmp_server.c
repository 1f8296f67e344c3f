// SPDX-License-Identifier: GPL-2.0-only
/*
 * qmp/server over real sockets. Server and clients share this thread: the loop is
 * stepped round by round, so nothing here waits for a clock.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "qmp/events.h"
#include "qmp/server.h"

#define ROUNDS		20000	/* more than any test needs: a bound for one that hangs */
#define NEGOTIATE	"{\"execute\":\"qmp_capabilities\"}"

struct fixture {
	struct loop *loop;
	struct qmp_server *server;
	char dir[32];
	char path[64];
	char uri[128];
};

/* The other end of a connection. */
struct peer {
	int fd;
	char *in;		/* received, and not yet taken as a line */
	size_t len;
	bool closed;
};

/* --- commands ----------------------------------------------------------------- */

static int do_nothing(void *opaque, struct json_object *args, struct json_object **ret,
		      struct qmp_error *err)
{
	(void)opaque;
	(void)ret;
	(void)err;
	assert_true(json_object_is_type(args, json_type_object));
	return 0;
}

static int do_echo(void *opaque, struct json_object *args, struct json_object **ret,
		   struct qmp_error *err)
{
	(void)opaque;
	(void)err;
	*ret = json_object_get(args);
	return 0;
}

static int do_refuse(void *opaque, struct json_object *args, struct json_object **ret,
		     struct qmp_error *err)
{
	(void)opaque;
	(void)args;
	(void)ret;
	return qmp_fail(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", "vf9");
}

static int do_stop(void *opaque, struct json_object *args, struct json_object **ret,
		   struct qmp_error *err)
{
	struct fixture *f = opaque;

	(void)args;
	(void)ret;
	(void)err;
	qmp_server_event(f->server, QMP_EVENT_STOP, NULL);
	return 0;
}

static struct json_object *numbered(int64_t number, size_t bytes)
{
	struct json_object *data = json_object_new_object();
	char *pad = malloc(bytes + 1);

	assert_non_null(pad);
	memset(pad, 'x', bytes);
	pad[bytes] = '\0';
	json_object_object_add(data, "number", json_object_new_int64(number));
	json_object_object_add(data, "pad", json_object_new_string(pad));
	free(pad);
	return data;
}

/* More than any client's backlog, the caller's included, while it is being served. */
static int do_flood(void *opaque, struct json_object *args, struct json_object **ret,
		    struct qmp_error *err)
{
	struct fixture *f = opaque;

	(void)args;
	(void)ret;
	(void)err;
	for (int i = 0; i < 300; i++)
		qmp_server_event(f->server, "FLOOD", numbered(i, 10000));
	return 0;
}

static const struct qmp_command commands[] = {
	{ "nothing", "", do_nothing, "Does nothing" },
	{ "echo", "text:s,?flag:b,?number:i,?size:u,?list:a,?object:o", do_echo, "Echoes" },
	{ "refuse", "", do_refuse, "Fails" },
	{ "stop", "", do_stop, "Sends an event" },
	{ "flood", "", do_flood, "Sends too many" },
	{ 0 },
};

/* --- fixture ------------------------------------------------------------------ */

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->dir, "/tmp/miglab-unit-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/qmp", f->dir);
	snprintf(f->uri, sizeof(f->uri), "unix:%s,server=on,wait=off", f->path);
	assert_int_equal(loop_new(&f->loop), 0);
	assert_int_equal(qmp_server_new(f->loop, f->uri, commands, f, &f->server, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	qmp_server_free(f->server);
	loop_free(f->loop);
	assert_int_equal(access(f->path, F_OK), -1);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void stop(void *opaque)
{
	loop_stop(opaque, 0);
}

/* One round of the loop: each socket that is ready is served once. */
static void step(struct fixture *f)
{
	assert_non_null(loop_at(f->loop, 0, stop, f->loop));
	assert_int_equal(loop_run(f->loop), 0);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Takes what the kernel has; the server is not run. */
static void receive(struct peer *peer)
{
	ssize_t len;

	for (;;) {
		peer->in = realloc(peer->in, peer->len + 65536);
		assert_non_null(peer->in);
		len = recv(peer->fd, peer->in + peer->len, 65535, MSG_DONTWAIT);
		if (len <= 0)
			break;
		peer->len += (size_t)len;
	}
	/* A connection that is closed with input unread is reset; that is the end, too. */
	if (!len || errno == ECONNRESET)
		peer->closed = true;
	else
		assert_int_equal(errno, EAGAIN);
}

/* The next message if it is here, or NULL. Each is one line that ends in \r\n. */
static struct json_object *take(struct peer *peer)
{
	struct json_tokener *tokener;
	struct json_object *value;
	char *end;

	receive(peer);
	end = memchr(peer->in, '\n', peer->len);
	if (!end)
		return NULL;
	assert_true(end > peer->in);
	assert_int_equal(end[-1], '\r');
	end[-1] = '\0';
	assert_null(strchr(peer->in, '\r'));
	/* Deeper than json-c's default, since an answer holds the id. */
	tokener = json_tokener_new_ex(2 * QMP_DEPTH_MAX);
	value = json_tokener_parse_ex(tokener, peer->in, (int)strlen(peer->in));
	json_tokener_free(tokener);
	assert_non_null(value);
	peer->len -= (size_t)(end + 1 - peer->in);
	memmove(peer->in, end + 1, peer->len);
	return value;
}

/* The next message; runs the server until it is here. */
static struct json_object *await(struct fixture *f, struct peer *peer)
{
	struct json_object *value = take(peer);

	for (int i = 0; !value && !peer->closed && i < ROUNDS; i++) {
		step(f);
		value = take(peer);
	}
	assert_non_null(value);
	return value;
}

static void await_end(struct fixture *f, struct peer *peer)
{
	for (int i = 0; !peer->closed && i < ROUNDS; i++) {
		step(f);
		receive(peer);
	}
	assert_true(peer->closed);
}

/* @want has one message, or several with spaces between. */
static void expect(struct fixture *f, struct peer *peer, const char *want)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *got, *wanted;

	for (; *want; want += json_tokener_get_parse_end(tokener)) {
		wanted = json_tokener_parse_ex(tokener, want, (int)strlen(want));
		assert_non_null(wanted);
		got = await(f, peer);
		if (!json_object_equal(got, wanted))
			assert_string_equal(json_object_to_json_string(got),
					    json_object_to_json_string(wanted));
		json_object_put(got);
		json_object_put(wanted);
	}
	json_tokener_free(tokener);
}

/* Nothing more comes: an answer to a last request is the next message. */
static void expect_no_more(struct fixture *f, struct peer *peer)
{
	static const char last[] = "\n{\"execute\":\"nothing\",\"id\":\"last\"}";

	assert_int_equal(send(peer->fd, last, sizeof(last) - 1, 0), sizeof(last) - 1);
	expect(f, peer, "{\"return\":{},\"id\":\"last\"}");
}

static void say(struct fixture *f, struct peer *peer, const char *text, size_t len)
{
	ssize_t done;

	while (len) {
		done = send(peer->fd, text, len, MSG_NOSIGNAL);
		if (done < 0) {
			assert_true(errno == EAGAIN || errno == EPIPE);
			if (errno == EPIPE)
				return;
			step(f);
			continue;
		}
		text += done;
		len -= (size_t)done;
	}
}

static struct peer greeted(struct fixture *f)
{
	struct peer peer = { .fd = connect_to(f->path) };

	expect(f, &peer, "{\"QMP\":{\"version\":{\"qemu\":{\"major\":11,\"minor\":1,\"micro\":3},"
			 "\"package\":\"miglab " MIGLAB_VERSION "\"},\"capabilities\":[]}}");
	return peer;
}

static struct peer negotiated(struct fixture *f)
{
	struct peer peer = greeted(f);

	say(f, &peer, NEGOTIATE, strlen(NEGOTIATE));
	expect(f, &peer, "{\"return\":{}}");
	return peer;
}

static void hang_up(struct peer *peer)
{
	close(peer->fd);
	free(peer->in);
}

/* --- what is said to what ----------------------------------------------------- */

#define ERROR(class, desc)	"\"error\":{\"class\":\"" class "\",\"desc\":\"" desc "\"}"
#define GENERIC(desc)		ERROR("GenericError", desc)
#define UNREADY			ERROR("CommandNotFound", "Expecting capabilities negotiation " \
				      "with 'qmp_capabilities'")
#define NOTHING			"{\"execute\":\"nothing\"}"
#define DONE			"{\"return\":{}}"

struct row {
	const char *say;
	const char *want;
};

static const struct row before_negotiation[] = {
	{ "{\"execute\":\"nothing\",\"id\":1}", "{\"id\":1," UNREADY "}" },
	{ "{\"execute\":\"nosuch\"}", "{" UNREADY "}" },
	{ "{\"execute\":\"query-version\"}", "{" UNREADY "}" },
	{ "{\"execute\":\"query-commands\"}", "{" UNREADY "}" },
	{ "[]", "{" GENERIC("QMP input must be a JSON object") "}" },
	{ "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}",
	  "{" GENERIC("Capability oob not available") "}" },
	{ "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"x\"]}}",
	  "{" GENERIC("Parameter 'null' does not accept value 'x'") "}" },
	{ "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[1]}}",
	  "{" GENERIC("Invalid parameter type for 'enable[0]', expected: string") "}" },
	{ "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":1}}",
	  "{" GENERIC("Invalid parameter type for 'enable', expected: array") "}" },
	{ "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"x\":1}}",
	  "{" GENERIC("Parameter 'x' is unexpected") "}" },
	{ NOTHING, "{" UNREADY "}" },
};

#define ECHO(args)	"{\"execute\":\"echo\",\"arguments\":{" args "}}"
#define WITH_ID(id)	{ "{\"execute\":\"nothing\",\"id\":" id "}", \
			  "{\"return\":{},\"id\":" id "}" }

static const struct row after_negotiation[] = {
	{ NEGOTIATE, "{" ERROR("CommandNotFound", "Capabilities negotiation is already complete, "
			       "command ignored") "}" },
	{ "{\"execute\":\"nosuch\",\"id\":7}",
	  "{\"id\":7," ERROR("CommandNotFound", "The command nosuch has not been found") "}" },
	{ "{\"execute\":\"nothing\\u0000\"}",
	  "{" GENERIC("QMP input member 'execute' must be a string") "}" },
	{ "{\"execute\":\"refuse\",\"id\":8}",
	  "{\"id\":8," ERROR("DeviceNotFound", "Device 'vf9' not found") "}" },
	{ "{\"execute\":\"query-version\"}",
	  "{\"return\":{\"qemu\":{\"major\":11,\"minor\":1,\"micro\":3},\"package\":\"miglab "
	  MIGLAB_VERSION "\"}}" },
	{ "{\"execute\":\"query-commands\"}",
	  "{\"return\":[{\"name\":\"qmp_capabilities\"},{\"name\":\"query-commands\"},"
	  "{\"name\":\"query-version\"},{\"name\":\"nothing\"},{\"name\":\"echo\"},"
	  "{\"name\":\"refuse\"},{\"name\":\"stop\"},{\"name\":\"flood\"}]}" },

	/* the envelope */
	{ "[]", "{" GENERIC("QMP input must be a JSON object") "}" },
	{ "1 ", "{" GENERIC("QMP input must be a JSON object") "}" },
	{ "null ", "{" GENERIC("QMP input must be a JSON object") "}" },
	{ "\"nothing\"", "{" GENERIC("QMP input must be a JSON object") "}" },
	{ "{}", "{" GENERIC("QMP input lacks member 'execute'") "}" },
	{ "{\"id\":1}", "{\"id\":1," GENERIC("QMP input lacks member 'execute'") "}" },
	{ "{\"execute\":1}", "{" GENERIC("QMP input member 'execute' must be a string") "}" },
	{ "{\"execute\":\"nothing\",\"x\":1,\"id\":2}",
	  "{\"id\":2," GENERIC("QMP input member 'x' is unexpected") "}" },
	{ "{\"exec-oob\":\"nothing\"}",
	  "{" GENERIC("QMP input member 'exec-oob' is unexpected") "}" },
	{ "{\"x\":1,\"y\":2}", "{" GENERIC("QMP input member 'x' is unexpected") "}" },
	{ "{\"execute\":\"nothing\",\"arguments\":[],\"id\":3}",
	  "{\"id\":3," GENERIC("QMP input member 'arguments' must be an object") "}" },
	{ "{\"execute\":\"nothing\",\"arguments\":null}",
	  "{" GENERIC("QMP input member 'arguments' must be an object") "}" },

	/* arguments */
	{ ECHO(""), "{" GENERIC("Parameter 'text' is missing") "}" },
	{ "{\"execute\":\"echo\"}", "{" GENERIC("Parameter 'text' is missing") "}" },
	{ ECHO("\"x\":1"), "{" GENERIC("Parameter 'text' is missing") "}" },
	{ ECHO("\"text\":\"\",\"x\":1"), "{" GENERIC("Parameter 'x' is unexpected") "}" },
	{ ECHO("\"text\":\"\",\"tex\":1"), "{" GENERIC("Parameter 'tex' is unexpected") "}" },
	{ "{\"execute\":\"nothing\",\"arguments\":{\"x\":1}}",
	  "{" GENERIC("Parameter 'x' is unexpected") "}" },
	{ ECHO("\"text\":1"),
	  "{" GENERIC("Invalid parameter type for 'text', expected: string") "}" },
	{ ECHO("\"text\":null"),
	  "{" GENERIC("Invalid parameter type for 'text', expected: string") "}" },
	{ ECHO("\"text\":\"a\\u0000b\""),
	  "{" GENERIC("Invalid parameter type for 'text', expected: string") "}" },
	{ ECHO("\"text\":\"\",\"flag\":1"),
	  "{" GENERIC("Invalid parameter type for 'flag', expected: boolean") "}" },
	{ ECHO("\"text\":\"\",\"number\":1.5"),
	  "{" GENERIC("Invalid parameter type for 'number', expected: integer") "}" },
	{ ECHO("\"text\":\"\",\"number\":9223372036854775808"),
	  "{" GENERIC("Invalid parameter type for 'number', expected: integer") "}" },
	{ ECHO("\"text\":\"\",\"size\":1.5"), "{" GENERIC("Parameter 'size' expects uint64") "}" },
	{ ECHO("\"text\":\"\",\"size\":\"1\""),
	  "{" GENERIC("Parameter 'size' expects uint64") "}" },
	{ ECHO("\"text\":\"\",\"list\":{}"),
	  "{" GENERIC("Invalid parameter type for 'list', expected: array") "}" },
	{ ECHO("\"text\":\"\",\"object\":[]"),
	  "{" GENERIC("Invalid parameter type for 'object', expected: object") "}" },
	{ ECHO("\"text\":\"/\\u00e9\\n\",\"flag\":false,\"number\":-9223372036854775808,"
	       "\"size\":9223372036854775807,\"list\":[1],\"object\":{}"),
	  "{\"return\":{\"text\":\"/\\u00e9\\n\",\"flag\":false,\"number\":-9223372036854775808,"
	  "\"size\":9223372036854775807,\"list\":[1],\"object\":{}}}" },

	/* the id comes back as it was */
	WITH_ID("1"), WITH_ID("-9223372036854775808"), WITH_ID("18446744073709551615"),
	WITH_ID("1.25"), WITH_ID("\"a\\u0000\\n\xc3\xa9\""), WITH_ID("true"), WITH_ID("null"),
	WITH_ID("[1,[null],{}]"), WITH_ID("{\"\":{\"a\":[]}}"),

	/* malformed, and the connection goes on */
	{ "{\"a\" 1}" NOTHING, "{" GENERIC("JSON parse error, object property name separator ':' "
					   "expected") "}" DONE },
	{ "@@@\n" NOTHING, "{" GENERIC("JSON parse error, unexpected character") "}" DONE },
	{ "{\"execute\":\"noth\n" NOTHING,
	  "{" GENERIC("JSON parse error, stray byte 0x0a") "}" DONE },
	{ "{\"execute\":\"nothing\",\"id\":\"\xff\"}" NOTHING,
	  "{" GENERIC("JSON parse error, stray byte 0xff") "}" DONE },
};

static void check_rows(struct fixture *f, struct peer *peer, const struct row *rows, size_t count)
{
	for (; count--; rows++) {
		size_t len = strlen(rows->say);

		say(f, peer, rows->say, len);
		expect(f, peer, rows->want);
		for (size_t i = 0; i < len; i++) {
			say(f, peer, rows->say + i, 1);
			step(f);
		}
		expect(f, peer, rows->want);
	}
}

static void answers_before_negotiation(void **state)
{
	struct fixture *f = *state;
	struct peer peer = greeted(f);

	check_rows(f, &peer, before_negotiation,
		   sizeof(before_negotiation) / sizeof(before_negotiation[0]));
	say(f, &peer, NEGOTIATE, strlen(NEGOTIATE));
	expect(f, &peer, DONE);
	expect_no_more(f, &peer);
	hang_up(&peer);
}

static void answers_after_negotiation(void **state)
{
	struct fixture *f = *state;
	struct peer peer = negotiated(f);

	check_rows(f, &peer, after_negotiation,
		   sizeof(after_negotiation) / sizeof(after_negotiation[0]));
	expect_no_more(f, &peer);
	hang_up(&peer);
}

static void an_empty_list_of_capabilities_negotiates(void **state)
{
	static const char text[] = "{\"execute\":\"qmp_capabilities\","
				   "\"arguments\":{\"enable\":[]}}";
	struct fixture *f = *state;
	struct peer peer = greeted(f);

	say(f, &peer, text, strlen(text));
	expect(f, &peer, DONE);
	expect_no_more(f, &peer);
	hang_up(&peer);
}

/* Text that is echoed in an error is cut, and what goes out is still JSON. */
static void long_name_is_cut(void **state)
{
	struct fixture *f = *state;
	struct peer peer = negotiated(f);
	struct json_object *answer, *error, *desc;
	char text[4096];

	memset(text, 'n', sizeof(text));
	memcpy(text, "{\"execute\":\"", 12);
	memcpy(text + sizeof(text) - 2, "\"}", 2);
	say(f, &peer, text, sizeof(text));
	answer = await(f, &peer);
	assert_true(json_object_object_get_ex(answer, "error", &error));
	assert_true(json_object_object_get_ex(error, "desc", &desc));
	assert_in_range(json_object_get_string_len(desc), 400, 511);
	json_object_put(answer);
	hang_up(&peer);
}

static void answers_many_in_one_segment(void **state)
{
	struct fixture *f = *state;
	struct peer peer = negotiated(f);
	char text[64], want[64], *all = NULL;
	size_t len = 0;

	/* No white space between them, as some clients write. */
	for (int i = 0; i < 2000; i++) {
		int part = snprintf(text, sizeof(text), "{\"execute\":\"nothing\",\"id\":%d}", i);

		all = realloc(all, len + (size_t)part);
		assert_non_null(all);
		memcpy(all + len, text, (size_t)part);
		len += (size_t)part;
	}
	say(f, &peer, all, len);
	for (int i = 0; i < 2000; i++) {
		snprintf(want, sizeof(want), "{\"return\":{},\"id\":%d}", i);
		expect(f, &peer, want);
	}
	expect_no_more(f, &peer);
	free(all);
	hang_up(&peer);
}

/* --- bounds ------------------------------------------------------------------- */

static void depth_is_bounded(void **state)
{
	struct fixture *f = *state;
	struct peer peer = negotiated(f);
	char text[4 * QMP_DEPTH_MAX];
	unsigned int depth;

	/* The object of the request is one level, the id has the others. */
	for (depth = QMP_DEPTH_MAX - 1; depth <= QMP_DEPTH_MAX; depth++) {
		int len = sprintf(text, "{\"execute\":\"nothing\",\"id\":");

		memset(text + len, '[', depth);
		memset(text + len + depth, ']', depth);
		strcpy(text + len + 2 * depth, "}");
		say(f, &peer, text, strlen(text));
		if (depth == QMP_DEPTH_MAX) {
			expect(f, &peer, "{" GENERIC("JSON nesting depth limit exceeded") "}");
		} else {
			struct json_object *answer = await(f, &peer);

			assert_true(json_object_object_get_ex(answer, "return", NULL));
			json_object_put(answer);
		}
	}
	expect_no_more(f, &peer);
	hang_up(&peer);
}

/* A request of @len bytes, nearly all of them in an argument. */
static char *big_request(size_t len)
{
	static const char head[] = "{\"execute\":\"nothing\",\"id\":\"";
	char *text = malloc(len);

	assert_non_null(text);
	memset(text, 'x', len);
	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + len - 2, "\"}", 2);
	return text;
}

static void largest_request_is_answered(void **state)
{
	struct fixture *f = *state;
	struct peer peer = negotiated(f);
	char *text = big_request(QMP_REQUEST_MAX);
	struct json_object *answer;

	say(f, &peer, text, QMP_REQUEST_MAX);
	answer = await(f, &peer);
	assert_true(json_object_object_get_ex(answer, "return", NULL));
	json_object_put(answer);
	expect_no_more(f, &peer);
	free(text);
	hang_up(&peer);
}

static void larger_request_ends_the_connection(void **state)
{
	struct fixture *f = *state;
	struct peer peer = negotiated(f), other = negotiated(f);
	char *text = big_request(QMP_REQUEST_MAX + 1);

	log_set_level(LOG_LEVEL_ERROR);
	say(f, &peer, text, QMP_REQUEST_MAX + 1);
	expect(f, &peer, "{" GENERIC("JSON token size limit exceeded") "}");
	await_end(f, &peer);
	assert_int_equal(peer.len, 0);
	log_set_level(LOG_LEVEL_WARN);

	expect_no_more(f, &other);
	free(text);
	hang_up(&peer);
	hang_up(&other);
}

static void endless_garbage_ends_the_connection(void **state)
{
	struct fixture *f = *state;
	struct peer peer = negotiated(f);
	char *text = big_request(QMP_REQUEST_MAX + 1);

	log_set_level(LOG_LEVEL_ERROR);
	memset(text, '@', QMP_REQUEST_MAX + 1);
	say(f, &peer, text, QMP_REQUEST_MAX + 1);
	expect(f, &peer, "{" GENERIC("JSON parse error, unexpected character") "}");
	await_end(f, &peer);
	assert_int_equal(peer.len, 0);
	log_set_level(LOG_LEVEL_WARN);
	free(text);
	hang_up(&peer);
}

static void one_client_too_many_is_closed(void **state)
{
	struct peer peers[QMP_CLIENTS_MAX + 1];
	struct fixture *f = *state;
	int i;

	log_set_level(LOG_LEVEL_ERROR);
	for (i = 0; i < QMP_CLIENTS_MAX; i++)
		peers[i] = negotiated(f);
	peers[i] = (struct peer){ .fd = connect_to(f->path) };
	await_end(f, &peers[i]);
	assert_int_equal(peers[i].len, 0);
	log_set_level(LOG_LEVEL_WARN);

	/* One that leaves makes room; the others have noticed nothing. */
	hang_up(&peers[i]);
	hang_up(&peers[5]);
	step(f);
	peers[5] = negotiated(f);
	for (i = 0; i < QMP_CLIENTS_MAX; i++) {
		expect_no_more(f, &peers[i]);
		hang_up(&peers[i]);
	}
}

/* --- events ------------------------------------------------------------------- */

/* The event's number, or -1 when nothing is here; checks its envelope. */
static int64_t take_number(struct peer *peer, const char *name)
{
	struct json_object *value = take(peer), *event, *stamp, *part, *data, *number;
	int64_t ret;

	if (!value)
		return -1;
	assert_true(json_object_object_get_ex(value, "event", &event));
	assert_string_equal(json_object_get_string(event), name);
	assert_true(json_object_object_get_ex(value, "timestamp", &stamp));
	assert_true(json_object_object_get_ex(stamp, "seconds", &part));
	assert_true(json_object_get_int64(part) > 1500000000);
	assert_true(json_object_object_get_ex(stamp, "microseconds", &part));
	assert_in_range(json_object_get_int64(part), 0, 999999);
	assert_int_equal(json_object_object_length(value), 3);
	assert_true(json_object_object_get_ex(value, "data", &data));
	assert_true(json_object_object_get_ex(data, "number", &number));
	ret = json_object_get_int64(number);
	json_object_put(value);
	return ret;
}

static void event_is_out_when_the_call_returns(void **state)
{
	struct fixture *f = *state;
	struct peer peers[3] = { negotiated(f), negotiated(f), negotiated(f) };

	/* The loop does not run here. */
	for (int number = 0; number < 5; number++) {
		qmp_server_event(f->server, "TEST", numbered(number, 10));
		for (int i = 0; i < 3; i++)
			assert_int_equal(take_number(&peers[i], "TEST"), number);
	}
	for (int i = 0; i < 3; i++)
		hang_up(&peers[i]);
}

static void events_begin_with_the_negotiation(void **state)
{
	struct fixture *f = *state;
	struct peer peer = greeted(f);

	qmp_server_event(f->server, "TEST", numbered(1, 10));
	say(f, &peer, "[]", 2);
	expect(f, &peer, "{" GENERIC("QMP input must be a JSON object") "}");
	say(f, &peer, NEGOTIATE, strlen(NEGOTIATE));
	expect(f, &peer, DONE);
	qmp_server_event(f->server, "TEST", numbered(2, 10));
	assert_int_equal(take_number(&peer, "TEST"), 2);
	expect_no_more(f, &peer);
	hang_up(&peer);
}

static void event_of_a_command_precedes_its_answer(void **state)
{
	struct fixture *f = *state;
	struct peer peer = negotiated(f), other = negotiated(f);
	struct json_object *value, *name;

	say(f, &peer, "{\"execute\":\"stop\"}", 18);
	value = await(f, &peer);
	assert_true(json_object_object_get_ex(value, "event", &name));
	assert_string_equal(json_object_get_string(name), "STOP");
	assert_false(json_object_object_get_ex(value, "data", NULL));
	json_object_put(value);
	expect(f, &peer, DONE);

	value = await(f, &other);
	assert_true(json_object_object_get_ex(value, "event", NULL));
	json_object_put(value);
	hang_up(&peer);
	hang_up(&other);
}

/* One that stops reading for a while loses nothing, and no order. */
static void slow_reader_gets_everything(void **state)
{
	struct fixture *f = *state;
	struct peer peer = negotiated(f);
	int number, got = 0;

	log_set_level(LOG_LEVEL_ERROR);
	for (number = 0; number < 100; number++)
		qmp_server_event(f->server, "TEST", numbered(number, 10000));
	for (int i = 0; got < number && i < ROUNDS; i++) {
		int64_t next = take_number(&peer, "TEST");

		if (next < 0)
			step(f);
		else
			assert_int_equal(next, got++);
	}
	assert_int_equal(got, number);
	log_set_level(LOG_LEVEL_WARN);

	/* And is up to date again. */
	qmp_server_event(f->server, "TEST", numbered(number, 10));
	assert_int_equal(take_number(&peer, "TEST"), number);
	expect_no_more(f, &peer);
	hang_up(&peer);
}

/* It gets what it asked for before it closed its side, and no event. */
static void no_event_behind_a_goodbye(void **state)
{
	struct fixture *f = *state;
	struct peer peer = negotiated(f);
	bool late = false;

	log_set_level(LOG_LEVEL_ERROR);
	for (int number = 0; number < 60; number++)
		qmp_server_event(f->server, "TEST", numbered(number, 10000));
	log_set_level(LOG_LEVEL_WARN);
	shutdown(peer.fd, SHUT_WR);
	for (int i = 0; i < 10; i++)
		step(f);
	qmp_server_event(f->server, "LATE", NULL);
	for (int i = 0; !peer.closed && i < ROUNDS; i++) {
		step(f);
		receive(&peer);
	}
	assert_true(peer.closed);
	for (size_t i = 0; i + 4 <= peer.len; i++)
		late |= !memcmp(peer.in + i, "LATE", 4);
	assert_false(late);
	assert_non_null(memmem(peer.in, peer.len, "\"number\":59", 11));
	hang_up(&peer);
}

/* Redirects stderr into a file without a name; returns the way back. */
static int redirect_stderr(int *ret_file)
{
	int saved = dup(STDERR_FILENO);

	*ret_file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	assert_true(*ret_file >= 0);
	dup2(*ret_file, STDERR_FILENO);
	return saved;
}

static void restore_stderr(int saved, int file, char *buf, size_t size)
{
	ssize_t len;

	dup2(saved, STDERR_FILENO);
	close(saved);
	len = pread(file, buf, size - 1, 0);
	assert_true(len >= 0);
	buf[len] = '\0';
	close(file);
}

static void client_that_never_reads_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct peer sleeper = negotiated(f), reader = negotiated(f);
	char log[512];
	int number, file, saved = redirect_stderr(&file);
	int64_t got = 0, next;

	/* The reader has each event before the next one is sent, whatever the other does. */
	for (number = 0; number < 300; number++) {
		qmp_server_event(f->server, "TEST", numbered(number, 10000));
		assert_int_equal(take_number(&reader, "TEST"), number);
	}
	restore_stderr(saved, file, log, sizeof(log));
	assert_string_equal(log, "miglab: qmp: a client does not read; TEST waits in its backlog\n"
				 "miglab: qmp: dropped a client that left more than 1048576 bytes "
				 "unread\n");

	/* What the kernel took before the end is there, in order, and then it ends. */
	while ((next = take_number(&sleeper, "TEST")) >= 0)
		assert_int_equal(next, got++);
	assert_true(sleeper.closed);
	assert_in_range(got, 1, 200);
	expect_no_more(f, &reader);
	hang_up(&sleeper);
	hang_up(&reader);
}

/* The one whose request is being served is no exception. */
static void client_can_be_dropped_by_its_own_request(void **state)
{
	struct fixture *f = *state;
	struct peer peer = negotiated(f), other = greeted(f);

	log_set_level(LOG_LEVEL_ERROR);
	say(f, &peer, "{\"execute\":\"flood\"}" NOTHING, 19 + strlen(NOTHING));
	step(f);
	while (take_number(&peer, "FLOOD") >= 0)
		;
	assert_true(peer.closed);
	log_set_level(LOG_LEVEL_WARN);

	say(f, &other, NEGOTIATE, strlen(NEGOTIATE));
	expect(f, &other, DONE);
	expect_no_more(f, &other);
	hang_up(&peer);
	hang_up(&other);
}

/* Answers count as well: requests without reading end the same way. */
static void flood_of_requests_is_bounded(void **state)
{
	struct fixture *f = *state;
	struct peer peer = negotiated(f);
	bool gone = false;

	log_set_level(LOG_LEVEL_ERROR);
	for (int i = 0; !gone && i < ROUNDS; i++) {
		gone = send(peer.fd, "{}{}{}{}{}{}{}{}{}{}{}{}{}{}{}{}", 32, MSG_NOSIGNAL) < 0 &&
		       errno != EAGAIN;
		step(f);
	}
	assert_true(gone);
	log_set_level(LOG_LEVEL_WARN);
	hang_up(&peer);
}

/* A test program that gets SIGPIPE dies of it. */
static void client_that_left_is_forgotten(void **state)
{
	struct fixture *f = *state;
	struct peer peer = negotiated(f), other = negotiated(f), waiting = negotiated(f);

	say(f, &waiting, NOTHING, strlen(NOTHING));
	hang_up(&waiting);
	hang_up(&peer);
	qmp_server_event(f->server, "TEST", numbered(1, 10));
	qmp_server_event(f->server, "TEST", numbered(2, 10));
	step(f);
	assert_int_equal(take_number(&other, "TEST"), 1);
	assert_int_equal(take_number(&other, "TEST"), 2);
	expect_no_more(f, &other);
	hang_up(&other);
}

static void vfio_migration_is_qemus(void **state)
{
	static const char *const names[] = {
		NULL, "stop", "running", "stop-copy", "resuming", "running-p2p", "pre-copy",
		"pre-copy-p2p", "pre-copy-p2p-prepare", NULL,
	};
	struct json_object *data, *want;
	char text[256];

	(void)state;
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		data = qmp_vfio_migration_data("vf0", i);
		if (!names[i]) {
			assert_null(data);
			assert_null(qmp_vfio_state_name(i));
			continue;
		}
		snprintf(text, sizeof(text), "{\"device-id\":\"vf0\",\"qom-path\":"
			 "\"/machine/peripheral/vf0\",\"device-state\":\"%s\"}", names[i]);
		want = json_tokener_parse(text);
		assert_true(json_object_equal(data, want));
		json_object_put(want);
		json_object_put(data);
	}

	data = qmp_migration_data("active");
	want = json_tokener_parse("{\"status\":\"active\"}");
	assert_true(json_object_equal(data, want));
	json_object_put(want);
	json_object_put(data);
}

/* --- the socket --------------------------------------------------------------- */

static void expect_refusal(const char *uri, int code, const char *part)
{
	struct qmp_server *server = NULL;
	struct loop *loop;
	struct error err;

	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(qmp_server_new(loop, uri, commands, NULL, &server, &err), code);
	assert_null(server);
	assert_non_null(strstr(err.text, part));
	loop_free(loop);
}

static void bad_addresses_are_refused(void **state)
{
	struct fixture *f = *state;
	char text[256];

	expect_refusal("", -EINVAL, "'' is no socket address, write unix:PATH");
	expect_refusal("unix:", -EINVAL, "write unix:PATH");
	expect_refusal("unix:,server=on", -EINVAL, "write unix:PATH");
	expect_refusal("tcp:localhost:4444", -EINVAL,
		       "'tcp:localhost:4444': QMP is served on UNIX sockets only, write unix:PATH");
	expect_refusal("unix:/tmp/x,wait=on", -EINVAL, "unknown option 'wait=on'");
	expect_refusal("unix:/tmp/x,", -EINVAL, "unknown option ''");
	expect_refusal("unix:/nowhere/x", -ENOENT, "cannot create the socket /nowhere/x");

	snprintf(text, sizeof(text), "unix:/%0107d", 0);
	expect_refusal(text, -ENAMETOOLONG, "has 108 bytes and 107 fit");
	expect_refusal(f->uri, -EADDRINUSE, "another process listens at");
}

static void other_files_are_left_alone(void **state)
{
	struct fixture *f = *state;
	char path[80], uri[96];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/file", f->dir);
	snprintf(uri, sizeof(uri), "unix:%s", path);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	expect_refusal(uri, -EEXIST, "exists and is no socket");
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	unlink(path);
}

static void stale_socket_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct qmp_server *server;
	char uri[sizeof(address.sun_path) + 8];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	/* What a killed process leaves behind. */
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/stale", f->dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	close(fd);
	assert_int_equal(access(address.sun_path, F_OK), 0);

	snprintf(uri, sizeof(uri), "unix:%s", address.sun_path);
	assert_int_equal(qmp_server_new(f->loop, uri, commands, f, &server, NULL), 0);
	close(connect_to(address.sun_path));
	qmp_server_free(server);
	assert_int_equal(access(address.sun_path, F_OK), -1);
}

static void free_flushes_what_sockets_take(void **state)
{
	struct fixture *f = *state;
	struct peer peer = negotiated(f);
	int64_t next, got = 0, before = 0;

	log_set_level(LOG_LEVEL_ERROR);
	for (int number = 0; number < 60; number++)
		qmp_server_event(f->server, "TEST", numbered(number, 10000));
	log_set_level(LOG_LEVEL_WARN);

	/* Makes room again, which the server has not seen when it ends. */
	receive(&peer);
	for (size_t i = 0; i < peer.len; i++)
		before += peer.in[i] == '\n';
	assert_true(before < 60);
	qmp_server_free(f->server);
	f->server = NULL;
	while ((next = take_number(&peer, "TEST")) >= 0)
		assert_int_equal(next, got++);
	assert_true(peer.closed);
	assert_true(got > before);
	hang_up(&peer);
}

#define SERVER_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		SERVER_TEST(answers_before_negotiation),
		SERVER_TEST(answers_after_negotiation),
		SERVER_TEST(an_empty_list_of_capabilities_negotiates),
		SERVER_TEST(long_name_is_cut),
		SERVER_TEST(answers_many_in_one_segment),
		SERVER_TEST(depth_is_bounded),
		SERVER_TEST(largest_request_is_answered),
		SERVER_TEST(larger_request_ends_the_connection),
		SERVER_TEST(endless_garbage_ends_the_connection),
		SERVER_TEST(one_client_too_many_is_closed),
		SERVER_TEST(event_is_out_when_the_call_returns),
		SERVER_TEST(events_begin_with_the_negotiation),
		SERVER_TEST(event_of_a_command_precedes_its_answer),
		SERVER_TEST(slow_reader_gets_everything),
		SERVER_TEST(no_event_behind_a_goodbye),
		SERVER_TEST(client_that_never_reads_is_dropped),
		SERVER_TEST(client_can_be_dropped_by_its_own_request),
		SERVER_TEST(flood_of_requests_is_bounded),
		SERVER_TEST(client_that_left_is_forgotten),
		cmocka_unit_test(vfio_migration_is_qemus),
		SERVER_TEST(bad_addresses_are_refused),
		SERVER_TEST(other_files_are_left_alone),
		SERVER_TEST(stale_socket_is_replaced),
		SERVER_TEST(free_flushes_what_sockets_take),
	};

	return cmocka_run_group_tests_name("qmp_server", tests, NULL, NULL);
}
