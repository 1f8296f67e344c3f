// SPDX-License-Identifier: GPL-2.0-only
#include "conform/watch.h"

#include <stdio.h>

#include "base/clock.h"

#define WHY_SIZE	96

void watch_begin(struct watch *w, const struct pulse *pulse, unsigned int limit_s)
{
	*w = (struct watch){ .pulse = pulse, .limit_s = limit_s };
}

/* The call that hangs in one of the threads, or NULL. *@ret_any: is one under way? */
static const char *call_hangs(struct watch *w, uint64_t passed_ns, bool *ret_any)
{
	*ret_any = false;
	for (int i = 0; i < PULSE_SLOTS; i++) {
		unsigned long begun = w->pulse->slot[i].begun;
		const char *call = w->pulse->slot[i].call;

		w->slot[i].ns = call && begun == w->slot[i].call ? w->slot[i].ns + passed_ns : 0;
		w->slot[i].call = begun;
		*ret_any = *ret_any || call;
		if (w->slot[i].ns >= w->limit_s * NSEC_PER_SEC)
			return call;
	}
	return NULL;
}

bool watch_hangs(struct watch *w, uint64_t passed_ns, uint64_t cpu_ns, char ret_why[96])
{
	bool any;
	const char *call = call_hangs(w, passed_ns, &any);
	const unsigned long ended = w->pulse->ended;

	w->pause_ns = !any && ended == w->ended ? w->pause_ns + passed_ns : 0;
	w->ended = ended;
	if (call)
		snprintf(ret_why, WHY_SIZE, "%s has not returned for %u s", call, w->limit_s);
	else if (w->pause_ns >= w->limit_s * NSEC_PER_SEC)
		snprintf(ret_why, WHY_SIZE, "it has made no call for %u s", w->limit_s);
	else if (cpu_ns >= w->limit_s * NSEC_PER_SEC * WATCH_ENDLESS)
		snprintf(ret_why, WHY_SIZE, "it has used %u s of processor time",
			 w->limit_s * WATCH_ENDLESS);
	else
		return false;
	return true;
}
