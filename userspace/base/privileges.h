/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a process that owns devices may still do once it has them.
 */
#ifndef MIGLAB_BASE_PRIVILEGES_H
#define MIGLAB_BASE_PRIVILEGES_H

#include <linux/capability.h>

#include "base/error.h"

/*
 * The capabilities that stay, of those that were there: files and sockets of other users
 * may be named by a later command, so may a TCP port below 1024, and VFIO counts locked
 * memory when it maps some.
 */
#define PRIVILEGES_KEPT	(1u << CAP_DAC_OVERRIDE | 1u << CAP_NET_BIND_SERVICE | \
			 1u << CAP_IPC_LOCK)

/*
 * Gives up all other capabilities, for good: no program that the process executes has more
 * privileges (PR_SET_NO_NEW_PRIVS). It stays the user that it is, since root's are the
 * attributes in sysfs. Before the first thread is made: threads inherit it.
 *
 * Return: 0, or what the system says.
 */
int privileges_drop(struct error *err);

#endif
