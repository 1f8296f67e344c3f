// SPDX-License-Identifier: GPL-2.0-only
/*
 * miglab run whose stderr is a pipe that nobody reads: what strangers make it say delays
 * nobody, and there is one line a second of it.
 */
#include "vm.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "qmp/server.h"

#define STRANGERS	10000

/* The machine's stderr; both ends are ours, so that it never ends. */
static int make_stderr(const char *name)
{
	int fd;

	assert_int_equal(mkfifo(path_of(name), 0600), 0);
	fd = open(path_of(name), O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void fill(int fd)
{
	static const char line[4096];

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (write(fd, line, sizeof(line)) > 0)
		;
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
}

static void strangers(const char *socket, const char *text)
{
	for (unsigned int i = 0; i < STRANGERS; i++) {
		int fd = dial_at(socket, "", 0);

		send(fd, text, strlen(text), MSG_NOSIGNAL);
		close(fd);
	}
}

/* The lines in @fd; those that the test put there are none. */
static unsigned int count_lines(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	static char buf[1 << 16];
	unsigned int lines = 0;

	while (poll(&p, 1, 0) == 1) {
		ssize_t n = read(fd, buf, sizeof(buf));

		assert_true(n > 0);
		for (ssize_t i = 0; i < n; i++)
			lines += buf[i] == '\n';
	}
	return lines;
}

static void test_full_stderr(void **state)
{
	int clients[QMP_CLIENTS_MAX - 1], fd = make_stderr("destination.log");
	struct vm d;

	(void)state;
	start_destination(&d, QUICK, 1, "vf");
	fill(fd);
	strangers("migration", "this is no frame of a migration");
	expect_member(&d, "query-status", "status", "inmigrate");
	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++)
		clients[i] = dial_at("destination", "", 0);
	strangers("destination", "");
	expect_member(&d, "query-status", "status", "inmigrate");
	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++)
		close(clients[i]);
	expect_events(&d, "M setup");
	end(&d);
	assert_int_equal(count_lines(fd), 0);
	close(fd);
}

/* Far fewer lines than strangers, however slow the machine is: at most one a second. */
static void test_one_line_a_second(void **state)
{
	int fd = make_stderr("destination.log");
	uint64_t begin_ns = clock_ns();
	struct vm d;

	(void)state;
	start_destination(&d, QUICK, 1, "vf");
	strangers("migration", "this is no frame of a migration");
	expect_events(&d, "M setup");
	end(&d);
	/* Of two kinds: who says nonsense, and who found no place. */
	assert_in_range(count_lines(fd), 1, 2 * (2 + (clock_ns() - begin_ns) / NSEC_PER_SEC));
	close(fd);
}

static int remove_stderr(void **state)
{
	(void)state;
	return unlink(path_of("destination.log"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_full_stderr, remove_stderr),
		cmocka_unit_test_teardown(test_one_line_a_second, remove_stderr),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
