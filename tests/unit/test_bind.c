// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bind, unbind and list on a made-up sysfs. Nothing answers there, so a bind
 * gets as far as the kernel's part; that it succeeds is for the tests in the VM.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "device/bind.h"
#include "device/list.h"
#include "tree.h"

#define BDF	"0000:01:00.0"
#define DEVICE	"bus/pci/devices/" BDF
#define NETWORK	"0x020000\n"

static void add_module(void)
{
	tree_file("", "bus/pci/drivers/miglab_vfio_pci/unbind");
	tree_file("", "bus/pci/drivers/miglab_vfio_pci/bind");
}

static void assert_bind_fails(const char *bdf, int code, const char *sentence)
{
	struct error err;

	assert_int_equal(bind_function(bdf, NULL, NULL, &err), code);
	assert_string_equal(err.text, sentence);
}

static void assert_untouched(void)
{
	assert_tree_file("(null)\n", DEVICE "/driver_override");
	assert_tree_file("", "bus/pci/drivers/e1000e/unbind");
	assert_tree_file("", "bus/pci/drivers_probe");
	assert_false(tree_has("run/miglab/" BDF));
}

static void test_bad_addresses(void **arg)
{
	static const char *const bad[] = { "", "1", "01:00", "1:00.0", "01:00.8", "01:20.0",
					   "01:00.0 ", "01:00.0x", ":01:00.0", "000:01:00.0",
					   "0000:01:00.00", "0000:01:00", "g000:01:00.0",
					   "0000:001:00.0", "../../../x", "0000000:01:00.0",
					   "vfio:", "vfio:vfio:01:00.0" };
	char sentence[256];

	(void)arg;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(sentence, sizeof(sentence), "\"%s\" is not the address of a PCI function; "
			 "write it like 0000:01:00.0 or 01:00.0", bad[i]);
		assert_bind_fails(bad[i], -EINVAL, sentence);
	}
}

static void test_addresses_are_made_canonical(void **arg)
{
	static const char *const rows[][2] = {
		{ "01:00.0", "0000:01:00.0" },
		{ "0000:01:00.0", "0000:01:00.0" },
		{ "AB:1F.7", "0000:ab:1f.7" },
		{ "10000:e1:00.0", "10000:e1:00.0" },
		{ "vfio:01:00.0", "0000:01:00.0" },
		{ "vfio:10000:e1:00.0", "10000:e1:00.0" },
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char bdf[PCI_BDF_SIZE];

		assert_int_equal(pci_parse_bdf(rows[i][0], bdf, NULL), 0);
		assert_string_equal(bdf, rows[i][1]);
	}
}

static void test_what_cannot_be_bound(void **arg)
{
	(void)arg;
	add_module();
	assert_bind_fails(BDF, -ENODEV, "there is no PCI function " BDF "; `miglab list` shows "
			  "those that are");
	tree_function(BDF, "0x060400\n", "3", "e1000e");
	assert_bind_fails("01:00.0", -EINVAL, BDF " is a PCI bridge, which no VFIO driver takes; "
			  "bind a function behind it");
	tree_function("0000:02:00.0", NETWORK, NULL, NULL);
	assert_bind_fails("02:00.0", -ENXIO, "0000:02:00.0 has no IOMMU group; switch the IOMMU"
			  " on in the firmware and boot with intel_iommu=on or amd_iommu=on");
	assert_untouched();
}

static void test_a_network_interface_that_is_up(void **arg)
{
	(void)arg;
	add_module();
	tree_function(BDF, NETWORK, "3", "e1000e");
	tree_link("../../../../../../class/net", DEVICE "/virtio0/net/eth7/subsystem");
	tree_file("0x1003\n", DEVICE "/virtio0/net/eth7/flags");
	assert_bind_fails(BDF, -EBUSY, BDF " is in use: its net device eth7 is up");
	assert_untouched();

	tree_file("0x1002\n", DEVICE "/virtio0/net/eth7/flags");
	assert_bind_fails(BDF, -EIO, BDF " did not bind to miglab_vfio_pci, its driver is e1000e "
			  "(Input/output error); the kernel log says why");
}

