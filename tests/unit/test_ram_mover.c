// SPDX-License-Identifier: GPL-2.0-only
/* vmm/ram_mover with devices that are none: who records writes, and when they are collected. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "vmm/ram_mover.h"

struct fake {
	struct device device;
	int error;		/* of track() */
	int tracked;		/* how often more than it was ended */
};

static int fake_track(struct device *dev, uint64_t at, uint64_t size, struct error *err)
{
	struct fake *f = (struct fake *)dev;

	(void)at;
	(void)size;
	f->tracked += !f->error;
	return f->error ? error_set(err, f->error, "no track") : 0;
}

static int fake_dirty(struct device *dev, uint64_t *bitmap, struct error *err)
{
	(void)dev;
	(void)bitmap;
	(void)err;
	return 0;
}

static void fake_untrack(struct device *dev)
{
	((struct fake *)dev)->tracked--;
}

static const struct device_ops fake_ops = {
	.track = fake_track, .dirty = fake_dirty, .untrack = fake_untrack,
};

struct bench {
	struct fake fakes[2];
	struct device *devices[2];
	struct memory *memory;
	struct ram_mover mover;
	int fd;			/* takes all, and gives nothing */
};

static void open_bench(struct bench *b, uint64_t size)
{
	memset(b, 0, sizeof(*b));
	for (int i = 0; i < 2; i++) {
		b->fakes[i].device.ops = &fake_ops;
		b->devices[i] = &b->fakes[i].device;
	}
	assert_int_equal(memory_new(size, &b->memory, NULL), 0);
	assert_int_equal(ram_mover_init(&b->mover, b->memory, b->devices, 2, NULL), 0);
	b->fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_true(b->fd >= 0);
}

static void close_bench(struct bench *b)
{
	ram_mover_fini(&b->mover);
	memory_free(b->memory);
	close(b->fd);
}

static struct work_result set(struct bench *b, uint32_t state)
{
	struct work_result r;

	ram_mover_do(&b->mover, &(struct work){ .op = WORK_SET, .state = state }, &r);
	return r;
}

static void expect_tracked(const struct bench *b, int first, int second)
{
	assert_int_equal(b->fakes[0].tracked, first);
	assert_int_equal(b->fakes[1].tracked, second);
}

/* All of them, or none. */
static void test_tracking(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, MEMORY_PAGE);
	assert_int_equal(set(&b, VFIO_DEVICE_STATE_PRE_COPY).error, 0);
	expect_tracked(&b, 1, 1);
	assert_int_equal(set(&b, VFIO_DEVICE_STATE_STOP_COPY).error, 0);
	expect_tracked(&b, 1, 1);
	assert_int_equal(set(&b, VFIO_DEVICE_STATE_STOP).error, 0);
	expect_tracked(&b, 0, 0);
	b.fakes[1].error = -EOPNOTSUPP;
	assert_int_equal(set(&b, VFIO_DEVICE_STATE_PRE_COPY).error, -EOPNOTSUPP);
	expect_tracked(&b, 0, 0);
	b.fakes[1].error = 0;
	assert_int_equal(set(&b, VFIO_DEVICE_STATE_PRE_COPY).error, 0);
	expect_tracked(&b, 1, 1);
	close_bench(&b);
}

/* What was written since is for the next pass: it is collected when this one is over. */
static void test_passes(void **state)
{
	const uint64_t size = 2 * WORK_PASS_BYTES;
	struct work pass = { .op = WORK_PASS };
	struct work_result r;
	struct bench b;

	(void)state;
	open_bench(&b, size);
	pass.fd = b.fd;
	memset(b.memory->bytes, 1, size);
	assert_int_equal(set(&b, VFIO_DEVICE_STATE_PRE_COPY).error, 0);
	ram_mover_do(&b.mover, &pass, &r);
	assert_int_equal(r.error, 0);
	assert_in_range(r.size, 1, size - 1);
	assert_int_equal(r.ram.syncs, 0);
	memory_write(b.memory, 0, "x", 1);
	while (r.size && !r.ram.syncs)
		ram_mover_do(&b.mover, &pass, &r);
	assert_int_equal(r.ram.syncs, 1);
	assert_int_equal(r.size, MEMORY_PAGE);
	close_bench(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tracking),
		cmocka_unit_test(test_passes),
	};

	return cmocka_run_group_tests_name("ram_mover", tests, NULL, NULL);
}
