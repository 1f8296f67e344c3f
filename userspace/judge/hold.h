/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules for the proof by hold, made of a device's own rules. Pure. */
#ifndef MIGLAB_JUDGE_HOLD_H
#define MIGLAB_JUDGE_HOLD_H

/*
 * The rules @text, with every PRE_COPY > PRE_COPY_P2P arc held for at most five
 * seconds before it does what it would do: each rule of that arc gets the word hold
 * unless it has it, and a last rule holds what no other one acts on.
 *
 * The caller frees the result; NULL: no memory.
 */
char *hold_rules(const char *text);

#endif
