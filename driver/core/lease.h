/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A lease on one arc of a device: each such arc is held, before any rule acts on it, until
 * it is released by its number in the history or the limit is reached, and for as long as the
 * lease's owner lives. It touches no rule, no counter and no permit.
 *
 * Pure; the caller serialises. What an owner is, and whether it lives, only the shell knows.
 */
#ifndef MIGLAB_CORE_LEASE_H
#define MIGLAB_CORE_LEASE_H

#include "port.h"

struct miglab_lease {
	u64 owner;	/* a number that no other living writer has; 0: there is no lease */
	s32 pid;	/* the owner's, for people */
	u32 from, to;	/* the arc, enum miglab_state */
	u64 limit_us;	/* how long it is held before it fails */
	u32 ended;	/* how many leases have ended: the arc held under one sees it change */
};

/*
 * One line for an attribute: states by name, limit_us and pid. Without a lease the line is
 * MIGLAB_LEASE_NONE.
 */
#define MIGLAB_LEASE_FMT	"%s>%s limit_us=%llu pid=%d\n"
#define MIGLAB_LEASE_NONE	"none\n"

/**
 * miglab_lease_parse() - read "FROM>TO limit_us=N", or "none" or nothing
 * @text: @len bytes, need not be NUL-terminated; newlines at its end are tolerated
 * @ret: from, to and limit_us, 1 to MIGLAB_DELAY_MAX_US; limit_us 0 stands for "none"
 *
 * FROM>TO is one arc of any of the state machines that the uAPI defines, as in a rule.
 *
 * Return: 0, or -EINVAL with @ret untouched.
 */
int miglab_lease_parse(const char *text, size_t len, struct miglab_lease *ret);

/*
 * @owner wants @lease to be as @wanted, which miglab_lease_parse() made: takes it, changes
 * its own, or gives it up. Return: 0, or -EBUSY while it is another one's.
 */
int miglab_lease_write(struct miglab_lease *lease, const struct miglab_lease *wanted, u64 owner,
		       s32 pid);

/* The owner gives it up or is gone. Without a lease nothing. */
void miglab_lease_end(struct miglab_lease *lease);

/* The arc @from > @to begins: shall it be held? */
bool miglab_lease_holds(const struct miglab_lease *lease, u32 from, u32 to);

/* What is written to `release`. */
struct miglab_release {
	bool by_seq;	/* "seq=N": of the arc with that number; else "N": permits */
	u64 number;
};

/* Return: 0, or -EINVAL with @ret untouched. @text as above. */
int miglab_release_parse(const char *text, size_t len, struct miglab_release *ret);

#endif
