/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel's trace tells of some devices, as their own histories would have it; and
 * what these have not: resets and questions. Pure.
 */
#ifndef MIGLAB_JUDGE_TRACED_H
#define MIGLAB_JUDGE_TRACED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/lab.h"
#include "judge/contract.h"
#include "witness/arcs.h"

struct traced_device {
	const char *name;	/* as the kernel spells it; the caller's */
	struct lab_arc *arcs;	/* seq counts from 1; requested is where the path ends */
	size_t count, room;
};

/* A VMM wrote that it announces a device of it. */
struct traced_sent {
	char id[WITNESS_NAME_MAX];	/* as the VMM calls it */
	uint64_t ns;
	int32_t pid;			/* 0: the trace does not say */
};

struct traced {
	struct traced_device *devices;
	size_t device_count;
	struct contract_record *asked;	/* CONTRACT_KNOWN and CONTRACT_RESET, of all devices */
	size_t asked_count, asked_room;
	struct traced_sent *sent;
	size_t sent_count, sent_room;
	unsigned int lost;		/* lines that the kernel had no room for */
	bool short_of_memory;
};

/* -ENOMEM; @names outlive it. */
int traced_init(struct traced *t, const char *const *names, size_t count);
void traced_free(struct traced *t);

/* What arcs.h tells, in its order. Other devices and marks are nobody's. */
void traced_news(struct traced *t, enum arcs_news news, const struct witness_arc *arc);

/* Where device @i is as far as it has shown: false before its first arc, and after a failure. */
bool traced_state(const struct traced *t, size_t i, uint32_t *ret_state);

/*
 * When the VMM @pid, 0: any, wrote the announcement of its device @id that was received, and
 * marked, at @ns: the last one before that. 0: the trace has none.
 */
uint64_t traced_sent(const struct traced *t, const char *id, int32_t pid, uint64_t ns);

#define AGREE_TEXT_MAX	128

/*
 * Do the arcs of a device's own history and of the trace agree, of those that began at
 * @since_ns or later and were over at @until_ns? The same arcs with the same results, made by
 * the same process, and each of the history's within that of the trace, which begins before
 * the driver does anything and ends when the VMM goes on. @why says what differs.
 */
bool traced_agrees(const struct lab_arc *history, size_t history_count,
		   const struct lab_arc *trace, size_t trace_count, uint64_t since_ns,
		   uint64_t until_ns, char why[AGREE_TEXT_MAX]);

#endif
