/* SPDX-License-Identifier: GPL-2.0-only */
/* Plays a scenario on a kind of VMM. */
#ifndef TESTS_PEER_PLAYER_H
#define TESTS_PEER_PLAYER_H

#include "base/error.h"
#include "recording.h"
#include "scenario.h"
#include "vmm.h"

/* The functions that it may use: bound, and nobody else's. */
struct functions {
	const char *bdf[SIDES][SCENARIO_DEVICES];
};

/**
 * play() - one scenario, from the start of two processes to their end
 * @dir: for sockets and logs
 *
 * @ret has what was seen, of a failure up to there. Each wait has a deadline that is
 * there to guard against a hang only.
 *
 * Return: 0; negative errno when a step could not be taken, with the last output of
 * both processes on stdout, as comments.
 */
int play(const struct scenario *scenario, enum vmm_kind kind, const struct functions *functions,
	 const char *dir, struct recording *ret, struct error *err);

#endif
