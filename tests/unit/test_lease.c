// SPDX-License-Identifier: GPL-2.0-only
#include "unit.h"

#include "core/fsm.h"
#include "core/lease.h"
#include "core/rules.h"

#define TESTED	"PRE_COPY>PRE_COPY_P2P"

static const struct row {
	const char *text;
	int ret;
	u32 from, to;
	u64 limit_us;
} texts[] = {
	{ TESTED " limit_us=5000000", 0, MIGLAB_PRE_COPY, MIGLAB_PRE_COPY_P2P, 5000000 },
	{ TESTED " limit_us=5000000\n", 0, MIGLAB_PRE_COPY, MIGLAB_PRE_COPY_P2P, 5000000 },
	{ "RUNNING>STOP limit_us=1", 0, MIGLAB_RUNNING, MIGLAB_STOP, 1 },
	{ TESTED " limit_us=3600000000", 0, MIGLAB_PRE_COPY, MIGLAB_PRE_COPY_P2P, 3600000000 },
	{ "", 0, 0, 0, 0 },
	{ "\n", 0, 0, 0, 0 },
	{ "none", 0, 0, 0, 0 },
	{ "none\n", 0, 0, 0, 0 },
	{ "None", -EINVAL, 0, 0, 0 },
	{ "none of it", -EINVAL, 0, 0, 0 },
	{ " none", -EINVAL, 0, 0, 0 },
	{ TESTED, -EINVAL, 0, 0, 0 },
	{ TESTED " ", -EINVAL, 0, 0, 0 },
	{ TESTED " limit_us=", -EINVAL, 0, 0, 0 },
	{ TESTED " limit_us=0", -EINVAL, 0, 0, 0 },
	{ TESTED " limit_us=3600000001", -EINVAL, 0, 0, 0 },
	{ TESTED " limit_us=99999999999999999999999", -EINVAL, 0, 0, 0 },
	{ TESTED " limit_us=5s", -EINVAL, 0, 0, 0 },
	{ TESTED " limit_us=-5", -EINVAL, 0, 0, 0 },
	{ TESTED " limit_us=5 pid=1", -EINVAL, 0, 0, 0 },
	{ TESTED "  limit_us=5", -EINVAL, 0, 0, 0 },
	{ TESTED " hold limit_us=5", -EINVAL, 0, 0, 0 },
	{ "limit_us=5 " TESTED, -EINVAL, 0, 0, 0 },
	{ "arc=" TESTED " limit_us=5", -EINVAL, 0, 0, 0 },
	{ "RUNNING>STOP_COPY limit_us=5", -EINVAL, 0, 0, 0 },
	{ "PRE_COPY limit_us=5", -EINVAL, 0, 0, 0 },
	{ "PRE_COPY>nowhere limit_us=5", -EINVAL, 0, 0, 0 },
	{ "PRE_COPY>PRE_COPY limit_us=5", -EINVAL, 0, 0, 0 },
};

static void test_parse(void **unused)
{
	const struct miglab_lease untouched = { 1, 2, 3, 4, 5, 6 };
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct row *row = &texts[i];
		size_t len = strlen(row->text);
		char *bytes = malloc(len + 1);	/* so that a read beyond the end is seen */
		struct miglab_lease lease = untouched;

		assert_non_null(bytes);
		bytes = realloc(bytes, len ? len : 1);
		memcpy(bytes, row->text, len);
		if (miglab_lease_parse(bytes, len, &lease) != row->ret)
			fail_msg("\"%s\"", row->text);
		free(bytes);
		if (row->ret) {
			assert_memory_equal(&lease, &untouched, sizeof(lease));
			continue;
		}
		assert_int_equal(lease.owner, 0);
		assert_int_equal(lease.from, row->from);
		assert_int_equal(lease.to, row->to);
		assert_int_equal(lease.limit_us, row->limit_us);
	}
}

static const struct miglab_lease none;

static struct miglab_lease wanted(const char *text)
{
	struct miglab_lease lease;

	assert_int_equal(miglab_lease_parse(text, strlen(text), &lease), 0);
	return lease;
}

