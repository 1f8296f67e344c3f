// SPDX-License-Identifier: GPL-2.0-only
/* What a migration has sent and has still to send, and how long the rest will take. */
#include "unit.h"

#include "base/clock.h"
#include "vmm/progress.h"

static void passed(struct progress *p, unsigned int device, uint64_t initial, uint64_t dirty,
		   uint64_t size)
{
	struct work_result r = {
		.op = WORK_PASS, .size = size, .bytes = 1000, .busy_ns = NSEC_PER_SEC,
		.info = { .initial_bytes = initial, .dirty_bytes = dirty },
	};

	progress_add(p, device, &r);
}

static void test_amounts(void **state)
{
	struct progress p = { 0 };

	(void)state;
	passed(&p, 0, 10, 20, 500);
	passed(&p, 1, 100, 200, 5);
	assert_int_equal(progress_transferred(&p), 2000);
	/* By the guess of the one, by the precopy info of the other. */
	assert_int_equal(progress_remaining(&p), 500 + 300);
	/* A pass that failed says nothing about what is left. */
	progress_add(&p, 0, &(struct work_result){ .op = WORK_PASS, .error = -5, .bytes = 1 });
	assert_int_equal(progress_remaining(&p), 500 + 300);
	assert_int_equal(progress_transferred(&p), 2001);
	/* What is asked for behind the last pass counts, too. */
	progress_add(&p, 0, &(struct work_result){ .op = WORK_INFO, .info.initial_bytes = 900 });
	assert_int_equal(progress_remaining(&p), 900 + 300);
	progress_add(&p, 0, &(struct work_result){ .op = WORK_SAVE });
	assert_int_equal(progress_remaining(&p), 300);
	progress_add(&p, 1, &(struct work_result){ .op = WORK_SET, .size = 7 });
	assert_int_equal(progress_remaining(&p), 300);
}

static void test_downtime(void **state)
{
	struct progress p = { 0 };

	(void)state;
	assert_int_equal(progress_downtime_ms(&p, 300, 0), 300);
	passed(&p, 0, 0, 500, 0);
	assert_int_equal(progress_downtime_ms(&p, 300, 0), 500);
	passed(&p, 1, 0, 500, 0);
	assert_int_equal(progress_downtime_ms(&p, 300, 0), 500);
	assert_int_equal(progress_downtime_ms(&p, 300, 100), 10000);
}

static void test_garbage(void **state)
{
	struct progress p = { 0 };

	(void)state;
	passed(&p, 0, UINT64_MAX, UINT64_MAX, 3);
	passed(&p, 1, 1, 1, UINT64_MAX);
	assert_int_equal(progress_remaining(&p), INT64_MAX);
	assert_int_equal(progress_downtime_ms(&p, 300, 1), INT64_MAX);
}

static void test_converged(void **state)
{
	static const struct {
		uint64_t initial, dirty, downtime_ms, bandwidth;
		bool converged;
	} rows[] = {
		{ 1, 0, 1000, 1000, false },
		{ 0, 1000, 1000, 1000, true },
		{ 0, 1001, 1000, 1000, false },
		{ 0, 0, 0, 1000, true },
		{ 0, UINT64_MAX, 2000000, 1000, false },
		/* What only STOP_COPY can send does not count. */
		{ 0, 500, 500, 0, true },
		{ 0, 501, 500, 0, false },
	};
	struct coordinator c = { .count = 1, .device[0].state = VFIO_DEVICE_STATE_PRE_COPY };
	struct progress p = { 0 };

	(void)state;
	assert_false(progress_converged(&p, &c, 300, 1000));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		p = (struct progress){ 0 };
		passed(&p, 0, rows[i].initial, rows[i].dirty, 1 << 30);
		if (progress_converged(&p, &c, rows[i].downtime_ms, rows[i].bandwidth) !=
		    rows[i].converged)
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_amounts),
		cmocka_unit_test(test_downtime),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_converged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
