/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device that migrates, and what the driver's files ask of each other.
 *
 * Two drivers have such devices: miglab_vfio_pci, whose devices are PCI functions, and
 * miglab_mdev, whose devices are software. All they share is in the module miglab, this room.
 *
 * Locks, outermost first:
 *	a session's io_lock > an image's lock > the driver's lock of commit_lock() > reset_lock >
 *	a model's locks > state_lock > a session's lock > a rulebook's lock
 *
 * Those of others that are in this order too:
 *	the device set's lock comes before all of them: open, close and attach come with it held
 *	io_lock > mmap_lock: a read() or write() of a data_fd copies under io_lock. A page fault
 *		takes no image's lock, and no user memory is touched under one.
 *	type1's iommu->lock > mmap_lock, and iommufd's likewise: vfio_pin_pages() and
 *		vfio_dma_rw() are called with none of the above held.
 *	device_lock > reset_lock: a reset of a real function comes with the device's lock held
 */
#ifndef MIGLAB_DEVICE_H
#define MIGLAB_DEVICE_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/vfio.h>
#include <linux/wait.h>

#include "dirtylog.h"
#include "fsm.h"
#include "history.h"
#include "hold.h"
#include "image.h"
#include "model.h"
#include "rulebook.h"
#include "session.h"
#include "stats.h"

struct miglab_device;

/*
 * What one of the two drivers does for its devices. It is found through the vfio_device, whose
 * mig_ops points to @mig. All but device() may be NULL: then there is nothing to do.
 */
struct miglab_ops {
	struct vfio_migration_ops mig;	/* MIGLAB_MIGRATION_OPS */

	/* @device: that of @vdev, which is in the same allocation. Never fails, takes no lock. */
	struct miglab_device *(*device)(struct vfio_device *vdev);

	/*
	 * @commit_lock: from now on until @commit_unlock no reset of the hardware is in
	 * progress. Surrounds the moment in which an arc takes effect. The image's lock is
	 * held, state_lock is not. May sleep, for as long as such a reset takes.
	 */
	void (*commit_lock)(struct miglab_device *m);
	void (*commit_unlock)(struct miglab_device *m);

	/*
	 * @state_changed: the device is in another state, m->state. state_lock is held: does
	 * not sleep. After an arc in commit_lock(), after a reset without.
	 */
	void (*state_changed)(struct miglab_device *m);

	/*
	 * @set_model: the attribute "model" was written. Returns 0, or -EINVAL for a text that
	 * means no model and -ENODEV for one that does not fit the device. No lock is held.
	 * NULL: what a device can do is fixed, and profile, model and state_bytes are read-only.
	 */
	int (*set_model)(struct miglab_device *m, const char *text);
};

/* What a module's parameters say of new devices. */
struct miglab_params {
	const char *profile, *rules;
	u64 state_bytes, dirty_bytes_per_sec;
};

/* What the user set. Where the driver has set_model(), it is in force from the next open on. */
struct miglab_config {
	u32 flags;		/* of the profile: VFIO_MIGRATION_* */
	char model[MIGLAB_MODEL_TEXT];	/* as the attribute shows it */
	u64 state_bytes;
	u64 rate;		/* dirty_bytes_per_sec; takes effect at once */
};

#define MIGLAB_HISTORY_VIEWS	8	/* who read the attribute "history" last */

struct miglab_history_view {
	const struct file *file;	/* tells readers apart, and is nothing but a number here */
	u64 first;			/* seq of the first line */
};

struct miglab_device {
	struct vfio_device *vdev;
	const struct miglab_ops *ops;
	struct miglab_stats *stats;
	struct miglab_rulebook *book;	/* brings its own lock */
	struct miglab_dirtylog dirty;	/* brings its own lock; off while closed */

	/*
	 * A reset, a release, the end of an arc, a change of the lease and remove() wake all
	 * who wait here: for a release, for time to pass, or for the present arc to end.
	 */
	wait_queue_head_t wait;
	atomic_t permits;		/* what the attribute "release" has granted */

	/*
	 * Keeps the model in being while a reset uses it; who has the device open, or its
	 * image locked, need not take it.
	 */
	struct mutex reset_lock;
	const struct miglab_model_ops *model;	/* NULL while closed */
	void *model_data;		/* the model's own */

	/*
	 * Guards everything below. Never held over a sleep, a user copy or an allocation,
	 * so that a reset, which takes it too, does not wait for an arc. Waiters read busy,
	 * reset_gen and closing without it and look again; attributes read state and what is
	 * in config without it. So these are written by WRITE_ONCE().
	 */
	struct mutex state_lock;
	u32 state;			/* enum miglab_state */
	bool busy;			/* a SET is walking; only it changes state, resets apart */
	bool closing;			/* remove() began: rules act no longer */
	bool state_lost;		/* a reset wiped the image, which nobody has redone yet */
	bool fingerprinted;		/* since the last open; outlasts reset and close */
	u32 fingerprint;		/* of the state that the device last stopped with */
	u32 reset_gen;			/* moves with each reset, which fails arcs in progress */
	struct miglab_session *session;	/* the live one, or NULL */
	struct miglab_image *image;	/* NULL while closed; only a SET replaces it while open */
	const struct miglab_arc *held;	/* the arc that waits for a release, or NULL */
	struct miglab_hold hold;
	struct miglab_config config;
	char rules_error[128];		/* why the last set was refused; empty: it was not */
	struct miglab_history history;
	struct miglab_history_view views[MIGLAB_HISTORY_VIEWS];
	u32 next_view;			/* the one that is taken for who is none of them */
};

