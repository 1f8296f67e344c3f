// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function with the registers of QEMU's edu device: it computes factorials, and moves memory to
 * its buffer and back. What it is told to do takes time, and moves with it wherever it is.
 *
 * A transfer begins in the write() that commands it: there its bytes are moved, in the context of
 * the user, with no lock held. It ends, with the interrupt, when the clock says so; a work does
 * that, and touches no memory of the user. While the device is stopped the clock stands.
 */
#include <linux/cleanup.h>
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "dma.h"
#include "edu.h"
#include "mdev.h"

#define BAR_BYTES	0x100000u
#define DMA_MASK	((u64)MIGLAB_EDU_REACH - 1)
#define DMA_NS		(100 * (u64)NSEC_PER_MSEC)	/* what a transfer takes, as in QEMU */
#define FACT_NS		(1 * (u64)NSEC_PER_MSEC)	/* what a factorial takes */
#define LIMIT_MS	2000	/* how long an arc waits for bytes that are being moved */

/* The pages of the state. */
#define FUNCTION_PAGE	0
#define REGS_PAGE	1
#define BUFFER_PAGE	2
#define STATE_BYTES	(3 * MIGLAB_PAGE)

static_assert(MIGLAB_FUNCTION_STATE_BYTES == MIGLAB_PAGE && MIGLAB_EDU_BUFFER == MIGLAB_PAGE);

/* What the device may do, from most to least. */
enum edu_level {
	EDU_RUNS,
	EDU_NO_DMA,		/* begins no transfer */
	EDU_STOPPED,
};

/* Where the command in regs.dma is; but for IDLE its user sees RUN. */
enum edu_phase {
	EDU_IDLE,		/* there is none */
	EDU_HELD,		/* waits for EDU_RUNS */
	EDU_MOVING,		/* bytes are on their way */
	EDU_ENDING,		/* they have arrived, and the end comes at dma_due */
};

struct edu {
	struct miglab_device *m;
	struct miglab_function *f;
	struct delayed_work clock;	/* at the next end of something */

	/* Guards all below. Outside of the function's irq.lock; no user memory under it. */
	struct mutex lock;
	enum edu_level level;
	enum edu_phase phase;
	unsigned int movers;		/* threads that begin or move; a reset does not end them */
	u32 resets;			/* a thread that sees it change has moved for nothing */
	struct miglab_edu_regs regs;	/* fact_ns and dma_ns in EDU_STOPPED, */
	u64 fact_due, dma_due;		/* ... and these otherwise: nanoseconds of ktime_get() */
	struct miglab_edu_move move;	/* what regs.dma asks for, unless EDU_IDLE */
	u8 buffer[MIGLAB_EDU_BUFFER];
	u8 recorded[MIGLAB_EDU_BUFFER];	/* the same, but for what a rule lost: this migrates */
	u8 page[MIGLAB_PAGE];		/* for what is on its way to an image */
};

static enum edu_level level_of(u32 state)
{
	switch (state) {
	case MIGLAB_RUNNING:
	case MIGLAB_PRE_COPY:
		return EDU_RUNS;
	case MIGLAB_RUNNING_P2P:
	case MIGLAB_PRE_COPY_P2P:
		return EDU_NO_DMA;
	default:
		return EDU_STOPPED;
	}
}

static struct edu *to_edu(struct miglab_device *m)
{
	return m->model_data;
}

static void edu_count(struct edu *edu, enum miglab_stat which)
{
	miglab_stats_add(edu->m->stats, which, 1);
}

/* --- interrupts and the clock ---------------------------------------------- */

/* INTx is up while a bit is set; a message is sent for each time that bits are. */
static void edu_raise(struct edu *edu, u32 bits)
{
	edu->regs.irq_status |= bits;
	if (!edu->regs.irq_status)
		return;
	miglab_function_set_intx(edu->f, true);
	miglab_function_send(edu->f, 0);
}

static void edu_acknowledge(struct edu *edu, u32 bits)
{
	edu->regs.irq_status &= ~bits;
	if (!edu->regs.irq_status)
		miglab_function_set_intx(edu->f, false);
}

static bool is_computing(const struct edu *edu)
{
	return edu->regs.status & MIGLAB_EDU_COMPUTING;
}

static void end_computing(struct edu *edu)
{
	edu->regs.fact = miglab_edu_factorial(edu->regs.fact);
	edu->regs.status &= ~MIGLAB_EDU_COMPUTING;
	if (edu->regs.status & MIGLAB_EDU_IRQ_FACT)
		edu_raise(edu, MIGLAB_EDU_IRQ_COMPUTED);
}

