// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cleanup.h>
#include <linux/eventfd.h>
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "irq.h"

#define NOTHING_SET_UP	VFIO_PCI_NUM_IRQS

#define ENTRY_WORDS	(MIGLAB_MSIX_ENTRY / sizeof(__le32))
#define TABLE_BYTES	(MIGLAB_MSIX_MAX * MIGLAB_MSIX_ENTRY)
#define ENTRY_CONTROL	3	/* the word of an entry that masks it */

static_assert(TABLE_BYTES <= MIGLAB_MSIX_PBA);
static_assert(MIGLAB_MSIX_MAX == 64, "the pending bits are one register");
static_assert(MIGLAB_MSI_MAX <= MIGLAB_MSIX_MAX);

/* --- signals ------------------------------------------------------------------------- */

static bool entry_is_masked(const struct miglab_irq *irq, unsigned int vector)
{
	__le32 control = irq->table[vector * ENTRY_WORDS + ENTRY_CONTROL];

	return le32_to_cpu(control) & PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

/* Could the message be sent now? */
static bool can_send(const struct miglab_irq *irq, unsigned int vector)
{
	if (irq->frozen || !irq->trigger[vector])
		return false;
	if (irq->index == VFIO_PCI_MSI_IRQ_INDEX)
		return miglab_config_space_msi(irq->config);
	return irq->index == VFIO_PCI_MSIX_IRQ_INDEX && miglab_config_space_msix(irq->config) &&
	       !miglab_config_space_msix_masked(irq->config) && !entry_is_masked(irq, vector);
}

static void send_pending(struct miglab_irq *irq)
{
	unsigned int vector;

	for_each_set_bit(vector, irq->pending, MIGLAB_MSIX_MAX) {
		if (!can_send(irq, vector))
			continue;
		__clear_bit(vector, irq->pending);
		eventfd_signal(irq->trigger[vector]);
	}
}

/* The line is level triggered: it is signalled again after each unmasking while it is up. */
static void signal_intx(struct miglab_irq *irq)
{
	if (irq->index != VFIO_PCI_INTX_IRQ_INDEX || irq->frozen || irq->masked || !irq->level)
		return;
	if (!irq->trigger[0] || !miglab_config_space_intx(irq->config))
		return;
	irq->masked = true;
	eventfd_signal(irq->trigger[0]);
}

void miglab_irq_update(struct miglab_irq *irq)
{
	lockdep_assert_held(&irq->lock);
	signal_intx(irq);
	send_pending(irq);
}

void miglab_irq_freeze(struct miglab_irq *irq, bool frozen)
{
	guard(mutex)(&irq->lock);
	irq->frozen = frozen;
	miglab_irq_update(irq);
}

void miglab_irq_set_intx(struct miglab_irq *irq, bool level)
{
	guard(mutex)(&irq->lock);
	irq->level = level && irq->id->intx;
	miglab_config_space_set_pending(irq->config, irq->level);
	miglab_irq_update(irq);
}

/*
 * MSI-X has a bit for each message that waits. MSI without masks has none: what the function may
 * not send is lost, unless the device is only stopped.
 */
void miglab_irq_send(struct miglab_irq *irq, unsigned int vector)
{
	guard(mutex)(&irq->lock);
	if (miglab_config_space_msix(irq->config) && vector < irq->id->msix)
		__set_bit(vector, irq->pending);
	else if (miglab_config_space_msi(irq->config) && vector < irq->id->msi &&
		 (irq->frozen || can_send(irq, vector)))
		__set_bit(vector, irq->pending);
	miglab_irq_update(irq);
}

bool miglab_irq_request(struct miglab_irq *irq)
{
	guard(mutex)(&irq->lock);
	if (irq->request)
		eventfd_signal(irq->request);
	return irq->request;
}

/* --- set up and down ------------------------------------------------------------------ */

static void put_all(struct eventfd_ctx **ctx, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (ctx[i])
			eventfd_ctx_put(ctx[i]);
}

/* All entries are masked after power-on and after a reset, as PCI has it. */
static void mask_entries(struct miglab_irq *irq)
{
	unsigned int vector;

	for (vector = 0; vector < irq->id->msix; vector++)
		if (irq->index != VFIO_PCI_MSIX_IRQ_INDEX || !irq->trigger[vector])
			irq->table[vector * ENTRY_WORDS + ENTRY_CONTROL] |=
				cpu_to_le32(PCI_MSIX_ENTRY_CTRL_MASKBIT);
}

static void set_enabled(struct miglab_irq *irq, bool on)
{
	if (irq->index == VFIO_PCI_MSI_IRQ_INDEX)
		miglab_config_space_enable_msi(irq->config, on);
	else if (irq->index == VFIO_PCI_MSIX_IRQ_INDEX)
		miglab_config_space_enable_msix(irq->config, on);
}

/* Takes out all triggers; who calls this puts them when he has dropped the lock. */
static void take_triggers(struct miglab_irq *irq, struct eventfd_ctx **ret_ctx)
{
	lockdep_assert_held(&irq->lock);
	memcpy(ret_ctx, irq->trigger, sizeof(irq->trigger));
	memset(irq->trigger, 0, sizeof(irq->trigger));
	set_enabled(irq, false);
	mask_entries(irq);
	irq->index = NOTHING_SET_UP;
	irq->masked = false;
	bitmap_zero(irq->pending, MIGLAB_MSIX_MAX);
}

static void set_down(struct miglab_irq *irq)
{
	struct eventfd_ctx *old[MIGLAB_MSIX_MAX];

	lockdep_assert_held(&irq->setup_lock);
	vfio_virqfd_disable(&irq->unmask);
	mutex_lock(&irq->lock);
	take_triggers(irq, old);
	mutex_unlock(&irq->lock);
	put_all(old, ARRAY_SIZE(old));
}

void miglab_irq_init(struct miglab_irq *irq, const struct miglab_function_id *id,
		     struct miglab_config_space *config)
{
	memset(irq, 0, sizeof(*irq));
	irq->id = id;
	irq->config = config;
	irq->index = NOTHING_SET_UP;
	mutex_init(&irq->setup_lock);
	mutex_init(&irq->lock);
	mask_entries(irq);
}

void miglab_irq_destroy(struct miglab_irq *irq)
{
	mutex_destroy(&irq->lock);
	mutex_destroy(&irq->setup_lock);
}

void miglab_irq_open(struct miglab_irq *irq)
{
	guard(mutex)(&irq->lock);
	irq->frozen = false;
	irq->level = false;
	irq->masked = false;
	bitmap_zero(irq->pending, MIGLAB_MSIX_MAX);
	memset(irq->table, 0, sizeof(irq->table));
	mask_entries(irq);
}

void miglab_irq_close(struct miglab_irq *irq)
{
	struct eventfd_ctx *single[2];

	guard(mutex)(&irq->setup_lock);
	set_down(irq);
	mutex_lock(&irq->lock);
	single[0] = irq->error;
	single[1] = irq->request;
	irq->error = NULL;
	irq->request = NULL;
	mutex_unlock(&irq->lock);
	put_all(single, ARRAY_SIZE(single));
}

void miglab_irq_reset(struct miglab_irq *irq)
{
	lockdep_assert_held(&irq->lock);
	irq->frozen = false;
	irq->level = false;
	bitmap_zero(irq->pending, MIGLAB_MSIX_MAX);
	mask_entries(irq);
}

unsigned int miglab_irq_count(const struct miglab_irq *irq, unsigned int index)
{
	switch (index) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		return irq->id->intx;
	case VFIO_PCI_MSI_IRQ_INDEX:
		return irq->id->msi;
	case VFIO_PCI_MSIX_IRQ_INDEX:
		return irq->id->msix;
	case VFIO_PCI_ERR_IRQ_INDEX:
	case VFIO_PCI_REQ_IRQ_INDEX:
		return 1;
	default:
		return 0;
	}
}

