/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A migration to files: what would go over the control connection is in PATH, what
 * would go over the connection of device ID is in PATH.ID, byte for byte. PATH ends
 * with DONE, or the migration did not; a file of a device ends with END.
 */
#ifndef MIGLAB_VMM_SAVEFILE_H
#define MIGLAB_VMM_SAVEFILE_H

#include <stdbool.h>

#include "base/error.h"
#include "vmm/framing.h"

#define SAVEFILE_SCHEME	"file:"
#define SAVEFILE_PATH_MAX 4000	/* bytes of PATH */

/* PATH of "file:PATH", NULL for another scheme. */
const char *savefile_path(const char *uri);

/*
 * Creates one of the files, or empties it, and writes @hello to it; @id is NULL for
 * PATH itself. -EINVAL for what is no regular file, or what the system says.
 */
int savefile_create(const char *path, const char *id, const struct hello *hello, int *ret_fd,
		    struct error *err);

/* PATH: who is in it. -EPROTO when it is none of ours, or the migration to it did not end. */
int savefile_read(const char *path, struct hello *ret_hello, bool *ret_running,
		  struct error *err);

/* PATH.ID of device number @index of @control, behind its HELLO. -EPROTO as above. */
int savefile_open(const char *path, const struct hello *control, unsigned int index, int *ret_fd,
		  struct error *err);

#endif
