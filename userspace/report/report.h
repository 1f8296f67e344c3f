/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A directory with the record of one migration: summary.txt, timeline.svg and
 * trace.json.
 */
#ifndef MIGLAB_REPORT_REPORT_H
#define MIGLAB_REPORT_REPORT_H

#include <stdint.h>

#include "base/error.h"
#include "qmp/client.h"
#include "report/timeline.h"

struct report;

/**
 * report_open() - prepare to write into @dir
 * @dir: made if it is not there, with its parents
 * @timeout_ns: of a connection, see struct timeline_input
 *
 * All three files can be written when it returns; files of an earlier report are there
 * until report_write().
 *
 * Return: 0, -ENOMEM, or what the file system says of a directory that cannot be written; never
 * -EINVAL or another that would stand for bad usage.
 */
int report_open(const char *dir, uint64_t timeout_ns, struct report **ret, struct error *err);

/* Leaves nothing behind that report_write() did not write. NULL is allowed. */
void report_free(struct report *r);

/* Names device vf@index. @from and @to outlive the report. 0 or -ENOMEM. */
int report_device(struct report *r, const char *from, const char *to);

/* The migration is about to be asked for. */
void report_begin(struct report *r);

/* An event of the machine on @side: what is no subject of the report is ignored. */
void report_event(struct report *r, enum timeline_side side, const struct qmp_event *event);

/* The text of the attribute history of device @index; what is malformed is as if absent. */
void report_history(struct report *r, enum timeline_side side, unsigned int index,
		    const char *text);

/*
 * Writes the files, if the migration began. @verdict is the last line of what the program says
 * of it, @text the lines before. 0, -ENOMEM, or what the file system said.
 */
int report_write(struct report *r, const char *verdict, const char *text, struct error *err);

#endif
