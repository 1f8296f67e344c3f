// SPDX-License-Identifier: GPL-2.0-only
/* miglab rules: the attribute rules of a real device. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cmd/cmd.h"
#include "core/rules.h"
#include "device/lab.h"

static const char usage[] =
	"Usage: miglab rules BDF [RULE..]\n"
	"\n"
	"Without RULE shows the rules of the PCI function BDF, which is bound to\n"
	"miglab_vfio_pci. With RULE replaces all of them at once, or none if one is bad;\n"
	"an empty RULE ('') leaves the device without rules.\n"
	"\n"
	"  arc=PRE_COPY>PRE_COPY_P2P delay_us=300000 jitter_us=20000 seed=7\n"
	"  arc=PRE_COPY_P2P>STOP_COPY errno=EIO every=2 times=1\n"
	"  arc=PRE_COPY>PRE_COPY_P2P hold limit_us=10000000\n"
	"\n"
	"Quote each RULE: the shell knows '>' too.\n";

static const struct option options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static int show(struct lab *lab, struct error *err)
{
	char *text;
	int ret = lab->ops->read(lab, "rules", &text, err);

	if (ret)
		return ret;
	fputs(text, stdout);
	free(text);
	return 0;
}

/* One rule a line, so that the line of an error is the number of the argument. */
static int replace(struct lab *lab, int count, char **rules, struct error *err)
{
	char text[MIGLAB_RULES_TEXT_MAX + 1];
	size_t used = 0;

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
	return lab->ops->write(lab, "rules", text, err);
}

int cmd_rules(int argc, char **argv)
{
	struct error err;
	struct lab *lab;
	int id, ret;

	while ((id = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (id == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		log_error("rules: see miglab rules --help");
		return 2;
	}
	if (optind == argc) {
		log_error("rules: give a PCI address, like 0000:01:00.0");
		return 2;
	}
	ret = lab_open_sysfs(argv[optind], &lab, &err);
	if (!ret) {
		if (++optind < argc)
			ret = replace(lab, argc - optind, argv + optind, &err);
		else
			ret = show(lab, &err);
		lab->ops->close(lab);
	}
	if (ret)
		log_error("rules: %s", err.text);
	return cmd_status(ret);
}
