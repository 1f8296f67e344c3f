/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A session: what stands behind one data_fd.
 *
 * It belongs to the file and to the device, and outlives either. Once ended it
 * never touches the device again, so a file may stay open when the device is
 * closed, reset or unbound; the modules stay for as long as the file does.
 */
#ifndef MIGLAB_SESSION_H
#define MIGLAB_SESSION_H

#include <linux/fs.h>

#include "image.h"
#include "rulebook.h"

enum miglab_phase {
	MIGLAB_PHASE_PRECOPY,	/* saving; the end of the data is temporary: ENOMSG */
	MIGLAB_PHASE_STOPCOPY,	/* saving; the end of the data is the end */
	MIGLAB_PHASE_RESUMING,	/* loading */
	MIGLAB_PHASE_DEAD,	/* ended: all I/O fails with ENODEV */
};

struct miglab_session;

/**
 * miglab_session_new() - a session and its file
 * @image: what is saved, or filled; the session takes a reference of its own
 * @phase: not MIGLAB_PHASE_DEAD
 * @vdev: the device, which the session looks at only as long as it is not dead
 * @book: the rules for its I/O; the session takes a reference of its own
 * @ret_file: one reference, for the user
 *
 * Return: one reference, for the device, or an ERR_PTR. May sleep.
 */
struct miglab_session *miglab_session_new(struct miglab_image *image, enum miglab_phase phase,
					  struct vfio_device *vdev, struct miglab_rulebook *book,
					  struct file **ret_file);

/*
 * A saving session becomes the device's: @image, which is its own, has still to be sent
 * whole, as a rule for op=save wants it. The image's lock is held. Never blocks.
 */
void miglab_session_begin(struct miglab_session *s, struct miglab_image *image);

/*
 * The data ends with what is left: STOP_COPY was reached. The image's lock is
 * held. Never blocks.
 */
void miglab_session_finalize(struct miglab_session *s);

/* The device's state or pace changed: whoever polls shall look again. Never blocks. */
void miglab_session_nudge(struct miglab_session *s);

/* I/O fails from now on and all sleepers wake. Never blocks; waits for no I/O. */
void miglab_session_kill(struct miglab_session *s);

/*
 * The device's last act on a killed session: gives back the session's image and the
 * device's reference. May sleep, but waits for no I/O: a read() or write() that is in
 * the middle of a copy keeps the image until that ends.
 */
void miglab_session_drop(struct miglab_session *s);

/**
 * miglab_session_seal() - end a loading session whose stream is whole and fits the model
 * @ret_image: the filled image, one reference
 *
 * Return: 0, and the session is dead; or the error of the stream, -EINVAL when it is
 * truncated, and the session goes on; -ENODEV when it was dead already.
 */
int miglab_session_seal(struct miglab_session *s, struct miglab_image **ret_image);

/* Bytes that a saving session can still deliver at most; 0 for one that is dead or loading. */
u64 miglab_session_remaining(struct miglab_session *s);

/* One more reference, for short use of a session found under the device's lock. */
struct miglab_session *miglab_session_get(struct miglab_session *s);
void miglab_session_put(struct miglab_session *s);

#endif
