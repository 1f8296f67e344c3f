/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When does a process that calls its device hang? Pure: time goes in, the answer comes out.
 *
 * The limit is for one call, and for a pause without any; how long all of them take together
 * is the machine's affair. What goes on for ever with calls that come back is caught by the
 * processor time that it takes, WATCH_ENDLESS times the limit.
 */
#ifndef MIGLAB_CONFORM_WATCH_H
#define MIGLAB_CONFORM_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "conform/pulse.h"

#define WATCH_ENDLESS	10

struct watch {
	const struct pulse *pulse;
	unsigned int limit_s;
	unsigned long ended;	/* calls when the pause began */
	uint64_t pause_ns;
	struct {
		unsigned long call;	/* its number */
		uint64_t ns;		/* how long it has been under way */
	} slot[PULSE_SLOTS];
};

void watch_begin(struct watch *w, const struct pulse *pulse, unsigned int limit_s);

/*
 * @passed_ns went by since the last call, or since watch_begin(); the process has had @cpu_ns of
 * processor time so far.
 *
 * Return: true when it hangs, and why in @ret_why: "read() has not returned for 60 s".
 */
bool watch_hangs(struct watch *w, uint64_t passed_ns, uint64_t cpu_ns, char ret_why[96]);

#endif
