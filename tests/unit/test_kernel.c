// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which kernels are known to refuse the blocked arc, by their release.
 */
#include "unit.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_not_known),
		cmocka_unit_test(test_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
