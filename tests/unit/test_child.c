// SPDX-License-Identifier: GPL-2.0-only
/* Children: when one has ended, also while somebody traces it, as LeakSanitizer does at an exit. */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"

#define PATIENCE_NS	(60 * NSEC_PER_SEC)	/* only a test that fails takes so long */

static void start(struct child *child, char *command)
{
	char *argv[] = { "/bin/sh", "-c", command, NULL };
	struct error err;

	if (child_start(child, "child", argv, "/dev/null", false, &err))
		fail_msg("%s", err.text);
}

static void test_statuses(void **state)
{
	static const struct { char *command; int status; } rows[] = {
		{ "exit 0", 0 }, { "exit 77", 77 }, { "kill -TERM $$", 128 + SIGTERM },
	};
	struct child child;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start(&child, rows[i].command);
		assert_true(child_ended(&child, clock_ns() + PATIENCE_NS));
		assert_int_equal(child.status, rows[i].status);
		/* And that is remembered. */
		assert_true(child_ended(&child, 0));
		assert_int_equal(child.status, rows[i].status);
	}
}

static void test_deadline(void **state)
{
	uint64_t until_ns;
	struct child child;

	(void)state;
	start(&child, "exec sleep 1000");
	assert_false(child_ended(&child, 0));
	until_ns = clock_ns() + 20 * NSEC_PER_MSEC;
	assert_false(child_ended(&child, until_ns));
	assert_true(clock_ns() >= until_ns);
	child_end(&child);
	assert_int_equal(child.pid, 0);
	assert_int_equal(child.status, 128 + SIGKILL);
}

/* What /proc says of it: 'S', 'Z', .. */
static char process_state(pid_t pid)
{
	char path[32], state = '?';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = '?';
		fclose(f);
	}
	return state;
}

/* Traces @pid from another process until it is a zombie, and some time more. */
static pid_t start_tracer(pid_t pid)
{
	char byte = 0;
	int fds[2];
	pid_t tracer;

	assert_int_equal(pipe(fds), 0);
	tracer = fork();
	assert_true(tracer >= 0);
	if (tracer == 0) {
		byte = ptrace(PTRACE_SEIZE, pid, NULL, NULL) ? 'n' : 'y';
		if (write(fds[1], &byte, 1) != 1 || byte == 'n')
			_exit(1);
		while (process_state(pid) != 'Z')
			poll(NULL, 0, 1);
		poll(NULL, 0, 100);
		_exit(0);
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(byte, 'y');
	return tracer;
}

static void test_traced(void **state)
{
	struct child child;
	pid_t tracer;
	int status;

	(void)state;
	start(&child, "exec sleep 1000");
	tracer = start_tracer(child.pid);
	assert_int_equal(kill(child.pid, SIGKILL), 0);
	assert_true(child_ended(&child, clock_ns() + PATIENCE_NS));
	assert_int_equal(child.status, 128 + SIGKILL);
	assert_int_equal(waitpid(tracer, &status, 0), tracer);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_traced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
