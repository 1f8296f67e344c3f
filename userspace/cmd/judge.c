// SPDX-License-Identifier: GPL-2.0-only
/* miglab judge: options of judge/judge.h. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupts.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "device/pci.h"
#include "judge/contract_lines.h"
#include "judge/judge.h"
#include "report/results.h"

#define TARGETS_MAX	64
#define SECONDS_MAX	86400
#define EXPECT_MAX	1000
#define LEAD_MAX	86400000	/* ms */
#define DOWNTIME_MAX	86400000	/* ms */

static const char usage[] =
	"Usage: miglab judge --qmp unix:PATH --device ID=BDF|UUID|emu [--device ..] [OPTION..]\n"
	"       miglab judge --list\n"
	"\n"
	"Says of each PRE_COPY -> PRE_COPY_P2P transition of the devices whether the VMM's\n"
	"pre-copy-p2p-prepare event came before it. Ends with the migration. The first line\n"
	"on stdout says that it listens, the last one what it comes to.\n"
	"\n"
	"  --qmp unix:PATH   a QMP socket of the VMM that nobody else uses\n"
	"  --device ID=BDF   the VMM's device ID is the PCI function BDF, whose driver may be\n"
	"                    anybody's; ID=UUID: a mediated device; ID=emu: it is emulated in\n"
	"                    the VMM, miglab run\n"
	"  --hold            hold these transitions while it judges, and release each when its\n"
	"                    event is here: the verdict then does not hang on how soon the\n"
	"                    judge is scheduled. One that is not announced is held for 5 s and\n"
	"                    fails with ETIMEDOUT, and with it, in most VMMs, the migration.\n"
	"                    The hold ends with the judge, however that ends\n"
	"  --release         release an arc that the rules hold, once its prepare event is here\n"
	"  --max-lead MS     an event longer before its transition is too early (5000);\n"
	"                    0: none is\n"
	"  --expect N        each device makes exactly N such transitions\n"
	"  --any-process     do not mind that another process than the one that serves the QMP\n"
	"                    socket makes the transitions\n"
	"  --timeout S       wait S seconds for the VMM, then S for the migration (120)\n"
	"  --keep-events     do not enable the VMM's migration capability \"events\"\n"
	"  --print           print the events as they come\n"
	"  --long            longer lines: what was measured besides\n"
	"  --json            one JSON object a line\n"
	"\n"
	"The other promises of a VMM, each with a verdict (vmm-contract.rst); any of these\n"
	"options wants them, and then they decide the exit status:\n"
	"  --contract        all of them, in lines behind those of the transitions\n"
	"  --only IDS        these: p2p-barrier,recovery\n"
	"  --skip IDS        all but these\n"
	"  --max-downtime MS how long the devices may be deaf\n"
	"  --format F        ktap or junit: a report, and nothing else on stdout\n"
	"  --list            says what they are, and judges nothing\n"
	"\n"
	"Exit status:\n"
	"   0  every device made such transitions, and each was announced in time\n"
	"   1  one was not, or an expected one was not made\n"
	"   2  bad usage: an option, a function or a device ID that is not there\n"
	"   3  it could not judge: no VMM, a function that is not bound, a device without\n"
	"      events, a migration that did not end, INCONCLUSIVE\n"
	"  77  N/A: a device made no such transition, so nothing was judged\n";

enum option_id {
	OPT_QMP = 1,
	OPT_DEVICE,
	OPT_RELEASE,
	OPT_HOLD,
	OPT_MAX_LEAD,
	OPT_EXPECT,
	OPT_ANY_PROCESS,
	OPT_TIMEOUT,
	OPT_KEEP_EVENTS,
	OPT_PRINT,
	OPT_LONG,
	OPT_JSON,
	OPT_CONTRACT,
	OPT_ONLY,
	OPT_SKIP,
	OPT_MAX_DOWNTIME,
	OPT_FORMAT,
	OPT_LIST,
};

