/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules that make a device of miglab as slow as one that was recorded. Pure.
 */
#ifndef MIGLAB_WITNESS_REPLAY_H
#define MIGLAB_WITNESS_REPLAY_H

#include <stddef.h>

#include "base/error.h"
#include "witness/recording.h"

/**
 * replay_rules() - the arcs of @device as rules
 * @device: NULL: the only one that the recording has
 * @ret_rules: text as driver/core/rules.h has it, a rule a line; freed by the caller
 *
 * Each arc that succeeded makes one rule of its kind: delay_us is the shortest that was
 * seen, jitter_us the spread. One that failed makes a rule of its own, which fails the
 * same try with the same error, after the same time. What ended in an unknown way and
 * what the kernel lost is left out.
 *
 * Return: 0; -ENOENT with a sentence when there is no arc of it; -E2BIG when there are
 * more rules than a device takes; -ENOMEM.
 */
int replay_rules(const struct recorded *records, size_t count, const char *device,
		 char **ret_rules, struct error *err);

#endif