static void end_transfer(struct edu *edu)
{
	edu->regs.dma.cmd &= ~(u64)MIGLAB_EDU_RUN;
	edu->phase = EDU_IDLE;
	if (edu->regs.dma.cmd & MIGLAB_EDU_DMA_IRQ)
		edu_raise(edu, MIGLAB_EDU_IRQ_DMA);
}

/* Ends what is due. Whoever looks sees it then, however late the work is. */
static void edu_catch_up(struct edu *edu)
{
	u64 now = ktime_get_ns();

	lockdep_assert_held(&edu->lock);
	if (edu->level == EDU_STOPPED)
		return;
	if (is_computing(edu) && now >= edu->fact_due)
		end_computing(edu);
	if (edu->phase == EDU_ENDING && now >= edu->dma_due)
		end_transfer(edu);
}

static void edu_set_clock(struct edu *edu)
{
	u64 now = ktime_get_ns(), due = U64_MAX;

	lockdep_assert_held(&edu->lock);
	if (edu->level == EDU_STOPPED)
		return;
	if (is_computing(edu))
		due = edu->fact_due;
	if (edu->phase == EDU_ENDING)
		due = min(due, edu->dma_due);
	if (due != U64_MAX)
		mod_delayed_work(compat_unbound_wq, &edu->clock,
				 due > now ? nsecs_to_jiffies(due - now) + 1 : 0);
}

static void edu_clock(struct work_struct *work)
{
	struct edu *edu = container_of(work, struct edu, clock.work);

	mutex_lock(&edu->lock);
	edu_catch_up(edu);
	edu_set_clock(edu);
	mutex_unlock(&edu->lock);
}

static u64 time_left(u64 due, u64 now)
{
	return due > now ? due - now : 1;
}

static void stop_clock(struct edu *edu)
{
	u64 now = ktime_get_ns();

	edu_catch_up(edu);
	edu->level = EDU_STOPPED;
	edu->regs.fact_ns = is_computing(edu) ? time_left(edu->fact_due, now) : 0;
	edu->regs.dma_ns = edu->phase == EDU_ENDING ? time_left(edu->dma_due, now) : 0;
	miglab_function_freeze(edu->f, true);
}

static void start_clock(struct edu *edu, enum edu_level level)
{
	u64 now = ktime_get_ns();

	edu->level = level;
	edu->fact_due = now + edu->regs.fact_ns;
	edu->dma_due = now + edu->regs.dma_ns;
	edu->regs.fact_ns = 0;
	edu->regs.dma_ns = 0;
	miglab_function_freeze(edu->f, false);
	edu_set_clock(edu);
}

/* --- transfers ------------------------------------------------------------- */

/* Does a rule lose the record of what was moved? */
static bool record_is_lost(struct edu *edu)
{
	return miglab_rulebook_op(edu->m->book, MIGLAB_OP_DMA_RECORD).faults & MIGLAB_FAULT_DROP;
}

static void take_bytes(struct edu *edu, const struct miglab_edu_move *move, const u8 *bytes)
{
	memcpy(edu->buffer + move->buffer, bytes, move->len);
	if (!record_is_lost(edu))
		memcpy(edu->recorded + move->buffer, bytes, move->len);
}

/*
 * Pages of the user may be faulted in, so no lock is held: a reset that comes meanwhile is too late
 * for a page on its way.
 */
static bool move_bytes(struct edu *edu, const struct miglab_edu_move *move, u8 *bytes)
{
	if (move->to_ram)
		return miglab_dma_write(edu->f, move->iova, bytes, move->len);
	return miglab_dma_read(edu->f, move->iova, bytes, move->len);
}

/* Takes the command that waits; false if a reset or another thread was faster. */
static bool begin_moving(struct edu *edu, struct miglab_edu_move *ret_move, u8 *bytes,
			 u32 *ret_resets)
{
	guard(mutex)(&edu->lock);
	if (edu->phase != EDU_HELD)
		return false;
	edu->phase = EDU_MOVING;
	*ret_move = edu->move;
	*ret_resets = edu->resets;
	if (edu->move.to_ram)
		memcpy(bytes, edu->buffer + edu->move.buffer, edu->move.len);
	return true;
}

static void end_moving(struct edu *edu, const struct miglab_edu_move *move, const u8 *bytes,
		       bool reached)
{
	lockdep_assert_held(&edu->lock);
	if (!move->to_ram)
		take_bytes(edu, move, bytes);
	edu_count(edu, reached ? MIGLAB_DMA_DONE : MIGLAB_DMA_FAILED);
	edu->phase = EDU_ENDING;
	edu->dma_due = ktime_get_ns() + DMA_NS;
	edu_set_clock(edu);
}

