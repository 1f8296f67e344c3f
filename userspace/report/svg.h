/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A timeline as a picture: a lane for each device with a bar for either side,
 * events as marks, deaf time hatched, timeouts as lines. Pure.
 *
 * One self-contained SVG 1.1 file; light or dark as the reader's surroundings are
 * (prefers-color-scheme). Texts do not overlap: one that finds no room is left out,
 * and is shown when the mark is pointed at.
 */
#ifndef MIGLAB_REPORT_SVG_H
#define MIGLAB_REPORT_SVG_H

#include <stdio.h>

#include "report/timeline.h"

/* Errors of writing stay in @out, for ferror(3). */
void svg_write(const struct timeline *t, FILE *out);

#endif
