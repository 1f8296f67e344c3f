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

int cmd_list(int argc, char **argv);
int cmd_bind(int argc, char **argv);
int cmd_unbind(int argc, char **argv);
int cmd_rules(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_migrate(int argc, char **argv);
int cmd_judge(int argc, char **argv);

/* The exit status for a result of 0 or -errno: what the user wrote, or what the system did. */
static inline int cmd_status(int ret)
{
	if (!ret)
		return 0;
	return ret == -EINVAL || ret == -ENODEV || ret == -E2BIG ? 2 : 3;
}

#endif