static const struct option options[] = {
	{ "qmp", required_argument, NULL, OPT_QMP },
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "release", no_argument, NULL, OPT_RELEASE },
	{ "hold", no_argument, NULL, OPT_HOLD },
	{ "max-lead", required_argument, NULL, OPT_MAX_LEAD },
	{ "expect", required_argument, NULL, OPT_EXPECT },
	{ "any-process", no_argument, NULL, OPT_ANY_PROCESS },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "keep-events", no_argument, NULL, OPT_KEEP_EVENTS },
	{ "print", no_argument, NULL, OPT_PRINT },
	{ "long", no_argument, NULL, OPT_LONG },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "contract", no_argument, NULL, OPT_CONTRACT },
	{ "only", required_argument, NULL, OPT_ONLY },
	{ "skip", required_argument, NULL, OPT_SKIP },
	{ "max-downtime", required_argument, NULL, OPT_MAX_DOWNTIME },
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "list", no_argument, NULL, OPT_LIST },
	{ NULL, 0, NULL, 0 },
};

/* --- the report --------------------------------------------------------- */

static const struct report_format *format;
static struct report_totals totals;

/* KTAP begins here, and what waits for that sees it; JUnit is printed at the end. */
static void begin_report(const char *qmp, size_t rules)
{
	format->begin(qmp, rules);
	fflush(stdout);
	if (format == &junit_format)
		log_warn("listening: %s", qmp);
}

/* What decides nothing is no pass: such a report has a failure in this place. */
static void report_line(const struct contract_line *line, bool skipped)
{
	static const enum report_verdict verdicts[] = {
		[VERDICT_PASS] = REPORT_PASSED,
		[VERDICT_FAIL] = REPORT_FAILED,
		[VERDICT_OPEN] = REPORT_FAILED,
		[VERDICT_NONE] = REPORT_SKIPPED,
	};
	enum report_verdict verdict = skipped ? REPORT_SKIPPED : verdicts[line->outcome];
	char text[CONTRACT_TEXT_MAX + 16];

	snprintf(text, sizeof(text), "%s%s",
		 !skipped && line->outcome == VERDICT_OPEN ? "inconclusive: " : "",
		 skipped ? "--skip" : line->text);
	totals.passed += verdict == REPORT_PASSED;
	totals.failed += verdict == REPORT_FAILED;
	totals.skipped += verdict == REPORT_SKIPPED;
	format->row(&(struct report_row){
		.group = "contract", .name = line->rule->id, .verdict = verdict, .text = text,
	});
}

static void end_report(const char *broken)
{
	totals.broken = broken;
	format->end(&totals);
}

static const struct judge_listener listener = { begin_report, report_line, end_report };

static int set_format(const char *name, struct judge_options *opt, struct error *err)
{
	int ret = report_format_find(name, &format, err);

	if (!ret)
		opt->contract.listener = &listener;
	return ret;
}

/* --- options ---------------------------------------------------------------- */

/* Are both the same device, however they are written? */
static bool is_same_place(const char *a, const char *b)
{
	char one[SYSFS_NAME_SIZE], other[SYSFS_NAME_SIZE];

	return !pci_or_mdev_parse(a, one, NULL) && !pci_or_mdev_parse(b, other, NULL) &&
	       !strcmp(one, other);
}

/* "ID=WHERE": @text is cut in two. */
static int add_target(char *text, struct witness_target *targets, size_t *count,
		      struct error *err)
{
	char *where = strchr(text, '='), name[SYSFS_NAME_SIZE];
	size_t i;

	if (!where || where == text || !where[1])
		return error_set(err, -EINVAL, "--device %s: give ID=BDF, such as "
				 "vf0=0000:01:00.0, ID=UUID or ID=emu", text);
	*where++ = '\0';
	if (strcmp(where, "emu") && pci_or_mdev_parse(where, name, err))
		return error_prefix(err, -EINVAL, "--device %s", text);
	for (i = 0; i < *count; i++)
		if (!strcmp(targets[i].id, text) || is_same_place(targets[i].where, where))
			return error_set(err, -EINVAL, "--device %s=%s is given twice", text,
					 where);
	if (*count == TARGETS_MAX)
		return error_set(err, -EINVAL, "more than %d devices", TARGETS_MAX);
	targets[(*count)++] = (struct witness_target){ .id = text, .where = where };
	return 0;
}

