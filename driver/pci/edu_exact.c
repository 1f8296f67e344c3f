// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exact mode of an edu device: its buffer as the function itself has it.
 *
 * The function is stopped. It is made to transfer its whole buffer from or to a page of the
 * kernel's, which its user sees nothing of but the time that it takes, and the address.
 */
#include <linux/bitmap.h>
#include <linux/module.h>
#include <linux/pci.h>

#include "busmaster.h"
#include "edu_parts.h"
#include "lend.h"

static bool edu_exact;
module_param(edu_exact, bool, 0644);
MODULE_PARM_DESC(edu_exact, "Move the DMA buffer of edu devices out of and into the function");

#define LIMIT_MS	2000	/* a transfer that takes longer never ends */

/* What has to be as it was for the transfer to count. */
struct watch {
	u32 resets, writes;
};

/* -EIO: a reset was faster, and the device runs. */
static int begin_transfer(struct edu *edu, u64 iova, bool to_ram, struct watch *w)
{
	const struct miglab_edu_dma dma = {
		.src = to_ram ? MIGLAB_EDU_BUFFER_AT : iova,
		.dst = to_ram ? iova : MIGLAB_EDU_BUFFER_AT,
		.count = MIGLAB_EDU_BUFFER,
		.cmd = MIGLAB_EDU_RUN | (to_ram ? MIGLAB_EDU_TO_RAM : 0),
	};
	bool exposed = edu_enter(edu), stopped = edu->level == LEVEL_NONE;

	w->resets = edu->resets;
	if (stopped) {
		w->writes = miglab_bus_master_lend(edu->m);
		edu_start(edu, &dma);
	}
	edu_leave(edu, exposed);
	return stopped ? 0 : -EIO;
}

static bool has_ended(struct edu *edu, const struct watch *w)
{
	bool exposed = edu_enter(edu);
	bool ended = edu->resets != w->resets || !edu_transferring(edu);

	edu_leave(edu, exposed);
	return ended;
}

static int await_transfer(struct edu *edu, const struct watch *w, u32 gen)
{
	ktime_t until = ktime_add_ms(ktime_get(), LIMIT_MS);
	int ret = miglab_pause(edu->m, gen, EDU_DMA_MS * USEC_PER_MSEC);

	while (!ret && !has_ended(edu, w)) {
		if (ktime_after(ktime_get(), until))
			return -EBUSY;
		ret = miglab_pause(edu->m, gen, EDU_LOOK_MS * USEC_PER_MSEC);
	}
	return ret;
}

/* What began has ended, one way or another; its user may have stopped it. */
static int end_transfer(struct edu *edu, const struct watch *w, int ret)
{
	bool exposed = edu_enter(edu);

	/* A reset has ended it already, and its user may have begun another one. */
	if (edu->resets == w->resets)
		edu_drain(edu);
	else
		ret = -EIO;
	miglab_bus_master_take_back(edu->m);
	if (!ret && !miglab_bus_master_untouched(edu->m, w->writes))
		ret = -EBUSY;
	edu_leave(edu, exposed);
	return ret;
}

static int transfer(struct edu *edu, const struct miglab_loan *loan, bool to_ram, u32 gen)
{
	struct watch w;
	int ret = begin_transfer(edu, loan->iova, to_ram, &w);

	return ret ?: end_transfer(edu, &w, await_transfer(edu, &w, gen));
}

static bool is_stopped(struct edu *edu)
{
	lockdep_assert_held(&edu->lock);
	return edu->level == LEVEL_NONE;
}

/* What no buffer has that the shadow says anything of. */
static void fill_otherwise(struct edu *edu, u8 *bytes)
{
	u32 at;

	for (at = 0; at < MIGLAB_EDU_BUFFER; at++)
		bytes[at] = ~edu->shadow[at];
}

/* Of the bytes that are as the function has them those that the shadow had otherwise. */
static void correct_shadow(struct edu *edu, const u8 *bytes)
{
	u32 at, wrong = 0;

	for_each_set_bit(at, edu->valid, MIGLAB_EDU_BUFFER) {
		wrong += edu->shadow[at] != bytes[at];
		edu->shadow[at] = bytes[at];
	}
	miglab_stats_add(edu->m->stats, MIGLAB_DMA_CORRECTED, wrong);
}

/* Has the function's buffer anything that counts? */
static bool holds_bytes(struct edu *edu)
{
	bool any;

	mutex_lock(&edu->lock);
	any = !bitmap_empty(edu->valid, MIGLAB_EDU_BUFFER);
	mutex_unlock(&edu->lock);
	return any;
}

/* -EBUSY when nothing arrived, whoever kept it from that. */
static int take_buffer(struct edu *edu, const u8 *bytes)
{
	u32 at, same = 0;

	if (!is_stopped(edu))
		return -EIO;
	for (at = 0; at < MIGLAB_EDU_BUFFER; at++)
		same += bytes[at] == (u8)~edu->shadow[at];
	if (same == MIGLAB_EDU_BUFFER)
		return -EBUSY;
	correct_shadow(edu, bytes);
	return 0;
}

static int fetch(struct edu *edu, struct miglab_loan *loan, u32 gen)
{
	int ret;

	mutex_lock(&edu->lock);
	fill_otherwise(edu, loan->bytes);
	mutex_unlock(&edu->lock);
	ret = transfer(edu, loan, true, gen);
	mutex_lock(&edu->lock);
	ret = ret ?: take_buffer(edu, loan->bytes);
	mutex_unlock(&edu->lock);
	return ret;
}

static int load(struct edu *edu, struct miglab_loan *loan, u32 gen)
{
	int ret;

	mutex_lock(&edu->lock);
	memcpy(loan->bytes, edu->shadow, MIGLAB_EDU_BUFFER);
	mutex_unlock(&edu->lock);
	ret = transfer(edu, loan, false, gen);
	mutex_lock(&edu->lock);
	if (!ret && is_stopped(edu))
		bitmap_fill(edu->valid, MIGLAB_EDU_BUFFER);
	mutex_unlock(&edu->lock);
	return ret;
}

static int with_loan(struct edu *edu, u32 gen,
		     int (*move)(struct edu *edu, struct miglab_loan *loan, u32 gen))
{
	u64 limit = min_t(u64, edu_dma_mask(), MIGLAB_EDU_REACH - 1) + 1;
	struct miglab_loan loan;
	int ret = miglab_lend(edu->m, limit, &loan);

	if (ret)
		return ret;
	ret = move(edu, &loan, gen);
	miglab_end_loan(edu->m, &loan);
	return ret;
}

int edu_fetch_buffer(struct edu *edu, u32 gen)
{
	return READ_ONCE(edu_exact) && holds_bytes(edu) ? with_loan(edu, gen, fetch) : 0;
}

int edu_load_buffer(struct edu *edu, u32 gen)
{
	return READ_ONCE(edu_exact) ? with_loan(edu, gen, load) : 0;
}
