// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data_fd as a descriptor: what it refuses, how a session ends, and what is
 * left of it when the device or the driver goes first.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fsm.h"
#include "device/pci.h"
#include "raw.h"

static unsigned char stream[STREAM_MAX], again[STREAM_MAX];

static int data_fd = -1;

static int close_all(void **state)
{
	if (data_fd >= 0)
		close(data_fd);
	data_fd = -1;
	return close_raw(state);
}

#define data_row(function) cmocka_unit_test_teardown(function, close_all)

static void close_data_fd(void)
{
	close(data_fd);
	data_fd = -1;
}

#define assert_fails(call, error)			\
	do {						\
		errno = 0;				\
		assert_int_equal(call, -1);		\
		assert_int_equal(errno, error);		\
	} while (0)

static void assert_stream(int fd)
{
	char byte = 0;

	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_fails(lseek(fd, 0, SEEK_CUR), ESPIPE);
	assert_fails(pread(fd, &byte, 1, 0), ESPIPE);
	assert_fails(pwrite(fd, &byte, 1, 0), ESPIPE);
	assert_fails(ioctl(fd, VFIO_DEVICE_RESET), ENOTTY);
	assert_ptr_equal(mmap(NULL, PAGE_BYTES, PROT_READ, MAP_PRIVATE, fd, 0), MAP_FAILED);
}

static void a_saving_data_fd_is_a_stream_to_read(void **state)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info), .flags = 77, .initial_bytes = 1 };
	char byte;

	(void)state;
	raw_open(0);
	data_fd = raw_go(MIGLAB_PRE_COPY);
	assert_stream(data_fd);
	assert_fails(write(data_fd, &byte, 1), EBADF);
	assert_int_equal(read(data_fd, &byte, 0), 0);
	assert_int_equal(ioctl(data_fd, VFIO_MIG_GET_PRECOPY_INFO, &info), 0);
	assert_int_equal(info.argsz, sizeof(info));
	assert_int_equal(info.flags, 0);
	info.argsz--;
	assert_fails(ioctl(data_fd, VFIO_MIG_GET_PRECOPY_INFO, &info), EINVAL);
	assert_fails(ioctl(data_fd, VFIO_MIG_GET_PRECOPY_INFO, NULL), EFAULT);
}

static void a_resuming_data_fd_is_a_stream_to_write(void **state)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };
	char byte;

	(void)state;
	raw_open(0);
	data_fd = raw_go(MIGLAB_RESUMING);
	assert_stream(data_fd);
	assert_fails(read(data_fd, &byte, 1), EBADF);
	assert_int_equal(write(data_fd, &byte, 0), 0);
	assert_fails(ioctl(data_fd, VFIO_MIG_GET_PRECOPY_INFO, &info), ENOTTY);
}

static size_t read_all(int fd, unsigned char *buf)
{
	size_t have = 0;
	ssize_t n;

	while ((n = read(fd, buf + have, STREAM_MAX - have)) > 0)
		have += (size_t)n;
	assert_int_equal(n, 0);
	return have;
}