/* One that wants the contract. */
static int parse_contract(int id, struct judge_options *opt, struct error *err)
{
	struct judge_contract *contract = &opt->contract;
	long number;
	int ret;

	contract->wanted = true;
	switch (id) {
	case OPT_ONLY:
		return contract_ids(optarg, contract->only, err);
	case OPT_SKIP:
		return contract_ids(optarg, contract->skip, err);
	case OPT_MAX_DOWNTIME:
		ret = cmd_number("--max-downtime", optarg, 1, DOWNTIME_MAX, &number, err);
		if (!ret)
			contract->downtime_ns = number * NSEC_PER_MSEC;
		return ret;
	case OPT_FORMAT:
		return set_format(optarg, opt, err);
	}
	return 0;
}

static int parse_option(int id, struct judge_options *opt, struct witness_target *targets,
			struct error *err)
{
	long number = 0;
	int ret = 0;

	if (id >= OPT_CONTRACT)
		return parse_contract(id, opt, err);
	switch (id) {
	case OPT_QMP:
		opt->witness.qmp = optarg;
		break;
	case OPT_DEVICE:
		return add_target(optarg, targets, &opt->witness.target_count, err);
	case OPT_RELEASE:
		opt->witness.release = true;
		break;
	case OPT_HOLD:
		opt->witness.hold = true;
		opt->witness.release = true;
		break;
	case OPT_MAX_LEAD:
		ret = cmd_number("--max-lead", optarg, 0, LEAD_MAX, &number, err);
		opt->lead_ns = number * NSEC_PER_MSEC;
		break;
	case OPT_ANY_PROCESS:
		opt->witness.any_process = true;
		break;
	case OPT_EXPECT:
		ret = cmd_number("--expect", optarg, 0, EXPECT_MAX, &number, err);
		opt->expected = number;
		break;
	case OPT_TIMEOUT:
		ret = cmd_number("--timeout", optarg, 0, SECONDS_MAX, &number, err);
		opt->timeout_ns = number * NSEC_PER_SEC;
		break;
	case OPT_KEEP_EVENTS:
		opt->witness.keep_events = true;
		break;
	case OPT_PRINT:
		opt->print = true;
		break;
	case OPT_LONG:
		opt->long_lines = true;
		break;
	case OPT_JSON:
		opt->json = true;
		break;
	}
	return ret;
}

static int check_options(const struct judge_options *opt, struct error *err)
{
	if (!opt->witness.qmp || !opt->witness.target_count)
		return error_set(err, -EINVAL, "give --qmp and at least one --device; see miglab "
				 "judge --help");
	if (format && (opt->json || opt->print || opt->long_lines))
		return error_set(err, -EINVAL, "--format is all that is printed: give no --json, "
				 "--print or --long with it");
	return 0;
}

static int run_judge(int argc, char **argv)
{
	struct witness_target targets[TARGETS_MAX];
	struct judge_options opt = {
		.witness.targets = targets,
		.timeout_ns = 120 * NSEC_PER_SEC,
		.expected = -1,
		.lead_ns = VERDICT_LEAD_NS,
		.watch_interrupts = interrupts_watch,
	};
	struct error err;
	int id, ret = 0;

	while (!ret && (id = cmd_option(argc, argv, NULL)) != -1) {
		if (id == OPT_LIST) {
			contract_list(stdout);
			return 0;
		}
		ret = parse_option(id, &opt, targets, &err);
	}
	if (!ret)
		ret = check_options(&opt, &err);
	if (!ret) {
		signal(SIGPIPE, SIG_IGN);
		ret = judge_run(&opt, stdout, &err);
	}
	if (ret < 0)
		log_error("judge: %s", err.text);
	return cmd_status(ret);
}

const struct command command_judge = {
	.name = "judge",
	.args = "--qmp URI --device ID=BDF.. [OPTION..]",
	.what = "the verdict on any VMM",
	.usage = usage,
	.options = options,
	.repeats = "device",
	.operands = 0,
	.run = run_judge,
};
