/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The emulated device: driver/core in this process. Private to emu*.c.
 *
 * Locks, outer first:
 * - model_lock protects the bytes of the model and what is in a session. It is
 *   held for as long as a pass over the state takes (checksum, noise), never
 *   while a rule waits.
 * - lock protects the rest and is only ever held for microseconds.
 * Fields marked "both" are written with both held, so that either one is enough
 * to read them.
 */
#ifndef MIGLAB_DEVICE_EMU_H
#define MIGLAB_DEVICE_EMU_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/fsm.h"
#include "core/history.h"
#include "core/lease.h"
#include "core/precopy.h"
#include "core/rules.h"
#include "core/stream.h"
#include "core/synthetic.h"
#include "device/lab.h"
#include "device/ops.h"

/* What a device does that was given no dirty_bytes_per_sec. */
#define EMU_DIRTY_BYTES_PER_SEC_DEFAULT	0ull

/* What the user asked for behind "emu:". */
struct emu_spec {
	u64 state_bytes;
	u64 dirty_bytes_per_sec;
	u64 seed;
	u64 dma_bytes_per_sec;
	u64 dma_log_misses;		/* U64_MAX: nothing */
	u32 flags;			/* of the profile: VFIO_MIGRATION_* */
	char rules[MIGLAB_RULES_TEXT_MAX + 1];
	char mutant[32];		/* the name of a defect; "": none */
};

/*
 * @spec: "emu" or "emu:key=value,..". -EINVAL with a sentence that names the
 * key or the value. Without the key seed, seed is different in every call.
 */
int emu_spec_parse(const char *spec, struct emu_spec *ret, struct error *err);

/* What exists between the arc that begins a session and the one that ends it. */
struct emu_session {
	u64 id;				/* counts from 1 */
	bool resuming;			/* written by the user; else read by the user */
	bool open;			/* the user has not closed it */
	struct miglab_outgoing out;	/* saving: the record that is being read */
	struct miglab_precopy track;	/* saving: what is still to be sent */
	u8 *bitmap;			/* saving: track's memory */
	u64 final_delay_us;		/* saving: before the first read in STOP_COPY */
	struct miglab_decoder decoder;	/* resuming */
	struct miglab_content incoming;	/* resuming: the image that replaces the state */
};

#define EMU_HANDLES	64	/* data_fds open at a time */
#define EMU_FIRST_HANDLE	1000	/* no number that a descriptor has by chance */

/* The owner of a lease that this process took for itself: no connection's number. */
#define EMU_OWNER_SELF	U64_MAX

/* What stands for a data_fd. */
struct emu_handle {
	u64 session;		/* 0: the slot is free */
	bool resuming;
};

#define EMU_BAR_BYTES	4096u
#define EMU_LOG_RANGES	256u	/* as many as VFIO takes */
#define EMU_LOG_PAGES	1024u

/* emu_log.c: the log of what the device wrote to memory. */
struct emu_log {
	bool on;
	u64 page_size;
	u32 ranges, pages, pending;
	struct emu_span { u64 iova, length; } range[EMU_LOG_RANGES];
	u64 page[EMU_LOG_PAGES];	/* written since the last report, in units of page_size */
	struct emu_span work[16];	/* asked for while the device may not begin to write */
};

/*
 * emu_memory.c: guest memory, which it writes while it may: one page after the other, from
 * the first to the last and over again. Nobody sees when exactly: all that is due is
 * written whenever somebody could look, and when it stops.
 */
struct emu_memory {
	u8 *host;			/* NULL: none was mapped */
	u64 iova, length;
	u64 rate;			/* bytes/s */
	u64 since_ns, due;		/* up to when it was written, and bytes of a page since */
	u64 next, count;		/* the page that is next, and pages written so far */
	u64 misses;			/* the number of a page whose writes are not recorded */
	u64 *written;			/* a bit for each page; NULL: not tracked */
};

struct emu_stats {
	u64 arcs, arcs_failed, holds, resets, bytes_read, bytes_written;
};

struct emu {
	struct device dev;		/* first: the ops' argument */
	struct lab lab;

	pthread_mutex_t model_lock;
	struct miglab_content content;
	struct miglab_synthetic model;	/* model.rate: both */

	pthread_mutex_t lock;
	pthread_cond_t changed;		/* CLOCK_MONOTONIC; what waits wait for, state apart */
	u32 state;			/* both */
	u64 reset_gen;			/* counts resets; an arc that sees it change fails */
	struct emu_session *session;	/* both */
	u64 sessions;			/* how many there were; model_lock */
	u64 rate;			/* as asked for; the model takes it over when it advances */
	u64 permits;			/* releases that no hold has consumed yet */
	const struct miglab_arc *held;	/* the arc that waits for a release, or NULL */
	bool leased;			/* it does so under the lease, not by a rule */
	bool released;			/* it was released by its number */
	struct miglab_lease lease;	/* owned by a connection, or by EMU_OWNER_SELF */
	bool latched;			/* fingerprint is valid */
	u32 fingerprint;
	atomic_uint rule_ops;		/* rules.ops, to be read without the lock */
	struct miglab_rules rules;
	char rules_text[MIGLAB_RULES_TEXT_MAX + 1];
	char rules_error[128];
	struct miglab_history history;
	struct emu_stats stats;

