// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model edu: what a user did to the function before a migration, the other
 * function shows after it. Each row's negative control is in it or beside it.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "core/content.h"
#include "core/fsm.h"
#include "device/sysfs.h"
#include "edu.h"

#define BUFFER		MIGLAB_EDU_BUFFER_AT
#define LIMIT		"module/miglab_vfio_pci/parameters/edu_limit_ms"

static struct edu src, dst;

/* Both, with @model. */
static void open_both(const char *model)
{
	configure(0, "model", model);
	configure(1, "model", model);
	memset(ram, 0, RAM_BYTES);
	open_edu(&src, 0);
	open_edu(&dst, 1);
}

static int close_both(void **state)
{
	close(src.event);
	close(dst.event);
	assert_int_equal(sysfs_write("2000", LIMIT), 0);
	close_functions(state);
	configure(0, "model", "synthetic");
	configure(1, "model", "synthetic");
	return 0;
}

static void compute(struct edu *e, uint32_t n)
{
	put(e, MIGLAB_EDU_FACT, n, 4);
	wait_clear(e, MIGLAB_EDU_STATUS, 4, MIGLAB_EDU_COMPUTING);
}

/* --- what moves --------------------------------------------------------------------- */

/* Sets every register to something of its own. */
static void set_registers(struct edu *e)
{
	put(e, MIGLAB_EDU_STATUS, 0, 4);
	put(e, MIGLAB_EDU_IRQ_ACK, ~0u, 4);
	put(e, MIGLAB_EDU_LIVE, 0x1234abcd, 4);
	compute(e, 12);
	put(e, MIGLAB_EDU_STATUS, MIGLAB_EDU_IRQ_FACT, 4);
	put(e, MIGLAB_EDU_IRQ_RAISE, 0x50, 4);
	put(e, MIGLAB_EDU_DMA_SRC, 0x123456789abcdefull, 8);
	put(e, MIGLAB_EDU_DMA_DST, 0xfedcba9876543210ull, 8);
	put(e, MIGLAB_EDU_DMA_COUNT, 0x77, 8);
}

/* How many of them @e shows. */
static int registers_there(struct edu *e)
{
	return (get(e, MIGLAB_EDU_LIVE, 4) == (uint32_t)~0x1234abcd) +
	       (get(e, MIGLAB_EDU_FACT, 4) == 479001600) +
	       (get(e, MIGLAB_EDU_STATUS, 4) == MIGLAB_EDU_IRQ_FACT) +
	       (get(e, MIGLAB_EDU_IRQ_STATUS, 4) == 0x50) +
	       (get(e, MIGLAB_EDU_DMA_SRC, 8) == 0x123456789abcdefull) +
	       (get(e, MIGLAB_EDU_DMA_DST, 8) == 0xfedcba9876543210ull) +
	       (get(e, MIGLAB_EDU_DMA_COUNT, 8) == 0x77);
}

static void registers_move(void **state)
{
	(void)state;
	open_both("edu");
	assert_int_equal(get(&dst, 0, 4), 0x010000ed);
	assert_int_equal(registers_there(&dst), 0);
	set_registers(&src);
	assert_int_equal(registers_there(&src), 7);
	move_state(src.dev, dst.dev);
	assert_int_equal(registers_there(&dst), 7);
	/* A device that stopped shows the same, and goes on as if nothing had happened. */
	assert_int_equal(registers_there(&src), 7);
	put(&src, MIGLAB_EDU_LIVE, 1, 4);
	go(src.dev, MIGLAB_RUNNING);
	assert_int_equal(registers_there(&src), 7);
	/* And the other one is not a picture of it: it works. */
	put(&dst, MIGLAB_EDU_LIVE, 1, 4);
	assert_int_equal(get(&dst, MIGLAB_EDU_LIVE, 4), (uint32_t)~1);
	compute(&dst, 5);
	assert_int_equal(get(&dst, MIGLAB_EDU_FACT, 4), 120);
}

/* Negative control of the row before. */
static void registers_stay_with_the_synthetic_model(void **state)
{
	(void)state;
	open_both("synthetic");
	set_registers(&src);
	assert_int_equal(registers_there(&src), 7);
	move_state(src.dev, dst.dev);
	assert_true(registers_there(&dst) < 7);
	put(&src, MIGLAB_EDU_IRQ_ACK, ~0u, 4);
}

/* Before a driver enables the function its registers are not accessible, but there. */
static void memory_decoding_may_be_off(void **state)
{
	uint32_t value;

	(void)state;
	open_both("edu");
	set_registers(&src);
	set_edu_command(&src, 0);
	set_edu_command(&dst, 0);
	assert_int_equal(pread(src.fd, &value, 4, (off_t)src.bar), -1);
	assert_int_equal(errno, EIO);
	move_state(src.dev, dst.dev);
	assert_int_equal(pread(dst.fd, &value, 4, (off_t)dst.bar), -1);
	set_edu_command(&dst, PCI_COMMAND_MEMORY);
	assert_int_equal(registers_there(&dst), 7);
}