/*
 * In the context of the user, with no lock held. Who calls this has counted the thread in
 * @movers in the moment in which the device was let begin: an arc that forbids it waits.
 */
static int edu_transfer(struct edu *edu)
{
	u8 *bytes = kmalloc(MIGLAB_EDU_BUFFER, GFP_KERNEL_ACCOUNT);
	bool begun = bytes, reached = false;
	struct miglab_edu_move move;
	u32 resets;

	if (begun)
		begun = begin_moving(edu, &move, bytes, &resets);
	if (begun)
		reached = move_bytes(edu, &move, bytes);
	mutex_lock(&edu->lock);
	edu->movers--;
	if (begun && edu->resets == resets)
		end_moving(edu, &move, bytes, reached);
	mutex_unlock(&edu->lock);
	kfree(bytes);
	return bytes ? 0 : -ENOMEM;
}

/* Does a transfer slip past the hold, because a rule wants it? */
static bool slips(struct edu *edu)
{
	return edu->level == EDU_NO_DMA &&
	       miglab_rulebook_op(edu->m->book, MIGLAB_OP_DMA).faults & MIGLAB_FAULT_SLIP;
}

/*
 * The user gives a command while none is under way. What would leave the device's ranges is
 * dropped. Returns whether it may begin now: then edu_transfer() is due.
 */
static bool take_command(struct edu *edu, u64 cmd)
{
	struct miglab_edu_dma dma = edu->regs.dma;

	if (!(cmd & MIGLAB_EDU_RUN))
		return false;
	dma.cmd = cmd;
	if (miglab_edu_dma_check(&dma, DMA_MASK, &edu->move)) {
		edu_count(edu, MIGLAB_DMA_REFUSED);
		return false;
	}
	edu->regs.dma = dma;
	edu->phase = EDU_HELD;
	if (edu->level == EDU_RUNS || slips(edu)) {
		edu->movers++;
		return true;
	}
	edu_count(edu, MIGLAB_DMA_HELD);
	return false;
}

/* --- BAR 0 ----------------------------------------------------------------- */

/* Registers below 0x80 are 4 bytes wide; the others take 4 or 8. All else reads as ones. */
static u64 edu_read(struct edu *edu, u64 at, size_t size)
{
	const u64 *dma = size >= 4 ? miglab_edu_dma_reg(&edu->regs.dma, at) : NULL;

	if (dma)
		return *dma;
	if (size != 4)
		return U64_MAX;
	switch (at) {
	case MIGLAB_EDU_ID:
		return MIGLAB_EDU_ID_VALUE;
	case MIGLAB_EDU_LIVE:
		return edu->regs.live;
	case MIGLAB_EDU_FACT:
		return edu->regs.fact;
	case MIGLAB_EDU_STATUS:
		return edu->regs.status;
	case MIGLAB_EDU_IRQ_STATUS:
		return edu->regs.irq_status;
	default:
		return U64_MAX;
	}
}

static void begin_computing(struct edu *edu, u32 operand)
{
	if (is_computing(edu))
		return;
	edu->regs.fact = operand;
	edu->regs.status |= MIGLAB_EDU_COMPUTING;
	edu->fact_due = ktime_get_ns() + FACT_NS;
	edu_set_clock(edu);
}

static void write_register(struct edu *edu, u64 at, u32 value)
{
	switch (at) {
	case MIGLAB_EDU_LIVE:
		edu->regs.live = ~value;
		break;
	case MIGLAB_EDU_FACT:
		begin_computing(edu, value);
		break;
	case MIGLAB_EDU_STATUS:
		edu->regs.status &= ~MIGLAB_EDU_IRQ_FACT;
		edu->regs.status |= value & MIGLAB_EDU_IRQ_FACT;
		break;
	case MIGLAB_EDU_IRQ_RAISE:
		edu_raise(edu, value);
		break;
	case MIGLAB_EDU_IRQ_ACK:
		edu_acknowledge(edu, value);
		break;
	}
}

/* A device that transfers takes no writes to its DMA registers. Returns whether one begins. */
static bool edu_write(struct edu *edu, u64 at, size_t size, u64 value)
{
	u64 *dma = size >= 4 ? miglab_edu_dma_reg(&edu->regs.dma, at) : NULL;

	if (edu->level == EDU_STOPPED)
		return false;
	if (!dma) {
		if (size == 4)
			write_register(edu, at, value);
		return false;
	}
	if (edu->phase != EDU_IDLE)
		return false;
	if (at == MIGLAB_EDU_DMA_CMD)
		return take_command(edu, value);
	*dma = value;
	return false;
}

