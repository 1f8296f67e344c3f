/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The files of one migration, served by threads of their own: a file system that hangs
 * delays nobody else. Belongs to the loop's thread; no function but filing_settle() waits.
 */
#ifndef MIGLAB_VMM_FILING_H
#define MIGLAB_VMM_FILING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "vmm/framing.h"

struct filing;

/* What was begun last is over: 0, or the errno that @err explains. May call any function. */
typedef void (*filing_fn)(void *opaque, int ret, const struct error *err);

/* Files at @path (see savefile.h); @done is called in @loop. -ENOMEM, or what eventfd(2) says. */
int filing_new(struct loop *loop, const char *path, filing_fn done, void *opaque,
	       struct filing **ret_filing);

/*
 * These begin, one at a time, and return 0, or an errno when there is no thread; the rest is
 * told by @done.
 */

/* Creates the files of a source that says @hello, a control connection's. */
int filing_create(struct filing *f, const struct hello *hello);
/* All devices are in theirs: the migration is complete, and the files get their names. */
int filing_keep(struct filing *f, bool running);
/* Reads PATH: filing_hello() and filing_running() say what is in it. */
int filing_read(struct filing *f);
/* Opens the files of its devices. */
int filing_open(struct filing *f);

const struct hello *filing_hello(const struct filing *f);
bool filing_running(const struct filing *f);
/* The file of device @index of the hello; it stays the filing's. -1: none. */
int filing_data(const struct filing *f, unsigned int index);

/* Closes all, and removes what was not kept. @done is not called any more. NULL is allowed. */
void filing_end(struct filing *f);

/* Waits until what was ended is closed and removed, but not for a file system that hangs. */
void filing_settle(void);

#endif
