/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The QMP verbs of a machine. Their opaque is a struct machine.
 */
#ifndef MIGLAB_VMM_COMMANDS_H
#define MIGLAB_VMM_COMMANDS_H

#include "qmp/server.h"

/* Ended by a NULL name. */
extern const struct qmp_command machine_commands[];

#endif
