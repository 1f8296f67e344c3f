// SPDX-License-Identifier: GPL-2.0-only
/* vmm/deadlines: each of the arc that is under way, and none of one that is over. */
#include "unit.h"

#include "base/clock.h"
#include "vmm/deadlines.h"

static struct loop *loop;
static struct deadlines deadlines;
static char late[256];

static void on_late(void *opaque, unsigned int device, uint32_t from, uint32_t to,
		    uint64_t elapsed_ns)
{
	(void)opaque;
	assert_true(elapsed_ns > 0);
	snprintf(late + strlen(late), sizeof(late) - strlen(late), "vf%u %u>%u ", device, from, to);
}

static void stop(void *opaque)
{
	loop_stop(opaque, 0);
}

/* Behind all deadlines that were set before: timers fire in the order of their time. */
static void expect(const char *want)
{
	assert_non_null(loop_at(loop, clock_ns() + 2 * NSEC_PER_MSEC, stop, loop));
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(late, want);
	*late = '\0';
}

static void test_deadlines(void **state)
{
	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	deadlines_init(&deadlines, loop, on_late, NULL);
	deadlines_begin(&deadlines, 3, 1, 2, 1);
	expect("vf3 1>2 ");
	/* Once. */
	expect("");
	/* The next arc of the device has its own, or none. */
	deadlines_begin(&deadlines, 0, 1, 2, 1);
	deadlines_begin(&deadlines, 0, 2, 6, 1);
	expect("vf0 2>6 ");
	deadlines_begin(&deadlines, 0, 1, 2, 1);
	deadlines_begin(&deadlines, 0, 2, 6, 0);
	expect("");
	/* An answer calls off the device's own. */
	deadlines_begin(&deadlines, 0, 1, 2, 1);
	deadlines_begin(&deadlines, 1, 2, 3, 1);
	deadlines_end(&deadlines, 0);
	expect("vf1 2>3 ");
	deadlines_begin(&deadlines, 0, 1, 2, 1);
	deadlines_begin(&deadlines, VMM_DEVICES_MAX - 1, 2, 3, 1);
	deadlines_clear(&deadlines);
	expect("");
	loop_free(loop);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadlines),
	};

	return cmocka_run_group_tests_name("deadlines", tests, NULL, NULL);
}