/* Moves a pattern that is in the buffer, and returns whether the other one has it. */
static bool pattern_arrives(void)
{
	fill_ram(SOURCE, 4096, 1);
	transfer(&src, RAM_IOVA + SOURCE, 0, 4096, 0);
	move_state(src.dev, dst.dev);
	transfer(&dst, RAM_IOVA + TARGET, 0, 4096, MIGLAB_EDU_TO_RAM);
	return !memcmp(ram + SOURCE, ram + TARGET, 4096);
}

static void the_buffer_moves(void **state)
{
	(void)state;
	open_both("edu");
	assert_true(pattern_arrives());
	/* And back, with new bytes in the middle that only the function itself was given. */
	fill_ram(OTHER, 100, 2);
	transfer(&dst, RAM_IOVA + OTHER, 1000, 100, 0);
	memcpy(ram + SOURCE + 1000, ram + OTHER, 100);
	memset(ram + TARGET, 0, 4096);
	transfer(&dst, RAM_IOVA + TARGET, 900, 300, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + SOURCE + 900, ram + TARGET, 300);
	transfer(&dst, RAM_IOVA + TARGET, 1000, 100, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + OTHER, ram + TARGET, 100);
	move_state(dst.dev, src.dev);
	transfer(&src, RAM_IOVA + TARGET, 0, 4096, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + SOURCE, ram + TARGET, 4096);
}

/* What the source is changed to after the command's end is not what was moved. */
static void the_buffer_has_what_was_there_when_it_was_moved(void **state)
{
	(void)state;
	open_both("edu");
	fill_ram(SOURCE, 4096, 1);
	memcpy(ram + OTHER, ram + SOURCE, 4096);
	give(&src, RAM_IOVA + SOURCE, 0, 4096, 0);
	wait_clear(&src, MIGLAB_EDU_DMA_CMD, 8, MIGLAB_EDU_RUN);
	memset(ram + SOURCE, 0xee, 4096);
	move_state(src.dev, dst.dev);
	transfer(&dst, RAM_IOVA + TARGET, 0, 4096, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + OTHER, ram + TARGET, 4096);
}

/* Negative control of the rows before. */
static void without_the_shadow_the_buffer_does_not_move(void **state)
{
	(void)state;
	open_both("edu");
	set_attribute(src.dev, "rules", "op=dma_record drop");
	assert_false(pattern_arrives());
}

/* --- P2P ---------------------------------------------------------------------------- */

/* Moves from PRE_COPY_P2P, with a command that was given there. */
static void move_with_command(uint32_t at, uint32_t count, uint32_t cmd)
{
	static unsigned char stream[65536];
	ssize_t end;
	size_t n;

	go(src.dev, MIGLAB_PRE_COPY_P2P);
	give(&src, RAM_IOVA + at, 0, count, cmd);
	assert_true(get(&src, MIGLAB_EDU_DMA_CMD, 8) & MIGLAB_EDU_RUN);
	/* As one that is under way, it cannot be changed. */
	put(&src, MIGLAB_EDU_DMA_COUNT, 1, 8);
	assert_int_equal(get(&src, MIGLAB_EDU_DMA_COUNT, 8), count);
	go(src.dev, MIGLAB_STOP_COPY);
	n = drain(src.dev, stream, sizeof(stream), &end);
	go(dst.dev, MIGLAB_RESUMING);
	assert_int_equal(load(dst.dev, stream, n, n), 0);
	go(dst.dev, MIGLAB_RUNNING_P2P);
	assert_true(get(&dst, MIGLAB_EDU_DMA_CMD, 8) & MIGLAB_EDU_RUN);
	assert_int_equal(since_open(&dst, DMA_DONE), 0);
	go(dst.dev, MIGLAB_RUNNING);
	wait_clear(&dst, MIGLAB_EDU_DMA_CMD, 8, MIGLAB_EDU_RUN);
	assert_int_equal(since_open(&dst, DMA_DONE), 1);
	go(src.dev, MIGLAB_STOP);
	assert_int_equal(since_open(&src, DMA_HELD), 1);
	assert_int_equal(since_open(&src, DMA_DONE), 0);
}

static void a_command_in_a_p2p_state_is_held_and_moves(void **state)
{
	(void)state;
	open_both("edu");
	fill_ram(SOURCE, 64, 3);
	move_with_command(SOURCE, 64, 0);
	transfer(&dst, RAM_IOVA + TARGET, 0, 64, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + SOURCE, ram + TARGET, 64);
}