/* --- VFIO_DEVICE_SET_IRQS ---------------------------------------------------------------- */

/* One call of the ioctl, with its data in the kernel's memory. */
struct irq_set {
	u32 flags, index, start, count;
	const void *data;		/* NULL for DATA_NONE, else @count of them */
};

/* Is interrupt number @i of the call meant? By DATA_NONE all are. */
static bool is_meant(const struct irq_set *set, u32 i)
{
	return set->flags & VFIO_IRQ_SET_DATA_NONE || ((const u8 *)set->data)[i];
}

static bool is_eventfds(const struct irq_set *set)
{
	return set->flags & VFIO_IRQ_SET_DATA_EVENTFD;
}

/* The eventfd of @fd; NULL for -1, which takes one away. */
static struct eventfd_ctx *eventfd_of(s32 fd)
{
	if (fd >= 0)
		return eventfd_ctx_fdget(fd);
	return fd == -1 ? NULL : ERR_PTR(-EBADF);
}

static int get_all(const struct irq_set *set, struct eventfd_ctx **ret_ctx)
{
	const s32 *fds = set->data;
	u32 i;

	for (i = 0; i < set->count; i++) {
		struct eventfd_ctx *ctx = eventfd_of(fds[i]);

		if (IS_ERR(ctx)) {
			put_all(ret_ctx, i);
			return PTR_ERR(ctx);
		}
		ret_ctx[i] = ctx;
	}
	return 0;
}

