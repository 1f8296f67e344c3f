// SPDX-License-Identifier: GPL-2.0-only
/*
 * Work in a process of its own: how its end is seen, and what a signal does. The signals come
 * from the work itself, so that they come when they should.
 */
#include "unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "conform/interrupt.h"
#include "conform/worker.h"

static void say(int out, const char *text)
{
	if (write(out, text, strlen(text)) < 0)
		_exit(9);
}

static void speak(void *arg, int out, struct pulse *pulse)
{
	(void)pulse;
	say(out, arg);
}

static void leave_with_7(void *arg, int out, struct pulse *pulse)
{
	(void)arg;
	(void)out;
	(void)pulse;
	_exit(7);
}

static void crash(void *arg, int out, struct pulse *pulse)
{
	(void)arg;
	(void)pulse;
	say(out, "so far");
	raise(SIGKILL);
}

static void hang(void *arg, int out, struct pulse *pulse)
{
	(void)arg;
	pulse->slot[0].begun = 1;
	pulse->slot[0].call = "read()";
	say(out, "so far");
	for (;;)
		pulse->ended++;
}

/* Sends its parent as many signals as @arg points to, one after the other, and does not end. */
static void interrupt(void *arg, int out, struct pulse *pulse)
{
	static const int signals[] = { SIGTERM, SIGINT };

	(void)pulse;
	for (int i = 0; i < *(int *)arg; i++)
		kill(getppid(), signals[i]);
	say(out, "so far");
	for (;;)
		pause();
}

/* The same, and goes on to its end. */
static void finish(void *arg, int out, struct pulse *pulse)
{
	struct sigaction action;

	(void)arg;
	(void)pulse;
	kill(getppid(), SIGTERM);
	sigaction(SIGINT, NULL, &action);	/* its own do nothing, and end no call of it */
	say(out, action.sa_handler == SIG_IGN ? "the end" : "caught");
}

/* Its parent gets no processor for longer than the limit, which is 1 s. */
static void stop_parent(void *arg, int out, struct pulse *pulse)
{
	const uint64_t until = clock_ns() + 3 * NSEC_PER_SEC / 2;

	(void)arg;
	(void)pulse;
	kill(getppid(), SIGSTOP);
	while (clock_ns() < until)
		usleep(10000);
	kill(getppid(), SIGCONT);
	say(out, "the end");
}

static struct worker run(void (*function)(void *arg, int out, struct pulse *pulse), void *arg,
			 unsigned int limit_s)
{
	struct worker w = {
		.run = function, .arg = arg, .limit_s = limit_s,
	};

	assert_int_equal(worker_run(&w), 0);
	assert_false(w.stuck);
	return w;
}

static void test_ends(void **arg)
{
	struct worker w = run(speak, "P\nand a note\n", 3600);

	(void)arg;
	assert_int_equal(w.end, WORKER_ENDED);
	assert_true(WIFEXITED(w.status) && !WEXITSTATUS(w.status));
	assert_string_equal(w.told, "P\nand a note\n");
	w = run(leave_with_7, NULL, 3600);
	assert_int_equal(w.end, WORKER_ENDED);
	assert_int_equal(WEXITSTATUS(w.status), 7);
	assert_string_equal(w.told, "");
}

static void test_dies(void **arg)
{
	struct worker w = run(crash, NULL, 3600);

	(void)arg;
	assert_int_equal(w.end, WORKER_ENDED);
	assert_true(WIFSIGNALED(w.status) && WTERMSIG(w.status) == SIGKILL);
	assert_string_equal(w.told, "so far");
}

static void test_hangs(void **arg)
{
	struct worker w = run(hang, NULL, 1);

	(void)arg;
	assert_int_equal(w.end, WORKER_HUNG);
	assert_true(WIFSIGNALED(w.status));	/* it was reaped */
	assert_string_equal(w.told, "so far");
	assert_string_equal(w.why, "read() has not returned for 1 s");
}

