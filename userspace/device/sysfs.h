/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files below /sys. Test seam: the environment variable MIGLAB_SYSFS names a
 * directory that is used instead, and whose run/miglab stands for /run/miglab.
 *
 * The path is a printf format, relative to the root. Errors are the kernel's
 * negative errno; -ENAMETOOLONG for a path that cannot be.
 */
#ifndef MIGLAB_DEVICE_SYSFS_H
#define MIGLAB_DEVICE_SYSFS_H

#include <stdbool.h>
#include <stddef.h>

#define SYSFS_NAME_SIZE	64	/* a driver's or a device's name fits */

bool sysfs_exists(const char *path, ...) __attribute__((format(printf, 1, 2)));

/* The whole text, NUL-terminated, in memory that the caller frees. */
int sysfs_read(char **ret_text, const char *path, ...) __attribute__((format(printf, 2, 3)));

/* The first line without its end, cut to fit. */
int sysfs_read_line(char *ret_line, size_t size, const char *path, ...)
	__attribute__((format(printf, 3, 4)));

/* The number that the first line is, in C notation. */
int sysfs_read_number(unsigned long *ret_number, const char *path, ...)
	__attribute__((format(printf, 2, 3)));

/* One write(2) of the whole text. */
int sysfs_write(const char *text, const char *path, ...) __attribute__((format(printf, 2, 3)));

/* The last component of what a symbolic link points to, cut to fit. */
int sysfs_link_name(char *ret_name, size_t size, const char *path, ...)
	__attribute__((format(printf, 3, 4)));

/* The names in a directory, sorted; free each and the array. */
int sysfs_names(char ***ret_names, size_t *ret_count, const char *path, ...)
	__attribute__((format(printf, 3, 4)));
void sysfs_names_free(char **names, size_t count);

/* strerror() of a negative errno, and what to do about it if it is about rights. */
const char *sysfs_strerror(int code);

/* The path itself, for those who walk a tree. */
int sysfs_path(char *ret_path, size_t size, const char *path, ...)
	__attribute__((format(printf, 3, 4)));

/* "/run/miglab", where bindings are remembered. */
int sysfs_run_path(char *ret_path, size_t size, const char *name);

#endif
