// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/sysfs.h"

/* For the tests. Not for who runs the program with the privileges of another. */
static const char *seam(void)
{
	return secure_getenv("MIGLAB_SYSFS");
}

static int root_vpath(char *ret_path, size_t size, const char *path, va_list args)
{
	const char *root = seam() ? seam() : "/sys";
	int n = snprintf(ret_path, size, "%s/", root), m;

	if (n < 0 || (size_t)n >= size)
		return -ENAMETOOLONG;
	m = vsnprintf(ret_path + n, size - n, path, args);
	return m < 0 || (size_t)m >= size - n ? -ENAMETOOLONG : 0;
}

int sysfs_path(char *ret_path, size_t size, const char *path, ...)
{
	va_list args;
	int ret;

	va_start(args, path);
	ret = root_vpath(ret_path, size, path, args);
	va_end(args);
	return ret;
}

int sysfs_run_path(char *ret_path, size_t size, const char *name)
{
	const char *root = seam() ? seam() : "";
	int n = snprintf(ret_path, size, "%s/run/miglab/%s", root, name);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

const char *sysfs_strerror(int code)
{
	return code == -EACCES || code == -EPERM ? "Permission denied; run as root" :
						   strerror(-code);
}

bool sysfs_exists(const char *path, ...)
{
	char full[PATH_MAX];
	va_list args;
	int ret;

	va_start(args, path);
	ret = root_vpath(full, sizeof(full), path, args);
	va_end(args);
	return !ret && !access(full, F_OK);
}

static int read_all(const char *full, char **ret_text)
{
	size_t have = 0, room = 4096;
	char *text = NULL, *more;
	int fd = open(full, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		more = realloc(text, room + 1);
		if (!more) {
			n = -1;
			errno = ENOMEM;
			break;
		}
		text = more;
		n = read(fd, text + have, room - have);
		if (n > 0)
			have += n;
		if (have == room)
			room *= 2;
	} while (n > 0);
	if (n < 0) {
		int ret = -errno;

		free(text);
		close(fd);
		return ret;
	}
	close(fd);
	text[have] = '\0';
	*ret_text = text;
	return 0;
}

static int read_vpath(char **ret_text, const char *path, va_list args)
{
	char full[PATH_MAX];
	int ret = root_vpath(full, sizeof(full), path, args);

	return ret ? ret : read_all(full, ret_text);
}

int sysfs_read(char **ret_text, const char *path, ...)
{
	va_list args;
	int ret;

	va_start(args, path);
	ret = read_vpath(ret_text, path, args);
	va_end(args);
	return ret;
}

int sysfs_read_line(char *ret_line, size_t size, const char *path, ...)
{
	va_list args;
	char *text;
	int ret;

	va_start(args, path);
	ret = read_vpath(&text, path, args);
	va_end(args);
	if (ret)
		return ret;
	snprintf(ret_line, size, "%.*s", (int)strcspn(text, "\n"), text);
	free(text);
	return 0;
}

int sysfs_read_number(unsigned long *ret_number, const char *path, ...)
{
	unsigned long number;
	char *text, *end;
	va_list args;
	int ret;

	va_start(args, path);
	ret = read_vpath(&text, path, args);
	va_end(args);
	if (ret)
		return ret;
	number = strtoul(text, &end, 0);
	if (end == text)
		ret = -EINVAL;
	else
		*ret_number = number;
	free(text);
	return ret;
}

int sysfs_write(const char *text, const char *path, ...)
{
	char full[PATH_MAX];
	va_list args;
	int ret, fd;

	va_start(args, path);
	ret = root_vpath(full, sizeof(full), path, args);
	va_end(args);
	if (ret)
		return ret;
	fd = open(full, O_WRONLY | O_CLOEXEC | O_TRUNC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int sysfs_link_name(char *ret_name, size_t size, const char *path, ...)
{
	char full[PATH_MAX], target[PATH_MAX];
	const char *slash;
	va_list args;
	ssize_t n;
	int ret;

	va_start(args, path);
	ret = root_vpath(full, sizeof(full), path, args);
	va_end(args);
	if (ret)
		return ret;
	n = readlink(full, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	slash = strrchr(target, '/');
	snprintf(ret_name, size, "%s", slash ? slash + 1 : target);
	return 0;
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int sysfs_names(char ***ret_names, size_t *ret_count, const char *path, ...)
{
	struct dirent **entries;
	char full[PATH_MAX];
	char **names;
	va_list args;
	int ret, n;

	va_start(args, path);
	ret = root_vpath(full, sizeof(full), path, args);
	va_end(args);
	if (ret)
		return ret;
	n = scandir(full, &entries, not_hidden, alphasort);
	if (n < 0)
		return -errno;
	names = calloc(n + 1, sizeof(*names));
	for (int i = 0; i < n; i++) {
		if (names)
			names[i] = strdup(entries[i]->d_name);
		if (!names || !names[i])
			ret = -ENOMEM;
		free(entries[i]);
	}
	free(entries);
	if (!names || ret) {
		sysfs_names_free(names, names ? n : 0);
		return -ENOMEM;
	}
	*ret_names = names;
	*ret_count = n;
	return 0;
}

void sysfs_names_free(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}