static void a_held_command_begins_when_the_device_runs_again(void **state)
{
	static const uint32_t p2p[] = { MIGLAB_RUNNING_P2P, MIGLAB_PRE_COPY_P2P };
	static const uint32_t back[] = { MIGLAB_RUNNING, MIGLAB_PRE_COPY };
	size_t i;

	(void)state;
	open_both("edu");
	for (i = 0; i < 2; i++) {
		go(src.dev, p2p[i]);
		give(&src, RAM_IOVA + TARGET, 0, 64, MIGLAB_EDU_TO_RAM);
		assert_int_equal(since_open(&src, DMA_DONE), i);
		go(src.dev, back[i]);
		wait_clear(&src, MIGLAB_EDU_DMA_CMD, 8, MIGLAB_EDU_RUN);
		assert_int_equal(since_open(&src, DMA_DONE), i + 1);
		assert_int_equal(since_open(&src, DMA_HELD), i + 1);
	}
}

/*
 * The arc to STOP waits for what is in flight, so what was not done by then never was.
 * Returns whether memory was written.
 */
static bool writes_in_p2p(void)
{
	fill_ram(TARGET, 64, 9);
	memcpy(ram + OTHER, ram + TARGET, 64);
	go(src.dev, MIGLAB_RUNNING_P2P);
	give(&src, RAM_IOVA + TARGET, 0, 64, MIGLAB_EDU_TO_RAM);
	go(src.dev, MIGLAB_STOP);
	return memcmp(ram + OTHER, ram + TARGET, 64);
}

static void no_transfer_begins_in_a_p2p_state(void **state)
{
	(void)state;
	open_both("edu");
	assert_false(writes_in_p2p());
	go(src.dev, MIGLAB_RUNNING);
	wait_clear(&src, MIGLAB_EDU_DMA_CMD, 8, MIGLAB_EDU_RUN);
	/* Its turn came. */
	assert_memory_not_equal(ram + OTHER, ram + TARGET, 64);

	/* Negative control: one may slip, and only one. */
	set_attribute(src.dev, "rules", "op=dma slip=1");
	assert_true(writes_in_p2p());
	go(src.dev, MIGLAB_RUNNING);
	assert_false(writes_in_p2p());
}

/* When the arc has ended, so has the transfer that had begun. */
static void an_arc_waits_for_the_transfer_in_flight(void **state)
{
	(void)state;
	open_both("edu");
	fill_ram(SOURCE, 4096, 4);
	transfer(&src, RAM_IOVA + SOURCE, 0, 4096, 0);
	give(&src, RAM_IOVA + TARGET, 0, 4096, MIGLAB_EDU_TO_RAM);
	assert_int_equal(since_open(&src, DMA_DONE), 1);
	go(src.dev, MIGLAB_RUNNING_P2P);
	assert_int_equal(since_open(&src, DMA_DONE), 2);
	assert_memory_equal(ram + SOURCE, ram + TARGET, 4096);
	assert_false(get(&src, MIGLAB_EDU_DMA_CMD, 8) & MIGLAB_EDU_RUN);
}

/* It does not wait for ever, and a device that would not stop goes on. */
static void an_arc_fails_when_the_bound_is_reached(void **state)
{
	(void)state;
	open_both("edu");
	fill_ram(SOURCE, 4096, 4);
	assert_int_equal(sysfs_write("1", LIMIT), 0);
	give(&src, RAM_IOVA + SOURCE, 0, 4096, 0);
	assert_int_equal(try_state(src.dev, MIGLAB_RUNNING_P2P), -EBUSY);
	assert_int_equal(state_of(src.dev), MIGLAB_RUNNING);
	wait_clear(&src, MIGLAB_EDU_DMA_CMD, 8, MIGLAB_EDU_RUN);
	transfer(&src, RAM_IOVA + TARGET, 0, 4096, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + SOURCE, ram + TARGET, 4096);
	assert_int_equal(since_open(&src, DMA_HELD), 0);
}

/* The P2P states say nothing about computations, STOP does. */
static void a_computation_is_waited_for_before_stop(void **state)
{
	(void)state;
	open_both("edu");
	assert_int_equal(sysfs_write("1", LIMIT), 0);
	put(&src, MIGLAB_EDU_FACT, 300000000, 4);
	assert_true(get(&src, MIGLAB_EDU_STATUS, 4) & MIGLAB_EDU_COMPUTING);
	go(src.dev, MIGLAB_RUNNING_P2P);
	assert_int_equal(try_state(src.dev, MIGLAB_STOP), -EBUSY);
	assert_int_equal(state_of(src.dev), MIGLAB_RUNNING_P2P);
	assert_int_equal(sysfs_write("60000", LIMIT), 0);
	go(src.dev, MIGLAB_STOP);
	assert_false(get(&src, MIGLAB_EDU_STATUS, 4) & MIGLAB_EDU_COMPUTING);
	assert_int_equal(get(&src, MIGLAB_EDU_FACT, 4), 0);
}

