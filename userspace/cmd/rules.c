// SPDX-License-Identifier: GPL-2.0-only
/* miglab rules: the attribute rules of a real device. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/presets.h"
#include "core/fsm.h"
#include "core/rules.h"
#include "device/lab.h"
#include "witness/recording.h"
#include "witness/replay.h"

static const char usage[] =
	"Usage: miglab rules BDF|UUID [RULE..]\n"
	"       miglab rules BDF|UUID --preset NAME\n"
	"       miglab rules --preset list\n"
	"       miglab rules --from FILE [--device NAME]\n"
	"\n"
	"Without RULE shows the rules of the PCI function BDF, which is bound to\n"
	"miglab_vfio_pci, or of the one that miglab create made. With RULE replaces all of them at once, or none if one is bad;\n"
	"an empty RULE ('') leaves the device without rules. A preset is a set of rules.\n"
	"Warns of a rule that the device's profile leaves nothing to do.\n"
	"--from prints the arcs of a recording of miglab watch as rules, of the device NAME if\n"
	"it has several: as slow, and failing where they failed.\n"
	"\n"
	"  arc=PRE_COPY>PRE_COPY_P2P delay_us=300000 jitter_us=20000 seed=7\n"
	"  arc=PRE_COPY_P2P>STOP_COPY errno=EIO every=2 times=1 then=ERROR\n"
	"  arc=PRE_COPY>PRE_COPY_P2P hold limit_us=10000000\n"
	"  op=read short=1              op=write errno=ENOSPC\n"
	"  op=precopy_info garbage      op=data_size value=0\n"
	"  op=save corrupt=4096         op=load errno=EIO\n"
	"  op=reset errno=EIO           op=poll drop\n"
	"  op=dma slip=1                op=dma_record drop\n"
	"  op=dirty drop\n"
	"\n"
	"Quote each RULE: the shell knows '>' too.\n";

enum { OPT_PRESET = 1, OPT_FROM, OPT_DEVICE };

static const struct option options[] = {
	{ "preset", required_argument, NULL, OPT_PRESET },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ }
};

/* What is printed can be given back as rules: a '#' begins a comment. */
static int show(struct lab *lab, const char *bdf, struct error *err)
{
	char *text;
	int ret = lab->ops->read(lab, "rules", &text, err);

	if (ret)
		return ret;
	if (text[strspn(text, "\n")])
		fputs(text, stdout);
	else
		printf("# %s has no rules: nothing is slowed, held or failed\n", bdf);
	free(text);
	return 0;
}

/* The flags of the device's profile; all where it cannot be read. */
static uint32_t flags_of(struct lab *lab)
{
	uint32_t flags = MIGLAB_FLAGS_FULL;
	char *profile;

	if (!lab->ops->read(lab, "profile", &profile, NULL)) {
		miglab_profile_parse(profile, strcspn(profile, "\n"), &flags);
		free(profile);
	}
	return flags;
}

/* Says which of the rules in force is for an arc that the device never makes. */
static void warn_of_idle(struct lab *lab, const char *text)
{
	struct miglab_rules_error where;
	struct miglab_rules rules;
	uint32_t next, flags = flags_of(lab);

	if (miglab_rules_parse(&rules, text, strlen(text), &where))
		return;
	for (uint32_t i = 0; i < rules.count; i++) {
		const struct miglab_rule *r = &rules.rule[i];

		if (r->op != MIGLAB_OP_ARC)
			continue;
		if (!miglab_fsm_next(flags, r->from, r->to, &next) && next == r->to)
			continue;
		log_warn("rules: rule %u never acts: a device with the profile %s does not go from %s to %s at once",
			 i + 1, miglab_profile_name(flags), miglab_state_name(r->from),
			 miglab_state_name(r->to));
	}
}

/* One rule a line, so that the line of an error is the number of the argument. */
static int replace(struct lab *lab, int count, char **rules, struct error *err)
{
	char text[MIGLAB_RULES_TEXT_MAX + 1];
	size_t used = 0;
	int ret;

	for (int i = 0; i < count; i++) {
		size_t len = strlen(rules[i]);

		if (len + 1 > MIGLAB_RULES_TEXT_MAX - used)
			return error_set(err, -E2BIG, "the rules are longer than %u bytes",
					 MIGLAB_RULES_TEXT_MAX);
		memcpy(text + used, rules[i], len);
		used += len;
		text[used++] = '\n';
	}
	text[used] = '\0';
	ret = lab->ops->write(lab, "rules", text, err);
	if (!ret)
		warn_of_idle(lab, text);
	return ret;
}

