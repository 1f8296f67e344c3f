// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lease on an arc: whose it is, when it ends, and what it leaves alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fsm.h"
#include "depart.h"
#include "lab.h"

#define LEASE		"PRE_COPY>PRE_COPY_P2P limit_us=600000000"
#define RULE		"arc=PRE_COPY>PRE_COPY_P2P "
#define LAST_PID	"/proc/sys/kernel/ns_last_pid"
#define PM_TEST		"/sys/power/pm_test"

static int write_lab(const char *name, const char *text)
{
	struct error err = { "" };
	struct lab *lab;
	int ret = lab_open_sysfs(function(0), &lab, &err);

	if (ret)
		return ret;
	ret = lab->ops->write(lab, name, text, &err);
	lab->ops->close(lab);
	return ret;
}

static void expect(struct device *dev, const char *name, const char *want)
{
	char *text = attribute(dev, name);

	text[strcspn(text, "\n")] = '\0';
	assert_string_equal(text, want);
	free(text);
}

static void expect_owner(struct device *dev, pid_t pid)
{
	char want[96] = "none";

	if (pid)
		snprintf(want, sizeof(want), LEASE " pid=%d", pid);
	expect(dev, "hold", want);
}

static unsigned long permits(struct device *dev)
{
	char *text = attribute(dev, "release");
	unsigned long n = strtoul(text, NULL, 10);

	free(text);
	return n;
}

static void *wait_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

