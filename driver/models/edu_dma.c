// SPDX-License-Identifier: GPL-2.0-only
/* The transfers of an edu device. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/module.h>
#include <linux/pci.h>

#include "dirty.h"
#include "edu_parts.h"
#include "reach.h"

static unsigned long long mask = 0xfffffff;

static int set_mask(const char *text, const struct kernel_param *param)
{
	unsigned long long value;
	int ret;

	ret = kstrtoull(text, 0, &value);
	if (ret)
		return ret;
	if (!value || value & (value + 1)) {
		pr_err("parameter edu_dma_mask: %#llx is no mask: the low bits must be set, and no others\n",
		       value);
		return -EINVAL;
	}
	mask = value;
	return 0;
}

static const struct kernel_param_ops mask_ops = {
	.set = set_mask,
	.get = param_get_ullong,
};

module_param_cb(edu_dma_mask, &mask_ops, &mask, 0444);
MODULE_PARM_DESC(edu_dma_mask, "What edu devices reach by DMA: the dma_mask that QEMU gave them");

u64 edu_dma_mask(void)
{
	return mask;
}

static void count(struct edu *edu, enum miglab_stat which)
{
	miglab_stats_add(edu->m->stats, which, 1);
}

/* Does a rule lose the record of what was moved? */
static bool forgets(struct edu *edu)
{
	return miglab_rulebook_op(edu->m->book, MIGLAB_OP_DMA_RECORD).faults & MIGLAB_FAULT_DROP;
}

static void end_command(struct edu *edu)
{
	lockdep_assert_held(&edu->lock);
	edu->regs.dma.cmd &= ~(u64)MIGLAB_EDU_RUN;
	edu->phase = PHASE_IDLE;
}

static void refuse_command(struct edu *edu)
{
	end_command(edu);
	count(edu, MIGLAB_DMA_REFUSED);
}

/* The transfer is done. The shadow follows, or memory has to be reported. */
static void finish_command(struct edu *edu)
{
	const struct miglab_edu_move *move = &edu->move;

	end_command(edu);
	count(edu, MIGLAB_DMA_DONE);
	if (!move->len || forgets(edu))
		return;
	if (move->to_ram) {
		edu->written = *move;
		edu->unreported = true;
		edu_queue(&edu->work, 0);
	} else {
		memcpy(edu->shadow + move->buffer, edu->moved, move->len);
		bitmap_set(edu->valid, move->buffer, move->len);
	}
}

void edu_look(struct edu *edu)
{
	lockdep_assert_held(&edu->lock);
	if (edu->phase == PHASE_FUNCTION && !edu_transferring(edu))
		finish_command(edu);
}

/* Does a transfer slip past the hold, because a rule wants it? */
static bool slips(struct edu *edu)
{
	return edu->level == LEVEL_NO_DMA &&
	       miglab_rulebook_op(edu->m->book, MIGLAB_OP_DMA).faults & MIGLAB_FAULT_SLIP;
}

void edu_give(struct edu *edu, u64 cmd)
{
	struct miglab_edu_dma dma = edu->regs.dma;

	if (!(cmd & MIGLAB_EDU_RUN))
		return;
	dma.cmd = cmd;
	if (miglab_edu_dma_check(&dma, mask, &edu->move)) {
		count(edu, MIGLAB_DMA_REFUSED);
		return;
	}
	edu->regs.dma = dma;
	if (edu->level != LEVEL_ALL && !slips(edu)) {
		edu->phase = PHASE_HELD;
		count(edu, MIGLAB_DMA_HELD);
		return;
	}
	edu->phase = PHASE_GIVEN;
	edu_queue(&edu->work, 0);
}

/* Is every byte that the transfer takes from the buffer there? */
static bool all_valid(struct edu *edu)
{
	u32 end = edu->move.buffer + edu->move.len;

	return find_next_zero_bit(edu->valid, end, edu->move.buffer) >= end;
}

