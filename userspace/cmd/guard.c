// SPDX-License-Identifier: GPL-2.0-only
/* miglab guard: options of guard/guard.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/interrupts.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "guard/guard.h"
#include "qmp/address.h"

#define SECONDS_MAX	86400

static const char usage[] =
	"Usage: miglab guard --qmp URI [--qmp URI ..] --device ID=AGENT [--device ..] [OPTION..]\n"
	"\n"
	"A management application: suspends the timeouts of a device's connections when\n"
	"pre-copy-p2p-prepare announces that it goes deaf, and restores them when it, or its\n"
	"successor at the destination, is running.\n"
	"\n"
	"  --qmp URI          a QMP socket of the source, and one of the destination: unix:PATH\n"
	"  --device ID=AGENT  the device-id of the events, and unix:PATH of the program that has\n"
	"                     its connections\n"
	"  --grace S          after a VMM vanished while timeouts are suspended, they stay so for\n"
	"                     S seconds, and are restored then (10)\n"
	"  --limit S          of any suspension (300)\n"
	"  --agent-timeout S  for an answer of an agent, which is asked anew then (2)\n"
	"  --timeout S        to wait for the sockets of VMMs and agents (30)\n"
	"\n"
	"Ends when all VMMs have, or with a signal.\n"
	"\n"
	"Exit status: 0 each suspension ended because the device ran again; 1 one did not, or an\n"
	"agent failed; 2 bad usage; 3 could not listen.\n";

enum { OPT_QMP = 1, OPT_DEVICE, OPT_GRACE, OPT_LIMIT, OPT_TIMEOUT, OPT_AGENT_TIMEOUT };

static const struct option options[] = {
	{ "qmp", required_argument, NULL, OPT_QMP },
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "grace", required_argument, NULL, OPT_GRACE },
	{ "limit", required_argument, NULL, OPT_LIMIT },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "agent-timeout", required_argument, NULL, OPT_AGENT_TIMEOUT },
	{ 0 },
};

/* "ID=AGENT": @text is cut in two. */
static int add_device(struct guard_options *opt, char *text, struct error *err)
{
	char *agent = strchr(text, '=');
	struct address ignored;
	int ret;

	if (!agent || agent == text || !agent[1])
		return error_set(err, -EINVAL,
				 "--device %s: give ID=AGENT, such as vf0=unix:/run/agent", text);
	ret = unix_address(agent + 1, &ignored, err);
	if (ret)
		return error_prefix(err, -EINVAL, "--device %s", text);
	*agent++ = '\0';
	for (size_t i = 0; i < opt->device_count; i++)
		if (!strcmp(opt->devices[i].id, text))
			return error_set(err, -EINVAL, "--device %s is given twice", text);
	if (opt->device_count == GUARD_DEVICES_MAX)
		return error_set(err, -EINVAL, "more than %d devices", GUARD_DEVICES_MAX);
	opt->devices[opt->device_count++] = (struct guard_device){ .id = text, .agent = agent };
	return 0;
}

static int add_vmm(struct guard_options *opt, const char *uri, struct error *err)
{
	struct address ignored;
	int ret = qmp_address_parse(uri, &ignored, err);

	if (ret)
		return error_prefix(err, -EINVAL, "--qmp");
	for (size_t i = 0; i < opt->vmm_count; i++)
		if (!strcmp(opt->qmp[i], uri))
			return error_set(err, -EINVAL, "--qmp %s is given twice", uri);
	if (opt->vmm_count == GUARD_VMMS_MAX)
		return error_set(err, -EINVAL, "more than %d VMMs", GUARD_VMMS_MAX);
	opt->qmp[opt->vmm_count++] = uri;
	return 0;
}

static int set_seconds(const char *name, uint64_t *ret_ns, struct error *err)
{
	long value = 0;
	int ret = cmd_number(name, optarg, 1, SECONDS_MAX, &value, err);

	if (!ret)
		*ret_ns = value * NSEC_PER_SEC;
	return ret;
}

static int parse_option(int id, struct guard_options *opt, struct error *err)
{
	switch (id) {
	case OPT_QMP:
		return add_vmm(opt, optarg, err);
	case OPT_DEVICE:
		return add_device(opt, optarg, err);
	case OPT_GRACE:
		return set_seconds("--grace", &opt->plan.grace_ns, err);
	case OPT_LIMIT:
		return set_seconds("--limit", &opt->plan.limit_ns, err);
	case OPT_AGENT_TIMEOUT:
		return set_seconds("--agent-timeout", &opt->answer_ns, err);
	case OPT_TIMEOUT:
		return set_seconds("--timeout", &opt->connect_ns, err);
	}
	return 0;
}

static int run_guard(int argc, char **argv)
{
	struct guard_options opt = {
		.plan = { .grace_ns = 10 * NSEC_PER_SEC, .limit_ns = 300 * NSEC_PER_SEC },
		.connect_ns = 30 * NSEC_PER_SEC,
		.answer_ns = 2 * NSEC_PER_SEC,
		.watch_interrupts = interrupts_watch,
	};
	struct error err;
	int id, ret = 0;

	while (!ret && (id = cmd_option(argc, argv, NULL)) != -1)
		ret = parse_option(id, &opt, &err);
	if (!ret && (!opt.vmm_count || !opt.device_count))
		ret = error_set(&err, -EINVAL,
				"give at least one --qmp and one --device; see miglab guard --help");
	if (!ret) {
		signal(SIGPIPE, SIG_IGN);
		ret = guard_run(&opt, STDOUT_FILENO, &err);
	}
	if (ret < 0)
		log_error("guard: %s", err.text);
	return cmd_status(ret);
}

const struct command command_guard = {
	.name = "guard",
	.args = "--qmp URI.. --device ID=AGENT.. [OPTION..]",
	.what = "a management application: suspends timeouts while a device is deaf",
	.usage = usage,
	.options = options,
	.repeats = "qmp device",
	.operands = 0,
	.run = run_guard,
};
