// SPDX-License-Identifier: GPL-2.0-only
/* One manner of options for all commands. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/cmd.h"

#define OPTIONS_MAX	32
#define WORD_MAX	32	/* of what could be a misspelling */

enum { OPT_VERSION = 'V', OPT_HELP = 'h', OPT_VERBOSE = 'v' };

static const struct option common[] = {
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
};

#define NR_COMMON	(sizeof(common) / sizeof(common[0]))

/* Those of the command, those of all, and zeros. */
static struct option table[OPTIONS_MAX + NR_COMMON + 1];
static size_t table_count;

static void make_table(const struct option *own)
{
	table_count = 0;
	memset(table, 0, sizeof(table));
	while (own[table_count].name && table_count < OPTIONS_MAX) {
		table[table_count] = own[table_count];
		table_count++;
	}
	for (size_t i = 0; i < NR_COMMON; i++)
		table[table_count++] = common[i];
}

/* Also takes the option with one dash, as QEMU does. */
static int next_option(int argc, char **argv, int *index)
{
	return getopt_long_only(argc, argv, ":hv", table, index);
}

int cmd_option(int argc, char **argv, int *ret_index)
{
	int id;

	do {
		id = next_option(argc, argv, ret_index);
	} while (id == OPT_VERBOSE);
	return id;
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* How many letters differ, are too many or are missing; of words up to WORD_MAX. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[WORD_MAX + 1], before, above;
	size_t len = strlen(b);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		before = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < len; j++) {
			above = row[j + 1];
			row[j + 1] = least(least(above, row[j]) + 1, before + (a[i] != b[j]));
			before = above;
		}
	}
	return row[len];
}

const char *cmd_nearest(const char *word, const char *const *names, size_t count)
{
	unsigned int best = strlen(word) > 4 ? 3 : 2;
	const char *nearest = NULL;

	for (size_t i = 0; i < count; i++) {
		unsigned int d = best;

		if (names[i] && strlen(word) <= WORD_MAX && strlen(names[i]) <= WORD_MAX)
			d = distance(word, names[i]);
		if (d < best) {
			best = d;
			nearest = names[i];
		}
	}
	return nearest;
}

static int unknown_option(const char *command, const char *word, const char *name,
			  struct error *err)
{
	const char *names[OPTIONS_MAX + NR_COMMON], *nearest;

	for (size_t i = 0; i < table_count; i++)
		names[i] = table[i].name;
	nearest = cmd_nearest(name, names, table_count);
	if (nearest)
		return error_set(err, -EINVAL,
				 "there is no option \"%s\"; did you mean --%s? See miglab %s --help",
				 word, nearest, command);
	return error_set(err, -EINVAL, "there is no option \"%s\"; see miglab %s --help", word,
			 command);
}

/* @word was refused: is it no option, several, or one that takes no value? */
static int bad_option(const char *command, const char *word, struct error *err)
{
	const char *first = NULL, *second = NULL;
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + strspn(word, "-"), "="),
		 word + strspn(word, "-"));
	for (size_t i = 0; i < table_count; i++) {
		bool same = !strcmp(table[i].name, name);

		if (strncmp(table[i].name, name, strlen(name)))
			continue;
		second = first && !same ? table[i].name : NULL;
		if (!first || same)
			first = table[i].name;
		if (same)
			break;
	}
	if (!first)
		return unknown_option(command, word, name, err);
	if (second)
		return error_set(err, -EINVAL,
				 "\"%s\" may be --%s or --%s; write more of it, see miglab %s --help",
				 word, first, second, command);
	return error_set(err, -EINVAL, "\"%s\": --%s takes no value; see miglab %s --help", word,
			 first, command);
}

static bool may_repeat(const struct command *command, const char *name)
{
	const char *at = command->repeats;
	size_t len = strlen(name);

	while (at && *at) {
		size_t word = strcspn(at, " ");

		if (word == len && !strncmp(at, name, len))
			return true;
		at += word + strspn(at + word, " ");
	}
	return false;
}

/* Of two values, which one did the user mean? */
static int check_single(const struct command *command, int index, const char **seen,
			struct error *err)
{
	const char *name = table[index].name, *before = seen[index];

	seen[index] = optarg;
	if (!before || !optarg || may_repeat(command, name))
		return 0;
	return error_set(err, -EINVAL, "--%s is given twice, \"%s\" and \"%s\"; give one", name,
			 before, optarg);
}

int cmd_check(const struct command *command, int argc, char **argv, struct error *err)
{
	const char *seen[OPTIONS_MAX + NR_COMMON] = { NULL };
	int id, index, wish = CMD_RUN;

	make_table(command->options);
	opterr = 0;
	optind = 0;
	while ((id = next_option(argc, argv, &index)) != -1) {
		if (id == ':')
			return error_set(err, -EINVAL,
					 "option \"%s\" needs a value; see miglab %s --help",
					 argv[optind - 1], command->name);
		if (id == '?')
			return bad_option(command->name, argv[optind - 1], err);
		if (id == OPT_VERBOSE)
			log_set_level(LOG_LEVEL_INFO);
		else if (id == OPT_HELP)
			wish = CMD_HELP;
		else if (id == OPT_VERSION && wish == CMD_RUN)
			wish = CMD_VERSION;
		else if (id != OPT_VERSION && check_single(command, index, seen, err))
			return -EINVAL;
	}
	if (wish == CMD_RUN && argc - optind > command->operands)
		return error_set(err, -EINVAL,
				 "\"%s\" is one argument too many; see miglab %s --help",
				 argv[optind + command->operands], command->name);
	optind = 0;
	return wish;
}
