/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MIGLAB_BASE_INTERRUPTS_H
#define MIGLAB_BASE_INTERRUPTS_H

/*
 * From now on SIGINT, SIGTERM and SIGHUP end nothing, but make the descriptor that it
 * returns readable (signalfd(2)); the caller closes it. -1 when that is not to be had.
 */
int interrupts_watch(void);

#endif
