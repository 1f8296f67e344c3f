// SPDX-License-Identifier: GPL-2.0-only
/* miglab migrate: options of vmm/pair.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "device/discard.h"
#include "report/report.h"
#include "vmm/coordinator.h"
#include "vmm/pair.h"

#define SECONDS_MAX	86400
#define EXPECT_MAX	1000
#define DOWNTIME_MS_MAX	2000000	/* as QEMU's */

/* What soft-RoCE connections of timeout 12 (16.8 ms) and two retries were seen to last. */
#define CONNECTION_MS	60

static const char usage[] =
	"Usage: miglab migrate --from DEV --to DEV|discard [--from DEV --to DEV ..] [OPTION..]\n"
	"\n"
	"Starts a source, a destination and a judge, migrates the devices, and says how it\n"
	"went: the transition to PRE_COPY_P2P, the downtime, whether the state arrived, and\n"
	"whether pre-copy-p2p-prepare came in time.\n"
	"\n"
	"  --from, --to DEV   vfio:BDF[,via=group|cdev] or emu[:key=value,..]; the first\n"
	"                     --from goes to the first --to, and so on\n"
	"  --to discard       check the stream and throw it away, for a device that is alone\n"
	"  --policy P         the order of transitions: qemu (as QEMU 11.1, the default), or\n"
	"                     group (all devices together)\n"
	"  --no-prepare       send no pre-copy-p2p-prepare, which the judge must notice\n"
	"  --ram SIZE         memory that moves with the devices; see miglab run --help\n"
	"  --workload W       what keeps the devices busy, and checks them on the other side\n"
	"  --downtime-limit MS  how long the machine may stand for what is left (300)\n"
	"  --expect N         transitions to PRE_COPY_P2P of each device (1)\n"
	"  --timeout S        for the whole (120)\n"
	"  --report DIR       write summary.txt, timeline.svg and trace.json there\n"
	"  --connection-timeout MS  to be drawn in the report: when a connection that is\n"
	"                     cut off with its device gives up (60); 0: none\n"
	"\n"
	"Exit status: 0 completed, equal and announced in time; 1 not so; 2 bad usage;\n"
	"3 could not be tried.\n";

enum {
	OPT_FROM = 1, OPT_TO, OPT_POLICY, OPT_NO_PREPARE, OPT_EXPECT, OPT_TIMEOUT, OPT_REPORT,
	OPT_CONNECTION_TIMEOUT, OPT_DOWNTIME_LIMIT, OPT_RAM, OPT_WORKLOAD
};

static const struct option options[] = {
	{ "from", required_argument, NULL, OPT_FROM },
	{ "to", required_argument, NULL, OPT_TO },
	{ "policy", required_argument, NULL, OPT_POLICY },
	{ "no-prepare", no_argument, NULL, OPT_NO_PREPARE },
	{ "ram", required_argument, NULL, OPT_RAM },
	{ "workload", required_argument, NULL, OPT_WORKLOAD },
	{ "downtime-limit", required_argument, NULL, OPT_DOWNTIME_LIMIT },
	{ "expect", required_argument, NULL, OPT_EXPECT },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "report", required_argument, NULL, OPT_REPORT },
	{ "connection-timeout", required_argument, NULL, OPT_CONNECTION_TIMEOUT },
	{ 0 },
};

struct devices {
	const char *dev[VMM_DEVICES_MAX];
	unsigned int count;
};

static int add_device(struct devices *d, const char *dev, struct error *err)
{
	if (d->count == VMM_DEVICES_MAX)
		return error_set(err, -EINVAL, "more than %d devices", VMM_DEVICES_MAX);
	d->dev[d->count++] = dev;
	return 0;
}

struct report_options {
	const char *dir;	/* NULL: no report */
	uint64_t timeout_ns;	/* of a connection */
};

static int parse_option(int id, struct pair_options *opt, struct report_options *report,
			struct devices *from, struct devices *to, struct error *err)
{
	long value = 0;
	int ret = 0;

