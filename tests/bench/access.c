// SPDX-License-Identifier: GPL-2.0-only
/*
 * Usage: access DEVICE
 *
 * Reads a register of the device's BAR 0 by pread() and prints what that took, in
 * nanoseconds: the least mean of some batches, since a shared machine has others in mind.
 *
 * Exit status: 0, 2 bad usage, 3 could not measure.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "device/calls.h"
#include "device/function.h"
#include "device/ops.h"
#include "device/uapi.h"

#define BATCHES	20
#define READS	2000

static void die(const char *what)
{
	fprintf(stderr, "access: %s\n", what);
	exit(3);
}

static uint64_t batch_ns(struct device *dev, off_t at)
{
	uint64_t begin = clock_ns();
	uint32_t value;
	int i;

	for (i = 0; i < READS; i++)
		if (dev->calls->pread(dev, DEVICE_SELF, &value, 4, at) != 4)
			die("BAR 0 cannot be read");
	return (clock_ns() - begin) / READS;
}

int main(int argc, char **argv)
{
	struct vfio_region_info bar;
	uint64_t least = UINT64_MAX, ns;
	struct error err = { "" };
	struct device *dev;
	int i;

	if (argc != 2) {
		fprintf(stderr, "Usage: access DEVICE\n");
		return 2;
	}
	if (device_open(argv[1], &dev, &err))
		die(err.text);
	if (function_enable(dev) || function_region(dev, VFIO_PCI_BAR0_REGION_INDEX, &bar))
		die("its registers do not answer");
	for (i = 0; i < BATCHES; i++) {
		ns = batch_ns(dev, (off_t)bar.offset);
		least = ns < least ? ns : least;
	}
	printf("%llu\n", (unsigned long long)least);
	dev->ops->close(dev);
	return 0;
}
