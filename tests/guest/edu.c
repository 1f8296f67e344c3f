// SPDX-License-Identifier: GPL-2.0-only
#include "edu.h"

#include <stddef.h>
#include <stdint.h>

#include "console.h"
#include "io.h"
#include "irq.h"
#include "pattern.h"
#include "pci.h"

#define EDU		PCI_ID(0x1234, 0x11e8)
#define STATUS_IRQ	0x80	/* a computation raises an interrupt when it is done */
#define DMA_RUN		0x1
#define DMA_TO_RAM	0x2
#define DMA_IRQ		0x4
#define IRQ_COMPUTED	0x1	/* bits of the interrupt status */
#define IRQ_RAISED	0x10000	/* ours */
#define IRQ_COPIED	0x100
#define IRQ_KICK	0x20000	/* ours, see kick() */
#define IRQ_RAISE	0x60	/* registers that only take */
#define IRQ_FINISH	0x64
#define BUFFER		0x40000	/* its buffer, as an address for DMA */
#define BUFFER_SIZE	4096
#define IDLE_MAX	1000
#define KICKS_MAX	10	/* a second each, for a QEMU that has to wait for a processor */
#define GIVE_UP		(60 * IRQ_HZ)	/* against a hang only */

enum { LIVE, RESULT, STATUS, IRQ_STATUS, SOURCE, DESTINATION, COUNT, COMMAND };

/* The registers that keep a value, and that value: what a guest that was not moved would find. */
static struct {
	const char *name;
	uint32_t offset, value;
} registers[] = {
	[LIVE] = { "liveness", 0x04, 0 },
	[RESULT] = { "factorial", 0x08, 0 },
	[STATUS] = { "status", 0x20, 0 },
	[IRQ_STATUS] = { "interrupt status", 0x24, 0 },
	[SOURCE] = { "DMA source", 0x80, 0 },
	[DESTINATION] = { "DMA destination", 0x88, 0 },
	[COUNT] = { "DMA count", 0x90, 0 },
	[COMMAND] = { "DMA command", 0x98, 0 },
};

#define REGISTERS	(sizeof(registers) / sizeof(registers[0]))

static uint32_t edu;

/* Interrupts: bits that were raised since the last wait, and those that were raised again. */
static volatile uint32_t raised, raised_again;

/* How often the line was up, in a row, and no bit said why. Once is common: it falls late. */
static unsigned int idle, kicks, kicked_at;

/* What the buffer should hold, from which it is filled, and where it is copied to. */
static union {
	uint32_t word[BUFFER_SIZE / 4];
	uint8_t byte[BUFFER_SIZE];
} filled, fetched __attribute__((aligned(BUFFER_SIZE)));

/*
 * Without KVM, QEMU remembers that INTx of a vfio-pci device is up, and does not migrate what it
 * remembers: if the guest is moved then, the line stays up until the device interrupts again,
 * whatever its status says. So it is made to, and the turn says so; that it helps is checked.
 */
static void kick(void)
{
	if (kicks++ == KICKS_MAX)
		fail("edu: its interrupt line is up, and its status says of nothing");
	say("%u note: edu's interrupt line was stuck\n", turn);
	mmio_write(edu + IRQ_RAISE, IRQ_KICK);
	kicked_at = irq_ticks();
	idle = 0;
}

static void on_interrupt(void)
{
	uint32_t bits = mmio_read(edu + registers[IRQ_STATUS].offset);

	mmio_write(edu + IRQ_FINISH, bits);
	idle = bits ? 0 : idle + 1;
	if (idle >= IDLE_MAX && (!kicks || irq_ticks() - kicked_at >= IRQ_HZ))
		kick();
	bits &= ~IRQ_KICK;
	if (bits)
		kicks = 0;
	raised_again |= raised & bits;
	raised |= bits;
}

/* The device will hold @value from now on. */
static void expect(unsigned int i, uint32_t value)
{
	registers[i].value = value;
}

static void put(unsigned int i, uint32_t value)
{
	mmio_write(edu + registers[i].offset, value);
	expect(i, value);
}

