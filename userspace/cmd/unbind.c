// SPDX-License-Identifier: GPL-2.0-only
/* miglab unbind: options of unbind_function(). */
#include <stdio.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "device/bind.h"

static const char usage[] =
	"Usage: miglab unbind BDF\n"
	"\n"
	"Takes the PCI function BDF from miglab_vfio_pci and gives it back to the driver that\n"
	"it had before miglab bind. Refuses a function that is in use.\n";

static const struct option options[] = {
	{ }
};

static int run_unbind(int argc, char **argv)
{
	struct error err;
	int ret;

	cmd_option(argc, argv, NULL);
	if (optind + 1 != argc) {
		log_error("unbind: give one PCI address, like 0000:01:00.0");
		return 2;
	}
	ret = unbind_function(argv[optind], &err);
	if (ret)
		log_error("unbind: %s", err.text);
	return cmd_status(ret);
}

const struct command command_unbind = {
	.name = "unbind",
	.args = "BDF",
	.what = "give it back to the driver it had",
	.usage = usage,
	.options = options,
	.operands = 1,
	.run = run_unbind,
};
