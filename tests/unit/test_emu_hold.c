// SPDX-License-Identifier: GPL-2.0-only
/* The lease on a transition of an emulated device, and release by number. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "device/lab.h"
#include "device/ops.h"

#define LEASE	"PRE_COPY>PRE_COPY_P2P limit_us=60000000"
#define ARC	"arc=PRE_COPY>PRE_COPY_P2P"
#define HELD	"PRE_COPY>PRE_COPY_P2P seq=2 rule=lease\n"

static const struct lab_writer one = { 1, 111 }, other = { 2, 222 };

static struct device *dev;
static struct setter {
	pthread_t thread;
	uint32_t state;
	int ret;
} setter;

static char *attribute(const char *name)
{
	struct error err;
	char *text;

	if (dev->lab->ops->read(dev->lab, name, &text, &err))
		fail_msg("%s", err.text);
	return text;
}

static void expect(const char *name, const char *want)
{
	char *text = attribute(name);

	assert_string_equal(text, want);
	free(text);
}

static void set(const char *name, const char *text)
{
	struct error err;

	if (dev->lab->ops->write(dev->lab, name, text, &err))
		fail_msg("%s", err.text);
}

static int write_for(const struct lab_writer *writer, const char *text, struct error *err)
{
	return dev->lab->ops->write_for(dev->lab, writer, "hold", text, err);
}

static void take(const struct lab_writer *writer)
{
	struct error err;

	if (write_for(writer, LEASE, &err))
		fail_msg("%s", err.text);
}

static void gone(const struct lab_writer *writer)
{
	dev->lab->ops->gone(dev->lab, writer->connection);
}

/* Opens it with these rules, and enters PRE_COPY. */
static void open_dev(const char *rules)
{
	struct error err;
	char spec[256];

	snprintf(spec, sizeof(spec), "emu:rules=%s", rules);
	if (device_open(spec, &dev, &err) ||
	    dev->ops->set_state(dev, VFIO_DEVICE_STATE_PRE_COPY, &err))
		fail_msg("%s", err.text);
}

static void *setter_main(void *opaque)
{
	struct error err;

	(void)opaque;
	setter.ret = dev->ops->set_state(dev, setter.state, &err);
	return NULL;
}

static void wait_for(const char *name, const char *want)
{
	const uint64_t deadline = clock_ns() + 60 * NSEC_PER_SEC;
	bool there = false;

	while (!there) {
		char *text = attribute(name);

		there = !strcmp(text, want);
		if (!there && clock_ns() > deadline)
			fail_msg("%s is \"%s\", not \"%s\"", name, text, want);
		free(text);
		usleep(1000);
	}
}

static void start_held(uint32_t state, const char *held)
{
	setter.state = state;
	assert_int_equal(pthread_create(&setter.thread, NULL, setter_main, NULL), 0);
	wait_for("held", held);
}

static int join(void)
{
	assert_int_equal(pthread_join(setter.thread, NULL), 0);
	return setter.ret;
}

static int close_dev(void **state)
{
	(void)state;
	dev->ops->close(dev);
	return 0;
}

static int last_result(uint32_t *ret_rule)
{
	char *text = attribute("history");
	struct lab_arc *arcs;
	size_t count;
	int result;

	assert_int_equal(lab_parse_history(text, &arcs, &count, NULL), 0);
	free(text);
	result = arcs[count - 1].result;
	*ret_rule = arcs[count - 1].rule;
	free(arcs);
	return result;
}

static void test_taken_and_given_up(void **state)
{
	struct error err;

	(void)state;
	open_dev("");
	expect("hold", "none\n");
	take(&one);
	expect("hold", "PRE_COPY>PRE_COPY_P2P limit_us=60000000 pid=111\n");
	assert_int_equal(write_for(&one, "RUNNING>PRE_COPY limit_us=5", &err), 0);
	expect("hold", "RUNNING>PRE_COPY limit_us=5 pid=111\n");
	assert_int_equal(write_for(&one, "none\n", &err), 0);
	expect("hold", "none\n");
	assert_int_equal(write_for(&one, "", &err), 0);
}

