/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The subcommands. Each has a table of its options and a function; main() checks the
 * arguments against the table, answers what all commands answer alike (--help, -h,
 * --version, --verbose, -v) and complains alike about what is not there, before the
 * function is called. The result is the program's exit status: 0 passed, 1 a check or
 * a migration failed, 2 usage or bad input, 3 could not run, 77 nothing to judge or
 * to test.
 */
#ifndef MIGLAB_CMD_H
#define MIGLAB_CMD_H

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdint.h>

#include "base/error.h"

#define OPERANDS_ANY	INT_MAX

struct command {
	const char *name;
	const char *args;	/* in `miglab --help` */
	const char *what;	/* in one line, there too */
	const char *usage;	/* `miglab NAME --help`; begins with "Usage: miglab NAME" */
	/* Its own, up to an entry of zeros; the values are positive, not 'h' and not 'v'. */
	const struct option *options;
	const char *repeats;	/* those that may be given several times: "device from"; or NULL */
	int operands;		/* as many arguments that are no options at most */
	/* argv[0] is the name. Reads its options with cmd_option(). */
	int (*run)(int argc, char **argv);
};

extern const struct command command_list, command_bind, command_unbind, command_rules;
extern const struct command command_create, command_remove;
extern const struct command command_run, command_migrate, command_judge, command_guard;
extern const struct command command_watch, command_conform;

enum cmd_wish {
	CMD_RUN,
	CMD_HELP,
	CMD_VERSION,
};

/*
 * Checks all arguments of @command before any has an effect, and prepares
 * cmd_option(). --verbose is taken here. Return: what is wished for, or -EINVAL and a
 * sentence.
 */
int cmd_check(const struct command *command, int argc, char **argv, struct error *err);

/*
 * The next option of the command that was checked: its value in the table, its argument
 * in optarg, and its place in the table in *@ret_index if that is not NULL. -1 when
 * there is no more; argv[optind] is then the first operand.
 */
int cmd_option(int argc, char **argv, int *ret_index);

/*
 * The name in @names, of @count, that @word is a misspelling of; NULL: of none. Names
 * may be NULL.
 */
const char *cmd_nearest(const char *word, const char *const *names, size_t count);

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
