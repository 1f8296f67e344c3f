// SPDX-License-Identifier: GPL-2.0-only
/* The registers of an edu function. */
#include <linux/delay.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/pci.h>

#include "edu_parts.h"
#include "memory.h"

#define LIMIT_MS	2000	/* how long the function may take to come to rest */

bool edu_enter(struct edu *edu)
{
	down_write(&to_pci(edu->m)->core.memory_lock);
	mutex_lock(&edu->lock);
	return miglab_memory_expose(to_pci(edu->m)->core.pdev);
}

void edu_leave(struct edu *edu, bool exposed)
{
	miglab_memory_unexpose(&to_pci(edu->m)->core, exposed);
	mutex_unlock(&edu->lock);
	up_write(&to_pci(edu->m)->core.memory_lock);
}

bool edu_transferring(struct edu *edu)
{
	return readq(edu->bar + MIGLAB_EDU_DMA_CMD) & MIGLAB_EDU_RUN;
}

void edu_start(struct edu *edu, const struct miglab_edu_dma *dma)
{
	writeq(dma->src, edu->bar + MIGLAB_EDU_DMA_SRC);
	writeq(dma->dst, edu->bar + MIGLAB_EDU_DMA_DST);
	writeq(dma->count, edu->bar + MIGLAB_EDU_DMA_COUNT);
	writeq(dma->cmd, edu->bar + MIGLAB_EDU_DMA_CMD);
}

static bool computing(struct edu *edu)
{
	return readl(edu->bar + MIGLAB_EDU_STATUS) & MIGLAB_EDU_COMPUTING;
}

/* Waits until @busy is false; false if it stays true. */
static bool settles(struct edu *edu, bool (*busy)(struct edu *edu))
{
	int ms;

	for (ms = 0; busy(edu); ms++) {
		if (ms == LIMIT_MS)
			return false;
		fsleep(1000);
	}
	return true;
}

void edu_read_regs(struct edu *edu)
{
	edu->regs.live = readl(edu->bar + MIGLAB_EDU_LIVE);
	edu->regs.fact = readl(edu->bar + MIGLAB_EDU_FACT);
	edu->regs.irq_status = readl(edu->bar + MIGLAB_EDU_IRQ_STATUS);
}

/* Nobody can write what was computed: it is computed once more. */
static bool write_fact(struct edu *edu)
{
	if (!settles(edu, computing))
		return false;
	writel(miglab_edu_fact_of(edu->regs.fact), edu->bar + MIGLAB_EDU_FACT);
	return settles(edu, computing);
}

bool edu_write_regs(struct edu *edu)
{
	bool written;

	writel(~edu->regs.live, edu->bar + MIGLAB_EDU_LIVE);
	writel(0, edu->bar + MIGLAB_EDU_STATUS);
	written = write_fact(edu);
	writel(~0u, edu->bar + MIGLAB_EDU_IRQ_ACK);
	edu->computing = false;
	return written;
}

void edu_look_at_result(struct edu *edu)
{
	lockdep_assert_held(&edu->lock);
	if (!edu->computing || computing(edu))
		return;
	edu->computing = false;
	if (edu->regs.status & MIGLAB_EDU_IRQ_FACT)
		writel(MIGLAB_EDU_IRQ_COMPUTED, edu->bar + MIGLAB_EDU_IRQ_RAISE);
}

void edu_compute_work(struct work_struct *work)
{
	struct edu *edu = container_of(work, struct edu, compute.work);
	bool exposed = edu_enter(edu);

	edu_look_at_result(edu);
	if (edu->computing)
		edu_queue(&edu->compute, EDU_LOOK_MS);
	edu_leave(edu, exposed);
}

/* As the function does: while it computes it takes no more work. */
void edu_give_work(struct edu *edu, u32 operand)
{
	edu_look_at_result(edu);
	if (edu->computing)
		return;
	writel(operand, edu->bar + MIGLAB_EDU_FACT);
	edu->computing = true;
	edu_queue(&edu->compute, 0);
}

u32 edu_status(struct edu *edu)
{
	edu_look_at_result(edu);
	return edu->regs.status | (edu->computing ? MIGLAB_EDU_COMPUTING : 0);
}

void edu_drain(struct edu *edu)
{
	struct pci_dev *pdev = to_pci(edu->m)->core.pdev;
	u8 command;

	if (!edu_transferring(edu))
		return;
	pci_read_config_byte(pdev, PCI_COMMAND, &command);
	pci_write_config_byte(pdev, PCI_COMMAND, command & ~PCI_COMMAND_MASTER);
	settles(edu, edu_transferring);
	pci_write_config_byte(pdev, PCI_COMMAND, command);
}

void edu_clear_regs(struct edu *edu)
{
	writel(0, edu->bar + MIGLAB_EDU_STATUS);
	edu_drain(edu);
	memset(&edu->regs, 0, sizeof(edu->regs));
	if (!edu_write_regs(edu))
		dev_warn_ratelimited(&to_pci(edu->m)->core.pdev->dev,
				     "still computes what it was asked before a reset\n");
}
