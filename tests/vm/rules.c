// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arcs that are delayed, held and failed by rule, and what wins over them.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/fsm.h"
#include "device/sysfs.h"
#include "lab.h"

#define HOLD "arc=PRE_COPY>PRE_COPY_P2P hold limit_us=3600000000"

static struct lab_arc last_arc(struct device *dev)
{
	char *text = attribute(dev, "history");
	struct error err = { "" };
	struct lab_arc *arcs, arc;
	size_t count;

	if (lab_parse_history(text, &arcs, &count, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(count > 0);
	arc = arcs[count - 1];
	free(arcs);
	free(text);
	return arc;
}

static void the_default_is_a_slow_precopy_p2p(void **state)
{
	struct lab *lab;
	struct error err = { "" };
	char *text;

	(void)state;
	/* function 2 is left as it was bound by the rows before */
	if (lab_open_sysfs(function(2), &lab, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(lab->ops->read(lab, "rules", &text, &err), 0);
	assert_string_equal(text, "arc=PRE_COPY>PRE_COPY_P2P delay_us=300000\n");
	free(text);
}

static void a_delay_makes_the_arc_that_long(void **state)
{
	struct device *dev = open_function(0);
	struct lab_arc arc;
	uint64_t before;

	(void)state;
	set_attribute(dev, "rules", "arc=PRE_COPY>PRE_COPY_P2P delay_us=50000");
	go(dev, MIGLAB_PRE_COPY);
	before = clock_ns();
	go(dev, MIGLAB_PRE_COPY_P2P);
	arc = last_arc(dev);
	assert_int_equal(arc.rule, 1);
	assert_true(arc.begin_ns >= before && arc.end_ns <= clock_ns());
	assert_true(arc.end_ns - arc.begin_ns >= 50 * NSEC_PER_MSEC);
	assert_int_equal(arc.pid, getpid());
}

static void a_held_arc_waits_for_its_release(void **state)
{
	struct device *dev = open_function(0);
	struct lab_arc arc;
	struct setter set;
	uint64_t released;

	(void)state;
	set_attribute(dev, "rules", HOLD);
	go(dev, MIGLAB_PRE_COPY);
	setter_start(&set, dev, MIGLAB_PRE_COPY_P2P);
	wait_held(dev->lab);
	arc = last_arc(dev);
	assert_int_equal(arc.result, 1);
	assert_int_equal(arc.end_ns, 0);
	assert_int_equal(state_of(dev), MIGLAB_PRE_COPY);
	released = clock_ns();
	set_attribute(dev, "release", "1");
	assert_int_equal(setter_join(&set), 0);
	assert_true(last_arc(dev).end_ns >= released);
}

static void a_release_before_the_hold_is_not_lost(void **state)
{
	struct device *dev = open_function(0);

	(void)state;
	set_attribute(dev, "rules", HOLD);
	set_attribute(dev, "release", "2");
	go(dev, MIGLAB_PRE_COPY);
	go(dev, MIGLAB_PRE_COPY_P2P);
	go(dev, MIGLAB_PRE_COPY);
	go(dev, MIGLAB_PRE_COPY_P2P);
}

static void a_hold_that_nobody_releases_ends_at_its_limit(void **state)
{
	struct device *dev = open_function(0);
	struct error err;

	(void)state;
	set_attribute(dev, "rules", "arc=PRE_COPY>PRE_COPY_P2P hold limit_us=20000");
	go(dev, MIGLAB_PRE_COPY);
	assert_int_equal(dev->ops->set_state(dev, MIGLAB_PRE_COPY_P2P, &err), -ETIMEDOUT);
	assert_int_equal(state_of(dev), MIGLAB_PRE_COPY);
	assert_int_equal(last_arc(dev).result, -ETIMEDOUT);
}

static void a_failing_arc_leaves_the_state_before_it(void **state)
{
	struct device *dev = open_function(0);
	struct error err;

	(void)state;
	set_attribute(dev, "rules", "arc=PRE_COPY>PRE_COPY_P2P errno=EIO times=1");
	go(dev, MIGLAB_PRE_COPY);
	assert_int_equal(dev->ops->set_state(dev, MIGLAB_STOP_COPY, &err), -EIO);
	assert_int_equal(state_of(dev), MIGLAB_PRE_COPY);
	go(dev, MIGLAB_STOP_COPY);
}

static void a_reset_wins_over_a_held_arc(void **state)
{
	struct device *dev = open_function(0);
	struct error err = { "" };
	struct setter set;

	(void)state;
	set_attribute(dev, "rules", HOLD);
	go(dev, MIGLAB_PRE_COPY);
	setter_start(&set, dev, MIGLAB_PRE_COPY_P2P);
	wait_held(dev->lab);
	if (dev->ops->reset(dev, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(setter_join(&set) < 0);
	assert_int_equal(state_of(dev), MIGLAB_RUNNING);
	set_attribute(dev, "rules", "\n");
	go(dev, MIGLAB_STOP_COPY);
}

/* What the victim does; it runs in a child, where nothing may assert. */
static void hold_until_killed(void)
{
	struct device *dev;
	struct error err;
	char spec[32];

	snprintf(spec, sizeof(spec), "vfio:%s", function(0));
	if (device_open(spec, &dev, &err) || dev->lab->ops->write(dev->lab, "rules", HOLD, &err) ||
	    dev->ops->set_state(dev, MIGLAB_PRE_COPY, &err))
		_exit(1);
	dev->ops->set_state(dev, MIGLAB_PRE_COPY_P2P, &err);
	_exit(2);
}

/* The owner is killed in a held arc: it goes away, and the next open is RUNNING. */
static void a_kill_ends_a_held_arc(void **state)
{
	struct error err;
	struct lab *lab;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(lab_open_sysfs(function(0), &lab, &err), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		hold_until_killed();
	wait_held(lab);
	lab->ops->close(lab);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(state_of(open_function(0)), MIGLAB_RUNNING);
}

/* Puts the system to sleep as far as processes go; 0 or a negative errno. */
static int freeze_processes(void)
{
	int ret;

	assert_int_equal(sysfs_write("0", "module/suspend/parameters/pm_test_delay"), 0);
	assert_int_equal(sysfs_write("freezer", "power/pm_test"), 0);
	ret = sysfs_write("freeze", "power/state");
	assert_int_equal(sysfs_write("none", "power/pm_test"), 0);
	return ret;
}

/* A wait of up to an hour is no reason not to close the lid: of the arc nor of who comes second. */
static void a_held_arc_does_not_keep_the_machine_awake(void **state)
{
	struct device *dev = open_function(0);
	struct setter first, second;

	(void)state;
	if (!sysfs_exists("power/pm_test"))
		skip();
	set_attribute(dev, "rules", "arc=PRE_COPY>PRE_COPY_P2P hold limit_us=3600000000");
	go(dev, MIGLAB_PRE_COPY);
	setter_start(&first, dev, MIGLAB_PRE_COPY_P2P);
	wait_held(dev->lab);
	setter_start(&second, dev, MIGLAB_PRE_COPY_P2P);
	assert_int_equal(freeze_processes(), 0);
	set_attribute(dev, "release", "1");
	assert_int_equal(setter_join(&first), 0);
	assert_int_equal(setter_join(&second), 0);
	assert_int_equal(state_of(dev), MIGLAB_PRE_COPY_P2P);
}

static void a_bad_set_is_refused_whole(void **state)
{
	static const char good[] = "arc=STOP>RUNNING_P2P delay_us=1\n";
	struct device *dev = open_function(0);
	struct error err;
	char *text;

	(void)state;
	set_attribute(dev, "rules", good);
	assert_int_equal(dev->lab->ops->write(dev->lab, "rules",
					      "arc=RUNNING>PRE_COPY delay_us=1\n"
					      "arc=PRE_COPY>PRE_COPY_P2P delay_us=soon", &err),
			 -EINVAL);
	text = attribute(dev, "rules");
	assert_string_equal(text, good);
	free(text);
	text = attribute(dev, "rules_error");
	assert_ptr_equal(strstr(text, "line 2 column "), text);
	assert_non_null(strstr(text, "soon"));
	free(text);
}

static void the_longest_set_has_4095_bytes(void **state)
{
	struct device *dev = open_function(0);
	char set[8193], *text;
	struct error err;
	size_t size;

	(void)state;
	memset(set, '#', sizeof(set));
	for (size = 4095; size <= 8192; size += size == 4095 ? 1 : 4096) {
		set[size] = '\0';
		assert_int_equal(dev->lab->ops->write(dev->lab, "rules", set, &err),
				 size == 4095 ? 0 : -EINVAL);
		set[size] = '#';
	}
	set[4095] = '\0';
	text = attribute(dev, "rules");
	assert_string_equal(text, set);
	free(text);
}

int rules_rows(void)
{
	const struct CMUnitTest rows[] = {
		row(the_default_is_a_slow_precopy_p2p),
		row(a_delay_makes_the_arc_that_long),
		row(a_held_arc_waits_for_its_release),
		row(a_release_before_the_hold_is_not_lost),
		row(a_hold_that_nobody_releases_ends_at_its_limit),
		row(a_failing_arc_leaves_the_state_before_it),
		row(a_reset_wins_over_a_held_arc),
		row(a_kill_ends_a_held_arc),
		row(a_held_arc_does_not_keep_the_machine_awake),
		row(a_bad_set_is_refused_whole),
		row(the_longest_set_has_4095_bytes),
	};

	return cmocka_run_group_tests_name("rules", rows, NULL, NULL);
}
