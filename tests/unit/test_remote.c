// SPDX-License-Identifier: GPL-2.0-only
/* Attributes of another process's devices by one connection, whose events are read away. */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "judge/remote.h"
#include "qmp/server.h"

#define ENOUGH_NS	(60 * NSEC_PER_SEC)
#define EVENTS		50

static char uri[64];
static struct loop *loop;
static struct qmp_server *server;
static pthread_t thread;

static int do_read(void *opaque, struct json_object *args, struct json_object **ret,
		   struct qmp_error *err)
{
	const char *id = json_object_get_string(json_object_object_get(args, "device"));

	(void)opaque;
	if (id[0] != 'v')
		return qmp_fail(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", id);
	*ret = json_object_new_object();
	json_object_object_add(*ret, "text", json_object_new_string(id));
	return 0;
}

/* The attribute's name is what becomes of the writer. */
static int do_write(void *opaque, struct json_object *args, struct json_object **ret,
		    struct qmp_error *err)
{
	const char *name = json_object_get_string(json_object_object_get(args, "attribute"));
	unsigned int i;

	(void)opaque;
	(void)ret;
	(void)err;
	for (i = 0; !strcmp(name, "events") && i < EVENTS; i++)
		qmp_server_event(server, "TEST", NULL);
	if (!strcmp(name, "end"))
		loop_stop(loop, 0);
	return 0;
}

static const struct qmp_command commands[] = {
	{ "x-miglab-read", "device:s,attribute:s", do_read, "" },
	{ "x-miglab-write", "device:s,attribute:s,text:s", do_write, "" },
	{ 0 },
};

static void *serve(void *opaque)
{
	loop_run(loop);
	qmp_server_free(server);
	return opaque;
}

static int set_up(void **state)
{
	(void)state;
	snprintf(uri, sizeof(uri), "unix:/tmp/miglab-unit-remote-%d", getpid());
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(qmp_server_new(loop, uri, commands, NULL, &server, NULL), 0);
	return pthread_create(&thread, NULL, serve, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static bool readable(const struct remote *remote, int timeout_ms)
{
	struct pollfd fd = { .fd = remote_fd(remote), .events = POLLIN };

	return poll(&fd, 1, timeout_ms) == 1;
}

/* When it returns, they have been sent to all that are connected. */
static void events_for_others(void)
{
	struct remote *stranger;
	struct error err = { "" };
	struct lab *lab;

	assert_int_equal(remote_connect(uri, clock_ns() + ENOUGH_NS, &stranger, &err), 0);
	assert_int_equal(lab_open_remote(stranger, "v0", &lab, &err), 0);
	assert_int_equal(lab->ops->write(lab, "events", "", &err), 0);
	lab->ops->close(lab);
	remote_free(stranger);
}

static void test_remote(void **state)
{
	struct lab *labs[40], *other;
	struct remote *remote;
	struct error err = { "" };
	char id[8], *text;
	unsigned int i;

	(void)state;
	assert_int_equal(remote_connect(uri, clock_ns() + ENOUGH_NS, &remote, &err), 0);
	/* More than the server takes clients. */
	for (i = 0; i < 40; i++) {
		snprintf(id, sizeof(id), "v%u", i);
		assert_int_equal(lab_open_remote(remote, id, &labs[i], &err), 0);
	}
	assert_int_equal(lab_open_remote(remote, "w", &other, &err), -ENODEV);
	assert_non_null(strstr(err.text, "Device 'w' not found"));

	/* What came with an answer is read away with it, or waits for the next look. */
	assert_int_equal(labs[0]->ops->write(labs[0], "events", "", &err), 0);
	assert_int_equal(labs[39]->ops->read(labs[39], "state", &text, &err), 0);
	assert_string_equal(text, "v39");
	free(text);
	assert_false(readable(remote, 0));

	/* What comes by itself is, too: from another client's request. */
	events_for_others();
	assert_true(readable(remote, 60000));
	remote_drain(remote);
	assert_false(readable(remote, 0));
	assert_true(remote_fd(remote) >= 0);

	assert_int_equal(labs[0]->ops->write(labs[0], "end", "", &err), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	remote_drain(remote);
	assert_int_equal(remote_fd(remote), -1);
	assert_int_equal(labs[0]->ops->read(labs[0], "state", &text, &err), -EPIPE);
	for (i = 0; i < 40; i++)
		labs[i]->ops->close(labs[i]);
	remote_free(remote);
	remote_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_remote) };

	return cmocka_run_group_tests_name("remote", tests, set_up, tear_down);
}
