/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The records of contract.h in one order: arcs that a witness has of each device, and what
 * was heard of the machine. Pure.
 */
#ifndef MIGLAB_JUDGE_RECORDS_H
#define MIGLAB_JUDGE_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#include "device/lab.h"
#include "judge/contract.h"

struct records_device {
	const struct lab_arc *arcs;	/* in their order */
	size_t count;
	uint32_t end_state;	/* where the judge found it at the end, or CONTRACT_UNKNOWN */
	uint64_t end_ns;	/* when */
};

struct records_input {
	const struct records_device *devices;
	unsigned int device_count;
	const struct contract_record *heard;	/* in the order of the wire */
	size_t heard_count;
	/*
	 * What the VMM asked and reset, in its order. NULL: nobody recorded that, and a
	 * device that is in RUNNING where no arc has led was reset; so it is said to have
	 * been when the VMM said RUNNING of it, or else just before its next arc.
	 */
	const struct contract_record *asked;
	size_t asked_count;
};

/**
 * records_build() - merge by time
 * @ret: freed by the caller
 *
 * What is of one device, and what was heard, stays in its own order. Of what has the same
 * time an end comes before what was heard, and a beginning last: clocks of microseconds
 * accuse nobody.
 *
 * Return: 0 or -ENOMEM.
 */
int records_build(const struct records_input *in, struct contract_record **ret,
		  size_t *ret_count);

#endif
