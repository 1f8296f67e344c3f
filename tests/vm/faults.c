// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each fault that a rule can cause, with its effect and the same without it.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/fsm.h"
#include "core/stream.h"
#include "lab.h"

#define HOUR_US	"3600000000"

static unsigned char stream[STREAM_MAX];

/* A whole stream of a device in RUNNING or STOP, which ends in STOP_COPY. */
static size_t save(struct device *dev)
{
	ssize_t end;
	size_t size;

	go(dev, MIGLAB_STOP_COPY);
	size = drain(dev, stream, sizeof(stream), &end);
	assert_int_equal(end, 0);
	return size;
}

static void assert_same_fingerprint(struct device *dev, const char *before, bool same)
{
	char *after = attribute(dev, "fingerprint");

	assert_string_not_equal(before, "none\n");
	assert_int_equal(!strcmp(before, after), same);
	free(after);
}

/* The device that is loaded with its own state has the same as before, or not. */
static void assert_loads(struct device *dev, size_t size, bool same)
{
	char *before = attribute(dev, "fingerprint");

	go(dev, MIGLAB_RESUMING);
	assert_int_equal(load(dev, stream, size, sizeof(stream)), 0);
	go(dev, MIGLAB_STOP);
	assert_same_fingerprint(dev, before, same);
	free(before);
}

/* From any state but ERROR. */
static void assert_usable(struct device *dev)
{
	set_attribute(dev, "rules", "\n");
	go(dev, MIGLAB_RUNNING);
	assert_loads(dev, save(dev), true);
	go(dev, MIGLAB_RUNNING);
	assert_int_equal(stat_of(dev, "sessions_live"), 0);
}

static void assert_broken(struct device *dev)
{
	struct error err = { "" };
	uint8_t byte;
	uint32_t to;

	assert_int_equal(state_of(dev), MIGLAB_ERROR);
	for (to = 0; to <= MIGLAB_NR_STATES; to++)
		assert_int_equal(try_state(dev, to), -EIO);
	assert_int_equal(state_of(dev), MIGLAB_ERROR);
	assert_int_equal(stat_of(dev, "sessions_live"), 0);
	assert_true(dev->ops->read(dev, &byte, 1) < 0);
	if (dev->ops->reset(dev, &err))
		fail_msg("%s", err.text);
	assert_int_equal(state_of(dev), MIGLAB_RUNNING);
}

/* --- the state ERROR --- */

static void only_a_reset_leads_out_of_error(void **state)
{
	struct device *dev = open_function(0);

	(void)state;
	go(dev, MIGLAB_PRE_COPY);
	set_attribute(dev, "rules", "arc=PRE_COPY_P2P>STOP_COPY errno=EIO times=1 then=ERROR");
	assert_int_equal(try_state(dev, MIGLAB_STOP_COPY), -EIO);
	assert_broken(dev);
	assert_usable(dev);
}

static void a_hold_that_times_out_does_not_break_the_device(void **state)
{
	struct device *dev = open_function(0);

	(void)state;
	set_attribute(dev, "rules",
		      "arc=RUNNING>PRE_COPY hold limit_us=1000 errno=EIO then=ERROR");
	assert_int_equal(try_state(dev, MIGLAB_PRE_COPY), -ETIMEDOUT);
	assert_int_equal(state_of(dev), MIGLAB_RUNNING);
}

/* --- operations --- */

static void a_read_is_short_and_fails_by_rule(void **state)
{
	struct device *dev = open_function(0);
	ssize_t end;
	size_t n = 10;

	(void)state;
	go(dev, MIGLAB_PRE_COPY);
	assert_int_equal(dev->ops->read(dev, stream, 10), 10);
	set_attribute(dev, "rules", "op=read short=3 times=1;op=read errno=EIO times=1");
	assert_int_equal(dev->ops->read(dev, stream + n, 10), 3);
	n += 3;
	assert_int_equal(dev->ops->read(dev, stream + n, 10), -EIO);
	n += drain(dev, stream + n, sizeof(stream) - n, &end);
	go(dev, MIGLAB_STOP_COPY);
	n += drain(dev, stream + n, sizeof(stream) - n, &end);
	/* Nothing was lost. */
	assert_loads(dev, n, true);
}

