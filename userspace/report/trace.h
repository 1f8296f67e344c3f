/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A timeline in the Trace Event Format (JSON object form), which Perfetto and
 * chrome://tracing open. Pure.
 *
 * Processes are the source, the destination and the deaf times; a thread of each is
 * a device. Times are microseconds since the migration was asked for. Complete
 * events of one thread do not overlap.
 */
#ifndef MIGLAB_REPORT_TRACE_H
#define MIGLAB_REPORT_TRACE_H

#include <stdio.h>

#include "report/timeline.h"

/* 0 or -ENOMEM; an error of writing stays in @out, for ferror(3). */
int trace_write(const struct timeline *t, FILE *out);

#endif
