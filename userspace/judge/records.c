// SPDX-License-Identifier: GPL-2.0-only
#include "judge/records.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "device/uapi.h"

/* Records in their own order. */
struct strand {
	struct contract_record *records;
	size_t count, taken;
};

/* --- a device's own strand ------------------------------------------------- */

static void add(struct strand *strand, struct contract_record record)
{
	strand->records[strand->count++] = record;
}

/* When the VMM said that @device is in RUNNING, in [from_ns, to_ns]; else @to_ns. */
static uint64_t said_running(const struct records_input *in, unsigned int device,
			     uint64_t from_ns, uint64_t to_ns)
{
	for (size_t i = 0; i < in->heard_count; i++) {
		const struct contract_record *r = &in->heard[i];

		if (r->what == CONTRACT_SAID && r->device == device && r->ns >= from_ns &&
		    r->ns <= to_ns && r->to == VFIO_DEVICE_STATE_RUNNING)
			return r->ns;
	}
	return to_ns;
}

/*
 * At @ns the device is found in @state. What @last, an arc that is over, does not explain
 * was a reset.
 */
static void explain(struct strand *strand, const struct records_input *in, unsigned int device,
		    const struct lab_arc *last, uint32_t state, uint64_t ns)
{
	uint32_t before = last->result ? last->from : last->to;

	if (in->asked || state == before || state != VFIO_DEVICE_STATE_RUNNING)
		return;
	add(strand, (struct contract_record){
		.what = CONTRACT_RESET, .device = device, .to = state,
		.ns = said_running(in, device, last->end_ns, ns),
	});
}

static void add_arc(struct strand *strand, unsigned int device, const struct lab_arc *arc)
{
	struct contract_record record = {
		.what = CONTRACT_BEGINS, .device = device, .ns = arc->begin_ns,
		.from = arc->from, .to = arc->to, .wanted = arc->requested,
	};

	add(strand, record);
	if (!arc->end_ns)
		return;
	record.what = CONTRACT_ENDS;
	record.ns = arc->end_ns;
	record.result = arc->result;
	add(strand, record);
}

static void add_device(struct strand *strand, const struct records_input *in,
		       unsigned int device)
{
	const struct records_device *dev = &in->devices[device];
	const struct lab_arc *last = NULL;

	for (size_t i = 0; i < dev->count; i++) {
		const struct lab_arc *arc = &dev->arcs[i];

		if (last && last->end_ns)
			explain(strand, in, device, last, arc->from, arc->begin_ns);
		add_arc(strand, device, arc);
		last = arc;
	}
	if (dev->end_state == CONTRACT_UNKNOWN)
		return;
	if (last && last->end_ns)
		explain(strand, in, device, last, dev->end_state, dev->end_ns);
	add(strand, (struct contract_record){
		.what = CONTRACT_FOUND, .device = device, .to = dev->end_state,
		.ns = dev->end_ns,
	});
}

/* --- all of them ----------------------------------------------------------- */

static int rank(const struct contract_record *r)
{
	switch (r->what) {
	case CONTRACT_ENDS:
		return 0;
	case CONTRACT_KNOWN:
	case CONTRACT_RESET:
		return 1;
	case CONTRACT_BEGINS:
		return 3;
	default:
		return 2;
	}
}

/* Is the head of @a to be taken before that of @b? NULL comes last. */
static bool precedes(const struct strand *a, const struct strand *b)
{
	const struct contract_record *x, *y;

	if (!b)
		return true;
	x = &a->records[a->taken];
	y = &b->records[b->taken];
	return x->ns != y->ns ? x->ns < y->ns : rank(x) < rank(y);
}

static void merge(struct strand *strands, size_t count, struct strand *all)
{
	for (;;) {
		struct strand *first = NULL;

		for (size_t i = 0; i < count; i++)
			if (strands[i].taken < strands[i].count && precedes(&strands[i], first))
				first = &strands[i];
		if (!first)
			return;
		add(all, first->records[first->taken++]);
	}
}

/* An arc has two records, may follow a reset, and at the end the device is found somewhere. */
static size_t room_of(const struct records_device *dev)
{
	return 3 * dev->count + 2;
}

int records_build(const struct records_input *in, struct contract_record **ret,
		  size_t *ret_count)
{
	struct strand *strands = calloc(in->device_count + 2, sizeof(*strands));
	size_t room = in->heard_count + in->asked_count + 1, used = 0;
	struct contract_record *own = NULL;
	struct strand all = { 0 };

	for (unsigned int i = 0; i < in->device_count; i++)
		room += room_of(&in->devices[i]);
	own = calloc(room, sizeof(*own));
	all.records = calloc(room, sizeof(*all.records));
	if (!strands || !own || !all.records) {
		free(strands);
		free(own);
		free(all.records);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < in->device_count; i++) {
		strands[i].records = own + used;
		add_device(&strands[i], in, i);
		used += room_of(&in->devices[i]);
	}
	/* Only read. */
	strands[in->device_count] = (struct strand){
		(struct contract_record *)in->heard, in->heard_count, 0
	};
	strands[in->device_count + 1] = (struct strand){
		(struct contract_record *)in->asked, in->asked_count, 0
	};
	merge(strands, in->device_count + 2, &all);
	free(own);
	free(strands);
	*ret = all.records;
	*ret_count = all.count;
	return 0;
}