static inline struct miglab_device *miglab_from_vfio(struct vfio_device *vdev)
{
	return container_of(vdev->mig_ops, struct miglab_ops, mig)->device(vdev);
}

/* Only between probe() and remove(), where drvdata is the vfio_device. */
static inline struct miglab_device *miglab_from_dev(struct device *dev)
{
	return miglab_from_vfio(dev_get_drvdata(dev));
}

/* device.c */

/* Are these parameters of a module good? If not, the log says what is wrong. */
int miglab_params_check(const struct miglab_params *params);

/**
 * miglab_device_init() - before the vfio_device is registered: makes @m, closed and RUNNING
 * @vdev: gets its mig_ops and migration_flags
 * @params: that miglab_params_check() has accepted
 *
 * Return: 0 or an error; then there is nothing to destroy. May sleep.
 */
int miglab_device_init(struct miglab_device *m, struct vfio_device *vdev,
		       const struct miglab_ops *ops, const struct miglab_params *params);

/* Nobody uses the device any more; its sessions may live on. */
void miglab_device_destroy(struct miglab_device *m);

/* migration.c */
int miglab_get_data_size(struct vfio_device *vdev, unsigned long *ret_size);
int miglab_get_state(struct vfio_device *vdev, enum vfio_device_mig_state *ret_state);
struct file *miglab_set_state(struct vfio_device *vdev, enum vfio_device_mig_state want);

#define MIGLAB_MIGRATION_OPS {					\
	.migration_set_state = miglab_set_state,		\
	.migration_get_state = miglab_get_state,		\
	.migration_get_data_size = miglab_get_data_size,	\
}

/**
 * miglab_obey() - @op begins: wait and fail as a rule wants
 * @op: not an arc
 * @ret_plan: what else the rule wants; all zero without one
 *
 * Killable; a reset and remove() end the wait.
 *
 * Return: 0 to go on, the rule's errno, or why the wait was cut short.
 */
int miglab_obey(struct miglab_device *m, enum miglab_op op, struct miglab_plan *ret_plan);

/*
 * Must a wait of a SET that began at @gen end? -EIO when a reset came since, else 0: while
 * remove() waits for the device's user, he may still end what he began. Who waits does so on
 * m->wait, which a reset wakes. Needs no lock.
 */
int miglab_wait_cut_short(struct miglab_device *m, u32 gen);

/*
 * Waits for @us, for a model; killable. Returns 0, or why the wait was cut short: -EINTR, or
 * as miglab_wait_cut_short().
 */
int miglab_pause(struct miglab_device *m, u32 gen, u64 us);

/**
 * miglab_migration_open() - the device is being opened: RUNNING, with a fresh image
 * @model: what it migrates, until it is closed; m->model_data is the model's from now on
 * @id: names the device in the stream, with the size of its state
 *
 * Nobody uses the device yet; the device set's lock is held, none of ours.
 *
 * Return: 0 or -ENOMEM.
 */
int miglab_migration_open(struct miglab_device *m, const struct miglab_model_ops *model,
			  const struct miglab_identity *id);

/*
 * It is closed: sessions end, the image goes, and nothing reaches the model any more. No SET is in
 * progress.
 */
void miglab_migration_close(struct miglab_device *m);

/*
 * A reset begins: whatever arc is in progress fails with EIO, at once if it waits for a rule
 * or a model. Takes state_lock only, so it waits for no arc.
 */
void miglab_migration_reset_prepare(struct miglab_device *m);

/*
 * A reset is done: RUNNING, no session, the state lost. Waits for no arc and for no user of the
 * session, but for the model, which may have to wait for its function: see miglab_model_ops.reset.
 */
void miglab_migration_reset_done(struct miglab_device *m);

/* The driver is leaving: waits that rules cause fail with ENODEV, now and later; no other does. */
void miglab_migration_abort(struct miglab_device *m);

/* The change of the attribute dirty_bytes_per_sec. */
void miglab_migration_set_rate(struct miglab_device *m, u64 rate);

/*
 * The model found that something changed: whoever polls the saving session shall look.
 * Never sleeps for long; called with at most a model's locks held.
 */
void miglab_migration_nudge(struct miglab_device *m);

/* attributes.c */
extern const struct attribute_group *miglab_groups[];

/* Wakes who polls the attribute "held". May sleep. */
void miglab_held_changed(struct miglab_device *m);

#endif
