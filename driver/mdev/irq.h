/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interrupts of an emulated function: what its model raises becomes a signal of the eventfd
 * that the user gave for it by VFIO_DEVICE_SET_IRQS, as soon as config space, masks and the
 * device's state allow.
 *
 * As with vfio-pci, one of INTx, MSI and MSI-X is set up at a time, and to set up messages is to
 * set the enable bit of their capability: the kernel has the registers, a user has the ioctl. A
 * vector without an eventfd is a masked one.
 */
#ifndef MIGLAB_IRQ_H
#define MIGLAB_IRQ_H

#include <linux/bitmap.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "config_space.h"

struct eventfd_ctx;
struct virqfd;

struct miglab_irq {
	const struct miglab_function_id *id;

	/*
	 * Serialises those who change what is set up. Taken outside of @lock, and held while the
	 * kernel waits for @unmask to be at rest, whose work takes @lock.
	 */
	struct mutex setup_lock;
	struct virqfd *unmask;		/* guarded by setup_lock, and by the kernel's own lock */

	/*
	 * Guards @config and all below. The innermost lock: never held over a user copy or an
	 * allocation, nothing is taken inside of it but the eventfds' own.
	 */
	struct mutex lock;
	struct miglab_config_space *config;
	unsigned int index;		/* which is set up; VFIO_PCI_NUM_IRQS: none */
	unsigned int vectors;		/* of MSI: how many were set up; both change under both */
	struct eventfd_ctx *trigger[MIGLAB_MSIX_MAX];	/* of @index */
	struct eventfd_ctx *error, *request;
	bool frozen;			/* the device is stopped: nothing is signalled */
	bool level;			/* the model asserts INTx */
	bool masked;			/* INTx, by the user or since it was signalled */
	DECLARE_BITMAP(pending, MIGLAB_MSIX_MAX);	/* messages that could not be sent yet */
	__le32 table[MIGLAB_MSIX_MAX * MIGLAB_MSIX_ENTRY / sizeof(__le32)];	/* of MSI-X */
};

/* @config and @id outlive @irq. */
void miglab_irq_init(struct miglab_irq *irq, const struct miglab_function_id *id,
		     struct miglab_config_space *config);
void miglab_irq_destroy(struct miglab_irq *irq);

/* As after power-on, with nothing set up. */
void miglab_irq_open(struct miglab_irq *irq);

/* What is set up ends; waits for a user's unmasking that is in progress. */
void miglab_irq_close(struct miglab_irq *irq);

/*
 * The function was reset: nothing is asserted or pending, and no vector of MSI-X is unmasked
 * that the user has not set up. What is set up stays. @lock is held.
 */
void miglab_irq_reset(struct miglab_irq *irq);

/*
 * Registers or masks may have changed: signals what became possible. @lock is held. All who change
 * something under @lock end with this.
 */
void miglab_irq_update(struct miglab_irq *irq);

/* The device stops, after which no eventfd is signalled, or runs again. May sleep. */
void miglab_irq_freeze(struct miglab_irq *irq, bool frozen);

/* The model asserts INTx or not. May sleep. */
void miglab_irq_set_intx(struct miglab_irq *irq, bool level);

/* The model sends the message of @vector, if the function sends messages now. May sleep. */
void miglab_irq_send(struct miglab_irq *irq, unsigned int vector);

/* Asks the user to give the device back. Returns false if he wants not to be asked. May sleep. */
bool miglab_irq_request(struct miglab_irq *irq);

/* How many interrupts the index has, 0 for none and for an index that does not exist. */
unsigned int miglab_irq_count(const struct miglab_irq *irq, unsigned int index);

/* VFIO_DEVICE_GET_IRQ_INFO and VFIO_DEVICE_SET_IRQS. May sleep. */
long miglab_irq_get_info(struct miglab_irq *irq, void __user *arg);
long miglab_irq_set(struct miglab_irq *irq, void __user *arg);

/*
 * The user reads or writes @len bytes at @offset of the BAR that has table and pending bits.
 * @lock is held. After a write miglab_irq_update() is due.
 */
void miglab_irq_read_bar(const struct miglab_irq *irq, u32 offset, u8 *buf, u32 len);
void miglab_irq_write_bar(struct miglab_irq *irq, u32 offset, const u8 *buf, u32 len);

/*
 * MIGLAB_IRQ_STATE_BYTES of it that migrate: table, pending bits, INTx. The state is little-endian.
 * load() takes what check() has taken. @lock is held.
 */
#define MIGLAB_IRQ_STATE_BYTES	(MIGLAB_MSIX_MAX * MIGLAB_MSIX_ENTRY + 16)

void miglab_irq_save(const struct miglab_irq *irq, u8 *buf);
int miglab_irq_check(const struct miglab_irq *irq, const u8 *buf);
void miglab_irq_load(struct miglab_irq *irq, const u8 *buf);

#endif