static void a_write_is_short_and_fails_by_rule(void **state)
{
	struct device *dev = open_function(0);
	size_t size = save(dev);

	(void)state;
	go(dev, MIGLAB_RESUMING);
	set_attribute(dev, "rules", "op=write errno=ENOSPC times=1;op=write short=5 times=1");
	assert_int_equal(dev->ops->write(dev, stream, size), -ENOSPC);
	assert_int_equal(dev->ops->write(dev, stream, size), 5);
	assert_int_equal(load(dev, stream + 5, size - 5, sizeof(stream)), 0);
	go(dev, MIGLAB_STOP);
}

static void a_read_is_delayed_by_rule(void **state)
{
	struct device *dev = open_function(0);
	uint64_t begin;

	(void)state;
	go(dev, MIGLAB_PRE_COPY);
	set_attribute(dev, "rules", "op=read delay_us=50000 times=1");
	begin = clock_ns();
	assert_int_equal(dev->ops->read(dev, stream, 1), 1);
	assert_true(clock_ns() - begin >= 50 * NSEC_PER_MSEC);
	/* An hour would be seen. */
	set_attribute(dev, "rules", "op=read delay_us=" HOUR_US " nth=2");
	assert_int_equal(dev->ops->read(dev, stream, 1), 1);
}

/* One call of a device in a thread of its own. */
struct caller {
	pthread_t thread;
	struct device *dev;
	bool sleeps;		/* in poll(), else in read() */
	int timeout_ms;
	volatile pid_t tid;
	ssize_t result;
	uint64_t took_ns;
};

static void *caller_main(void *opaque)
{
	struct caller *c = opaque;
	uint64_t begin = clock_ns();
	uint8_t byte;

	c->tid = gettid();
	c->result = c->sleeps ? c->dev->ops->wait(c->dev, c->timeout_ms) :
				c->dev->ops->read(c->dev, &byte, 1);
	c->took_ns = clock_ns() - begin;
	return NULL;
}

