// SPDX-License-Identifier: GPL-2.0-only
/* qmp/outbox: what a socket does not take is kept, in order and up to the bound. */
#include "unit.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "qmp/outbox.h"

#define MAX	1000

static int fds[2];
static struct outbox box;

/* Fills the socket, so that all that comes later is kept. */
static size_t fill(void)
{
	static const char block[4096];
	size_t sent = 0;
	ssize_t n;

	while ((n = send(fds[0], block, sizeof(block), MSG_DONTWAIT)) > 0)
		sent += n;
	return sent;
}

static void drain(size_t len)
{
	static char block[4096];

	while (len) {
		ssize_t n = recv(fds[1], block, len < sizeof(block) ? len : sizeof(block), 0);

		assert_true(n > 0);
		len -= n;
	}
}

static void test_the_bound(void **state)
{
	static const char text[MAX + 1];

	(void)state;
	fill();
	assert_int_equal(outbox_send(&box, fds[0], text, MAX + 1, MAX), -ENOBUFS);
	assert_false(outbox_pending(&box));
	assert_int_equal(outbox_send(&box, fds[0], text, MAX - 1, MAX), 0);
	assert_int_equal(outbox_send(&box, fds[0], text, 2, MAX), -ENOBUFS);
	assert_int_equal(outbox_send(&box, fds[0], text, 1, MAX), 0);
	assert_int_equal(outbox_send(&box, fds[0], text, 1, MAX), -ENOBUFS);
}

/* Behind a part that went, more is kept, and comes out behind it. */
static void test_order(void **state)
{
	static char large[1 << 20], got[sizeof(large) + 8];
	size_t filled = fill(), head, have = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = 'a' + i % 26;
	assert_int_equal(outbox_send(&box, fds[0], large, sizeof(large), 2 * sizeof(large)), 0);
	drain(filled);
	assert_int_equal(outbox_flush(&box, fds[0]), 0);
	head = box.head;
	assert_true(head && head < sizeof(large));
	assert_int_equal(outbox_send(&box, fds[0], "12345678", 8, 2 * sizeof(large)), 0);
	while (have < sizeof(got)) {
		ssize_t n = recv(fds[1], got + have, sizeof(got) - have, MSG_DONTWAIT);

		if (n > 0)
			have += n;
		else
			assert_true(outbox_pending(&box));
		assert_int_equal(outbox_flush(&box, fds[0]), 0);
	}
	assert_memory_equal(got, large, sizeof(large));
	assert_memory_equal(got + sizeof(large), "12345678", 8);
	assert_false(outbox_pending(&box));
	assert_int_equal(recv(fds[1], got, 1, MSG_DONTWAIT), -1);
}

static void test_nobody_there(void **state)
{
	(void)state;
	fill();
	assert_int_equal(outbox_send(&box, fds[0], "x", 1, MAX), 0);
	close(fds[1]);
	assert_int_equal(outbox_flush(&box, fds[0]), -EPIPE);
	fds[1] = dup(fds[0]);
}

static int setup(void **state)
{
	(void)state;
	box = (struct outbox){ 0 };
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
}

static int teardown(void **state)
{
	(void)state;
	outbox_cleanup(&box);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		row(test_the_bound),
		row(test_order),
		row(test_nobody_there),
	};

	return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
