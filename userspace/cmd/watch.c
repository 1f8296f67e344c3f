// SPDX-License-Identifier: GPL-2.0-only
/* miglab watch: options of witness/watch.h. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interrupts.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "device/pci.h"
#include "witness/watch.h"

#define DEVICES_MAX	64
#define SECONDS_MAX	86400

static const char usage[] =
	"Usage: miglab watch [--device NAME..] [--record FILE] [--timeout S] [--json]\n"
	"\n"
	"Shows each migration arc of VFIO devices as it ends, whoever the VMM and the driver\n"
	"are: when, by which process, how long, and whether it failed; at the end how long\n"
	"each device was deaf, and the group. The kernel's trace is the witness; no module is\n"
	"needed, but root, tracefs and a kernel with FPROBE_EVENTS and BTF (Linux 6.9 or\n"
	"newer). Ends with Ctrl-C.\n"
	"\n"
	"  --device NAME   only this device: a BDF, or the UUID of a mediated device\n"
	"  --record FILE   write a recording, too: a text without addresses and payload\n"
	"  --timeout S     end by itself after S seconds\n"
	"  --json          one JSON object a line\n"
	"\n"
	"Exit status: 0 watched, 1 the kernel lost lines, 2 bad usage, 3 could not watch,\n"
	"77 there was no arc.\n";

enum { OPT_DEVICE = 1, OPT_RECORD, OPT_TIMEOUT, OPT_JSON };

static const struct option options[] = {
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "record", required_argument, NULL, OPT_RECORD },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "json", no_argument, NULL, OPT_JSON },
	{ }
};

/* A device of PCI by its whole address, a mediated one by its UUID, any other one by its name. */
static int add_device(char *text, const char **devices, char names[][SYSFS_NAME_SIZE],
		      size_t *count, struct error *err)
{
	if (*count == DEVICES_MAX)
		return error_set(err, -EINVAL, "more than %d devices", DEVICES_MAX);
	devices[*count] = pci_or_mdev_parse(text, names[*count], NULL) ? text : names[*count];
	(*count)++;
	return 0;
}

static int run_watch(int argc, char **argv)
{
	const char *devices[DEVICES_MAX];
	char names[DEVICES_MAX][SYSFS_NAME_SIZE];
	struct watch_options opt = { .devices = devices, .interrupt_fd = -1 };
	struct error err;
	long seconds = 0;
	int id, ret = 0;

	while (!ret && (id = cmd_option(argc, argv, NULL)) != -1) {
		switch (id) {
		case OPT_DEVICE:
			ret = add_device(optarg, devices, names, &opt.device_count, &err);
			break;
		case OPT_RECORD:
			opt.record = optarg;
			break;
		case OPT_TIMEOUT:
			ret = cmd_number("--timeout", optarg, 1, SECONDS_MAX, &seconds, &err);
			opt.timeout_ns = seconds * NSEC_PER_SEC;
			break;
		case OPT_JSON:
			opt.json = true;
			break;
		}
	}
	if (!ret) {
		signal(SIGPIPE, SIG_IGN);
		opt.interrupt_fd = interrupts_watch();
		ret = watch_run(&opt, stdout, &err);
		if (opt.interrupt_fd >= 0)
			close(opt.interrupt_fd);
	}
	if (ret < 0)
		log_error("watch: %s", err.text);
	return cmd_status(ret);
}

const struct command command_watch = {
	.name = "watch",
	.args = "[--device NAME..] [OPTION..]",
	.what = "the arcs of any driver as they happen, and how long devices were deaf",
	.usage = usage,
	.options = options,
	.repeats = "device",
	.operands = 0,
	.run = run_watch,
};