/* Is the thread or process asleep in a system call of that number? */
static bool sleeps_in(pid_t tid, long number)
{
	char path[64], text[16] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	f = fopen(path, "r");
	if (f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	return text[0] >= '0' && text[0] <= '9' && strtol(text, NULL, 10) == number;
}

static void wait_asleep(const volatile pid_t *tid, long number)
{
	uint64_t deadline = clock_ns() + PATIENCE_NS;

	while (!*tid || !sleeps_in(*tid, number)) {
		assert_true(clock_ns() < deadline);
		sched_yield();
	}
}

static void caller_start(struct caller *c)
{
	c->tid = 0;
	assert_int_equal(pthread_create(&c->thread, NULL, caller_main, c), 0);
	wait_asleep(&c->tid, c->sleeps ? SYS_poll : SYS_read);
}

static void caller_join(struct caller *c)
{
	assert_int_equal(pthread_join(c->thread, NULL), 0);
}

static void a_reset_ends_a_delayed_read(void **state)
{
	struct device *dev = open_function(0);
	struct caller c = { .dev = dev };
	struct error err = { "" };

	(void)state;
	go(dev, MIGLAB_PRE_COPY);
	set_attribute(dev, "rules", "op=read delay_us=" HOUR_US);
	caller_start(&c);
	assert_int_equal(dev->ops->reset(dev, &err), 0);
	caller_join(&c);
	assert_int_equal(c.result, -ENODEV);
}

/* The arcs do not wait for the reader, and the one that ends the session wakes it. */
static void an_arc_ends_a_delayed_read(void **state)
{
	struct device *dev = open_function(0);
	struct caller c = { .dev = dev };

	(void)state;
	go(dev, MIGLAB_PRE_COPY);
	set_attribute(dev, "rules", "op=read delay_us=" HOUR_US);
	caller_start(&c);
	go(dev, MIGLAB_STOP_COPY);
	go(dev, MIGLAB_STOP);
	caller_join(&c);
	assert_int_equal(c.result, -ENODEV);
}

static void a_close_ends_a_delayed_read(void **state)
{
	struct device *dev = open_function(0);
	struct caller c = { .dev = dev };

	(void)state;
	go(dev, MIGLAB_PRE_COPY);
	set_attribute(dev, "rules", "op=read delay_us=" HOUR_US);
	caller_start(&c);
	close_function(dev);
	caller_join(&c);
	assert_int_equal(c.result, -ENODEV);
	assert_usable(open_function(0));
}

static void a_kill_ends_a_delayed_read(void **state)
{
	struct device *dev;
	uint8_t byte;
	pid_t pid;

	(void)state;
	pid = fork_child();
	if (!pid) {
		dev = open_function(0);
		go(dev, MIGLAB_PRE_COPY);
		set_attribute(dev, "rules", "op=read delay_us=" HOUR_US);
		dev->ops->read(dev, &byte, 1);
		_exit(1);
	}
	/* Nothing else that it reads lets it sleep: sysfs does not. */
	wait_asleep(&pid, SYS_read);
	kill_child(pid);
	dev = open_function(0);
	assert_int_equal(state_of(dev), MIGLAB_RUNNING);
	assert_usable(dev);
}

static struct precopy_info info_of(struct device *dev)
{
	struct error err = { "" };
	struct precopy_info info;

	if (dev->ops->precopy_info(dev, &info, &err))
		fail_msg("%s", err.text);
	return info;
}

static void precopy_info_lies_and_fails_by_rule(void **state)
{
	struct device *dev = open_function(0);
	struct precopy_info info;
	struct error err;
	uint64_t whole, begin;

	(void)state;
	go(dev, MIGLAB_PRE_COPY);
	whole = info_of(dev).initial_bytes;
	set_attribute(dev, "rules", "op=precopy_info errno=EBUSY times=1;"
		      "op=precopy_info garbage delay_us=20000 times=1");
	assert_int_equal(dev->ops->precopy_info(dev, &info, &err), -EBUSY);
	begin = clock_ns();
	info = info_of(dev);
	assert_true(clock_ns() - begin >= 20 * NSEC_PER_MSEC);
	assert_true(info.initial_bytes == UINT64_MAX && info.dirty_bytes == UINT64_MAX);
	info = info_of(dev);
	assert_true(info.initial_bytes == whole && !info.dirty_bytes && !info.reinit);
}

/* VFIO_PRECOPY_INFO_REINIT came with Linux 7.1; older kernels ignore the rule. */
static bool kernel_has_reinit(void)
{
	unsigned int major, minor;
	struct utsname name;

	assert_int_equal(uname(&name), 0);
	assert_int_equal(sscanf(name.release, "%u.%u", &major, &minor), 2);
	return major > 7 || (major == 7 && minor >= 1);
}

static void a_session_begins_anew_by_rule(void **state)
{
	struct device *dev = open_function(0);
	struct precopy_info info;
	uint64_t whole;
	ssize_t end;
	size_t n;

	(void)state;
	go(dev, MIGLAB_PRE_COPY);
	whole = info_of(dev).initial_bytes;
	n = drain(dev, stream, sizeof(stream), &end);
	assert_int_equal(end, -ENOMSG);
	set_attribute(dev, "rules", "op=precopy_info reinit times=1");
	info = info_of(dev);
	assert_int_equal(info.reinit, kernel_has_reinit());
	assert_int_equal(info.initial_bytes, info.reinit ? whole - MIGLAB_HEADER_BYTES : 0);
	assert_int_equal(info.dirty_bytes, 0);
	assert_false(info_of(dev).reinit);
	n += drain(dev, stream + n, sizeof(stream) - n, &end);
	assert_int_equal(end, -ENOMSG);
	go(dev, MIGLAB_STOP_COPY);
	n += drain(dev, stream + n, sizeof(stream) - n, &end);
	assert_loads(dev, n, true);
}

static void data_size_lies_and_fails_by_rule(void **state)
{
	struct device *dev = open_function(0);
	struct error err;
	uint64_t size;

	(void)state;
	set_attribute(dev, "rules", "op=data_size errno=EIO times=1;"
		      "op=data_size value=0 times=1;op=data_size value=18446744073709551615 times=1");
	assert_int_equal(dev->ops->data_size(dev, &size, &err), -EIO);
	assert_int_equal(dev->ops->data_size(dev, &size, &err), 0);
	assert_int_equal(size, 0);
	assert_int_equal(dev->ops->data_size(dev, &size, &err), 0);
	assert_true(size == UINT64_MAX);
	assert_int_equal(dev->ops->data_size(dev, &size, &err), 0);
	assert_true(size > 1 << 20 && size < 2 << 20);
}

/* The twin of each fault is the next session. */
static void a_byte_is_corrupt_by_rule(void **state)
{
	struct device *dev = open_function(0);

	(void)state;
	set_attribute(dev, "rules", "op=save corrupt=70000 times=1");
	assert_loads(dev, save(dev), false);
	assert_loads(dev, save(dev), true);
}

static void a_stream_is_truncated_by_rule(void **state)
{
	struct device *dev = open_function(0);
	struct error err = { "" };
	size_t size;

	(void)state;
	set_attribute(dev, "rules", "op=save truncate=70000 times=1");
	size = save(dev);
	assert_int_equal(size, 70000);
	go(dev, MIGLAB_RESUMING);
	assert_int_equal(load(dev, stream, size, sizeof(stream)), 0);
	assert_int_equal(try_state(dev, MIGLAB_STOP), -EINVAL);
	assert_int_equal(state_of(dev), MIGLAB_RESUMING);
	assert_int_equal(dev->ops->reset(dev, &err), 0);
	assert_loads(dev, save(dev), true);
}

/* In pre-copy the early end is one for now, and the figures know it. */
static void a_truncated_precopy_promises_nothing(void **state)
{
	struct device *dev = open_function(0);
	struct precopy_info info;
	ssize_t end;

	(void)state;
	set_attribute(dev, "rules", "op=save truncate=100");
	go(dev, MIGLAB_PRE_COPY);
	assert_int_equal(info_of(dev).initial_bytes, 100);
	assert_int_equal(drain(dev, stream, sizeof(stream), &end), 100);
	assert_int_equal(end, -ENOMSG);
	info = info_of(dev);
	assert_true(!info.initial_bytes && !info.dirty_bytes);
	assert_int_equal(dev->ops->wait(dev, 0), 0);
	go(dev, MIGLAB_STOP_COPY);
	assert_int_equal(dev->ops->read(dev, stream, 1), 0);
}

static void the_final_state_is_slow_by_rule(void **state)
{
	struct device *dev = open_function(0);
	uint64_t begin;

	(void)state;
	set_attribute(dev, "rules", "op=save delay_us=50000");
	go(dev, MIGLAB_STOP_COPY);
	begin = clock_ns();
	assert_int_equal(dev->ops->read(dev, stream, 1), 1);
	assert_true(clock_ns() - begin >= 50 * NSEC_PER_MSEC);
	go(dev, MIGLAB_STOP);

	set_attribute(dev, "rules", "op=save delay_us=" HOUR_US);
	go(dev, MIGLAB_RUNNING);
	go(dev, MIGLAB_PRE_COPY);
	/* Pre-copy is not final. */
	assert_int_equal(dev->ops->read(dev, stream, 1), 1);
}

/* The rule of the last arc in the history. */
static uint32_t last_rule(struct device *dev)
{
	char *text = attribute(dev, "history");
	struct error err = { "" };
	struct lab_arc *arcs;
	uint32_t rule;
	size_t count;

	if (lab_parse_history(text, &arcs, &count, &err))
		fail_msg("%s", err.text);
	assert_true(count > 0);
	rule = arcs[count - 1].rule;
	free(arcs);
	free(text);
	return rule;
}

static void a_load_fails_by_rule(void **state)
{
	struct device *dev = open_function(0);
	size_t size = save(dev);

	(void)state;
	go(dev, MIGLAB_RESUMING);
	assert_int_equal(load(dev, stream, size, sizeof(stream)), 0);
	set_attribute(dev, "rules", "op=load errno=ENOMEM times=1;"
		      "op=load errno=EBADMSG nth=2 then=ERROR");
	assert_int_equal(try_state(dev, MIGLAB_STOP), -ENOMEM);
	assert_int_equal(state_of(dev), MIGLAB_RESUMING);
	assert_int_equal(last_rule(dev), 1);
	go(dev, MIGLAB_STOP);
	assert_int_equal(last_rule(dev), 0);
	go(dev, MIGLAB_RESUMING);
	assert_int_equal(load(dev, stream, size, sizeof(stream)), 0);
	assert_int_equal(try_state(dev, MIGLAB_STOP), -EBADMSG);
	assert_broken(dev);
	assert_usable(dev);
}

static void a_reset_fails_by_rule(void **state)
{
	struct device *dev = open_function(0);
	uint64_t resets = stat_of(dev, "resets");
	struct error err;

	(void)state;
	go(dev, MIGLAB_PRE_COPY);
	set_attribute(dev, "rules", "op=reset errno=EIO times=1");
	assert_int_equal(dev->ops->reset(dev, &err), -EIO);
	assert_int_equal(stat_of(dev, "resets"), resets);
	assert_int_equal(state_of(dev), MIGLAB_PRE_COPY);
	assert_int_equal(dev->ops->read(dev, stream, 1), 1);
	assert_int_equal(dev->ops->reset(dev, &err), 0);
	assert_int_equal(state_of(dev), MIGLAB_RUNNING);
}

/* Sleeps for data that come once it sleeps. */
static struct caller sleep_for_data(struct device *dev, int timeout_ms)
{
	struct caller c = { .dev = dev, .sleeps = true, .timeout_ms = timeout_ms };
	ssize_t end;

	set_attribute(dev, "dirty_bytes_per_sec", "0");
	drain(dev, stream, sizeof(stream), &end);
	caller_start(&c);
	set_attribute(dev, "dirty_bytes_per_sec", "1000000000");
	caller_join(&c);
	set_attribute(dev, "dirty_bytes_per_sec", "0");
	return c;
}

static void a_wakeup_is_lost_by_rule(void **state)
{
	struct device *dev = open_function(0);
	struct caller c;

	(void)state;
	go(dev, MIGLAB_PRE_COPY);
	/* Without the rule the sleep has an end, though it has no limit. */
	c = sleep_for_data(dev, -1);
	assert_int_equal(c.result, 1);
	set_attribute(dev, "rules", "op=poll drop");
	c = sleep_for_data(dev, 300);
	assert_true(c.took_ns >= 300 * NSEC_PER_MSEC);
}

int faults_rows(void)
{
	const struct CMUnitTest rows[] = {
		row(only_a_reset_leads_out_of_error),
		row(a_hold_that_times_out_does_not_break_the_device),
		row(a_read_is_short_and_fails_by_rule),
		row(a_write_is_short_and_fails_by_rule),
		row(a_read_is_delayed_by_rule),
		row(a_reset_ends_a_delayed_read),
		row(an_arc_ends_a_delayed_read),
		row(a_close_ends_a_delayed_read),
		row(a_kill_ends_a_delayed_read),
		row(precopy_info_lies_and_fails_by_rule),
		row(a_session_begins_anew_by_rule),
		row(data_size_lies_and_fails_by_rule),
		row(a_byte_is_corrupt_by_rule),
		row(a_stream_is_truncated_by_rule),
		row(a_truncated_precopy_promises_nothing),
		row(the_final_state_is_slow_by_rule),
		row(a_load_fails_by_rule),
		row(a_reset_fails_by_rule),
		row(a_wakeup_is_lost_by_rule),
	};

	return cmocka_run_group_tests_name("faults", rows, NULL, NULL);
}