/* The device number of some mount of this process, "0:25\n". */
static void mounted_device(char number[32])
{
	FILE *mounts = fopen("/proc/self/mountinfo", "r");

	assert_non_null(mounts);
	assert_int_equal(fscanf(mounts, "%*s %*s %30s", number), 1);
	strcat(number, "\n");
	fclose(mounts);
}

static void test_a_disk_that_is_mounted(void **arg)
{
	char number[32];

	(void)arg;
	add_module();
	mounted_device(number);
	tree_function(BDF, "0x010802\n", "3", "e1000e");
	tree_link("../../../../../../class/block", DEVICE "/nvme/nvme97/nvme97n1/subsystem");
	tree_file("4095:4095\n", DEVICE "/nvme/nvme97/nvme97n1/dev");
	tree_link("../../../../../../../class/block",
		  DEVICE "/nvme/nvme97/nvme97n1/nvme97n1p1/subsystem");
	tree_file(number, DEVICE "/nvme/nvme97/nvme97n1/nvme97n1p1/dev");
	assert_bind_fails(BDF, -EBUSY, BDF " is in use: its block device nvme97n1p1 is mounted");
	assert_untouched();

	tree_file("4095:4094\n", DEVICE "/nvme/nvme97/nvme97n1/nvme97n1p1/dev");
	tree_file("", DEVICE "/nvme/nvme97/nvme97n1/nvme97n1p1/holders/dm-0/dev");
	assert_bind_fails(BDF, -EBUSY, BDF " is in use: its block device nvme97n1p1 is held by "
			  "another device");
}

static void test_a_module_that_cannot_be_loaded(void **arg)
{
	char *path = strdup(getenv("PATH")), script[PATH_MAX];

	(void)arg;
	tree_function(BDF, NETWORK, "3", "e1000e");
	setenv("PATH", tree_root, 1);
	assert_bind_fails(BDF, -ENOENT, "cannot run modprobe: No such file or directory");

	tree_file("#!/bin/sh\nexit 1\n", "modprobe");
	snprintf(script, sizeof(script), "%s/modprobe", tree_root);
	chmod(script, 0755);
	assert_bind_fails(BDF, -ENOENT, "the module miglab_vfio_pci is not loaded and `modprobe "
			  "miglab_vfio_pci` failed; install it (make dkms-install) or insmod it, and "
			  "with Secure Boot enrol the key that signed it");
	setenv("PATH", path, 1);
	free(path);
	assert_untouched();
}

static void test_a_bind_that_fails_gives_the_function_back(void **arg)
{
	struct error err;

	(void)arg;
	add_module();
	tree_function(BDF, NETWORK, "3", "e1000e");
	tree_file("e1000e\n", DEVICE "/driver_override");
	assert_int_equal(bind_function(BDF, NULL, NULL, &err), -EIO);
	assert_tree_file(BDF, "bus/pci/drivers/e1000e/unbind");
	assert_tree_file(BDF, "bus/pci/drivers_probe");
	assert_tree_file("e1000e", DEVICE "/driver_override");
	assert_tree_file(BDF, "bus/pci/drivers/e1000e/bind");
	assert_false(tree_has("run/miglab/" BDF));
}

static void test_bind_again_only_sets_attributes(void **arg)
{
	struct error err;

	(void)arg;
	tree_function(BDF, NETWORK, "3", "miglab_vfio_pci");
	tree_file("full\n", DEVICE "/miglab/profile");
	tree_file("synthetic\n", DEVICE "/miglab/model");
	assert_int_equal(bind_function(BDF, NULL, NULL, &err), 0);
	assert_tree_file("full\n", DEVICE "/miglab/profile");
	assert_int_equal(bind_function(BDF, "no-p2p", "other", &err), 0);
	assert_tree_file("no-p2p", DEVICE "/miglab/profile");
	assert_tree_file("other", DEVICE "/miglab/model");
	assert_tree_file("", "bus/pci/drivers/miglab_vfio_pci/unbind");
}

