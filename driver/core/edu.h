/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of QEMU's edu device (1234:11e8, docs/specs/edu.rst), as a stream has it:
 * its registers on one page, its DMA buffer on the next.
 *
 * Pure. What a register may hold is decided here, for users and for streams alike.
 */
#ifndef MIGLAB_CORE_EDU_H
#define MIGLAB_CORE_EDU_H

#include "port.h"
#include "stream.h"

#define MIGLAB_EDU_BUFFER	4096u			/* bytes of the DMA buffer */
#define MIGLAB_EDU_REACH	(256u << 20)		/* by DMA, from 0 on; QEMU's default */
#define MIGLAB_EDU_STATE_BYTES	(2u * MIGLAB_PAGE)	/* registers, then the buffer */

/* Offsets in BAR 0, which has 1 MiB. Those below 0x80 are 4 bytes wide, the others 8. */
enum miglab_edu_reg {
	MIGLAB_EDU_ID = 0x00,		/* read only */
	MIGLAB_EDU_LIVE = 0x04,		/* reads as the complement of what was written */
	MIGLAB_EDU_FACT = 0x08,		/* write N, read N! modulo 2^32 */
	MIGLAB_EDU_STATUS = 0x20,
	MIGLAB_EDU_IRQ_STATUS = 0x24,	/* read only */
	MIGLAB_EDU_IRQ_RAISE = 0x60,	/* write only: sets bits of the status, and interrupts */
	MIGLAB_EDU_IRQ_ACK = 0x64,	/* write only: clears them */
	MIGLAB_EDU_DMA_SRC = 0x80,
	MIGLAB_EDU_DMA_DST = 0x88,
	MIGLAB_EDU_DMA_COUNT = 0x90,
	MIGLAB_EDU_DMA_CMD = 0x98,
	MIGLAB_EDU_DMA_END = 0xa0,
	MIGLAB_EDU_BUFFER_AT = 0x40000,	/* what src or dst calls the buffer */
};

#define MIGLAB_EDU_ID_VALUE	0x010000edu

#define MIGLAB_EDU_COMPUTING	(1u << 0)	/* in the status */
#define MIGLAB_EDU_IRQ_FACT	(1u << 7)	/* in the status: interrupt when computed */
#define MIGLAB_EDU_IRQ_COMPUTED	(1u << 0)	/* in the interrupt status: it is computed */
#define MIGLAB_EDU_IRQ_DMA	(1u << 8)	/* in the interrupt status: a transfer ended */

#define MIGLAB_EDU_RUN		(1u << 0)	/* in a command: begin, or under way */
#define MIGLAB_EDU_TO_RAM	(1u << 1)	/* from the buffer to memory; else the reverse */
#define MIGLAB_EDU_DMA_IRQ	(1u << 2)	/* interrupt when done */

struct miglab_edu_dma {
	u64 src, dst, count, cmd;
};

struct miglab_edu_regs {
	u32 live;		/* as it reads */
	u32 fact;		/* computed; with COMPUTING: N */
	u32 status;		/* MIGLAB_EDU_IRQ_FACT or 0, and MIGLAB_EDU_COMPUTING */
	u32 irq_status;
	struct miglab_edu_dma dma;	/* with RUN: a command that has not ended */

	/* Nanoseconds of running until it ends. 0: there is nothing, or it has still to begin. */
	u64 fact_ns, dma_ns;
};

/* A transfer: @len bytes between @buffer, an offset in the buffer, and @iova. */
struct miglab_edu_move {
	u64 iova;
	u32 buffer, len;
	bool to_ram;
};

/**
 * miglab_edu_dma_check() - may the device be let do this?
 * @dma_mask: the device reaches memory from 0 to here; it cuts off higher bits silently
 *
 * QEMU does not check: a transfer beyond the buffer accesses the memory of its process.
 *
 * Return: 0, or -ERANGE when a byte of it is outside the buffer or above @dma_mask.
 */
int miglab_edu_dma_check(const struct miglab_edu_dma *dma, u64 dma_mask,
			 struct miglab_edu_move *ret_move);

/* The register at @offset in the BAR, or NULL: only a whole register is one. */
u64 *miglab_edu_dma_reg(struct miglab_edu_dma *dma, u64 offset);

/* Some N with N! modulo 2^32 == @fact, or -EINVAL: the device cannot have computed that. */
int miglab_edu_fact_of(u32 fact);

/* N! modulo 2^32. */
u32 miglab_edu_factorial(u32 n);

/* @regs to the page of a state that has them. */
void miglab_edu_encode(const struct miglab_edu_regs *regs, u8 *page);

/*
 * The reverse. Returns -EINVAL, and @ret untouched, when a register has what it cannot
 * have, or a bit is set that belongs to none. Nothing is under way in such a state.
 */
int miglab_edu_decode(const u8 *page, u64 dma_mask, struct miglab_edu_regs *ret);

/* The same for a state in which the device may compute and transfer, for @max_ns at most. */
int miglab_edu_decode_running(const u8 *page, u64 dma_mask, u64 max_ns,
			      struct miglab_edu_regs *ret);

#endif
