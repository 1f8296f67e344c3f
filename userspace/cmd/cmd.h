/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The subcommands. Each parses its own options and does nothing else itself;
 * argv[0] is its name, the result is the program's exit status:
 * 0 passed, 1 a check or a migration failed, 2 usage or bad input, 3 could not
 * run, 77 skipped.
 */
#ifndef MIGLAB_CMD_H
#define MIGLAB_CMD_H

#include <errno.h>
#include <stdint.h>

#include "base/error.h"

int cmd_list(int argc, char **argv);
int cmd_bind(int argc, char **argv);
int cmd_unbind(int argc, char **argv);
int cmd_rules(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_migrate(int argc, char **argv);
int cmd_judge(int argc, char **argv);
int cmd_guard(int argc, char **argv);
int cmd_conform(int argc, char **argv);

/* @text, the value of option @name, as a number from @min to @max; -EINVAL with a sentence. */
int cmd_number(const char *name, const char *text, long min, long max, long *ret,
	       struct error *err);

/* The exit status for a status or -errno: what the user wrote, or what the system did. */
static inline int cmd_status(int ret)
{
	if (ret >= 0)
		return ret;
	return ret == -EINVAL || ret == -ENODEV || ret == -E2BIG || ret == -ENAMETOOLONG ? 2 : 3;
}

/* Bytes: "4096", "64K", "16M", "1G". -EINVAL and a sentence for what is no such number. */
int cmd_size(const char *name, const char *text, uint64_t *ret, struct error *err);

#endif