	switch (id) {
	case OPT_FROM:
		return add_device(from, optarg, err);
	case OPT_TO:
		return add_device(to, optarg, err);
	case OPT_POLICY:
		opt->policy = optarg;
		if (!policy_find(optarg))
			ret = error_set(err, -EINVAL,
					"--policy %s is unknown; there are qemu and group", optarg);
		break;
	case OPT_NO_PREPARE:
		opt->no_prepare = true;
		break;
	case OPT_RAM:
		opt->ram = optarg;
		break;
	case OPT_WORKLOAD:
		opt->workload = optarg;
		break;
	case OPT_DOWNTIME_LIMIT:
		ret = cmd_number("--downtime-limit", optarg, 0, DOWNTIME_MS_MAX,
				 &opt->downtime_ms, err);
		break;
	case OPT_EXPECT:
		ret = cmd_number("--expect", optarg, 0, EXPECT_MAX, &value, err);
		opt->expect = value;
		break;
	case OPT_TIMEOUT:
		ret = cmd_number("--timeout", optarg, 1, SECONDS_MAX, &value, err);
		opt->timeout_ns = value * NSEC_PER_SEC;
		break;
	case OPT_REPORT:
		report->dir = optarg;
		break;
	case OPT_CONNECTION_TIMEOUT:
		ret = cmd_number("--connection-timeout", optarg, 0, SECONDS_MAX * 1000L, &value,
				 err);
		report->timeout_ns = value * NSEC_PER_MSEC;
		break;
	}
	return ret;
}

/* Pairs, and what is thrown away comes from one device. */
static int check_devices(const struct devices *from, const struct devices *to, struct error *err)
{
	if (!from->count || from->count != to->count)
		return error_set(err, -EINVAL,
				 "%u --from and %u --to: give at least one of each, and as many",
				 from->count, to->count);
	for (unsigned int i = 0; i < to->count; i++) {
		if (!strcmp(from->dev[i], DISCARD))
			return error_set(err, -EINVAL,
					 "--from " DISCARD " has no state; it is for --to only");
		if (!strcmp(to->dev[i], DISCARD) && to->count > 1)
			return error_set(err, -EINVAL,
					 "--to " DISCARD " is for one device and there are %u; "
					 "give one --from", to->count);
	}
	return 0;
}

static void on_begin(void *opaque)
{
	report_begin(opaque);
}

static void on_event(void *opaque, bool destination, const struct qmp_event *event)
{
	report_event(opaque, destination ? TIMELINE_DESTINATION : TIMELINE_SOURCE, event);
}

static void on_history(void *opaque, bool destination, unsigned int device, const char *text)
{
	report_history(opaque, destination ? TIMELINE_DESTINATION : TIMELINE_SOURCE, device, text);
}

/* A migration that could not be tried is no reason to lose what is known of it. */
static int migrate_and_report(struct pair_options *opt, const struct report_options *want,
			      struct error *err)
{
	struct pair_observer observer = {
		.begin = on_begin, .event = on_event, .history = on_history,
	};
	struct report *report;
	struct error why;
	int ret, written;

	ret = report_open(want->dir, want->timeout_ns, &report, err);
	if (ret)
		return ret;
	for (unsigned int i = 0; !ret && i < opt->count; i++)
		ret = report_device(report, opt->from[i], opt->to[i]);
	if (ret) {
		report_free(report);
		return error_set(err, ret, "no memory for the report");
	}
	observer.opaque = report;
	opt->observer = &observer;
	ret = pair_migrate(opt, stdout, err);
	written = report_write(report, &why);
	report_free(report);
	if (!written || ret < 0)
		return ret;
	*err = why;
	return written;
}

static int run_migrate(int argc, char **argv)
{
	struct devices from = { .count = 0 }, to = { .count = 0 };
	struct pair_options opt = {
		.from = from.dev,
		.to = to.dev,
		.policy = "qemu",
		.downtime_ms = -1,
		.expect = 1,
		.timeout_ns = 120 * NSEC_PER_SEC,
	};
	struct report_options report = { .timeout_ns = CONNECTION_MS * NSEC_PER_MSEC };
	struct error err;
	int id, ret = 0;

	while (!ret && (id = cmd_option(argc, argv, NULL)) != -1)
		ret = parse_option(id, &opt, &report, &from, &to, &err);
	opt.count = from.count;
	if (!ret)
		ret = check_devices(&from, &to, &err);
	if (!ret && report.dir)
		ret = migrate_and_report(&opt, &report, &err);
	else if (!ret)
		ret = pair_migrate(&opt, stdout, &err);
	if (ret < 0)
		log_error("migrate: %s", err.text);
	return cmd_status(ret);
}

const struct command command_migrate = {
	.name = "migrate",
	.args = "--from DEV --to DEV.. [OPTION..]",
	.what = "two runs and a judge",
	.usage = usage,
	.options = options,
	.repeats = "from to",
	.operands = 0,
	.run = run_migrate,
};
