// SPDX-License-Identifier: GPL-2.0-only
/*
 * The QMP server's answers to one client. The loop and the listener are made up here:
 * the client is one end of a socket pair, the server's reads come when they are due.
 *
 * - Any segmentation of the requests gives the same answers.
 * - Each answer is one line: an object with "return" or with "error", which has class and
 *   description. There are as many as the reader finds values and errors.
 * - A handler is called with arguments of its schema only, and after the negotiation.
 */
#include "fuzz.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/listener.h"
#include "base/log.h"
#include "qmp/reader.h"
#include "qmp/server.h"

#define INPUT_MAX	1024
#define PIECES_MAX	8
#define ANSWERS_MAX	(1u << 20)
#define NEGOTIATE	"{\"execute\": \"qmp_capabilities\"}"

/* --- the server's world --------------------------------------------------------- */

/* The server has one listener and one client at a time. */
struct listener {
	listener_fn fn;
	void *opaque;
};

struct loop_source {
	int fd;			/* -1: none */
	loop_fn fn;
	void *opaque;
};

static struct listener the_listener;
static struct loop_source the_source = { .fd = -1 };

int listener_new(struct loop *loop, const struct address *address, int queue, listener_fn fn,
		 void *opaque, struct listener **ret_listener, struct error *err)
{
	(void)loop;
	(void)address;
	(void)queue;
	(void)err;
	the_listener = (struct listener){ fn, opaque };
	*ret_listener = &the_listener;
	return 0;
}

void listener_free(struct listener *listener)
{
	(void)listener;
}

struct loop_source *loop_add(struct loop *loop, int fd, short events, loop_fn fn, void *opaque)
{
	(void)loop;
	(void)events;
	the_source = (struct loop_source){ fd, fn, opaque };
	return &the_source;
}

void loop_events(struct loop_source *source, short events)
{
	(void)source;
	(void)events;
}

void loop_remove(struct loop_source *source)
{
	source->fd = -1;
}

/* --- commands ------------------------------------------------------------------- */

static bool negotiated;		/* certainly */

/* What a handler reads as int64 is what the client wrote. */
static bool fits(struct json_object *value)
{
	return json_object_get_int64(value) < 0 || json_object_get_uint64(value) <= INT64_MAX;
}

static int take(struct json_object *args, const char *name, enum json_type type)
{
	struct json_object *value;

	if (!json_object_object_get_ex(args, name, &value))
		return 0;
	CHECK(json_object_is_type(value, type));
	CHECK(type != json_type_int || fits(value));
	return 1;
}

static int handle_all(void *opaque, struct json_object *args, struct json_object **ret,
		      struct qmp_error *err)
{
	int known = take(args, "text", json_type_string);

	(void)opaque;
	(void)err;
	CHECK(known == 1);
	known += take(args, "flag", json_type_boolean) + take(args, "number", json_type_int) +
		 take(args, "size", json_type_int) + take(args, "list", json_type_array) +
		 take(args, "object", json_type_object);
	CHECK(known == json_object_object_length(args));
	*ret = json_object_get(args);
	return 0;
}

