/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The config space of a PCI function that is software: a type 0 header, and capabilities for
 * power management, MSI, MSI-X and PCI Express.
 *
 * Which bits can be written is decided by one table for all registers; the few that do more
 * than hold a value are told to the caller by what a write returns.
 *
 * Pure. The caller serialises.
 */
#ifndef MIGLAB_CORE_CFG_SPACE_H
#define MIGLAB_CORE_CFG_SPACE_H

#include "port.h"

#define MIGLAB_CFG_BYTES	4096u	/* of a PCI Express function */
#define MIGLAB_CFG_USED	256u	/* all that is not zero: there are no extended capabilities */

#define MIGLAB_BARS		6u
#define MIGLAB_MSI_MAX		32u	/* vectors */
#define MIGLAB_MSIX_MAX		64u
#define MIGLAB_MSIX_ENTRY	16u	/* bytes of one vector in the MSI-X table */
#define MIGLAB_MSIX_PBA		0x800u	/* where the pending bits are in the BAR of the table */

#define MIGLAB_BAR_64BIT	(1u << 0)	/* takes two registers: the next BAR has no size */
#define MIGLAB_BAR_PREFETCH	(1u << 1)
#define MIGLAB_BAR_MEMORY	(1u << 2)	/* is memory, and not registers */
#define MIGLAB_BAR_MMAP		(1u << 3)	/* can be mapped */

/* What a function is. */
struct miglab_function_id {
	u16 vendor, device, subvendor, subdevice;
	u32 class;		/* 24 bits, as the class register has them */
	u8 revision;
	bool intx;
	u8 msi;			/* vectors: 0 or a power of 2 up to MIGLAB_MSI_MAX */
	u8 msix;		/* vectors: up to MIGLAB_MSIX_MAX */
	u8 msix_bar;		/* has the table at 0 and the pending bits at MIGLAB_MSIX_PBA */
	struct {
		u64 bytes;	/* a power of 2 from 16 on, 0: there is none */
		u32 flags;	/* MIGLAB_BAR_* */
	} bar[MIGLAB_BARS];
};

struct miglab_config_space {
	u8 now[MIGLAB_CFG_USED];
	u8 initial[MIGLAB_CFG_USED];
	u8 writable[MIGLAB_CFG_USED];	/* a bit for each that a write changes */
};

/* What a write asks for, beside the values that it left. */
#define MIGLAB_CFG_FLR	(1u << 0)	/* a function level reset */

/*
 * The config space of @id after power-on. Returns -EINVAL, and @c undefined, for a function
 * that PCI does not allow or that has more than fits.
 */
int miglab_config_space_init(struct miglab_config_space *c, const struct miglab_function_id *id);

/* All registers as after power-on. */
void miglab_config_space_power_on(struct miglab_config_space *c);

/*
 * The function was reset by its VMM or its guest. As vfio-pci has it, which saves and restores
 * what a user set up: all stays but for the power state, which is D0 again.
 */
void miglab_config_space_reset(struct miglab_config_space *c);

/* @len bytes at @offset, which are within MIGLAB_CFG_BYTES. */
void miglab_config_space_read(const struct miglab_config_space *c, u32 offset, u8 *buf, u32 len);

/* The reverse, as far as bits can be written. Returns MIGLAB_CFG_*, which is all to be done. */
u32 miglab_config_space_write(struct miglab_config_space *c, u32 offset, const u8 *buf, u32 len);

/* What the registers let the function do; nothing of it when it is in D3hot. */
bool miglab_config_space_memory(const struct miglab_config_space *c);	/* answer in its BARs */
bool miglab_config_space_master(const struct miglab_config_space *c);	/* begin DMA */
bool miglab_config_space_intx(const struct miglab_config_space *c);	/* interrupt by INTx */
bool miglab_config_space_msi(const struct miglab_config_space *c);	/* ... by MSI */
bool miglab_config_space_msix(const struct miglab_config_space *c);	/* ... by MSI-X */

/* Are all vectors of MSI-X masked at once? */
bool miglab_config_space_msix_masked(const struct miglab_config_space *c);

/* The enable bits of both, which the kernel sets for a user of VFIO_DEVICE_SET_IRQS. */
void miglab_config_space_enable_msi(struct miglab_config_space *c, bool on);
void miglab_config_space_enable_msix(struct miglab_config_space *c, bool on);

/* PCI_STATUS_INTERRUPT: does the function want to interrupt by INTx, let or not? */
void miglab_config_space_set_pending(struct miglab_config_space *c, bool on);

/* MIGLAB_CFG_USED bytes that migrate, without what set_pending() says. */
void miglab_config_space_save(const struct miglab_config_space *c, u8 *buf);

/*
 * The reverse. Returns -EINVAL, and @c untouched, if @buf is not of such a function or
 * a register has what cannot be written to it. check() only judges.
 */
int miglab_config_space_check(const struct miglab_config_space *c, const u8 *buf);
int miglab_config_space_load(struct miglab_config_space *c, const u8 *buf);

#endif
