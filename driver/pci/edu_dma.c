// SPDX-License-Identifier: GPL-2.0-only
/* The transfers of an edu device. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/module.h>
#include <linux/pci.h>

#include "busmaster.h"
#include "dirty.h"
#include "edu_parts.h"
#include "reach.h"

static unsigned long long mask = MIGLAB_EDU_REACH - 1;

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

/* May the function reach memory? What it is not let do, the model does not either. */
static bool is_bus_master(struct edu *edu)
{
	u8 command;

	pci_read_config_byte(to_pci(edu->m)->core.pdev, PCI_COMMAND, &command);
	return command & PCI_COMMAND_MASTER;
}

/*
 * The user's bytes that the transfer brought go to the shadow. The function's buffer has them too
 * if it brought them, and bus mastering was not touched meanwhile: nobody can tell what the bit
 * was in the moment that counts. Otherwise the shadow alone is right from now on.
 */
static void take_bytes(struct edu *edu, bool by_function)
{
	const struct miglab_edu_move *move = &edu->move;

	if (by_function && !miglab_bus_master_untouched(edu->m, edu->commands)) {
		by_function = false;
		if (!is_bus_master(edu))
			memset(edu->moved, 0, move->len);
	}
	memcpy(edu->shadow + move->buffer, edu->moved, move->len);
	if (by_function)
		bitmap_set(edu->valid, move->buffer, move->len);
	else
		bitmap_clear(edu->valid, move->buffer, move->len);
}

/* The transfer has ended. The shadow follows, or memory has to be reported. */
static void finish_command(struct edu *edu, bool reached)
{
	const struct miglab_edu_move *move = &edu->move;
	bool by_function = edu->phase == PHASE_FUNCTION;

	end_command(edu);
	count(edu, reached ? MIGLAB_DMA_DONE : MIGLAB_DMA_FAILED);
	if (!move->len || forgets(edu))
		return;
	if (move->to_ram) {
		edu->written = *move;
		edu->unreported = true;
		edu_queue(&edu->work, 0);
	} else {
		take_bytes(edu, by_function);
	}
}

void edu_look(struct edu *edu)
{
	lockdep_assert_held(&edu->lock);
	if (edu->phase == PHASE_FUNCTION && !edu_transferring(edu))
		finish_command(edu, true);
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

/*
 * To whoever does it: the function where it can, since it is the real thing. Not when memory
 * is not @reached: then what the function would get is not known here.
 */
static void begin_command(struct edu *edu, bool reached)
{
	if (!reached || (edu->move.to_ram && !all_valid(edu))) {
		if (edu->move.to_ram)
			memcpy(edu->moved, edu->shadow + edu->move.buffer, edu->move.len);
		edu->phase = PHASE_SHADOW;
		return;
	}
	edu_start(edu, &edu->regs.dma);
	edu->phase = PHASE_FUNCTION;
}

/*
 * What the present command is, for work that is done without the lock. None as long as a write is
 * not reported: only one can wait for that, and its user may have seen the end just now.
 */
static enum phase work_phase(struct edu *edu, struct miglab_edu_move *ret_move, u32 *ret_resets)
{
	enum phase phase;

	mutex_lock(&edu->lock);
	phase = edu->unreported ? PHASE_IDLE : edu->phase;
	if (phase == PHASE_GIVEN)
		edu->commands = READ_ONCE(to_pci(edu->m)->command_writes);
	*ret_move = edu->move;
	*ret_resets = edu->resets;
	mutex_unlock(&edu->lock);
	return phase;
}

/*
 * Moves @edu->moved from or to memory, page by page; what is not reached reads as zeroes. Returns
 * whether all was. Pages of the user may be faulted in, so no lock is held: bus mastering that
 * goes off, or a reset that comes, while a page is on its way is too late for this page.
 */
static bool move_memory(struct edu *edu, const struct miglab_edu_move *move, u32 resets)
{
	bool all = true;
	u32 at, n;
	u64 iova;

	for (at = 0; at < move->len; at += n) {
		iova = move->iova + at;
		n = min_t(u32, move->len - at, PAGE_SIZE - offset_in_page(iova));
		if (READ_ONCE(edu->resets) == resets && is_bus_master(edu) &&
		    !miglab_reach(edu->m, iova, edu->moved + at, n, move->to_ram))
			continue;
		all = false;
		if (!move->to_ram)
			memset(edu->moved + at, 0, n);
	}
	return all;
}

static void work_begin(struct edu *edu, const struct miglab_edu_move *move, u32 resets)
{
	bool reached = move->to_ram ? is_bus_master(edu) : move_memory(edu, move, resets);
	bool exposed = edu_enter(edu), begun;

	if (edu->resets == resets)
		begin_command(edu, reached);
	begun = edu->phase == PHASE_FUNCTION || edu->phase == PHASE_SHADOW;
	edu_leave(edu, exposed);
	if (begun)
		edu_queue(&edu->work, EDU_DMA_MS);
}

/* Ends as the function does, also when memory was not reached. */
static void work_from_shadow(struct edu *edu, const struct miglab_edu_move *move, u32 resets)
{
	bool reached = move->to_ram && move_memory(edu, move, resets);
	bool exposed = edu_enter(edu);
	u64 cmd = edu->regs.dma.cmd;

	if (edu->resets == resets) {
		finish_command(edu, reached);
		if (cmd & MIGLAB_EDU_DMA_IRQ)
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
	wake_up_all(&edu->reported);
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
