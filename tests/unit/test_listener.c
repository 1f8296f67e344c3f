// SPDX-License-Identifier: GPL-2.0-only
/* The listening socket: whom it replaces, whom it leaves alone, and want of descriptors. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/listener.h"
#include "base/log.h"

static struct address address;
static struct loop *loop;
static int accepted;

static void on_connection(void *opaque, int fd)
{
	(void)opaque;
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	accepted++;
	loop_stop(loop, 0);
}

static struct listener *listen_here(void)
{
	struct listener *listener;
	struct error err;

	if (listener_new(loop, &address, 4, on_connection, NULL, &listener, &err))
		fail_msg("%s", err.text);
	return listener;
}

static int knock(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, &address.any, address.len), 0);
	return fd;
}

static void expect_refusal(int code, const char *why)
{
	struct listener *listener;
	struct error err;

	assert_int_equal(listener_new(loop, &address, 4, on_connection, NULL, &listener, &err),
			 code);
	assert_non_null(strstr(err.text, why));
}

static void test_addresses(void **state)
{
	struct address parsed;
	struct error err;
	char text[128];

	(void)state;
	assert_int_equal(unix_address("unix:/a,b", &parsed, &err), 0);
	assert_string_equal(parsed.text, "/a,b");
	assert_int_equal(unix_address("unix:", &parsed, &err), -EINVAL);
	assert_int_equal(unix_address("tcp:localhost:1", &parsed, &err), -EINVAL);
	assert_string_equal(err.text,
			    "'tcp:localhost:1' is no socket address, write unix:PATH");
	snprintf(text, sizeof(text), "unix:/%0106d", 0);
	assert_int_equal(unix_address(text, &parsed, &err), 0);
	snprintf(text, sizeof(text), "unix:/%0107d", 0);
	assert_int_equal(unix_address(text, &parsed, &err), -ENAMETOOLONG);
}

static void test_tcp_addresses(void **state)
{
	static const struct {
		const char *uri;
		int family;	/* 0: refused */
	} rows[] = {
		{ "tcp:127.0.0.1:1", AF_INET }, { "tcp:0.0.0.0:65535", AF_INET },
		{ "tcp:[::1]:4444", AF_INET6 }, { "tcp:[::]:4444", AF_INET6 },
		{ "unix:/a", AF_UNIX }, { "tcp:localhost:1", 0 }, { "tcp:127.0.0.1", 0 },
		{ "tcp:127.0.0.1:", 0 }, { "tcp:127.0.0.1:0", 0 }, { "tcp:127.0.0.1:65536", 0 },
		{ "tcp:127.0.0.1:-1", 0 }, { "tcp:127.0.0.1: 1", 0 }, { "tcp:127.0.0.1:1a", 0 },
		{ "tcp::1", 0 }, { "tcp:::1:4444", 0 }, { "tcp:[]:1", 0 }, { "tcp:[::1:1", 0 },
		{ "tcp:1.2.3:1", 0 }, { "tcp:", 0 }, { "udp:127.0.0.1:1", 0 }, { "", 0 },
		{ "tcp:127.0.0.1:18446744073709551617", 0 },
	};
	struct address parsed;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int ret = socket_address(rows[i].uri, &parsed, &err);

		if (ret != (rows[i].family ? 0 : -EINVAL) ||
		    (!ret && parsed.any.sa_family != rows[i].family))
			fail_msg("%s: %d", rows[i].uri, ret);
		if (ret && !strstr(err.text, "write "))
			fail_msg("%s: %s", rows[i].uri, err.text);
	}
}

static void test_addresses_of_this_host(void **state)
{
	static const struct {
		const char *uri;
		bool local;
	} rows[] = {
		{ "unix:/a", true }, { "tcp:127.0.0.1:1", true }, { "tcp:127.255.0.1:1", true },
		{ "tcp:[::1]:1", true }, { "tcp:0.0.0.0:1", false }, { "tcp:[::]:1", false },
		{ "tcp:128.0.0.1:1", false }, { "tcp:126.255.255.255:1", false },
		{ "tcp:[::2]:1", false }, { "tcp:[fe80::1]:1", false },
	};
	struct address parsed;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(socket_address(rows[i].uri, &parsed, NULL), 0);
		if (address_is_local(&parsed) != rows[i].local)
			fail_msg("%s", rows[i].uri);
	}
}