/* A process that has the lease; with @headless its first thread has ended, and another lives. */
static pid_t keeper_start(bool headless)
{
	int ready[2];
	pthread_t thread;
	char c = 1;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork_child();
	if (!pid) {
		if (headless && pthread_create(&thread, NULL, wait_for_ever, NULL))
			_exit(1);
		if (write_lab("hold", LEASE) || write(ready[1], &c, 1) != 1)
			_exit(1);
		if (headless)
			pthread_exit(NULL);
		wait_for_ever(NULL);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static struct device *open_in_precopy(const char *rules)
{
	struct device *dev = open_function(0);

	set_attribute(dev, "rules", rules);
	go(dev, MIGLAB_PRE_COPY);
	return dev;
}

static void start_held(struct setter *set, struct device *dev)
{
	setter_start(set, dev, MIGLAB_PRE_COPY_P2P);
	wait_held(dev->lab);
}

/* Of the arc that is held now, or was last. */
static void release_by_seq(struct device *dev)
{
	char text[32];

	snprintf(text, sizeof(text), "seq=%llu", (unsigned long long)last_seq(dev));
	set_attribute(dev, "release", text);
}

static void a_lease_is_taken_changed_and_given_up(void **state)
{
	struct device *dev = open_function(0);
	char want[80];

	(void)state;
	expect_owner(dev, 0);
	set_attribute(dev, "hold", LEASE "\n");
	expect_owner(dev, getpid());
	set_attribute(dev, "hold", "RUNNING>PRE_COPY limit_us=5");
	snprintf(want, sizeof(want), "RUNNING>PRE_COPY limit_us=5 pid=%d", getpid());
	expect(dev, "hold", want);
	set_attribute(dev, "hold", "none");
	expect_owner(dev, 0);
	set_attribute(dev, "hold", "\n");
	assert_int_equal(write_lab("hold", "PRE_COPY>STOP limit_us=5"), -EINVAL);
	assert_int_equal(write_lab("hold", "PRE_COPY>PRE_COPY_P2P"), -EINVAL);
	expect_owner(dev, 0);
}

static void *take(void *ret)
{
	*(int *)ret = write_lab("hold", LEASE);
	return NULL;
}

static void it_outlives_the_thread_that_took_it(void **state)
{
	struct device *dev = open_in_precopy("\n");
	struct setter set;
	pthread_t thread;
	int ret;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, take, &ret), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(ret, 0);
	expect_owner(dev, getpid());
	start_held(&set, dev);
	release_by_seq(dev);
	assert_int_equal(setter_join(&set), 0);
	set_attribute(dev, "hold", "none");
}

static void only_its_owner_may_touch_it(void **state)
{
	struct device *dev = open_function(0);
	pid_t keeper = keeper_start(false);

	(void)state;
	expect_owner(dev, keeper);
	assert_int_equal(write_lab("hold", LEASE), -EBUSY);
	assert_int_equal(write_lab("hold", "none"), -EBUSY);
	expect_owner(dev, keeper);
	kill_child(keeper);
	expect_owner(dev, 0);
	set_attribute(dev, "hold", LEASE);
	expect_owner(dev, getpid());
	set_attribute(dev, "hold", "none");
}

static void it_is_released_by_number_only(void **state)
{
	struct device *dev = open_in_precopy("\n");
	struct setter set;
	char want[80], text[32];
	unsigned long left;

	(void)state;
	set_attribute(dev, "release", "1");
	left = permits(dev);
	set_attribute(dev, "hold", LEASE);
	start_held(&set, dev);
	snprintf(want, sizeof(want), "PRE_COPY>PRE_COPY_P2P seq=%llu rule=lease",
		 (unsigned long long)last_seq(dev));
	expect(dev, "held", want);
	set_attribute(dev, "release", "1");
	snprintf(text, sizeof(text), "seq=%llu", (unsigned long long)last_seq(dev) - 1);
	assert_int_equal(write_lab("release", text), -ESRCH);
	assert_int_equal(write_lab("release", "seq=0"), -ESRCH);
	assert_int_equal(write_lab("release", "seq="), -EINVAL);
	expect(dev, "held", want);
	assert_int_equal(state_of(dev), MIGLAB_PRE_COPY);
	release_by_seq(dev);
	assert_int_equal(setter_join(&set), 0);
	expect(dev, "held", "none");
	assert_int_equal(permits(dev), left + 1);
	snprintf(text, sizeof(text), "seq=%llu", (unsigned long long)last_seq(dev));
	assert_int_equal(write_lab("release", text), -ESRCH);
	set_attribute(dev, "hold", "none");
}

/* What was released by number, a rule does not hold either; the next arc it does. */
static void a_rules_hold_is_released_by_number(void **state)
{
	struct device *dev;
	struct setter set;
	unsigned long left;
	char want[80];

	(void)state;
	dev = open_in_precopy(RULE "hold limit_us=600000000");
	/* The permits of other rows are not what this one is about. */
	while (permits(dev)) {
		go(dev, MIGLAB_PRE_COPY_P2P);
		go(dev, MIGLAB_PRE_COPY);
	}
	set_attribute(dev, "hold", LEASE);
	start_held(&set, dev);
	release_by_seq(dev);
	assert_int_equal(setter_join(&set), 0);
	go(dev, MIGLAB_PRE_COPY);
	set_attribute(dev, "hold", "none");
	start_held(&set, dev);
	snprintf(want, sizeof(want), "PRE_COPY>PRE_COPY_P2P seq=%llu rule=1",
		 (unsigned long long)last_seq(dev));
	expect(dev, "held", want);
	left = permits(dev);
	release_by_seq(dev);
	assert_int_equal(setter_join(&set), 0);
	assert_int_equal(permits(dev), left);
}

/* The rules never hear of an arc that ends there. */
static void its_limit_fails_the_arc(void **state)
{
	struct device *dev = open_in_precopy(RULE "errno=EIO nth=1");

	(void)state;
	set_attribute(dev, "hold", "PRE_COPY>PRE_COPY_P2P limit_us=20000");
	assert_int_equal(try_state(dev, MIGLAB_PRE_COPY_P2P), -ETIMEDOUT);
	assert_int_equal(state_of(dev), MIGLAB_PRE_COPY);
	assert_int_equal(stat_of(dev, "rules_acted"), 0);
	set_attribute(dev, "hold", "none");
	assert_int_equal(try_state(dev, MIGLAB_PRE_COPY_P2P), -EIO);
	assert_int_equal(stat_of(dev, "rules_acted"), 1);
}

/* Nobody has reaped it, and it never said anything: the arc goes on, with the rules as they are. */
static void a_killed_owner_lets_go(void **state)
{
	struct device *dev = open_in_precopy(RULE "errno=EIO times=1");
	struct setter set;
	pid_t keeper;

	(void)state;
	assert_int_equal(try_state(dev, MIGLAB_PRE_COPY_P2P), -EIO);
	keeper = keeper_start(false);
	start_held(&set, dev);
	assert_int_equal(kill(keeper, SIGKILL), 0);
	assert_int_equal(setter_join(&set), 0);
	expect_owner(dev, 0);
	expect(dev, "rules", RULE "errno=EIO times=1");
	assert_int_equal(stat_of(dev, "rules_acted"), 1);
	assert_int_equal(waitpid(keeper, NULL, 0), keeper);
}

static void an_owner_that_gives_up_lets_go(void **state)
{
	struct device *dev = open_in_precopy("\n");
	struct setter set;

	(void)state;
	set_attribute(dev, "hold", LEASE);
	start_held(&set, dev);
	set_attribute(dev, "hold", "none");
	assert_int_equal(setter_join(&set), 0);
}

static char task_state(pid_t pid)
{
	char path[64], state = '?';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, pid);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*d (%*[^)]) %c", &state), 1);
	fclose(f);
	return state;
}

static void a_process_lives_as_long_as_a_thread_of_it(void **state)
{
	struct device *dev = open_in_precopy("\n");
	pid_t keeper = keeper_start(true);
	struct setter set;

	(void)state;
	while (task_state(keeper) != 'Z')
		sched_yield();
	expect_owner(dev, keeper);
	start_held(&set, dev);
	expect_owner(dev, keeper);
	kill(keeper, SIGKILL);
	assert_int_equal(setter_join(&set), 0);
	assert_int_equal(waitpid(keeper, NULL, 0), keeper);
}