/*
 * The function says that it has computed before it interrupts. Neither its user nor a state that
 * is moved may see the one without the other, however often and whenever they look.
 */
static void a_computation_ends_with_its_interrupt(void **state)
{
	int i;

	(void)state;
	open_both("edu");
	put(&src, MIGLAB_EDU_STATUS, MIGLAB_EDU_IRQ_FACT, 4);
	for (i = 0; i < 100; i++) {
		compute(&src, 3000 * i);
		assert_int_equal(get(&src, MIGLAB_EDU_IRQ_STATUS, 4), MIGLAB_EDU_IRQ_COMPUTED);
		put(&src, MIGLAB_EDU_IRQ_ACK, MIGLAB_EDU_IRQ_COMPUTED, 4);
		put(&src, MIGLAB_EDU_FACT, 3000 * i, 4);
		go(src.dev, MIGLAB_STOP);
		assert_int_equal(get(&src, MIGLAB_EDU_IRQ_STATUS, 4), MIGLAB_EDU_IRQ_COMPUTED);
		go(src.dev, MIGLAB_RUNNING);
		put(&src, MIGLAB_EDU_IRQ_ACK, MIGLAB_EDU_IRQ_COMPUTED, 4);
	}
}

/* --- interrupts --------------------------------------------------------------------- */

/* How many interrupts came since the last look; with @some waits until there is one. */
static uint64_t interrupts(struct edu *e, bool some)
{
	struct pollfd pfd = { .fd = e->event, .events = POLLIN };
	uint64_t n = 0;

	if (some)
		assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
	if (read(e->event, &n, sizeof(n)) < 0)
		assert_int_equal(errno, EAGAIN);
	return n;
}

/*
 * One that was not acknowledged comes once more where the device goes on. A transfer by
 * the function later on shows that no second one was under way.
 */
static void an_interrupt_comes_once(uint32_t index)
{
	open_both("edu");
	wire_interrupts(src.fd, index, &src.event, 1);
	wire_interrupts(dst.fd, index, &dst.event, 1);
	transfer(&src, RAM_IOVA + SOURCE, 0, 16, MIGLAB_EDU_DMA_IRQ);
	assert_int_equal(interrupts(&src, true), 1);
	assert_int_equal(get(&src, MIGLAB_EDU_IRQ_STATUS, 4), MIGLAB_EDU_IRQ_DMA);
	move_state(src.dev, dst.dev);
	assert_int_equal(get(&dst, MIGLAB_EDU_IRQ_STATUS, 4), MIGLAB_EDU_IRQ_DMA);
	assert_int_equal(interrupts(&dst, true), 1);
	put(&dst, MIGLAB_EDU_IRQ_ACK, MIGLAB_EDU_IRQ_DMA, 4);
	transfer(&dst, RAM_IOVA + SOURCE, 0, 16, 0);
	assert_int_equal(interrupts(&dst, false), 0);
	/* The source, which nothing was taken from, has no second one either. */
	go(src.dev, MIGLAB_RUNNING);
	transfer(&src, RAM_IOVA + SOURCE, 0, 16, 0);
	assert_int_equal(interrupts(&src, false), 0);
}

static void msi_comes_once(void **state)
{
	(void)state;
	an_interrupt_comes_once(VFIO_PCI_MSI_IRQ_INDEX);
}

static void intx_comes_once(void **state)
{
	(void)state;
	an_interrupt_comes_once(VFIO_PCI_INTX_IRQ_INDEX);
}

/* Negative control: what was acknowledged does not come again. */
static void no_interrupt_comes_of_nothing(void **state)
{
	(void)state;
	open_both("edu");
	wire_interrupts(src.fd, VFIO_PCI_MSI_IRQ_INDEX, &src.event, 1);
	wire_interrupts(dst.fd, VFIO_PCI_MSI_IRQ_INDEX, &dst.event, 1);
	transfer(&src, RAM_IOVA + SOURCE, 0, 16, MIGLAB_EDU_DMA_IRQ);
	assert_int_equal(interrupts(&src, true), 1);
	put(&src, MIGLAB_EDU_IRQ_ACK, MIGLAB_EDU_IRQ_DMA, 4);
	move_state(src.dev, dst.dev);
	transfer(&dst, RAM_IOVA + SOURCE, 0, 16, 0);
	assert_int_equal(interrupts(&dst, false), 0);
}

