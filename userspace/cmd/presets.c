// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "cmd/presets.h"

#define SLOW_P2P	"arc=PRE_COPY>PRE_COPY_P2P delay_us=300000\n"
#define STOPS(arc)	"arc=" arc " delay_us=74000 jitter_us=54000\n"
#define SAVES		"op=save delay_us=125000 jitter_us=100000\n"
#define LOADS		"op=load delay_us=112000 jitter_us=128000\n"

static const struct preset presets[] = {
	{ "default", "full", "a slow PRE_COPY > PRE_COPY_P2P, as new devices have it",
	  SLOW_P2P },
	{ "downtime", "full", "the reported times to stop, save and load, for any profile",
	  STOPS("PRE_COPY_P2P>STOP_COPY") STOPS("PRE_COPY>STOP_COPY") STOPS("RUNNING_P2P>STOP")
	  STOPS("RUNNING>STOP") SAVES LOADS },
	{ "mlx5", "full", "all states, and a slow PRE_COPY > PRE_COPY_P2P before the downtime",
	  SLOW_P2P STOPS("PRE_COPY_P2P>STOP_COPY") STOPS("RUNNING_P2P>STOP") SAVES LOADS },
	{ "hisilicon", "no-p2p", "pre-copy without P2P, with the reported downtime",
	  STOPS("PRE_COPY>STOP_COPY") STOPS("RUNNING>STOP") SAVES LOADS },
	{ "pds", "no-precopy", "P2P without pre-copy, with the reported downtime",
	  STOPS("RUNNING_P2P>STOP") SAVES LOADS },
};

#define NR_PRESETS (sizeof(presets) / sizeof(presets[0]))

const struct preset *preset_find(const char *name)
{
	for (size_t i = 0; i < NR_PRESETS; i++)
		if (!strcmp(name, presets[i].name))
			return &presets[i];
	return NULL;
}

void preset_list(FILE *out)
{
	for (size_t i = 0; i < NR_PRESETS; i++)
		fprintf(out, "%-10s %-10s %s\n", presets[i].name, presets[i].profile,
			presets[i].about);
}
