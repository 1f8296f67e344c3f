// SPDX-License-Identifier: GPL-2.0-only
/* miglab conform: options of conform/suite.h. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "conform/suite.h"
#include "report/results.h"

static const char usage[] =
	"Usage: miglab conform DEV [--format ktap|junit] [--only IDS] [--skip IDS]\n"
	"                          [--destructive] [--keep-rules] [--time-limit S]\n"
	"       miglab conform DEV --walk N [--seed S] [--destructive] [--keep-rules]\n"
	"                          [--time-limit S]\n"
	"       miglab conform --list | --mutants\n"
	"\n"
	"Runs the contract of a VFIO migration driver, assertion by assertion, against\n"
	"DEV, whose driver may be anybody's. The device is reset many times.\n"
	"\n"
	"  --list          every case: id, class, needs, requirement; runs none\n"
	"  --mutants       the defects that emu:mutant=NAME has, each with the id of its case\n"
	"  --format F      ktap (the default) or junit\n"
	"  --only IDS      these cases: 1-9,13\n"
	"  --skip IDS      all but these\n"
	"  --destructive   those, too, that take the host down if the driver is wrong, or\n"
	"                  if the kernel is not known to refuse STOP_COPY -> PRE_COPY\n"
	"  --keep-rules    leave the rules of miglab's own devices in force\n"
	"  --time-limit S  seconds that one call may take, and a pause between two; 60\n"
	"  --walk N        instead of the cases, N random calls that the model explains\n"
	"  --seed S        of the walk; 1\n"
	"\n"
	"Exit status: 0 none failed, 1 one did, 2 bad usage or no device that can be tested,\n"
	"3 it could not be run or put back as it was, 77 nothing was judged, 128+N signal N.\n";

/* Up to SKIP they are of the cases, and a walk has no use for them. */
enum { FORMAT = 1, ONLY, SKIP, DESTROY, KEEP_RULES, TIME_LIMIT, WALK, SEED, LIST, MUTANTS };

static const struct option options[] = {
	{ "format", required_argument, NULL, FORMAT },
	{ "only", required_argument, NULL, ONLY },
	{ "skip", required_argument, NULL, SKIP },
	{ "destructive", no_argument, NULL, DESTROY },
	{ "keep-rules", no_argument, NULL, KEEP_RULES },
	{ "time-limit", required_argument, NULL, TIME_LIMIT },
	{ "walk", required_argument, NULL, WALK },
	{ "seed", required_argument, NULL, SEED },
	{ "list", no_argument, NULL, LIST },
	{ "mutants", no_argument, NULL, MUTANTS },
	{ }
};

static const struct report_format *format = &ktap_format;

static void begin_report(const char *spec, size_t cases)
{
	format->begin(spec, cases);
}

static void report_outcome(const struct conform_outcome *outcome)
{
	static const enum report_verdict verdicts[] = {
		[CONFORM_PASSED] = REPORT_PASSED,
		[CONFORM_FAILED] = REPORT_FAILED,
		[CONFORM_SKIPPED] = REPORT_SKIPPED,
	};
	char name[64];

	snprintf(name, sizeof(name), "%u.%s", outcome->tested->id, outcome->tested->name);
	format->row(&(struct report_row){
		.group = outcome->subject,
		.name = name,
		.verdict = verdicts[outcome->verdict],
		.text = outcome->text,
		.ns = outcome->ns,
	});
}

static void end_report(const unsigned int counts[CONFORM_SKIPPED + 1], const char *broken)
{
	format->end(&(struct report_totals){
		.passed = counts[CONFORM_PASSED],
		.failed = counts[CONFORM_FAILED],
		.skipped = counts[CONFORM_SKIPPED],
		.broken = broken,
	});
}

static const struct conform_listener listener = { begin_report, report_outcome, end_report };

struct request {
	struct conform_options conform;
	long walk, seed;	/* 0, -1: not given */
	const char *of_cases;	/* the option that is, if one was given */
	void (*print)(void);	/* instead of a run */
};

static int take_option(int id, struct request *r, struct error *err)
{
	long limit;
	int ret = 0;

	switch (id) {
	case FORMAT:
		return report_format_find(optarg, &format, err);
	case ONLY:
		return conform_ids(optarg, r->conform.only, err);
	case SKIP:
		return conform_ids(optarg, r->conform.skip, err);
	case DESTROY:
		r->conform.destructive = true;
		return 0;
	case KEEP_RULES:
		r->conform.keep_rules = true;
		return 0;
	case TIME_LIMIT:
		ret = cmd_number("--time-limit", optarg, 1, 3600, &limit, err);
		if (!ret)
			r->conform.limit_s = limit;
		return ret;
	case WALK:
		return cmd_number("--walk", optarg, 1, 1000000000, &r->walk, err);
	case SEED:
		return cmd_number("--seed", optarg, 0, 1000000000, &r->seed, err);
	case LIST:
		r->print = conform_list;
		return 0;
	case MUTANTS:
		r->print = conform_mutants;
		return 0;
	}
	return 0;
}

static int parse(int argc, char **argv, struct request *r, struct error *err)
{
	int id, index, ret;

	while ((id = cmd_option(argc, argv, &index)) != -1) {
		ret = take_option(id, r, err);
		if (ret)
			return ret;
		if (id <= SKIP)
			r->of_cases = options[index].name;
	}
	if (r->print)
		return 0;
	if (optind + 1 != argc)
		return error_set(err, -EINVAL, "give one DEV; see miglab conform --help");
	if (r->seed >= 0 && !r->walk)
		return error_set(err, -EINVAL, "--seed is of a walk: give --walk N too");
	if (r->walk && r->of_cases)
		return error_set(err, -EINVAL, "--%s is of the cases, and a walk runs none",
				 r->of_cases);
	r->conform.spec = argv[optind];
	return 0;
}

static int run_conform(int argc, char **argv)
{
	struct request r = { .conform = { .listener = &listener, .limit_s = 60 }, .seed = -1 };
	struct error err = { "" };
	int ret = parse(argc, argv, &r, &err);

	if (!ret && r.print)
		r.print();
	else if (!ret && r.walk)
		ret = conform_walk(&r.conform, r.walk, r.seed < 0 ? 1 : r.seed, &err);
	else if (!ret)
		ret = conform_run(&r.conform, &err);
	if (*err.text)
		log_error("conform: %s", err.text);
	return ret == -EOPNOTSUPP ? 2 : cmd_status(ret);
}

const struct command command_conform = {
	.name = "conform",
	.args = "DEV [OPTION..]",
	.what = "the contract of a migration driver, assertion by assertion",
	.usage = usage,
	.options = options,
	.operands = 1,
	.run = run_conform,
};