static int handle_none(void *opaque, struct json_object *args, struct json_object **ret,
		       struct qmp_error *err)
{
	(void)opaque;
	(void)ret;
	CHECK(json_object_is_type(args, json_type_object) && !json_object_object_length(args));
	return qmp_fail(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", "vf9");
}

static const struct qmp_command commands[] = {
	{ "all", "text:s,?flag:b,?number:i,?size:u,?list:a,?object:o", handle_all, "Echoes" },
	{ "none", "", handle_none, "Fails" },
	{ 0 },
};

/* --- one connection ------------------------------------------------------------- */

struct outcome {
	char text[ANSWERS_MAX];
	size_t len;
};

static void receive(int fd, struct outcome *o)
{
	ssize_t n = recv(fd, o->text + o->len, sizeof(o->text) - o->len, MSG_DONTWAIT);

	o->len += n > 0 ? (size_t)n : 0;
	CHECK(o->len < sizeof(o->text));
}

static void send_all(int fd, const char *bytes, size_t len, struct cuts cuts)
{
	size_t n;

	for (; len && the_source.fd >= 0; bytes += n, len -= n) {
		n = next_cut(&cuts, len);
		CHECK(send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n);
		the_source.fn(the_source.opaque, the_source.fd, POLLIN);
	}
}

static void talk(const char *bytes, size_t len, struct cuts cuts, struct outcome *o)
{
	int fds[2];

	o->len = 0;
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	the_listener.fn(the_listener.opaque, fds[0]);
	CHECK(the_source.fd == fds[0]);
	if (negotiated)
		send_all(fds[1], NEGOTIATE, strlen(NEGOTIATE), cuts_of(0));
	send_all(fds[1], bytes, len, cuts);
	receive(fds[1], o);
	/* Until nothing is left in the server's backlog. */
	for (size_t before = 0; the_source.fd >= 0 && before != o->len;) {
		before = o->len;
		the_source.fn(the_source.opaque, the_source.fd, POLLOUT);
		receive(fds[1], o);
	}
	close(fds[1]);
	if (the_source.fd >= 0)
		the_source.fn(the_source.opaque, the_source.fd, POLLIN | POLLHUP);
	CHECK(the_source.fd < 0);
	o->text[o->len] = '\0';
}

/* How many answers @bytes ask for: one for each value, and one for each error. */
static size_t count_requests(const char *bytes, size_t len)
{
	struct qmp_reader reader;
	size_t count = 0, used;
	struct error err;
	int ret = 0;

	CHECK(!qmp_reader_init(&reader, QMP_REQUEST_MAX, QMP_DEPTH_MAX));
	for (; len; bytes += used, len -= used) {
		struct json_object *value = NULL;

		ret = qmp_reader_next(&reader, bytes, len, &used, &value, &err);
		count += ret != 0;
		json_object_put(value);
	}
	qmp_reader_cleanup(&reader);
	return count;
}

/* Strict json-c 0.18 refuses what is not ASCII: such bytes get a parse of their own. */
static void check_strict(const char *text, int len)
{
	struct json_tokener *tokener = json_tokener_new();
	char *ascii = strndup(text, len);

	CHECK(ascii);
	for (char *c = ascii; *c; c++)
		if (*c & 0x80)
			*c = '?';
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	json_object_put(json_tokener_parse_ex(tokener, ascii, len));
	CHECK(json_tokener_get_error(tokener) == json_tokener_success);
	json_tokener_free(tokener);
	free(ascii);
}

static void check_answer(const char *text, int len)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *answer, *error, *member;

	check_strict(text, len);
	json_tokener_set_flags(tokener, JSON_TOKENER_VALIDATE_UTF8);
	answer = json_tokener_parse_ex(tokener, text, len);
	CHECK(json_object_is_type(answer, json_type_object));
	if (json_object_object_get_ex(answer, "error", &error)) {
		CHECK(!json_object_object_get_ex(answer, "return", NULL));
		CHECK(json_object_object_get_ex(error, "class", &member));
		CHECK(json_object_object_get_ex(error, "desc", &member) &&
		      json_object_get_string_len(member));
	} else {
		CHECK(json_object_object_get_ex(answer, "return", NULL));
	}
	json_object_put(answer);
	json_tokener_free(tokener);
}

static size_t check_answers(const struct outcome *o)
{
	const char *at = o->text, *end;
	size_t count = 0;

	for (; *at; at = end + 2, count++) {
		end = strstr(at, "\r\n");
		CHECK(end);
		/* The first line is the greeting. */
		if (count)
			check_answer(at, (int)(end - at));
		else
			CHECK(!strncmp(at, "{\"QMP\":", 7));
	}
	CHECK(count);
	return count - 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome whole, cut;
	static struct qmp_server *server;
	const char *bytes = (const char *)data + 1;
	struct cuts cuts;

	if (!size || size > INPUT_MAX)
		return 0;
	log_set_level(LOG_LEVEL_ERROR);
	if (!server)
		CHECK(!qmp_server_new(NULL, "unix:/none", commands, NULL, &server, NULL));
	negotiated = data[0] & 1;
	cuts = cuts_of(data[0] >> 1);
	talk(bytes, size - 1, cuts_of(0), &whole);
	/* Pieces cost system calls: a few are enough, the reader has a target of its own. */
	cuts.left = cuts.left ? PIECES_MAX : 0;
	talk(bytes, size - 1, cuts, &cut);
	CHECK(whole.len == cut.len && !memcmp(whole.text, cut.text, cut.len));
	CHECK(check_answers(&whole) == negotiated + count_requests(bytes, size - 1));
	return 0;
}
