// SPDX-License-Identifier: GPL-2.0-only
#include "edu.h"

/* 34! is the first one that is a multiple of 2^32: 33 values and 0 are all there are. */
#define FACT_ZERO	34

/* The registers in a stream; the rest of their page is zero. */
struct edu_page {
	__le32 live, fact, status, irq_status;
	__le64 src, dst, count, cmd;
};

static_assert(sizeof(struct edu_page) == 48, "the wire format has no padding");
static_assert(MIGLAB_EDU_BUFFER == MIGLAB_PAGE, "the buffer is one page");

int miglab_edu_dma_check(const struct miglab_edu_dma *dma, u64 dma_mask,
			 struct miglab_edu_move *ret_move)
{
	bool to_ram = dma->cmd & MIGLAB_EDU_TO_RAM;
	u64 at = (to_ram ? dma->src : dma->dst) - MIGLAB_EDU_BUFFER_AT;
	u64 iova = to_ram ? dma->dst : dma->src;

	if (at > MIGLAB_EDU_BUFFER || dma->count > MIGLAB_EDU_BUFFER - at)
		return -ERANGE;
	if (iova > dma_mask || (dma->count && dma->count - 1 > dma_mask - iova))
		return -ERANGE;
	*ret_move = (struct miglab_edu_move){
		.iova = iova,
		.buffer = (u32)at,
		.len = (u32)dma->count,
		.to_ram = to_ram,
	};
	return 0;
}
EXPORT_SYMBOL_GPL(miglab_edu_dma_check);

u64 *miglab_edu_dma_reg(struct miglab_edu_dma *dma, u64 offset)
{
	switch (offset) {
	case MIGLAB_EDU_DMA_SRC:
		return &dma->src;
	case MIGLAB_EDU_DMA_DST:
		return &dma->dst;
	case MIGLAB_EDU_DMA_COUNT:
		return &dma->count;
	case MIGLAB_EDU_DMA_CMD:
		return &dma->cmd;
	default:
		return NULL;
	}
}
EXPORT_SYMBOL_GPL(miglab_edu_dma_reg);

int miglab_edu_fact_of(u32 fact)
{
	u32 product = 1;
	int n;

	for (n = 1; n <= FACT_ZERO; n++) {
		product *= (u32)n;
		if (product == fact)
			return n;
	}
	return -EINVAL;
}
EXPORT_SYMBOL_GPL(miglab_edu_fact_of);

void miglab_edu_encode(const struct miglab_edu_regs *regs, u8 *page)
{
	struct edu_page wire = {
		.live = cpu_to_le32(regs->live),
		.fact = cpu_to_le32(regs->fact),
		.status = cpu_to_le32(regs->status),
		.irq_status = cpu_to_le32(regs->irq_status),
		.src = cpu_to_le64(regs->dma.src),
		.dst = cpu_to_le64(regs->dma.dst),
		.count = cpu_to_le64(regs->dma.count),
		.cmd = cpu_to_le64(regs->dma.cmd),
	};

	memset(page, 0, MIGLAB_PAGE);
	memcpy(page, &wire, sizeof(wire));
}
EXPORT_SYMBOL_GPL(miglab_edu_encode);

int miglab_edu_decode(const u8 *page, u64 dma_mask, struct miglab_edu_regs *ret)
{
	struct miglab_edu_regs regs;
	struct miglab_edu_move move;
	struct edu_page wire;
	u32 i;

	for (i = sizeof(wire); i < MIGLAB_PAGE; i++)
		if (page[i])
			return -EINVAL;
	memcpy(&wire, page, sizeof(wire));
	regs = (struct miglab_edu_regs){
		.live = le32_to_cpu(wire.live),
		.fact = le32_to_cpu(wire.fact),
		.status = le32_to_cpu(wire.status),
		.irq_status = le32_to_cpu(wire.irq_status),
		.dma.src = le64_to_cpu(wire.src),
		.dma.dst = le64_to_cpu(wire.dst),
		.dma.count = le64_to_cpu(wire.count),
		.dma.cmd = le64_to_cpu(wire.cmd),
	};
	if (miglab_edu_fact_of(regs.fact) < 0 || regs.status & ~MIGLAB_EDU_IRQ_FACT)
		return -EINVAL;
	/* Without RUN they are numbers that do nothing, and a user may write any. */
	if (regs.dma.cmd & MIGLAB_EDU_RUN && miglab_edu_dma_check(&regs.dma, dma_mask, &move))
		return -EINVAL;
	*ret = regs;
	return 0;
}
EXPORT_SYMBOL_GPL(miglab_edu_decode);
