/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The running kernel and the blocked arc: VFIO's helper vfio_mig_get_next_state() loops for ever,
 * in the kernel and with no way out but a power cycle, when a device that offers PRE_COPY is in
 * STOP_COPY and PRE_COPY or PRE_COPY_P2P is wanted. All in-tree drivers call it. It came with
 * PRE_COPY (4db52602a607, Linux 6.2) and went with a26b499b757c.
 */
#ifndef MIGLAB_DEVICE_KERNEL_H
#define MIGLAB_DEVICE_KERNEL_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Has the kernel with @release, as uname -r prints it, a26b499b757c? Only what is known counts:
 * false for a release whose series is not in the table, and for what is no release.
 *
 * No probe could tell: what is asked for is what hangs.
 */
bool kernel_refuses_blocked_arc(const char *release);

/*
 * The same of the running kernel; when it is false, @err has the sentence with its release. Test
 * seam: the environment variable MIGLAB_RELEASE stands for uname -r.
 */
bool kernel_is_safe(struct error *err);

#endif
