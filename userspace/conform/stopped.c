// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that has stopped: its registers, and the memory that it must not write.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <unistd.h>

#include "conform/case.h"
#include "device/state.h"

#define SAMPLE_BYTES	16	/* of BAR 0 */
#define IOVA		0x10000ull
#define PAGE		4096ull

static const uint32_t stopped[] = {
	VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_STOP_COPY, VFIO_DEVICE_STATE_RESUMING,
};

#define NR_STOPPED	(sizeof(stopped) / sizeof(stopped[0]))

/* The first registers of BAR 0, four bytes at a time. */
static void sample(struct conform *c, off_t at, uint32_t ret_sample[SAMPLE_BYTES / 4])
{
	for (size_t i = 0; i < SAMPLE_BYTES / 4; i++)
		require_result(c, c->dev->calls->pread(c->dev, DEVICE_SELF, &ret_sample[i], 4,
						       at + i * 4), 4, "reading BAR 0");
}

static off_t bar(struct conform *c)
{
	size_t size;
	off_t at;

	if (!dut_region(c, VFIO_PCI_BAR0_REGION_INDEX, &at, &size) || size < SAMPLE_BYTES)
		conform_skip(c, "the device has no BAR 0");
	return at;
}

static void is_stable(struct conform *c)
{
	uint32_t before[SAMPLE_BYTES / 4], now[SAMPLE_BYTES / 4];
	off_t at = bar(c);

	for (size_t i = 0; i < NR_STOPPED; i++) {
		dut_go(c, stopped[i]);
		sample(c, at, before);
		for (int n = 0; n < 10; n++) {
			usleep(2000);
			sample(c, at, now);
			require(c, !memcmp(before, now, sizeof(now)),
				"its registers change by themselves in %s",
				device_state_name(stopped[i]));
		}
		dut_home(c);
	}
}

static void can_be_set_up(struct conform *c)
{
	uint8_t line, now;
	size_t size;
	off_t at;

	if (!dut_region(c, VFIO_PCI_CONFIG_REGION_INDEX, &at, &size))
		conform_skip(c, "the device has no configuration space");
	at += PCI_INTERRUPT_LINE;
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	require_result(c, c->dev->calls->pread(c->dev, DEVICE_SELF, &line, 1, at), 1,
		       "reading its interrupt line in STOP");
	line ^= 5;
	require_result(c, c->dev->calls->pwrite(c->dev, DEVICE_SELF, &line, 1, at), 1,
		       "writing it in STOP");
	require_result(c, c->dev->calls->pread(c->dev, DEVICE_SELF, &now, 1, at), 1,
		       "reading it back");
	require(c, now == line, "configuration space does not take writes in STOP");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void survives_access(struct conform *c)
{
	off_t at = bar(c);
	uint32_t value;

	for (size_t i = 0; i < NR_STOPPED; i++) {
		ssize_t n;

		dut_go(c, stopped[i]);
		n = c->dev->calls->pread(c->dev, DEVICE_SELF, &value, 4, at);
		require(c, n == 4 || n < 0, "reading BAR 0 gave %zd bytes", n);
		dut_home(c);
	}
}

static void give_page(struct conform *c, uint64_t page)
{
	dut_dma(c, IOVA + page * PAGE, PAGE);
}

/* What it wrongly began before STOP has landed in STOP. */
static void no_new_writes(struct conform *c)
{
	const uint8_t *bytes = dut_memory(c, IOVA, 2 * PAGE);

	give_page(c, 0);
	dut_dma_wait(c);
	require(c, !dut_untouched(bytes, PAGE), "it writes nothing in RUNNING");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING_P2P);
	give_page(c, 1);
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	require(c, dut_untouched(bytes + PAGE, PAGE), "it began to write in RUNNING_P2P");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
	dut_dma_wait(c);
	require(c, !dut_untouched(bytes + PAGE, PAGE),
		"work that it was given in RUNNING_P2P is not done in RUNNING");
}

#define STATES	"uapi/linux/vfio.h, enum vfio_device_mig_state"

const struct conform_case stopped_cases[] = {
	{ 77, "is-stable", CLASS_SPEC, 0, 0, STATES,
	  "In STOP, STOP_COPY and RESUMING the device does not change by itself.", is_stable },
	{ 78, "can-be-set-up", CLASS_SPEC, 0, 0, STATES,
	  "Configuration space works in STOP.", can_be_set_up },
	{ 79, "survives-access", CLASS_ROB, 0, 0, STATES,
	  "Access to the registers of a stopped device does not harm the host.",
	  survives_access },
	{ 80, "no-new-writes", CLASS_SPEC, NEEDS_P2P | NEEDS_DMA, 0, STATES,
	  "In RUNNING_P2P the device begins no write to memory; work given to it there is done later.",
	  no_new_writes },
	{ }
};
