// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which kernels are known to refuse the blocked arc, by their release.
 */
#include "unit.h"

#include "conform/suite.h"
#include "device/kernel.h"

static void test_fixed(void **arg)
{
	static const char *const releases[] = {
		"7.2.0", "7.2", "7.2-rc1", "7.2.0-rc1", "7.2.0-5-generic", "7.3.4+deb13-amd64",
		"7.10.1", "8.0.0", "10.1.2", "7.1.4", "7.1.12-200.fc44.x86_64", "7.1.10",
		"6.18.39", "6.18.100-1-lts", "6.12.96", "6.12.117+deb12-cloud-amd64",
		"6.12.96-rc2", "6.12.100",
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(releases) / sizeof(releases[0]); i++)
		if (!kernel_refuses_blocked_arc(releases[i]))
			fail_msg("%s has the fix", releases[i]);
}

static void test_not_known(void **arg)
{
	static const char *const releases[] = {
		/* Without it. */
		"7.1.3", "7.1.0", "7.1.0-rc7", "7.1.0-next-20260615", "6.18.38", "6.18.4",
		"6.12.95+deb12-cloud-amd64", "6.12.43+deb13-amd64", "6.12.9-amd64", "6.12.0",
		/* Of no series that is known to have it, whatever its distribution did. */
		"7.0.19", "7.0.96", "6.19.39", "6.6.145", "6.6.200", "6.2.0", "6.8.0-124-generic",
		"5.14.0-687.el9.x86_64", "6.11.96", "6.17.39", "6.1.0-48-amd64", "4.2.0",
		/* None. */
		"", "7", "7.", "7.x", "6.12.", "6.12.x", "x7.2", "-7.2", " 7.2", "unknown",
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(releases) / sizeof(releases[0]); i++)
		if (kernel_refuses_blocked_arc(releases[i]))
			fail_msg("\"%s\" is not known to have the fix", releases[i]);
}

static void test_sentence(void **arg)
{
	struct error err = { "" };

	(void)arg;
	setenv("MIGLAB_RELEASE", "6.12.95+deb12-amd64", 1);
	assert_false(kernel_is_safe(&err));
	assert_string_equal(err.text, "the kernel 6.12.95+deb12-amd64 is not known to have "
			    "a26b499b757c (Linux 7.2, 7.1.4, 6.18.39, 6.12.96), without which a "
			    "driver other than miglab_vfio_pci hangs the host when PRE_COPY is "
			    "wanted in STOP_COPY");
	assert_false(kernel_is_safe(NULL));
	err.text[0] = '\0';
	setenv("MIGLAB_RELEASE", "7.3.4", 1);
	assert_true(kernel_is_safe(&err));
	assert_string_equal(err.text, "");
	unsetenv("MIGLAB_RELEASE");
}

/* Whom it matters to: others' drivers that offer PRE_COPY, on such a kernel, not asked for. */
static void test_who_may_take_the_blocked_arc(void **arg)
{
	struct lab *lab = (struct lab *)8;	/* is not looked into */
	const struct {
		const char *release;
		uint32_t flags;
		struct lab *lab;
		bool destructive, may;
	} rows[] = {
		{ "6.12.95", 7, NULL, false, false },
		{ "6.12.95", VFIO_MIGRATION_PRE_COPY, NULL, false, false },
		{ "6.12.96", 7, NULL, false, true },
		{ "6.12.95", 3, NULL, false, true },
		{ "6.12.95", 7, lab, false, true },
		{ "6.12.95", 7, NULL, true, true },
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conform_options options = { .destructive = rows[i].destructive };
		struct device dev = { .flags = rows[i].flags, .lab = rows[i].lab };
		struct error err = { "" };

		setenv("MIGLAB_RELEASE", rows[i].release, 1);
		assert_int_equal(conform_may_block(&dev, &options, &err), rows[i].may);
		assert_int_equal(*err.text == '\0', rows[i].may);
		if (!rows[i].may)
			assert_non_null(strstr(err.text, "hangs the host when PRE_COPY is wanted "
					       "in STOP_COPY; see --destructive"));
	}
	unsetenv("MIGLAB_RELEASE");
}

/* All cases that ask for PRE_COPY in STOP_COPY say so. */
static void test_cases_that_take_it(void **arg)
{
	char ids[64] = "";

	(void)arg;
	for (const struct conform_subject *u = conform_subjects; u->name; u++)
		for (const struct conform_case *k = u->cases; k->id; k++)
			if (k->needs & BLOCKED_ARC)
				snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%u ",
					 k->id);
	assert_string_equal(ids, "18 21 84 85 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_not_known),
		cmocka_unit_test(test_sentence),
		cmocka_unit_test(test_who_may_take_the_blocked_arc),
		cmocka_unit_test(test_cases_that_take_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
