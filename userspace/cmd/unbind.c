// SPDX-License-Identifier: GPL-2.0-only
/* miglab unbind: options of unbind_function(). */
#include <getopt.h>
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
	{ "help", no_argument, NULL, 'h' },
	{ }
};

int cmd_unbind(int argc, char **argv)
{
	struct error err;
	int id, ret;

	while ((id = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (id == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		log_error("unbind: see miglab unbind --help");
		return 2;
	}
	if (optind + 1 != argc) {
		log_error("unbind: give one PCI address, like 0000:01:00.0");
		return 2;
	}
	ret = unbind_function(argv[optind], &err);
	if (ret)
		log_error("unbind: %s", err.text);
	return cmd_status(ret);
}
