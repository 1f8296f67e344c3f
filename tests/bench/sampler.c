// SPDX-License-Identifier: GPL-2.0-only
#include "sampler.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "migration.h"

#define PAUSE_US	3000

struct sample sample_take(struct qmp_client *client)
{
	struct sample s;
	struct error err;

	usleep(PAUSE_US);
	s.asked_ns = clock_ns();
	if (qmp_client_call(client, "query-migrate", NULL, s.asked_ns + GUARD_NS, NULL, &err))
		die("query-migrate: %s", err.text);
	s.answered_ns = clock_ns();
	return s;
}

static void *ask(void *opaque)
{
	struct sampler *s = opaque;

	while (!atomic_load(&s->stop) && s->count < SAMPLES_MAX)
		s->samples[s->count++] = sample_take(s->client);
	return NULL;
}

void sampler_start(struct sampler *s, struct qmp_client *client)
{
	s->client = client;
	s->count = 0;
	atomic_store(&s->stop, false);
	if (pthread_create(&s->thread, NULL, ask, s))
		die("no thread for questions");
}

void sampler_stop(struct sampler *s)
{
	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

size_t sample_latency(const struct sample *samples, size_t count, uint64_t from_ns,
		      uint64_t to_ns, double *ret_median_ms, double *ret_p99_ms)
{
	double ms[SAMPLES_MAX];
	size_t n = 0, i;

	for (i = 0; i < count; i++)
		if (samples[i].asked_ns < to_ns && samples[i].answered_ns > from_ns)
			ms[n++] = (double)(samples[i].answered_ns - samples[i].asked_ns) /
				  NSEC_PER_MSEC;
	if (!n)
		return 0;
	qsort(ms, n, sizeof(*ms), compare);
	*ret_median_ms = ms[n / 2];
	*ret_p99_ms = ms[(n - 1) * 99 / 100];
	return n;
}