	u64 seed;			/* of the first state; a reset adds 1 */

	/* emu_calls.c */
	pthread_mutex_t set_lock;	/* one SET at a time; outermost */
	struct emu_handle handles[EMU_HANDLES];		/* lock */
	bool opted_in;			/* lock; MIG_PRECOPY_INFOv2 */
	u8 region[EMU_BAR_BYTES];	/* lock; BAR 0 */
	u8 config[256];			/* lock; configuration space */
	struct emu_log log;		/* lock */
	struct emu_memory memory;	/* model_lock */
	struct device_calls calls;	/* emu_calls, as the mutant has them */
	u64 mutant_data[4];		/* the mutant's own */
};

/* emu_lab.c: attributes of the device that @lab is a part of. */
extern const struct lab_ops emu_lab_ops;

/* A whole set, refused whole. Takes e->lock. */
int emu_rules_set(struct emu *e, const char *text, struct error *err);

/*
 * emu_hold.c: the attributes hold and release, as driver/hold.c has the first. Each takes
 * e->lock.
 */
int emu_hold_write(struct emu *e, const struct lab_writer *writer, const char *text,
		   struct error *err);
int emu_release(struct emu *e, const char *text, struct error *err);
/* A connection has gone, and its lease with it. */
void emu_hold_gone(struct emu *e, u64 connection);

/* @op begins: what does a rule want? All zero without one. Takes e->lock only if there is one. */
struct miglab_plan emu_plan(struct emu *e, enum miglab_op op);

/* Waits for @us; -EIO when a reset comes. Takes e->lock. */
int emu_delay(struct emu *e, u64 us);

/* emu_plan(), and waits and fails as it says; what else it says is the caller's. */
int emu_obey(struct emu *e, enum miglab_op op, struct miglab_plan *ret_plan);

/*
 * emu_session.c. begin, commit and end are called with model_lock held.
 */
int emu_session_begin(struct emu *e, bool resuming);
/* Checks that a whole stream came, then makes it the device's state. */
int emu_session_commit(struct emu *e);
/* NULL session is allowed. */
void emu_session_end(struct emu *e);
/* Does the device's work up to @now_ns, accounted to the saving session if there is one. */
void emu_advance(struct emu *e, u64 now_ns);

/*
 * As the operations of the same name, of session number @id: -EBADF when that is
 * over. 0 stands for the one that the user has not closed.
 */
ssize_t emu_session_read(struct emu *e, u64 id, void *buf, size_t size);
ssize_t emu_session_write(struct emu *e, u64 id, const void *buf, size_t size);
int emu_session_wait(struct emu *e, u64 id, int timeout_ms);
int emu_session_info(struct emu *e, u64 id, struct precopy_info *ret_info, struct error *err);
/* The session's user has closed it; nothing when it is over. */
void emu_session_close(struct emu *e, u64 id);

int emu_data_size(struct device *dev, uint64_t *ret_bytes, struct error *err);
int emu_precopy_info(struct device *dev, struct precopy_info *ret_info, struct error *err);
ssize_t emu_read(struct device *dev, void *buf, size_t size);
ssize_t emu_write(struct device *dev, const void *buf, size_t size);
int emu_wait(struct device *dev, int timeout_ms);
void emu_end_session(struct device *dev);

/* emu.c */
int emu_set_state(struct device *dev, uint32_t want, struct error *err);
int emu_reset(struct device *dev, struct error *err);

/* emu_calls.c */
extern const struct device_calls emu_calls;
/* Is @state one in which the device begins to write memory? */
bool emu_may_write(u32 state);

/* emu_log.c: VFIO_DEVICE_FEATURE_DMA_LOGGING_*, answered as ioctl does; e->lock is held. */
int emu_log_start(struct emu *e, struct vfio_device_feature_dma_logging_control *control);
int emu_log_stop(struct emu *e);
int emu_log_report(struct emu *e, const struct vfio_device_feature_dma_logging_report *report);
/* The device writes zeros to memory, or will when it may again; model_lock is held too. */
int emu_log_write(struct emu *e, u64 iova, u64 length);
/* What was asked for and may be done by now happens, the rest waits on; model_lock is held too. */
void emu_log_resume(struct emu *e);

/*
 * emu_memory.c. The device's work up to @now_ns, if it may write in its state, which is
 * the one that it had since the last call; model_lock is held.
 */
void emu_memory_advance(struct emu *e, u64 now_ns);
/* Zeros at @iova, where something is mapped; model_lock is held. */
void emu_memory_clear(struct emu *e, u64 iova, u64 length);
int emu_map(struct device *dev, uint64_t iova, void *host, uint64_t length, struct error *err);
int emu_track(struct device *dev, uint64_t iova, uint64_t length, struct error *err);
int emu_dirty(struct device *dev, uint64_t *bitmap, struct error *err);
void emu_untrack(struct device *dev);

/* emu_mutant.c: makes @e a device with the defect @name; -EINVAL with a sentence. */
int emu_mutate(struct emu *e, const char *name, struct error *err);

/* Waits on e->changed, at most until @deadline_ns (U64_MAX: no limit); e->lock is held. */
void emu_wait_changed(struct emu *e, u64 deadline_ns);

#endif
