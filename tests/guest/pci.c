// SPDX-License-Identifier: GPL-2.0-only
#include "pci.h"

#include "console.h"
#include "io.h"

/* Configuration space is read and written through a window: the place, then the value. */
#define CONFIG_PLACE	0xcf8
#define CONFIG_VALUE	0xcfc
#define CONFIG_ENABLE	0x80000000u

#define SLOTS		32
#define ID		0x00
#define COMMAND		0x04
#define COMMAND_MEMORY	0x2
#define COMMAND_MASTER	0x4
#define BAR(index)	(0x10 + 4 * (index))
#define BAR_IO		0x1
#define BAR_64BIT	0x4
#define BAR_FLAGS	0xf
#define CAPABILITIES	0x34	/* where the first is; each says where the next one is */
#define MESSAGES	0x05	/* the capability to send messages: control, address, data */
#define MESSAGES_64BIT	0x00800000
#define MESSAGES_ENABLE	0x00010000
#define INTERRUPT	0x3c

static void select(uint32_t slot, uint32_t offset)
{
	out32(CONFIG_PLACE, CONFIG_ENABLE | slot << 11 | offset);
}

static uint32_t read(uint32_t slot, uint32_t offset)
{
	select(slot, offset);
	return in32(CONFIG_VALUE);
}

static void write(uint32_t slot, uint32_t offset, uint32_t value)
{
	select(slot, offset);
	out32(CONFIG_VALUE, value);
}

bool pci_find(uint32_t id, struct pci_function *ret_function)
{
	uint32_t slot;

	for (slot = 0; slot < SLOTS && read(slot, ID) != id; slot++)
		;
	if (slot == SLOTS)
		return false;
	write(slot, COMMAND, (uint16_t)read(slot, COMMAND) | COMMAND_MEMORY | COMMAND_MASTER);
	ret_function->slot = slot;
	return true;
}

uint32_t pci_bar(const struct pci_function *function, unsigned int index)
{
	uint32_t bar = read(function->slot, BAR(index));

	if (bar & BAR_IO || bar <= BAR_FLAGS ||
	    (bar & BAR_64BIT && read(function->slot, BAR(index + 1))))
		fail("BAR %u of the function in slot %u is %x: not memory below 4 GiB", index,
		     function->slot, bar);
	return bar & ~BAR_FLAGS;
}

/* Bits of an address that cannot be set are those within the BAR. */
uint32_t pci_bar_size(const struct pci_function *function, unsigned int index)
{
	uint32_t command = (uint16_t)read(function->slot, COMMAND);
	uint32_t bar = read(function->slot, BAR(index));
	uint32_t size;

	write(function->slot, COMMAND, command & ~COMMAND_MEMORY);
	write(function->slot, BAR(index), ~0u);
	size = -(read(function->slot, BAR(index)) & ~BAR_FLAGS);
	write(function->slot, BAR(index), bar);
	write(function->slot, COMMAND, command);
	return size;
}

void pci_send_messages(const struct pci_function *function, const struct irq_message *message)
{
	uint32_t slot = function->slot;
	uint32_t at = (uint8_t)read(slot, CAPABILITIES), head;

	while (at && (uint8_t)read(slot, at) != MESSAGES)
		at = (uint8_t)(read(slot, at) >> 8);
	if (!at)
		fail("the function in slot %u has no MSI", slot);
	head = read(slot, at);
	write(slot, at + 4, message->address);
	if (head & MESSAGES_64BIT) {
		write(slot, at + 8, 0);
		write(slot, at + 12, message->data);
	} else {
		write(slot, at + 8, message->data);
	}
	write(slot, at, head | MESSAGES_ENABLE);
}

unsigned int pci_interrupt_line(const struct pci_function *function)
{
	return (uint8_t)read(function->slot, INTERRUPT);
}