/* Not from a stopped device, but once it runs; and by the shadow as by the function. */
static void a_held_command_interrupts_when_it_is_done(void **state)
{
	(void)state;
	open_both("edu");
	wire_interrupts(dst.fd, VFIO_PCI_MSI_IRQ_INDEX, &dst.event, 1);
	move_with_command(TARGET, 16, MIGLAB_EDU_TO_RAM | MIGLAB_EDU_DMA_IRQ);
	assert_int_equal(interrupts(&dst, true), 1);
	assert_int_equal(get(&dst, MIGLAB_EDU_IRQ_STATUS, 4), MIGLAB_EDU_IRQ_DMA);
}

/* --- commands that leave the device's ranges ------------------------------------------ */

static void commands_out_of_range_are_dropped(void **state)
{
	static const struct {
		uint64_t source, target, count, cmd;
	} rows[] = {
		{ RAM_IOVA, BUFFER - 1, 16, 0 },
		{ RAM_IOVA, BUFFER + 4090, 16, 0 },
		{ RAM_IOVA, BUFFER, 4097, 0 },
		{ RAM_IOVA, BUFFER, UINT64_MAX, 0 },
		{ RAM_IOVA, BUFFER + 16, UINT64_MAX - 15, 0 },
		{ RAM_IOVA, UINT64_MAX, 16, 0 },
		{ RAM_IOVA, 0, 16, 0 },
		{ 0x10000000, BUFFER, 16, 0 },
		{ 0xffffff8, BUFFER, 16, 0 },
		{ UINT64_MAX - 7, BUFFER, 16, 0 },
		{ BUFFER + 4090, RAM_IOVA, 16, MIGLAB_EDU_TO_RAM },
		{ BUFFER, 0xffffff8, 16, MIGLAB_EDU_TO_RAM },
		{ RAM_IOVA, BUFFER, 16, MIGLAB_EDU_TO_RAM },
	};
	size_t i;

	(void)state;
	open_both("edu");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put(&src, MIGLAB_EDU_DMA_SRC, rows[i].source, 8);
		put(&src, MIGLAB_EDU_DMA_DST, rows[i].target, 8);
		put(&src, MIGLAB_EDU_DMA_COUNT, rows[i].count, 8);
		put(&src, MIGLAB_EDU_DMA_CMD, rows[i].cmd | MIGLAB_EDU_RUN, 8);
		wait_clear(&src, MIGLAB_EDU_DMA_CMD, 8, MIGLAB_EDU_RUN);
		assert_int_equal(since_open(&src, DMA_REFUSED), i + 1);
	}
	assert_int_equal(since_open(&src, DMA_DONE), 0);
	/* Negative control: what stays within them is done. */
	fill_ram(SOURCE, 4096, 5);
	transfer(&src, RAM_IOVA + SOURCE, 0, 4096, 0);
	transfer(&src, RAM_IOVA + TARGET, 0, 4096, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + SOURCE, ram + TARGET, 4096);
	assert_int_equal(since_open(&src, DMA_DONE), 2);
	assert_int_equal(since_open(&src, DMA_REFUSED), i);
}

/* Neither memory that is not mapped nor bus mastering that is off keeps a transfer from ending. */
static void a_transfer_that_reaches_nothing_ends(void **state)
{
	static const struct {
		uint64_t iova;
		uint16_t command;
		uint32_t cmd;
	} rows[] = {
		{ 0x8000000, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0 },
		{ RAM_IOVA + SOURCE, PCI_COMMAND_MEMORY, 0 },
		{ RAM_IOVA + TARGET, PCI_COMMAND_MEMORY, MIGLAB_EDU_TO_RAM },
	};
	size_t i;

	(void)state;
	open_both("edu");
	fill_ram(SOURCE, 4096, 1);
	transfer(&src, RAM_IOVA + SOURCE, 0, 4096, 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_edu_command(&src, rows[i].command);
		give(&src, rows[i].iova, 0, 16, rows[i].cmd | MIGLAB_EDU_DMA_IRQ);
		wait_clear(&src, MIGLAB_EDU_DMA_CMD, 8, MIGLAB_EDU_RUN);
		assert_int_equal(get(&src, MIGLAB_EDU_IRQ_STATUS, 4), MIGLAB_EDU_IRQ_DMA);
		put(&src, MIGLAB_EDU_IRQ_ACK, MIGLAB_EDU_IRQ_DMA, 4);
		assert_int_equal(since_open(&src, DMA_FAILED), i + 1);
	}
	assert_int_equal(since_open(&src, DMA_DONE), 1);
	assert_int_equal(since_open(&src, DMA_REFUSED), 0);
	assert_int_equal(ram[TARGET + 1], 0);
	/* What was read from nowhere is zero. */
	set_edu_command(&src, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	memset(ram + SOURCE, 0, 16);
	transfer(&src, RAM_IOVA + TARGET, 0, 4096, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + SOURCE, ram + TARGET, 4096);
}

/* The buffer is the same before and after a move, whatever the function made of it. */
static void bus_mastering_goes_off_in_flight(void **state)
{
	(void)state;
	open_both("edu");
	fill_ram(SOURCE, 4096, 1);
	transfer(&src, RAM_IOVA + SOURCE, 0, 4096, 0);
	fill_ram(OTHER, 4096, 2);
	give(&src, RAM_IOVA + OTHER, 0, 2048, 0);
	set_edu_command(&src, PCI_COMMAND_MEMORY);
	wait_clear(&src, MIGLAB_EDU_DMA_CMD, 8, MIGLAB_EDU_RUN);
	set_edu_command(&src, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	transfer(&src, RAM_IOVA + OTHER, 0, 4096, MIGLAB_EDU_TO_RAM);
	memset(ram + SOURCE, 0, 2048);
	assert_memory_equal(ram + SOURCE, ram + OTHER, 4096);
	move_state(src.dev, dst.dev);
	transfer(&dst, RAM_IOVA + TARGET, 0, 4096, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + OTHER, ram + TARGET, 4096);
}

static uint32_t bar_flags(struct edu *e)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};

	assert_int_equal(ioctl(e->fd, VFIO_DEVICE_GET_REGION_INFO, &info), 0);
	return info.flags;
}

