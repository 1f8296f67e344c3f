/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The signals that ask a run to end, and that must not keep it from putting the device back.
 */
#ifndef MIGLAB_CONFORM_INTERRUPT_H
#define MIGLAB_CONFORM_INTERRUPT_H

/*
 * From now on SIGINT, SIGTERM, SIGHUP and SIGPIPE are remembered instead of ending the process,
 * and end a call that waits with EINTR; those that were ignored stay so.
 */
void interrupt_catch(void);

/* In a child: they do nothing. Its parent says when it ends. */
void interrupt_ignore(void);

/* The first that came, 0 for none. */
int interrupt_signal(void);

/* "interrupted by SIGINT"; "" when none came. */
const char *interrupt_text(void);

/* How many came. */
unsigned int interrupt_count(void);

#endif
