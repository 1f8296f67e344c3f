/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One bound function, and what the driver's files ask of each other.
 *
 * Locks, outermost first:
 *	attach_lock > a session's io_lock > an image's lock > core.memory_lock > reset_lock >
 *	a model's locks > state_lock > a session's lock > a rulebook's lock
 *
 * Those of others that are in this order too:
 *	the device set's lock > attach_lock: open, close and attach come with the former held
 *	io_lock > mmap_lock > core.memory_lock: a read() or write() of a data_fd copies under
 *		io_lock, and a page fault, of that copy too, takes memory_lock. So a page fault
 *		takes no image's lock, and no user memory is touched under one.
 *	type1's iommu->lock > mmap_lock, and iommufd's likewise: vfio_pin_pages(), vfio_dma_rw()
 *		and iommufd_access_rw() are called with none of the above held.
 *	device_lock > reset_lock: reset_prepare() and reset_done() come with the device's lock
 *		held, and from an ioctl with memory_lock held for writing, inside of which the
 *		core only tries for device_lock.
 */
#ifndef MIGLAB_DEVICE_H
#define MIGLAB_DEVICE_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/vfio_pci_core.h>
#include <linux/wait.h>

#include "dirty.h"
#include "fsm.h"
#include "history.h"
#include "hold.h"
#include "image.h"
#include "model.h"
#include "rulebook.h"
#include "session.h"
#include "stats.h"

/* What the user set; read when the device is opened. */
struct miglab_config {
	u32 flags;		/* of the profile: VFIO_MIGRATION_* */
	const struct miglab_model_ops *model;
	int bar;		/* the one that the user names to a model that takes one, or -1 */
	u64 state_bytes;	/* of the synthetic model */
	u64 rate;		/* dirty_bytes_per_sec; takes effect at once too */
};

#define MIGLAB_HISTORY_VIEWS	8	/* who read the attribute "history" last */

struct miglab_history_view {
	const struct file *file;	/* tells readers apart, and is nothing but a number here */
	u64 first;			/* seq of the first line */
};

struct miglab_device {
	struct vfio_pci_core_device core;
	struct miglab_stats *stats;
	struct miglab_rulebook *book;	/* brings its own lock */

	/*
	 * A reset, a release, the end of an arc, a change of the lease and remove() wake all
	 * who wait here: for a release, for time to pass, or for the present arc to end.
	 */
	wait_queue_head_t wait;
	atomic_t permits;		/* what the attribute "release" has granted */

	struct iommufd_access *access;	/* from bind to unbind of an iommufd, else NULL */
	bool access_attached;		/* to an IOAS; guarded by the device set's lock */

	/*
	 * Keeps the function attached to its user's page tables while something of ours is mapped
	 * there. Inside of the device set's lock.
	 */
	struct mutex attach_lock;

	/* Guarded by state_lock; who only samples the first need not take it. */
	u32 command_writes;		/* beginnings and ends of writes to the bus master's byte */
	u32 command_writers;		/* writes of the user's that have begun and not ended */

	/*
	 * Keeps the model in being while a reset uses it; who has the device open, or its
	 * image locked, need not take it. Taken inside of memory_lock, outside of all else.
	 */
	struct mutex reset_lock;
	const struct miglab_model_ops *model;	/* NULL while closed */
	void *model_data;		/* the model's own */
	u32 bars;			/* a bit for each BAR that the model claims */
	struct miglab_dirty dirty;	/* brings its own locks */

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
	bool bus_master_off;		/* ... by us, since the device claims to be stopped */
	bool bus_master_lent;		/* on, by us, for a transfer of our own */
	bool bus_master_wanted;		/* what the user believes the bit to be meanwhile */
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
	return container_of(vdev, struct miglab_device, core.vdev);
}

/* Only between probe() and remove(), where drvdata is the vfio_pci_core_device. */
static inline struct miglab_device *miglab_from_dev(struct device *dev)
{
	return container_of(dev_get_drvdata(dev), struct miglab_device, core);
}

/* migration.c */
extern const struct vfio_migration_ops miglab_migration_ops;

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

/*
 * The device was opened and enabled: RUNNING, with a fresh image of the model that the
 * user wants. Returns -ENOMEM without memory, or what the model has against it.
 */
int miglab_migration_open(struct miglab_device *m);

/* It is closed: sessions end, the image and the model go. No SET is in progress. */
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
