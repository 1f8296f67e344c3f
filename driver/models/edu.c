// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model of QEMU's edu device: its registers and its DMA buffer really move.
 *
 * BAR 0 is not mappable. The DMA registers are the model's own: a command is judged,
 * held back or handed to the function by a work item, and done when the function says
 * so. All other registers are the function's while it runs, and @regs while it is stopped.
 *
 * Nobody but DMA reaches the function's buffer. So the model keeps a shadow of it:
 * what a transfer will read from memory is read here too, when the command is given,
 * since its user may change the source as soon as it is done. Which bytes of the
 * function's buffer are as the shadow has them, @valid says: after a restore none are,
 * and a transfer that needs others is done here, from the shadow.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "device.h"
#include "dirty.h"
#include "edu.h"
#include "reach.h"

#define BAR_BYTES	0x100000u
#define DMA_MS		100	/* what a transfer takes in the function */
#define LOOK_MS		2	/* and how often it is looked at from then on */
#define RESET_LIMIT_MS	2000	/* what a reset grants the function to come to rest */

static unsigned long long edu_dma_mask = 0xfffffff;
module_param(edu_dma_mask, ullong, 0444);
MODULE_PARM_DESC(edu_dma_mask, "What edu devices reach by DMA: the dma_mask that QEMU gave them");

static unsigned int edu_limit_ms = 2000;
module_param(edu_limit_ms, uint, 0644);
MODULE_PARM_DESC(edu_limit_ms, "How long an arc waits for an edu device before it fails");

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
	PHASE_SHADOW,		/* the work does it, from the shadow */
};

struct edu {
	struct miglab_device *m;
	void __iomem *bar;
	struct delayed_work work;
	u8 moved[MIGLAB_EDU_BUFFER];	/* of the work: bytes of the transfer, while it lasts */

	/*
	 * Guards all below. Inside of memory_lock, which keeps the function accessible;
	 * held over accesses to the function, and by a reset until that is at rest.
	 */
	struct mutex lock;
	enum level level;
	enum phase phase;
	u32 resets;			/* a work that sees it change has nothing to do */
	struct miglab_edu_regs regs;	/* .dma always; the others in LEVEL_NONE */
	bool fact_due;			/* the user asked for one and saw no interrupt yet */
	u32 irq_due;			/* interrupts to raise when the device runs again */
	struct miglab_edu_move move;	/* what regs.dma asks for, unless IDLE */
	bool unreported;		/* @written has still to be reported */
	struct miglab_edu_move written;
	u8 shadow[MIGLAB_EDU_BUFFER];
	DECLARE_BITMAP(valid, MIGLAB_EDU_BUFFER);
	u8 page[MIGLAB_PAGE];		/* for registers on their way to an image */
};

static enum level level_of(u32 state)
{
	switch (state) {
	case MIGLAB_RUNNING:
	case MIGLAB_PRE_COPY:
		return LEVEL_ALL;
	case MIGLAB_RUNNING_P2P:
	case MIGLAB_PRE_COPY_P2P:
		return LEVEL_NO_DMA;
	default:
		return LEVEL_NONE;
	}
}

static struct edu *to_edu(struct miglab_device *m)
{
	return m->model_data;
}

static void count(struct edu *edu, enum miglab_stat which)
{
	miglab_stats_add(edu->m->stats, which, 1);
}

/* The work takes its next step in @ms, whatever was planned before. */
static void work_after(struct edu *edu, unsigned int ms)
{
	cancel_delayed_work(&edu->work);
	schedule_delayed_work(&edu->work, msecs_to_jiffies(ms));
}

/* --- the function ----------------------------------------------------------------- */

/* Makes the registers accessible if their user switched that off; what to undo. */
static bool expose(struct edu *edu)
{
	struct pci_dev *pdev = edu->m->core.pdev;
	u8 command;

	/* The low byte only: interrupt masking owns the high one. */
	pci_read_config_byte(pdev, PCI_COMMAND, &command);
	if (command & PCI_COMMAND_MEMORY)
		return false;
	pci_write_config_byte(pdev, PCI_COMMAND, command | PCI_COMMAND_MEMORY);
	return true;
}

static void unexpose(struct edu *edu, bool exposed)
{
	struct pci_dev *pdev = edu->m->core.pdev;
	u8 command;

	if (!exposed)
		return;
	pci_read_config_byte(pdev, PCI_COMMAND, &command);
	pci_write_config_byte(pdev, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY);
}

