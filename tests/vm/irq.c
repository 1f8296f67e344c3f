// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts that the function itself raises reach the user before and after a
 * migration. Needs functions that raise one when told to: edu for INTx and MSI, e1000e
 * for MSI-X.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "core/fsm.h"
#include "lab.h"

#define VECTORS_MAX 2

/* A function with its interrupts of some kind wired to events. */
struct wired {
	struct device *dev;
	int fd;
	int events[VECTORS_MAX];
	uint64_t registers;	/* where BAR 0 begins */
	const struct raiser *raiser;
};

/* How a function raises an interrupt by itself, and is quiet again. */
struct raiser {
	uint32_t ids;
	void (*raise)(struct wired *r, unsigned int vector);
	void (*quiet)(struct wired *r);
};

static void put_register(struct wired *r, uint32_t offset, uint32_t value)
{
	assert_int_equal(pwrite(r->fd, &value, 4, (off_t)(r->registers + offset)), 4);
}

/* edu's registers, in QEMU's docs/specs/edu.rst. */
static void edu_raise(struct wired *r, unsigned int vector)
{
	assert_int_equal(vector, 0);
	put_register(r, 0x60, 1);
}

static void edu_quiet(struct wired *r)
{
	put_register(r, 0x64, 1);
}

/* The 82574's registers, in its datasheet, chapter 10. */
enum { ICR = 0xc0, ICS = 0xc8, IMS = 0xd0, IMC = 0xd8, IVAR = 0xe4 };

#define CAUSE_OTHER	(1u << 24)
#define IVAR_OTHER_TO(vector)	((0x8u | (vector)) << 16)

/* Throttling may repeat the message later, even if the cause is gone by then. */
static void e1000e_raise(struct wired *r, unsigned int vector)
{
	put_register(r, IVAR, IVAR_OTHER_TO(vector));
	put_register(r, IMS, CAUSE_OTHER);
	put_register(r, ICS, CAUSE_OTHER);
}

static void e1000e_quiet(struct wired *r)
{
	put_register(r, IMC, UINT32_MAX);
	put_register(r, ICR, UINT32_MAX);
}

static const struct raiser raisers[] = {
	{ 0x11e81234, edu_raise, edu_quiet },
	{ 0x10d38086, e1000e_raise, e1000e_quiet },
};

/* Function @index, quiet, with its registers and its bus mastering switched on. */
static void wired_open(struct wired *r, unsigned int index, int other_fd)
{
	uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	uint64_t config;
	uint32_t ids;
	size_t i;

	r->dev = open_function(index);
	r->fd = find_descriptor(DEVICE_FD, other_fd);
	r->registers = region(r->fd, VFIO_PCI_BAR0_REGION_INDEX).offset;
	config = region(r->fd, VFIO_PCI_CONFIG_REGION_INDEX).offset;
	assert_int_equal(pread(r->fd, &ids, 4, (off_t)config), 4);
	assert_int_equal(pwrite(r->fd, &command, 2, (off_t)config + PCI_COMMAND), 2);
	r->raiser = NULL;
	for (i = 0; i < sizeof(raisers) / sizeof(raisers[0]); i++)
		if (raisers[i].ids == ids)
			r->raiser = &raisers[i];
	assert_non_null(r->raiser);
	r->raiser->quiet(r);
	for (i = 0; i < VECTORS_MAX; i++) {
		r->events[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		assert_true(r->events[i] >= 0);
	}
}

static void wired_close(struct wired *r)
{
	size_t i;

	close_function(r->dev);
	for (i = 0; i < VECTORS_MAX; i++)
		close(r->events[i]);
}

/* The kernel masks INTx whenever it has passed one on. */
static void unmask_intx(struct wired *r)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK,
		.index = VFIO_PCI_INTX_IRQ_INDEX,
		.count = 1,
	};

	assert_int_equal(ioctl(r->fd, VFIO_DEVICE_SET_IRQS, &set), 0);
}

/* The function raises one and the user gets it, and had none before. */
static void assert_delivers(struct wired *r, uint32_t index, unsigned int vector)
{
	struct pollfd pfd = { .fd = r->events[vector], .events = POLLIN };
	uint64_t count;

	assert_int_equal(read(pfd.fd, &count, sizeof(count)), -1);
	assert_int_equal(errno, EAGAIN);
	r->raiser->raise(r, vector);
	assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
	assert_int_equal(read(pfd.fd, &count, sizeof(count)), sizeof(count));
	r->raiser->quiet(r);
	if (index == VFIO_PCI_INTX_IRQ_INDEX)
		unmask_intx(r);
}

/*
 * Also those of the source, which goes on as if nothing had happened. With two vectors
 * the second is used afterwards, so that no late message of the first can pass for it.
 */
static void interrupts_outlive_a_migration(uint32_t index, unsigned int vectors)
{
	unsigned int last = vectors - 1;
	struct wired src, dst;

	wired_open(&src, 0, -1);
	wired_open(&dst, 1, src.fd);
	wire_interrupts(src.fd, index, src.events, vectors);
	wire_interrupts(dst.fd, index, dst.events, vectors);
	assert_delivers(&src, index, 0);
	assert_delivers(&dst, index, 0);
	move_state(src.dev, dst.dev);
	assert_delivers(&dst, index, last);
	go(src.dev, MIGLAB_RUNNING);
	assert_delivers(&src, index, last);
	wired_close(&src);
	wired_close(&dst);
}

static void intx_outlives_a_migration(void **state)
{
	(void)state;
	interrupts_outlive_a_migration(VFIO_PCI_INTX_IRQ_INDEX, 1);
}

static void msi_outlives_a_migration(void **state)
{
	(void)state;
	interrupts_outlive_a_migration(VFIO_PCI_MSI_IRQ_INDEX, 1);
}

static void msix_outlives_a_migration(void **state)
{
	(void)state;
	interrupts_outlive_a_migration(VFIO_PCI_MSIX_IRQ_INDEX, VECTORS_MAX);
}

int irq_rows(void)
{
	const struct CMUnitTest rows[] = {
		row(intx_outlives_a_migration),
		row(msi_outlives_a_migration),
	};

	return cmocka_run_group_tests_name("irq", rows, NULL, NULL);
}

int msix_rows(void)
{
	const struct CMUnitTest rows[] = {
		row(msix_outlives_a_migration),
	};

	return cmocka_run_group_tests_name("msix", rows, NULL, NULL);
}
