/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Presets: sets of rules that make a device behave like others do.
 *
 * What the figures stand for: downtimes that were measured with VFIO devices and
 * reported on qemu-devel in July 2024: 74 to 128 ms to stop, 125 to 225 ms to save
 * and 112 to 240 ms to load the device. The shapes of mlx5, hisilicon and pds are the
 * capabilities of those drivers in Linux with the same figures: none of their own is
 * published.
 */
#ifndef MIGLAB_CMD_PRESETS_H
#define MIGLAB_CMD_PRESETS_H

#include <stdio.h>

struct preset {
	const char *name;
	const char *profile;	/* that it is meant for */
	const char *about;
	const char *rules;	/* the whole set */
};

/* The preset called @name, or NULL. */
const struct preset *preset_find(const char *name);

/* One line for each. */
void preset_list(FILE *out);

#endif
