/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Function 0 leaves its driver while it may be in use, and comes back.
 */
#ifndef TESTS_VM_DEPART_H
#define TESTS_VM_DEPART_H

#include <limits.h>
#include <pthread.h>

/* A write to sysfs that waits for the users of a device, in a thread of its own. */
struct departure {
	pthread_t thread;
	char path[PATH_MAX];	/* below /sys; with @text what leaves, and how */
	const char *text;
	int result;
};

/* Makes @d the unbind of function 0. */
void depart_unbind(struct departure *d);

/* Asserts that the thread begins; that what it writes is accepted, once the users are gone. */
void departure_start(struct departure *d);
void departure_end(struct departure *d);

/*
 * The kernel signals this event when it wants the one device that is open back, which it does when
 * remove() has begun. await_request() waits for it and closes it.
 */
int request_event(void);
void await_request(int event);

/* Binds function number @index as it was bound at first. */
void bind_again(unsigned int index);

#endif
