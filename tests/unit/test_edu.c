// SPDX-License-Identifier: GPL-2.0-only
#include "unit.h"

#include <errno.h>

#include "core/edu.h"

#define MASK	0xfffffffull	/* 28 bits, as QEMU has it */
#define BUFFER	0x40000ull
#define TO_RAM	(MIGLAB_EDU_RUN | MIGLAB_EDU_TO_RAM)

static void test_ranges(void **unused)
{
	static const struct {
		struct miglab_edu_dma dma;
		u64 mask;
		bool ok;
	} rows[] = {
		/* src, dst, count, cmd: to the buffer ... */
		{ { 0x1000, BUFFER, 4096, MIGLAB_EDU_RUN }, MASK, true },
		{ { 0x1000, BUFFER, 0, MIGLAB_EDU_RUN }, MASK, true },
		{ { 0x1000, BUFFER + 4096, 0, MIGLAB_EDU_RUN }, MASK, true },
		{ { 0x1000, BUFFER + 4095, 1, MIGLAB_EDU_RUN }, MASK, true },
		{ { 0x1000, BUFFER, 4097, MIGLAB_EDU_RUN }, MASK, false },
		{ { 0x1000, BUFFER + 1, 4096, MIGLAB_EDU_RUN }, MASK, false },
		{ { 0x1000, BUFFER + 4096, 1, MIGLAB_EDU_RUN }, MASK, false },
		{ { 0x1000, BUFFER + 4097, 0, MIGLAB_EDU_RUN }, MASK, false },
		{ { 0x1000, BUFFER - 1, 0, MIGLAB_EDU_RUN }, MASK, false },
		{ { 0x1000, BUFFER - 1, 2, MIGLAB_EDU_RUN }, MASK, false },
		{ { 0x1000, 0, 1, MIGLAB_EDU_RUN }, MASK, false },
		{ { 0x1000, ~0ull, 1, MIGLAB_EDU_RUN }, MASK, false },
		{ { 0x1000, BUFFER, ~0ull, MIGLAB_EDU_RUN }, MASK, false },
		{ { 0x1000, BUFFER + 16, ~0ull - 15, MIGLAB_EDU_RUN }, MASK, false },
		/* ... from memory up to the mask */
		{ { MASK, BUFFER, 1, MIGLAB_EDU_RUN }, MASK, true },
		{ { MASK, BUFFER, 2, MIGLAB_EDU_RUN }, MASK, false },
		{ { MASK + 1, BUFFER, 1, MIGLAB_EDU_RUN }, MASK, false },
		{ { MASK + 1, BUFFER, 0, MIGLAB_EDU_RUN }, MASK, false },
		{ { ~0ull, BUFFER, 1, MIGLAB_EDU_RUN }, ~0ull, true },
		{ { ~0ull, BUFFER, 2, MIGLAB_EDU_RUN }, ~0ull, false },
		/* the other way round */
		{ { BUFFER, 0x1000, 4096, TO_RAM }, MASK, true },
		{ { BUFFER + 1, 0x1000, 4096, TO_RAM }, MASK, false },
		{ { 0x1000, BUFFER, 16, TO_RAM }, MASK, false },
		{ { BUFFER, MASK - 14, 16, TO_RAM }, MASK, false },
		{ { BUFFER, MASK - 15, 16, TO_RAM }, MASK, true },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct miglab_edu_move move = { .len = 77 };
		int ret = miglab_edu_dma_check(&rows[i].dma, rows[i].mask, &move);

		if (ret != (rows[i].ok ? 0 : -ERANGE))
			fail_msg("row %zu: %d", i, ret);
		assert_int_equal(move.len, rows[i].ok ? rows[i].dma.count : 77);
	}
}

static void test_moves(void **unused)
{
	struct miglab_edu_dma in = { 0x1234, BUFFER + 0x10, 0x20, MIGLAB_EDU_RUN };
	struct miglab_edu_dma out = { BUFFER + 0x30, 0x5678, 0x40, TO_RAM };
	struct miglab_edu_move move;

	(void)unused;
	assert_int_equal(miglab_edu_dma_check(&in, MASK, &move), 0);
	assert_true(move.iova == 0x1234 && move.buffer == 0x10 && move.len == 0x20);
	assert_false(move.to_ram);
	assert_int_equal(miglab_edu_dma_check(&out, MASK, &move), 0);
	assert_true(move.iova == 0x5678 && move.buffer == 0x30 && move.len == 0x40);
	assert_true(move.to_ram);
}

static void test_registers_are_whole(void **unused)
{
	struct miglab_edu_dma dma;

	(void)unused;
	assert_ptr_equal(miglab_edu_dma_reg(&dma, 0x80), &dma.src);
	assert_ptr_equal(miglab_edu_dma_reg(&dma, 0x88), &dma.dst);
	assert_ptr_equal(miglab_edu_dma_reg(&dma, 0x90), &dma.count);
	assert_ptr_equal(miglab_edu_dma_reg(&dma, 0x98), &dma.cmd);
	for (u64 at = 0; at < 0x100; at++)
		if (at % 8 || at < 0x80 || at > 0x98)
			assert_null(miglab_edu_dma_reg(&dma, at));
}

static u32 factorial(u32 n)
{
	u32 product = 1;

	while (n)
		product *= n--;
	return product;
}

/* Whatever a device can have computed, it can be made to compute again. */
static void test_facts(void **unused)
{
	(void)unused;
	for (u32 n = 0; n < 100; n++) {
		int again = miglab_edu_fact_of(factorial(n));

		assert_true(again > 0);
		assert_int_equal(factorial((u32)again), factorial(n));
	}
	for (u32 n = 3; n < 34; n++)
		assert_int_equal(miglab_edu_fact_of(factorial(n) + 1), -EINVAL);
}

