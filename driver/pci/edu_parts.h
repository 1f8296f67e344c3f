/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model of QEMU's edu device: its registers and its DMA buffer really move.
 *
 * BAR 0 is not mappable. The DMA registers are the model's own: a command is judged,
 * held back or handed to the function by a work item, and done when the function says
 * so (edu_dma.c). All other registers are the function's while it runs (edu_regs.c), and
 * @regs while it is stopped. What BAR 0, arcs and images make of this is in edu.c.
 *
 * Nobody but DMA reaches the function's buffer. So the model keeps a shadow of it:
 * what a transfer will read from memory is read here too, when the command is given,
 * since its user may change the source as soon as it is done. Which bytes of the
 * function's buffer are as the shadow has them, @valid says: after a restore none are,
 * and a transfer that needs others is done here, from the shadow.
 */
#ifndef MIGLAB_EDU_PARTS_H
#define MIGLAB_EDU_PARTS_H

#include <linux/mutex.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "edu.h"
#include "pci.h"

#define EDU_DMA_MS	100	/* what a transfer takes in the function */
#define EDU_LOOK_MS	2	/* how often the function is asked whether it is done */

/* What the device may do, from most to least. */
enum level {
	LEVEL_ALL,
	LEVEL_NO_DMA,		/* begins no transfer */
	LEVEL_NONE,		/* is stopped */
};

/* Where the command in regs.dma is; but for IDLE its user sees RUN. */
enum phase {
	PHASE_IDLE,		/* there is none */
	PHASE_HELD,		/* waits for LEVEL_ALL */
	PHASE_GIVEN,		/* the work is to begin it */
	PHASE_FUNCTION,		/* the function does it */
	PHASE_SHADOW,		/* the work does it, from or to the shadow only */
};

struct edu {
	struct miglab_device *m;
	void __iomem *bar;
	struct delayed_work work;
	struct delayed_work compute;	/* sees the end of what the function computes */
	wait_queue_head_t reported;	/* until unreported is false */
	u8 moved[MIGLAB_EDU_BUFFER];	/* of the work: bytes of the transfer, while it lasts */

	/*
	 * Guards all below. Inside of memory_lock, which keeps the function accessible;
	 * held over accesses to the function, and by a reset until that is at rest.
	 */
	struct mutex lock;
	enum level level;
	enum phase phase;
	u32 resets;			/* a work that sees it change has nothing to do */
	struct miglab_edu_regs regs;	/* .dma and .status always; the others in LEVEL_NONE */
	bool computing;			/* its user has given it work and not seen the end */
	u32 irq_due;			/* interrupts to raise when the device runs again */
	u32 commands;			/* command_writes before the transfer began */
	struct miglab_edu_move move;	/* what regs.dma asks for, unless IDLE */
	bool unreported;		/* @written has still to be reported */
	struct miglab_edu_move written;
	u8 shadow[MIGLAB_EDU_BUFFER];
	DECLARE_BITMAP(valid, MIGLAB_EDU_BUFFER);
	u8 page[MIGLAB_PAGE];		/* for registers on their way to an image */
};

/* @work runs in @ms, whatever was planned before. It may take as long as a user's page fault. */
static inline void edu_queue(struct delayed_work *work, unsigned int ms)
{
	mod_delayed_work(compat_unbound_wq, work, msecs_to_jiffies(ms));
}

/* --- edu_regs.c: the function's registers ------------------------------------------- */

/*
 * Takes the locks and makes the registers accessible, whatever their user did to the
 * function. Returns what edu_leave() needs to undo that. May sleep.
 */
bool edu_enter(struct edu *edu);
void edu_leave(struct edu *edu, bool exposed);

/* All below: @lock is held, and the registers are accessible. */

/* Is a transfer under way? */
bool edu_transferring(struct edu *edu);

/* Begins one, that miglab_edu_dma_check() permits, while none is. */
void edu_start(struct edu *edu, const struct miglab_edu_dma *dma);

/* If one is under way, it ends without reaching memory; waits for that. */
void edu_drain(struct edu *edu);

/*
 * The function computes in a thread, which says first that it is done and interrupts then. An
 * interrupt in between would be in no state. So it is not let interrupt: the model does, in one
 * step with the end that its user sees. This looks for that end.
 */
void edu_look_at_result(struct edu *edu);

/* What the user's write to, and read of, those registers does. */
void edu_give_work(struct edu *edu, u32 operand);
u32 edu_status(struct edu *edu);

/* A work that sees to it that the end is seen, whoever looks. Takes the locks. */
void edu_compute_work(struct work_struct *work);

/* @regs from the function, but for the DMA registers and the status. */
void edu_read_regs(struct edu *edu);

/*
 * The reverse, but for the interrupt status, which is left clear: to raise it interrupts.
 * The function is never told to interrupt when it has computed.
 * False if the function does not come to an end with what it computes, in some seconds.
 */
bool edu_write_regs(struct edu *edu);

/*
 * The function as after power-on, and @regs. A transfer that was under way ends without
 * reaching memory. What is computed is waited for, but not for ever: then the log says so.
 */
void edu_clear_regs(struct edu *edu);

/* --- edu_dma.c: transfers ------------------------------------------------------------- */

/* What devices reach, from 0 to here. */
u64 edu_dma_mask(void);

/* One step of the present command. Only this begins transfers, and one at a time. */
void edu_work(struct work_struct *work);

/*
 * The user must not see an end of a transfer that the model has not seen: looks for it.
 * @lock is held.
 */
void edu_look(struct edu *edu);

/*
 * The user gives the command @cmd, while none is under way. What would leave the device's
 * ranges is dropped. @lock is held.
 */
void edu_give(struct edu *edu, u64 cmd);

/* --- edu_exact.c: with the module parameter edu_exact; without it these do nothing ---- */

/*
 * The device has just been stopped, and its state has still to be taken. Where the function's
 * buffer is what counts, the shadow becomes what that is, and dma_corrected counts the bytes
 * that it had otherwise. No lock is held; killable and abortable, and bounded by seconds.
 *
 * Return: 0; -EBUSY when the user wrote the bit of bus mastering meanwhile, or the transfer brought
 * nothing or has no end, -EIO after a reset, -EINTR, or what miglab_lend() returns.
 */
int edu_fetch_buffer(struct edu *edu, u32 gen);

/* The reverse: the stopped function gets all of the shadow. */
int edu_load_buffer(struct edu *edu, u32 gen);

#endif
