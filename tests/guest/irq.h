/* SPDX-License-Identifier: GPL-2.0-only */
/* Interrupts. They come in irq_wait() and nowhere else, so that nothing else needs to mind them. */
#ifndef TESTS_GUEST_IRQ_H
#define TESTS_GUEST_IRQ_H

#include <stdint.h>

#define IRQ_HZ	18	/* about how often the timer ticks in a second */

/* Takes over the interrupt controller, with the timer on, and fails the guest on any exception. */
void irq_init(void);

/* From now on @handler is called for the interrupts that come to input @line; one device only. */
void irq_connect(unsigned int line, void (*handler)(void));

/* What a device writes, and where, to interrupt the processor without a line. */
struct irq_message {
	uint32_t address, data;
};

/* The same for interrupts that come as the message that is returned. */
void irq_connect_message(void (*handler)(void), struct irq_message *ret_message);

/* Sleeps until an interrupt has been handled, the timer's if no other. */
void irq_wait(void);

/* How often the timer has ticked. */
unsigned int irq_ticks(void);

#endif