/* Each read asks for more than fits before the fault; the stream is as if none had. */
static void a_fault_loses_no_byte_of_a_read(void **state)
{
	unsigned char *edge = at_the_edge(5000);
	size_t size, have = 0;
	ssize_t n;

	(void)state;
	raw_open(0);
	data_fd = raw_go(MIGLAB_STOP_COPY);
	size = read_all(data_fd, stream);
	close_data_fd();
	raw_go(MIGLAB_STOP);
	data_fd = raw_go(MIGLAB_STOP_COPY);
	assert_fails(read(data_fd, edge + 5000, 100), EFAULT);
	while ((n = read(data_fd, edge, 6000)) > 0) {
		assert_true(n <= 5000 && have + (size_t)n <= size);
		memcpy(again + have, edge, (size_t)n);
		have += (size_t)n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(have, size);
	assert_memory_equal(again, stream, size);
}

static void a_fault_breaks_no_write(void **state)
{
	unsigned char *edge = at_the_edge(5000);
	size_t size, done = 0, n;

	(void)state;
	raw_open(0);
	data_fd = raw_go(MIGLAB_STOP_COPY);
	size = read_all(data_fd, stream);
	close_data_fd();
	data_fd = raw_go(MIGLAB_RESUMING);
	assert_fails(write(data_fd, edge + 5000, 100), EFAULT);
	while (done < size) {
		n = size - done < 5000 ? size - done : 5000;
		memcpy(edge + 5000 - n, stream + done, n);
		assert_int_equal(write(data_fd, edge + 5000 - n, n + 1000), n);
		done += n;
	}
	raw_go(MIGLAB_STOP);
}

/* Makes open() fail until restored. */
static void limit_descriptors(rlim_t limit, rlim_t *ret_old)
{
	struct rlimit old;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	*ret_old = old.rlim_cur;
	old.rlim_cur = limit;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void no_descriptor_for_a_session_is_no_trap(void **state)
{
	struct device *dev = raw_open(0);
	rlim_t old, unused;
	int fd, ret;

	(void)state;
	limit_descriptors(0, &old);
	ret = raw_set(MIGLAB_STOP_COPY, &fd);
	limit_descriptors(old, &unused);
	assert_int_equal(ret, -EMFILE);
	assert_int_equal(raw_state(), MIGLAB_STOP_COPY);
	raw_go(MIGLAB_STOP);
	raw_go(MIGLAB_RUNNING);
	assert_int_equal(stat_of(dev, "sessions_live"), 0);
	data_fd = raw_go(MIGLAB_STOP_COPY);
	assert_true(read_all(data_fd, stream) > 0);
}

static void the_saving_group_is_one_session(void **state)
{
	(void)state;
	raw_open(0);
	data_fd = raw_go(MIGLAB_PRE_COPY);
	assert_true(data_fd >= 0);
	assert_int_equal(read(data_fd, stream, 1000), 1000);
	assert_int_equal(raw_go(MIGLAB_PRE_COPY_P2P), -1);
	assert_int_equal(raw_go(MIGLAB_PRE_COPY), -1);
	assert_int_equal(raw_go(MIGLAB_PRE_COPY_P2P), -1);
	assert_int_equal(raw_go(MIGLAB_STOP_COPY), -1);
	assert_int_equal(raw_go(MIGLAB_STOP_COPY), -1);
	assert_true(read_all(data_fd, stream) > 0);
}

static void assert_dead(int fd, bool saving)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };
	char byte = 0;

	assert_int_equal(poll(&pfd, 1, -1), 1);
	assert_true(pfd.revents & POLLHUP);
	if (saving) {
		assert_fails(read(fd, &byte, 1), ENODEV);
		assert_fails(ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info), EINVAL);
	} else {
		assert_fails(write(fd, &byte, 1), ENODEV);
	}
}

static void an_ended_session_stays_ended(void **state)
{
	static const struct {
		uint32_t in, out;	/* @out 0: by a reset */
	} ends[] = {
		{ MIGLAB_PRE_COPY, MIGLAB_RUNNING },
		{ MIGLAB_PRE_COPY_P2P, MIGLAB_RUNNING_P2P },
		{ MIGLAB_STOP_COPY, MIGLAB_STOP },
		{ MIGLAB_STOP_COPY, 0 },
		{ MIGLAB_RESUMING, 0 },
	};
	struct device *dev = raw_open(0);
	int fresh;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		bool saving = miglab_state_is_saving(ends[i].in);

		data_fd = raw_go(ends[i].in);
		if (saving)
			assert_int_equal(read(data_fd, stream, 100), 100);
		if (ends[i].out)
			raw_go(ends[i].out);
		else
			assert_int_equal(raw_reset(), 0);
		assert_dead(data_fd, saving);
		/* A session that a process forgets to close costs next to nothing. */
		assert_int_equal(stat_of(dev, "images_live"), 1);
		fresh = raw_go(MIGLAB_STOP_COPY);
		assert_true(fresh >= 0);
		assert_dead(data_fd, saving);
		assert_true(read_all(fresh, stream) > 0);
		close(fresh);
		close_data_fd();
		raw_go(MIGLAB_RUNNING);
		assert_int_equal(stat_of(dev, "sessions_live"), 0);
	}
}

