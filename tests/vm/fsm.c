// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every (from, to) pair: the kernel's answer, the state afterwards and the path
 * in the history equal the table of driver/core/fsm.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/fsm.h"
#include "lab.h"

static unsigned char whole[STREAM_MAX];
static size_t whole_size;

/* A stream that this very device accepts, so that RESUMING can be left. */
static void make_stream(struct device *dev)
{
	ssize_t end;

	go(dev, MIGLAB_STOP_COPY);
	whole_size = drain(dev, whole, sizeof(whole), &end);
	assert_int_equal(end, 0);
	go(dev, MIGLAB_RUNNING);
}

static void enter(struct device *dev, uint32_t from)
{
	struct error err = { "" };

	if (dev->ops->reset(dev, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(state_of(dev), MIGLAB_RUNNING);
	go(dev, from);
	if (from == MIGLAB_RESUMING)
		assert_int_equal(load(dev, whole, whole_size, sizeof(whole)), 0);
}

static size_t expected_path(uint32_t flags, uint32_t from, uint32_t to, uint32_t *path)
{
	size_t n = 0;

	while (from != to) {
		if (miglab_fsm_next(flags, from, to, &path[n]) < 0)
			return SIZE_MAX;
		from = path[n++];
	}
	return n;
}

static void check_path(struct device *dev, uint64_t since, uint32_t from, uint32_t to,
		       const uint32_t *path, size_t length)
{
	char *text = attribute(dev, "history");
	struct error err = { "" };
	struct lab_arc *arcs;
	size_t count, i, n = 0;

	if (lab_parse_history(text, &arcs, &count, &err) < 0)
		fail_msg("%s", err.text);
	for (i = 0; i < count; i++) {
		if (arcs[i].seq <= since)
			continue;
		assert_true(n < length);
		assert_int_equal(arcs[i].seq, since + n + 1);
		assert_int_equal(arcs[i].from, n ? path[n - 1] : from);
		assert_int_equal(arcs[i].to, path[n]);
		assert_int_equal(arcs[i].requested, to);
		assert_int_equal(arcs[i].result, 0);
		assert_true(arcs[i].begin_ns && arcs[i].begin_ns <= arcs[i].end_ns);
		n++;
	}
	assert_int_equal(n, length);
	free(arcs);
	free(text);
}

static void check_pair(struct device *dev, uint32_t from, uint32_t to)
{
	struct error err = { "" };
	uint32_t path[MIGLAB_NR_STATES];
	size_t length;
	uint64_t since;
	int ret;

	enter(dev, from);
	since = last_seq(dev);
	length = expected_path(dev->flags, from, to, path);
	ret = dev->ops->set_state(dev, to, &err);
	if (length == SIZE_MAX) {
		assert_int_equal(ret, -EINVAL);
		assert_int_equal(state_of(dev), from);
		check_path(dev, since, from, to, path, 0);
		return;
	}
	if (ret < 0)
		fail_msg("%s > %s: %s", miglab_state_name(from), miglab_state_name(to), err.text);
	assert_int_equal(state_of(dev), to);
	check_path(dev, since, from, to, path, length);
}

static void check_profile(const char *profile, uint32_t flags)
{
	struct device *dev = open_profile(0, profile);
	uint32_t from, to;

	assert_int_equal(dev->flags, flags);
	make_stream(dev);
	for (from = MIGLAB_STOP; from < MIGLAB_NR_STATES; from++)
		for (to = MIGLAB_ERROR; to < MIGLAB_NR_STATES; to++)
			if (miglab_state_supported(flags, from))
				check_pair(dev, from, to);
}

static void every_pair_equals_the_table(void **state)
{
	(void)state;
	check_profile("full", 7);
}

static void every_pair_without_p2p(void **state)
{
	(void)state;
	check_profile("no-p2p", 5);
}

static void every_pair_without_precopy(void **state)
{
	(void)state;
	check_profile("no-precopy", 3);
}

static void every_pair_of_stop_copy_only(void **state)
{
	(void)state;
	check_profile("stop-copy", 1);
}

static void a_profile_is_in_force_from_the_next_open_on(void **state)
{
	struct device *dev = open_function(0);
	struct error err;
	char *text;

	(void)state;
	set_attribute(dev, "profile", "stop-copy\n");
	assert_int_equal(dev->ops->set_state(dev, MIGLAB_PRE_COPY, &err), 0);
	close_function(dev);
	dev = open_function(0);
	assert_int_equal(dev->flags, MIGLAB_FLAG_STOP_COPY);
	assert_int_equal(dev->ops->set_state(dev, MIGLAB_PRE_COPY, &err), -EINVAL);
	assert_int_equal(dev->lab->ops->write(dev->lab, "profile", "half", &err), -EINVAL);
	text = attribute(dev, "profile");
	assert_string_equal(text, "stop-copy\n");
	free(text);
	set_attribute(dev, "profile", "full");
	close_function(dev);
	assert_int_equal(open_function(0)->flags, MIGLAB_FLAGS_FULL);
}

static void a_state_that_is_none_is_refused(void **state)
{
	struct device *dev = open_function(0);
	struct error err;

	(void)state;
	assert_int_equal(dev->ops->set_state(dev, MIGLAB_NR_STATES, &err), -EINVAL);
	assert_int_equal(dev->ops->set_state(dev, UINT32_MAX, &err), -EINVAL);
	assert_int_equal(state_of(dev), MIGLAB_RUNNING);
}

/*
 * A kernel before a26b499b757c never comes back from either. Nobody could end the process, so
 * there is no time limit here: the machine is given up.
 */
static void the_blocked_arc_is_refused(void **state)
{
	struct device *dev = open_function(0);
	unsigned char byte;
	uint64_t since;

	(void)state;
	go(dev, MIGLAB_PRE_COPY);
	go(dev, MIGLAB_STOP_COPY);
	since = last_seq(dev);
	assert_int_equal(try_state(dev, MIGLAB_PRE_COPY), -EINVAL);
	assert_int_equal(try_state(dev, MIGLAB_PRE_COPY_P2P), -EINVAL);
	assert_int_equal(state_of(dev), MIGLAB_STOP_COPY);
	assert_int_equal(last_seq(dev), since);
	assert_int_equal(dev->ops->read(dev, &byte, 1), 1);
	go(dev, MIGLAB_RUNNING);
	go(dev, MIGLAB_PRE_COPY);
}

static void an_open_begins_in_running(void **state)
{
	struct device *dev;
	uint32_t left;

	(void)state;
	for (left = MIGLAB_STOP; left < MIGLAB_NR_STATES; left++) {
		dev = open_function(0);
		go(dev, left);
		close_function(dev);
		dev = open_function(0);
		assert_int_equal(state_of(dev), MIGLAB_RUNNING);
		assert_int_equal(stat_of(dev, "sessions_live"), 0);
		close_function(dev);
	}
}

int fsm_rows(void)
{
	const struct CMUnitTest rows[] = {
		row(the_blocked_arc_is_refused),
		row(every_pair_equals_the_table),
		row(every_pair_without_p2p),
		row(every_pair_without_precopy),
		row(every_pair_of_stop_copy_only),
		row(a_profile_is_in_force_from_the_next_open_on),
		row(a_state_that_is_none_is_refused),
		row(an_open_begins_in_running),
	};

	return cmocka_run_group_tests_name("fsm", rows, NULL, NULL);
}
