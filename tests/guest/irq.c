// SPDX-License-Identifier: GPL-2.0-only
#include "irq.h"

#include "console.h"
#include "io.h"

/*
 * The PC's two interrupt controllers of eight inputs each; the second one hangs on input 2 of the
 * first. A processor calls a vector for an input: the first 32 vectors are its own exceptions.
 */
#define FIRST		0x20
#define SECOND		0xa0
#define MASK		1	/* the second port of each */
#define CASCADE		2
#define INPUTS		8
#define VECTOR		32	/* of input 0 */
#define START		0x11	/* three more bytes follow: vector, wiring, mode */
#define MODE_8086	0x01
#define READ_SERVICE	0x0b
#define END		0x20
#define TIMER		0
#define NOT_REAL	7	/* of each controller: also when an input was taken back */

/* The processor's own controller, to which messages are addressed; its place in memory is fixed. */
#define LOCAL		0xfee00000
#define LOCAL_END	(LOCAL + 0xb0)
#define LOCAL_ENABLE	(LOCAL + 0xf0)
#define ENABLED		0x1ff	/* with vector 255 for what was taken back */
#define MESSAGE_VECTOR	0x40

#define CODE_SELECTOR	8
#define GATE		0x8e00	/* an interrupt gate that is present */

struct frame;	/* what the processor saved; of no interest here */

/* Where a vector leads, as the processor wants it. */
struct gate {
	uint16_t low, selector, type, high;
};

static struct gate gates[256];
static unsigned int connected;
static void (*volatile handle)(void);
static volatile unsigned int ticks;

static void finish(unsigned int line)
{
	if (line >= INPUTS)
		out8(SECOND, END);
	out8(FIRST, END);
}

__attribute__((interrupt)) static void on_timer(struct frame *frame)
{
	(void)frame;
	ticks++;
	finish(TIMER);
}

__attribute__((interrupt)) static void on_device(struct frame *frame)
{
	(void)frame;
	handle();
	finish(connected);
}

__attribute__((interrupt)) static void on_message(struct frame *frame)
{
	(void)frame;
	handle();
	mmio_write(LOCAL_END, 0);
}

/* A level that was gone when the processor asked for it; the first one does not know that. */
__attribute__((interrupt)) static void on_nothing(struct frame *frame)
{
	(void)frame;
	out8(SECOND, READ_SERVICE);
	if (in8(SECOND) & 1 << NOT_REAL)
		fail("an interrupt on input %u, where nothing is", INPUTS + NOT_REAL);
	out8(FIRST, END);
}

__attribute__((interrupt)) static void on_first_nothing(struct frame *frame)
{
	(void)frame;
}

__attribute__((interrupt)) static void on_exception(struct frame *frame)
{
	(void)frame;
	fail("an exception, or an interrupt that nobody asked for");
}

static void set_gate(unsigned int vector, void (*entry)(struct frame *))
{
	uint32_t address = (uint32_t)entry;

	gates[vector] = (struct gate){ address, CODE_SELECTOR, GATE, address >> 16 };
}

static void start_controller(uint16_t port, uint8_t vector, uint8_t wiring, uint8_t mask)
{
	out8(port, START);
	out8(port + MASK, vector);
	out8(port + MASK, wiring);
	out8(port + MASK, MODE_8086);
	out8(port + MASK, mask);
}

void irq_init(void)
{
	const struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) table = { sizeof(gates) - 1, (uint32_t)gates };
	unsigned int vector;

	for (vector = 0; vector < sizeof(gates) / sizeof(gates[0]); vector++)
		set_gate(vector, on_exception);
	set_gate(VECTOR + TIMER, on_timer);
	set_gate(VECTOR + NOT_REAL, on_first_nothing);
	set_gate(VECTOR + INPUTS + NOT_REAL, on_nothing);
	asm volatile("lidt %0" : : "m"(table));
	start_controller(FIRST, VECTOR, 1 << CASCADE, (uint8_t)~(1 << TIMER | 1 << CASCADE));
	start_controller(SECOND, VECTOR + INPUTS, CASCADE, 0xff);
}

void irq_connect(unsigned int line, void (*handler)(void))
{
	uint16_t port = (line < INPUTS ? FIRST : SECOND) + MASK;

	if (line >= 2 * INPUTS || line % INPUTS == NOT_REAL || line == TIMER || line == CASCADE)
		fail("the firmware gave the device interrupt line %u", line);
	connected = line;
	handle = handler;
	set_gate(VECTOR + line, on_device);
	out8(port, in8(port) & ~(1 << line % INPUTS));
}

void irq_connect_message(void (*handler)(void), struct irq_message *ret_message)
{
	handle = handler;
	set_gate(MESSAGE_VECTOR, on_message);
	mmio_write(LOCAL_ENABLE, ENABLED);
	*ret_message = (struct irq_message){ LOCAL, MESSAGE_VECTOR };
}

/* sti takes effect after the instruction behind it: no interrupt comes before hlt. */
void irq_wait(void)
{
	asm volatile("sti; hlt; cli" : : : "memory");
}

unsigned int irq_ticks(void)
{
	return ticks;
}
