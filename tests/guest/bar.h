/* SPDX-License-Identifier: GPL-2.0-only */
/* Device memory: BAR 2 of pci-testdev or ivshmem. */
#ifndef TESTS_GUEST_BAR_H
#define TESTS_GUEST_BAR_H

#include <stdbool.h>

/* Finds one and fills it; false: there is none. */
bool bar_init(void);

/*
 * Checks everything that is written there, the number of the last turn among it, and writes
 * some of it anew. Fails the guest if anything is not as it was left.
 */
void bar_turn(void);

#endif
