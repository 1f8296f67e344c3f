/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a worker can be told, and what it answers.
 */
#ifndef MIGLAB_VMM_WORK_H
#define MIGLAB_VMM_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "device/ops.h"
#include "vmm/ram.h"

enum work_op {
	/*
	 * Take the device to @state. When that fails: to @recover, and when that
	 * fails too, or @recover is VFIO_DEVICE_STATE_ERROR, reset it. With
	 * WORK_STAY it is left where it is instead, and asked where that is.
	 */
	WORK_SET,
	/* Ask the device where it is; one that does not say counts as in ERROR. */
	WORK_STATE,
	/* Reset the device, and ask it where it is. */
	WORK_RESET,
	/*
	 * One pass of pre-copy: send what the device has, until it has nothing for
	 * now or WORK_PASS_BYTES were sent, then ask for the precopy info. After a
	 * pass that ended with nothing it first waits WORK_IDLE_MS for news. With
	 * @ack it says so, once, when all initial bytes were sent.
	 */
	WORK_PASS,
	/* Ask for the precopy info. */
	WORK_INFO,
	/*
	 * Send the rest up to the end of the stream, and the end mark. With @again the
	 * stream is a new one, and what the connection carried before is void.
	 */
	WORK_SAVE,
	/*
	 * Feed the device from the connection, up to the end mark, or with @ack until
	 * the source says that all initial bytes were sent: @initial is set then.
	 */
	WORK_LOAD,
	/* Close the device's data session. */
	WORK_END,
	/* Of the memory only: let the machine's processors go on, or stand. */
	WORK_CPUS_RUN,
	WORK_CPUS_STOP,
};

#define WORK_STAY	UINT32_MAX	/* @recover: no state */
#define WORK_PASS_BYTES	(4u << 20)
#define WORK_IDLE_MS	10

struct work {
	enum work_op op;
	uint32_t state;		/* of WORK_SET; enum vfio_device_mig_state */
	uint32_t recover;	/* of WORK_SET; VFIO_DEVICE_STATE_ERROR: reset; WORK_STAY */
	int fd;			/* the device's connection, for the ops that move data */
	bool ack;		/* capability switchover-ack */
	bool again;		/* of WORK_SAVE */
};

struct work_result {
	enum work_op op;
	int error;		/* 0, or the negative errno of the first call that failed */
	struct error text;	/* with @error */
	uint32_t state;		/* of WORK_SET, STATE, RESET: where it is; ERROR: nowhere */
	uint64_t bytes;		/* moved by this command */
	uint64_t busy_ns;	/* of which time spent moving, without waits for the device */
	uint64_t size;		/* to be sent yet; of WORK_PASS, WORK_INFO, WORK_SET to saving */
	struct precopy_info info;	/* of WORK_PASS, at its end, and of WORK_INFO */
	bool reinit;		/* of these: after all, there are initial bytes again */
	bool initial;		/* of WORK_LOAD: post it again for the rest */
	struct ram_stats ram;	/* of the memory, after each command */
	uint64_t enter_ns, return_ns;	/* CLOCK_MONOTONIC around the command */
};

#endif
