// SPDX-License-Identifier: GPL-2.0-only
/* The figures of each device, and their sums: what capability x-device-statistics adds. */
#include <stdio.h>

#include "base/clock.h"
#include "qmp/events.h"
#include "qmp/json.h"
#include "vmm/handlers.h"
#include "vmm/machine.h"

struct figures {
	uint64_t initial, dirty, size, transferred, rate;
};

static struct figures figures_of(const struct progress *p, unsigned int device)
{
	uint64_t bytes = p->device[device].bytes, ns = p->device[device].busy_ns;

	return (struct figures){
		.initial = p->device[device].info.initial_bytes,
		.dirty = p->device[device].info.dirty_bytes,
		.size = p->device[device].size,
		.transferred = bytes,
		.rate = ns ? (double)bytes * NSEC_PER_SEC / ns : 0,
	};
}

static void sum_up(struct figures *sum, const struct figures *f)
{
	sum->initial += f->initial;
	sum->dirty += f->dirty;
	sum->size += f->size;
	sum->transferred += f->transferred;
	sum->rate += f->rate;
}

static struct json_object *figures_json(const struct figures *f)
{
	struct json_object *o = json_object_new_object();

	json_add_int(o, "precopy-initial", f->initial);
	json_add_int(o, "precopy-dirty", f->dirty);
	json_add_int(o, "stop-copy-size", f->size);
	json_add_int(o, "transferred", f->transferred);
	json_add_int(o, "rate", f->rate);
	return o;
}

/* Of the last change to each state, in us. */
static struct json_object *durations_json(const struct durations *d, unsigned int device)
{
	struct json_object *o = json_object_new_object();

	for (uint32_t state = 0; state < DURATION_STATES; state++) {
		uint64_t ns = d->device[device].last_ns[state];

		if (ns)
			json_add_int(o, qmp_vfio_state_name(state), ns / NSEC_PER_USEC);
	}
	return o;
}

/* ERROR has no event, and a name here. */
static const char *state_text(uint32_t state)
{
	return qmp_vfio_state_name(state) ?: "error";
}

/* The checksum is that of both sides once the migration is over. */
static struct json_object *memory_json(const struct ram_stats *ram)
{
	struct json_object *o = json_object_new_object();
	char sum[16];

	json_add_int(o, "size", ram->total);
	json_add_int(o, "pages", ram->normal + ram->duplicate);
	json_add_int(o, "transferred", ram->transferred);
	if (ram->summed) {
		snprintf(sum, sizeof(sum), "%08x", ram->checksum);
		json_add_string(o, "checksum", sum);
	}
	return o;
}

void add_statistics(const struct machine *m, struct json_object *info)
{
	struct json_object *list = json_object_new_array();
	struct figures sum = { 0 };
	uint64_t switchover_ns;

	for (unsigned int i = 0; i < m->config->count; i++) {
		struct figures f = figures_of(&m->progress, i);
		struct json_object *o = figures_json(&f);

		sum_up(&sum, &f);
		json_add_string(o, "device-id", m->config->device[i].id);
		json_add_string(o, "state", state_text(m->coordinator.device[i].state));
		json_object_object_add(o, "transitions-us", durations_json(&m->durations, i));
		json_object_array_add(list, o);
	}
	json_object_object_add(info, "x-devices", list);
	json_object_object_add(info, "x-devices-sum", figures_json(&sum));
	if (m->config->memory)
		json_object_object_add(info, "x-memory", memory_json(&m->progress.ram));
	if (!json_object_object_get_ex(info, "expected-downtime", NULL))
		return;
	switchover_ns = durations_switchover_ns(&m->durations, &m->coordinator, clock_ns());
	json_add_int(info, "x-expected-downtime",
		     switchover_ns / NSEC_PER_MSEC +
		     json_object_get_int64(json_object_object_get(info, "expected-downtime")));
}
