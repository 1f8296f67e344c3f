/* SPDX-License-Identifier: GPL-2.0-only */
/* What an event of a VMM says, as a record of contract.h. Pure. */
#ifndef MIGLAB_JUDGE_HEARD_H
#define MIGLAB_JUDGE_HEARD_H

#include <stdbool.h>

#include "judge/contract.h"
#include "qmp/client.h"

/*
 * @device: the index of the event's device-id, -1 when it is not a judged one. False for an
 * event that no rule looks at.
 */
bool heard_event(const struct qmp_event *event, int device, struct contract_record *ret);

/* "failed" and so on; a status that is no end counts as CONTRACT_SETUP. */
enum contract_status heard_status(const char *status);

#endif