static void test_one_owner(void **unused)
{
	const struct miglab_lease tested = wanted(TESTED " limit_us=5");
	const struct miglab_lease other = wanted("RUNNING>PRE_COPY limit_us=6");
	struct miglab_lease lease = { 0 }, before;

	(void)unused;
	assert_int_equal(miglab_lease_write(&lease, &tested, 7, 700), 0);
	assert_int_equal(lease.owner, 7);
	assert_int_equal(lease.pid, 700);
	assert_int_equal(lease.limit_us, 5);

	/* Nobody else takes it, changes it or gives it up. */
	before = lease;
	assert_int_equal(miglab_lease_write(&lease, &tested, 8, 800), -EBUSY);
	assert_int_equal(miglab_lease_write(&lease, &other, 8, 800), -EBUSY);
	assert_int_equal(miglab_lease_write(&lease, &none, 8, 800), -EBUSY);
	assert_memory_equal(&lease, &before, sizeof(lease));

	/* Its owner changes it, and what is held under it stays so. */
	assert_int_equal(miglab_lease_write(&lease, &other, 7, 700), 0);
	assert_int_equal(lease.from, MIGLAB_RUNNING);
	assert_int_equal(lease.to, MIGLAB_PRE_COPY);
	assert_int_equal(lease.limit_us, 6);
	assert_int_equal(lease.ended, 0);

	/* And gives it up, for the next one. */
	assert_int_equal(miglab_lease_write(&lease, &none, 7, 700), 0);
	assert_int_equal(lease.owner, 0);
	assert_int_equal(lease.ended, 1);
	assert_int_equal(miglab_lease_write(&lease, &tested, 8, 800), 0);
	assert_int_equal(lease.owner, 8);
	assert_int_equal(lease.ended, 1);
}

/* What is held under a lease sees that it ended, if another one was taken meanwhile too. */
static void test_end(void **unused)
{
	const struct miglab_lease tested = wanted(TESTED " limit_us=5");
	struct miglab_lease lease = { 0 };

	(void)unused;
	miglab_lease_end(&lease);
	assert_int_equal(lease.ended, 0);
	assert_int_equal(miglab_lease_write(&lease, &none, 7, 700), 0);
	assert_int_equal(lease.ended, 0);
	assert_int_equal(miglab_lease_write(&lease, &tested, 7, 700), 0);
	miglab_lease_end(&lease);
	assert_int_equal(lease.ended, 1);
	assert_int_equal(lease.owner, 0);
}

static void test_holds_its_arc_only(void **unused)
{
	const struct miglab_lease tested = wanted(TESTED " limit_us=5");
	struct miglab_lease lease = { 0 };

	(void)unused;
	/* RUNNING > RUNNING has the values of a lease that was never taken. */
	assert_false(miglab_lease_holds(&lease, 0, 0));
	miglab_lease_write(&lease, &tested, 7, 700);
	assert_true(miglab_lease_holds(&lease, MIGLAB_PRE_COPY, MIGLAB_PRE_COPY_P2P));
	assert_false(miglab_lease_holds(&lease, MIGLAB_PRE_COPY_P2P, MIGLAB_PRE_COPY));
	assert_false(miglab_lease_holds(&lease, MIGLAB_PRE_COPY, MIGLAB_RUNNING));
	assert_false(miglab_lease_holds(&lease, MIGLAB_RUNNING_P2P, MIGLAB_PRE_COPY_P2P));
	miglab_lease_end(&lease);
	assert_false(miglab_lease_holds(&lease, MIGLAB_PRE_COPY, MIGLAB_PRE_COPY_P2P));
}

static void test_release(void **unused)
{
	static const struct {
		const char *text;
		int ret;
		bool by_seq;
		u64 number;
	} rows[] = {
		{ "1", 0, false, 1 },
		{ "1\n", 0, false, 1 },
		{ "0", 0, false, 0 },
		{ "seq=1", 0, true, 1 },
		{ "seq=18446744073709551615\n", 0, true, U64_MAX },
		{ "seq=18446744073709551616", -EINVAL, true, 99 },
		{ "seq=", -EINVAL, true, 99 },
		{ "seq", -EINVAL, true, 99 },
		{ "", -EINVAL, true, 99 },
		{ "\n", -EINVAL, true, 99 },
		{ "-1", -EINVAL, true, 99 },
		{ "seq=-1", -EINVAL, true, 99 },
		{ "seq=1 2", -EINVAL, true, 99 },
		{ "all", -EINVAL, true, 99 },
	};
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct miglab_release release = { true, 99 };

		if (miglab_release_parse(rows[i].text, strlen(rows[i].text), &release) !=
		    rows[i].ret)
			fail_msg("\"%s\"", rows[i].text);
		assert_int_equal(release.by_seq, rows[i].by_seq);
		assert_int_equal(release.number, rows[i].number);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_one_owner),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_holds_its_arc_only),
		cmocka_unit_test(test_release),
	};

	return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
