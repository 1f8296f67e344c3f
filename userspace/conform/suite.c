// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "conform/suite.h"
#include "device/mutants.h"
#include "device/state.h"

const struct conform_subject conform_subjects[] = {
	{ "envelope", envelope_cases },
	{ "capability", capability_cases },
	{ "arcs", arcs_cases },
	{ "session", session_cases },
	{ "precopy", precopy_cases },
	{ "stream", stream_cases },
	{ "stopped", stopped_cases },
	{ "reset", reset_cases },
	{ "lifetime", lifetime_cases },
	{ "logging", logging_cases },
	{ }
};

static const char *const class_names[] = {
	[CLASS_CORE] = "core",
	[CLASS_SPEC] = "spec",
	[CLASS_SHOULD] = "should",
	[CLASS_ROB] = "rob",
};

static const char *const need_names[] = {
	"p2p", "pre-copy", "info-v2", "lab", "kernel", "log", "dma", "destructive",
	"blocked-arc",
};

static void print_needs(unsigned int needs)
{
	for (size_t i = 0; i < sizeof(need_names) / sizeof(need_names[0]); i++)
		if (needs & 1u << i)
			printf(" %s", need_names[i]);
}

/* What shows that the case can fail: a mutant that it finds. */
static const char *proof(const struct conform_case *k)
{
	for (const struct mutant *m = device_mutants; m->name; m++)
		if (m->id == k->id)
			return m->name;
	return k->class == CLASS_CORE ? "none, core-enforced" : "none, unproven";
}

void conform_mutants(void)
{
	for (const struct mutant *m = device_mutants; m->name; m++)
		printf("%u %s %s\n", m->id, m->name, m->what);
}

void conform_list(void)
{
	for (const struct conform_subject *s = conform_subjects; s->name; s++)
		for (const struct conform_case *k = s->cases; k->id; k++) {
			printf("%3u  %s.%s [%s]", k->id, s->name, k->name, class_names[k->class]);
			if (k->needs)
				fputs(" needs", stdout);
			print_needs(k->needs);
			printf("\n     %s\n     %s; leaves %s; mutant: %s\n", k->what, k->where,
			       device_state_name(k->leaves ? k->leaves : VFIO_DEVICE_STATE_RUNNING),
			       proof(k));
		}
}

static bool is_case(unsigned long id)
{
	for (const struct conform_subject *s = conform_subjects; s->name; s++)
		for (const struct conform_case *k = s->cases; k->id; k++)
			if (k->id == id)
				return true;
	return false;
}

int conform_ids(const char *text, bool ret_ids[CONFORM_IDS_MAX], struct error *err)
{
	const char *at = text;

	do {
		char *end;
		unsigned long first = strtoul(at, &end, 10), last = first;

		if (end != at && *end == '-')
			last = strtoul(end + 1, &end, 10);
		if (end == at || (*end && *end != ',') || first > last || !is_case(first) ||
		    !is_case(last))
			return error_set(err, -EINVAL,
					 "\"%s\" names no cases at \"%s\"; write 1-9,13 with ids of miglab conform --list",
					 text, at);
		for (unsigned long id = first; id <= last; id++)
			ret_ids[id] = true;
		at = end + 1;
	} while (at[-1]);
	return 0;
}
