// SPDX-License-Identifier: GPL-2.0-only
#include "edu.h"

/* 34! is the first one that is a multiple of 2^32: 33 values and 0 are all there are. */
#define FACT_ZERO	34

/* The registers in a stream; the rest of their page is zero. */
struct edu_page {
	__le32 live, fact, status, irq_status;
	__le64 src, dst, count, cmd;
	__le64 fact_ns, dma_ns;
};

static_assert(sizeof(struct edu_page) == 64, "the wire format has no padding");
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

u32 miglab_edu_factorial(u32 n)
{
	u32 product = 1;

	if (n >= FACT_ZERO)
		return 0;
	while (n > 1)
		product *= n--;
	return product;
}
EXPORT_SYMBOL_GPL(miglab_edu_factorial);

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
		.fact_ns = cpu_to_le64(regs->fact_ns),
		.dma_ns = cpu_to_le64(regs->dma_ns),
	};

	memset(page, 0, MIGLAB_PAGE);
	memcpy(page, &wire, sizeof(wire));
}
EXPORT_SYMBOL_GPL(miglab_edu_encode);

/* The registers as they are in @page, whatever they say; -EINVAL if it has more than them. */
static int read_page(const u8 *page, struct miglab_edu_regs *ret)
{
	struct edu_page wire;
	u32 i;

	for (i = sizeof(wire); i < MIGLAB_PAGE; i++)
		if (page[i])
			return -EINVAL;
	memcpy(&wire, page, sizeof(wire));
	*ret = (struct miglab_edu_regs){
		.live = le32_to_cpu(wire.live),
		.fact = le32_to_cpu(wire.fact),
		.status = le32_to_cpu(wire.status),
		.irq_status = le32_to_cpu(wire.irq_status),
		.dma.src = le64_to_cpu(wire.src),
		.dma.dst = le64_to_cpu(wire.dst),
		.dma.count = le64_to_cpu(wire.count),
		.dma.cmd = le64_to_cpu(wire.cmd),
		.fact_ns = le64_to_cpu(wire.fact_ns),
		.dma_ns = le64_to_cpu(wire.dma_ns),
	};
	return 0;
}

static bool fact_ok(const struct miglab_edu_regs *regs, u64 max_ns)
{
	if (regs->status & ~(MIGLAB_EDU_IRQ_FACT | MIGLAB_EDU_COMPUTING))
		return false;
	if (regs->status & MIGLAB_EDU_COMPUTING)
		return regs->fact_ns && regs->fact_ns <= max_ns;
	return !regs->fact_ns && miglab_edu_fact_of(regs->fact) >= 0;
}

/* Without RUN they are numbers that do nothing, and a user may write any. */
static bool dma_ok(const struct miglab_edu_regs *regs, u64 dma_mask, u64 max_ns)
{
	struct miglab_edu_move move;

	if (!(regs->dma.cmd & MIGLAB_EDU_RUN))
		return !regs->dma_ns;
	return regs->dma_ns <= max_ns && !miglab_edu_dma_check(&regs->dma, dma_mask, &move);
}

int miglab_edu_decode_running(const u8 *page, u64 dma_mask, u64 max_ns,
			      struct miglab_edu_regs *ret)
{
	struct miglab_edu_regs regs;

	if (read_page(page, &regs) || !fact_ok(&regs, max_ns) || !dma_ok(&regs, dma_mask, max_ns))
		return -EINVAL;
	*ret = regs;
	return 0;
}
EXPORT_SYMBOL_GPL(miglab_edu_decode_running);

int miglab_edu_decode(const u8 *page, u64 dma_mask, struct miglab_edu_regs *ret)
{
	return miglab_edu_decode_running(page, dma_mask, 0, ret);
}
EXPORT_SYMBOL_GPL(miglab_edu_decode);
