/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hold of a judge: a lease, kept by one process, on an arc of a device. See lease.h.
 *
 * The owner is a thread group. It is gone when its last thread has begun to exit, whether or
 * not somebody reaps it, and is found to be so when somebody looks: an arc that begins or is
 * held, a reader and a writer of the attribute.
 */
#ifndef MIGLAB_HOLD_H
#define MIGLAB_HOLD_H

#include <linux/device.h>
#include <linux/pid.h>

#include "lease.h"

#define MIGLAB_LEASE_POLL_US	100000	/* how long a held arc may not notice its owner's end */

struct miglab_device;

/* Guarded by state_lock; who waits reads lease.ended and released without it. */
struct miglab_hold {
	struct miglab_lease lease;
	struct pid *owner;	/* of the lease, a reference; NULL without a lease */
	bool leased;		/* the arc that is held is so by the lease, not by a rule */
	bool released;		/* ... and was released by its number */
};

/* The attribute: "FROM>TO limit_us=N" takes the lease, "none" gives it up. */
extern struct device_attribute dev_attr_hold;

/*
 * The arc @from > @to begins. Return: NULL, or, when it shall be held, the lease's owner: a
 * reference, to be dropped by put_pid(). state_lock is held.
 */
struct pid *miglab_hold_owner(struct miglab_device *m, u32 from, u32 to);

/* Is @owner, who had a lease when lease.ended was @ended, without it now? Needs no lock. */
bool miglab_hold_is_over(const struct miglab_device *m, struct pid *owner, u32 ended);

/* Releases the arc number @seq, if it is held now. Return: 0 or -ESRCH. */
int miglab_hold_release(struct miglab_device *m, u64 seq);

/* The device goes. */
void miglab_hold_destroy(struct miglab_hold *h);

#endif