/* Gives the interrupts of the call their triggers, and has the old ones in @ctx. */
static void swap_triggers(struct miglab_irq *irq, const struct irq_set *set,
			  struct eventfd_ctx **ctx)
{
	unsigned int vector;
	u32 i;

	guard(mutex)(&irq->lock);
	if (irq->index == NOTHING_SET_UP) {
		irq->index = set->index;
		irq->vectors = set->start + set->count;
		set_enabled(irq, true);
	}
	for (i = 0; i < set->count; i++) {
		vector = set->start + i;
		swap(irq->trigger[vector], ctx[i]);
		if (set->index == VFIO_PCI_MSIX_IRQ_INDEX && irq->trigger[vector])
			irq->table[vector * ENTRY_WORDS + ENTRY_CONTROL] &=
				~cpu_to_le32(PCI_MSIX_ENTRY_CTRL_MASKBIT);
	}
	miglab_irq_update(irq);
}

/* MSI has as many vectors as were set up at first; INTx has one; MSI-X may get more. */
static bool range_ok(const struct miglab_irq *irq, const struct irq_set *set)
{
	if (!set->count)
		return false;
	return set->index != VFIO_PCI_MSI_IRQ_INDEX || irq->index == NOTHING_SET_UP ||
	       set->start + set->count <= irq->vectors;
}

static int set_eventfds(struct miglab_irq *irq, const struct irq_set *set)
{
	struct eventfd_ctx *ctx[MIGLAB_MSIX_MAX] = { };
	int ret;

	lockdep_assert_held(&irq->setup_lock);
	if (!range_ok(irq, set))
		return -EINVAL;
	ret = get_all(set, ctx);
	if (ret)
		return ret;
	swap_triggers(irq, set, ctx);
	put_all(ctx, set->count);
	return 0;
}

/* The user has it signalled, whatever the function does: to test his handler. */
static void signal_by_hand(struct miglab_irq *irq, const struct irq_set *set)
{
	u32 i;

	guard(mutex)(&irq->lock);
	for (i = 0; i < set->count; i++)
		if (irq->trigger[set->start + i] && is_meant(set, i))
			eventfd_signal(irq->trigger[set->start + i]);
}

static int set_trigger(struct miglab_irq *irq, const struct irq_set *set)
{
	bool active = irq->index == set->index;

	if (active && !set->count && set->flags & VFIO_IRQ_SET_DATA_NONE) {
		set_down(irq);
		return 0;
	}
	if (!active && irq->index != NOTHING_SET_UP)
		return -EINVAL;
	if (is_eventfds(set))
		return set_eventfds(irq, set);
	if (!active)
		return -EINVAL;
	signal_by_hand(irq, set);
	return 0;
}

static void set_masked(struct miglab_irq *irq, bool masked)
{
	guard(mutex)(&irq->lock);
	irq->masked = masked;
	miglab_irq_update(irq);
}

/* The thread of @unmask: the eventfd by which the user unmasks was signalled. */
static void unmask_by_eventfd(void *opaque, void *unused)
{
	set_masked(opaque, false);
}

