// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulated function edu: its registers, memory and interrupts, and what of it moves. Functions
 * 0 and 1 are two of them, by their UUIDs, on a host that may have no IOMMU.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "base/clock.h"
#include "core/fsm.h"
#include "edu.h"
#include "silent.h"

#define BUFFER		MIGLAB_EDU_BUFFER_AT
#define MSIX_BAR	VFIO_PCI_BAR4_REGION_INDEX
#define MSIX_CONTROL	12	/* of the first entry of the table */
#define MSIX_PBA	0x800
#define QUIET_MS	400	/* four times what a transfer takes */

static struct edu src, dst;

static void open_both(void)
{
	memset(ram, 0, RAM_BYTES);
	open_edu(&src, 0);
	open_edu(&dst, 1);
}

static int close_both(void **state)
{
	close(src.event);
	close(dst.event);
	return close_functions(state);
}

/* How often it has interrupted since it was asked last. */
static uint64_t events_of(struct edu *e)
{
	uint64_t count = 0;

	if (read(e->event, &count, sizeof(count)) < 0)
		assert_int_equal(errno, EAGAIN);
	return count;
}

static bool interrupts_within(struct edu *e, int ms)
{
	struct pollfd pfd = { .fd = e->event, .events = POLLIN };

	return poll(&pfd, 1, ms) == 1;
}

static int set_irqs(struct edu *e, uint32_t flags, uint32_t index, uint32_t count, int fd)
{
	union {
		struct vfio_irq_set set;
		char bytes[sizeof(struct vfio_irq_set) + sizeof(int)];
	} arg = { .set = {
		.argsz = sizeof(arg.bytes), .flags = flags, .index = index, .count = count,
	} };

	memcpy(arg.set.data, &fd, sizeof(fd));
	return ioctl(e->fd, VFIO_DEVICE_SET_IRQS, &arg) ? -errno : 0;
}

static void unmask(struct edu *e)
{
	assert_int_equal(set_irqs(e, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK,
				  VFIO_PCI_INTX_IRQ_INDEX, 1, 0), 0);
}

static void set_down(struct edu *e, uint32_t index)
{
	assert_int_equal(set_irqs(e, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, index,
				  0, 0), 0);
}

/* --- memory ------------------------------------------------------------------------------ */

static void registers_are_those_of_edu(void **state)
{
	uint64_t word = 0;

	(void)state;
	open_both();
	assert_int_equal(get(&src, MIGLAB_EDU_ID, 4), MIGLAB_EDU_ID_VALUE);
	put(&src, MIGLAB_EDU_LIVE, 0x12345678, 4);
	assert_int_equal(get(&src, MIGLAB_EDU_LIVE, 4), 0xedcba987);
	put(&src, MIGLAB_EDU_FACT, 7, 4);
	wait_clear(&src, MIGLAB_EDU_STATUS, 4, MIGLAB_EDU_COMPUTING);
	assert_int_equal(get(&src, MIGLAB_EDU_FACT, 4), 5040);
	assert_int_equal(get(&src, MIGLAB_EDU_LIVE, 2), 0xffff);
	assert_int_equal(get(&src, 0x70, 4), 0xffffffff);
	set_edu_command(&src, 0);
	assert_int_equal(pread(src.fd, &word, 4, (off_t)src.bar), -1);
	assert_int_equal(errno, EIO);
	set_edu_command(&src, PCI_COMMAND_MEMORY);
	assert_int_equal(get(&src, MIGLAB_EDU_FACT, 4), 5040);
}

static void bytes_go_to_the_buffer_and_come_back(void **state)
{
	(void)state;
	open_both();
	fill_ram(SOURCE, 4096, 1);
	transfer(&src, RAM_IOVA + SOURCE, 0, 4096, 0);
	transfer(&src, RAM_IOVA + TARGET, 0, 4096, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + SOURCE, ram + TARGET, 4096);
	/* From the end of a page into the next. */
	transfer(&src, RAM_IOVA + OTHER + 4000, 16, 200, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + SOURCE + 16, ram + OTHER + 4000, 200);
	assert_int_equal(since_open(&src, DMA_DONE), 3);
	assert_int_equal(since_open(&src, DMA_FAILED), 0);
}

