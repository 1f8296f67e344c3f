// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything at once: SETs, GETs, I/O, resets and writes to attributes that race
 * with each other. The kernel must stay silent, and nothing may be left behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/fsm.h"
#include "core/prng.h"
#include "raw.h"

#define SETS	1500		/* of each setter */
#define RESETS	3
#define TOGGLES	150
#define READERS	2

static unsigned char stream[STREAM_MAX];
static _Atomic bool over;
static atomic_uint odd_results;
static atomic_int session = -1;	/* whose turn it is to be used; a setter puts it there */
static _Atomic size_t bytes_read;

/* Nothing in a thread may assert: it counts what should not be. */
static void *set_main(void *opaque)
{
	uint64_t seed = (uintptr_t)opaque;
	int fd, ret, i;

	for (i = 0; i < SETS; i++) {
		ret = raw_set(MIGLAB_STOP + miglab_prng(&seed) % 7, &fd);
		/* RESUMING is left without a stream, or a reset came. */
		if (ret && ret != -EINVAL && ret != -EIO && ret != -ENODEV)
			odd_results++;
		if (fd >= 0)
			fd = atomic_exchange(&session, fd);
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

static void *use_main(void *opaque)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };
	struct pollfd pfd = { .events = POLLIN | POLLOUT };
	unsigned char buf[9000] = { 0 };

	(void)opaque;
	while (!over) {
		pfd.fd = dup(session);
		if (pfd.fd < 0)
			continue;
		poll(&pfd, 1, 1);
		ioctl(pfd.fd, VFIO_MIG_GET_PRECOPY_INFO, &info);
		if (read(pfd.fd, buf, sizeof(buf)) < 0 && errno == EBADF &&
		    write(pfd.fd, buf, sizeof(buf)) == 0)
			odd_results++;
		close(pfd.fd);
	}
	return NULL;
}

static void *get_main(void *opaque)
{
	struct device *dev = opaque;
	static const char *const rates[] = { "0", "18446744073709551615", "65536" };
	static const char *const names[] = { "history", "stats", "held", "fingerprint", "rules" };
	unsigned int i;

	for (i = 0; !over; i++) {
		uint32_t state = raw_state();

		if (state == MIGLAB_ERROR || state >= MIGLAB_NR_STATES)
			odd_results++;
		set_attribute(dev, "dirty_bytes_per_sec", rates[i % 3]);
		set_attribute(dev, "rules", i % 2 ? "arc=RUNNING>PRE_COPY delay_us=100" : "\n");
		free(attribute(dev, names[i % 5]));
	}
	return NULL;
}

static void start(pthread_t *thread, void *(*main)(void *), void *opaque)
{
	assert_int_equal(pthread_create(thread, NULL, main, opaque), 0);
}

static void a_storm_leaves_nothing(void **state)
{
	pthread_t setters[2], users[READERS], getter;
	struct device *dev = raw_open(0);
	int i;

	(void)state;
	over = false;
	odd_results = 0;
	start(&getter, get_main, dev);
	for (i = 0; i < READERS; i++)
		start(&users[i], use_main, NULL);
	for (i = 0; i < 2; i++)
		start(&setters[i], set_main, (void *)(uintptr_t)(i + 1));
	for (i = 0; i < RESETS; i++)
		assert_int_equal(raw_reset(), 0);
	for (i = 0; i < 2; i++)
		pthread_join(setters[i], NULL);
	over = true;
	for (i = 0; i < READERS; i++)
		pthread_join(users[i], NULL);
	pthread_join(getter, NULL);
	close(atomic_exchange(&session, -1));
	assert_int_equal(odd_results, 0);
	assert_int_equal(raw_reset(), 0);
	assert_int_equal(raw_state(), MIGLAB_RUNNING);
	assert_int_equal(stat_of(dev, "sessions_live"), 0);
	assert_int_equal(stat_of(dev, "images_live"), 1);
	set_attribute(dev, "dirty_bytes_per_sec", "0");
}

static void *read_main(void *opaque)
{
	unsigned char buf[3001];
	ssize_t n;

	(void)opaque;
	while ((n = read(session, buf, sizeof(buf))) > 0)
		bytes_read += (size_t)n;
	return NULL;
}

