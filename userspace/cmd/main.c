// SPDX-License-Identifier: GPL-2.0-only
/*
 * miglab COMMAND ..
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/cmd.h"

static const struct command *const commands[] = {
	&command_list, &command_bind, &command_unbind, &command_create, &command_remove,
	&command_rules, &command_run, &command_migrate, &command_judge, &command_watch,
	&command_guard, &command_conform,
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(void)
{
	puts("Usage: miglab [--verbose] COMMAND [ARGUMENT..]\n"
	     "       miglab help COMMAND\n"
	     "       miglab --help | --version\n");
	for (size_t i = 0; i < NR_COMMANDS; i++)
		printf("  %s %s\n        %s\n", commands[i]->name, commands[i]->args,
		       commands[i]->what);
	puts("\n"
	     "DEV is vfio:BDF, vfio:UUID of a mediated device, either alone, or\n"
	     "emu[:key=value,..].\n"
	     "\n"
	     "Every command takes -h, --help; --version; and -v, --verbose: what it does, on\n"
	     "stderr.\n"
	     "\n"
	     "Exit status: 0 passed, 1 a check or a migration failed, 2 bad usage or input,\n"
	     "3 could not run, 77 there was nothing to judge or to test.");
}

static void print_version(void)
{
	puts("miglab " MIGLAB_VERSION);
}

/* A result that nobody could get is none. @command: "", or its name and ": ". */
static int finish(int status, const char *command)
{
	if (status != 0 && status != 1 && status != 77)
		return status;
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	log_error("%scannot write to standard output: %s", command,
		  errno ? strerror(errno) : "an earlier write failed");
	return 3;
}

static const struct command *find(const char *name)
{
	const char *names[NR_COMMANDS], *nearest;

	for (size_t i = 0; i < NR_COMMANDS; i++) {
		if (!strcmp(name, commands[i]->name))
			return commands[i];
		names[i] = commands[i]->name;
	}
	nearest = cmd_nearest(name, names, NR_COMMANDS);
	if (nearest)
		log_error("there is no command \"%s\"; did you mean %s? See miglab --help", name,
			  nearest);
	else
		log_error("there is no command \"%s\"; see miglab --help", name);
	return NULL;
}

/* argv[0] is the name. */
static int run(const struct command *command, int argc, char **argv)
{
	char prefix[32];
	struct error err;
	int ret = cmd_check(command, argc, argv, &err);

	snprintf(prefix, sizeof(prefix), "%s: ", command->name);
	switch (ret) {
	case CMD_RUN:
		ret = command->run(argc, argv);
		break;
	case CMD_HELP:
		fputs(command->usage, stdout);
		ret = 0;
		break;
	case CMD_VERSION:
		print_version();
		ret = 0;
		break;
	default:
		log_error("%s%s", prefix, err.text);
		return 2;
	}
	return finish(ret, prefix);
}

/* miglab help [COMMAND], miglab --help [COMMAND]. */
static int help(int argc, char **argv)
{
	const struct command *command;

	if (argc > 1) {
		log_error("\"%s\" is one argument too many; see miglab --help", argv[1]);
		return 2;
	}
	command = argc ? find(argv[0]) : NULL;
	if (argc && !command)
		return 2;
	if (command)
		fputs(command->usage, stdout);
	else
		print_help();
	return finish(0, "help: ");
}

static int version(int argc, char **argv)
{
	if (argc) {
		log_error("\"%s\" is one argument too many; see miglab --help", argv[0]);
		return 2;
	}
	print_version();
	return finish(0, "version: ");
}

int main(int argc, char **argv)
{
	const struct command *command;

	while (argc > 1 && (!strcmp(argv[1], "--verbose") || !strcmp(argv[1], "-v"))) {
		log_set_level(LOG_LEVEL_INFO);
		argc--, argv++;
	}
	if (argc < 2) {
		log_error("a command is missing; see miglab --help");
		return 2;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return help(argc - 2, argv + 2);
	if (!strcmp(argv[1], "--version"))
		return version(argc - 2, argv + 2);
	if (argv[1][0] == '-') {
		log_error("there is no option \"%s\" before the command; see miglab --help",
			  argv[1]);
		return 2;
	}
	command = find(argv[1]);
	return command ? run(command, argc - 1, argv + 1) : 2;
}
