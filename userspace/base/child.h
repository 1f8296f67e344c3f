/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that we start, watch and end. They do not outlive us.
 */
#ifndef MIGLAB_BASE_CHILD_H
#define MIGLAB_BASE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct child {
	const char *name;	/* for messages: "source" */
	pid_t pid;		/* 0: not started, or its end was seen */
	int status;		/* exit status once it ended; 128 + N after signal N */
	int out;		/* with @with_output: reads its stdout; else -1 */
	char log[108];		/* the file that takes its stderr */
};

/*
 * Starts @argv, argv[0] being the path, with its stderr in the file @log. The
 * kernel kills it when we die; signals of the terminal do not reach it. stdout is a
 * pipe with @with_output, else it goes where ours goes.
 */
int child_start(struct child *child, const char *name, char *const *argv, const char *log,
		bool with_output, struct error *err);

/* Has it ended, or does so before @deadline_ns (CLOCK_MONOTONIC, 0: do not wait)? */
bool child_ended(struct child *child, uint64_t deadline_ns);

/*
 * Kills it if it still runs, reaps it and closes what we have of it. One that the kernel
 * cannot end within five seconds is left alone, and that is said.
 */
void child_end(struct child *child);

/*
 * The last line that it wrote to its stderr, without "miglab: ", "" when there is none. It
 * is taken out of the log: child_print_log() does not repeat it.
 */
void child_last_words(const struct child *child, char *ret_line, size_t size);

/*
 * Prints what it wrote to its stderr on ours, each line with its name in front and without
 * "miglab: ".
 */
void child_print_log(const struct child *child);

#endif
