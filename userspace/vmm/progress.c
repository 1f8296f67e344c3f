// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/progress.h"

#include "base/clock.h"

void progress_add(struct progress *p, unsigned int device, const struct work_result *result)
{
	p->device[device].bytes += result->bytes;
	p->device[device].busy_ns += result->busy_ns;
	if (result->ram.total)
		p->ram = result->ram;
	if (result->error)
		return;
	switch (result->op) {
	case WORK_PASS:
	case WORK_INFO:
		p->device[device].info = result->info;
		p->device[device].size = result->size;
		p->device[device].passed = true;
		break;
	case WORK_SET:
		if (result->size)
			p->device[device].size = result->size;
		break;
	case WORK_SAVE:
		p->device[device].info = (struct precopy_info){ 0 };
		p->device[device].size = 0;
		break;
	default:
		break;
	}
}

uint64_t progress_transferred(const struct progress *p)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < VMM_DEVICES_MAX; i++)
		sum += p->device[i].bytes;
	return sum;
}

/* Drivers may say anything, and JSON has 63 bits. */
static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) || sum > INT64_MAX ? INT64_MAX : sum;
}

static uint64_t precopy_bytes(const struct progress *p, unsigned int device)
{
	return add(p->device[device].info.initial_bytes, p->device[device].info.dirty_bytes);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

uint64_t progress_remaining(const struct progress *p)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < VMM_DEVICES_MAX; i++)
		sum = add(sum, larger(p->device[i].size, precopy_bytes(p, i)));
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

uint64_t progress_downtime_ms(const struct progress *p, uint64_t limit_ms, uint64_t bandwidth)
{
	double rate = bandwidth ? (double)bandwidth : measured_bandwidth(p);
	double ms = rate > 0 ? progress_remaining(p) * 1000.0 / rate : limit_ms;

	return ms < (double)INT64_MAX ? (uint64_t)ms : INT64_MAX;
}

bool progress_converged(const struct progress *p, const struct coordinator *c,
			uint64_t downtime_ms, uint64_t bandwidth)
{
	double rate = bandwidth ? (double)bandwidth : measured_bandwidth(p);
	uint64_t sum = 0;

	for (unsigned int i = 0; i < c->count; i++) {
		if (c->device[i].state == VFIO_DEVICE_STATE_PRE_COPY &&
		    (!p->device[i].passed || p->device[i].info.initial_bytes))
			return false;
		sum = add(sum, precopy_bytes(p, i));
	}
	return (double)sum <= rate * downtime_ms / 1000;
}