static int edu_access(void *data, unsigned int bar, u64 at, void *bytes, size_t len, bool write)
{
	struct edu *edu = to_edu(&((struct miglab_mdev *)data)->m);
	bool begins = false;
	__le64 wire = 0;

	if (write)
		memcpy(&wire, bytes, len);
	mutex_lock(&edu->lock);
	edu_catch_up(edu);
	if (write)
		begins = edu_write(edu, at, len, le64_to_cpu(wire));
	else
		wire = cpu_to_le64(edu_read(edu, at, len));
	mutex_unlock(&edu->lock);
	if (!write)
		memcpy(bytes, &wire, len);
	return begins ? edu_transfer(edu) : 0;
}

static void edu_reset_by_guest(void *data)
{
	miglab_mdev_reset(data);
}

static const struct miglab_bar_ops edu_bars = {
	.access = edu_access,
	.reset = edu_reset_by_guest,
};

/* --- states ---------------------------------------------------------------- */

/* Nothing new may begin; false if no less may be done than before. */
static bool edu_hold_back(struct edu *edu, enum edu_level wanted)
{
	bool less;

	mutex_lock(&edu->lock);
	less = wanted > edu->level;
	if (less)
		edu->level = EDU_NO_DMA;
	mutex_unlock(&edu->lock);
	return less;
}

/* Are no bytes on their way? Then a device that is to stop has stopped. */
static bool edu_quiesce(struct edu *edu, enum edu_level wanted)
{
	bool quiet;

	mutex_lock(&edu->lock);
	quiet = !edu->movers;
	if (quiet && wanted == EDU_STOPPED && edu->level != EDU_STOPPED)
		stop_clock(edu);
	mutex_unlock(&edu->lock);
	return quiet;
}

/* A user may let bytes wait for a page that nobody serves: then the arc fails. */
static int edu_prepare(struct miglab_device *m, u32 from, u32 to, u32 gen)
{
	ktime_t until = ktime_add_ms(ktime_get(), LIMIT_MS);
	enum edu_level wanted = level_of(to);
	struct edu *edu = to_edu(m);
	int ret = 0;

	if (!edu_hold_back(edu, wanted))
		return 0;
	while (!ret && !edu_quiesce(edu, wanted)) {
		if (ktime_after(ktime_get(), until))
			return -EBUSY;
		ret = miglab_pause(m, gen, 1000);
	}
	return ret;
}

static void edu_settle(struct miglab_device *m, u32 state)
{
	enum edu_level level = level_of(state);
	struct edu *edu = to_edu(m);
	bool begins;

	mutex_lock(&edu->lock);
	if (level < edu->level && edu->level == EDU_STOPPED)
		start_clock(edu, level);
	else if (level < edu->level)
		edu->level = level;
	begins = edu->level == EDU_RUNS && edu->phase == EDU_HELD;
	edu->movers += begins;
	mutex_unlock(&edu->lock);
	/* Without memory for it the command stays held, until the next arc. */
	if (begins)
		edu_transfer(edu);
}

static void edu_reset(struct miglab_device *m)
{
	struct edu *edu = to_edu(m);

	mutex_lock(&edu->lock);
	edu->resets++;
	edu->level = EDU_RUNS;
	edu->phase = EDU_IDLE;
	memset(&edu->regs, 0, sizeof(edu->regs));
	memset(edu->buffer, 0, sizeof(edu->buffer));
	memset(edu->recorded, 0, sizeof(edu->recorded));
	miglab_function_set_intx(edu->f, false);
	mutex_unlock(&edu->lock);
}

/* --- the image ------------------------------------------------------------- */

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

	mutex_lock(&edu->lock);
	edu_catch_up(edu);
	miglab_function_save(edu->f, edu->page);
	update_page(image, FUNCTION_PAGE, edu->page);
	miglab_edu_encode(&edu->regs, edu->page);
	update_page(image, REGS_PAGE, edu->page);
	update_page(image, BUFFER_PAGE, edu->recorded);
	mutex_unlock(&edu->lock);
	return 0;
}

static void edu_advance(struct miglab_device *m, struct miglab_image *image)
{
	if (image->tracked)
		edu_freeze(m, image);
}

static u64 edu_next_ns(struct miglab_image *image)
{
	return DMA_NS;
}

