/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A migration to files: what would go over the control connection is in PATH, what
 * would go over the connection of device ID is in PATH.ID, byte for byte. PATH ends
 * with DONE, or the migration did not; a file of a device ends with END.
 *
 * Until the migration is done they are called PATH.SESSION.part and PATH.ID.SESSION.part, so
 * that those of an earlier migration stay as they are when this one fails.
 *
 * All functions but the first take as long as the file system does.
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
 * Creates the file of @id, NULL for PATH itself, under the name that it has meanwhile, and
 * writes @hello to it. It is its owner's alone. -EINVAL when what it is to replace is no
 * regular file, which a link is not; or what the system says.
 */
int savefile_create(const char *path, const char *id, const struct hello *hello, int *ret_fd,
		    struct error *err);

/* Writes DONE to PATH's file, and it is safe. */
int savefile_done(int fd, bool running, struct error *err);

/* It takes the place of what has its name. */
int savefile_keep(const char *path, const char *id, uint64_t session, struct error *err);

/* Removes it instead. Nothing when there is none. */
void savefile_drop(const char *path, const char *id, uint64_t session);

/* PATH: who is in it. -EPROTO when it is none of ours, or the migration to it did not end. */
int savefile_read(const char *path, struct hello *ret_hello, bool *ret_running,
		  struct error *err);

/* PATH.ID of device number @index of @control, behind its HELLO. -EPROTO as above. */
int savefile_open(const char *path, const struct hello *control, unsigned int index, int *ret_fd,
		  struct error *err);

#endif
