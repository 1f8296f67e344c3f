// SPDX-License-Identifier: GPL-2.0-only
/*
 * What device_open() says about functions that it cannot open, as far as sysfs
 * alone decides. What the kernel says is for the tests in the VM.
 */
#include "unit.h"

#include <errno.h>

#include "device/ops.h"
#include "tree.h"

static void assert_open_fails(const char *spec, int code, const char *sentence)
{
	struct device *dev = NULL;
	struct error err;

	assert_int_equal(device_open(spec, &dev, &err), code);
	assert_string_equal(err.text, sentence);
	assert_null(dev);
}

static void test_malformed(void **arg)
{
	(void)arg;
	assert_open_fails("vfio:", -EINVAL, "\"\" is not the address of a PCI function; write it "
			  "like 0000:01:00.0 or 01:00.0");
	assert_open_fails("vfio:01:00", -EINVAL, "\"01:00\" is not the address of a PCI function; "
			  "write it like 0000:01:00.0 or 01:00.0");
	assert_open_fails("vfio:01:00.0,via=door", -EINVAL, "vfio: \"via=door\" is unknown; write "
			  "via=group or via=cdev");
	assert_open_fails("01:00", -EINVAL, "\"01:00\" is no device; write vfio:BDF, "
			  "emu[:key=value,..] or discard");
}

static void test_absent(void **arg)
{
	(void)arg;
	assert_open_fails("01:00.0", -ENODEV, "there is no PCI function 0000:01:00.0; `miglab "
			  "list` shows those that are");
	assert_open_fails("01:00.0,via=group", -ENODEV, "there is no PCI function 0000:01:00.0; "
			  "`miglab list` shows those that are");
	assert_open_fails("vfio:01:00.0", -ENODEV, "there is no PCI function 0000:01:00.0; `miglab "
			  "list` shows those that are");
}

static void test_no_iommu_group(void **arg)
{
	(void)arg;
	tree_function("0000:01:00.0", "0x020000\n", NULL, "e1000e");
	assert_open_fails("vfio:01:00.0", -ENXIO, "0000:01:00.0 has no IOMMU group; switch the "
			  "IOMMU on in the firmware and boot with intel_iommu=on or amd_iommu=on");
}

static void test_bound_elsewhere(void **arg)
{
	(void)arg;
	tree_function("0000:01:00.0", "0x020000\n", "3", "e1000e");
	assert_open_fails("vfio:0000:01:00.0", -ENXIO, "0000:01:00.0: its driver is e1000e, which "
			  "is none of VFIO's; run: miglab bind 0000:01:00.0");
	tree_function("0000:02:00.0", "0x020000\n", "4", NULL);
	assert_open_fails("vfio:02:00.0", -ENXIO, "0000:02:00.0: it has no driver; run: miglab "
			  "bind 0000:02:00.0");
	assert_open_fails("vfio:02:00.0,via=cdev", -ENXIO, "0000:02:00.0: it has no driver; run: "
			  "miglab bind 0000:02:00.0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tree_test(test_malformed),
		tree_test(test_absent),
		tree_test(test_no_iommu_group),
		tree_test(test_bound_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
