// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions that are software, and mediated devices in general, on a made-up sysfs: what is
 * written where, and what is said of what cannot be. What the kernel makes of it is for the tests
 * in the VM.
 */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>

#include "device/create.h"
#include "device/lab.h"
#include "device/list.h"
#include "device/pci.h"
#include "tree.h"

#define UUID	"6d69676c-6162-4000-8000-00000000000a"
#define DEVICE	"bus/mdev/devices/" UUID
#define TYPES	"class/mdev_bus/miglab_mdev/mdev_supported_types"

static void add_types(void)
{
	static const char *const types[] = { "synthetic-full", "synthetic-no-p2p", "mem-full" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		tree_file("", TYPES "/miglab_mdev-%s/create", types[i]);
}

/* A mediated device of @driver, NULL: without one. */
static void add_device(const char *driver)
{
	char target[64];

	tree_file("", DEVICE "/remove");
	tree_link("../../../kernel/iommu_groups/12", DEVICE "/iommu_group");
	if (!driver)
		return;
	snprintf(target, sizeof(target), "../../drivers/%s", driver);
	tree_link(target, DEVICE "/driver");
}

static void assert_create_fails(const char *model, const char *profile, const char *uuid, int code,
				const char *sentence)
{
	char name[SYSFS_NAME_SIZE] = "untouched";
	struct error err;

	assert_int_equal(create_function(model, profile, uuid, name, &err), code);
	assert_string_equal(err.text, sentence);
	assert_string_equal(name, "untouched");
}

static void test_names(void **arg)
{
	static const char *const good[] = { UUID, "vfio:" UUID, "mdev=" UUID, "vfio:mdev=" UUID,
					    "6D69676C-6162-4000-8000-00000000000A" };
	static const char *const bad[] = { "6d69676c-6162-4000-8000-00000000000",
					   "6d69676c-6162-4000-8000-00000000000ab",
					   "6d69676c-6162-4000-8000-00000000000g",
					   "6d69676c+6162-4000-8000-00000000000a",
					   "../../../../../x/y/z/w/v/u/t/s/r/q/p",
					   "6d69676c-/62-4000-8000-00000000000a/", "mdev=01:00.0",
					   "mdev=", "mdev=vfio:" UUID };
	char name[SYSFS_NAME_SIZE];
	struct error err;

	(void)arg;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(pci_or_mdev_parse(good[i], name, &err), 0);
		assert_string_equal(name, UUID);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(pci_or_mdev_parse(bad[i], name, &err), -EINVAL);
	assert_string_equal(err.text, "\"vfio:" UUID "\" is not the UUID of a mediated device; "
			    "`miglab list` shows those that are");
	assert_int_equal(pci_or_mdev_parse("vfio:01:00.0", name, &err), 0);
	assert_string_equal(name, "0000:01:00.0");
	assert_int_equal(pci_or_mdev_find(UUID, name, &err), -ENODEV);
	assert_string_equal(err.text, "there is no mediated device " UUID "; `miglab list` shows "
			    "those that are, and `miglab create` makes one");
}

static void test_create(void **arg)
{
	char uuid[SYSFS_NAME_SIZE], again[SYSFS_NAME_SIZE];
	struct error err;

	(void)arg;
	add_types();
	assert_int_equal(create_function("synthetic", "no-p2p", UUID, uuid, &err), 0);
	assert_string_equal(uuid, UUID);
	assert_tree_file(UUID, TYPES "/miglab_mdev-synthetic-no-p2p/create");
	assert_tree_file("", TYPES "/miglab_mdev-synthetic-full/create");

	assert_int_equal(create_function("mem", "full", NULL, uuid, &err), 0);
	assert_true(pci_is_mdev(uuid));
	assert_int_equal(create_function("mem", "full", NULL, again, &err), 0);
	assert_string_not_equal(uuid, again);
}

static void test_what_cannot_be_created(void **arg)
{
	(void)arg;
	setenv("PATH", "/nonexistent", 1);
	assert_create_fails("synthetic", "full", NULL, -ENOENT,
			    "cannot run modprobe: No such file or directory");
	add_types();
	assert_create_fails("nope", "full", NULL, -EINVAL,
			    "there is no model \"nope\"; there are mem, synthetic");
	assert_create_fails("synth", "full", NULL, -EINVAL,
			    "there is no model \"synth\"; there are mem, synthetic");
	assert_create_fails("synthetic", "", NULL, -EINVAL,
			    "there is no profile \"\" of synthetic; there are full, no-p2p");
	assert_create_fails("synthetic", "stop-copy", NULL, -EINVAL,
			    "there is no profile \"stop-copy\" of synthetic; there are full, no-p2p");
	assert_create_fails("synthetic-full/../miglab_mdev-synthetic", "full", NULL, -EINVAL,
			    "there is no model \"synthetic-full/../miglab_mdev-synthetic\"; "
			    "there are mem, synthetic");
	assert_create_fails("synthetic", "full", "01:00.0", -EINVAL, "\"01:00.0\" is not a UUID; "
			    "write it like 6d69676c-6162-4000-8000-000000000001");
	assert_tree_file("", TYPES "/miglab_mdev-synthetic-full/create");
}

static void test_remove(void **arg)
{
	struct error err;

	(void)arg;
	assert_int_equal(remove_function(UUID, &err), -ENODEV);
	assert_int_equal(remove_function("01:00.0", &err), -EINVAL);
	add_device("mtty");
	assert_int_equal(remove_function(UUID, &err), -EINVAL);
	assert_string_equal(err.text, UUID " is not made by miglab_mdev, its driver is mtty");
	assert_tree_file("", DEVICE "/remove");
	add_device("miglab_mdev");
	assert_int_equal(remove_function("vfio:mdev=" UUID, &err), 0);
	assert_tree_file("1", DEVICE "/remove");
}

static void test_lab(void **arg)
{
	struct error err;
	struct lab *lab;
	char *text;

	(void)arg;
	add_device("mtty");
	assert_int_equal(lab_open_sysfs(UUID, &lab, &err), -ENXIO);
	assert_string_equal(err.text, UUID " is not made by miglab_mdev, its driver is mtty; "
			    "`miglab create` makes one");
	add_device("miglab_mdev");
	tree_file("old\n", DEVICE "/miglab/rules");
	assert_int_equal(lab_open_sysfs("vfio:" UUID, &lab, &err), 0);
	assert_int_equal(lab->ops->read(lab, "rules", &text, &err), 0);
	assert_string_equal(text, "old\n");
	free(text);
	assert_int_equal(lab->ops->write(lab, "rules", "a=1\n", &err), 0);
	assert_tree_file("a=1\n", DEVICE "/miglab/rules");
	lab->ops->close(lab);
}

static void test_list(void **arg)
{
	struct pci_function *functions;
	struct error err;
	size_t count;

	(void)arg;
	tree_function("0000:01:00.0", "0x020000\n", "3", "e1000e");
	add_device("miglab_mdev");
	tree_file("no-p2p\n", DEVICE "/miglab/profile");
	tree_file("synthetic\n", DEVICE "/miglab/model");
	tree_file("RUNNING\n", DEVICE "/miglab/state");
	assert_int_equal(list_functions(&functions, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(functions[1].bdf, UUID);
	assert_string_equal(functions[1].group, "12");
	assert_int_equal(functions[1].migratable, MIGRATABLE_YES);
	assert_string_equal(functions[1].why, "made by miglab_mdev, no-p2p, synthetic");
	free(functions);
	add_device("mtty");
	functions = calloc(1, sizeof(*functions));
	assert_non_null(functions);
	assert_int_equal(list_function(UUID, functions, &err), 0);
	assert_int_equal(functions->migratable, MIGRATABLE_UNKNOWN);
	assert_string_equal(functions->why, "mtty decides when it is opened");
	free(functions);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tree_test(test_names),
		tree_test(test_create),
		tree_test(test_what_cannot_be_created),
		tree_test(test_remove),
		tree_test(test_lab),
		tree_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