/* Whatever the umask; without us it would follow that. */
static void test_only_the_owner_may_connect(void **state)
{
	mode_t before = umask(0);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct listener *listener;
	struct stat st;

	(void)state;
	assert_int_equal(bind(fd, &address.any, address.len), 0);
	assert_int_equal(stat(address.text, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0777);
	close(fd);
	listener = listen_here();
	assert_int_equal(stat(address.text, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	listener_free(listener);
	umask(before);
}

/* The first one goes on listening, and its socket stays. */
static void test_two_on_one_path(void **state)
{
	struct listener *listener = listen_here();

	(void)state;
	expect_refusal(-EADDRINUSE, "another process listens at");
	assert_int_equal(loop_run(loop), 0);	/* the look whether somebody listens */
	close(knock());
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(accepted, 2);
	listener_free(listener);
	assert_int_not_equal(access(address.text, F_OK), 0);
}

static void test_other_files_stay(void **state)
{
	(void)state;
	assert_int_equal(mkdir(address.text, 0700), 0);
	expect_refusal(-EEXIST, "is no socket");
	assert_int_equal(rmdir(address.text), 0);
	/* A link to nowhere is no socket either, and is not followed. */
	assert_int_equal(symlink("/nonexistent", address.text), 0);
	expect_refusal(-EEXIST, "is no socket");
	assert_int_equal(unlink(address.text), 0);
}

static void test_stale_socket_is_replaced(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char aside[256];

	(void)state;
	assert_int_equal(bind(fd, &address.any, address.len), 0);
	close(fd);
	listener_free(listen_here());
	/* Where it was meanwhile there is nothing, either. */
	snprintf(aside, sizeof(aside), "%s.stale-%d", address.text, (int)getpid());
	assert_int_not_equal(access(aside, F_OK), 0);
}

/* Who finds its socket removed and replaced leaves the new one alone. */
static void test_the_socket_of_others_stays(void **state)
{
	struct listener *first = listen_here(), *second;

	(void)state;
	assert_int_equal(unlink(address.text), 0);
	second = listen_here();
	listener_free(first);
	close(knock());
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(accepted, 1);
	listener_free(second);
	assert_int_not_equal(access(address.text, F_OK), 0);
}

static void give_descriptors(void *opaque)
{
	assert_int_equal(accepted, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, opaque), 0);
}

/* The connection waits in the queue until there is a descriptor for it. */
static void test_out_of_descriptors(void **state)
{
	struct listener *listener = listen_here();
	struct rlimit before, none;
	int fd = knock(), next = dup(fd);

	(void)state;
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ .rlim_cur = next, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_non_null(loop_at(loop, clock_ns() + NSEC_PER_MSEC, give_descriptors, &before));
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(loop_run(loop), 0);
	log_set_level(LOG_LEVEL_WARN);
	assert_int_equal(accepted, 1);
	close(fd);
	listener_free(listener);
}

static int setup(void **state)
{
	char uri[64];

	(void)state;
	accepted = 0;
	snprintf(uri, sizeof(uri), "unix:/tmp/miglab-test-listener-%d", getpid());
	return unix_address(uri, &address, NULL) ?: loop_new(&loop);
}

static int teardown(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

#define LISTENER_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LISTENER_TEST(test_addresses),
		LISTENER_TEST(test_tcp_addresses),
		LISTENER_TEST(test_addresses_of_this_host),
		LISTENER_TEST(test_only_the_owner_may_connect),
		LISTENER_TEST(test_two_on_one_path),
		LISTENER_TEST(test_other_files_stay),
		LISTENER_TEST(test_stale_socket_is_replaced),
		LISTENER_TEST(test_the_socket_of_others_stays),
		LISTENER_TEST(test_out_of_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
