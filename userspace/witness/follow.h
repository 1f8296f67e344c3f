/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The arcs of any driver while they happen: a probe set, its lines in order, what they say.
 * Who writes a mark has it told among the arcs, in the order in which the kernel's buffer
 * has them: no clock is compared.
 */
#ifndef MIGLAB_WITNESS_FOLLOW_H
#define MIGLAB_WITNESS_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "witness/arcs.h"
#include "witness/probeset.h"

struct follow;

/*
 * What probeset_open() says; -ENOMEM. When it returns, every arc that begins later is told
 * by one of the functions below, up to what the kernel's buffer holds.
 */
int follow_open(const struct probeset_options *opt, arcs_fn fn, void *opaque,
		struct follow **ret, struct error *err);

/* NULL is allowed. */
void follow_close(struct follow *f);

/* For poll(2): readable when there is something to take. */
int follow_fd(const struct follow *f);

/* How long poll(2) may wait, in ms, for what was read and has to settle; -1: for ever. */
int follow_patience(const struct follow *f);

/* Tells what is here and cannot be preceded any more. 0 or negative errno. */
int follow_take(struct follow *f, struct error *err);

/* Tells all that happened up to now; waits until it is sure to be here, for FOLLOW_SETTLE_MS. */
int follow_catch_up(struct follow *f, struct error *err);

/* Tells all that is here, whatever may precede it. */
int follow_finish(struct follow *f, struct error *err);

/* Writes ARCS_MARK_TEXT and @number into the buffer. 0 or negative errno. */
int follow_mark(struct follow *f, int number);

/* How long a line waits for an older one of another processor (order.h). */
#define FOLLOW_SETTLE_MS	20

#endif