static void test_bind_again_while_in_use(void **arg)
{
	struct error err;

	(void)arg;
	tree_function(BDF, NETWORK, "3", "miglab_vfio_pci");
	tree_file("full\n", DEVICE "/miglab/profile");
	tree_file("synthetic\n", DEVICE "/miglab/model");
	tree_link("../../../../../../class/net", DEVICE "/virtio0/net/eth7/subsystem");
	tree_file("0x1003\n", DEVICE "/virtio0/net/eth7/flags");
	assert_int_equal(bind_function(BDF, NULL, NULL, &err), 0);
	assert_int_equal(bind_function(BDF, "no-p2p", NULL, &err), -EBUSY);
	assert_int_equal(bind_function(BDF, NULL, "edu", &err), -EBUSY);
	assert_string_equal(err.text, BDF " is in use: its net device eth7 is up");
	assert_tree_file("full\n", DEVICE "/miglab/profile");
	assert_tree_file("synthetic\n", DEVICE "/miglab/model");
}

static void test_unbind_where_nothing_can_be_missed(void **arg)
{
	static const struct { const char *memory, *override, *bind, *probe; } rows[] = {
		{ "none\n(null)\n", "\n", "", "" },
		{ NULL, "\n", "", BDF },
		{ "", "\n", "", BDF },
	};
	struct error err;

	(void)arg;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tree_function(BDF, NETWORK, "3", "e1000e");
		tree_function(BDF, NETWORK, "3", "miglab_vfio_pci");
		if (rows[i].memory)
			tree_file(rows[i].memory, "run/miglab/" BDF);
		assert_int_equal(unbind_function("01:00.0", &err), 0);
		assert_tree_file(BDF, "bus/pci/drivers/miglab_vfio_pci/unbind");
		assert_tree_file(rows[i].override, DEVICE "/driver_override");
		assert_tree_file(rows[i].bind, "bus/pci/drivers/e1000e/bind");
		assert_tree_file(rows[i].probe, "bus/pci/drivers_probe");
		assert_false(tree_has("run/miglab/" BDF));
	}
}

/*
 * As much of a kernel as unbind asks for: the function gets another driver between the
 * moment that it is unbound and the one that its old driver is asked to take it. The
 * files are FIFOs, on which a writer waits for this thread, so neither overtakes the other.
 */
struct kernel {
	pthread_t thread;
	const char *driver;	/* that the function then has; NULL: none */
};

