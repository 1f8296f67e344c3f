// SPDX-License-Identifier: GPL-2.0-only
/*
 * When a process that calls its device hangs, in made-up time; and what its calls leave behind
 * for that.
 */
#include "unit.h"

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "conform/pulse.h"
#include "conform/watch.h"
#include "device/ops.h"

#define SECOND	NSEC_PER_SEC

static struct pulse pulse;
static struct watch watch;
static char why[96];

static int setup(void **arg)
{
	(void)arg;
	memset(&pulse, 0, sizeof(pulse));
	watch_begin(&watch, &pulse, 3);
	why[0] = '\0';
	return 0;
}

static bool after(uint64_t passed_ns)
{
	return watch_hangs(&watch, passed_ns, 0, why);
}

/* A call after the other, for an hour. */
static void test_slow_is_no_hang(void **arg)
{
	(void)arg;
	for (int i = 0; i < 3600; i++) {
		pulse.slot[0].begun++;
		pulse.slot[0].call = "write()";
		assert_false(after(SECOND));
		pulse.slot[0].call = NULL;
		pulse.ended++;
	}
}

static void test_a_call_that_does_not_return(void **arg)
{
	(void)arg;
	pulse.slot[1].begun = 7;
	pulse.slot[1].call = "read()";
	assert_false(after(SECOND));		/* from now on it is known */
	for (int i = 0; i < 29; i++) {
		pulse.ended++;			/* others go on */
		pulse.slot[0].begun++;
		pulse.slot[0].call = "poll()";
		assert_false(after(SECOND / 10));
	}
	pulse.ended++;
	assert_true(after(SECOND / 10));
	assert_string_equal(why, "read() has not returned for 3 s");
}

/* The same call again is another one. */
static void test_calls_that_look_alike(void **arg)
{
	(void)arg;
	pulse.slot[0].call = "read()";
	for (int i = 0; i < 100; i++) {
		pulse.slot[0].begun++;
		pulse.ended++;
		assert_false(after(2 * SECOND));
	}
	assert_false(after(2 * SECOND));
	pulse.ended++;
	assert_true(after(2 * SECOND));
}

static void test_a_pause(void **arg)
{
	(void)arg;
	pulse.ended = 5;
	assert_false(after(2 * SECOND));
	assert_false(after(2 * SECOND));
	pulse.ended++;
	assert_false(after(2 * SECOND));
	assert_false(after(2 * SECOND));
	assert_true(after(1 * SECOND));
	assert_string_equal(why, "it has made no call for 3 s");
}

/* As long as one is under way it is no pause. */
static void test_a_long_call_is_no_pause(void **arg)
{
	(void)arg;
	assert_false(after(2 * SECOND));
	pulse.slot[4].begun = 1;
	pulse.slot[4].call = "poll()";
	assert_false(after(2 * SECOND));
	assert_false(after(2 * SECOND));
	pulse.slot[4].call = NULL;
	pulse.ended++;
	assert_false(after(2 * SECOND));
	assert_false(after(2 * SECOND));
	assert_true(after(2 * SECOND));
}

/* Nobody has called anything yet, nor will. */
static void test_nothing_at_all(void **arg)
{
	(void)arg;
	assert_false(after(2 * SECOND));
	assert_true(after(2 * SECOND));
}

static void test_without_an_end(void **arg)
{
	(void)arg;
	pulse.ended = 1;
	assert_false(watch_hangs(&watch, 0, 30 * SECOND - 1, why));
	assert_true(watch_hangs(&watch, 0, 30 * SECOND, why));
	assert_string_equal(why, "it has used 30 s of processor time");
}

/* A device whose calls look at the pulse while they are under way. */
static const char *seen;

static void look(void)
{
	seen = NULL;
	for (int i = 0; i < PULSE_SLOTS && !seen; i++)
		seen = pulse.slot[i].call;
}

static int fake_ioctl(struct device *dev, int fd, unsigned long request, void *arg)
{
	(void)dev;
	(void)fd;
	(void)request;
	(void)arg;
	look();
	return -11;
}

static ssize_t fake_read(struct device *dev, int fd, void *buf, size_t size)
{
	(void)dev;
	(void)fd;
	(void)buf;
	look();
	return size;
}

static ssize_t fake_write(struct device *dev, int fd, const void *buf, size_t size)
{
	(void)dev;
	(void)fd;
	(void)buf;
	look();
	return size + 1;
}

static ssize_t fake_pread(struct device *dev, int fd, void *buf, size_t size, off_t offset)
{
	(void)dev;
	(void)fd;
	(void)buf;
	look();
	return size + offset;
}

