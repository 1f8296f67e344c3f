// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that notices when its devices are not what they were: it drives those that it knows,
 * turn after turn, and checks everything they do and keep. On the serial port it says
 *
 *	1 ok
 *	2 ok
 *	3 FAIL: edu: the liveness register holds ff instead of 5a6e4a11
 *
 * one line for each turn, so that a turn that is lost or done twice is seen, too. After a FAIL
 * it is silent.
 */
#include <stdbool.h>

#include "bar.h"
#include "console.h"
#include "edu.h"
#include "irq.h"

void main(void) __attribute__((noreturn));
void main(void)
{
	bool edu, bar;

	irq_init();
	edu = edu_init();
	bar = bar_init();
	if (!edu && !bar)
		fail("neither edu nor a device with memory is here");
	for (turn = 1;; turn++) {
		if (edu)
			edu_turn();
		if (bar)
			bar_turn();
		say("%u ok\n", turn);
		irq_wait();
	}
}
