/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A made-up sysfs in a temporary directory, used through MIGLAB_SYSFS.
 */
#ifndef MIGLAB_UNIT_TREE_H
#define MIGLAB_UNIT_TREE_H

#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static char tree_root[64];

#define TREE_PATH(path, format) do {						\
	va_list tree_args;							\
	int tree_n = snprintf(path, sizeof(path), "%s/", tree_root);		\
										\
	va_start(tree_args, format);						\
	vsnprintf(path + tree_n, sizeof(path) - tree_n, format, tree_args);	\
	va_end(tree_args);							\
} while (0)

/* Makes the directories that lead to @path. */
static inline void tree_parents(char *path)
{
	for (char *at = path + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(path, 0755);
		*at = '/';
	}
}

static inline void __attribute__((format(printf, 2, 3)))
tree_file(const char *text, const char *format, ...)
{
	char path[PATH_MAX];
	FILE *file;

	TREE_PATH(path, format);
	tree_parents(path);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static inline void __attribute__((format(printf, 2, 3)))
tree_link(const char *target, const char *format, ...)
{
	char path[PATH_MAX];

	TREE_PATH(path, format);
	tree_parents(path);
	unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

static inline void __attribute__((format(printf, 2, 3)))
assert_tree_file(const char *expected, const char *format, ...)
{
	char path[PATH_MAX], text[4096];
	FILE *file;
	size_t n;

	TREE_PATH(path, format);
	file = fopen(path, "r");
	if (!file)
		fail_msg("%s is not there", path);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	assert_string_equal(text, expected);
}

static inline bool __attribute__((format(printf, 1, 2)))
tree_has(const char *format, ...)
{
	char path[PATH_MAX];

	TREE_PATH(path, format);
	return !access(path, F_OK);
}

/* A function with ids and class, in IOMMU group @group, with @driver; NULL: without. */
static inline void tree_function(const char *bdf, const char *class, const char *group,
				 const char *driver)
{
	char target[PATH_MAX];

	tree_file("0x8086\n", "bus/pci/devices/%s/vendor", bdf);
	tree_file("0x10d3\n", "bus/pci/devices/%s/device", bdf);
	tree_file(class, "bus/pci/devices/%s/class", bdf);
	tree_file("(null)\n", "bus/pci/devices/%s/driver_override", bdf);
	tree_file("", "bus/pci/drivers_probe");
	if (group) {
		snprintf(target, sizeof(target), "../../../../kernel/iommu_groups/%s", group);
		tree_link(target, "bus/pci/devices/%s/iommu_group", bdf);
	}
	if (driver) {
		tree_file("", "bus/pci/drivers/%s/bind", driver);
		tree_file("", "bus/pci/drivers/%s/unbind", driver);
		snprintf(target, sizeof(target), "../../drivers/%s", driver);
		tree_link(target, "bus/pci/devices/%s/driver", bdf);
	}
}

static inline void tree_remove_driver(const char *bdf)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/driver", tree_root, bdf);
	assert_int_equal(unlink(path), 0);
}

static inline int tree_setup(void **arg)
{
	(void)arg;
	strcpy(tree_root, "/tmp/miglab-tree-XXXXXX");
	if (!mkdtemp(tree_root))
		return -1;
	tree_file("", "bus/pci/devices/.keep");
	tree_file("", "run/.keep");
	return setenv("MIGLAB_SYSFS", tree_root, 1);
}

static inline int tree_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int tree_teardown(void **arg)
{
	(void)arg;
	unsetenv("MIGLAB_SYSFS");
	return nftw(tree_root, tree_remove, 16, FTW_DEPTH | FTW_PHYS);
}

#define tree_test(function) cmocka_unit_test_setup_teardown(function, tree_setup, tree_teardown)

#endif
