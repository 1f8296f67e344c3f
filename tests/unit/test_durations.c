// SPDX-License-Identifier: GPL-2.0-only
/* What a switchover will take, from what the changes of state took. */
#include "unit.h"

#include <errno.h>

#include "vmm/durations.h"

#define FULL	(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY)
#define NO_PRE_COPY (VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P)

static void measure(struct durations *d, unsigned int device, uint32_t to, uint64_t ns, int error)
{
	const struct work_result r = {
		.op = WORK_SET, .error = error, .state = to, .enter_ns = 1000,
		.return_ns = 1000 + ns,
	};

	durations_begin(d, device, to, 1000);
	durations_end(d, device, &r);
}

static uint64_t expected(const struct durations *d, const char *policy, uint32_t flags,
			 uint64_t now_ns)
{
	const uint32_t all[] = { flags, flags };
	struct coordinator c;

	coordinator_init(&c, policy_find(policy), false, false, all, 2);
	return durations_switchover_ns(d, &c, now_ns);
}

static void test_serial_and_together(void **state)
{
	struct durations d = { 0 };

	(void)state;
	assert_int_equal(expected(&d, "qemu", FULL, 0), 0);
	measure(&d, 0, VFIO_DEVICE_STATE_PRE_COPY_P2P, 300, 0);
	measure(&d, 1, VFIO_DEVICE_STATE_PRE_COPY_P2P, 200, 0);
	measure(&d, 0, VFIO_DEVICE_STATE_STOP_COPY, 10, 0);
	measure(&d, 1, VFIO_DEVICE_STATE_STOP_COPY, 20, 0);
	/* Not on the way of a switchover. */
	measure(&d, 0, VFIO_DEVICE_STATE_PRE_COPY, 5000, 0);
	measure(&d, 0, VFIO_DEVICE_STATE_RUNNING, 5000, 0);
	assert_int_equal(expected(&d, "qemu", FULL, 0), 530);
	assert_int_equal(expected(&d, "group", FULL, 0), 320);
	/* RUNNING_P2P, STOP, STOP_COPY. */
	measure(&d, 1, VFIO_DEVICE_STATE_RUNNING_P2P, 40, 0);
	measure(&d, 1, VFIO_DEVICE_STATE_STOP, 2, 0);
	assert_int_equal(expected(&d, "qemu", NO_PRE_COPY, 0), 40 + 2 + 30);
	assert_int_equal(expected(&d, "group", NO_PRE_COPY, 0), 40 + 2 + 20);
}

static void test_failure_and_the_one_under_way(void **state)
{
	struct durations d = { 0 };

	(void)state;
	measure(&d, 0, VFIO_DEVICE_STATE_PRE_COPY_P2P, 300, 0);
	measure(&d, 0, VFIO_DEVICE_STATE_PRE_COPY_P2P, 7, -EIO);
	assert_int_equal(expected(&d, "group", FULL, 0), 300);
	durations_begin(&d, 0, VFIO_DEVICE_STATE_PRE_COPY_P2P, 5000);
	assert_int_equal(expected(&d, "group", FULL, 5100), 300);
	assert_int_equal(expected(&d, "group", FULL, 5900), 900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_serial_and_together),
		cmocka_unit_test(test_failure_and_the_one_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
