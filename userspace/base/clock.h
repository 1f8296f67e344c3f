/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MIGLAB_BASE_CLOCK_H
#define MIGLAB_BASE_CLOCK_H

#include <stdint.h>

#define NSEC_PER_USEC	1000ull
#define NSEC_PER_MSEC	1000000ull
#define NSEC_PER_SEC	1000000000ull

/* CLOCK_MONOTONIC in nanoseconds: the same clock as the module's history. */
uint64_t clock_ns(void);

#endif
