/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A watch as a small text file that one may publish: no addresses, no payload.
 *
 *	miglab recording 1
 *	kernel 7.3.4
 *	arc DEVICE PID VMM FROM TO WANTED BEGIN END RESULT
 *	state DEVICE STATE AT
 *	reset DEVICE AT RESULT
 *	lost LINES
 *	end RECORDS
 *
 * Times are nanoseconds since the recording began. RESULT is 0, a negative errno, or
 * "unknown"; VMM is the name of the thread, of which only letters, digits and "._-/" are
 * kept. A file without its last line was cut short. Pure.
 */
#ifndef MIGLAB_WITNESS_RECORDING_H
#define MIGLAB_WITNESS_RECORDING_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "witness/arcs.h"

struct recording {
	FILE *out;		/* the caller's */
	uint64_t begin_ns;	/* of the trace's clock; nothing that is added is older */
	unsigned int records;
};

/* The head. What cannot be written shows in ferror(3) of @out at the end. */
void recording_begin(struct recording *r, FILE *out, uint64_t begin_ns, const char *kernel);
/* What arcs.h tells; an arc is written when it is over. */
void recording_add(struct recording *r, enum arcs_news news, const struct witness_arc *arc);
void recording_end(struct recording *r);

/* A record that was read. */
struct recorded {
	enum arcs_news news;	/* never ARCS_BEGUN */
	struct witness_arc arc;	/* as recording_add() got it, but for begin_ns of the watch */
};

/**
 * recording_read() - read a whole recording
 * @in: at its beginning
 * @ret: freed by the caller
 *
 * Return: 0; -EINVAL with the line for a text that is no recording, is one of another
 * version, is malformed or was cut short; -ENOMEM.
 */
int recording_read(FILE *in, struct recorded **ret, size_t *ret_count, struct error *err);

#endif
