/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The synthetic device model: a state that fits any PCI function.
 *
 * The state is a block of bytes that begins as noise and of which the device
 * rewrites pages, dirty_bytes_per_sec, while it runs. It stands for a device's
 * internal state; it is not the function's own state, which stays where it is.
 *
 * Pure: time comes in as now_ns, memory comes from the caller, who serialises.
 */
#ifndef MIGLAB_CORE_SYNTHETIC_H
#define MIGLAB_CORE_SYNTHETIC_H

#include "port.h"
#include "precopy.h"
#include "stream.h"

#define MIGLAB_STATE_BYTES_DEFAULT	(1ull << 20)
#define MIGLAB_STATE_BYTES_MIN		((u64)MIGLAB_PAGE)
#define MIGLAB_STATE_BYTES_MAX		(1ull << 30)	/* and a multiple of MIGLAB_PAGE */

struct miglab_synthetic {
	u8 *bytes;
	struct miglab_identity id;	/* id.state_bytes is the size of @bytes */
	u64 rate;			/* dirty_bytes_per_sec */
	u64 since_ns;			/* up to when the device's work is done */
	u64 work;			/* done but too little for a page: bytes per second * ns */
	u64 prng;
	bool running;			/* does the device change its state? */
};

/* Is @state_bytes a size that a state may have? */
bool miglab_synthetic_size_ok(u64 state_bytes);

/*
 * @bytes: id->state_bytes of memory that outlives the model; filled with noise from
 * @seed. The caller may sleep.
 */
void miglab_synthetic_init(struct miglab_synthetic *m, const struct miglab_identity *id, u8 *bytes,
			   u64 seed);

/* Does a device in @state (enum miglab_state) change its state? RUNNING and PRE_COPY do. */
bool miglab_synthetic_active(u32 state);

/*
 * The device is active or idle from @now_ns on. The caller has done
 * miglab_synthetic_advance() to @now_ns first.
 */
void miglab_synthetic_run(struct miglab_synthetic *m, bool active, u64 now_ns);

/*
 * Does the device's work up to @now_ns: rewrites pages at its rate, each at most
 * once in a call, and marks them in @track (NULL: no session). Bounded by the
 * number of pages, however long ago the last call was.
 */
void miglab_synthetic_advance(struct miglab_synthetic *m, struct miglab_precopy *track, u64 now_ns);

/* Nanoseconds from @now_ns until the next page changes; U64_MAX when none will. */
u64 miglab_synthetic_next_ns(const struct miglab_synthetic *m, u64 now_ns);

/**
 * miglab_synthetic_stage() - produce the session's next record
 * @track: the session's accounting, which is told what was staged
 * @final: the device is in STOP_COPY, so that the end record follows the last page
 * @buf: MIGLAB_RECORD_MAX bytes
 *
 * All of the record before has been read.
 *
 * Return: how much of the record is to be read: all, but for a stream that is to end
 * early; or 0 when there is nothing to send: for good with @final, for now without it.
 */
size_t miglab_synthetic_stage(struct miglab_synthetic *m, struct miglab_precopy *track, bool final,
			      u8 *buf);

/* Puts decoded pages in place; a miglab_pages_fn whose @opaque is a struct miglab_synthetic. */
void miglab_synthetic_put_pages(void *opaque, u64 offset, const u8 *data, u32 len);

/*
 * The checksum over all bytes of the state: crc32c, initial value and final xor ~0.
 * The caller may sleep.
 */
u32 miglab_synthetic_fingerprint(const struct miglab_synthetic *m);

/* Upper bound of a whole stream for a state of @state_bytes, when nothing changes meanwhile. */
u64 miglab_synthetic_stream_bytes(u64 state_bytes);

#endif