/* Nobody gets round the trap. */
static void the_bar_is_trapped(void **state)
{
	struct vfio_device_ioeventfd ioeventfd = {
		.argsz = sizeof(ioeventfd),
		.flags = VFIO_DEVICE_IOEVENTFD_64,
		.data = MIGLAB_EDU_RUN,
	};
	void *map;
	uint32_t flags;

	(void)state;
	open_both("edu");
	flags = bar_flags(&src);
	assert_false(flags & VFIO_REGION_INFO_FLAG_MMAP);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, src.fd, (off_t)src.bar);
	assert_ptr_equal(map, MAP_FAILED);
	ioeventfd.offset = src.bar + MIGLAB_EDU_DMA_CMD;
	ioeventfd.fd = src.event;
	assert_int_equal(ioctl(src.fd, VFIO_DEVICE_IOEVENTFD, &ioeventfd), -1);
	assert_int_equal(errno, ENOTTY);
	/* Wherever it points: who looks at that twice may see two places. */
	ioeventfd.offset = src.bar + (1ull << 40);
	assert_int_equal(ioctl(src.fd, VFIO_DEVICE_IOEVENTFD, &ioeventfd), -1);
	assert_int_equal(errno, ENOTTY);
	/* A register is all or nothing, and what is beyond the BAR is nothing. */
	put(&src, MIGLAB_EDU_DMA_SRC, 0x1122334455667788ull, 8);
	put(&src, MIGLAB_EDU_DMA_SRC + 4, 1, 4);
	assert_true(get(&src, MIGLAB_EDU_DMA_SRC, 8) == 0x1122334455667788ull);
	assert_int_equal(get(&src, MIGLAB_EDU_DMA_SRC, 4), 0x55667788);
	assert_int_equal(pread(src.fd, &flags, 4, (off_t)src.bar + (1 << 20)), -1);
	close_both(state);

	/* Negative control. */
	open_both("synthetic");
	flags = bar_flags(&src);
	assert_true(flags & VFIO_REGION_INFO_FLAG_MMAP);
}

/* --- resets ------------------------------------------------------------------------- */

