// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulated function mem: what its user writes to the memory behind its BAR moves, however he
 * writes it. Functions 0 and 1 are two of them, by their UUIDs; function 2 is an emulated edu,
 * which reaches the memory of function 0 by DMA.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "core/fsm.h"
#include "device/vfio.h"
#include "edu.h"

#define MEM_BAR		VFIO_PCI_BAR2_REGION_INDEX
#define MEM_IOVA	0x4000000u

struct mem {
	struct device *dev;
	int fd;
	uint64_t bar, size, config;
	unsigned char *map;
};

static struct mem src, dst;
static struct edu peer;

static void set_command(struct mem *m, uint16_t command)
{
	assert_int_equal(pwrite(m->fd, &command, 2, (off_t)m->config + PCI_COMMAND), 2);
}

static void open_mem(struct mem *m, unsigned int index)
{
	struct vfio_region_info info;

	m->dev = open_function(index);
	m->fd = ((struct vfio *)m->dev)->files.device;
	m->config = region(m->fd, VFIO_PCI_CONFIG_REGION_INDEX).offset;
	info = region(m->fd, MEM_BAR);
	assert_true(info.flags & VFIO_REGION_INFO_FLAG_MMAP);
	m->bar = info.offset;
	m->size = info.size;
	set_command(m, PCI_COMMAND_MEMORY);
	m->map = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, (off_t)m->bar);
	assert_ptr_not_equal(m->map, MAP_FAILED);
}

static void open_both(void)
{
	open_mem(&src, 0);
	open_mem(&dst, 1);
}

/* What is mapped keeps the device open. */
static int close_both(void **state)
{
	if (src.map)
		munmap(src.map, src.size);
	if (dst.map)
		munmap(dst.map, dst.size);
	src.map = NULL;
	dst.map = NULL;
	return close_functions(state);
}

static void fill(struct mem *m, unsigned int seed)
{
	uint64_t i;

	for (i = 0; i < m->size; i++)
		m->map[i] = (unsigned char)((seed = seed * 1103515245u + 12345u) >> 16);
}

static sigjmp_buf escape;

static void on_sigbus(int number)
{
	(void)number;
	siglongjmp(escape, 1);
}

/* Does the write to the mapping, or the read of it, fail? */
static bool faults(volatile unsigned char *at, bool writes)
{
	struct sigaction action = { .sa_handler = on_sigbus }, before;
	volatile bool fault = true;

	sigaction(SIGBUS, &action, &before);
	if (!sigsetjmp(escape, 1)) {
		if (writes)
			*at = 0x55;
		else
			(void)*at;
		fault = false;
	}
	sigaction(SIGBUS, &before, NULL);
	return fault;
}

static void memory_moves(void **state)
{
	unsigned char byte;

	(void)state;
	open_both();
	assert_int_equal(src.map[0] | src.map[src.size - 1], 0);
	fill(&src, 1);
	move_state(src.dev, dst.dev);
	assert_memory_equal(src.map, dst.map, src.size);
	assert_int_equal(pread(dst.fd, &byte, 1, (off_t)dst.bar + 4097), 1);
	assert_int_equal(byte, src.map[4097]);
	/* And back, through the mappings that there were. */
	fill(&dst, 2);
	go(src.dev, MIGLAB_RUNNING);
	move_state(dst.dev, src.dev);
	assert_memory_equal(src.map, dst.map, src.size);
}

/* Writes when all has been sent, by the mapping and by write(), and what is sent again. */
static void what_is_written_in_pre_copy_moves(void **state)
{
	static unsigned char stream[STREAM_MAX];
	struct precopy_info info;
	struct error err = { "" };
	ssize_t end;
	size_t n;

	(void)state;
	open_both();
	fill(&src, 3);
	go(src.dev, MIGLAB_PRE_COPY);
	n = drain(src.dev, stream, sizeof(stream), &end);
	assert_int_equal(end, -ENOMSG);
	src.map[5 * 4096] ^= 1;
	assert_int_equal(pwrite(src.fd, "there", 5, (off_t)src.bar + 9 * 4096 - 2), 5);
	assert_int_equal(src.dev->ops->precopy_info(src.dev, &info, &err), 0);
	assert_in_range(info.dirty_bytes, 3 * 4096, 3 * (4096 + 64));
	n += drain(src.dev, stream + n, sizeof(stream) - n, &end);
	assert_int_equal(end, -ENOMSG);
	src.map[5 * 4096] ^= 2;
	go(src.dev, MIGLAB_STOP_COPY);
	n += drain(src.dev, stream + n, sizeof(stream) - n, &end);
	assert_int_equal(end, 0);
	go(dst.dev, MIGLAB_RESUMING);
	assert_int_equal(load(dst.dev, stream, n, 10000), 0);
	go(dst.dev, MIGLAB_RUNNING);
	assert_memory_equal(src.map, dst.map, src.size);
}