static void test_only_one_at_a_time(void **state)
{
	struct error err;

	(void)state;
	open_dev("");
	take(&one);
	assert_int_equal(write_for(&other, LEASE, &err), -EBUSY);
	assert_string_equal(err.text,
			    "process 111 holds its transitions (PRE_COPY>PRE_COPY_P2P limit_us=60000000 pid=111), and only one can at a time: end that one first");
	assert_int_equal(write_for(&other, "none", &err), -EBUSY);
	assert_int_equal(dev->lab->ops->write(dev->lab, "hold", LEASE, &err), -EBUSY);
	expect("hold", "PRE_COPY>PRE_COPY_P2P limit_us=60000000 pid=111\n");
	gone(&other);
	expect("hold", "PRE_COPY>PRE_COPY_P2P limit_us=60000000 pid=111\n");
	gone(&one);
	expect("hold", "none\n");
	take(&other);
}

static void test_bad_text(void **state)
{
	struct error err;

	(void)state;
	open_dev("");
	assert_int_equal(write_for(&one, "PRE_COPY>STOP limit_us=5\n", &err), -EINVAL);
	assert_string_equal(err.text,
			    "hold: \"PRE_COPY>STOP limit_us=5\" is not FROM>TO limit_us=N with one transition and 1 to 3600000000 us, nor \"none\"");
	expect("hold", "none\n");
	assert_int_equal(dev->lab->ops->write(dev->lab, "release", "seq=x", &err), -EINVAL);
	assert_string_equal(err.text, "release: \"seq=x\" is not a number, nor seq=N");
}

/* As the process itself does, without a connection. */
static void test_of_this_process(void **state)
{
	char want[80];

	(void)state;
	open_dev("");
	set("hold", LEASE);
	snprintf(want, sizeof(want), "PRE_COPY>PRE_COPY_P2P limit_us=60000000 pid=%d\n", getpid());
	expect("hold", want);
	gone(&one);
	expect("hold", want);
	set("hold", "none");
	expect("hold", "none\n");
}

static void test_released_by_number(void **state)
{
	struct error err;
	uint32_t rule;

	(void)state;
	open_dev(ARC " hold");
	take(&one);
	assert_int_equal(dev->lab->ops->write(dev->lab, "release", "seq=2", &err), -ESRCH);
	assert_string_equal(err.text, "release: transition 2 is not held");
	start_held(VFIO_DEVICE_STATE_PRE_COPY_P2P, HELD);
	assert_int_equal(dev->lab->ops->write(dev->lab, "release", "seq=1", &err), -ESRCH);
	expect("held", HELD);
	/* The rule would hold it too: it is released from both, and no permit is used or left. */
	set("release", "seq=2\n");
	assert_int_equal(join(), 0);
	expect("release", "0\n");
	expect("held", "none\n");
	assert_int_equal(last_result(&rule), 0);
	assert_int_equal(rule, 1);
	assert_int_equal(dev->lab->ops->write(dev->lab, "release", "seq=2", &err), -ESRCH);
	expect("hold", "PRE_COPY>PRE_COPY_P2P limit_us=60000000 pid=111\n");
}

/* A release is for one arc: the next one is held again, by the lease and by the rule. */
static void test_the_next_one_is_held_again(void **state)
{
	(void)state;
	open_dev(ARC " hold");
	take(&one);
	start_held(VFIO_DEVICE_STATE_PRE_COPY_P2P, HELD);
	set("release", "seq=2");
	assert_int_equal(join(), 0);
	start_held(VFIO_DEVICE_STATE_PRE_COPY, "none\n");
	assert_int_equal(join(), 0);
	start_held(VFIO_DEVICE_STATE_PRE_COPY_P2P, "PRE_COPY>PRE_COPY_P2P seq=4 rule=lease\n");
	gone(&one);
	wait_for("held", "PRE_COPY>PRE_COPY_P2P seq=4 rule=1\n");
	set("release", "seq=4");
	assert_int_equal(join(), 0);
}

static void test_a_rules_hold_is_released_by_number(void **state)
{
	(void)state;
	open_dev(ARC " hold");
	start_held(VFIO_DEVICE_STATE_PRE_COPY_P2P, "PRE_COPY>PRE_COPY_P2P seq=2 rule=1\n");
	set("release", "seq=2");
	assert_int_equal(join(), 0);
	expect("release", "0\n");
}

