// SPDX-License-Identifier: GPL-2.0-only
#include "bar.h"

#include <stddef.h>
#include <stdint.h>

#include "console.h"
#include "io.h"
#include "pattern.h"
#include "pci.h"

#define BAR	2
#define BLOCKS	16	/* spread over all of the BAR; one is written in each turn */
#define WORDS	64	/* of a block, behind the number of the turn in which it was written */

static const uint32_t ids[] = {
	PCI_ID(0x1b36, 0x0005),	/* pci-testdev */
	PCI_ID(0x1af4, 0x1110),	/* ivshmem */
	PCI_ID(0x1234, 0x6d6d),	/* miglab_mdev's mem */
};

static uint32_t bar, distance;	/* of one block from the next */
static uint32_t written[BLOCKS];	/* in which turn */

static uint32_t block(uint32_t n)
{
	return bar + n % BLOCKS * distance;
}

static void write_block(uint32_t n)
{
	uint32_t at = block(n), i;

	mmio_write(at, turn);
	for (i = 1; i <= WORDS; i++)
		mmio_write(at + 4 * i, pattern(turn, i));
	written[n % BLOCKS] = turn;
}

static void check_block(uint32_t n)
{
	uint32_t at = block(n), was = written[n % BLOCKS], i;

	if (mmio_read(at) != was)
		fail("bar: block %u is of turn %u instead of %u", n, mmio_read(at), was);
	for (i = 1; i <= WORDS; i++)
		if (mmio_read(at + 4 * i) != pattern(was, i))
			fail("bar: word %u of block %u is %x instead of %x", i, n,
			     mmio_read(at + 4 * i), pattern(was, i));
}

bool bar_init(void)
{
	struct pci_function function;
	uint32_t n, size;

	for (n = 0; n < sizeof(ids) / sizeof(ids[0]) && !pci_find(ids[n], &function); n++)
		;
	if (n == sizeof(ids) / sizeof(ids[0]))
		return false;
	bar = pci_bar(&function, BAR);
	size = pci_bar_size(&function, BAR);
	distance = size / BLOCKS;
	say("bar: %u KiB at %x\n", size >> 10, bar);
	if (distance < 4 * (WORDS + 1))
		fail("bar: %u bytes are too few", size);
	for (n = 0; n < BLOCKS; n++)
		write_block(n);
	return true;
}

void bar_turn(void)
{
	uint32_t n;

	for (n = 0; n < BLOCKS; n++)
		check_block(n);
	write_block(turn);
	check_block(turn % BLOCKS);
}
