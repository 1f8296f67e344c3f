// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bar.h"
#include "core/fsm.h"
#include "core/prng.h"
#include "device/vfio.h"

struct memory src, dst;

unsigned char *map_pages(const struct memory *m, uint64_t first, uint64_t count)
{
	void *map = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd,
			 (off_t)(m->info.offset + first * PAGE));

	assert_ptr_not_equal(map, MAP_FAILED);
	return map;
}

static void open_memory(struct memory *m, unsigned int index)
{
	m->dev = open_function(index);
	m->fd = ((struct vfio *)m->dev)->files.device;
	m->info = region(m->fd, BAR_INDEX);
	assert_true(m->info.flags & VFIO_REGION_INFO_FLAG_MMAP);
	m->map = map_pages(m, 0, m->info.size / PAGE);
}

int open_both(void **state)
{
	(void)state;
	open_memory(&src, 0);
	open_memory(&dst, 1);
	assert_int_equal(src.info.size, dst.info.size);
	return 0;
}

int close_both(void **state)
{
	munmap(src.map, src.info.size);
	munmap(dst.map, dst.info.size);
	return close_functions(state);
}

uint64_t pages(void)
{
	return src.info.size / PAGE;
}

void fill(struct memory *m, uint64_t seed)
{
	uint64_t *word = (uint64_t *)m->map, at;

	for (at = 0; at < m->info.size / sizeof(*word); at++)
		word[at] = miglab_prng(&seed);
}

ssize_t pump_once(void)
{
	static unsigned char piece[1u << 20];
	ssize_t n = src.dev->ops->read(src.dev, piece, sizeof(piece));

	if (n > 0)
		assert_int_equal(load(dst.dev, piece, (size_t)n, sizeof(piece)), 0);
	return n;
}

uint64_t pump(ssize_t *ret_end)
{
	uint64_t bytes = 0;
	ssize_t n;

	while ((n = pump_once()) > 0)
		bytes += (uint64_t)n;
	if (ret_end)
		*ret_end = n;
	return bytes;
}

uint64_t dirty_bytes(void)
{
	struct error err = { "" };
	struct precopy_info info;

	assert_int_equal(src.dev->ops->precopy_info(src.dev, &info, &err), 0);
	assert_int_equal(info.initial_bytes, 0);
	return info.dirty_bytes;
}

void begin(void)
{
	ssize_t end;

	go(dst.dev, MIGLAB_RESUMING);
	go(src.dev, MIGLAB_PRE_COPY);
	assert_in_range(pump(&end), src.info.size, src.info.size / 100 * 101);
	assert_int_equal(end, -ENOMSG);
	assert_int_equal(dirty_bytes(), 0);
}

bool same_fingerprints(void)
{
	char *from = attribute(src.dev, "fingerprint"), *to = attribute(dst.dev, "fingerprint");
	bool same = !strcmp(from, to);

	assert_string_not_equal(from, "none\n");
	free(from);
	free(to);
	return same;
}

static void end_stream(void)
{
	ssize_t last;

	go(src.dev, MIGLAB_STOP_COPY);
	pump(&last);
	assert_int_equal(last, 0);
}

void end(void)
{
	end_stream();
	go(dst.dev, MIGLAB_STOP);
	go(src.dev, MIGLAB_STOP);
}

void end_refused(void)
{
	struct error err;

	end_stream();
	assert_int_equal(dst.dev->ops->set_state(dst.dev, MIGLAB_STOP, &err), -EINVAL);
	assert_int_equal(state_of(dst.dev), MIGLAB_RESUMING);
	go(src.dev, MIGLAB_STOP);
	assert_int_not_equal(memcmp(src.map, dst.map, src.info.size), 0);
}

void assert_moved(void)
{
	assert_memory_equal(src.map, dst.map, src.info.size);
	assert_true(same_fingerprints());
}

void reset_memory(struct memory *m)
{
	struct error err = { "" };

	if (m->dev->ops->reset(m->dev, &err))
		fail_msg("%s", err.text);
}

static off_t command_at(const struct memory *m)
{
	return (off_t)region(m->fd, VFIO_PCI_CONFIG_REGION_INDEX).offset + PCI_COMMAND;
}

uint16_t command_of(const struct memory *m)
{
	uint16_t command;

	assert_int_equal(pread(m->fd, &command, sizeof(command), command_at(m)), sizeof(command));
	return command;
}

void set_command(const struct memory *m, uint16_t command)
{
	assert_int_equal(pwrite(m->fd, &command, sizeof(command), command_at(m)), sizeof(command));
}
