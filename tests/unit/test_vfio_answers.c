// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a driver may answer to VFIO's system calls, sane or not: the calls of this program end
 * here, and not in the kernel.
 */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device/vfio.h"

#define DATA_FD	900	/* no descriptor of this program */

static struct {
	uint32_t state;		/* that GET says */
	int get_errno, set_errno, info_errno, size_errno;
	int data_fd;		/* that SET gives */
	uint32_t after_set;	/* the state that GET says after a SET */
	struct vfio_precopy_info info;
	uint64_t size;
	ssize_t moved;		/* by read() and write() */
	int closed;		/* how often DATA_FD was */
} driver;

static struct vfio v;
static struct error err;

static int answer_feature(struct vfio_device_feature *arg)
{
	struct vfio_device_feature_mig_state *state = (void *)arg->data;
	const bool set = arg->flags & VFIO_DEVICE_FEATURE_SET;

	switch (arg->flags & VFIO_DEVICE_FEATURE_MASK) {
	case VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE:
		errno = set ? driver.set_errno : driver.get_errno;
		if (set)
			state->data_fd = driver.data_fd;
		else
			state->device_state = driver.state;
		if (set)
			driver.state = driver.after_set;
		return errno ? -1 : 0;
	case VFIO_DEVICE_FEATURE_MIG_DATA_SIZE:
		((struct vfio_device_feature_mig_data_size *)arg->data)->stop_copy_length =
			driver.size;
		errno = driver.size_errno;
		return errno ? -1 : 0;
	default:
		errno = ENOTTY;
		return -1;
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	(void)fd;
	if (request == VFIO_DEVICE_FEATURE)
		return answer_feature(arg);
	assert_int_equal(request, VFIO_MIG_GET_PRECOPY_INFO);
	memcpy(arg, &driver.info, sizeof(driver.info));
	errno = driver.info_errno;
	return errno ? -1 : 0;
}

ssize_t read(int fd, void *buf, size_t size)
{
	(void)buf;
	(void)size;
	assert_int_equal(fd, DATA_FD);
	return driver.moved;
}

ssize_t write(int fd, const void *buf, size_t size)
{
	(void)buf;
	(void)size;
	if (fd != DATA_FD)	/* cmocka's and the sanitizer's own */
		return fwrite(buf, 1, size, fd == 1 ? stdout : stderr);
	return driver.moved;
}

int close(int fd)
{
	driver.closed += fd == DATA_FD;
	return 0;
}

static int setup(void **arg)
{
	(void)arg;
	memset(&driver, 0, sizeof(driver));
	driver.state = VFIO_DEVICE_STATE_RUNNING;
	driver.data_fd = -1;
	v = (struct vfio){
		.dev = { .ops = &vfio_ops, .calls = &vfio_calls, .name = "dev", .flags = 7 },
		.files = { -1, -1, -1, -1, 0 }, .data_fd = -1,
	};
	err.text[0] = '\0';
	return 0;
}

/* SET of @state, after which the driver says that it is there. */
static int set(uint32_t state)
{
	driver.after_set = state;
	return vfio_ops.set_state(&v.dev, state, &err);
}

static void test_states(void **arg)
{
	uint32_t state = 99;

	(void)arg;
	for (driver.state = 0; driver.state <= VFIO_DEVICE_STATE_PRE_COPY_P2P; driver.state++) {
		assert_int_equal(vfio_ops.get_state(&v.dev, &state, &err), 0);
		assert_int_equal(state, driver.state);
	}
	assert_int_equal(driver.state, 8);
	assert_int_equal(vfio_ops.get_state(&v.dev, &state, &err), -EBADFD);
	assert_string_equal(err.text, "dev: the driver says that it is in state 8, which is none");
	driver.state = UINT32_MAX;
	assert_int_equal(vfio_ops.get_state(&v.dev, &state, &err), -EBADFD);
	assert_int_equal(state, 7);		/* untouched */
	driver.state = 42;
	assert_int_equal(set(VFIO_DEVICE_STATE_STOP), -EBADFD);
	assert_string_equal(err.text, "dev: the driver says that it is in state 42, which is none");
	driver.get_errno = EIO;
	assert_int_equal(vfio_ops.get_state(&v.dev, &state, &err), -EIO);
	assert_string_equal(err.text, "dev: cannot get its state: Input/output error");
}

/* A SET that failed, and left a state that is none or cannot be had: no session is kept. */
static void test_lost_after_a_failure(void **arg)
{
	(void)arg;
	driver.data_fd = DATA_FD;
	assert_int_equal(set(VFIO_DEVICE_STATE_STOP_COPY), 0);
	driver.set_errno = EIO;
	assert_int_equal(set(VFIO_DEVICE_STATE_STOP_COPY), -EIO);
	assert_int_equal(driver.closed, 0);	/* it is where it was */
	assert_int_equal(set(42), -EIO);
	assert_int_equal(driver.closed, 1);
	assert_int_equal(v.data_fd, -1);
}

static void test_descriptors(void **arg)
{
	(void)arg;
	assert_int_equal(set(VFIO_DEVICE_STATE_STOP_COPY), -EBADFD);
	assert_string_equal(err.text, "dev: the driver gave no data_fd on the way to STOP_COPY");
	driver.state = VFIO_DEVICE_STATE_RUNNING;
	driver.data_fd = -7;
	assert_int_equal(set(VFIO_DEVICE_STATE_RESUMING), -EBADFD);
	driver.state = VFIO_DEVICE_STATE_RUNNING;
	driver.data_fd = DATA_FD;
	assert_int_equal(set(VFIO_DEVICE_STATE_STOP), -EBADFD);
	assert_string_equal(err.text, "dev: the driver gave a second data_fd on the way to STOP");
	assert_int_equal(driver.closed, 1);
	assert_int_equal(v.data_fd, -1);
}

static void test_counts(void **arg)
{
	char buf[8];

	(void)arg;
	driver.data_fd = DATA_FD;
	assert_int_equal(set(VFIO_DEVICE_STATE_STOP_COPY), 0);
	driver.moved = 8;
	assert_int_equal(vfio_ops.read(&v.dev, buf, 8), 8);
	assert_int_equal(vfio_ops.write(&v.dev, buf, 8), 8);
	driver.moved = 9;
	assert_int_equal(vfio_ops.read(&v.dev, buf, 8), -EBADFD);
	assert_int_equal(vfio_ops.write(&v.dev, buf, 8), -EBADFD);
	driver.moved = -1;
	errno = ENOMSG;
	assert_int_equal(vfio_ops.read(&v.dev, buf, 8), -ENOMSG);
	assert_int_equal(vfio_ops.write(&v.dev, buf, 8), -ENOMSG);
}

static void test_figures(void **arg)
{
	struct precopy_info info;
	uint64_t size;

	(void)arg;
	driver.info = (struct vfio_precopy_info){ .flags = ~0u, .initial_bytes = 1,
						  .dirty_bytes = UINT64_MAX };
	assert_int_equal(vfio_ops.precopy_info(&v.dev, &info, &err), -EBADF);
	driver.data_fd = DATA_FD;
	assert_int_equal(set(VFIO_DEVICE_STATE_PRE_COPY), 0);
	assert_int_equal(vfio_ops.precopy_info(&v.dev, &info, &err), 0);
	assert_false(info.reinit);		/* nobody asked for flags */
	assert_int_equal(info.initial_bytes, 1);
	assert_true(info.dirty_bytes == UINT64_MAX);
	v.opted_in = true;
	assert_int_equal(vfio_ops.precopy_info(&v.dev, &info, &err), 0);
	assert_true(info.reinit);
	driver.info.flags = ~(uint32_t)VFIO_PRECOPY_INFO_REINIT;
	assert_int_equal(vfio_ops.precopy_info(&v.dev, &info, &err), 0);
	assert_false(info.reinit);		/* a flag that is none says nothing */
	driver.info_errno = EINVAL;
	assert_int_equal(vfio_ops.precopy_info(&v.dev, &info, &err), -EINVAL);
	driver.size = 4711;
	assert_int_equal(vfio_ops.data_size(&v.dev, &size, &err), 0);
	assert_int_equal(size, 4711);
	driver.size_errno = EIO;
	assert_int_equal(vfio_ops.data_size(&v.dev, &size, &err), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_states, setup),
		cmocka_unit_test_setup(test_lost_after_a_failure, setup),
		cmocka_unit_test_setup(test_descriptors, setup),
		cmocka_unit_test_setup(test_counts, setup),
		cmocka_unit_test_setup(test_figures, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
