/* SPDX-License-Identifier: GPL-2.0-only */
/* How long a machine takes to answer query-migrate. */
#ifndef TESTS_BENCH_SAMPLER_H
#define TESTS_BENCH_SAMPLER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "qmp/client.h"

#define SAMPLES_MAX	4096

struct sample {
	uint64_t asked_ns, answered_ns;
};

struct sampler {
	struct qmp_client *client;	/* of this one alone, as long as it runs */
	pthread_t thread;
	atomic_bool stop;
	size_t count;
	struct sample samples[SAMPLES_MAX];
};

/* One question; a pause before it lets the machine do something else. */
struct sample sample_take(struct qmp_client *client);

/* Asks again and again, in a thread, until it is stopped. */
void sampler_start(struct sampler *s, struct qmp_client *client);
void sampler_stop(struct sampler *s);

/*
 * The latencies of the @count samples that overlap FROM..TO, in ms: the median and the 99th
 * percentile. Returns how many there were; with 0 the figures are not set.
 */
size_t sample_latency(const struct sample *samples, size_t count, uint64_t from_ns,
		      uint64_t to_ns, double *ret_median_ms, double *ret_p99_ms);

#endif
