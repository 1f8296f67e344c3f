// SPDX-License-Identifier: GPL-2.0-only
/* base/loop: order, and what a callback may do to the loop that calls it. */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"

struct fixture {
	struct loop *loop;
	char trace[64];		/* one letter for each callback */
	struct loop_timer *timer;
	struct loop_source *first;
	struct loop_source *second;
	int fds[2][2];		/* pipes */
	int rounds;
};

static void mark(struct fixture *f, char c)
{
	size_t len = strlen(f->trace);

	assert_true(len + 1 < sizeof(f->trace));
	f->trace[len] = c;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(loop_new(&f->loop), 0);
	assert_int_equal(pipe(f->fds[0]) | pipe(f->fds[1]), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	loop_free(f->loop);
	for (int i = 0; i < 4; i++)
		close(f->fds[i / 2][i % 2]);
	free(f);
	return 0;
}

static void stop(void *opaque)
{
	struct fixture *f = opaque;

	loop_stop(f->loop, 42);
}

/* Serves what is ready now, and the timers that are due. */
static void run_once(struct fixture *f)
{
	assert_non_null(loop_at(f->loop, 0, stop, f));
	assert_int_equal(loop_run(f->loop), 42);
}

static void mark_a(void *opaque)
{
	mark(opaque, 'a');
}

static void mark_b(void *opaque)
{
	mark(opaque, 'b');
}

static void mark_c(void *opaque)
{
	mark(opaque, 'c');
}

/* Returns what the times are counted from. */
static uint64_t set_timers(struct fixture *f, uint64_t step_ns)
{
	uint64_t now = clock_ns();

	loop_at(f->loop, now + 2 * step_ns, mark_b, f);
	loop_at(f->loop, now + 3 * step_ns, mark_c, f);
	loop_at(f->loop, now + 1 * step_ns, mark_a, f);
	loop_at(f->loop, now + 3 * step_ns, mark_a, f);
	loop_at(f->loop, now + 4 * step_ns, stop, f);
	return now;
}

/* A timer that is due when it is set comes behind the others that are: then it is tried again. */
static void timers_fire_in_order_and_once(void **state)
{
	uint64_t now, step_ns = NSEC_PER_MSEC;
	struct fixture *f = *state;
	bool late;

	do {
		memset(f->trace, 0, sizeof(f->trace));
		now = set_timers(f, step_ns);
		late = clock_ns() >= now + step_ns;
		assert_int_equal(loop_run(f->loop), 42);
		step_ns *= 2;
	} while (late);
	assert_string_equal(f->trace, "abca");
	assert_true(clock_ns() >= now + 4 * step_ns / 2);
	run_once(f);
	assert_string_equal(f->trace, "abca");
}

static void cancel_b(void *opaque)
{
	struct fixture *f = opaque;

	mark(f, 'x');
	loop_cancel(f->timer);
}

static void cancelled_timer_does_not_fire(void **state)
{
	struct fixture *f = *state;

	loop_cancel(NULL);
	loop_at(f->loop, 0, cancel_b, f);
	f->timer = loop_at(f->loop, 0, mark_b, f);
	loop_at(f->loop, 0, mark_c, f);
	run_once(f);
	assert_string_equal(f->trace, "xc");
}

static void again(void *opaque)
{
	struct fixture *f = opaque;

	mark(f, 'x');
	if (++f->rounds < 10)
		loop_at(f->loop, 0, again, f);
}

/* One that sets itself anew for "at once" does not hold up one that is due. */
static void due_timer_is_not_overtaken(void **state)
{
	struct fixture *f = *state;

	loop_at(f->loop, 0, again, f);
	loop_at(f->loop, clock_ns(), mark_a, f);
	run_once(f);
	assert_memory_equal(f->trace, "xa", 2);
}

static void on_first(void *opaque, int fd, short revents)
{
	struct fixture *f = opaque;

	assert_int_equal(fd, f->fds[0][0]);
	assert_true(revents & POLLIN);
	mark(f, '1');
}

static void on_second(void *opaque, int fd, short revents)
{
	struct fixture *f = opaque;

	(void)revents;
	assert_int_equal(fd, f->fds[1][0]);
	mark(f, '2');
}

static void source_is_called_while_ready(void **state)
{
	struct fixture *f = *state;
	char c;

	f->first = loop_add(f->loop, f->fds[0][0], POLLIN, on_first, f);
	run_once(f);
	assert_string_equal(f->trace, "");

	assert_int_equal(write(f->fds[0][1], "x", 1), 1);
	run_once(f);
	run_once(f);
	assert_string_equal(f->trace, "11");

	loop_events(f->first, 0);
	run_once(f);
	assert_string_equal(f->trace, "11");
	loop_events(f->first, POLLIN);
	run_once(f);
	assert_string_equal(f->trace, "111");

	assert_int_equal(read(f->fds[0][0], &c, 1), 1);
	run_once(f);
	assert_string_equal(f->trace, "111");
}

static void remove_both(void *opaque, int fd, short revents)
{
	struct fixture *f = opaque;

	(void)fd;
	(void)revents;
	mark(f, 'r');
	loop_remove(f->first);
	loop_remove(f->second);
}

static void removed_source_is_not_called(void **state)
{
	struct fixture *f = *state;

	loop_remove(NULL);
	assert_int_equal(write(f->fds[0][1], "x", 1), 1);
	assert_int_equal(write(f->fds[1][1], "x", 1), 1);
	f->first = loop_add(f->loop, f->fds[0][0], POLLIN, remove_both, f);
	f->second = loop_add(f->loop, f->fds[1][0], POLLIN, remove_both, f);
	run_once(f);
	run_once(f);
	assert_string_equal(f->trace, "r");
}

/* Enough of them that the poll array grows while it is walked. */
static void add_many(void *opaque, int fd, short revents)
{
	struct fixture *f = opaque;

	(void)fd;
	(void)revents;
	mark(f, 'm');
	loop_remove(f->first);
	for (int i = 0; i < 20; i++)
		assert_non_null(loop_add(f->loop, f->fds[1][0], POLLIN, on_second, f));
}

static void source_added_in_a_round_waits_for_the_next(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(write(f->fds[0][1], "x", 1), 1);
	assert_int_equal(write(f->fds[1][1], "x", 1), 1);
	f->second = loop_add(f->loop, f->fds[1][0], POLLIN, on_second, f);
	f->first = loop_add(f->loop, f->fds[0][0], POLLIN, add_many, f);
	run_once(f);
	assert_string_equal(f->trace, "m2");
	run_once(f);
	assert_int_equal(strlen(f->trace), 2 + 21);
}

static void stop_at_once(void *opaque, int fd, short revents)
{
	struct fixture *f = opaque;

	(void)fd;
	(void)revents;
	mark(f, 's');
	loop_stop(f->loop, 7);
}

static void nothing_is_called_after_stop(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(write(f->fds[0][1], "x", 1), 1);
	loop_add(f->loop, f->fds[0][0], POLLIN, stop_at_once, f);
	loop_add(f->loop, f->fds[0][0], POLLIN, stop_at_once, f);
	loop_at(f->loop, 0, mark_a, f);
	assert_int_equal(loop_run(f->loop), 7);
	assert_string_equal(f->trace, "s");
}

static void on_wake(void *opaque)
{
	struct fixture *f = opaque;

	mark(f, 'w');
	loop_stop(f->loop, 0);
}

static void *wake_from_thread(void *opaque)
{
	struct fixture *f = opaque;

	loop_wake(f->loop);
	return NULL;
}

static void wakes_melt(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	loop_on_wake(f->loop, on_wake, f);
	assert_int_equal(pthread_create(&thread, NULL, wake_from_thread, f), 0);
	assert_int_equal(loop_run(f->loop), 0);
	pthread_join(thread, NULL);
	assert_string_equal(f->trace, "w");

	loop_wake(f->loop);
	loop_wake(f->loop);
	assert_int_equal(loop_run(f->loop), 0);
	run_once(f);
	assert_string_equal(f->trace, "ww");
}

static struct loop *signalled;

static void on_signal(int number)
{
	(void)number;
	loop_wake(signalled);
}

static void raise_signal(void *opaque)
{
	(void)opaque;
	raise(SIGUSR1);
}

static void wakes_from_a_signal_handler(void **state)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct fixture *f = *state;

	signalled = f->loop;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	loop_on_wake(f->loop, on_wake, f);
	loop_at(f->loop, 0, raise_signal, f);
	assert_int_equal(loop_run(f->loop), 0);
	assert_string_equal(f->trace, "w");
	signal(SIGUSR1, SIG_DFL);
}

static void free_drops_what_is_left(void **state)
{
	struct fixture *f = *state;

	loop_at(f->loop, UINT64_MAX, mark_a, f);
	loop_add(f->loop, f->fds[0][0], POLLIN, on_first, f);
	loop_free(NULL);
}

#define LOOP_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LOOP_TEST(timers_fire_in_order_and_once),
		LOOP_TEST(cancelled_timer_does_not_fire),
		LOOP_TEST(due_timer_is_not_overtaken),
		LOOP_TEST(source_is_called_while_ready),
		LOOP_TEST(removed_source_is_not_called),
		LOOP_TEST(source_added_in_a_round_waits_for_the_next),
		LOOP_TEST(nothing_is_called_after_stop),
		LOOP_TEST(wakes_melt),
		LOOP_TEST(wakes_from_a_signal_handler),
		LOOP_TEST(free_drops_what_is_left),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
