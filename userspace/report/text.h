/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A timeline in words: downtime by QEMU's checkpoints, in the words and the shape that
 * its developers exchange, and then each device. Pure.
 */
#ifndef MIGLAB_REPORT_TEXT_H
#define MIGLAB_REPORT_TEXT_H

#include <stdio.h>

#include "report/timeline.h"

/* Times in milliseconds since the migration was asked for; errors stay in @out. */
void text_write(const struct timeline *t, FILE *out);

#endif
