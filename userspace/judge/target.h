/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The devices that the judge is told to look at.
 */
#ifndef MIGLAB_JUDGE_TARGET_H
#define MIGLAB_JUDGE_TARGET_H

#include <stdbool.h>
#include <stddef.h>

/* A device of the VMM and where its history is. */
struct witness_target {
	const char *id;		/* device-id in the events, "vf0" */
	const char *where;	/* its BDF or UUID, or "emu": in the VMM itself */
};

bool target_is_emulated(const struct witness_target *target);

/* The place in @targets of the device with that id; -1: it is none of them. */
int target_find(const struct witness_target *targets, size_t count, const char *id);

#endif
