/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one of our own devices was found with, and is left with: its rules and settings.
 */
#ifndef MIGLAB_CONFORM_FOUND_H
#define MIGLAB_CONFORM_FOUND_H

#include "conform/settings.h"
#include "device/sysfs.h"

struct device;

struct found {
	char bdf[SYSFS_NAME_SIZE];	/* "": nothing outlives an open of this device */
	char *rules;
	struct settings settings;
};

/* Takes it down. Negative errno with a sentence. */
int found_take(struct found *f, struct device *dev, struct error *err);

/*
 * Writes what differs by now, and forgets all. Nobody need have the device open, and somebody
 * may. Negative errno with a sentence about the first thing that was refused; the others were
 * tried, too.
 */
int found_put_back(struct found *f, struct error *err);

#endif
