// SPDX-License-Identifier: GPL-2.0-only
/* base/error and base/log: texts that are cut stay text. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

static void sets_text_and_returns_code(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(error_set(&err, -EINVAL, "bad %s '%d'", "value", 7), -EINVAL);
	assert_string_equal(err.text, "bad value '7'");
	assert_int_equal(error_prefix(&err, -EIO, "line %d", 2), -EIO);
	assert_string_equal(err.text, "line 2: bad value '7'");
}

static void null_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, -EINVAL, "nobody reads this"), -EINVAL);
	assert_int_equal(error_prefix(NULL, -EIO, "nor this"), -EIO);
}

static void long_text_is_cut(void **state)
{
	char text[2 * sizeof(struct error)];
	struct error err;
	size_t offset;

	(void)state;
	/* Two bytes a character: the cut falls into one of them for one of the offsets. */
	for (offset = 0; offset < 2; offset++) {
		memset(text, 'x', sizeof(text));
		for (size_t i = offset; i + 2 < sizeof(text); i += 2)
			memcpy(text + i, "\xc3\xa9", 2);
		text[sizeof(text) - 1] = '\0';

		error_set(&err, -EINVAL, "%s", text);
		assert_true(strlen(err.text) >= sizeof(err.text) - 3);
		assert_string_equal(err.text + strlen(err.text) - 3, "...");
		assert_int_equal((strlen(err.text) - 3 - offset) % 2, 0);

		error_prefix(&err, -EINVAL, "what");
		assert_memory_equal(err.text, "what: ", 6);
		assert_string_equal(err.text + strlen(err.text) - 3, "...");
	}
}

static void text_that_just_fits_is_whole(void **state)
{
	char text[sizeof(struct error)];
	struct error err;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	error_set(&err, -EINVAL, "%s", text);
	assert_string_equal(err.text, text);
}

/* What @fn writes to stderr. */
static void capture(void (*fn)(void), char *buf, size_t size)
{
	int saved = dup(STDERR_FILENO), fds[2];
	ssize_t len;

	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	fn();
	dup2(saved, STDERR_FILENO);
	close(saved);

	len = read(fds[0], buf, size - 1);
	assert_true(len >= 0);
	buf[len] = '\0';
	close(fds[0]);
}

static void log_all_levels(void)
{
	errno = ENOENT;
	log_error("e%d", 1);
	log_warn("w");
	log_info("i");
	log_debug("d");
	assert_int_equal(errno, ENOENT);
}

static void log_is_quiet_by_default(void **state)
{
	char buf[256];

	(void)state;
	capture(log_all_levels, buf, sizeof(buf));
	assert_string_equal(buf, "miglab: e1\nmiglab: w\n");

	log_set_level(LOG_LEVEL_DEBUG);
	capture(log_all_levels, buf, sizeof(buf));
	assert_string_equal(buf, "miglab: e1\nmiglab: w\nmiglab: i\nmiglab: d\n");
	log_set_level(LOG_LEVEL_WARN);
}

static void log_long(void)
{
	char text[4096];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_error("%s", text);
}

static void log_line_is_cut(void **state)
{
	char buf[8192];

	(void)state;
	capture(log_long, buf, sizeof(buf));
	assert_in_range(strlen(buf), 1000, 1024);
	assert_memory_equal(buf, "miglab: xxx", 11);
	assert_int_equal(strcspn(buf, "\n"), strlen(buf) - 1);
}

/* Reads what is there: at least one line. */
static size_t drain(int fd, char *buf, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t len = 0;

	while (poll(&p, 1, 0) == 1 && p.revents & POLLIN) {
		ssize_t n = read(fd, buf + len, size - 1 - len);

		assert_true(n > 0);
		len += n;
	}
	buf[len] = '\0';
	return len;
}

#define FULL_LINES	20000	/* more than a pipe or a socket has room for */

/* What is written to @out comes out of @in, which nobody reads until then: nobody waits. */
static void overflow(int in, int out)
{
	static char buf[1 << 21];
	int saved = dup(STDERR_FILENO), flags = fcntl(out, F_GETFL);
	size_t lines = 0, len;
	char want[160];

	dup2(out, STDERR_FILENO);
	for (int i = 0; i < FULL_LINES; i++)
		log_warn("a line of some length, of which there are many");
	len = drain(in, buf, sizeof(buf));
	for (size_t i = 0; i < len; i++)
		lines += buf[i] == '\n';
	log_warn("there is room");
	log_warn("and again");
	dup2(saved, STDERR_FILENO);
	close(saved);

	drain(in, buf, sizeof(buf));
	assert_in_range(lines, 1, FULL_LINES - 1);
	snprintf(want, sizeof(want), "miglab: there is room\n"
		 "miglab: lost %zu lines before this one: nobody read stderr\n"
		 "miglab: and again\n", FULL_LINES - lines);
	assert_string_equal(buf, want);
	/* Whoever shares it finds it as it was. */
	assert_int_equal(fcntl(out, F_GETFL), flags);
	close(in);
	close(out);
}

static void full_stderr_delays_nobody(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	overflow(fds[0], fds[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	overflow(fds[0], fds[1]);
}

static void stderr_may_be_closed(void **state)
{
	int saved = dup(STDERR_FILENO);

	(void)state;
	close(STDERR_FILENO);
	log_error("nobody hears this");
	dup2(saved, STDERR_FILENO);
	close(saved);
}

static void one_line_a_second(void **state)
{
	struct log_limit limit = { 0 };
	const uint64_t begin = 5 * NSEC_PER_SEC;
	unsigned int left_out = 99;

	(void)state;
	assert_true(log_limit_allows(&limit, begin, &left_out));
	assert_int_equal(left_out, 0);
	for (unsigned int i = 0; i < 1000; i++)
		assert_false(log_limit_allows(&limit, begin + i * NSEC_PER_MSEC, &left_out));
	assert_true(log_limit_allows(&limit, begin + NSEC_PER_SEC, &left_out));
	assert_int_equal(left_out, 1000);
	assert_false(log_limit_allows(&limit, begin + 2 * NSEC_PER_SEC - 1, &left_out));
	assert_true(log_limit_allows(&limit, begin + 9 * NSEC_PER_SEC, &left_out));
	assert_int_equal(left_out, 1);
}

static void log_a_flood(void)
{
	struct log_limit limit = { 0 };

	for (int i = 0; i < 3; i++)
		log_warn_limited(&limit, "flood %d", i);
	limit.until_ns = 0;
	log_warn_limited(&limit, "later");
}

static void a_flood_is_counted(void **state)
{
	char buf[256];

	(void)state;
	capture(log_a_flood, buf, sizeof(buf));
	assert_string_equal(buf,
			    "miglab: flood 0\nmiglab: later (and 2 more such lines before)\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_text_and_returns_code),
		cmocka_unit_test(null_is_allowed),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(text_that_just_fits_is_whole),
		cmocka_unit_test(log_is_quiet_by_default),
		cmocka_unit_test(log_line_is_cut),
		cmocka_unit_test(full_stderr_delays_nobody),
		cmocka_unit_test(stderr_may_be_closed),
		cmocka_unit_test(one_line_a_second),
		cmocka_unit_test(a_flood_is_counted),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
