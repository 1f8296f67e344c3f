// SPDX-License-Identifier: GPL-2.0-only
/*
 * miglab COMMAND ..
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/cmd.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *args;
	const char *what;
} commands[] = {
	{ "list", cmd_list, "[--json]",
	  "PCI functions, their drivers, whether and why (not) migratable" },
	{ "bind", cmd_bind, "BDF [--profile P] [--model M]",
	  "give a function to miglab_vfio_pci" },
	{ "unbind", cmd_unbind, "BDF",
	  "give it back to the driver it had" },
	{ "rules", cmd_rules, "BDF [RULE..]",
	  "show or replace its rules of delay, hold and failure" },
	{ "run", cmd_run, "--device DEV,id=ID.. --qmp URI [OPTION..]",
	  "own devices and migrate them, as a VMM does" },
	{ "migrate", cmd_migrate, "--from DEV --to DEV.. [OPTION..]",
	  "two runs and a judge" },
	{ "judge", cmd_judge, "--qmp URI --device ID=BDF.. [OPTION..]",
	  "the verdict on any VMM" },
	{ "guard", cmd_guard, "--qmp URI.. --device ID=AGENT.. [OPTION..]",
	  "a management application: suspends timeouts while a device is deaf" },
	{ "conform", cmd_conform, "DEV [OPTION..]",
	  "the contract of a migration driver, assertion by assertion" },
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(void)
{
	puts("Usage: miglab COMMAND [ARGUMENT..]\n");
	for (size_t i = 0; i < NR_COMMANDS; i++)
		printf("  %s %s\n        %s\n", commands[i].name, commands[i].args,
		       commands[i].what);
	puts("\n"
	     "DEV is vfio:BDF or emu[:key=value,..]. `miglab COMMAND --help` tells more.\n"
	     "\n"
	     "Exit status: 0 passed, 1 a check or a migration failed, 2 bad usage or input,\n"
	     "3 could not run, 77 skipped.");
}

/* A result that nobody could get is none. */
static int finish(int status)
{
	if (status > 1 || (!fflush(stdout) && !ferror(stdout)))
		return status;
	log_error("the output cannot be written");
	return 3;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		log_error("a command is missing; see miglab --help");
		return 2;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help();
		return finish(0);
	}
	if (!strcmp(argv[1], "--version")) {
		puts("miglab " MIGLAB_VERSION);
		return 0;
	}
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			return finish(commands[i].run(argc - 1, argv + 1));
	log_error("there is no command \"%s\"; see miglab --help", argv[1]);
	return 2;
}