/* Without bus mastering, and where nothing is mapped, it ends and brings zeroes. */
static void what_is_not_reached_is_zeroes(void **state)
{
	static const unsigned char zeroes[64];

	(void)state;
	open_both();
	fill_ram(SOURCE, 4096, 2);
	fill_ram(TARGET, 4096, 3);
	transfer(&src, RAM_IOVA + SOURCE, 0, 64, 0);
	transfer(&src, RAM_IOVA + RAM_BYTES, 0, 64, 0);
	transfer(&src, RAM_IOVA + TARGET, 0, 64, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + TARGET, zeroes, 64);
	set_edu_command(&src, PCI_COMMAND_MEMORY);
	fill_ram(TARGET, 4096, 3);
	fill_ram(OTHER, 4096, 3);
	transfer(&src, RAM_IOVA + TARGET, 0, 64, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + TARGET, ram + OTHER, 4096);
	assert_int_equal(since_open(&src, DMA_FAILED), 2);
}

static void out_of_range_is_dropped(void **state)
{
	(void)state;
	open_both();
	give(&src, RAM_IOVA, 1, 4096, 0);
	assert_int_equal(get(&src, MIGLAB_EDU_DMA_CMD, 8) & MIGLAB_EDU_RUN, 0);
	give(&src, MIGLAB_EDU_REACH - 8, 0, 16, MIGLAB_EDU_TO_RAM);
	assert_int_equal(get(&src, MIGLAB_EDU_DMA_CMD, 8) & MIGLAB_EDU_RUN, 0);
	assert_int_equal(since_open(&src, DMA_REFUSED), 2);
}

static void dirty_control(uint32_t flag)
{
	struct vfio_iommu_type1_dirty_bitmap arg = { .argsz = sizeof(arg), .flags = flag };

	assert_int_equal(ioctl(src.container, VFIO_IOMMU_DIRTY_PAGES, &arg), 0);
}

/* A bit for each page of the memory. */
static uint64_t dirty_pages(void)
{
	uint64_t bits = 0;
	union {
		struct vfio_iommu_type1_dirty_bitmap arg;
		char bytes[sizeof(struct vfio_iommu_type1_dirty_bitmap) +
			   sizeof(struct vfio_iommu_type1_dirty_bitmap_get)];
	} u = { .arg = {
		.argsz = sizeof(u.bytes), .flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
	} };
	struct vfio_iommu_type1_dirty_bitmap_get range = {
		.iova = RAM_IOVA, .size = RAM_BYTES,
		.bitmap = { .pgsize = 4096, .size = sizeof(bits), .data = (void *)&bits },
	};

	memcpy(u.arg.data, &range, sizeof(range));
	assert_int_equal(ioctl(src.container, VFIO_IOMMU_DIRTY_PAGES, &u), 0);
	return bits;
}

/* From the first page on: what the device reads, and what others write, is not in it. */
static void dirty_pages_are_exact(void **state)
{
	(void)state;
	open_both();
	dirty_control(VFIO_IOMMU_DIRTY_PAGES_FLAG_START);
	assert_int_equal(dirty_pages(), 0);
	transfer(&src, RAM_IOVA + SOURCE, 0, 4096, 0);
	fill_ram(OTHER, 4096, 4);
	assert_int_equal(dirty_pages(), 0);
	transfer(&src, RAM_IOVA + 5 * 4096 + 8, 0, 8, MIGLAB_EDU_TO_RAM);
	assert_int_equal(dirty_pages(), 1 << 5);
	transfer(&src, RAM_IOVA + 8 * 4096 - 8, 0, 16, MIGLAB_EDU_TO_RAM);
	assert_int_equal(dirty_pages(), 1 << 7 | 1 << 8);
	assert_int_equal(dirty_pages(), 0);
	dirty_control(VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP);
}

/* --- what moves ---------------------------------------------------------------------------- */

