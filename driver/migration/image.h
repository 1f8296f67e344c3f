/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An image: the bytes of one device's migratable state, with the accounting of the
 * session that saves them. A model keeps it up to date, see model.h.
 */
#ifndef MIGLAB_IMAGE_H
#define MIGLAB_IMAGE_H

#include <linux/kref.h>
#include <linux/mutex.h>

#include "content.h"
#include "precopy.h"
#include "stats.h"
#include "synthetic.h"

struct miglab_device;
struct miglab_model_ops;

struct miglab_image {
	struct kref kref;
	const struct miglab_model_ops *model;

	/* What a session that loads takes of the bytes as they pass: guarded by its io_lock. */
	struct miglab_sums sums;
	void *sums_memory;

	/*
	 * Guards all below, and the decoder of the session that fills the image.
	 * Held over work in memory only: never over a user copy, a rule's wait or
	 * an allocation. Taken before the device's locks, after a session's io_lock.
	 */
	struct mutex lock;
	struct miglab_content content;
	struct miglab_synthetic synthetic;	/* of that model only */
	struct miglab_device *device;	/* whose present state this is; NULL: nobody's, or closed */
	struct miglab_precopy track;
	void *bitmap;			/* memory of @track */
	bool tracked;			/* is there a saving session? */
	bool altered;			/* the function made other bytes of what it was given */
	struct miglab_stats *stats;
};

/*
 * A fresh image of @model with one reference, nobody's state; charged to the caller's
 * memory cgroup. @id->state_bytes is a multiple of MIGLAB_PAGE.
 * Returns ERR_PTR(-ENOMEM) without memory. May sleep.
 */
struct miglab_image *miglab_image_new(const struct miglab_model_ops *model,
				      const struct miglab_identity *id, struct miglab_stats *stats);

struct miglab_image *miglab_image_get(struct miglab_image *image);

/* May sleep; the last one frees. */
void miglab_image_put(struct miglab_image *image);

/* The device lost its state, as by a reset: fresh again. @lock is held. May sleep. */
void miglab_image_renew(struct miglab_image *image);

/* The device's work up to now, marked for the saving session. @lock is held. */
void miglab_image_advance(struct miglab_image *image);

/* The device has stopped: the bytes become final. Returns 0 or an error. @lock is held. */
int miglab_image_freeze(struct miglab_image *image);

/* Nanoseconds until the device may have changed its state; U64_MAX: unknown. @lock is held. */
u64 miglab_image_next_ns(struct miglab_image *image);

/* May the bytes, which a stream brought, become a device's state? 0 or -EINVAL. @lock is held. */
int miglab_image_check(const struct miglab_image *image);

/* The device of this image is being closed, or gets another one: waits for who uses it. */
void miglab_image_orphan(struct miglab_image *image);

/* A saving session begins: everything has still to be sent. @lock is held. */
void miglab_image_track(struct miglab_image *image);

#endif