/* The lock and the registers, whatever their user did to the function. */
static bool edu_enter(struct edu *edu)
{
	down_write(&edu->m->core.memory_lock);
	mutex_lock(&edu->lock);
	return expose(edu);
}

static void edu_leave(struct edu *edu, bool exposed)
{
	unexpose(edu, exposed);
	mutex_unlock(&edu->lock);
	up_write(&edu->m->core.memory_lock);
}

static bool transferring(struct edu *edu)
{
	return readq(edu->bar + MIGLAB_EDU_DMA_CMD) & MIGLAB_EDU_RUN;
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
		if (ms == RESET_LIMIT_MS)
			return false;
		fsleep(1000);
	}
	return true;
}

static void read_regs(struct edu *edu)
{
	edu->regs.live = readl(edu->bar + MIGLAB_EDU_LIVE);
	edu->regs.fact = readl(edu->bar + MIGLAB_EDU_FACT);
	edu->regs.status = readl(edu->bar + MIGLAB_EDU_STATUS) & MIGLAB_EDU_IRQ_FACT;
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

/*
 * The registers but the interrupt status, which is left clear: to raise it interrupts. False
 * if the function does not come to an end with what it computes.
 */
static bool write_regs(struct edu *edu)
{
	bool written;

	writel(~edu->regs.live, edu->bar + MIGLAB_EDU_LIVE);
	writel(0, edu->bar + MIGLAB_EDU_STATUS);
	written = write_fact(edu);
	writel(edu->regs.status, edu->bar + MIGLAB_EDU_STATUS);
	writel(~0u, edu->bar + MIGLAB_EDU_IRQ_ACK);
	edu->fact_due = false;
	return written;
}

/*
 * The function says that it has computed before it interrupts: is the interrupt still to
 * come? It has come when its bit is set, or was and its user has acknowledged it.
 */
static bool interrupt_due(struct edu *edu)
{
	return edu->fact_due && readl(edu->bar + MIGLAB_EDU_STATUS) & MIGLAB_EDU_IRQ_FACT &&
	       !(readl(edu->bar + MIGLAB_EDU_IRQ_STATUS) & MIGLAB_EDU_IRQ_FACT_BIT);
}

/* Before the user's write: what it means for that interrupt. */
static void note_fact(struct edu *edu, u64 at, u64 value)
{
	if (at == MIGLAB_EDU_FACT)
		edu->fact_due = true;
	else if (at == MIGLAB_EDU_STATUS && edu->fact_due)
		edu->fact_due = computing(edu);
	else if (at == MIGLAB_EDU_IRQ_ACK && edu->fact_due && value & MIGLAB_EDU_IRQ_FACT_BIT)
		edu->fact_due = !(readl(edu->bar + MIGLAB_EDU_IRQ_STATUS) &
				  MIGLAB_EDU_IRQ_FACT_BIT);
}

/* A transfer that a reset has overtaken ends without reaching memory. */
static void drain(struct edu *edu)
{
	struct pci_dev *pdev = edu->m->core.pdev;
	u8 command;

	if (!transferring(edu))
		return;
	pci_read_config_byte(pdev, PCI_COMMAND, &command);
	pci_write_config_byte(pdev, PCI_COMMAND, command & ~PCI_COMMAND_MASTER);
	settles(edu, transferring);
	pci_write_config_byte(pdev, PCI_COMMAND, command);
}

/* All as after power-on. What the function computes is waited for, but not for ever. */
static void clear(struct edu *edu)
{
	writel(0, edu->bar + MIGLAB_EDU_STATUS);
	drain(edu);
	memset(&edu->regs, 0, sizeof(edu->regs));
	if (!write_regs(edu))
		pci_warn(edu->m->core.pdev, "still computes what it was asked before a reset\n");
	memset(edu->shadow, 0, sizeof(edu->shadow));
	bitmap_zero(edu->valid, MIGLAB_EDU_BUFFER);
	edu->level = LEVEL_ALL;
	edu->phase = PHASE_IDLE;
	edu->irq_due = 0;
}

/* --- transfers ---------------------------------------------------------------------- */

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
		work_after(edu, 0);
	} else {
		memcpy(edu->shadow + move->buffer, edu->moved, move->len);
		bitmap_set(edu->valid, move->buffer, move->len);
	}
}

/* The user must not see an end of a transfer that the model has not seen. */
static void look(struct edu *edu)
{
	lockdep_assert_held(&edu->lock);
	if (edu->phase == PHASE_FUNCTION && !transferring(edu))
		finish_command(edu);
}