/* Neither one that was there before, nor one that comes while it is held. */
static void test_no_permit_lets_it_go(void **state)
{
	(void)state;
	open_dev("");
	set("release", "1");
	take(&one);
	start_held(VFIO_DEVICE_STATE_PRE_COPY_P2P, HELD);
	set("release", "1");
	expect("held", HELD);
	expect("release", "2\n");
	expect("state", "PRE_COPY\n");
	set("release", "seq=2");
	assert_int_equal(join(), 0);
	expect("release", "2\n");
}

/* What the lease ends with does not matter: the arc goes on as without it, rules and all. */
static void go_on_when(void (*end)(void))
{
	open_dev(ARC " errno=EIO times=1");
	take(&one);
	start_held(VFIO_DEVICE_STATE_PRE_COPY_P2P, HELD);
	end();
	assert_int_equal(join(), -EIO);
	expect("hold", "none\n");
}

static void owner_goes(void)
{
	gone(&one);
}

static void owner_gives_up(void)
{
	struct error err;

	assert_int_equal(write_for(&one, "none", &err), 0);
}

static void another_takes_it_at_once(void)
{
	struct error err;

	gone(&one);
	take(&other);
	assert_int_equal(write_for(&other, "none", &err), 0);
}

static void test_owner_goes(void **state)
{
	(void)state;
	go_on_when(owner_goes);
}

static void test_owner_gives_up(void **state)
{
	(void)state;
	go_on_when(owner_gives_up);
}

static void test_another_takes_it_at_once(void **state)
{
	(void)state;
	go_on_when(another_takes_it_at_once);
}

/* The rules neither count an arc that the lease's limit fails, nor delay it. */
static void test_limit(void **state)
{
	struct error err;
	uint32_t rule;
	char *stats;

	(void)state;
	open_dev(ARC " errno=EIO nth=1");
	assert_int_equal(write_for(&one, "PRE_COPY>PRE_COPY_P2P limit_us=2000", &err), 0);
	assert_int_equal(dev->ops->set_state(dev, VFIO_DEVICE_STATE_PRE_COPY_P2P, &err),
			 -ETIMEDOUT);
	assert_int_equal(last_result(&rule), -ETIMEDOUT);
	assert_int_equal(rule, 0);
	expect("state", "PRE_COPY\n");
	stats = attribute("stats");
	assert_non_null(strstr(stats, "rules_acted 0\n"));
	assert_non_null(strstr(stats, "holds 1\n"));
	free(stats);
	gone(&one);
	assert_int_equal(dev->ops->set_state(dev, VFIO_DEVICE_STATE_PRE_COPY_P2P, &err), -EIO);
}

static void test_other_arcs_pass(void **state)
{
	struct error err;

	(void)state;
	open_dev("");
	take(&one);
	assert_int_equal(dev->ops->set_state(dev, VFIO_DEVICE_STATE_RUNNING_P2P, &err), 0);
	assert_int_equal(dev->ops->set_state(dev, VFIO_DEVICE_STATE_PRE_COPY_P2P, &err), 0);
	assert_int_equal(dev->ops->set_state(dev, VFIO_DEVICE_STATE_PRE_COPY, &err), 0);
}

static void test_reset_wins(void **state)
{
	struct error err;

	(void)state;
	open_dev("");
	take(&one);
	start_held(VFIO_DEVICE_STATE_PRE_COPY_P2P, HELD);
	assert_int_equal(dev->ops->reset(dev, &err), 0);
	assert_int_equal(join(), -EIO);
	expect("hold", "PRE_COPY>PRE_COPY_P2P limit_us=60000000 pid=111\n");
}

#define test(function) cmocka_unit_test_teardown(function, close_dev)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_taken_and_given_up),
		test(test_only_one_at_a_time),
		test(test_bad_text),
		test(test_of_this_process),
		test(test_released_by_number),
		test(test_the_next_one_is_held_again),
		test(test_a_rules_hold_is_released_by_number),
		test(test_no_permit_lets_it_go),
		test(test_owner_goes),
		test(test_owner_gives_up),
		test(test_another_takes_it_at_once),
		test(test_limit),
		test(test_other_arcs_pass),
		test(test_reset_wins),
	};

	return cmocka_run_group_tests_name("emu-hold", tests, NULL, NULL);
}
