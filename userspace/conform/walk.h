/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model that a walk compares a device with. Pure: what is done and what was
 * answered goes in, the verdict comes out.
 */
#ifndef MIGLAB_CONFORM_WALK_H
#define MIGLAB_CONFORM_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum walk_call { WALK_SET, WALK_GET, WALK_READ, WALK_WRITE, WALK_INFO, WALK_SIZE, WALK_RESET,
		 WALK_NR_CALLS };

struct walk_step {
	enum walk_call call;
	uint32_t arg;		/* of SET the state; of READ and WRITE the bytes; else 0 */
};

struct walk_model {
	uint32_t flags;		/* VFIO_MIGRATION_* */
	bool faults;		/* rules are in force: any SET or call may fail */
	uint32_t state;
	bool session;		/* a data_fd was given and is the present session's */
	bool ended;		/* one was given and its session is over */
	bool final;		/* the end of the stream was read in STOP_COPY */
	size_t fed, whole;	/* bytes written in RESUMING, and of a whole stream */
};

/* A device that was just opened or reset; @whole: bytes of the stream that WRITE takes from. */
void walk_begin(struct walk_model *m, uint32_t flags, bool faults, size_t whole);

/*
 * @step was answered with @result, a count or negative errno, *value being what GET
 * said, and after a SET what GET said then. @new_fd: a data_fd came.
 *
 * Return: NULL when the model explains it, else what it expected; it then knows the
 * device no more.
 */
const char *walk_explain(struct walk_model *m, const struct walk_step *step, long long result,
			 uint32_t value, bool new_fd);

#endif