static void registers_and_buffer_move(void **state)
{
	(void)state;
	open_both();
	fill_ram(SOURCE, 4096, 5);
	transfer(&src, RAM_IOVA + SOURCE, 0, 4096, 0);
	put(&src, MIGLAB_EDU_LIVE, 77, 4);
	put(&src, MIGLAB_EDU_STATUS, MIGLAB_EDU_IRQ_FACT, 4);
	put(&src, MIGLAB_EDU_IRQ_RAISE, 0x300, 4);
	move_state(src.dev, dst.dev);
	assert_int_equal(get(&dst, MIGLAB_EDU_LIVE, 4), ~77u);
	assert_int_equal(get(&dst, MIGLAB_EDU_STATUS, 4), MIGLAB_EDU_IRQ_FACT);
	assert_int_equal(get(&dst, MIGLAB_EDU_IRQ_STATUS, 4), 0x300);
	assert_int_equal(get(&dst, MIGLAB_EDU_DMA_COUNT, 8), 4096);
	transfer(&dst, RAM_IOVA + TARGET, 0, 4096, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + SOURCE, ram + TARGET, 4096);
}

/* Config space does too: what the destination's user has set up is that of the source's. */
static void config_space_moves(void **state)
{
	uint16_t command = 0;

	(void)state;
	open_both();
	set_edu_command(&src, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
	move_state(src.dev, dst.dev);
	assert_int_equal(pread(dst.fd, &command, 2, (off_t)dst.config + PCI_COMMAND), 2);
	assert_int_equal(command, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
}

/* To stop is not to wait for it: it goes on, on the other side, and ends there, once. */
static void a_transfer_in_flight_moves(void **state)
{
	(void)state;
	open_both();
	wire_interrupts(src.fd, VFIO_PCI_MSI_IRQ_INDEX, &src.event, 1);
	wire_interrupts(dst.fd, VFIO_PCI_MSI_IRQ_INDEX, &dst.event, 1);
	fill_ram(SOURCE, 64, 6);
	give(&src, RAM_IOVA + SOURCE, 0, 64, MIGLAB_EDU_DMA_IRQ);
	go(src.dev, MIGLAB_STOP);
	assert_true(get(&src, MIGLAB_EDU_DMA_CMD, 8) & MIGLAB_EDU_RUN);
	move_state(src.dev, dst.dev);
	wait_clear(&dst, MIGLAB_EDU_DMA_CMD, 8, MIGLAB_EDU_RUN);
	assert_true(interrupts_within(&dst, PATIENCE_MS));
	assert_int_equal(events_of(&dst), 1);
	assert_int_equal(get(&dst, MIGLAB_EDU_IRQ_STATUS, 4), MIGLAB_EDU_IRQ_DMA);
	/* The source is stopped, and stays as it was. */
	assert_false(interrupts_within(&src, QUIET_MS));
	assert_true(get(&src, MIGLAB_EDU_DMA_CMD, 8) & MIGLAB_EDU_RUN);
	transfer(&dst, RAM_IOVA + TARGET, 0, 64, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + SOURCE, ram + TARGET, 64);
}

static void a_computation_moves(void **state)
{
	(void)state;
	open_both();
	put(&src, MIGLAB_EDU_FACT, 10, 4);
	go(src.dev, MIGLAB_STOP);
	move_state(src.dev, dst.dev);
	wait_clear(&dst, MIGLAB_EDU_STATUS, 4, MIGLAB_EDU_COMPUTING);
	assert_int_equal(get(&dst, MIGLAB_EDU_FACT, 4), 3628800);
}

static void a_command_in_p2p_is_held_and_moves(void **state)
{
	(void)state;
	open_both();
	fill_ram(TARGET, 64, 7);
	fill_ram(OTHER, 64, 7);
	go(src.dev, MIGLAB_RUNNING_P2P);
	give(&src, RAM_IOVA + TARGET, 0, 64, MIGLAB_EDU_TO_RAM);
	poll(NULL, 0, QUIET_MS);
	assert_true(get(&src, MIGLAB_EDU_DMA_CMD, 8) & MIGLAB_EDU_RUN);
	assert_memory_equal(ram + TARGET, ram + OTHER, 64);
	assert_int_equal(since_open(&src, DMA_HELD), 1);
	go(src.dev, MIGLAB_STOP);
	move_state(src.dev, dst.dev);
	wait_clear(&dst, MIGLAB_EDU_DMA_CMD, 8, MIGLAB_EDU_RUN);
	memset(ram + OTHER, 0, 64);
	assert_memory_equal(ram + TARGET, ram + OTHER, 64);
}

/* Its registers are as they were, and it takes no writes. */
static void a_stopped_device_is_frozen(void **state)
{
	(void)state;
	open_both();
	put(&src, MIGLAB_EDU_LIVE, 1, 4);
	go(src.dev, MIGLAB_STOP);
	put(&src, MIGLAB_EDU_LIVE, 2, 4);
	put(&src, MIGLAB_EDU_IRQ_RAISE, 1, 4);
	assert_int_equal(get(&src, MIGLAB_EDU_LIVE, 4), ~1u);
	assert_int_equal(get(&src, MIGLAB_EDU_IRQ_STATUS, 4), 0);
	go(src.dev, MIGLAB_RUNNING);
	assert_int_equal(get(&src, MIGLAB_EDU_LIVE, 4), ~1u);
}

/* --- interrupts ----------------------------------------------------------------------------- */

/* The line is signalled when it goes up, and after each unmasking for as long as it is up. */
static void intx_is_a_level(void **state)
{
	(void)state;
	open_both();
	wire_interrupts(src.fd, VFIO_PCI_INTX_IRQ_INDEX, &src.event, 1);
	assert_int_equal(events_of(&src), 0);
	put(&src, MIGLAB_EDU_IRQ_RAISE, 1, 4);
	assert_int_equal(events_of(&src), 1);
	put(&src, MIGLAB_EDU_IRQ_RAISE, 2, 4);
	assert_int_equal(events_of(&src), 0);
	unmask(&src);
	assert_int_equal(events_of(&src), 1);
	put(&src, MIGLAB_EDU_IRQ_ACK, ~0u, 4);
	unmask(&src);
	assert_int_equal(events_of(&src), 0);
	put(&src, MIGLAB_EDU_IRQ_RAISE, 1, 4);
	assert_int_equal(events_of(&src), 1);
}

static void intx_can_be_disabled(void **state)
{
	const uint16_t on = PCI_COMMAND_MEMORY;
	uint16_t status = 0;

	(void)state;
	open_both();
	wire_interrupts(src.fd, VFIO_PCI_INTX_IRQ_INDEX, &src.event, 1);
	set_edu_command(&src, on | PCI_COMMAND_INTX_DISABLE);
	put(&src, MIGLAB_EDU_IRQ_RAISE, 1, 4);
	assert_int_equal(events_of(&src), 0);
	assert_int_equal(pread(src.fd, &status, 2, (off_t)src.config + PCI_STATUS), 2);
	assert_true(status & PCI_STATUS_INTERRUPT);
	set_edu_command(&src, on);
	assert_int_equal(events_of(&src), 1);
}

static void intx_is_unmasked_by_an_eventfd(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	const uint64_t one = 1;

	(void)state;
	open_both();
	wire_interrupts(src.fd, VFIO_PCI_INTX_IRQ_INDEX, &src.event, 1);
	assert_int_equal(set_irqs(&src, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK,
				  VFIO_PCI_INTX_IRQ_INDEX, 1, fd), 0);
	put(&src, MIGLAB_EDU_IRQ_RAISE, 1, 4);
	assert_int_equal(events_of(&src), 1);
	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
	assert_true(interrupts_within(&src, PATIENCE_MS));
	assert_int_equal(events_of(&src), 1);
	set_down(&src, VFIO_PCI_INTX_IRQ_INDEX);
	close(fd);
}

/* It comes when the device runs again, here or there. */
static void a_stopped_device_does_not_interrupt(void **state)
{
	(void)state;
	open_both();
	wire_interrupts(src.fd, VFIO_PCI_INTX_IRQ_INDEX, &src.event, 1);
	wire_interrupts(dst.fd, VFIO_PCI_INTX_IRQ_INDEX, &dst.event, 1);
	put(&src, MIGLAB_EDU_IRQ_RAISE, 1, 4);
	assert_int_equal(events_of(&src), 1);
	go(src.dev, MIGLAB_STOP);
	unmask(&src);
	assert_int_equal(events_of(&src), 0);
	go(src.dev, MIGLAB_RUNNING);
	assert_int_equal(events_of(&src), 1);
	move_state(src.dev, dst.dev);
	assert_int_equal(events_of(&dst), 1);
	assert_int_equal(events_of(&src), 0);
}

static void a_message_needs_bus_mastering(void **state)
{
	(void)state;
	open_both();
	wire_interrupts(src.fd, VFIO_PCI_MSI_IRQ_INDEX, &src.event, 1);
	put(&src, MIGLAB_EDU_IRQ_RAISE, 1, 4);
	put(&src, MIGLAB_EDU_IRQ_RAISE, 1, 4);
	assert_int_equal(events_of(&src), 2);
	set_edu_command(&src, PCI_COMMAND_MEMORY);
	put(&src, MIGLAB_EDU_IRQ_RAISE, 1, 4);
	assert_int_equal(events_of(&src), 0);
	set_edu_command(&src, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	set_down(&src, VFIO_PCI_MSI_IRQ_INDEX);
	put(&src, MIGLAB_EDU_IRQ_RAISE, 1, 4);
	assert_int_equal(events_of(&src), 0);
}

static void set_entry_masked(struct edu *e, uint32_t masked)
{
	off_t at = (off_t)region(e->fd, MSIX_BAR).offset + MSIX_CONTROL;

	assert_int_equal(pwrite(e->fd, &masked, 4, at), 4);
}

static uint64_t pending(struct edu *e)
{
	off_t at = (off_t)region(e->fd, MSIX_BAR).offset + MSIX_PBA;
	uint64_t bits;

	assert_int_equal(pread(e->fd, &bits, 8, at), 8);
	return bits;
}

/* Masked, it is pending; and so it is on the other side, until it is unmasked there. */
static void msix_is_masked_by_its_table(void **state)
{
	(void)state;
	open_both();
	wire_interrupts(src.fd, VFIO_PCI_MSIX_IRQ_INDEX, &src.event, 1);
	wire_interrupts(dst.fd, VFIO_PCI_MSIX_IRQ_INDEX, &dst.event, 1);
	put(&src, MIGLAB_EDU_IRQ_RAISE, 1, 4);
	assert_int_equal(events_of(&src), 1);
	set_entry_masked(&src, 1);
	put(&src, MIGLAB_EDU_IRQ_RAISE, 1, 4);
	assert_int_equal(events_of(&src), 0);
	assert_int_equal(pending(&src), 1);
	set_entry_masked(&src, 0);
	assert_int_equal(events_of(&src), 1);
	assert_int_equal(pending(&src), 0);
	set_entry_masked(&src, 1);
	put(&src, MIGLAB_EDU_IRQ_RAISE, 1, 4);
	move_state(src.dev, dst.dev);
	assert_int_equal(pending(&dst), 1);
	assert_int_equal(events_of(&dst), 0);
	set_entry_masked(&dst, 0);
	assert_int_equal(events_of(&dst), 1);
}

static void bad_interrupts_are_refused(void **state)
{
	const uint32_t trigger = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	const uint32_t mask = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK;

	(void)state;
	open_both();
	assert_int_equal(set_irqs(&src, trigger, VFIO_PCI_MSI_IRQ_INDEX, 2, -1), -EINVAL);
	assert_int_equal(set_irqs(&src, trigger, VFIO_PCI_NUM_IRQS, 1, -1), -EINVAL);
	assert_int_equal(set_irqs(&src, trigger, VFIO_PCI_MSI_IRQ_INDEX, 1, 0x7fffffff), -EBADF);
	assert_int_equal(set_irqs(&src, mask, VFIO_PCI_INTX_IRQ_INDEX, 1, 0), -EINVAL);
	assert_int_equal(set_irqs(&src, mask, VFIO_PCI_MSI_IRQ_INDEX, 1, 0), -ENOTTY);
	wire_interrupts(src.fd, VFIO_PCI_MSI_IRQ_INDEX, &src.event, 1);
	assert_int_equal(set_irqs(&src, trigger, VFIO_PCI_MSIX_IRQ_INDEX, 1, src.event), -EINVAL);
	assert_int_equal(set_irqs(&src, trigger, VFIO_PCI_INTX_IRQ_INDEX, 1, src.event), -EINVAL);
}

/* --- resets ----------------------------------------------------------------------------------- */

static void a_reset_ends_what_is_in_flight(void **state)
{
	struct error err = { "" };

	(void)state;
	open_both();
	wire_interrupts(src.fd, VFIO_PCI_MSI_IRQ_INDEX, &src.event, 1);
	put(&src, MIGLAB_EDU_LIVE, 1, 4);
	put(&src, MIGLAB_EDU_STATUS, MIGLAB_EDU_IRQ_FACT, 4);
	put(&src, MIGLAB_EDU_FACT, ~0u, 4);
	give(&src, RAM_IOVA + SOURCE, 0, 64, MIGLAB_EDU_DMA_IRQ);
	assert_int_equal(src.dev->ops->reset(src.dev, &err), 0);
	events_of(&src);
	assert_int_equal(get(&src, MIGLAB_EDU_DMA_CMD, 8), 0);
	assert_int_equal(get(&src, MIGLAB_EDU_STATUS, 4), 0);
	assert_int_equal(get(&src, MIGLAB_EDU_LIVE, 4), 0);
	assert_false(interrupts_within(&src, QUIET_MS));
	/* What was set up is set up. */
	put(&src, MIGLAB_EDU_IRQ_RAISE, 1, 4);
	assert_int_equal(events_of(&src), 1);
}

static off_t express_control(struct edu *e)
{
	uint8_t at = 0, head[2];

	assert_int_equal(pread(e->fd, &at, 1, (off_t)e->config + PCI_CAPABILITY_LIST), 1);
	do {
		assert_int_not_equal(at, 0);
		assert_int_equal(pread(e->fd, head, 2, (off_t)e->config + at), 2);
		if (head[0] != PCI_CAP_ID_EXP)
			at = head[1];
	} while (head[0] != PCI_CAP_ID_EXP);
	return (off_t)e->config + at + PCI_EXP_DEVCTL;
}

/* A guest's function level reset is a reset: the device runs, and a session ends. */
static void a_guest_resets_it(void **state)
{
	uint16_t control = PCI_EXP_DEVCTL_BCR_FLR;

	(void)state;
	open_both();
	put(&src, MIGLAB_EDU_LIVE, 1, 4);
	go(src.dev, MIGLAB_STOP);
	assert_int_equal(pwrite(src.fd, &control, 2, express_control(&src)), 2);
	assert_int_equal(state_of(src.dev), MIGLAB_RUNNING);
	assert_int_equal(get(&src, MIGLAB_EDU_LIVE, 4), 0);
}

/* --- all at once ---------------------------------------------------------------------------- */

#define STORM_NS	(3 * NSEC_PER_SEC)

static atomic_bool storm_over;

static void *raise_and_acknowledge(void *unused)
{
	(void)unused;
	while (!storm_over) {
		put(&src, MIGLAB_EDU_IRQ_RAISE, 1, 4);
		put(&src, MIGLAB_EDU_FACT, 5, 4);
		put(&src, MIGLAB_EDU_IRQ_ACK, ~0u, 4);
	}
	return NULL;
}

/* What it says does not matter: another thread may have set up something else. */
static void *set_up_and_down(void *unused)
{
	const uint32_t trigger = VFIO_IRQ_SET_ACTION_TRIGGER;
	uint32_t index = 0;

	(void)unused;
	for (; !storm_over; index = (index + 1) % 3) {
		set_irqs(&src, trigger | VFIO_IRQ_SET_DATA_EVENTFD, index, 1, src.event);
		set_irqs(&src, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK,
			 index, 1, dst.event);
		set_irqs(&src, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, index, 1, 0);
		set_irqs(&src, trigger | VFIO_IRQ_SET_DATA_NONE, index, 0, 0);
	}
	return NULL;
}

/* The unmasking eventfd and COMMAND; memory stays enabled for the others. */
static void *change_config(void *unused)
{
	const uint64_t one = 1;

	(void)unused;
	while (!storm_over) {
		set_edu_command(&src, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
		assert_int_equal(write(dst.event, &one, sizeof(one)), sizeof(one));
		set_edu_command(&src, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
		events_of(&dst);
	}
	return NULL;
}

static void *transfer_on_and_on(void *unused)
{
	(void)unused;
	while (!storm_over)
		give(&src, RAM_IOVA + OTHER, 0, 4096, MIGLAB_EDU_TO_RAM | MIGLAB_EDU_DMA_IRQ);
	return NULL;
}

/* Set up, mask, raise, transfer, stop and reset it as fast as can be; then it works as before. */
static void everything_at_once(void **state)
{
	void *(*const parts[])(void *) = {
		raise_and_acknowledge, set_up_and_down, change_config, transfer_on_and_on,
	};
	const uint64_t end = clock_ns() + STORM_NS;
	pthread_t threads[sizeof(parts) / sizeof(parts[0])];
	struct error err = { "" };
	unsigned int turns = 0;
	size_t i;

	(void)state;
	open_both();
	storm_over = false;
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, parts[i], NULL), 0);
	for (; clock_ns() < end; turns++) {
		go(src.dev, MIGLAB_STOP_COPY);
		go(src.dev, MIGLAB_RUNNING);
		if (turns % 8 == 7)
			assert_int_equal(src.dev->ops->reset(src.dev, &err), 0);
	}
	storm_over = true;
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		pthread_join(threads[i], NULL);
	print_message("%u turns\n", turns);
	assert_int_equal(src.dev->ops->reset(src.dev, &err), 0);
	for (i = 0; i < 3; i++)
		set_irqs(&src, VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_NONE, (uint32_t)i,
			 0, 0);
	set_edu_command(&src, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	events_of(&src);
	wire_interrupts(src.fd, VFIO_PCI_MSI_IRQ_INDEX, &src.event, 1);
	fill_ram(SOURCE, 64, 9);
	transfer(&src, RAM_IOVA + SOURCE, 0, 64, MIGLAB_EDU_DMA_IRQ);
	assert_int_equal(events_of(&src), 1);
	move_state(src.dev, dst.dev);
	transfer(&dst, RAM_IOVA + TARGET, 0, 64, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + SOURCE, ram + TARGET, 64);
}

/* --- a page that nobody serves ------------------------------------------------------------- */

/* How a page comes to be that nobody serves: open() before the device is, then map(). */
struct unserved {
	int (*open)(void);
	void (*map)(int fd, void *at);
};

static struct silent silent;

static int open_userfaultfd(void)
{
	return (int)syscall(SYS_userfaultfd, O_CLOEXEC);
}

static void map_missing(int fd, void *at)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (uintptr_t)at, 4096 }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (mmap(at, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) == MAP_FAILED || ioctl(fd, UFFDIO_API, &api) ||
	    ioctl(fd, UFFDIO_REGISTER, &range))
		_exit(2);
}

static int open_silent_file(void)
{
	return open(silent_path(&silent), O_RDWR | O_CLOEXEC);
}

static void map_silent_file(int fd, void *at)
{
	if (mmap(at, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		_exit(2);
}

static const struct unserved missing = { open_userfaultfd, map_missing };
static const struct unserved of_a_silent_server = { open_silent_file, map_silent_file };

/*
 * Never returns: its transfer waits for the page. What serves the page is opened before the device,
 * and so is closed after it when the process ends.
 */
static void wait_for_page(const struct unserved *page, int tell)
{
	int fd = page->open();

	ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fd < 0 || ram == MAP_FAILED)
		_exit(2);
	open_edu(&src, 0);
	page->map(fd, ram + TARGET);
	put(&src, MIGLAB_EDU_DMA_SRC, BUFFER, 8);
	put(&src, MIGLAB_EDU_DMA_DST, RAM_IOVA + TARGET, 8);
	put(&src, MIGLAB_EDU_DMA_COUNT, 64, 8);
	if (write(tell, "", 1) != 1)
		_exit(2);
	put(&src, MIGLAB_EDU_DMA_CMD, MIGLAB_EDU_RUN | MIGLAB_EDU_TO_RAM, 8);
	_exit(3);
}

static pid_t start_waiting(const struct unserved *page)
{
	int pipes[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		wait_for_page(page, pipes[1]);
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	close(pipes[0]);
	/* For the write to get to where it waits; if it does not, the row is weaker. */
	poll(NULL, 0, QUIET_MS);
	return pid;
}

/* Against a hang only: it is a matter of milliseconds. */
#define KILL_NS		(20 * NSEC_PER_SEC)

static void assert_sigkill_ends(pid_t pid)
{
	uint64_t begin = clock_ns();
	pid_t ended = 0;
	int status;

	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	while (!ended && clock_ns() - begin < KILL_NS) {
		ended = waitpid(pid, &status, WNOHANG);
		poll(NULL, 0, 1);
	}
	assert_int_equal(ended, pid);
	print_message("killed within %llu ms\n",
		      (unsigned long long)((clock_ns() - begin) / NSEC_PER_MSEC));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void assert_usable(void)
{
	open_both();
	fill_ram(SOURCE, 64, 8);
	transfer(&src, RAM_IOVA + SOURCE, 0, 64, 0);
	move_state(src.dev, dst.dev);
}

static void sigkill_ends_who_waits_for_a_page(void **state)
{
	(void)state;
	assert_sigkill_ends(start_waiting(&missing));
	assert_usable();
}

/* The server has got the request for the page, and lives on. */
static void sigkill_ends_who_waits_for_a_server(void **state)
{
	char byte;
	pid_t pid;

	(void)state;
	silent_mount(&silent);
	pid = start_waiting(&of_a_silent_server);
	assert_int_equal(read(silent.reads, &byte, 1), 1);
	assert_sigkill_ends(pid);
	silent_unmount(&silent);
	assert_usable();
}

#define mdev_row(function) cmocka_unit_test_teardown(function, close_both)

int mdev_edu_rows(void)
{
	const struct CMUnitTest rows[] = {
		mdev_row(registers_are_those_of_edu),
		mdev_row(bytes_go_to_the_buffer_and_come_back),
		mdev_row(what_is_not_reached_is_zeroes),
		mdev_row(out_of_range_is_dropped),
		mdev_row(dirty_pages_are_exact),
		mdev_row(registers_and_buffer_move),
		mdev_row(config_space_moves),
		mdev_row(a_transfer_in_flight_moves),
		mdev_row(a_computation_moves),
		mdev_row(a_command_in_p2p_is_held_and_moves),
		mdev_row(a_stopped_device_is_frozen),
		mdev_row(intx_is_a_level),
		mdev_row(intx_can_be_disabled),
		mdev_row(intx_is_unmasked_by_an_eventfd),
		mdev_row(a_stopped_device_does_not_interrupt),
		mdev_row(a_message_needs_bus_mastering),
		mdev_row(msix_is_masked_by_its_table),
		mdev_row(bad_interrupts_are_refused),
		mdev_row(a_reset_ends_what_is_in_flight),
		mdev_row(a_guest_resets_it),
		mdev_row(everything_at_once),
		mdev_row(sigkill_ends_who_waits_for_a_page),
		mdev_row(sigkill_ends_who_waits_for_a_server),
	};

	return cmocka_run_group_tests_name("mdev-edu", rows, setup_ram, teardown_ram);
}
