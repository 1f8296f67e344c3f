/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Carries out one command on one device: changes of state with recovery, and
 * data between the device and its connection. Blocks as long as it takes.
 */
#ifndef MIGLAB_VMM_MOVER_H
#define MIGLAB_VMM_MOVER_H

#include <stdbool.h>

#include "vmm/work.h"

struct mover {
	struct device *device;
	const char *id;		/* for messages */
	uint8_t *buf;		/* one frame */
	uint64_t total;		/* bytes of this stream so far */
	bool idle;		/* the last pass ended since there was nothing to send */
	bool announced;		/* that all initial bytes were sent */
};

/* @device and @id outlive the mover. -ENOMEM. */
int mover_init(struct mover *m, struct device *device, const char *id);
void mover_fini(struct mover *m);

/*
 * @mover is a struct mover. One thread at a time, and SIGPIPE is ignored. A shutdown(2) of
 * work->fd ends a transfer with an error.
 */
void mover_do(void *mover, const struct work *work, struct work_result *ret_result);

#endif
