// SPDX-License-Identifier: GPL-2.0-only
/* base/error and base/log: texts that are cut stay text. */
#include "unit.h"

#include <errno.h>
#include <unistd.h>

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_text_and_returns_code),
		cmocka_unit_test(null_is_allowed),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(text_that_just_fits_is_whole),
		cmocka_unit_test(log_is_quiet_by_default),
		cmocka_unit_test(log_line_is_cut),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