static void two_readers_share_one_stream(void **state)
{
	pthread_t readers[2];
	ssize_t n, size = 0;
	int i;

	(void)state;
	raw_open(0);
	session = raw_go(MIGLAB_STOP_COPY);
	while ((n = read(session, stream, sizeof(stream))) > 0)
		size += n;
	close(session);
	raw_go(MIGLAB_STOP);
	session = raw_go(MIGLAB_STOP_COPY);
	bytes_read = 0;
	for (i = 0; i < 2; i++)
		start(&readers[i], read_main, NULL);
	for (i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
	close(atomic_exchange(&session, -1));
	assert_int_equal(bytes_read, size);
}

/* What the function itself has, whatever the driver shows. */
static bool masters_the_bus(void)
{
	unsigned char command;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", raw_bdf());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &command, 1, PCI_COMMAND), 1);
	close(fd);
	return command & PCI_COMMAND_MASTER;
}

static void assert_bus_master(bool seen, bool real)
{
	assert_int_equal(!!(raw_command() & PCI_COMMAND_MASTER), seen);
	assert_int_equal(masters_the_bus(), real);
}

static void a_stopped_device_masters_no_bus(void **state)
{
	(void)state;
	raw_open(0);
	assert_bus_master(false, false);
	raw_set_command(PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	assert_bus_master(true, true);
	raw_go(MIGLAB_STOP);
	assert_bus_master(true, false);
	raw_set_command(PCI_COMMAND_MEMORY);
	assert_bus_master(false, false);
	raw_go(MIGLAB_RUNNING);
	assert_bus_master(false, false);
	raw_go(MIGLAB_STOP);
	raw_set_command(PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	assert_bus_master(true, false);
	assert_int_equal(raw_reset(), 0);
	assert_bus_master(true, true);
}

/* The first half of the write arrives and the second fails: the device is stopped all the same. */
static void a_write_that_fails_half_way_starts_no_bus_master(void **state)
{
	const uint32_t on = PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	unsigned char *edge = at_the_edge(sizeof(on));

	(void)state;
	raw_open(0);
	raw_go(MIGLAB_STOP);
	memcpy(edge, &on, sizeof(on));
	assert_int_equal(raw_write_command(edge, 8), -EFAULT);
	assert_false(masters_the_bus());
}

static void *toggle_main(void *opaque)
{
	int fd, i;

	(void)opaque;
	for (i = 0; i < TOGGLES; i++)
		if (raw_set(i % 2 ? MIGLAB_RUNNING : MIGLAB_STOP, &fd))
			odd_results++;
	over = true;
	return NULL;
}

/* The user sets the bit again and again: it never vanishes, wherever the SETs are. */
static void a_racing_set_keeps_the_users_bus_master_bit(void **state)
{
	const uint16_t on = PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	unsigned int lost = 0;
	pthread_t thread;

	(void)state;
	raw_open(0);
	raw_set_command(on);
	over = false;
	odd_results = 0;
	start(&thread, toggle_main, NULL);
	while (!over)
		raw_set_command(on);
	pthread_join(thread, NULL);
	assert_int_equal(odd_results, 0);
	raw_go(MIGLAB_RUNNING);
	lost += !masters_the_bus();
	raw_go(MIGLAB_STOP);
	lost += masters_the_bus();
	assert_int_equal(lost, 0);
}

static void a_hot_reset_is_a_reset(void **state)
{
	struct device *dev = raw_open(0);
	int fd;

	(void)state;
	fd = raw_go(MIGLAB_STOP_COPY);
	assert_int_equal(raw_hot_reset(), 0);
	assert_int_equal(raw_state(), MIGLAB_RUNNING);
	assert_int_equal(read(fd, stream, 1), -1);
	assert_int_equal(errno, ENODEV);
	close(fd);
	assert_int_equal(stat_of(dev, "sessions_live"), 0);
}

int storm_rows(void)
{
	const struct CMUnitTest rows[] = {
		raw_row(a_storm_leaves_nothing),
		raw_row(two_readers_share_one_stream),
		raw_row(a_stopped_device_masters_no_bus),
		raw_row(a_write_that_fails_half_way_starts_no_bus_master),
		raw_row(a_racing_set_keeps_the_users_bus_master_bit),
		raw_row(a_hot_reset_is_a_reset),
	};

	return cmocka_run_group_tests_name("storm", rows, NULL, NULL);
}
