/* SPDX-License-Identifier: GPL-2.0-only */
/* One trace buffer of a VMM's writes, ioctls and arcs, for order.h. */
#ifndef TESTS_PEER_TRACING_H
#define TESTS_PEER_TRACING_H

#include <sys/types.h>

#include "base/error.h"

/* Empties the buffer and records what the threads of @pid, present and future, do. */
int tracing_start(pid_t pid, struct error *err);

/* Ends the recording. The text is freed by the caller; -EOVERFLOW when entries were lost. */
int tracing_stop(char **ret_text, struct error *err);

#endif
