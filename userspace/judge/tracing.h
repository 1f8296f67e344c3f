/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's trace as the witness of some devices, of any driver. */
#ifndef MIGLAB_JUDGE_TRACING_H
#define MIGLAB_JUDGE_TRACING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "judge/traced.h"

struct tracing;

/*
 * @names: of the devices, as the kernel spells them; they outlive it. Every arc that begins
 * later is seen. What probeset_open() says; -ENOMEM.
 */
int tracing_open(const char *const *names, size_t count, struct tracing **ret, struct error *err);
void tracing_close(struct tracing *t);	/* NULL is allowed */

/* For poll(2), and how long that may wait at most, in ms; -1: for ever. */
int tracing_fd(const struct tracing *t);
int tracing_patience(const struct tracing *t);

/*
 * Takes what is here; with @all what happened up to now, for which it waits some 20 ms.
 * 0; -EOVERFLOW when the kernel lost lines, so that arcs may be missing; negative errno.
 */
int tracing_take(struct tracing *t, bool all, struct error *err);

/* What was seen of the devices; good until it is taken or closed again. */
const struct traced *tracing_seen(const struct tracing *t);

/* Puts mark @number, from 0 on, into the buffer: behind what happened before. */
void tracing_mark(struct tracing *t, unsigned int number);

/* Where mark @number is among the arcs, on their clock; 0: it was not seen. */
uint64_t tracing_marked(const struct tracing *t, unsigned int number);

#endif
