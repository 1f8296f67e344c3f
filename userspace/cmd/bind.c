// SPDX-License-Identifier: GPL-2.0-only
/* miglab bind: options of bind_function(). */
#include <stdio.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "device/bind.h"
#include "device/kernel.h"

static const char usage[] =
	"Usage: miglab bind BDF [--profile P] [--model M]\n"
	"\n"
	"Makes miglab_vfio_pci the driver of the PCI function BDF, through driver_override,\n"
	"and remembers the driver that it had, for miglab unbind. Loads the module when it\n"
	"is not loaded. Refuses a function that is in use. One that is bound already gets\n"
	"another profile or model, which count from its next open on.\n"
	"\n"
	"  --profile P   what the device can do: full, no-p2p, no-precopy, stop-copy\n"
	"  --model M     what it migrates: synthetic; edu, of a function 1234:11e8; bar, the\n"
	"                memory of its largest prefetchable BAR, or bar:N, of BAR N\n";

static const struct option options[] = {
	{ "profile", required_argument, NULL, 'p' },
	{ "model", required_argument, NULL, 'm' },
	{ }
};

static int run_bind(int argc, char **argv)
{
	const char *profile = NULL, *model = NULL;
	struct error err;
	int id, ret;

	while ((id = cmd_option(argc, argv, NULL)) != -1) {
		switch (id) {
		case 'p':
			profile = optarg;
			break;
		case 'm':
			model = optarg;
			break;
		}
	}
	if (optind + 1 != argc) {
		log_error("bind: give one PCI address, like 0000:01:00.0");
		return 2;
	}
	ret = bind_function(argv[optind], profile, model, &err);
	if (ret)
		log_error("bind: %s", err.text);
	else if (!kernel_is_safe(&err))
		log_warn("bind: %s", err.text);
	return cmd_status(ret);
}

const struct command command_bind = {
	.name = "bind",
	.args = "BDF [--profile P] [--model M]",
	.what = "give a function to miglab_vfio_pci",
	.usage = usage,
	.options = options,
	.operands = 1,
	.run = run_bind,
};
