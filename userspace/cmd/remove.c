// SPDX-License-Identifier: GPL-2.0-only
/* miglab remove: options of remove_function(). */
#include <stdio.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "device/create.h"

static const char usage[] =
	"Usage: miglab remove UUID\n"
	"\n"
	"Removes a function that miglab create made. Refuses one that is in use.\n";

static const struct option options[] = {
	{ }
};

static int run_remove(int argc, char **argv)
{
	struct error err;
	int ret;

	cmd_option(argc, argv, NULL);
	if (optind + 1 != argc) {
		log_error("remove: give one UUID, as miglab create printed it");
		return 2;
	}
	ret = remove_function(argv[optind], &err);
	if (ret)
		log_error("remove: %s", err.text);
	return cmd_status(ret);
}

const struct command command_remove = {
	.name = "remove",
	.args = "UUID",
	.what = "remove a function that is software",
	.usage = usage,
	.options = options,
	.operands = 1,
	.run = run_remove,
};