static void *poll_main(void *opaque)
{
	struct pollfd pfd = { .fd = data_fd, .events = POLLIN };

	(void)opaque;
	return (void *)(intptr_t)(poll(&pfd, 1, -1) == 1 ? pfd.revents : -1);
}

/* Whether it sleeps already or not makes no difference to what it must see. */
static void the_end_wakes_who_polls(void **state)
{
	pthread_t thread;
	ssize_t n;
	void *ret;

	(void)state;
	raw_open(0);
	data_fd = raw_go(MIGLAB_PRE_COPY);
	while ((n = read(data_fd, stream, sizeof(stream))) > 0)
		;
	assert_int_equal(errno, ENOMSG);
	assert_int_equal(pthread_create(&thread, NULL, poll_main, NULL), 0);
	raw_go(MIGLAB_RUNNING);
	assert_int_equal(pthread_join(thread, &ret), 0);
	assert_true((intptr_t)ret & POLLHUP);
}

/* Returns when the last user has closed the device. */
static int unbind(const char *bdf)
{
	return sysfs_write(bdf, PCI_DRIVERS "/" MIGLAB_DRIVER "/unbind");
}

static void bind_again(const char *bdf)
{
	assert_int_equal(sysfs_write(bdf, "bus/pci/drivers_probe"), 0);
}

static void a_data_fd_outlives_the_device_and_the_driver(void **state)
{
	const char *bdf = function(0);
	int copy;

	(void)state;
	raw_open(0);
	data_fd = raw_go(MIGLAB_PRE_COPY);
	assert_int_equal(read(data_fd, stream, 100), 100);
	copy = dup(data_fd);
	raw_close();
	assert_dead(data_fd, true);
	assert_int_equal(unbind(bdf), 0);
	assert_dead(data_fd, true);
	assert_fails(syscall(SYS_delete_module, MIGLAB_DRIVER, O_NONBLOCK), EWOULDBLOCK);
	close_data_fd();
	assert_dead(copy, true);
	close(copy);
	bind_again(bdf);
	assert_int_equal(stat_of(raw_open(0), "sessions_live"), 0);
}

static void *unbind_main(void *opaque)
{
	return (void *)(intptr_t)unbind(opaque);
}

static void *held_set_main(void *opaque)
{
	int fd;

	(void)opaque;
	return (void *)(intptr_t)raw_set(MIGLAB_PRE_COPY_P2P, &fd);
}

/* Nobody can release the hold any more, so the driver's leave does. */
static void an_unbind_ends_a_held_arc(void **state)
{
	struct device *dev = raw_open(0);
	const char *bdf = raw_bdf();
	pthread_t setter, unbinder;
	void *ret;

	(void)state;
	set_attribute(dev, "rules", "arc=PRE_COPY>PRE_COPY_P2P hold limit_us=600000000");
	data_fd = raw_go(MIGLAB_PRE_COPY);
	assert_int_equal(pthread_create(&setter, NULL, held_set_main, NULL), 0);
	wait_held(dev->lab);
	assert_int_equal(pthread_create(&unbinder, NULL, unbind_main, (void *)bdf), 0);
	assert_int_equal(pthread_join(setter, &ret), 0);
	assert_int_equal((intptr_t)ret, -ENODEV);
	assert_int_equal(raw_state(), MIGLAB_PRE_COPY);
	assert_int_equal(raw_go(MIGLAB_STOP_COPY), -1);
	assert_true(read_all(data_fd, stream) > 0);
	raw_close();
	assert_int_equal(pthread_join(unbinder, &ret), 0);
	assert_int_equal((intptr_t)ret, 0);
	assert_dead(data_fd, true);
	bind_again(bdf);
}

