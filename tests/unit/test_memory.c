// SPDX-License-Identifier: GPL-2.0-only
/* Guest memory, and what the emulated device records of its DMA to it. */
#include "unit.h"

#include <errno.h>

#include "base/clock.h"
#include "device/memory.h"
#include "device/ops.h"

#define PAGES	70u	/* not a whole number of words */

static void test_sizes(void **state)
{
	static const uint64_t bad[] = {
		0, 1, MEMORY_PAGE - 1, MEMORY_PAGE + 1, MEMORY_SIZE_MAX + MEMORY_PAGE, UINT64_MAX,
	};
	struct memory *m = NULL;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(memory_new(bad[i], &m, &err), -EINVAL);
		assert_non_null(strstr(err.text, "give a multiple of 4096"));
		assert_null(m);
	}
	assert_int_equal(memory_new(MEMORY_PAGE, &m, &err), 0);
	assert_int_equal(m->bytes[MEMORY_PAGE - 1], 0);
	memory_free(m);
	memory_free(NULL);
}

static void test_written(void **state)
{
	uint64_t bitmap[2] = { 0 };
	struct memory *m;
	struct error err;

	(void)state;
	assert_int_equal(memory_bitmap_words(PAGES * MEMORY_PAGE), 2);
	assert_int_equal(memory_new(PAGES * MEMORY_PAGE, &m, &err), 0);
	memory_collect(m, bitmap);
	assert_true(!bitmap[0] && !bitmap[1]);
	/* Over the end of a page, and of a word. */
	memory_write(m, 64 * MEMORY_PAGE - 1, "ab", 2);
	memory_write(m, 5, "", 0);
	memory_write(m, 69 * MEMORY_PAGE, "c", 1);
	assert_memory_equal(m->bytes + 64 * MEMORY_PAGE - 1, "ab", 2);
	bitmap[0] = 2;
	memory_collect(m, bitmap);
	assert_true(bitmap[0] == (1ull << 63 | 2) && bitmap[1] == (1 | 1 << 5));
	memset(bitmap, 0, sizeof(bitmap));
	memory_collect(m, bitmap);
	assert_true(!bitmap[0] && !bitmap[1]);
	memory_free(m);
}

/* A device that writes so much that whoever looks finds all pages written. */
static struct device *open_busy(const char *spec, struct memory *m)
{
	struct device *dev;
	struct error err;

	assert_int_equal(device_open(spec, &dev, &err), 0);
	assert_int_equal(dev->ops->map(dev, 0, m->bytes, m->size, &err), 0);
	return dev;
}

static unsigned int pages_in(const uint64_t bitmap[2])
{
	return __builtin_popcountll(bitmap[0]) + __builtin_popcountll(bitmap[1]);
}

static unsigned int ask(struct device *dev, uint64_t bitmap[2])
{
	struct error err;

	memset(bitmap, 0, 2 * sizeof(*bitmap));
	assert_int_equal(dev->ops->dirty(dev, bitmap, &err), 0);
	return pages_in(bitmap);
}

/* Asks until @want pages were written since the last time; the device has all time. */
static void await_pages(struct device *dev, uint64_t sum[2], unsigned int want)
{
	uint64_t bitmap[2];

	memset(sum, 0, 2 * sizeof(*sum));
	do {
		ask(dev, bitmap);
		sum[0] |= bitmap[0];
		sum[1] |= bitmap[1];
	} while (pages_in(sum) < want);
}

static void test_dma(void **state)
{
	uint64_t bitmap[2];
	struct device *dev;
	struct memory *m;
	struct error err;

	(void)state;
	assert_int_equal(memory_new(PAGES * MEMORY_PAGE, &m, &err), 0);
	dev = open_busy("emu:rules=,dma_bytes_per_sec=1G", m);
	assert_int_equal(dev->ops->map(dev, 0, m->bytes, m->size, &err), -EBUSY);
	assert_int_equal(dev->ops->dirty(dev, bitmap, &err), -EINVAL);
	assert_int_equal(dev->ops->track(dev, 0, m->size, &err), 0);
	assert_int_equal(dev->ops->track(dev, 0, m->size, &err), -EINVAL);
	await_pages(dev, bitmap, PAGES);
	assert_true(bitmap[0] == UINT64_MAX && bitmap[1] == (1 << (PAGES - 64)) - 1);
	/* What it does up to the end is there, and behind that nothing. */
	assert_int_equal(dev->ops->set_state(dev, VFIO_DEVICE_STATE_PRE_COPY, &err), 0);
	assert_int_equal(dev->ops->set_state(dev, VFIO_DEVICE_STATE_PRE_COPY_P2P, &err), 0);
	ask(dev, bitmap);
	assert_int_equal(ask(dev, bitmap), 0);
	assert_int_equal(dev->ops->set_state(dev, VFIO_DEVICE_STATE_RUNNING, &err), 0);
	await_pages(dev, bitmap, 1);
	dev->ops->untrack(dev);
	dev->ops->untrack(dev);
	assert_int_equal(dev->ops->dirty(dev, bitmap, &err), -EINVAL);
	dev->ops->close(dev);
	memory_free(m);
}

static void test_dma_that_is_not_recorded(void **state)
{
	uint64_t bitmap[2];
	struct device *dev;
	struct memory *m;
	struct error err;

	(void)state;
	assert_int_equal(memory_new(PAGES * MEMORY_PAGE, &m, &err), 0);
	dev = open_busy("emu:rules=,dma_bytes_per_sec=1G,dma_log_misses=65", m);
	assert_int_equal(dev->ops->track(dev, 0, m->size, &err), 0);
	await_pages(dev, bitmap, PAGES - 1);
	assert_true(bitmap[0] == UINT64_MAX && bitmap[1] == ((1 << (PAGES - 64)) - 1 - (1 << 1)));
	assert_int_not_equal(m->bytes[65 * MEMORY_PAGE + 4000] |
			     m->bytes[65 * MEMORY_PAGE + 4001], 0);
	dev->ops->close(dev);
	memory_free(m);
}

static void test_idle_device(void **state)
{
	uint64_t bitmap[2];
	struct device *dev;
	struct memory *m;
	struct error err;

	(void)state;
	assert_int_equal(memory_new(PAGES * MEMORY_PAGE, &m, &err), 0);
	for (unsigned int i = 0; i < 2; i++) {
		dev = open_busy(i ? "discard" : "emu", m);
		assert_int_equal(dev->ops->track(dev, 0, m->size, &err), 0);
		assert_int_equal(ask(dev, bitmap), 0);
		dev->ops->untrack(dev);
		dev->ops->close(dev);
	}
	memory_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_dma),
		cmocka_unit_test(test_dma_that_is_not_recorded),
		cmocka_unit_test(test_idle_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
