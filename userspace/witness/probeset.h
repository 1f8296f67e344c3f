/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The events of probes.h in a trace instance of their own: set up, read, and taken
 * away again. Needs root and tracefs, and changes nothing that others trace.
 *
 * A set is called miglab_NAME and belongs to the process that holds the lock of its
 * instance's directory (flock(2)), which ends with that process however it ends. Each
 * set-up removes the sets that nobody holds.
 */
#ifndef MIGLAB_WITNESS_PROBESET_H
#define MIGLAB_WITNESS_PROBESET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

struct probeset;

struct probeset_options {
	bool sent;	/* what VMMs announce, too, if the kernel can record it */
};

/**
 * probeset_open() - make the events and begin to record them
 *
 * Waits for other processes that are setting up, which is short. When it returns,
 * every later arc is recorded, up to what the buffer holds.
 *
 * Return: 0; -EACCES without the rights; -ENOENT when the kernel lacks what is
 * needed, with the option's name in @err; what the file system said.
 */
int probeset_open(const struct probeset_options *opt, struct probeset **ret,
		  struct error *err);

/* Removes all that probeset_open() made. NULL is allowed. */
void probeset_close(struct probeset *set);

/* Writes @text and @number into the buffer, behind all that is in it. 0 or negative errno. */
int probeset_mark(const struct probeset *set, const char *text, int number);

/* The pipe of the trace: readable (poll(2)) when there are lines, never blocks. */
int probeset_fd(const struct probeset *set);

#endif
