/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's teaching device: it inverts a word, computes factorials, raises interrupts and copies
 * between memory and a buffer of its own (docs/specs/edu.rst in QEMU's source).
 */
#ifndef TESTS_GUEST_EDU_H
#define TESTS_GUEST_EDU_H

#include <stdbool.h>

/* Finds one and gives it its first work; false: there is none. @messages: MSI instead of INTx. */
bool edu_init(bool messages);

/*
 * One of everything it can do. What the last turn left in it is checked first: its registers one
 * by one, and its buffer byte by byte. Fails the guest if anything is not as it should be.
 */
void edu_turn(void);

#endif
