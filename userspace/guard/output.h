/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lines for whoever reads them, or does not: nobody waits for a reader. What is not
 * taken is kept, up to a bound, and beyond it counted.
 */
#ifndef MIGLAB_GUARD_OUTPUT_H
#define MIGLAB_GUARD_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

#define OUTPUT_BYTES	65536

struct output {
	int fd;
	int error;		/* of write(2), 0 or -errno: nothing is written any more */
	unsigned int lost;	/* lines that found no room */
	size_t len;
	char text[OUTPUT_BYTES];
};

/* One line, without its newline here. */
void output_line(struct output *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Writes what the reader takes now. When @o->fd is writable while @o->len is not 0. */
void output_flush(struct output *o);

/* Waits until @deadline_ns (CLOCK_MONOTONIC) for the rest: 0, or negative errno. */
int output_finish(struct output *o, uint64_t deadline_ns);

#endif
