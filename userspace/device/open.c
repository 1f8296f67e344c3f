// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "device/discard.h"
#include "device/open.h"

static const struct {
	const char *prefix;
	int (*open)(const char *spec, struct device **ret_dev, struct error *err);
} backends[] = {
	{ "vfio:", vfio_open },
	{ "emu", emu_open },
	{ DISCARD, discard_open },
};

int device_open(const char *spec, struct device **ret_dev, struct error *err)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
		if (!strncmp(spec, backends[i].prefix, strlen(backends[i].prefix)))
			return backends[i].open(spec, ret_dev, err);
	return error_set(err, -EINVAL,
			 "\"%s\" is no device; write vfio:BDF, emu[:key=value,..] or " DISCARD,
			 spec);
}
