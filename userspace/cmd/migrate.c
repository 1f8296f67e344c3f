// SPDX-License-Identifier: GPL-2.0-only
/* miglab migrate: options of vmm/pair.h. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
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
	"went: the transition to PRE_COPY_P2P, the downtime, whether the state arrived, whether\n"
	"pre-copy-p2p-prepare came in time, who runs and in which state each device is. The\n"
	"last line is the verdict on the whole: PASS, FAIL, or N/A when it was not tried.\n"
	"\n"
	"  --from, --to DEV   vfio:BDF or vfio:UUID, perhaps with ,via=group or ,via=cdev, or\n"
	"                     emu[:key=value,..]; the first --from goes to the first --to, and\n"
	"                     so on\n"
	"  --to discard       check the stream and throw it away, for a device that is alone\n"
	"  --policy P         the order of transitions: qemu (as QEMU 11.1, the default), or\n"
	"                     group (all devices together)\n"
	"  --no-prepare       send no pre-copy-p2p-prepare, which the judge must notice\n"
	"  --ram SIZE         memory that moves with the devices; see miglab run --help\n"
	"  --workload W       what keeps the devices busy, and checks them on the other side\n"
	"  --downtime-limit MS  how long the machine may stand for what is left (300)\n"
	"  --bandwidth RATE   bytes per second, with K, M or G behind it, by which the source\n"
	"                     reckons how long that takes, instead of what it measures\n"
	"  --expect N         transitions to PRE_COPY_P2P of each device (1, and none of a\n"
	"                     device whose flags have no PRE_COPY or no P2P)\n"
	"  --timeout S        for the whole (120), and at most 40 s more for its end\n"
	"  --report DIR       write summary.txt, timeline.svg and trace.json there\n"
	"  --connection-timeout MS  to be drawn in the report: when a connection that is\n"
	"                     cut off with its device gives up (60); 0: none\n"
	"  --json             one JSON object instead of lines\n"
	"\n"
	"Exit status: 0 completed, equal and announced in time, as far as there was something to\n"
	"compare and to announce; 1 not so, or cancelled; 2 bad usage; 3 could not be tried to\n"
	"its end, or interrupted.\n";

enum {
	OPT_FROM = 1, OPT_TO, OPT_POLICY, OPT_NO_PREPARE, OPT_EXPECT, OPT_TIMEOUT, OPT_REPORT,
	OPT_CONNECTION_TIMEOUT, OPT_DOWNTIME_LIMIT, OPT_BANDWIDTH, OPT_RAM, OPT_WORKLOAD,
	OPT_JSON
};

static const struct option options[] = {
	{ "from", required_argument, NULL, OPT_FROM },
	{ "to", required_argument, NULL, OPT_TO },
	{ "policy", required_argument, NULL, OPT_POLICY },
	{ "no-prepare", no_argument, NULL, OPT_NO_PREPARE },
	{ "ram", required_argument, NULL, OPT_RAM },
	{ "workload", required_argument, NULL, OPT_WORKLOAD },
	{ "downtime-limit", required_argument, NULL, OPT_DOWNTIME_LIMIT },
	{ "bandwidth", required_argument, NULL, OPT_BANDWIDTH },
	{ "expect", required_argument, NULL, OPT_EXPECT },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "report", required_argument, NULL, OPT_REPORT },
	{ "connection-timeout", required_argument, NULL, OPT_CONNECTION_TIMEOUT },
	{ "json", no_argument, NULL, OPT_JSON },
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
	bool timed;		/* @timeout_ns was given */
	uint64_t timeout_ns;	/* of a connection */
};

/* The source takes it as a signed number. */
static int parse_bandwidth(uint64_t *ret, struct error *err)
{
	int code = cmd_size("--bandwidth", optarg, ret, err);

	if (!code && (!*ret || *ret > INT64_MAX))
		code = error_set(err, -EINVAL,
				 "--bandwidth %s: give bytes per second, such as 100M", optarg);
	return code;
}

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
		if (!policy_find(optarg) || policy_find(optarg)->stop_copy_only)
			ret = error_set(err, -EINVAL, "--policy %s: there are qemu and group, "
					"with a transition to judge", optarg);
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
	case OPT_BANDWIDTH:
		ret = parse_bandwidth(&opt->bandwidth, err);
		break;
	case OPT_JSON:
		opt->json = true;
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
		report->timed = true;
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

