// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each arc of each profile meets each end that it can come to. Afterwards the next open
 * is RUNNING, long before the hold would end, and a migration succeeds.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/fsm.h"
#include "depart.h"
#include "lab.h"

#define HOLD "hold limit_us=3600000000"

static const struct profile {
	const char *name;
	uint32_t flags;
	unsigned int arcs;
} profiles[] = {
	{ "full", 7, 15 }, { "no-p2p", 5, 9 }, { "no-precopy", 3, 8 }, { "stop-copy", 1, 6 },
};

#define NR_PROFILES (sizeof(profiles) / sizeof(profiles[0]))

/* The arc that a rule is for, and the function that takes it. */
struct arc {
	const struct profile *profile;
	uint32_t from, to;
};

static bool has_arc(const struct arc *arc)
{
	uint32_t next;

	return arc->from != arc->to &&
	       !miglab_fsm_next(arc->profile->flags, arc->from, arc->to, &next) && next == arc->to;
}

/* Function 0 where the arc begins, RESUMING with its stream, and that rule for the arc. */
static struct device *open_before(const struct arc *arc, const char *what)
{
	static unsigned char stream[STREAM_MAX];
	struct device *dev = open_profile(0, arc->profile->name);
	size_t size = 0;
	char rule[120];
	ssize_t end;

	if (arc->from == MIGLAB_RESUMING) {
		go(dev, MIGLAB_STOP_COPY);
		size = drain(dev, stream, sizeof(stream), &end);
	}
	go(dev, arc->from);
	assert_int_equal(load(dev, stream, size, sizeof(stream)), 0);
	snprintf(rule, sizeof(rule), "arc=%s>%s %s", miglab_state_name(arc->from),
		 miglab_state_name(arc->to), what);
	set_attribute(dev, "rules", rule);
	return dev;
}

/* The same, with the arc held in @set. */
static struct device *open_inside(const struct arc *arc, struct setter *set)
{
	struct device *dev = open_before(arc, HOLD);

	setter_start(set, dev, arc->to);
	wait_held(dev->lab);
	return dev;
}

static void fail_with_errno(const struct arc *arc)
{
	struct device *dev = open_before(arc, "errno=ENOSPC");

	assert_int_equal(try_state(dev, arc->to), -ENOSPC);
	assert_int_equal(state_of(dev), arc->from);
	close_function(dev);
}

static void end_in_error(const struct arc *arc)
{
	struct device *dev = open_before(arc, "errno=ENOSPC then=ERROR");

	assert_int_equal(try_state(dev, arc->to), -ENOSPC);
	assert_int_equal(state_of(dev), MIGLAB_ERROR);
	close_function(dev);
}

static void be_reset(const struct arc *arc)
{
	struct error err = { "" };
	struct setter set;
	struct device *dev = open_inside(arc, &set);

	if (dev->ops->reset(dev, &err))
		fail_msg("%s", err.text);
	assert_int_equal(setter_join(&set), -EIO);
	assert_int_equal(state_of(dev), MIGLAB_RUNNING);
	close_function(dev);
}

static void be_closed(const struct arc *arc)
{
	struct device *dev = open_before(arc, "delay_us=0");

	go(dev, arc->to);
	close_function(dev);
}

static void be_unbound(const struct arc *arc)
{
	struct setter set;
	struct device *dev = open_inside(arc, &set);
	struct departure d;

	depart_unbind(&d);
	departure_start(&d);
	assert_int_equal(setter_join(&set), -ENODEV);
	assert_int_equal(state_of(dev), arc->from);
	close_function(dev);
	departure_end(&d);
	bind_again(0);
}

/* As long as the owner lives nobody else can open the function, which shows that it was held. */
static void be_killed(const struct arc *arc)
{
	struct error err = { "" };
	struct device *dev;
	struct lab *lab;
	char spec[32];
	pid_t pid;

	if (lab_open_sysfs(function(0), &lab, &err))
		fail_msg("%s", err.text);
	pid = fork_child();
	if (!pid) {
		try_state(open_before(arc, HOLD), arc->to);
		_exit(1);
	}
	wait_held(lab);
	lab->ops->close(lab);
	snprintf(spec, sizeof(spec), "vfio:%s", function(0));
	assert_true(device_open(spec, &dev, &err) < 0);
	kill_child(pid);
}

/* It was left at @left_ns. Nothing waits for what was held, which would take its hour. */
static void assert_migrates(const struct profile *profile, uint64_t left_ns)
{
	struct device *src = open_profile(0, profile->name), *dst;

	assert_int_equal(state_of(src), MIGLAB_RUNNING);
	assert_in_range(clock_ns() - left_ns, 0, PATIENCE_NS);
	assert_int_equal(stat_of(src, "sessions_live"), 0);
	dst = open_profile(1, profile->name);
	move_state(src, dst);
	close_function(src);
	close_function(dst);
}

/* Each ends with function 0 bound, and not open. */
static void meet_each_arc(void (*end)(const struct arc *arc))
{
	struct arc arc;
	unsigned int n;

	for (arc.profile = profiles; arc.profile < profiles + NR_PROFILES; arc.profile++) {
		n = 0;
		for (arc.from = MIGLAB_STOP; arc.from < MIGLAB_NR_STATES; arc.from++) {
			for (arc.to = MIGLAB_STOP; arc.to < MIGLAB_NR_STATES; arc.to++) {
				if (!has_arc(&arc))
					continue;
				end(&arc);
				assert_migrates(arc.profile, clock_ns());
				n++;
			}
		}
		assert_int_equal(n, arc.profile->arcs);
	}
}

static void each_arc_may_fail(void **state)
{
	(void)state;
	meet_each_arc(fail_with_errno);
}

static void each_arc_may_end_in_error(void **state)
{
	(void)state;
	meet_each_arc(end_in_error);
}

static void each_arc_gives_way_to_a_reset(void **state)
{
	(void)state;
	meet_each_arc(be_reset);
}

static void a_close_after_each_arc(void **state)
{
	(void)state;
	meet_each_arc(be_closed);
}

static void an_unbind_ends_each_arc(void **state)
{
	(void)state;
	meet_each_arc(be_unbound);
}

static void a_kill_ends_each_arc(void **state)
{
	(void)state;
	meet_each_arc(be_killed);
}

int arcs_rows(void)
{
	const struct CMUnitTest rows[] = {
		row(each_arc_may_fail),
		row(each_arc_may_end_in_error),
		row(each_arc_gives_way_to_a_reset),
		row(a_close_after_each_arc),
		row(an_unbind_ends_each_arc),
		row(a_kill_ends_each_arc),
	};

	return cmocka_run_group_tests_name("arcs", rows, NULL, NULL);
}