/* Another process of the same number has nothing to do with it. */
static void a_number_that_is_used_again_is_nobodys(void **state)
{
	struct device *dev = open_in_precopy("\n");
	pid_t keeper, other = 0;
	char text[16];
	int i;

	(void)state;
	if (access(LAST_PID, W_OK))
		skip();
	keeper = keeper_start(false);
	kill_child(keeper);
	snprintf(text, sizeof(text), "%d", keeper - 1);
	for (i = 0; other != keeper && i < 1000; i++) {
		int fd = open(LAST_PID, O_WRONLY);

		if (other)
			kill_child(other);
		assert_int_equal(write(fd, text, strlen(text)), strlen(text));
		close(fd);
		other = fork_child();
		if (!other)
			wait_for_ever(NULL);
	}
	assert_int_equal(other, keeper);
	go(dev, MIGLAB_PRE_COPY_P2P);
	expect_owner(dev, 0);
	kill_child(other);
}

static void a_reset_wins(void **state)
{
	struct device *dev = open_in_precopy("\n");
	struct setter set;
	struct error err;

	(void)state;
	set_attribute(dev, "hold", LEASE);
	start_held(&set, dev);
	assert_int_equal(dev->ops->reset(dev, &err), 0);
	assert_int_equal(setter_join(&set), -EIO);
	assert_int_equal(state_of(dev), MIGLAB_RUNNING);
	expect_owner(dev, getpid());
	set_attribute(dev, "hold", "none");
}

static void an_unbind_ends_it(void **state)
{
	struct device *dev = open_in_precopy("\n");
	struct departure d;
	struct setter set;

	(void)state;
	set_attribute(dev, "hold", LEASE);
	start_held(&set, dev);
	depart_unbind(&d);
	departure_start(&d);
	assert_int_equal(setter_join(&set), -ENODEV);
	/* Whoever tries again is not held. */
	go(dev, MIGLAB_PRE_COPY_P2P);
	close_function(dev);
	departure_end(&d);
	bind_again(0);
	dev = open_function(0);
	expect_owner(dev, 0);
}

/* A SET that is held under somebody else's lease can be killed. */
static void a_held_owner_of_the_device_can_be_killed(void **state)
{
	struct error err = { "" };
	struct device *dev;
	struct lab *lab;
	pid_t pid;

	(void)state;
	if (lab_open_sysfs(function(0), &lab, &err) || write_lab("hold", LEASE))
		fail_msg("%s", err.text);
	pid = fork_child();
	if (!pid) {
		try_state(open_in_precopy("\n"), MIGLAB_PRE_COPY_P2P);
		_exit(1);
	}
	wait_held(lab);
	kill_child(pid);
	lab->ops->close(lab);
	dev = open_function(0);
	assert_int_equal(state_of(dev), MIGLAB_RUNNING);
	set_attribute(dev, "hold", "none");
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), ret = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		ret = -errno;
	if (fd >= 0)
		close(fd);
	return ret;
}

/* The kernel's own test of suspending, which ends once all processes are frozen. */
static void the_system_can_be_suspended(void **state)
{
	struct device *dev = open_in_precopy("\n");
	struct setter set;
	int ret;

	(void)state;
	if (access(PM_TEST, W_OK))
		skip();
	set_attribute(dev, "hold", LEASE);
	start_held(&set, dev);
	write_file("/sys/module/suspend/parameters/pm_test_delay", "0");
	assert_int_equal(write_file(PM_TEST, "freezer"), 0);
	ret = write_file("/sys/power/state", "freeze");
	write_file(PM_TEST, "none");
	assert_int_equal(ret, 0);
	release_by_seq(dev);
	assert_int_equal(setter_join(&set), 0);
	set_attribute(dev, "hold", "none");
}

/* At whatever moment the owner dies. */
static void owners_come_and_go(void **state)
{
	struct device *dev = open_in_precopy("\n");
	struct setter set;
	int i;

	(void)state;
	for (i = 0; i < 50; i++) {
		pid_t keeper = keeper_start(i % 2);

		setter_start(&set, dev, MIGLAB_PRE_COPY_P2P);
		if (i % 3)
			sched_yield();
		kill_child(keeper);
		assert_int_equal(setter_join(&set), 0);
		go(dev, MIGLAB_PRE_COPY);
	}
	expect_owner(dev, 0);
}

int hold_rows(void)
{
	const struct CMUnitTest rows[] = {
		row(a_lease_is_taken_changed_and_given_up),
		row(it_outlives_the_thread_that_took_it),
		row(only_its_owner_may_touch_it),
		row(it_is_released_by_number_only),
		row(a_rules_hold_is_released_by_number),
		row(its_limit_fails_the_arc),
		row(a_killed_owner_lets_go),
		row(an_owner_that_gives_up_lets_go),
		row(a_process_lives_as_long_as_a_thread_of_it),
		row(a_number_that_is_used_again_is_nobodys),
		row(a_reset_wins),
		row(an_unbind_ends_it),
		row(a_held_owner_of_the_device_can_be_killed),
		row(the_system_can_be_suspended),
		row(owners_come_and_go),
	};

	return cmocka_run_group_tests_name("hold", rows, NULL, NULL);
}
