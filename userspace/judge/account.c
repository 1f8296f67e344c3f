// SPDX-License-Identifier: GPL-2.0-only
#include "judge/account.h"

#include <errno.h>
#include <stdlib.h>

#include "judge/heard.h"
#include "judge/records.h"

struct account {
	const struct witness_target *targets;
	size_t count;
	const char **ids;
	uint32_t *start;
	struct contract_record *heard;
	size_t heard_count, heard_room;
	bool short_of_memory;
};

struct account *account_new(const struct witness_target *targets, size_t count)
{
	struct account *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->targets = targets;
	a->count = count;
	a->ids = calloc(count, sizeof(*a->ids));
	a->start = calloc(count, sizeof(*a->start));
	if (!a->ids || !a->start) {
		account_free(a);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		a->ids[i] = targets[i].id;
		a->start[i] = CONTRACT_UNKNOWN;
	}
	return a;
}

void account_free(struct account *a)
{
	if (!a)
		return;
	free(a->ids);
	free(a->start);
	free(a->heard);
	free(a);
}

static void add(struct account *a, const struct contract_record *record)
{
	if (a->heard_count == a->heard_room) {
		size_t room = a->heard_room ? 2 * a->heard_room : 32;
		void *more = realloc(a->heard, room * sizeof(*a->heard));

		if (!more) {
			a->short_of_memory = true;
			return;
		}
		a->heard = more;
		a->heard_room = room;
	}
	a->heard[a->heard_count++] = *record;
}

/* What an event would say, for who came too late to hear it. */
static void ask_machine(struct account *a, struct witness *w)
{
	int runs = witness_runs(w);

	if (runs >= 0)
		add(a, &(struct contract_record){
			.what = runs ? CONTRACT_RUNS : CONTRACT_STANDS, .ns = clock_ns(),
		});
}

void account_begin(struct account *a, struct witness *w)
{
	for (size_t i = 0; i < a->count; i++)
		if (!witness_state(w, i, &a->start[i]))
			a->start[i] = CONTRACT_UNKNOWN;
	ask_machine(a, w);
}

void account_hear(struct account *a, const struct qmp_event *event)
{
	struct contract_record record;

	const char *id = qmp_event_text(event, "device-id");

	if (heard_event(event, target_find(a->targets, a->count, id), &record))
		add(a, &record);
}

/* The arcs since the judge began, and where the device is now. */
static struct records_device device_of(struct witness *w, const struct verdict_input *in, size_t i)
{
	const struct verdict_device *dev = &in->devices[i];
	struct records_device ret = {
		.arcs = dev->arcs, .count = dev->count, .end_ns = clock_ns(),
	};

	while (ret.count && ret.arcs->seq < dev->first_seq) {
		ret.arcs++;
		ret.count--;
	}
	if (!witness_state(w, i, &ret.end_state))
		ret.end_state = CONTRACT_UNKNOWN;
	return ret;
}

/* Where a device began that could not be asked. */
static void place(struct account *a, size_t i, const struct records_device *dev)
{
	if (a->start[i] == CONTRACT_UNKNOWN && dev->count)
		a->start[i] = dev->arcs[0].from;
}

int account_judge(struct account *a, struct witness *w, const struct verdict_input *in,
		  const struct verdict_line *announced, size_t announced_count,
		  uint64_t downtime_ns, struct contract_line lines[CONTRACT_RULES])
{
	struct records_device *devices = calloc(a->count, sizeof(*devices));
	struct contract_input contract = {
		.ids = a->ids, .start = a->start, .devices = a->count, .lead_ns = in->lead_ns,
		.noise_ns = in->noise_ns, .downtime_ns = downtime_ns, .announced = announced,
		.announced_count = announced_count,
	};
	struct records_input merge = { .devices = devices, .device_count = a->count };
	struct contract_record *records = NULL;
	int ret = -ENOMEM;

	if (!devices)
		return -ENOMEM;
	for (size_t i = 0; i < a->count; i++) {
		devices[i] = device_of(w, in, i);
		place(a, i, &devices[i]);
		contract.compared += in->devices[i].witnesses > 1;
	}
	ask_machine(a, w);
	merge.asked = witness_asked(w, &merge.asked_count);
	merge.heard = a->heard;
	merge.heard_count = a->heard_count;
	contract.sees_questions = merge.asked;
	if (!a->short_of_memory)
		ret = records_build(&merge, &records, &contract.count);
	contract.records = records;
	if (!ret)
		contract_judge(&contract, lines);
	free(records);
	free(devices);
	return ret;
}