static int set_unmask_eventfd(struct miglab_irq *irq, s32 fd)
{
	if (fd < 0) {
		vfio_virqfd_disable(&irq->unmask);
		return 0;
	}
	/* No handler: its context may not sleep, and an eventfd may not be signalled in it. */
	return vfio_virqfd_enable(irq, NULL, unmask_by_eventfd, NULL, &irq->unmask, fd);
}

static int set_mask(struct miglab_irq *irq, const struct irq_set *set, bool masked)
{
	if (irq->index != VFIO_PCI_INTX_IRQ_INDEX || set->count != 1)
		return -EINVAL;
	if (!is_eventfds(set)) {
		if (is_meant(set, 0))
			set_masked(irq, masked);
		return 0;
	}
	/* Nobody has a use for an eventfd that masks, and vfio-pci has none. */
	return masked ? -ENOTTY : set_unmask_eventfd(irq, *(const s32 *)set->data);
}

static int set_single_eventfd(struct miglab_irq *irq, struct eventfd_ctx **at, s32 fd)
{
	struct eventfd_ctx *ctx = eventfd_of(fd);

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	mutex_lock(&irq->lock);
	swap(*at, ctx);
	mutex_unlock(&irq->lock);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

/* Errors and requests, of which there is one each; DATA_NONE without a count takes it away. */
static int set_single(struct miglab_irq *irq, struct eventfd_ctx **at, const struct irq_set *set)
{
	if (!set->count && set->flags & VFIO_IRQ_SET_DATA_NONE)
		return *at ? set_single_eventfd(irq, at, -1) : -EINVAL;
	if (set->count != 1)
		return -EINVAL;
	if (is_eventfds(set))
		return set_single_eventfd(irq, at, *(const s32 *)set->data);
	guard(mutex)(&irq->lock);
	if (!*at)
		return -EINVAL;
	if (is_meant(set, 0))
		eventfd_signal(*at);
	return 0;
}

static int set_irqs(struct miglab_irq *irq, const struct irq_set *set)
{
	u32 action = set->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;

	if (action == VFIO_IRQ_SET_ACTION_TRIGGER) {
		if (set->index == VFIO_PCI_ERR_IRQ_INDEX)
			return set_single(irq, &irq->error, set);
		if (set->index == VFIO_PCI_REQ_IRQ_INDEX)
			return set_single(irq, &irq->request, set);
		return set_trigger(irq, set);
	}
	if (set->index != VFIO_PCI_INTX_IRQ_INDEX)
		return -ENOTTY;
	if (action == VFIO_IRQ_SET_ACTION_MASK)
		return set_mask(irq, set, true);
	return action == VFIO_IRQ_SET_ACTION_UNMASK ? set_mask(irq, set, false) : -ENOTTY;
}

long miglab_irq_set(struct miglab_irq *irq, void __user *arg)
{
	unsigned long min = offsetofend(struct vfio_irq_set, count);
	struct vfio_irq_set user;
	struct irq_set set;
	void *data = NULL;
	size_t bytes;
	int ret;

	if (copy_from_user(&user, arg, min))
		return -EFAULT;
	ret = vfio_set_irqs_validate_and_prepare(&user, miglab_irq_count(irq, user.index),
						 VFIO_PCI_NUM_IRQS, &bytes);
	if (ret)
		return ret;
	if (bytes)
		data = memdup_user(arg + min, bytes);
	if (IS_ERR(data))
		return PTR_ERR(data);
	set = (struct irq_set){ user.flags, user.index, user.start, user.count, data };
	mutex_lock(&irq->setup_lock);
	ret = set_irqs(irq, &set);
	mutex_unlock(&irq->setup_lock);
	kfree(data);
	return ret;
}

long miglab_irq_get_info(struct miglab_irq *irq, void __user *arg)
{
	unsigned long min = offsetofend(struct vfio_irq_info, count);
	struct vfio_irq_info info;

	if (copy_from_user(&info, arg, min))
		return -EFAULT;
	if (info.argsz < min || info.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	info.flags = VFIO_IRQ_INFO_EVENTFD;
	info.count = miglab_irq_count(irq, info.index);
	if (info.index == VFIO_PCI_INTX_IRQ_INDEX)
		info.flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
	else if (info.index != VFIO_PCI_MSIX_IRQ_INDEX)
		info.flags |= VFIO_IRQ_INFO_NORESIZE;
	return copy_to_user(arg, &info, min) ? -EFAULT : 0;
}

/* --- the BAR of MSI-X -------------------------------------------------------------------- */

static u32 table_bytes(const struct miglab_irq *irq)
{
	return irq->id->msix * MIGLAB_MSIX_ENTRY;
}

static __le64 pending_wire(const struct miglab_irq *irq)
{
	u64 bits;

	bitmap_to_arr64(&bits, irq->pending, MIGLAB_MSIX_MAX);
	return cpu_to_le64(bits);
}

void miglab_irq_read_bar(const struct miglab_irq *irq, u32 offset, u8 *buf, u32 len)
{
	bool is_msix = irq->index == VFIO_PCI_MSIX_IRQ_INDEX;
	__le64 pending = is_msix ? pending_wire(irq) : 0;
	u32 i, at;

	lockdep_assert_held(&irq->lock);
	for (i = 0; i < len; i++) {
		at = offset + i;
		if (at < table_bytes(irq))
			buf[i] = ((const u8 *)irq->table)[at];
		else if (at >= MIGLAB_MSIX_PBA && at < MIGLAB_MSIX_PBA + sizeof(pending))
			buf[i] = ((const u8 *)&pending)[at - MIGLAB_MSIX_PBA];
		else
			buf[i] = 0;
	}
}

/* An address is one of whole words, and the word that masks has no other bit. */
static u8 table_writable(u32 at)
{
	switch (at % MIGLAB_MSIX_ENTRY) {
	case 0:
		return 0xfc;
	case 12:
		return PCI_MSIX_ENTRY_CTRL_MASKBIT;
	case 13 ... 15:
		return 0;
	default:
		return 0xff;
	}
}

void miglab_irq_write_bar(struct miglab_irq *irq, u32 offset, const u8 *buf, u32 len)
{
	u8 *table = (u8 *)irq->table, mask;
	u32 i;

	lockdep_assert_held(&irq->lock);
	for (i = 0; i < len && offset + i < table_bytes(irq); i++) {
		mask = table_writable(offset + i);
		table[offset + i] = (table[offset + i] & ~mask) | (buf[i] & mask);
	}
}

/* --- migration ---------------------------------------------------------------------------- */

/* Behind the table. */
struct irq_page {
	__le64 pending;
	__le32 level, unused;
};

static_assert(TABLE_BYTES + sizeof(struct irq_page) == MIGLAB_IRQ_STATE_BYTES);

void miglab_irq_save(const struct miglab_irq *irq, u8 *buf)
{
	struct irq_page page = {
		.pending = pending_wire(irq),
		.level = cpu_to_le32(irq->level),
	};

	lockdep_assert_held(&irq->lock);
	memcpy(buf, irq->table, TABLE_BYTES);
	memcpy(buf + TABLE_BYTES, &page, sizeof(page));
}

int miglab_irq_check(const struct miglab_irq *irq, const u8 *buf)
{
	unsigned int vectors = max(irq->id->msix, irq->id->msi);
	struct irq_page page;
	u32 at;

	for (at = 0; at < TABLE_BYTES; at++)
		if (buf[at] & ~(at < table_bytes(irq) ? table_writable(at) : 0))
			return -EINVAL;
	memcpy(&page, buf + TABLE_BYTES, sizeof(page));
	if (le32_to_cpu(page.level) > irq->id->intx || page.unused)
		return -EINVAL;
	return vectors < 64 && le64_to_cpu(page.pending) >> vectors ? -EINVAL : 0;
}

void miglab_irq_load(struct miglab_irq *irq, const u8 *buf)
{
	struct irq_page page;
	u64 bits;

	lockdep_assert_held(&irq->lock);
	memcpy(irq->table, buf, TABLE_BYTES);
	memcpy(&page, buf + TABLE_BYTES, sizeof(page));
	bits = le64_to_cpu(page.pending);
	bitmap_from_arr64(irq->pending, &bits, MIGLAB_MSIX_MAX);
	irq->level = le32_to_cpu(page.level);
	miglab_config_space_set_pending(irq->config, irq->level);
	miglab_irq_update(irq);
}
