// SPDX-License-Identifier: GPL-2.0-only
/* miglab create: options of create_function(). */
#include <stdio.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "device/create.h"
#include "device/kernel.h"

static const char usage[] =
	"Usage: miglab create MODEL [--profile P] [--uuid UUID]\n"
	"\n"
	"Makes a PCI function that is software, a mediated device of miglab_mdev, and prints its\n"
	"UUID: vfio:UUID names it wherever a device is named. It needs no IOMMU and no hardware.\n"
	"Loads the module when it is not loaded. What the function can do never changes.\n"
	"\n"
	"MODEL is synthetic, a block of bytes that the function rewrites while it runs; edu, a\n"
	"function with the registers, DMA and interrupts of QEMU's edu; or mem, one with a BAR\n"
	"of memory.\n"
	"\n"
	"  --profile P   what its migration can do: full, no-p2p, no-precopy, stop-copy\n"
	"  --uuid UUID   its name; a random one by default\n";

static const struct option options[] = {
	{ "profile", required_argument, NULL, 'p' },
	{ "uuid", required_argument, NULL, 'u' },
	{ }
};

static int run_create(int argc, char **argv)
{
	const char *profile = "full", *wanted = NULL;
	char uuid[SYSFS_NAME_SIZE];
	struct error err;
	int id, ret;

	while ((id = cmd_option(argc, argv, NULL)) != -1) {
		switch (id) {
		case 'p':
			profile = optarg;
			break;
		case 'u':
			wanted = optarg;
			break;
		}
	}
	if (optind + 1 != argc) {
		log_error("create: give one model, like synthetic");
		return 2;
	}
	ret = create_function(argv[optind], profile, wanted, uuid, &err);
	if (ret) {
		log_error("create: %s", err.text);
		return cmd_status(ret);
	}
	puts(uuid);
	if (!kernel_is_safe(&err))
		log_warn("create: %s", err.text);
	return 0;
}

const struct command command_create = {
	.name = "create",
	.args = "MODEL [--profile P] [--uuid UUID]",
	.what = "make a function that is software",
	.usage = usage,
	.options = options,
	.operands = 1,
	.run = run_create,
};