static void held_can_be_polled(void **state)
{
	struct device *dev = raw_open(0);
	struct pollfd pfd = { .events = POLLPRI };
	char path[128], text[64] = "";
	pthread_t setter;
	void *ret;

	(void)state;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/miglab/held", raw_bdf());
	pfd.fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(pfd.fd >= 0);
	assert_true(read(pfd.fd, text, sizeof(text) - 1) > 0);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	set_attribute(dev, "rules", "arc=PRE_COPY>PRE_COPY_P2P hold limit_us=3600000000");
	data_fd = raw_go(MIGLAB_PRE_COPY);
	assert_int_equal(pthread_create(&setter, NULL, held_set_main, NULL), 0);
	assert_int_equal(poll(&pfd, 1, -1), 1);
	assert_true(pread(pfd.fd, text, sizeof(text) - 1, 0) > 0);
	assert_ptr_equal(strstr(text, "PRE_COPY>PRE_COPY_P2P seq="), text);
	set_attribute(dev, "release", "1");
	assert_int_equal(poll(&pfd, 1, -1), 1);
	assert_int_equal(pthread_join(setter, &ret), 0);
	assert_int_equal((intptr_t)ret, 0);
	close(pfd.fd);
}

/* A page whose first access waits in *ret_uffd for the row to fill it. */
static void *page_that_waits(int *ret_uffd)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(page, MAP_FAILED);
	*ret_uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	assert_true(*ret_uffd >= 0);
	assert_int_equal(ioctl(*ret_uffd, UFFDIO_API, &api), 0);
	reg.range = (struct uffdio_range){ (uintptr_t)page, PAGE_BYTES };
	assert_int_equal(ioctl(*ret_uffd, UFFDIO_REGISTER, &reg), 0);
	return page;
}

static void *stuck_read_main(void *page)
{
	return (void *)(intptr_t)(read(data_fd, page, PAGE_BYTES) < 0 ? -errno : 0);
}

/* Sleeps in its fault while the device goes through all that could wait for it. */
static void a_reader_in_a_page_fault_blocks_nobody(void **state)
{
	struct uffdio_zeropage fill = { 0 };
	struct device *dev = raw_open(0);
	struct uffd_msg msg;
	pthread_t reader;
	void *page, *ret;
	int uffd;

	(void)state;
	page = page_that_waits(&uffd);
	data_fd = raw_go(MIGLAB_PRE_COPY);
	assert_int_equal(pthread_create(&reader, NULL, stuck_read_main, page), 0);
	assert_int_equal(read(uffd, &msg, sizeof(msg)), sizeof(msg));
	assert_int_equal(msg.event, UFFD_EVENT_PAGEFAULT);
	raw_go(MIGLAB_STOP_COPY);
	raw_go(MIGLAB_STOP);
	assert_int_equal(raw_reset(), 0);
	close(raw_go(MIGLAB_STOP_COPY));
	raw_close();
	dev = raw_open(0);
	assert_int_equal(stat_of(dev, "images_live"), 2);
	fill.range = (struct uffdio_range){ (uintptr_t)page, PAGE_BYTES };
	assert_int_equal(ioctl(uffd, UFFDIO_ZEROPAGE, &fill), 0);
	assert_int_equal(pthread_join(reader, &ret), 0);
	assert_int_equal((intptr_t)ret, -ENODEV);
	assert_int_equal(stat_of(dev, "images_live"), 1);
	close(uffd);
	munmap(page, PAGE_BYTES);
}

int datafd_rows(void)
{
	const struct CMUnitTest rows[] = {
		data_row(a_saving_data_fd_is_a_stream_to_read),
		data_row(a_resuming_data_fd_is_a_stream_to_write),
		data_row(a_fault_loses_no_byte_of_a_read),
		data_row(a_fault_breaks_no_write),
		data_row(no_descriptor_for_a_session_is_no_trap),
		data_row(the_saving_group_is_one_session),
		data_row(an_ended_session_stays_ended),
		data_row(the_end_wakes_who_polls),
		data_row(a_data_fd_outlives_the_device_and_the_driver),
		data_row(a_reader_in_a_page_fault_blocks_nobody),
		data_row(an_unbind_ends_a_held_arc),
		data_row(held_can_be_polled),
	};

	return cmocka_run_group_tests_name("datafd", rows, NULL, NULL);
}