static ssize_t fake_pwrite(struct device *dev, int fd, const void *buf, size_t size, off_t offset)
{
	(void)dev;
	(void)fd;
	(void)buf;
	look();
	return size - offset;
}

static int fake_poll(struct device *dev, int fd, short events, int timeout_ms)
{
	(void)dev;
	(void)fd;
	look();
	return events + timeout_ms;
}

static int fake_close(struct device *dev, int fd)
{
	(void)dev;
	look();
	return fd;
}

static int fake_dma(struct device *dev, uint64_t iova, uint64_t length)
{
	(void)dev;
	look();
	return iova + length;
}

static int fake_dma_wait(struct device *dev, int timeout_ms)
{
	(void)dev;
	look();
	return timeout_ms;
}

static int fake_fileno(struct device *dev, int fd)
{
	(void)dev;
	return fd + 1;
}

static const struct device_calls fake_calls = {
	.ioctl = fake_ioctl, .read = fake_read, .write = fake_write, .pread = fake_pread,
	.pwrite = fake_pwrite, .poll = fake_poll, .close = fake_close, .dma = fake_dma,
	.dma_wait = fake_dma_wait, .fileno = fake_fileno,
};

static void assert_seen(const char *call, unsigned long number)
{
	assert_string_equal(seen, call);
	assert_int_equal(pulse.ended, number);
	assert_int_equal(pulse.slot[0].begun, number);
	assert_null(pulse.slot[0].call);
}

static void test_calls_are_counted_and_as_before(void **arg)
{
	struct device dev = { .calls = &fake_calls };
	char buf[8];

	(void)arg;
	pulse.pid = getpid();
	pulse_attach(&pulse, &dev);
	assert_int_equal(dev.calls->ioctl(&dev, 1, VFIO_DEVICE_RESET, NULL), -11);
	assert_seen("VFIO_DEVICE_RESET", 1);
	assert_int_equal(dev.calls->read(&dev, 1, buf, 3), 3);
	assert_seen("read()", 2);
	assert_int_equal(dev.calls->write(&dev, 1, buf, 3), 4);
	assert_seen("write()", 3);
	assert_int_equal(dev.calls->pread(&dev, 1, buf, 3, 2), 5);
	assert_seen("pread()", 4);
	assert_int_equal(dev.calls->pwrite(&dev, 1, buf, 3, 2), 1);
	assert_seen("pwrite()", 5);
	assert_int_equal(dev.calls->poll(&dev, 1, 3, 4), 7);
	assert_seen("poll()", 6);
	assert_int_equal(dev.calls->close(&dev, 9), 9);
	assert_seen("close()", 7);
	assert_int_equal(dev.calls->dma(&dev, 1, 2), 3);
	assert_seen("giving it work", 8);
	assert_int_equal(dev.calls->dma_wait(&dev, 5), 5);
	assert_seen("waiting for its work", 9);
	assert_int_equal(dev.calls->fileno(&dev, 5), 6);
	assert_int_equal(pulse.ended, 9);
}

static void *call_once(void *arg)
{
	struct device *dev = arg;

	dev->calls->close(dev, 0);
	return NULL;
}

/* A slot for each thread as long as there are some; those of another process have none. */
static void test_threads(void **arg)
{
	struct device dev = { .calls = &fake_calls };

	(void)arg;
	pulse.pid = getpid();
	pulse_attach(&pulse, &dev);
	for (int i = 0; i < PULSE_SLOTS + 3; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, call_once, &dev);
		pthread_join(thread, NULL);
	}
	assert_int_equal(pulse.ended, PULSE_SLOTS + 3);
	for (int i = 0; i < PULSE_SLOTS; i++)
		assert_int_equal(pulse.slot[i].begun, 1);
	pulse.pid = getpid() + 1;
	call_once(&dev);
	assert_null(seen);
	assert_int_equal(pulse.ended, PULSE_SLOTS + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_slow_is_no_hang, setup),
		cmocka_unit_test_setup(test_a_call_that_does_not_return, setup),
		cmocka_unit_test_setup(test_calls_that_look_alike, setup),
		cmocka_unit_test_setup(test_a_pause, setup),
		cmocka_unit_test_setup(test_a_long_call_is_no_pause, setup),
		cmocka_unit_test_setup(test_nothing_at_all, setup),
		cmocka_unit_test_setup(test_without_an_end, setup),
		cmocka_unit_test_setup(test_calls_are_counted_and_as_before, setup),
		cmocka_unit_test_setup(test_threads, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