static void a_reset_clears_all(void **state)
{
	const unsigned char zero[4096] = { 0 };
	struct error err;

	(void)state;
	open_both("edu");
	wire_interrupts(src.fd, VFIO_PCI_INTX_IRQ_INDEX, &src.event, 1);
	fill_ram(SOURCE, 4096, 6);
	transfer(&src, RAM_IOVA + SOURCE, 0, 4096, 0);
	set_registers(&src);
	assert_int_equal(interrupts(&src, true), 1);
	go(src.dev, MIGLAB_RUNNING_P2P);
	give(&src, RAM_IOVA + TARGET, 0, 4096, MIGLAB_EDU_TO_RAM);
	assert_int_equal(src.dev->ops->reset(src.dev, &err), 0);
	assert_int_equal(state_of(src.dev), MIGLAB_RUNNING);

	assert_int_equal(get(&src, MIGLAB_EDU_LIVE, 4), 0);
	assert_int_equal(get(&src, MIGLAB_EDU_FACT, 4), 0);
	assert_int_equal(get(&src, MIGLAB_EDU_STATUS, 4), 0);
	assert_int_equal(get(&src, MIGLAB_EDU_IRQ_STATUS, 4), 0);
	assert_int_equal(get(&src, MIGLAB_EDU_DMA_SRC, 8), 0);
	assert_int_equal(get(&src, MIGLAB_EDU_DMA_CMD, 8), 0);
	assert_int_equal(since_open(&src, DMA_HELD), 1);
	assert_int_equal(since_open(&src, DMA_DONE), 1);
	fill_ram(TARGET, 4096, 7);
	set_edu_command(&src, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	transfer(&src, RAM_IOVA + TARGET, 0, 4096, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + TARGET, zero, 4096);
	assert_int_equal(interrupts(&src, false), 0);
}

/* One in flight neither reaches memory afterwards nor keeps the device busy. */
static void a_reset_ends_the_transfer_in_flight(void **state)
{
	struct error err;

	(void)state;
	open_both("edu");
	fill_ram(SOURCE, 4096, 6);
	transfer(&src, RAM_IOVA + SOURCE, 0, 4096, 0);
	give(&src, RAM_IOVA + OTHER, 0, 4096, MIGLAB_EDU_TO_RAM);
	assert_int_equal(src.dev->ops->reset(src.dev, &err), 0);
	memset(ram + OTHER, 0, 4096);
	set_edu_command(&src, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(get(&src, MIGLAB_EDU_DMA_CMD, 8), 0);
	transfer(&src, RAM_IOVA + SOURCE, 0, 4096, 0);
	transfer(&src, RAM_IOVA + TARGET, 0, 4096, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + SOURCE, ram + TARGET, 4096);
	assert_int_equal(ram[OTHER] | ram[OTHER + 4095], 0);
}

/* --- streams ------------------------------------------------------------------------ */

/* A whole stream of @src, which stays in STOP_COPY. */
static size_t save(unsigned char *stream, size_t size)
{
	ssize_t end;
	size_t n;

	go(src.dev, MIGLAB_STOP_COPY);
	n = drain(src.dev, stream, size, &end);
	assert_int_equal(end, 0);
	return n;
}

/* The same with @page for its registers. */
static size_t forge(const unsigned char *real, const unsigned char *page, unsigned char *stream)
{
	size_t n = MIGLAB_HEADER_BYTES;
	uint32_t fingerprint;

	memcpy(stream, real, n);
	memcpy(stream + n + MIGLAB_PAGES_BYTES, page, MIGLAB_PAGE);
	memset(stream + n + MIGLAB_PAGES_BYTES + MIGLAB_PAGE, 0xab, MIGLAB_PAGE);
	fingerprint = ~crc32c(~0u, stream + n + MIGLAB_PAGES_BYTES, 2 * MIGLAB_PAGE);
	n += miglab_stream_put_pages(stream + n, 0, 2 * MIGLAB_PAGE);
	return n + miglab_stream_put_end(stream + n, 1, fingerprint);
}

static void bad_registers_are_refused(void **state)
{
	static const struct {
		uint32_t at;
		unsigned char value;
	} rows[] = {
		{ 4, 7 },			/* fact: nothing has that factorial */
		{ 8, 1 }, { 8, 2 }, { 11, 1 },	/* status */
		{ 40, 1 },			/* a command, with nothing else set */
		{ 48, 1 }, { 4095, 1 },		/* not of any register */
	};
	static unsigned char real[65536], stream[65536];
	unsigned char page[MIGLAB_PAGE];
	struct error err;
	size_t i, n;

	(void)state;
	open_both("edu");
	save(real, sizeof(real));
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(page, 0, sizeof(page));
		page[0] = 0x42;
		page[rows[i].at] = rows[i].value;
		n = forge(real, page, stream);
		go(dst.dev, MIGLAB_RESUMING);
		assert_int_equal(load(dst.dev, stream, n, n), 0);
		assert_int_equal(try_state(dst.dev, MIGLAB_STOP), -EINVAL);
		assert_int_equal(state_of(dst.dev), MIGLAB_RESUMING);
		assert_int_equal(dst.dev->ops->reset(dst.dev, &err), 0);
		set_edu_command(&dst, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
		assert_int_equal(get(&dst, MIGLAB_EDU_LIVE, 4), 0);
	}
	/* Negative control: the same page without the fault. */
	memset(page, 0, sizeof(page));
	page[0] = 0x42;
	n = forge(real, page, stream);
	go(dst.dev, MIGLAB_RESUMING);
	assert_int_equal(load(dst.dev, stream, n, n), 0);
	go(dst.dev, MIGLAB_RUNNING);
	assert_int_equal(get(&dst, MIGLAB_EDU_LIVE, 4), 0x42);
}

static void *reset_main(void *opaque)
{
	struct device *dev = opaque;
	struct error err;

	assert_int_equal(dev->ops->reset(dev, &err), 0);
	return NULL;
}

/*
 * A reset takes a tenth of a second. An arc that began before or during it may come to its end
 * before or after it; but never is a state that was loaded there after it.
 */
static void a_reset_voids_a_load(void **state)
{
	static unsigned char stream[65536];
	pthread_t thread;
	useconds_t us;
	size_t n;

	(void)state;
	open_both("edu");
	put(&src, MIGLAB_EDU_LIVE, 0x12345678, 4);
	n = save(stream, sizeof(stream));
	for (us = 0; us < 100000; us += 20000) {
		go(dst.dev, MIGLAB_RESUMING);
		assert_int_equal(load(dst.dev, stream, n, n), 0);
		assert_int_equal(pthread_create(&thread, NULL, reset_main, dst.dev), 0);
		usleep(us);
		try_state(dst.dev, MIGLAB_STOP);
		pthread_join(thread, NULL);
		if (state_of(dst.dev) != MIGLAB_RUNNING)
			go(dst.dev, MIGLAB_RUNNING);
		set_edu_command(&dst, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
		assert_int_equal(get(&dst, MIGLAB_EDU_LIVE, 4), 0);
	}
	/* Negative control. */
	go(dst.dev, MIGLAB_RESUMING);
	assert_int_equal(load(dst.dev, stream, n, n), 0);
	go(dst.dev, MIGLAB_RUNNING);
	assert_int_equal(get(&dst, MIGLAB_EDU_LIVE, 4), (uint32_t)~0x12345678);
}

static void a_stream_of_another_model_is_refused(void **state)
{
	static unsigned char stream[65536];
	size_t n;

	(void)state;
	configure(0, "state_bytes", "8192");
	open_both("edu");
	close_function(src.dev);
	configure(0, "model", "synthetic");
	src.dev = open_function(0);
	n = save(stream, sizeof(stream));
	go(dst.dev, MIGLAB_RESUMING);
	assert_int_equal(load(dst.dev, stream, n, n), -EINVAL);
	assert_int_equal(try_state(dst.dev, MIGLAB_STOP), -EINVAL);
	configure(0, "state_bytes", "1048576");
}

/* Registers that change after they were sent are sent again, others are not. */
static void pre_copy_sends_what_changed(void **state)
{
	static unsigned char stream[65536];
	struct precopy_info info;
	struct error err = { "" };
	ssize_t end;
	size_t n;

	(void)state;
	open_both("edu");
	go(src.dev, MIGLAB_PRE_COPY);
	n = drain(src.dev, stream, sizeof(stream), &end);
	assert_int_equal(end, -ENOMSG);
	assert_true(n > MIGLAB_EDU_STATE_BYTES);
	assert_int_equal(src.dev->ops->precopy_info(src.dev, &info, &err), 0);
	assert_true(!info.initial_bytes && !info.dirty_bytes);
	put(&src, MIGLAB_EDU_LIVE, 3, 4);
	assert_int_equal(src.dev->ops->precopy_info(src.dev, &info, &err), 0);
	assert_int_equal(info.dirty_bytes, MIGLAB_PAGE);
	fill_ram(SOURCE, 16, 1);
	transfer(&src, RAM_IOVA + SOURCE, 0, 16, 0);
	assert_int_equal(src.dev->ops->precopy_info(src.dev, &info, &err), 0);
	assert_int_equal(info.dirty_bytes, 2 * MIGLAB_PAGE);
}

#define edu_row(function) cmocka_unit_test_teardown(function, close_both)

int edu_rows(void)
{
	const struct CMUnitTest rows[] = {
		edu_row(registers_move),
		edu_row(registers_stay_with_the_synthetic_model),
		edu_row(memory_decoding_may_be_off),
		edu_row(the_buffer_moves),
		edu_row(the_buffer_has_what_was_there_when_it_was_moved),
		edu_row(without_the_shadow_the_buffer_does_not_move),
		edu_row(a_command_in_a_p2p_state_is_held_and_moves),
		edu_row(a_held_command_begins_when_the_device_runs_again),
		edu_row(no_transfer_begins_in_a_p2p_state),
		edu_row(an_arc_waits_for_the_transfer_in_flight),
		edu_row(an_arc_fails_when_the_bound_is_reached),
		edu_row(a_computation_is_waited_for_before_stop),
		edu_row(a_computation_ends_with_its_interrupt),
		edu_row(msi_comes_once),
		edu_row(intx_comes_once),
		edu_row(no_interrupt_comes_of_nothing),
		edu_row(a_held_command_interrupts_when_it_is_done),
		edu_row(commands_out_of_range_are_dropped),
		edu_row(a_transfer_that_reaches_nothing_ends),
		edu_row(bus_mastering_goes_off_in_flight),
		edu_row(the_bar_is_trapped),
		edu_row(a_reset_clears_all),
		edu_row(a_reset_ends_the_transfer_in_flight),
		edu_row(bad_registers_are_refused),
		edu_row(a_reset_voids_a_load),
		edu_row(a_stream_of_another_model_is_refused),
		edu_row(pre_copy_sends_what_changed),
	};

	return cmocka_run_group_tests_name("edu", rows, setup_ram, teardown_ram);
}