static void a_stopped_device_keeps_its_memory(void **state)
{
	(void)state;
	open_both();
	fill(&src, 4);
	src.map[0] = 7;
	go(src.dev, MIGLAB_STOP);
	assert_false(faults(src.map, false));
	assert_int_equal(src.map[0], 7);
	assert_true(faults(src.map, true));
	assert_int_equal(pwrite(src.fd, "x", 1, (off_t)src.bar), 1);
	assert_int_equal(src.map[0], 7);
	go(src.dev, MIGLAB_RUNNING_P2P);
	assert_false(faults(src.map, true));
	assert_int_equal(src.map[0], 0x55);
}

static void memory_that_is_disabled_faults(void **state)
{
	char byte;

	(void)state;
	open_both();
	src.map[4096] = 9;
	set_command(&src, 0);
	assert_true(faults(src.map + 4096, false));
	assert_int_equal(pread(src.fd, &byte, 1, (off_t)src.bar), -1);
	assert_int_equal(errno, EIO);
	set_command(&src, PCI_COMMAND_MEMORY);
	assert_false(faults(src.map + 4096, false));
	assert_int_equal(src.map[4096], 9);
}

/* What a stream brought is the device's from the arc on, and not before. */
static void a_reset_voids_a_load(void **state)
{
	static unsigned char stream[STREAM_MAX];
	struct error err = { "" };
	ssize_t end;
	size_t n;

	(void)state;
	open_both();
	fill(&src, 5);
	dst.map[0] = 3;
	go(src.dev, MIGLAB_STOP_COPY);
	n = drain(src.dev, stream, sizeof(stream), &end);
	go(dst.dev, MIGLAB_RESUMING);
	assert_int_equal(load(dst.dev, stream, n, sizeof(stream)), 0);
	assert_int_equal(dst.map[0], 3);
	assert_int_equal(dst.dev->ops->reset(dst.dev, &err), 0);
	assert_int_equal(dst.map[0], 3);
	assert_false(faults(dst.map, true));
	go(dst.dev, MIGLAB_STOP);
	assert_int_equal(dst.map[0], 0x55);
}

/* Another function writes the memory, peer to peer, when it has been sent. */
static void what_a_peer_writes_moves(void **state)
{
	static unsigned char stream[STREAM_MAX];
	ssize_t end;
	size_t n;

	(void)state;
	open_both();
	open_edu(&peer, 2);
	map_for_edu(&peer, src.map, MEM_IOVA, src.size);
	fill_ram(SOURCE, 64, 6);
	transfer(&peer, RAM_IOVA + SOURCE, 0, 64, 0);
	go(src.dev, MIGLAB_PRE_COPY);
	n = drain(src.dev, stream, sizeof(stream), &end);
	transfer(&peer, MEM_IOVA + 4096 + 32, 0, 64, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(src.map + 4096 + 32, ram + SOURCE, 64);
	go(src.dev, MIGLAB_STOP_COPY);
	n += drain(src.dev, stream + n, sizeof(stream) - n, &end);
	go(dst.dev, MIGLAB_RESUMING);
	assert_int_equal(load(dst.dev, stream, n, sizeof(stream)), 0);
	go(dst.dev, MIGLAB_RUNNING);
	assert_memory_equal(dst.map + 4096 + 32, ram + SOURCE, 64);
	/* What has stopped is not written any more. */
	transfer(&peer, MEM_IOVA, 0, 64, MIGLAB_EDU_TO_RAM);
	assert_int_equal(since_open(&peer, DMA_FAILED), 1);
	assert_memory_equal(src.map, dst.map, src.size);
	close(peer.event);
}

static void mappings_are_refused(void **state)
{
	(void)state;
	open_both();
	assert_ptr_equal(mmap(NULL, src.size + 4096, PROT_READ, MAP_SHARED, src.fd,
			      (off_t)src.bar), MAP_FAILED);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ, MAP_SHARED, src.fd,
			      (off_t)(src.bar + src.size)), MAP_FAILED);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, src.fd, (off_t)src.bar),
			 MAP_FAILED);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ, MAP_SHARED, src.fd, (off_t)src.config),
			 MAP_FAILED);
}

#define mem_row(function) cmocka_unit_test_teardown(function, close_both)

int mdev_mem_rows(void)
{
	const struct CMUnitTest rows[] = {
		mem_row(memory_moves),
		mem_row(what_is_written_in_pre_copy_moves),
		mem_row(a_stopped_device_keeps_its_memory),
		mem_row(memory_that_is_disabled_faults),
		mem_row(a_reset_voids_a_load),
		mem_row(what_a_peer_writes_moves),
		mem_row(mappings_are_refused),
	};

	return cmocka_run_group_tests_name("mdev-mem", rows, setup_ram, teardown_ram);
}
