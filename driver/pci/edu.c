// SPDX-License-Identifier: GPL-2.0-only
/* The model edu, see edu_parts.h: its BAR, its states and its images. */
#include <linux/bitmap.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/uaccess.h>

#include "edu_parts.h"
#include "memory.h"

#define BAR_BYTES	0x100000u

static unsigned int edu_limit_ms = 2000;
module_param(edu_limit_ms, uint, 0644);
MODULE_PARM_DESC(edu_limit_ms, "How long an arc waits for an edu device before it fails");

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

static u64 read_dma_reg(struct edu *edu, u64 at, size_t size)
{
	const u64 *dma = miglab_edu_dma_reg(&edu->regs.dma, at);

	edu_look(edu);
	return dma && size >= 4 ? *dma : U64_MAX;
}

static u64 edu_read(struct edu *edu, u64 at, size_t size)
{
	const u32 *reg = NULL;

	if (is_dma_reg(at))
		return read_dma_reg(edu, at, size);
	if (edu->level == LEVEL_NONE && size == 4)
		reg = stopped_reg(edu, at);
	else if (at == MIGLAB_EDU_STATUS && size == 4)
		return edu_status(edu);
	return reg ? *reg : read_function(edu, at, size);
}

/* To what is not a DMA register. */
static void write_other(struct edu *edu, u64 at, size_t size, u64 value)
{
	if (at == MIGLAB_EDU_FACT && size == 4)
		edu_give_work(edu, value);
	else if (at == MIGLAB_EDU_STATUS && size == 4)
		edu->regs.status = value & MIGLAB_EDU_IRQ_FACT;
	else
		write_function(edu, at, size, value);
}

/* A stopped device takes no writes; one that is busy none to its DMA registers. */
static void edu_write(struct edu *edu, u64 at, size_t size, u64 value)
{
	u64 *dma;

	if (edu->level == LEVEL_NONE)
		return;
	if (!is_dma_reg(at)) {
		write_other(edu, at, size, value);
		return;
	}
	edu_look(edu);
	dma = miglab_edu_dma_reg(&edu->regs.dma, at);
	if (!dma || size < 4 || edu->phase != PHASE_IDLE)
		return;
	if (at == MIGLAB_EDU_DMA_CMD)
		edu_give(edu, value);
	else
		*dma = value;
}

static int edu_access(struct edu *edu, u64 at, size_t size, u64 *value, bool write)
{
	int ret = -EIO;

	down_read(&to_pci(edu->m)->core.memory_lock);
	if (miglab_memory_accessible(&to_pci(edu->m)->core)) {
		mutex_lock(&edu->lock);
		if (write)
			edu_write(edu, at, size, *value);
		else
			*value = edu_read(edu, at, size);
		mutex_unlock(&edu->lock);
		ret = 0;
	}
	up_read(&to_pci(edu->m)->core.memory_lock);
	/* Who reads here that a transfer has ended finds its pages reported. */
	if (!ret && !write && (is_dma_reg(at) || at == MIGLAB_EDU_IRQ_STATUS))
		ret = wait_event_killable(edu->reported, !READ_ONCE(edu->unreported));
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

	edu_look(edu);
	edu_look_at_result(edu);
	rest = (edu->phase == PHASE_IDLE || edu->phase == PHASE_HELD) && !edu->unreported;
	if (wanted == LEVEL_NONE)
		rest = rest && !edu->computing;
	if (rest && wanted == LEVEL_NONE) {
		edu_read_regs(edu);
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
	if (!ret && wanted == LEVEL_NONE)
		ret = edu_fetch_buffer(edu, gen);
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
		edu_queue(&edu->work, 0);
	}
	edu_leave(edu, exposed);
}

/* All as after power-on. */
static void clear(struct edu *edu)
{
	edu_clear_regs(edu);
	memset(edu->shadow, 0, sizeof(edu->shadow));
	bitmap_zero(edu->valid, MIGLAB_EDU_BUFFER);
	edu->level = LEVEL_ALL;
	edu->phase = PHASE_IDLE;
	edu->irq_due = 0;
}