static void test_time_that_nobody_had(void **arg)
{
	int status;
	pid_t pid = fork();

	(void)arg;
	if (!pid) {
		struct worker w = { .run = stop_parent, .limit_s = 1 };

		if (worker_run(&w))
			_exit(1);
		_exit(w.end == WORKER_ENDED && !strcmp(w.told, "the end") ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* More than there is room for is cut, and no harm. */
static void test_talks_a_lot(void **arg)
{
	char *text = calloc(1, 3 * WORKER_TEXT);
	struct worker w;

	(void)arg;
	memset(text, 'x', 3 * WORKER_TEXT - 1);
	w = run(speak, text, 3600);
	assert_int_equal(strlen(w.told), WORKER_TEXT - 1);
	free(text);
}

/*
 * Signals are remembered for good, so each of these is a program of its own. Its status is 0
 * when @function's @signals broke the work off, or did not, as @broken says.
 */
static void in_a_program(void (*function)(void *arg, int out, struct pulse *pulse), int signals,
			 bool may_finish, bool broken, const char *told)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct worker w = {
			.run = function, .arg = &signals, .limit_s = 3600, .finish = may_finish,
		};

		interrupt_catch();
		if (interrupt_signal() || *interrupt_text() || worker_run(&w))
			_exit(1);
		if (w.end != (broken ? WORKER_INTERRUPTED : WORKER_ENDED) || w.stuck)
			_exit(2);
		if (WIFSIGNALED(w.status) != broken || (told && strcmp(w.told, told)))
			_exit(3);
		if (interrupt_signal() != SIGTERM ||
		    strcmp(interrupt_text(), "interrupted by SIGTERM") ||
		    interrupt_count() != (unsigned int)signals)
			_exit(4);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_is_broken_off(void **arg)
{
	(void)arg;
	in_a_program(interrupt, 1, false, true, NULL);
}

static void test_may_finish(void **arg)
{
	(void)arg;
	in_a_program(finish, 1, true, false, "the end");
}

static void test_may_finish_but_for_the_second(void **arg)
{
	(void)arg;
	in_a_program(interrupt, 2, true, true, NULL);
}

/* Who was started with a signal ignored goes on ignoring it. */
static void test_ignored_signals_stay_so(void **arg)
{
	int status;
	pid_t pid = fork();

	(void)arg;
	if (!pid) {
		signal(SIGHUP, SIG_IGN);
		interrupt_catch();
		raise(SIGHUP);
		_exit(interrupt_signal() ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Tells a stranger that it runs, by a descriptor that it has from us, and does not end. */
static void announce(void *arg, int out, struct pulse *pulse)
{
	(void)out;
	(void)pulse;
	say(*(int *)arg, "!");
	for (;;)
		pause();
}

/* The work ends with us, however we end. */
static void test_does_not_outlive_us(void **arg)
{
	int life[2];
	char byte;
	pid_t pid;

	(void)arg;
	assert_int_equal(pipe(life), 0);
	pid = fork();
	if (!pid) {
		struct worker w = { .run = announce, .arg = &life[1], .limit_s = 3600 };

		worker_run(&w);
		_exit(1);
	}
	close(life[1]);
	assert_int_equal(read(life[0], &byte, 1), 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(read(life[0], &byte, 1), 0);	/* nobody has its other end */
	close(life[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_dies),
		cmocka_unit_test(test_hangs),
		cmocka_unit_test(test_time_that_nobody_had),
		cmocka_unit_test(test_talks_a_lot),
		cmocka_unit_test(test_is_broken_off),
		cmocka_unit_test(test_may_finish),
		cmocka_unit_test(test_may_finish_but_for_the_second),
		cmocka_unit_test(test_ignored_signals_stay_so),
		cmocka_unit_test(test_does_not_outlive_us),
	};

	/* A shell has what it runs in the background ignore it, and that is inherited. */
	signal(SIGINT, SIG_DFL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
