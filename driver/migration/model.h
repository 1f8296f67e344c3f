/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model: what a device migrates, and how it is got from the function and back.
 *
 * The migration protocol, the stream, pre-copy and the rules are the same for all.
 * A model's state is an image (see image.h), whose size stays while the device is open.
 *
 * Every member may be NULL but for name and notice: then there is nothing to do. "Killable and
 * abortable" waits end early with -EINTR, or with what miglab_wait_cut_short() returns.
 */
#ifndef MIGLAB_MODEL_H
#define MIGLAB_MODEL_H

#include <linux/types.h>

struct miglab_device;
struct miglab_image;

struct miglab_model_ops {
	const char *name;	/* as in the attribute "model" */
	const char *notice;	/* goes to the log at bind: "for tests only: <notice>" */
	u32 model;		/* enum miglab_model */

	/*
	 * @fresh: gives a new image its bytes, which are zeroes, or makes those of a device that
	 * was reset what they are then. The image is nobody else's or its lock is held. May
	 * sleep. NULL: all zeroes.
	 */
	void (*fresh)(struct miglab_image *image);

	/*
	 * @enter: the device is in @state from now on, or its pace changed. Under the
	 * image's lock and state_lock, and in commit_lock() when @state is another one
	 * than before: neither sleeps nor waits.
	 */
	void (*enter)(struct miglab_device *m, struct miglab_image *image, u32 state);

	/*
	 * @advance: what the device did up to now becomes known: marks the changed pages in
	 * @image->track while @image->tracked. Before each look at the figures and each
	 * record, so it must be quick. The image's lock is held. Never fails.
	 */
	void (*advance)(struct miglab_device *m, struct miglab_image *image);

	/* @next_ns: nanoseconds until advance() may find something; NULL or U64_MAX: unknown. */
	u64 (*next_ns)(struct miglab_image *image);

	/*
	 * @fetch: brings these bytes of the image up to date before they are sent. The pages are
	 * clean already: who changes them from now on marks them again. The image's
	 * lock is held, so no user memory is touched.
	 * Returns 0, or an error that the read() of the data_fd gets. NULL: they are.
	 */
	int (*fetch)(struct miglab_device *m, struct miglab_image *image, u64 offset, u32 len);

	/*
	 * @freeze: the device has stopped: makes every byte of the image final, marks what
	 * changed while @image->tracked, and returns 0; or an error that fails the arc.
	 * The image's lock is held, as in fetch(). Killable if it takes long.
	 */
	int (*freeze)(struct miglab_device *m, struct miglab_image *image);

	/*
	 * @check: may these bytes, which a stream brought, become the state? Judges all of
	 * them before restore() changes anything. The image's lock is held. Returns 0
	 * or -EINVAL.
	 */
	int (*check)(const struct miglab_image *image);

	/*
	 * @restore: puts an image that passed check() into the stopped function, in
	 * RESUMING, whose own state means nothing. The image is the caller's alone and no
	 * lock is held; killable and abortable if it takes long, and bounded. Where the function
	 * makes something else of the bytes, puts that into the image and sets
	 * @image->altered. Returns 0 or an error that fails the arc to STOP.
	 */
	int (*restore)(struct miglab_device *m, struct miglab_image *image, u32 gen);

	/**
	 * @prepare: an arc from state @from to @to is about to take effect
	 * @gen: reset_gen when the SET began, for miglab_wait_cut_short()
	 *
	 * Where the device may do less in @to than in @from, makes it so: waits for
	 * what is in flight and lets nothing begin. No lock is held. Waits are killable,
	 * abortable and bounded, -EBUSY when the bound is reached. settle() follows,
	 * whatever this returns and whatever becomes of the arc.
	 */
	int (*prepare)(struct miglab_device *m, u32 from, u32 to, u32 gen);

	/*
	 * @settle: after an arc or a failed one: lets begin what @state, the device's
	 * present one, permits and prepare() held back. A reset may have come since: only
	 * opens up, never shuts. No lock is held. Never fails, and waits for nothing but page
	 * faults of the user whose SET this is, killably: DMA that was held begins here.
	 */
	void (*settle)(struct miglab_device *m, u32 state);

	/*
	 * @reset: the function was reset, and all is permitted again. Clears what the reset
	 * leaves: in the function, held requests, and what restore() brought. The lock of
	 * commit_lock() may be held, so takes only locks that are inside of it; waits for
	 * the function only. Not called while the device is closed.
	 */
	void (*reset)(struct miglab_device *m);
};

/* For any device, since it has nothing to do with it: a block of bytes that the device rewrites. */
extern const struct miglab_model_ops miglab_model_synthetic;

#define MIGLAB_MODEL_TEXT	16	/* bytes for the text of any model, with its NUL */

#endif