/* To whoever does it: the function where it can, since it is the real thing. */
static void begin_command(struct edu *edu)
{
	const struct miglab_edu_dma *dma = &edu->regs.dma;

	if (edu->move.to_ram && !all_valid(edu)) {
		memcpy(edu->moved, edu->shadow + edu->move.buffer, edu->move.len);
		edu->phase = PHASE_SHADOW;
		return;
	}
	writeq(dma->src, edu->bar + MIGLAB_EDU_DMA_SRC);
	writeq(dma->dst, edu->bar + MIGLAB_EDU_DMA_DST);
	writeq(dma->count, edu->bar + MIGLAB_EDU_DMA_COUNT);
	writeq(dma->cmd, edu->bar + MIGLAB_EDU_DMA_CMD);
	edu->phase = PHASE_FUNCTION;
}

/* What the present command is, for work that is done without the lock. */
static enum phase work_phase(struct edu *edu, struct miglab_edu_move *ret_move, u32 *ret_resets)
{
	enum phase phase;

	mutex_lock(&edu->lock);
	phase = edu->phase;
	*ret_move = edu->move;
	*ret_resets = edu->resets;
	mutex_unlock(&edu->lock);
	return phase;
}

/* Moves @edu->moved from or to memory. No lock is held: pages of the user may be faulted in. */
static int move_memory(struct edu *edu, const struct miglab_edu_move *move)
{
	if (!move->len)
		return 0;
	return miglab_reach(edu->m, move->iova, edu->moved, move->len, move->to_ram);
}

/* May the function reach memory? What it is not let do, the model does not either. */
static bool is_bus_master(struct edu *edu)
{
	u8 command;

	pci_read_config_byte(edu->m->core.pdev, PCI_COMMAND, &command);
	return command & PCI_COMMAND_MASTER;
}

static void work_begin(struct edu *edu, const struct miglab_edu_move *move, u32 resets)
{
	int ret = move->to_ram ? 0 : move_memory(edu, move);
	bool exposed = edu_enter(edu), begun;

	if (edu->resets == resets) {
		if (ret || !is_bus_master(edu))
			refuse_command(edu);
		else
			begin_command(edu);
	}
	begun = edu->phase == PHASE_FUNCTION || edu->phase == PHASE_SHADOW;
	edu_leave(edu, exposed);
	if (begun)
		edu_queue(&edu->work, EDU_DMA_MS);
}

static void work_from_shadow(struct edu *edu, const struct miglab_edu_move *move, u32 resets)
{
	int ret = move_memory(edu, move);
	bool exposed = edu_enter(edu);
	u64 cmd = edu->regs.dma.cmd;

	if (edu->resets == resets) {
		if (ret)
			refuse_command(edu);
		else
			finish_command(edu);
		if (!ret && cmd & MIGLAB_EDU_DMA_IRQ)
			writel(MIGLAB_EDU_IRQ_DMA, edu->bar + MIGLAB_EDU_IRQ_RAISE);
	}
	edu_leave(edu, exposed);
}

static void work_look(struct edu *edu)
{
	bool exposed = edu_enter(edu), more;

	edu_look(edu);
	more = edu->phase == PHASE_FUNCTION;
	edu_leave(edu, exposed);
	if (more)
		edu_queue(&edu->work, EDU_LOOK_MS);
}

/* Reports a write to memory before anything else: an arc waits for that. */
static void work_report(struct edu *edu)
{
	struct miglab_edu_move written;
	bool unreported;

	mutex_lock(&edu->lock);
	unreported = edu->unreported;
	written = edu->written;
	mutex_unlock(&edu->lock);
	if (!unreported)
		return;
	miglab_dirty_dma(edu->m, written.iova, written.len);
	mutex_lock(&edu->lock);
	edu->unreported = false;
	mutex_unlock(&edu->lock);
}

void edu_work(struct work_struct *work)
{
	struct edu *edu = container_of(work, struct edu, work.work);
	struct miglab_edu_move move;
	enum phase phase;
	u32 resets;

	work_report(edu);
	phase = work_phase(edu, &move, &resets);
	if (phase == PHASE_GIVEN)
		work_begin(edu, &move, resets);
	else if (phase == PHASE_SHADOW)
		work_from_shadow(edu, &move, resets);
	else if (phase == PHASE_FUNCTION)
		work_look(edu);
}
