/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules in force for one device.
 *
 * Shared by the device and its sessions: a data_fd obeys op= rules without touching
 * the device, which may be gone.
 */
#ifndef MIGLAB_RULEBOOK_H
#define MIGLAB_RULEBOOK_H

#include <linux/kref.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "rules.h"

#define MIGLAB_NAME	40	/* room for a UUID and its NUL; a BDF is shorter */

/* A set of rules and its text. */
struct miglab_ruleset {
	struct miglab_rules rules;
	char text[MIGLAB_RULES_TEXT_MAX + 1];	/* NUL-terminated, no newline at its end */
};

struct miglab_rulebook {
	struct kref kref;
	char name[MIGLAB_NAME];		/* the device's, for tracepoints */
	wait_queue_head_t pauses;	/* sessions wait here while a rule delays them */
	bool closed;			/* the device is leaving: rules act no longer */
	u32 ops;			/* set->rules.ops, to be read without the lock */

	/* Guards set. The last of all locks, held for one pass over the set. */
	spinlock_t lock;
	struct miglab_ruleset *set;
};

/**
 * miglab_ruleset_parse() - a set from its text
 * @err: says where and why when the set is refused
 *
 * Return: the set, to be freed by kfree(), or an ERR_PTR: -ENOMEM, or the set is bad.
 */
struct miglab_ruleset *miglab_ruleset_parse(const char *text, size_t len,
					    struct miglab_rules_error *err);

/* One reference. Takes @set over, also when it returns an ERR_PTR. */
struct miglab_rulebook *miglab_rulebook_new(const char *name, struct miglab_ruleset *set);

struct miglab_rulebook *miglab_rulebook_get(struct miglab_rulebook *book);
void miglab_rulebook_put(struct miglab_rulebook *book);

/* @set is in force, with fresh counters, and belongs to the book. Never blocks. */
void miglab_rulebook_replace(struct miglab_rulebook *book, struct miglab_ruleset *set);

/* The text of the set in force and a newline, to a sysfs buffer; returns the bytes. */
ssize_t miglab_rulebook_emit(struct miglab_rulebook *book, char *buf);

/* How often rules of the set in force acted. */
u64 miglab_rulebook_acted(struct miglab_rulebook *book);

/* No rule acts from now on, and pauses end. Never blocks. */
void miglab_rulebook_close(struct miglab_rulebook *book);

/* The arc @from > @to, or @op, begins: what shall happen? Never blocks. */
struct miglab_plan miglab_rulebook_arc(struct miglab_rulebook *book, u32 from, u32 to);
struct miglab_plan miglab_rulebook_op(struct miglab_rulebook *book, enum miglab_op op);

/* Might a rule act on @op? One load: what is asked before each read() and write(). */
static inline bool miglab_rulebook_knows(const struct miglab_rulebook *book, enum miglab_op op)
{
	return READ_ONCE(book->ops) & (1u << op);
}

#endif
