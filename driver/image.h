/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An image: the bytes of one device's migratable state, with the model that
 * changes them and the accounting of the session that saves them.
 */
#ifndef MIGLAB_IMAGE_H
#define MIGLAB_IMAGE_H

#include <linux/kref.h>
#include <linux/mutex.h>

#include "precopy.h"
#include "stats.h"
#include "synthetic.h"

struct miglab_image {
	struct kref kref;
	/*
	 * Guards all below, and the decoder of the session that fills the image.
	 * Held over work in memory only: never over a user copy, a rule's wait or
	 * an allocation. Taken before the device's locks, after a session's io_lock.
	 */
	struct mutex lock;
	struct miglab_synthetic model;
	struct miglab_precopy track;
	void *bitmap;			/* memory of @track */
	bool tracked;			/* is there a saving session? */
	struct miglab_stats *stats;
};

/*
 * An image of noise with one reference, its device idle, at rate 0; charged to the
 * caller's memory cgroup. @id->state_bytes is a size that miglab_synthetic_size_ok() accepts.
 * Returns ERR_PTR(-ENOMEM) without memory. May sleep.
 */
struct miglab_image *miglab_image_new(const struct miglab_identity *id,
				      struct miglab_stats *stats);

struct miglab_image *miglab_image_get(struct miglab_image *image);

/* May sleep; the last one frees. */
void miglab_image_put(struct miglab_image *image);

/* The device lost its state, as by a reset: noise again, idle. @lock is held. */
void miglab_image_scramble(struct miglab_image *image);

/* The device's work up to now, marked for the saving session. @lock is held. */
void miglab_image_advance(struct miglab_image *image);

/* A saving session begins: everything has still to be sent. @lock is held. */
void miglab_image_track(struct miglab_image *image);

#endif