/* Errors of writing stay in stdout. */
static void print_json(const struct outcome *o, const char *report_dir)
{
	struct json_object *object = outcome_json(o);

	if (report_dir)
		json_object_object_add(object, "report", json_object_new_string(report_dir));
	printf("%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
							     JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

/* What was not begun has its sentence on stderr, and nothing to be told. */
static void print_text(const struct outcome *o, const char *report_dir)
{
	struct error line;

	if (!o->begun)
		return;
	outcome_text(o, stdout);
	if (report_dir)
		printf("report: %s/summary.txt, timeline.svg and trace.json\n", report_dir);
	outcome_last_line(o, &line);
	puts(line.text);
}

/* @report_dir: where a report is now; NULL: nowhere. 0 or -errno. */
static int print_outcome(const struct pair_options *opt, const struct outcome *o,
			 const char *report_dir, struct error *err)
{
	if (opt->json)
		print_json(o, report_dir);
	else
		print_text(o, report_dir);
	return fflush(stdout) ? error_set(err, -errno, "the result cannot be written: %s",
					  strerror(errno)) : 0;
}

/* 0, or what to say instead of the outcome's own status. */
static int write_report(struct report *report, const struct outcome *o, struct error *err)
{
	struct error verdict;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int ret = -ENOMEM;

	if (out) {
		outcome_text(o, out);
		ret = fclose(out) ? -ENOMEM : 0;
	}
	outcome_last_line(o, &verdict);
	ret = ret ? error_set(err, ret, "no memory for the report") :
		    report_write(report, verdict.text, text, err);
	free(text);
	return ret;
}

/*
 * A migration that could not be tried to its end is no reason to lose what is known of it.
 *
 * Return: the status, or negative errno.
 */
static int migrate(struct pair_options *opt, struct report *report, const char *dir,
		   struct outcome *o, struct error *err)
{
	int ret = pair_migrate(opt, o, err), other = 0;
	struct error why;

	if (report && o->begun)
		other = write_report(report, o, &why);
	if (!other)
		other = print_outcome(opt, o, report && o->begun ? dir : NULL, &why);
	if (!ret && other)
		*err = why;
	if (ret || other)
		return ret ?: other;
	return outcome_result(o, &why) != OUTCOME_PASS;
}

static int open_report(const struct pair_options *opt, const struct report_options *want,
		       struct report **ret_report, struct error *err)
{
	int ret = report_open(want->dir, want->timeout_ns, ret_report, err);

	if (ret)
		return ret;
	for (unsigned int i = 0; !ret && i < opt->count; i++)
		ret = report_device(*ret_report, opt->from[i], opt->to[i]);
	if (ret) {
		report_free(*ret_report);
		return error_set(err, ret, "no memory for the report");
	}
	return 0;
}

static int migrate_and_report(struct pair_options *opt, const struct report_options *want,
			      struct error *err)
{
	struct pair_observer observer = {
		.begin = on_begin, .event = on_event, .history = on_history,
	};
	struct outcome *o = calloc(1, sizeof(*o));
	struct report *report = NULL;
	int ret;

	if (!o)
		return error_set(err, -ENOMEM, "no memory for a migration");
	ret = want->dir ? open_report(opt, want, &report, err) : 0;
	if (!ret) {
		observer.opaque = report;
		opt->observer = report ? &observer : NULL;
		ret = migrate(opt, report, want->dir, o, err);
		report_free(report);
	}
	outcome_cleanup(o);
	free(o);
	return ret;
}

static int run_migrate(int argc, char **argv)
{
	struct devices from = { .count = 0 }, to = { .count = 0 };
	struct pair_options opt = {
		.from = from.dev,
		.to = to.dev,
		.policy = "qemu",
		.downtime_ms = -1,
		.expect = -1,
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
	if (!ret && report.timed && !report.dir)
		ret = error_set(&err, -EINVAL, "--connection-timeout is drawn in the report; "
				"give --report DIR, too");
	if (!ret)
		ret = migrate_and_report(&opt, &report, &err);
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