static void edu_reset(struct miglab_device *m)
{
	struct edu *edu = to_edu(m);
	bool exposed;

	mutex_lock(&edu->lock);
	exposed = miglab_memory_expose(to_pci(m)->core.pdev);
	edu->resets++;
	/* It may have reached memory, in part or whole. */
	if ((edu->phase == PHASE_FUNCTION || edu->phase == PHASE_SHADOW) && edu->move.to_ram) {
		edu->written = edu->move;
		edu->unreported = true;
		edu_queue(&edu->work, 0);
	}
	clear(edu);
	miglab_memory_unexpose(&to_pci(m)->core, exposed);
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
		edu_read_regs(edu);
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
	return EDU_DMA_MS * NSEC_PER_MSEC;
}

static int edu_check(const struct miglab_image *image)
{
	struct miglab_edu_regs regs;

	return miglab_edu_decode(image->content.bytes, edu_dma_mask(), &regs);
}

static int put_image(struct edu *edu, const struct miglab_image *image)
{
	bool exposed = edu_enter(edu);
	int ret;

	/* A reset was faster: the device runs, and what was loaded is void. */
	ret = edu->level == LEVEL_NONE ? 0 : -EIO;
	if (!ret)
		ret = miglab_edu_decode(image->content.bytes, edu_dma_mask(), &edu->regs);
	if (!ret && !edu_write_regs(edu))
		ret = -EBUSY;
	if (!ret) {
		edu->phase = PHASE_IDLE;
		if (edu->regs.dma.cmd & MIGLAB_EDU_RUN &&
		    !miglab_edu_dma_check(&edu->regs.dma, edu_dma_mask(), &edu->move))
			edu->phase = PHASE_HELD;
		edu->irq_due = edu->regs.irq_status;
		memcpy(edu->shadow, image->content.bytes + MIGLAB_PAGE, MIGLAB_EDU_BUFFER);
		bitmap_zero(edu->valid, MIGLAB_EDU_BUFFER);
	}
	edu_leave(edu, exposed);
	return ret;
}

static int edu_restore(struct miglab_device *m, struct miglab_image *image, u32 gen)
{
	struct edu *edu = to_edu(m);

	return put_image(edu, image) ?: edu_load_buffer(edu, gen);
}

/* --- the device --------------------------------------------------------------------- */

static int edu_fits(struct pci_dev *pdev, const struct miglab_pci_choice *choice,
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

static u64 edu_state_bytes(struct miglab_device *m, const struct miglab_pci_choice *choice)
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

static int edu_open(struct miglab_device *m, const struct miglab_pci_choice *choice)
{
	struct edu *edu;

	edu = kvzalloc(sizeof(*edu), GFP_KERNEL_ACCOUNT);
	if (!edu)
		return -ENOMEM;
	edu->bar = pci_iomap(to_pci(m)->core.pdev, 0, 0);
	if (!edu->bar) {
		kvfree(edu);
		return -ENOMEM;
	}
	/* Its user might put it to sleep, but transfers go on. */
	pm_runtime_get_noresume(&to_pci(m)->core.pdev->dev);
	edu->m = m;
	mutex_init(&edu->lock);
	init_waitqueue_head(&edu->reported);
	INIT_DELAYED_WORK(&edu->work, edu_work);
	INIT_DELAYED_WORK(&edu->compute, edu_compute_work);
	begin_anew(edu);
	m->model_data = edu;
	to_pci(m)->bars = BIT(0);
	return 0;
}

static void edu_close(struct miglab_device *m)
{
	struct edu *edu = to_edu(m);

	cancel_delayed_work_sync(&edu->work);
	cancel_delayed_work_sync(&edu->compute);
	pm_runtime_put(&to_pci(m)->core.pdev->dev);
	pci_iounmap(to_pci(m)->core.pdev, edu->bar);
	mutex_destroy(&edu->lock);
	kvfree(edu);
}

static const struct miglab_model_ops edu_ops = {
	.name = "edu",
	.notice = "migrates the registers and the DMA buffer of QEMU's edu device",
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

const struct miglab_pci_model miglab_pci_edu = {
	.ops = &edu_ops,
	.reports_dma = true,
	.fits = edu_fits,
	.state_bytes = edu_state_bytes,
	.open = edu_open,
	.close = edu_close,
	.rw = edu_rw,
};
