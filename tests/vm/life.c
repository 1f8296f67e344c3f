// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nothing is left behind: sessions, memory, descriptors, module references.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fsm.h"
#include "lab.h"

#define MIGRATIONS 100

static unsigned char stream[STREAM_MAX];

static unsigned int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int module_references(void)
{
	FILE *f = fopen("/sys/module/miglab_vfio_pci/refcnt", "r");
	int n;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &n), 1);
	fclose(f);
	return n;
}

/* There and back again, so that each is source and destination; opened anew each time. */
static void one_hundred_migrations_leave_nothing(void **state)
{
	unsigned int descriptors = open_descriptors();
	int references = module_references();
	struct device *dev;
	int i;

	(void)state;
	for (i = 0; i < MIGRATIONS; i++) {
		struct device *src = open_function((unsigned int)i % 2);
		struct device *dst = open_function((unsigned int)(i + 1) % 2);

		move_state(src, dst);
		close_function(src);
		close_function(dst);
	}
	assert_int_equal(open_descriptors(), descriptors);
	assert_int_equal(module_references(), references);
	dev = open_function(0);
	assert_int_equal(stat_of(dev, "sessions_live"), 0);
	assert_int_equal(stat_of(dev, "images_live"), 1);
	assert_true(stat_of(dev, "arcs") > MIGRATIONS);
}

static void a_session_left_open_ends_with_the_device(void **state)
{
	struct device *dev = open_function(0);

	(void)state;
	go(dev, MIGLAB_PRE_COPY);
	assert_int_equal(stat_of(dev, "sessions_live"), 1);
	assert_true(dev->ops->read(dev, stream, 100) > 0);
	close_function(dev);
	dev = open_function(0);
	assert_int_equal(stat_of(dev, "sessions_live"), 0);
	assert_int_equal(stat_of(dev, "images_live"), 1);
}

int life_rows(void)
{
	const struct CMUnitTest rows[] = {
		row(one_hundred_migrations_leave_nothing),
		row(a_session_left_open_ends_with_the_device),
	};

	return cmocka_run_group_tests_name("life", rows, NULL, NULL);
}
