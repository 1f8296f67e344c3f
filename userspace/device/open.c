// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/discard.h"
#include "device/open.h"
#include "device/pci.h"

static const struct {
	const char *prefix;
	int (*open)(const char *spec, struct device **ret_dev, struct error *err);
} backends[] = {
	{ "vfio:", vfio_open },
	{ "emu", emu_open },
	{ DISCARD, discard_open },
};

/* The address or UUID of a device alone, perhaps with keys behind it, is that device. */
static bool is_address(const char *spec)
{
	char text[64], name[SYSFS_NAME_SIZE];

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(spec, ","), spec);
	return !pci_or_mdev_parse(text, name, NULL);
}

static int open_address(const char *spec, struct device **ret_dev, struct error *err)
{
	size_t size = strlen("vfio:") + strlen(spec) + 1;
	char *full = malloc(size);
	int ret;

	if (!full)
		return error_set(err, -ENOMEM, "%s: no memory for the device", spec);
	snprintf(full, size, "vfio:%s", spec);
	ret = vfio_open(full, ret_dev, err);
	free(full);
	return ret;
}

int device_open(const char *spec, struct device **ret_dev, struct error *err)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
		if (!strncmp(spec, backends[i].prefix, strlen(backends[i].prefix)))
			return backends[i].open(spec, ret_dev, err);
	if (is_address(spec))
		return open_address(spec, ret_dev, err);
	return error_set(err, -EINVAL,
			 "\"%s\" is no device; write vfio:BDF, emu[:key=value,..] or " DISCARD,
			 spec);
}
