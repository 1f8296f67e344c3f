// SPDX-License-Identifier: GPL-2.0-only
/*
 * No descriptor is left, wherever one is made: EMFILE, and the device usable.
 */
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/fsm.h"
#include "device/pci.h"
#include "device/vfio.h"
#include "lab.h"

static rlim_t lowest_free_descriptor(void)
{
	int fd = dup(STDIN_FILENO);

	assert_true(fd >= 0);
	close(fd);
	return (rlim_t)fd;
}

/* Allows @limit descriptors; returns what was allowed before. */
static rlim_t allow(rlim_t limit)
{
	struct rlimit now;
	rlim_t before;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	before = now.rlim_cur;
	now.rlim_cur = limit;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	return before;
}

/* One more descriptor at each try: every place that makes one is met, and leaks none. */
static void an_open_without_descriptors_leaves_nothing(void **state)
{
	rlim_t free_fd = lowest_free_descriptor(), limit, before = 0;
	char group[SYSFS_NAME_SIZE];
	struct vfio_files files;
	struct error err;
	int ret;

	(void)state;
	assert_int_equal(pci_iommu_group(function(0), group, &err), 0);
	for (limit = free_fd; limit < free_fd + 3; limit++) {
		before = allow(limit);
		ret = vfio_group_open(function(0), group, &files, &err);
		allow(before);
		assert_int_equal(ret, -EMFILE);
		assert_int_equal(lowest_free_descriptor(), free_fd);
	}
	allow(limit);	/* the container, the group and the device */
	ret = vfio_group_open(function(0), group, &files, &err);
	allow(before);
	assert_int_equal(ret, 0);
	close(files.device);
	close(files.group);
	close(files.container);
	assert_int_equal(state_of(open_function(0)), MIGLAB_RUNNING);
}

/*
 * The kernel makes the descriptor when the arc was taken already: the device is in
 * the new state with a session that nobody can reach.
 */
static void a_set_without_descriptors_leaves_a_way_back(void **state)
{
	static const uint32_t wants[] = {
		MIGLAB_PRE_COPY, MIGLAB_PRE_COPY_P2P, MIGLAB_STOP_COPY, MIGLAB_RESUMING,
	};
	struct device *dev = open_function(0), *twin = open_function(1);
	uint64_t live = stat_of(dev, "sessions_live");
	struct error err;
	rlim_t before;
	size_t i;
	int ret;

	(void)state;
	for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		before = allow(lowest_free_descriptor());
		ret = dev->ops->set_state(dev, wants[i], &err);
		allow(before);
		assert_int_equal(ret, -EMFILE);
		assert_int_equal(state_of(dev), wants[i]);
		if (wants[i] == MIGLAB_RESUMING)
			assert_int_equal(dev->ops->reset(dev, &err), 0);
		else
			go(dev, MIGLAB_RUNNING);
		assert_int_equal(state_of(dev), MIGLAB_RUNNING);
		assert_int_equal(stat_of(dev, "sessions_live"), live);
		move_state(dev, twin);
		go(dev, MIGLAB_RUNNING);
	}
}

int limits_rows(void)
{
	const struct CMUnitTest rows[] = {
		row(an_open_without_descriptors_leaves_nothing),
		row(a_set_without_descriptors_leaves_a_way_back),
	};

	return cmocka_run_group_tests_name("limits", rows, NULL, NULL);
}
