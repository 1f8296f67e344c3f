// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/progress.h"

#include "base/clock.h"

void progress_add(struct progress *p, unsigned int device, const struct work_result *result)
{
	p->device[device].bytes += result->bytes;
	p->device[device].busy_ns += result->busy_ns;
	if (result->op == WORK_PASS && !result->error) {
		p->device[device].info = result->info;
		p->device[device].passed = true;
	}
	if (result->op == WORK_SAVE && !result->error)
		p->device[device].info = (struct precopy_info){ 0 };
}

uint64_t progress_transferred(const struct progress *p)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < VMM_DEVICES_MAX; i++)
		sum += p->device[i].bytes;
	return sum;
}

uint64_t progress_remaining(const struct progress *p)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < VMM_DEVICES_MAX; i++)
		sum += p->device[i].info.initial_bytes + p->device[i].info.dirty_bytes;
	return sum;
}

/* The devices have a connection each and send at the same time: their rates add up. */
static double measured_bandwidth(const struct progress *p)
{
	double sum = 0;

	for (unsigned int i = 0; i < VMM_DEVICES_MAX; i++) {
		if (p->device[i].busy_ns)
			sum += (double)p->device[i].bytes * NSEC_PER_SEC / p->device[i].busy_ns;
	}
	return sum;
}

bool progress_converged(const struct progress *p, const struct coordinator *c,
			uint64_t downtime_ms, uint64_t bandwidth)
{
	double rate = bandwidth ? (double)bandwidth : measured_bandwidth(p);

	for (unsigned int i = 0; i < c->count; i++) {
		if (c->device[i].state == VFIO_DEVICE_STATE_PRE_COPY &&
		    (!p->device[i].passed || p->device[i].info.initial_bytes))
			return false;
	}
	return (double)progress_remaining(p) <= rate * downtime_ms / 1000;
}
