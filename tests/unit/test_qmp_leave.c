// SPDX-License-Identifier: GPL-2.0-only
/* Whose request it is, and that the end of each connection is told, once. */
#include "unit.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/loop.h"
#include "qmp/server.h"

#define HELLO	"{\"execute\":\"qmp_capabilities\"}"
#define ASK	"{\"execute\":\"who\"}"

static struct loop *loop;
static struct qmp_server *server;
static char dir[] = "/tmp/miglab-unit-XXXXXX", uri[64];

static uint64_t asked;		/* whose request was handled last */
static pid_t asked_pid;
static uint64_t gone[4];
static unsigned int gone_count;

static int who(void *opaque, struct json_object *args, struct json_object **ret,
	       struct qmp_error *err)
{
	(void)args;
	(void)ret;
	(void)err;
	assert_ptr_equal(opaque, &loop);
	asked = qmp_server_client(server);
	asked_pid = qmp_server_client_pid(server);
	return 0;
}

static void on_leave(void *opaque, uint64_t client)
{
	assert_ptr_equal(opaque, &loop);
	/* Its request is over: what it asked for is done before it is gone. */
	assert_int_equal(qmp_server_client(server), 0);
	assert_true(gone_count < 4);
	gone[gone_count++] = client;
}

static const struct qmp_command commands[] = {
	{ "who", "", who, "Tells it apart" },
	{ 0 },
};

static void stop(void *opaque)
{
	(void)opaque;
	loop_stop(loop, 0);
}

static void rounds(unsigned int n)
{
	while (n--) {
		assert_non_null(loop_at(loop, 0, stop, NULL));
		assert_int_equal(loop_run(loop), 0);
	}
}

/* A client that has asked already; sets asked. */
static int dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", uri + strlen("unix:"));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(send(fd, HELLO ASK, strlen(HELLO ASK), 0), strlen(HELLO ASK));
	asked = 0;
	rounds(10);
	assert_int_not_equal(asked, 0);
	return fd;
}

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(uri, sizeof(uri), "unix:%s/qmp", dir);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(qmp_server_new(loop, uri, commands, &loop, &server, NULL), 0);
	qmp_server_on_leave(server, on_leave);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	return rmdir(dir);
}

static void test_leave(void **state)
{
	int one = dial(), other;
	uint64_t one_number = asked, other_number;

	(void)state;
	assert_int_equal(asked_pid, getpid());
	assert_int_equal(qmp_server_client_pid(server), 0);
	other = dial();
	other_number = asked;
	assert_int_not_equal(one_number, other_number);
	assert_int_equal(gone_count, 0);

	/* It asks, and is gone when it is heard. */
	assert_int_equal(send(one, ASK, strlen(ASK), 0), strlen(ASK));
	close(one);
	rounds(10);
	assert_int_equal(asked, one_number);
	assert_int_equal(gone_count, 1);
	assert_int_equal(gone[0], one_number);
	assert_false(qmp_server_has(server, one_number));

	/* The server goes first. */
	qmp_server_free(server);
	assert_int_equal(gone_count, 2);
	assert_int_equal(gone[1], other_number);
	close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_leave) };

	return cmocka_run_group_tests_name("qmp-leave", tests, set_up, tear_down);
}
