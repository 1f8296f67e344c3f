/* SPDX-License-Identifier: GPL-2.0-only */
/* What the guest says, on its first serial port. */
#ifndef TESTS_GUEST_CONSOLE_H
#define TESTS_GUEST_CONSOLE_H

/* Knows %s, %u (unsigned, decimal) and %x (unsigned, hexadecimal). */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Which turn it is, for fail(); 0 before the first. */
extern unsigned int turn;

/* Ends the current turn's line, "N FAIL: why", and the guest: nothing comes after it. */
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