static int edu_check(const struct miglab_image *image)
{
	const u8 *page = image->content.bytes + REGS_PAGE * MIGLAB_PAGE;
	struct miglab_edu_regs regs;

	return miglab_edu_decode_running(page, DMA_MASK, DMA_NS, &regs);
}

/* Where the command is that a state has; its ranges are checked. */
static enum edu_phase phase_of(const struct miglab_edu_regs *regs)
{
	if (!(regs->dma.cmd & MIGLAB_EDU_RUN))
		return EDU_IDLE;
	return regs->dma_ns ? EDU_ENDING : EDU_HELD;
}

static int edu_load(struct edu *edu, const u8 *bytes)
{
	struct miglab_edu_regs regs;
	int ret;

	lockdep_assert_held(&edu->lock);
	/* A reset was faster: the device runs, and what was loaded is void. */
	if (edu->level != EDU_STOPPED)
		return -EIO;
	ret = miglab_function_check(edu->f, bytes + FUNCTION_PAGE * MIGLAB_PAGE) ?:
	      miglab_edu_decode_running(bytes + REGS_PAGE * MIGLAB_PAGE, DMA_MASK, DMA_NS, &regs);
	if (ret)
		return ret;
	edu->regs = regs;
	edu->phase = phase_of(&regs);
	if (edu->phase != EDU_IDLE)
		miglab_edu_dma_check(&regs.dma, DMA_MASK, &edu->move);
	memcpy(edu->buffer, bytes + BUFFER_PAGE * MIGLAB_PAGE, MIGLAB_EDU_BUFFER);
	memcpy(edu->recorded, edu->buffer, MIGLAB_EDU_BUFFER);
	miglab_function_load(edu->f, bytes + FUNCTION_PAGE * MIGLAB_PAGE);
	return 0;
}

static int edu_restore(struct miglab_device *m, struct miglab_image *image, u32 gen)
{
	struct edu *edu = to_edu(m);
	int ret;

	mutex_lock(&edu->lock);
	ret = edu_load(edu, image->content.bytes);
	mutex_unlock(&edu->lock);
	return ret;
}

/* --- the device ------------------------------------------------------------ */

static void edu_identify(struct miglab_mdev *mdev, struct miglab_function_id *ret_id)
{
	*ret_id = (struct miglab_function_id){
		.vendor = 0x1234,
		.device = 0x11e8,
		.subvendor = 0x1af4,
		.subdevice = 0x1100,
		.class = 0x00ff00,
		.revision = 0x10,
		.intx = true,
		.msi = 1,
		.msix = 1,
		.msix_bar = 4,
		.bar[0] = { BAR_BYTES, 0 },
		.bar[4] = { 4096, 0 },
	};
}

static u64 edu_state_bytes(const struct miglab_mdev *mdev)
{
	return STATE_BYTES;
}

static int edu_create(struct miglab_mdev *mdev)
{
	struct edu *edu = kvzalloc(sizeof(*edu), GFP_KERNEL_ACCOUNT);

	if (!edu)
		return -ENOMEM;
	edu->m = &mdev->m;
	edu->f = &mdev->f;
	mutex_init(&edu->lock);
	INIT_DELAYED_WORK(&edu->clock, edu_clock);
	mdev->m.model_data = edu;
	return 0;
}

static void edu_destroy(struct miglab_mdev *mdev)
{
	struct edu *edu = to_edu(&mdev->m);

	mutex_destroy(&edu->lock);
	kvfree(edu);
}

static void edu_open(struct miglab_mdev *mdev)
{
	edu_reset(&mdev->m);
}

static void edu_close(struct miglab_mdev *mdev)
{
	cancel_delayed_work_sync(&to_edu(&mdev->m)->clock);
}

static const struct miglab_model_ops edu_ops = {
	.name = "edu",
	.notice = "migrates registers, DMA and interrupts of a function that is software",
	.model = MIGLAB_MODEL_EDU,
	.advance = edu_advance,
	.next_ns = edu_next_ns,
	.freeze = edu_freeze,
	.check = edu_check,
	.restore = edu_restore,
	.prepare = edu_prepare,
	.settle = edu_settle,
	.reset = edu_reset,
};

const struct miglab_mdev_model miglab_mdev_edu = {
	.ops = &edu_ops,
	.bars = &edu_bars,
	.identify = edu_identify,
	.state_bytes = edu_state_bytes,
	.create = edu_create,
	.destroy = edu_destroy,
	.open = edu_open,
	.close = edu_close,
};
