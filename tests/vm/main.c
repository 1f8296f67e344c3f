// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rows that need the module on a real kernel. Runs in the virtual test host
 * on functions that are bound to miglab_vfio_pci: MIGLAB_DEVICES="BDF BDF ..".
 * Arguments name the groups of rows; without any, all that fit edu functions and a
 * stock kernel run.
 */
#include <stdio.h>
#include <string.h>

#include "lab.h"

static const struct {
	const char *name;
	int (*rows)(void);
	bool usual;
} groups[] = {
	{ "fsm", fsm_rows, true },
	{ "stream", stream_rows, true },
	{ "rules", rules_rows, true },
	{ "arcs", arcs_rows, true },
	{ "history", history_rows, true },
	{ "looks", looks_rows, true },
	{ "faults", faults_rows, true },
	{ "hold", hold_rows, true },
	{ "life", life_rows, true },
	{ "datafd", datafd_rows, true },
	{ "storm", storm_rows, true },
	{ "irq", irq_rows, true },
	{ "msix", msix_rows, false },
	{ "limits", limits_rows, true },
	{ "memory", memory_rows, true },
	{ "edu", edu_rows, true },
	{ "edu-exact", edu_exact_rows, true },
	{ "p2p", p2p_rows, false },
	{ "bar", bar_rows, false },
	{ "bar-states", bar_states_rows, false },
	{ "bar-dma", bar_dma_rows, false },
	{ "sweep", sweep_rows, false },
	{ "mdev-edu", mdev_edu_rows, false },
	{ "mdev-mem", mdev_mem_rows, false },
	{ "leave", leave_rows, true },	/* last: it binds everything anew */
};

#define NR_GROUPS (sizeof(groups) / sizeof(groups[0]))

static int run_named(const char *name)
{
	size_t i;

	for (i = 0; i < NR_GROUPS; i++)
		if (!strcmp(groups[i].name, name))
			return groups[i].rows();
	fprintf(stderr, "there is no group of rows \"%s\"\n", name);
	return 1;
}

int main(int argc, char **argv)
{
	int failed = 0;
	size_t i;

	for (i = 0; argc == 1 && i < NR_GROUPS; i++)
		if (groups[i].usual)
			failed += groups[i].rows();
	for (i = 1; i < (size_t)argc; i++)
		failed += run_named(argv[i]);
	return failed != 0;
}