static const struct miglab_edu_regs some = {
	.live = 0x12345678,
	.fact = 5040,
	.status = MIGLAB_EDU_IRQ_FACT,
	.irq_status = 0xffffffff,
	.dma = { BUFFER + 4, 0xabcd000, 128, TO_RAM | MIGLAB_EDU_DMA_IRQ },
};

/* The wire format, byte for byte. */
static void test_encoding(void **unused)
{
	static const u8 want[] = {
		0x78, 0x56, 0x34, 0x12, 0xb0, 0x13, 0, 0, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
		0x04, 0, 0x04, 0, 0, 0, 0, 0, 0, 0xd0, 0xbc, 0x0a, 0, 0, 0, 0,
		0x80, 0, 0, 0, 0, 0, 0, 0, 0x07, 0, 0, 0, 0, 0, 0, 0,
	};
	struct miglab_edu_regs back;
	u8 page[MIGLAB_PAGE];

	(void)unused;
	memset(page, 0x55, sizeof(page));
	miglab_edu_encode(&some, page);
	assert_memory_equal(page, want, sizeof(want));
	for (size_t i = sizeof(want); i < sizeof(page); i++)
		assert_int_equal(page[i], 0);
	assert_int_equal(miglab_edu_decode(page, MASK, &back), 0);
	assert_memory_equal(&back, &some, sizeof(back));
}

/* What is under way may take so long and no longer, and is something that can be. */
static void test_under_way(void **unused)
{
	const struct miglab_edu_regs busy = {
		.fact = 0xffffffff,
		.status = MIGLAB_EDU_COMPUTING,
		.dma = { 0x1000, BUFFER, 16, MIGLAB_EDU_RUN },
		.fact_ns = 1000,
		.dma_ns = 77,
	};
	struct miglab_edu_regs back, bad;
	u8 page[MIGLAB_PAGE];

	(void)unused;
	miglab_edu_encode(&busy, page);
	assert_int_equal(miglab_edu_decode(page, MASK, &back), -EINVAL);
	assert_int_equal(miglab_edu_decode_running(page, MASK, 999, &back), -EINVAL);
	assert_int_equal(miglab_edu_decode_running(page, MASK, 1000, &back), 0);
	assert_memory_equal(&back, &busy, sizeof(back));

	for (u32 i = 0; i < 5; i++) {
		bad = busy;
		if (i == 0)
			bad.fact_ns = 0;
		else if (i == 1)
			bad.status = 0;
		else if (i == 2)
			bad.dma.cmd = 0;
		else if (i == 3)
			bad.dma_ns = 1001;
		else
			bad.dma.src = MASK;
		miglab_edu_encode(&bad, page);
		if (miglab_edu_decode_running(page, MASK, 1000, &back) != -EINVAL)
			fail_msg("row %u was taken", i);
	}
}

static void test_factorial(void **unused)
{
	(void)unused;
	for (u32 n = 0; n < 100; n++)
		assert_int_equal(miglab_edu_factorial(n), factorial(n));
	assert_int_equal(miglab_edu_factorial(~0u), 0);
}

/* A fresh device's state is all zeroes. */
static void test_zeroes_are_a_state(void **unused)
{
	const struct miglab_edu_regs zero = { 0 };
	struct miglab_edu_regs back = some;
	u8 page[MIGLAB_PAGE] = { 0 };

	(void)unused;
	assert_int_equal(miglab_edu_decode(page, MASK, &back), 0);
	assert_memory_equal(&back, &zero, sizeof(back));
}

static void test_bad_pages(void **unused)
{
	static const struct {
		u32 at;
		u8 value;
	} rows[] = {
		{ 4, 0xb1 },		/* no factorial */
		{ 8, 0x81 },		/* computes */
		{ 8, 0x82 }, { 9, 1 }, { 11, 0x80 },
		{ 18, 5 },		/* src is beyond the buffer */
		{ 17, 0x10 }, { 23, 1 },
		{ 28, 1 },		/* dst is above the mask */
		{ 27, 0x1a },
		{ 33, 0x10 },		/* too many bytes */
		{ 39, 0x80 },
		{ 40, 0x05 },		/* the other way round it is out of range */
		{ 48, 1 }, { 56, 1 },	/* something is under way */
		{ 64, 1 }, { 4095, 1 },	/* not of any register */
	};
	struct miglab_edu_regs back;
	u8 page[MIGLAB_PAGE];

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		miglab_edu_encode(&some, page);
		assert_int_not_equal(page[rows[i].at], rows[i].value);
		page[rows[i].at] = rows[i].value;
		memset(&back, 0x77, sizeof(back));
		if (miglab_edu_decode(page, MASK, &back) != -EINVAL)
			fail_msg("row %zu was taken", i);
		assert_int_equal(back.live, 0x77777777);
	}
	/* Numbers that nobody acts on may be any. */
	miglab_edu_encode(&some, page);
	page[40] &= ~MIGLAB_EDU_RUN;
	memset(page + 16, 0xff, 24);
	assert_int_equal(miglab_edu_decode(page, MASK, &back), 0);
	assert_true(back.dma.src == ~0ull && back.dma.cmd == 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_registers_are_whole),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_under_way),
		cmocka_unit_test(test_factorial),
		cmocka_unit_test(test_zeroes_are_a_state),
		cmocka_unit_test(test_bad_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
