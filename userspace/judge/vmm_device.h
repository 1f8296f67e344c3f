/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the VMM itself says of a device that it is to be judged by.
 */
#ifndef MIGLAB_JUDGE_VMM_DEVICE_H
#define MIGLAB_JUDGE_VMM_DEVICE_H

#include <stdint.h>

#include "base/error.h"
#include "judge/target.h"
#include "qmp/client.h"

/**
 * vmm_check_device() - does the VMM have the device, as the function that it is said to be, and
 * does it say anything of it?
 * @qmp: where @client is connected to, for the sentence
 *
 * A VMM that cannot be asked is believed.
 *
 * Return: 0, -ENODEV when it has none of that id, -EINVAL when it has another function by that
 * name, -EOPNOTSUPP when it sends no events of it, or what a call says.
 */
int vmm_check_device(struct qmp_client *client, const char *qmp,
		     const struct witness_target *target, uint64_t deadline_ns, struct error *err);

#endif
