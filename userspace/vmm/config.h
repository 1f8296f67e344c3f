/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device of a machine as it is written on the command line.
 */
#ifndef MIGLAB_VMM_CONFIG_H
#define MIGLAB_VMM_CONFIG_H

#include "vmm/machine.h"

/**
 * machine_device_open() - open what --device says
 * @arg: "DEV,id=ID[,migration-events=on|off]"; DEV is for device_open(), keys of its own included
 * @ret_device: to be closed with machine_device_close()
 *
 * Return: 0, -EINVAL for what is malformed, or what device_open() says; @err has the sentence.
 */
int machine_device_open(const char *arg, struct machine_device *ret_device, struct error *err);

void machine_device_close(struct machine_device *device);

#endif
