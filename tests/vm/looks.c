// SPDX-License-Identifier: GPL-2.0-only
/*
 * How often the driver looks for new data, which it does in a work of its own while somebody
 * sleeps in poll(); as the kernel's trace of works has it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fsm.h"
#include "device/sysfs.h"
#include "lab.h"

#define INSTANCE	"kernel/tracing/instances/miglab"
#define WORKS		INSTANCE "/events/workqueue/workqueue_execute_start"

static int begin_trace(void **state)
{
	(void)state;
	if (mkdir("/sys/" INSTANCE, 0700) && errno != EEXIST)
		return 0;
	return sysfs_write("1", WORKS "/enable");
}

static int end_trace(void **state)
{
	sysfs_write("0", WORKS "/enable");
	rmdir("/sys/" INSTANCE);
	return close_functions(state);
}

static unsigned int count_looks(void)
{
	unsigned int n = 0;
	char *text, *at;

	assert_int_equal(sysfs_read(&text, INSTANCE "/trace"), 0);
	for (at = text; (at = strstr(at, "function session_look")) != NULL; at++)
		n++;
	free(text);
	return n;
}

/* Nothing happens for that long: another function's arc is held, and fails then. */
static void let_pass(unsigned int ms)
{
	struct device *other = open_function(1);
	char rule[64];

	snprintf(rule, sizeof(rule), "arc=RUNNING>RUNNING_P2P hold limit_us=%u000", ms);
	set_attribute(other, "rules", rule);
	assert_int_equal(try_state(other, MIGLAB_RUNNING_P2P), -ETIMEDOUT);
	close_function(other);
}

/* All is sent, and the next page changes in more than an hour: a look is due each second. */
static struct device *open_slow(void)
{
	static unsigned char stream[STREAM_MAX];
	struct device *dev = open_function(0);
	ssize_t end;

	set_attribute(dev, "dirty_bytes_per_sec", "1");
	go(dev, MIGLAB_PRE_COPY);
	drain(dev, stream, sizeof(stream), &end);
	assert_int_equal(end, -ENOMSG);
	return dev;
}

static void *poll_it(void *opaque)
{
	struct device *dev = opaque;

	dev->ops->wait(dev, -1);
	return NULL;
}

static void who_sleeps_is_looked_for(void **state)
{
	struct device *dev = open_slow();
	pthread_t sleeper;

	(void)state;
	if (!sysfs_exists(WORKS))
		skip();
	assert_int_equal(pthread_create(&sleeper, NULL, poll_it, dev), 0);
	while (!count_looks())
		let_pass(500);
	let_pass(3500);
	assert_true(count_looks() > 2);
	set_attribute(dev, "dirty_bytes_per_sec", "1000000000");
	pthread_join(sleeper, NULL);
	set_attribute(dev, "dirty_bytes_per_sec", "0");
}

/* One look may be due yet when a poll() ends. */
static void who_is_gone_is_not(void **state)
{
	struct device *dev = open_slow();

	(void)state;
	if (!sysfs_exists(WORKS))
		skip();
	assert_int_equal(dev->ops->wait(dev, 0), 0);
	let_pass(4500);
	assert_true(count_looks() <= 1);
	set_attribute(dev, "dirty_bytes_per_sec", "0");
}

int looks_rows(void)
{
	const struct CMUnitTest rows[] = {
		cmocka_unit_test_setup_teardown(who_sleeps_is_looked_for, begin_trace, end_trace),
		cmocka_unit_test_setup_teardown(who_is_gone_is_not, begin_trace, end_trace),
	};

	return cmocka_run_group_tests_name("looks", rows, NULL, NULL);
}
