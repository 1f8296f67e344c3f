/* SPDX-License-Identifier: GPL-2.0-only */
/* PCI functions on bus 0, of which the firmware has given BARs an address, interrupts a line. */
#ifndef TESTS_GUEST_PCI_H
#define TESTS_GUEST_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "irq.h"

#define PCI_ID(vendor, device)	((uint32_t)(device) << 16 | (vendor))

struct pci_function {
	uint32_t slot;
};

/* The first function of that id, decoding memory and mastering the bus; false: there is none. */
bool pci_find(uint32_t id, struct pci_function *ret_function);

/* Where memory BAR @index is. Fails the guest if the firmware gave it no address below 4 GiB. */
uint32_t pci_bar(const struct pci_function *function, unsigned int index);

/* How large it is, in bytes. */
uint32_t pci_bar_size(const struct pci_function *function, unsigned int index);

/* Has the function send that message instead of INTx. Fails the guest if it cannot. */
void pci_send_messages(const struct pci_function *function, const struct irq_message *message);

/* The input of the interrupt controller that the function's INTx comes to. */
unsigned int pci_interrupt_line(const struct pci_function *function);

#endif