/* Does a transfer slip past the hold, because a rule wants it? */
static bool slips(struct edu *edu)
{
	return edu->level == LEVEL_NO_DMA &&
	       miglab_rulebook_op(edu->m->book, MIGLAB_OP_DMA).faults & MIGLAB_FAULT_SLIP;
}

/* The user gives a command. What would leave the device's ranges is dropped. */
static void give_command(struct edu *edu, u64 cmd)
{
	struct miglab_edu_dma dma = edu->regs.dma;

	if (!(cmd & MIGLAB_EDU_RUN))
		return;
	dma.cmd = cmd;
	if (miglab_edu_dma_check(&dma, edu_dma_mask, &edu->move)) {
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
	work_after(edu, 0);
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
		work_after(edu, DMA_MS);
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

	look(edu);
	more = edu->phase == PHASE_FUNCTION;
	edu_leave(edu, exposed);
	if (more)
		work_after(edu, LOOK_MS);
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

/* One step of the present command. Only this begins transfers, and one at a time. */
static void edu_work(struct work_struct *work)
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

/* --- BAR 0 -------------------------------------------------------------------------- */

static u64 read_function(struct edu *edu, u64 at, size_t size)
{
	void __iomem *io = edu->bar + at;

	switch (size) {
	case 8:
		return readq(io);
	case 4:
		return readl(io);
	case 2:
		return readw(io);
	default:
		return readb(io);
	}
}

static void write_function(struct edu *edu, u64 at, size_t size, u64 value)
{
	void __iomem *io = edu->bar + at;

	switch (size) {
	case 8:
		writeq(value, io);
		break;
	case 4:
		writel(value, io);
		break;
	case 2:
		writew(value, io);
		break;
	default:
		writeb(value, io);
	}
}

/* What a stopped device's register holds; NULL for one that holds nothing. */
static const u32 *stopped_reg(struct edu *edu, u64 at)
{
	switch (at) {
	case MIGLAB_EDU_LIVE:
		return &edu->regs.live;
	case MIGLAB_EDU_FACT:
		return &edu->regs.fact;
	case MIGLAB_EDU_STATUS:
		return &edu->regs.status;
	case MIGLAB_EDU_IRQ_STATUS:
		return &edu->regs.irq_status;
	default:
		return NULL;
	}
}

static bool is_dma_reg(u64 at)
{
	return at >= MIGLAB_EDU_DMA_SRC && at < MIGLAB_EDU_DMA_END;
}

static u64 edu_read(struct edu *edu, u64 at, size_t size)
{
	const u32 *reg = NULL;
	const u64 *dma;

	if (is_dma_reg(at)) {
		look(edu);
		dma = miglab_edu_dma_reg(&edu->regs.dma, at);
		return dma && size >= 4 ? *dma : U64_MAX;
	}
	if (edu->level == LEVEL_NONE && size == 4)
		reg = stopped_reg(edu, at);
	return reg ? *reg : read_function(edu, at, size);
}

/* A stopped device takes no writes; one that is busy none to its DMA registers. */
static void edu_write(struct edu *edu, u64 at, size_t size, u64 value)
{
	u64 *dma;

	if (edu->level == LEVEL_NONE)
		return;
	if (!is_dma_reg(at)) {
		note_fact(edu, at, value);
		write_function(edu, at, size, value);
		return;
	}
	look(edu);
	dma = miglab_edu_dma_reg(&edu->regs.dma, at);
	if (!dma || size < 4 || edu->phase != PHASE_IDLE)
		return;
	if (at == MIGLAB_EDU_DMA_CMD)
		give_command(edu, value);
	else
		*dma = value;
}

/* As the core has it for BARs that it serves itself. */
static bool accessible(struct edu *edu)
{
	const struct vfio_pci_core_device *core = &edu->m->core;
	u16 command = le16_to_cpup((__le16 *)&core->vconfig[PCI_COMMAND]);

	return command & PCI_COMMAND_MEMORY && !core->pm_runtime_engaged &&
	       core->pdev->current_state < PCI_D3hot;
}

static int edu_access(struct edu *edu, u64 at, size_t size, u64 *value, bool write)
{
	int ret = -EIO;

	down_read(&edu->m->core.memory_lock);
	if (accessible(edu)) {
		mutex_lock(&edu->lock);
		if (write)
			edu_write(edu, at, size, *value);
		else
			*value = edu_read(edu, at, size);
		mutex_unlock(&edu->lock);
		ret = 0;
	}
	up_read(&edu->m->core.memory_lock);
	return ret;
}

/* The widest access that begins at @at and is not beyond @left bytes. */
static size_t access_size(u64 at, size_t left)
{
	size_t size = 8;

	while (at % size || size > left)
		size /= 2;
	return size;
}

static int edu_user_access(struct edu *edu, u64 at, char __user *buf, size_t size, bool write)
{
	__le64 wire = 0;
	u64 value = 0;
	int ret;

	if (write && copy_from_user(&wire, buf, size))
		return -EFAULT;
	value = le64_to_cpu(wire);
	ret = edu_access(edu, at, size, &value, write);
	if (ret || write)
		return ret;
	wire = cpu_to_le64(value);
	return copy_to_user(buf, &wire, size) ? -EFAULT : 0;
}

static ssize_t edu_rw(struct miglab_device *m, char __user *buf, size_t len, loff_t *ppos,
		      bool write)
{
	u64 at = *ppos & VFIO_PCI_OFFSET_MASK;
	size_t done = 0, size;
	int ret;

	if (at >= BAR_BYTES)
		return -EINVAL;
	len = min_t(u64, len, BAR_BYTES - at);
	while (done < len) {
		size = access_size(at + done, len - done);
		ret = edu_user_access(to_edu(m), at + done, buf + done, size, write);
		if (ret)
			return ret;
		done += size;
	}
	*ppos += done;
	return done;
}

/* --- states ------------------------------------------------------------------------- */

/* Nothing new may begin; false if no less may be done than before. */
static bool shut(struct edu *edu, enum level wanted)
{
	bool less;

	mutex_lock(&edu->lock);
	less = wanted > edu->level;
	if (less)
		edu->level = LEVEL_NO_DMA;
	mutex_unlock(&edu->lock);
	return less;
}

/* Is nothing in flight that @wanted forbids? A device that is to stop has stopped then. */
static bool at_rest(struct edu *edu, enum level wanted)
{
	bool exposed = edu_enter(edu), rest;

	look(edu);
	rest = (edu->phase == PHASE_IDLE || edu->phase == PHASE_HELD) && !edu->unreported;
	if (wanted == LEVEL_NONE)
		rest = rest && !computing(edu) && !interrupt_due(edu);
	if (rest && wanted == LEVEL_NONE) {
		read_regs(edu);
		edu->level = LEVEL_NONE;
	}
	edu_leave(edu, exposed);
	return rest;
}

static int edu_prepare(struct miglab_device *m, u32 from, u32 to, u32 gen)
{
	ktime_t until = ktime_add_ms(ktime_get(), READ_ONCE(edu_limit_ms));
	enum level wanted = level_of(to);
	struct edu *edu = to_edu(m);
	int ret = 0;

	if (!shut(edu, wanted))
		return 0;
	while (!ret && !at_rest(edu, wanted)) {
		if (ktime_after(ktime_get(), until))
			return -EBUSY;
		ret = miglab_pause(m, gen, 1000);
	}
	return ret;
}

static void edu_settle(struct miglab_device *m, u32 state)
{
	enum level level = level_of(state);
	struct edu *edu = to_edu(m);
	bool exposed = edu_enter(edu);

	if (level < edu->level) {
		edu->level = level;
		/* Once: the function has been quiet about them since they were restored. */
		if (edu->irq_due)
			writel(edu->irq_due, edu->bar + MIGLAB_EDU_IRQ_RAISE);
		edu->irq_due = 0;
	}
	if (edu->level == LEVEL_ALL && edu->phase == PHASE_HELD) {
		edu->phase = PHASE_GIVEN;
		work_after(edu, 0);
	}
	edu_leave(edu, exposed);
}

static void edu_reset(struct miglab_device *m)
{
	struct edu *edu = to_edu(m);
	bool exposed;

	mutex_lock(&edu->lock);
	exposed = expose(edu);
	edu->resets++;
	/* It may have reached memory, in part or whole. */
	if ((edu->phase == PHASE_FUNCTION || edu->phase == PHASE_SHADOW) && edu->move.to_ram) {
		edu->written = edu->move;
		edu->unreported = true;
		work_after(edu, 0);
	}
	clear(edu);
	unexpose(edu, exposed);
	mutex_unlock(&edu->lock);
}

/* --- the image ---------------------------------------------------------------------- */

static void update_page(struct miglab_image *image, u32 page, const u8 *now)
{
	u8 *bytes = image->content.bytes + page * MIGLAB_PAGE;

	if (!memcmp(bytes, now, MIGLAB_PAGE))
		return;
	memcpy(bytes, now, MIGLAB_PAGE);
	if (image->tracked)
		miglab_precopy_mark(&image->track, page);
}

static int edu_freeze(struct miglab_device *m, struct miglab_image *image)
{
	struct edu *edu = to_edu(m);
	bool exposed = edu_enter(edu);

	if (edu->level != LEVEL_NONE)
		read_regs(edu);
	miglab_edu_encode(&edu->regs, edu->page);
	update_page(image, 0, edu->page);
	update_page(image, 1, edu->shadow);
	edu_leave(edu, exposed);
	return 0;
}

static void edu_advance(struct miglab_device *m, struct miglab_image *image)
{
	if (image->tracked)
		edu_freeze(m, image);
}

static u64 edu_next_ns(struct miglab_image *image)
{
	return DMA_MS * NSEC_PER_MSEC;
}

static int edu_check(const struct miglab_image *image)
{
	struct miglab_edu_regs regs;

	return miglab_edu_decode(image->content.bytes, edu_dma_mask, &regs);
}

static int edu_restore(struct miglab_device *m, struct miglab_image *image, u32 gen)
{
	struct edu *edu = to_edu(m);
	bool exposed = edu_enter(edu);
	int ret;

	ret = miglab_edu_decode(image->content.bytes, edu_dma_mask, &edu->regs);
	if (!ret && !write_regs(edu))
		ret = -EBUSY;
	if (!ret) {
		edu->phase = PHASE_IDLE;
		if (edu->regs.dma.cmd & MIGLAB_EDU_RUN &&
		    !miglab_edu_dma_check(&edu->regs.dma, edu_dma_mask, &edu->move))
			edu->phase = PHASE_HELD;
		edu->irq_due = edu->regs.irq_status;
		memcpy(edu->shadow, image->content.bytes + MIGLAB_PAGE, MIGLAB_EDU_BUFFER);
		bitmap_zero(edu->valid, MIGLAB_EDU_BUFFER);
	}
	edu_leave(edu, exposed);
	return ret;
}

/* --- the device --------------------------------------------------------------------- */

static int edu_fits(struct pci_dev *pdev, const struct miglab_config *config,
		    const char **ret_why)
{
	*ret_why = "the function is not QEMU's edu device, 1234:11e8";
	if (pdev->vendor != 0x1234 || pdev->device != 0x11e8)
		return -ENODEV;
	*ret_why = "its BAR 0 is not 1 MiB of memory";
	if (!(pci_resource_flags(pdev, 0) & IORESOURCE_MEM) ||
	    pci_resource_len(pdev, 0) != BAR_BYTES)
		return -ENODEV;
	return 0;
}

static u64 edu_state_bytes(struct miglab_device *m, const struct miglab_config *config)
{
	return MIGLAB_EDU_STATE_BYTES;
}

/* A function that was used before has still what it was left with. */
static void begin_anew(struct edu *edu)
{
	bool exposed = edu_enter(edu);

	clear(edu);
	edu_leave(edu, exposed);
}

static int edu_open(struct miglab_device *m, const struct miglab_config *config)
{
	struct edu *edu;

	edu = kvzalloc(sizeof(*edu), GFP_KERNEL_ACCOUNT);
	if (!edu)
		return -ENOMEM;
	edu->bar = pci_iomap(m->core.pdev, 0, 0);
	if (!edu->bar) {
		kvfree(edu);
		return -ENOMEM;
	}
	/* Its user might put it to sleep, but transfers go on. */
	pm_runtime_get_noresume(&m->core.pdev->dev);
	edu->m = m;
	mutex_init(&edu->lock);
	INIT_DELAYED_WORK(&edu->work, edu_work);
	begin_anew(edu);
	m->model_data = edu;
	m->bars = BIT(0);
	return 0;
}

static void edu_close(struct miglab_device *m)
{
	struct edu *edu = to_edu(m);

	cancel_delayed_work_sync(&edu->work);
	pm_runtime_put(&m->core.pdev->dev);
	pci_iounmap(m->core.pdev, edu->bar);
	mutex_destroy(&edu->lock);
	kvfree(edu);
}

const struct miglab_model_ops miglab_model_edu = {
	.name = "edu",
	.notice = "migrates the registers and the DMA buffer of QEMU's edu device",
	.model = MIGLAB_MODEL_EDU,
	.reports_dma = true,
	.fits = edu_fits,
	.state_bytes = edu_state_bytes,
	.open = edu_open,
	.close = edu_close,
	.advance = edu_advance,
	.next_ns = edu_next_ns,
	.freeze = edu_freeze,
	.check = edu_check,
	.restore = edu_restore,
	.prepare = edu_prepare,
	.settle = edu_settle,
	.reset = edu_reset,
	.rw = edu_rw,
};
