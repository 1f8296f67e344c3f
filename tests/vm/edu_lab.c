// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "base/clock.h"
#include "device/vfio.h"
#include "edu.h"

static const char *const counters[NR_COUNTERS] = {
	"dma_done", "dma_failed", "dma_held", "dma_refused", "dma_corrected",
};

unsigned char *ram;

int setup_ram(void **state)
{
	(void)state;
	ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return ram == MAP_FAILED;
}

int teardown_ram(void **state)
{
	(void)state;
	return munmap(ram, RAM_BYTES);
}

void map_for_edu(struct edu *e, void *vaddr, uint64_t iova, uint64_t size)
{
	struct error err = { "" };

	if (e->dev->ops->map(e->dev, iova, vaddr, size, &err))
		fail_msg("%s", err.text);
}

void set_edu_command(struct edu *e, uint16_t command)
{
	assert_int_equal(pwrite(e->fd, &command, 2, (off_t)e->config + PCI_COMMAND), 2);
}

uint64_t since_open(struct edu *e, enum counter counter)
{
	return stat_of(e->dev, counters[counter]) - e->counted[counter];
}

void open_edu(struct edu *e, unsigned int index)
{
	const struct vfio_files *files;
	int i;

	e->dev = open_function(index);
	files = &((struct vfio *)e->dev)->files;
	e->fd = files->device;
	e->container = files->container;
	e->bar = region(e->fd, VFIO_PCI_BAR0_REGION_INDEX).offset;
	e->config = region(e->fd, VFIO_PCI_CONFIG_REGION_INDEX).offset;
	set_edu_command(e, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	map_for_edu(e, ram, RAM_IOVA, RAM_BYTES);
	e->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(e->event >= 0);
	for (i = 0; i < NR_COUNTERS; i++)
		e->counted[i] = stat_of(e->dev, counters[i]);
}

uint64_t get(struct edu *e, uint64_t at, size_t size)
{
	uint64_t value = 0;

	assert_int_equal(pread(e->fd, &value, size, (off_t)(e->bar + at)), size);
	return value;
}

void put(struct edu *e, uint64_t at, uint64_t value, size_t size)
{
	assert_int_equal(pwrite(e->fd, &value, size, (off_t)(e->bar + at)), size);
}

void wait_clear(struct edu *e, uint64_t at, size_t size, uint64_t bits)
{
	uint64_t deadline = clock_ns() + PATIENCE_NS;

	while (get(e, at, size) & bits) {
		if (clock_ns() > deadline)
			fail_msg("register %#llx stays busy", (unsigned long long)at);
		sched_yield();
	}
}

void give(struct edu *e, uint64_t iova, uint32_t buffer, uint32_t count, uint32_t cmd)
{
	bool to_ram = cmd & MIGLAB_EDU_TO_RAM;

	put(e, MIGLAB_EDU_DMA_SRC, to_ram ? MIGLAB_EDU_BUFFER_AT + buffer : iova, 8);
	put(e, MIGLAB_EDU_DMA_DST, to_ram ? iova : MIGLAB_EDU_BUFFER_AT + buffer, 8);
	put(e, MIGLAB_EDU_DMA_COUNT, count, 8);
	put(e, MIGLAB_EDU_DMA_CMD, cmd | MIGLAB_EDU_RUN, 8);
}

void transfer(struct edu *e, uint64_t iova, uint32_t buffer, uint32_t count, uint32_t cmd)
{
	give(e, iova, buffer, count, cmd);
	wait_clear(e, MIGLAB_EDU_DMA_CMD, 8, MIGLAB_EDU_RUN);
}

void fill_ram(uint32_t at, uint32_t count, unsigned int seed)
{
	while (count--)
		ram[at++] = (unsigned char)(seed = seed * 1103515245u + 12345u);
}
