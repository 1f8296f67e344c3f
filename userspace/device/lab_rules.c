// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "device/lab.h"

#define STATES	"STOP, RUNNING, STOP_COPY, RESUMING, RUNNING_P2P, PRE_COPY, PRE_COPY_P2P"

/* The core's complaints of a rule that need more than the word that is wrong. */
static const struct {
	const char *complaint, *hint;
} hints[] = {
	{ ": unknown state: ", "the states are " STATES },
	{ ": unknown op: ",
	  "the ops are read, write, precopy_info, data_size, save, load, reset, dma, dma_record, "
	  "dirty, poll" },
	{ ": unknown key: ",
	  "the keys are arc, op, delay_us, jitter_us, seed, hold, limit_us, errno, then, short, "
	  "value, garbage, reinit, corrupt, truncate, drop, slip, nth, every, times" },
	{ ": unknown errno: ",
	  "it is a number, or one of EPERM, ENOENT, EINTR, EIO, ENXIO, E2BIG, EBADF, EAGAIN, "
	  "ENOMEM, EACCES, EFAULT, EBUSY, EEXIST, ENODEV, EINVAL, EMFILE, ENOTTY, EFBIG, ENOSPC, "
	  "EPIPE, ERANGE, ENOSYS, ENOMSG, ENODATA, ETIME, EPROTO, EBADMSG, EOVERFLOW, EMSGSIZE, "
	  "EOPNOTSUPP, ETIMEDOUT, EALREADY, EINPROGRESS, EREMOTEIO, ECANCELED" },
	{ ": not a single arc: ",
	  "a device gets there through other states, and each arc on the way has its own rules" },
	{ ": arc is not FROM>TO: ",
	  "did the shell take what is behind \">\"? Quote the rule" },
};

int lab_rules_refused(const char *complaint, struct error *err)
{
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strstr(complaint, hints[i].complaint))
			return error_set(err, -EINVAL, "%s; %s", complaint, hints[i].hint);
	return error_set(err, -EINVAL, "%s", complaint);
}