/* Takes the rules of @preset over, and says so when the device has another profile. */
static int take_preset(struct lab *lab, const struct preset *preset, struct error *err)
{
	char *profile;
	int ret = lab->ops->write(lab, "rules", preset->rules, err);

	if (!ret)
		ret = lab->ops->read(lab, "profile", &profile, err);
	if (ret)
		return ret;
	profile[strcspn(profile, "\n")] = '\0';
	if (strcmp(profile, preset->profile))
		log_warn("rules: %s is meant for the profile %s, but this device has %s; see miglab bind --profile",
			 preset->name, preset->profile, profile);
	free(profile);
	return 0;
}

/* What the arguments after the options ask for. */
static int rules_of(int argc, char **argv, const struct preset *preset)
{
	struct error err;
	struct lab *lab;
	int ret;

	if (!strncmp(argv[0], "emu", 3))
		ret = error_set(&err, -EINVAL,
				"\"%s\" has no address; write its rules as emu:rules=RULES, or by QMP with x-miglab-write",
				argv[0]);
	else
		ret = lab_open_sysfs(argv[0], &lab, &err);
	if (!ret) {
		if (preset)
			ret = take_preset(lab, preset, &err);
		else if (argc > 1)
			ret = replace(lab, argc - 1, argv + 1, &err);
		else
			ret = show(lab, argv[0], &err);
		lab->ops->close(lab);
	}
	if (ret)
		log_error("rules: %s", err.text);
	return cmd_status(ret);
}

static int print_recorded(const char *file, const char *device, struct error *err)
{
	FILE *in = fopen(file, "re");
	struct recorded *records;
	char *rules;
	size_t count;
	int ret;

	if (!in)
		return error_set(err, -EIO, "--from %s: %s", file, strerror(errno));
	ret = recording_read(in, &records, &count, err);
	fclose(in);
	if (ret)
		return error_prefix(err, ret, "--from %s", file);
	ret = replay_rules(records, count, device, &rules, err);
	free(records);
	if (ret)
		return error_prefix(err, ret == -ENOENT ? -EINVAL : ret, "--from %s", file);
	fputs(rules, stdout);
	free(rules);
	return 0;
}

/* The rules of a recording are printed, and of no function here. */
static int run_recorded(const char *file, const char *device, bool more)
{
	struct error err;
	int ret;

	if (more)
		ret = error_set(&err, -EINVAL, "--from prints rules: give no address, rule or "
				"preset");
	else if (!file)
		ret = error_set(&err, -EINVAL, "--device is of a recording: give --from FILE, too");
	else
		ret = print_recorded(file, device, &err);
	if (ret)
		log_error("rules: %s", err.text);
	return cmd_status(ret);
}

static int run_rules(int argc, char **argv)
{
	const char *name = NULL, *from = NULL, *device = NULL;
	int id;

	while ((id = cmd_option(argc, argv, NULL)) != -1)
		*(id == OPT_PRESET ? &name : id == OPT_FROM ? &from : &device) = optarg;
	if (from || device)
		return run_recorded(from, device, name || optind < argc);
	if (name && !strcmp(name, "list")) {
		preset_list(stdout);
		return 0;
	}
	if (name && !preset_find(name)) {
		log_error("rules: there is no preset \"%s\"; see miglab rules --preset list", name);
		return 2;
	}
	if (optind == argc) {
		log_error("rules: give a PCI address, like 0000:01:00.0");
		return 2;
	}
	if (name && optind + 1 < argc) {
		log_error("rules: give either rules or a preset, not both");
		return 2;
	}
	return rules_of(argc - optind, argv + optind, name ? preset_find(name) : NULL);
}

const struct command command_rules = {
	.name = "rules",
	.args = "BDF [RULE..]",
	.what = "show or replace its rules of delay, hold and failure",
	.usage = usage,
	.options = options,
	.operands = OPERANDS_ANY,
	.run = run_rules,
};
