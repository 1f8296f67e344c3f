// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that notices when its devices are not what they were: it drives those that it knows,
 * turn after turn, and checks everything they do and keep. On the serial port it says
 *
 *	1 ok
 *	2 ok
 *	3 FAIL: edu: the liveness register holds ff instead of 5a6e4a11
 *
 * one line for each turn, so that a turn that is lost or done twice is seen, too, and perhaps
 * "3 note: .." before it. After a FAIL it is silent. With "-append msi" edu's interrupts come as
 * messages (MSI), else on a line (INTx).
 */
#include <stdbool.h>
#include <stdint.h>

#include "bar.h"
#include "console.h"
#include "edu.h"
#include "irq.h"

/* What a multiboot loader tells, as far as it is read here. */
struct boot {
	uint32_t flags, memory[2], device;
	const char *command_line;	/* the program's name, then the words of QEMU's -append */
};

#define HAS_COMMAND_LINE	0x4

/* Is it the last word of the command line? */
static bool is_told(const struct boot *boot, const char *word)
{
	const char *at = boot->command_line, *last = at;

	if (!(boot->flags & HAS_COMMAND_LINE))
		return false;
	for (; *at; at++)
		if (*at == ' ')
			last = at + 1;
	while (*last && *last == *word)
		last++, word++;
	return *last == *word;
}

void main(const struct boot *boot) __attribute__((noreturn));
void main(const struct boot *boot)
{
	bool edu, bar;

	irq_init();
	edu = edu_init(is_told(boot, "msi"));
	bar = bar_init();
	if (!edu && !bar)
		fail("neither edu nor a device with memory is here");
	for (turn = 1;;) {
		if (edu)
			edu_turn();
		if (bar)
			bar_turn();
		say("%u ok\n", turn++);	/* what interrupts now is of the next one */
		irq_wait();
	}
}
