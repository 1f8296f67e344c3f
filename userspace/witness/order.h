/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lines of the trace in the order of their times. The kernel merges the buffers of its
 * processors as it finds them, so a line of one may come just before an older one of
 * another. Pure.
 */
#ifndef MIGLAB_WITNESS_ORDER_H
#define MIGLAB_WITNESS_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct order;

struct order *order_new(void);		/* NULL: no memory */
void order_free(struct order *order);	/* NULL is allowed */

/* Bytes as they were read; lines may be cut anywhere. 0 or -ENOMEM. */
int order_feed(struct order *order, const char *bytes, size_t len);

/*
 * The oldest whole line if it is older than @ns, freed by the caller, else NULL. A line
 * without a time has that of the line before it.
 */
char *order_take(struct order *order, uint64_t ns);

/* Is there a whole line? */
bool order_has_line(const struct order *order);

#endif