static void check(unsigned int i)
{
	uint32_t value = mmio_read(edu + registers[i].offset);

	if (value != registers[i].value)
		fail("edu: the %s register holds %x instead of %x", registers[i].name, value,
		     registers[i].value);
}

/*
 * Sleeps until the interrupt has come that was asked for, which it must once, and alone. The
 * timer wakes us too; a device that is another one, or new, is found out at the next tick.
 */
static void await(uint32_t bit)
{
	unsigned int begin = irq_ticks();

	while (!raised) {
		if (irq_ticks() - begin > GIVE_UP)
			fail("edu: interrupt %x does not come: status %x, interrupt status %x, "
			     "DMA command %x", bit, mmio_read(edu + registers[STATUS].offset),
			     mmio_read(edu + registers[IRQ_STATUS].offset),
			     mmio_read(edu + registers[COMMAND].offset));
		irq_wait();
		check(LIVE);
	}
	if (raised != bit || raised_again)
		fail("edu: interrupts %x, and %x twice, instead of %x once", raised, raised_again,
		     bit);
	raised = 0;
}

static void invert(void)
{
	uint32_t value = pattern(turn, 0);

	put(LIVE, value);
	expect(LIVE, ~value);
	check(LIVE);
}

static void compute(void)
{
	uint32_t result = 1, i;

	for (i = 1; i <= turn % 34; i++)
		result *= i;
	put(RESULT, turn % 34);
	await(IRQ_COMPUTED);
	expect(RESULT, result);
	check(RESULT);
}

static void raise(void)
{
	mmio_write(edu + IRQ_RAISE, IRQ_RAISED);
	await(IRQ_RAISED);
}

static void copy(uint32_t source, uint32_t destination, uint32_t count, uint32_t direction)
{
	put(SOURCE, source);
	put(DESTINATION, destination);
	put(COUNT, count);
	put(COMMAND, DMA_RUN | DMA_IRQ | direction);
	await(IRQ_COPIED);
	expect(COMMAND, DMA_IRQ | direction);
	check(COMMAND);
}

/* Gives the buffer the words from @first on anew. */
static void fill(uint32_t first)
{
	uint32_t i;

	for (i = first; i < BUFFER_SIZE / 4; i++)
		filled.word[i] = pattern(turn, i);
	copy((uint32_t)&filled.word[first], BUFFER + 4 * first, BUFFER_SIZE - 4 * first, 0);
}

/* All of the buffer; none of what was in memory before may stay there. */
static void fetch(void)
{
	uint32_t i;

	for (i = 0; i < BUFFER_SIZE / 4; i++)
		fetched.word[i] = ~filled.word[i];
	copy(BUFFER, (uint32_t)&fetched, BUFFER_SIZE, DMA_TO_RAM);
	for (i = 0; i < BUFFER_SIZE; i++)
		if (fetched.byte[i] != filled.byte[i])
			fail("edu: byte %u of the buffer is %x instead of %x", i, fetched.byte[i],
			     filled.byte[i]);
}

bool edu_init(bool messages)
{
	struct pci_function function;
	struct irq_message message;

	if (!pci_find(EDU, &function))
		return false;
	edu = pci_bar(&function, 0);
	/* Interrupts of whoever had it before: no reset of QEMU's takes them away. */
	mmio_write(edu + IRQ_FINISH, ~0u);
	say("edu: registers at %x, %s, memory at %x\n", edu, messages ? "MSI" : "INTx",
	    (uint32_t)&filled);
	if (messages) {
		irq_connect_message(on_interrupt, &message);
		pci_send_messages(&function, &message);
	} else {
		irq_connect(pci_interrupt_line(&function), on_interrupt);
	}
	put(STATUS, STATUS_IRQ);
	invert();
	compute();
	fill(0);
	return true;
}

void edu_turn(void)
{
	size_t i;

	for (i = 0; i < REGISTERS; i++)
		check(i);
	invert();
	compute();
	raise();
	fetch();
	fill(pattern(turn, 1) % (BUFFER_SIZE / 4));
}
