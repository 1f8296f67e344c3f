// SPDX-License-Identifier: GPL-2.0-only
/*
 * Usage: arc DEVICE
 *
 * What an arc costs for which there is no rule: RUNNING > RUNNING_P2P and back, one by one, with
 * no rules at all and with as many as there can be of which none matches; and beside it an ioctl
 * that only asks for the state. The medians of many, in nanoseconds, as lines for table.
 *
 * Exit status: 0, 2 bad usage, 3 could not measure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "device/lab.h"
#include "device/ops.h"
#include "migration.h"

#define TIMES	1000
#define RULES	64
#define OTHER	"arc=STOP_COPY>STOP errno=EIO;"

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double median(uint64_t *ns)
{
	qsort(ns, TIMES, sizeof(*ns), compare);
	return (double)ns[TIMES / 2];
}

static double ask(struct device *dev)
{
	static uint64_t ns[TIMES];
	struct error err;
	uint32_t state;
	int i;

	for (i = 0; i < TIMES; i++) {
		uint64_t begin_ns = clock_ns();

		if (dev->ops->get_state(dev, &state, &err))
			die("%s", err.text);
		ns[i] = clock_ns() - begin_ns;
	}
	return median(ns);
}

static double go(struct device *dev, const char *rules)
{
	static uint64_t ns[TIMES];
	struct error err;
	int i;

	if (dev->lab->ops->write(dev->lab, "rules", rules, &err))
		die("%s", err.text);
	for (i = 0; i < TIMES; i++) {
		uint32_t to = i % 2 ? VFIO_DEVICE_STATE_RUNNING : VFIO_DEVICE_STATE_RUNNING_P2P;
		uint64_t begin_ns = clock_ns();

		if (dev->ops->set_state(dev, to, &err))
			die("%s", err.text);
		ns[i] = clock_ns() - begin_ns;
	}
	return median(ns);
}

int main(int argc, char **argv)
{
	char rules[RULES * sizeof(OTHER)] = "";
	struct error err = { "" };
	struct device *dev;
	int i;

	if (argc != 2) {
		fprintf(stderr, "usage: arc DEVICE\n");
		return 2;
	}
	if (device_open(argv[1], &dev, &err))
		die("%s", err.text);
	if (!dev->lab)
		die("%s is not one of ours: it has no rules", argv[1]);
	for (i = 0; i < RULES; i++)
		strcat(rules, OTHER);
	rules[strlen(rules) - 1] = '\0';
	figure("arc", "one arc, ns", "no rules", go(dev, "\n"));
	figure("arc", "one arc, ns", "64 rules", go(dev, rules));
	figure("arc", "one arc, ns", "GET state", ask(dev));
	dev->ops->close(dev);
	return 0;
}