static void wait_for_writer(const char *name)
{
	char path[PATH_MAX], text[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", tree_root, name);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	while (read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
}

static void *serve(void *arg)
{
	const struct kernel *k = arg;
	char path[PATH_MAX], target[64];

	wait_for_writer("bus/pci/drivers/miglab_vfio_pci/unbind");
	snprintf(path, sizeof(path), "%s/" DEVICE "/driver", tree_root);
	unlink(path);
	snprintf(target, sizeof(target), "../../drivers/%s", k->driver ? k->driver : "");
	if (k->driver)
		assert_int_equal(symlink(target, path), 0);
	wait_for_writer("bus/pci/drivers/e1000e/bind");
	return NULL;
}

static void make_fifo(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", tree_root, name);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void start_kernel(struct kernel *k)
{
	make_fifo("bus/pci/drivers/miglab_vfio_pci/unbind");
	make_fifo("bus/pci/drivers/e1000e/bind");
	assert_int_equal(pthread_create(&k->thread, NULL, serve, k), 0);
}

static void stop_kernel(struct kernel *k)
{
	assert_int_equal(pthread_join(k->thread, NULL), 0);
	tree_file("", "bus/pci/drivers/.keep");
}

static void test_unbind_gives_back(void **arg)
{
	static const struct {
		const char *memory, *override, *driver;
		int ret;
	} rows[] = {
		{ "e1000e\n(null)\n", "\n", "e1000e", 0 },
		{ "e1000e\nvfio-pci\n", "vfio-pci", "e1000e", 0 },
		{ "e1000e\n(null)\n", "\n", NULL, -EIO },
		{ "e1000e\n(null)\n", "\n", "igb", -EIO },
	};
	struct error err;

	(void)arg;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kernel kernel = { .driver = rows[i].driver };

		if (i)
			tree_teardown(NULL), tree_setup(NULL);
		tree_function(BDF, NETWORK, "3", "e1000e");
		tree_function(BDF, NETWORK, "3", "miglab_vfio_pci");
		tree_file(rows[i].memory, "run/miglab/" BDF);
		start_kernel(&kernel);
		assert_int_equal(unbind_function("01:00.0", &err), rows[i].ret);
		stop_kernel(&kernel);
		assert_tree_file(rows[i].override, DEVICE "/driver_override");
		assert_tree_file("", "bus/pci/drivers_probe");
		assert_int_equal(tree_has("run/miglab/" BDF), rows[i].ret != 0);
	}
	assert_string_equal(err.text, BDF " did not go back to e1000e, its driver is igb "
			    "(Input/output error); load e1000e and run miglab unbind " BDF
			    " again");
}

/* The driver that the function had is not loaded: it stays remembered until it is. */
static void test_unbind_again(void **arg)
{
	struct error err;

	(void)arg;
	tree_function(BDF, NETWORK, "3", "e1000e");
	tree_function(BDF, NETWORK, "3", "miglab_vfio_pci");
	tree_file("mlx5_core\n(null)\n", "run/miglab/" BDF);
	assert_int_equal(unbind_function(BDF, &err), -EIO);
	assert_string_equal(err.text, BDF " did not go back to mlx5_core, its driver is "
			    "miglab_vfio_pci (No such file or directory); load mlx5_core and run "
			    "miglab unbind " BDF " again");
	assert_tree_file(BDF, "bus/pci/drivers_probe");
	assert_tree_file("mlx5_core\n(null)\n", "run/miglab/" BDF);

	/* as the kernel leaves it: without a driver and without our override */
	tree_remove_driver(BDF);
	tree_file("", "bus/pci/drivers/mlx5_core/bind");
	assert_int_equal(unbind_function(BDF, &err), -EIO);
	assert_tree_file(BDF, "bus/pci/drivers/mlx5_core/bind");
	assert_true(tree_has("run/miglab/" BDF));

	/* a bind does not take "none" for the driver that it had */
	add_module();
	assert_int_equal(bind_function(BDF, NULL, NULL, &err), -EIO);
	assert_tree_file("mlx5_core\n(null)\n", "run/miglab/" BDF);

	tree_function(BDF, NETWORK, "3", "mlx5_core");
	assert_int_equal(unbind_function(BDF, &err), -EINVAL);
}

/* rmmod leaves the override, and a function that no driver gets. */
static void test_a_module_that_was_removed(void **arg)
{
	struct error err;

	(void)arg;
	add_module();
	tree_function(BDF, NETWORK, "3", NULL);
	tree_file("", "bus/pci/drivers/e1000e/bind");
	tree_file("miglab_vfio_pci\n", DEVICE "/driver_override");
	tree_file("e1000e\n(null)\n", "run/miglab/" BDF);
	/* a bind that fails again goes back to what was before the first */
	assert_int_equal(bind_function(BDF, NULL, NULL, &err), -EIO);
	assert_tree_file("\n", DEVICE "/driver_override");
	assert_tree_file(BDF, "bus/pci/drivers/e1000e/bind");

	tree_file("", "bus/pci/drivers/e1000e/bind");
	tree_file("miglab_vfio_pci\n", DEVICE "/driver_override");
	tree_file("e1000e\n(null)\n", "run/miglab/" BDF);
	/* nobody answers here */
	assert_int_equal(unbind_function(BDF, &err), -EIO);
	assert_tree_file("\n", DEVICE "/driver_override");
	assert_tree_file(BDF, "bus/pci/drivers/e1000e/bind");
	tree_function(BDF, NETWORK, "3", "e1000e");
	assert_int_equal(unbind_function(BDF, &err), -EINVAL);
}

static void test_unbind_of_other_drivers(void **arg)
{
	struct error err;

	(void)arg;
	tree_function(BDF, NETWORK, "3", "e1000e");
	assert_int_equal(unbind_function(BDF, &err), -EINVAL);
	assert_string_equal(err.text,
			    BDF " is not bound to miglab_vfio_pci, its driver is e1000e");
	assert_untouched();
}

static void test_list_says_why(void **arg)
{
	static const struct {
		const char *bdf;
		enum migratable migratable;
		const char *why;
	} rows[] = {
		{ "0000:00:1c.0", MIGRATABLE_NO, "a bridge" },
		{ "0000:01:00.0", MIGRATABLE_NO,
		  "in the hands of e1000e; run: miglab bind 0000:01:00.0" },
		{ "0000:02:00.0", MIGRATABLE_NO,
		  "no IOMMU group; boot with intel_iommu=on or amd_iommu=on" },
		{ "0000:03:00.0", MIGRATABLE_NO, "no driver; run: miglab bind 0000:03:00.0" },
		{ "0000:04:00.0", MIGRATABLE_NO,
		  "vfio-pci has no migration; run: miglab bind 0000:04:00.0" },
		{ "0000:05:00.0", MIGRATABLE_YES, "bound to miglab_vfio_pci, no-p2p, edu" },
		{ "0000:06:00.0", MIGRATABLE_UNKNOWN, "mlx5_vfio_pci decides when it is opened" },
		{ "0000:07:00.0", MIGRATABLE_NO,
		  "in the hands of e1000e and in use: its net device eth7 is up" },
	};
	struct pci_function *functions;
	struct error err;
	size_t count;

	(void)arg;
	tree_function("0000:07:00.0", NETWORK, "7", "e1000e");
	tree_link("../../../../../../class/net", "bus/pci/devices/0000:07:00.0/net/eth7/subsystem");
	tree_file("0x1003\n", "bus/pci/devices/0000:07:00.0/net/eth7/flags");
	tree_function("0000:06:00.0", NETWORK, "6", "mlx5_vfio_pci");
	tree_file("", "bus/pci/devices/0000:06:00.0/vfio-dev/vfio1/dev");
	tree_function("0000:05:00.0", NETWORK, "5", "miglab_vfio_pci");
	tree_file("no-p2p\n", "bus/pci/devices/0000:05:00.0/miglab/profile");
	tree_file("edu\n", "bus/pci/devices/0000:05:00.0/miglab/model");
	tree_file("RUNNING\n", "bus/pci/devices/0000:05:00.0/miglab/state");
	tree_function("0000:04:00.0", NETWORK, "4", "vfio-pci");
	tree_function("0000:03:00.0", NETWORK, "3", NULL);
	tree_function("0000:02:00.0", NETWORK, NULL, NULL);
	tree_function("0000:01:00.0", NETWORK, "1", "e1000e");
	tree_function("0000:00:1c.0", "0x060400\n", "0", "pcieport");
	assert_int_equal(list_functions(&functions, &count, &err), 0);
	assert_int_equal(count, sizeof(rows) / sizeof(rows[0]));
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(functions[i].bdf, rows[i].bdf);
		assert_int_equal(functions[i].migratable, rows[i].migratable);
		assert_string_equal(functions[i].why, rows[i].why);
	}
	assert_int_equal(functions[1].vendor, 0x8086);
	assert_int_equal(functions[1].device, 0x10d3);
	assert_int_equal(functions[1].class, 0x020000);
	assert_string_equal(functions[1].driver, "e1000e");
	assert_string_equal(functions[1].group, "1");
	assert_string_equal(functions[2].group, "none");
	assert_string_equal(functions[3].driver, "none");
	assert_string_equal(functions[3].profile, "");
	assert_string_equal(functions[5].profile, "no-p2p");
	assert_string_equal(functions[5].model, "edu");
	assert_string_equal(functions[5].state, "RUNNING");
	free(functions);
}

static void test_list_of_one(void **arg)
{
	struct pci_function function;
	struct error err;

	(void)arg;
	tree_function(BDF, NETWORK, "1", "e1000e");
	assert_int_equal(list_function("vfio:01:00.0", &function, &err), 0);
	assert_string_equal(function.bdf, BDF);
	assert_string_equal(function.why, "in the hands of e1000e; run: miglab bind " BDF);
	assert_int_equal(list_function("02:00.0", &function, &err), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tree_test(test_bad_addresses),
		tree_test(test_addresses_are_made_canonical),
		tree_test(test_what_cannot_be_bound),
		tree_test(test_a_network_interface_that_is_up),
		tree_test(test_a_disk_that_is_mounted),
		tree_test(test_a_module_that_cannot_be_loaded),
		tree_test(test_a_bind_that_fails_gives_the_function_back),
		tree_test(test_bind_again_only_sets_attributes),
		tree_test(test_bind_again_while_in_use),
		tree_test(test_unbind_where_nothing_can_be_missed),
		tree_test(test_unbind_gives_back),
		tree_test(test_unbind_again),
		tree_test(test_a_module_that_was_removed),
		tree_test(test_unbind_of_other_drivers),
		tree_test(test_list_says_why),
		tree_test(test_list_of_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
