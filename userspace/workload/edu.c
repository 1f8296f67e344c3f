// SPDX-License-Identifier: GPL-2.0-only
/*
 * edu-dma and edu-p2p: QEMU's edu (docs/specs/edu.rst) inverts a number, computes a
 * factorial, takes a slot of memory into its buffer and puts it somewhere else, in the
 * memory or in another device's, with an interrupt at the end of each. One thing at a
 * time, so that each interrupt is one.
 *
 * What an operation leaves behind is marked as used up. A transfer that is made twice
 * writes over such a mark, or carries it away; a round later somebody looks.
 */
#include <errno.h>
#include <string.h>

#include "core/edu.h"
#include "device/function.h"
#include "workload/kind.h"

#define FACTORIAL_MAX	13u		/* 12! has 32 bits */

enum phase { BEGIN, COMPUTE, LOAD, STORE };
enum what { SOURCE = 1, TARGET, USED_SOURCE, USED_TARGET };

static uint64_t slot_of(const struct guest *g)
{
	return g->operation % BOARD_SLOTS;
}

/* Behind the page of struct guest: the sources, then the targets. */
static uint64_t source_of(const struct guest *g)
{
	return (1 + slot_of(g)) * BOARD_SLOT;
}

static uint64_t target_of(const struct board *b, const struct guest *g)
{
	if (b->bar_iova)
		return b->bar_iova + slot_of(g) * BOARD_SLOT;
	return (1 + BOARD_SLOTS + slot_of(g)) * BOARD_SLOT;
}

static uint8_t *target_bytes(const struct board *b, const struct guest *g)
{
	if (b->bar_iova)
		return b->bytes + slot_of(g) * BOARD_SLOT;
	return b->memory->bytes + target_of(b, g);
}

/* No two operations in a row have the same. */
static uint32_t length_of(const struct guest *g)
{
	return 64 + g->operation * 328 % (BOARD_SLOT - 128) / 8 * 8;
}

static uint32_t factorial(uint32_t n)
{
	uint32_t product = 1;

	for (; n > 1; n--)
		product *= n;
	return product;
}

static void put_source(struct board *b, const struct guest *g, enum what what)
{
	uint8_t bytes[BOARD_SLOT];

	pattern_fill(bytes, g->operation, what);
	memory_write(b->memory, source_of(g), bytes, sizeof(bytes));
}

static void put_target(struct board *b, const struct guest *g, enum what what)
{
	uint8_t bytes[BOARD_SLOT];

	pattern_fill(bytes, g->operation, what);
	if (b->bar_iova)
		memcpy(target_bytes(b, g), bytes, sizeof(bytes));
	else
		memory_write(b->memory, target_of(b, g), bytes, sizeof(bytes));
}

static int failed(const struct guest *g, int ret, struct error *err)
{
	return error_set(err, ret, "operation %llu: a register does not answer: %s",
			 (unsigned long long)g->operation, strerror(-ret));
}

static int expect(const struct board *b, const struct guest *g, uint32_t offset, uint32_t want,
		  struct error *err)
{
	uint32_t got;
	int ret = board_read(b, offset, &got);

	if (ret)
		return failed(g, ret, err);
	if (got == want)
		return 0;
	return error_set(err, -EBADMSG, "operation %llu: register %#x is %#x and not %#x",
			 (unsigned long long)g->operation, offset, got, want);
}

static int expect_bytes(const struct guest *g, const uint8_t *bytes, size_t len,
			uint64_t operation, enum what what, const char *where, struct error *err)
{
	size_t at = pattern_compare(bytes, len, operation, what);

	if (at == len)
		return 0;
	return error_set(err, -EBADMSG,
			 "operation %llu: byte %zu of the %s is not what operation %llu left there",
			 (unsigned long long)g->operation, at, where,
			 (unsigned long long)operation);
}

/* What was here a round ago was used up then. */
static int check_marks(const struct board *b, const struct guest *g, struct error *err)
{
	uint64_t before = g->operation - BOARD_SLOTS;

	if (g->operation < BOARD_SLOTS)
		return 0;
	return expect_bytes(g, b->memory->bytes + source_of(g), BOARD_SLOT, before, USED_SOURCE,
			    "source", err) ?:
	       expect_bytes(g, target_bytes(b, g), BOARD_SLOT, before, USED_TARGET, "target", err);
}

/* Goes on to @phase, at whose end there is an interrupt; the guest knows before it begins. */
static void enter(struct board *b, struct guest *g, enum phase phase)
{
	g->phase = phase;
	g->asked++;
	memory_write(b->memory, 0, g, sizeof(*g));
}

static int begin(struct board *b, struct guest *g, struct error *err)
{
	int ret = check_marks(b, g, err) ?: expect(b, g, MIGLAB_EDU_IRQ_STATUS, 0, err);

	if (ret)
		return ret;
	put_source(b, g, SOURCE);
	put_target(b, g, TARGET);
	enter(b, g, COMPUTE);
	ret = board_write(b, MIGLAB_EDU_LIVE, g->operation) ?:
	      board_write(b, MIGLAB_EDU_STATUS, MIGLAB_EDU_IRQ_FACT) ?:
	      board_write(b, MIGLAB_EDU_FACT, g->operation % FACTORIAL_MAX);
	return ret ? failed(g, ret, err) : STEP_DONE;
}

static int start_dma(struct board *b, const struct guest *g, uint64_t from, uint64_t to,
		     uint32_t command, struct error *err)
{
	int ret = function_edu_transfer(b->edu, b->registers, from, to, length_of(g),
					command | MIGLAB_EDU_DMA_IRQ);

	return ret ? failed(g, ret, err) : STEP_DONE;
}

/* One that came again after a migration is not for the next phase. */
static void forget_repeated(struct guest *g)
{
	if (g->taken <= g->asked)
		return;
	g->spare -= g->taken - g->asked;
	g->taken = g->asked;
}

/*
 * Has the device said @irq, by register and by interrupt? Then it is acknowledged, and 1.
 * 0: not yet.
 */
static int finished(struct board *b, struct guest *g, uint32_t irq, struct error *err)
{
	uint32_t status;
	int ret = board_read(b, MIGLAB_EDU_IRQ_STATUS, &status);

	if (ret)
		return failed(g, ret, err);
	if (status & ~irq)
		return error_set(err, -EBADMSG,
				 "operation %llu: the interrupt status is %#x where only %#x was asked for",
				 (unsigned long long)g->operation, status, irq);
	if (!status || g->taken < g->asked)
		return 0;
	forget_repeated(g);
	ret = board_write(b, MIGLAB_EDU_IRQ_ACK, status);
	return ret ? failed(g, ret, err) : 1;
}

static int compute(struct board *b, struct guest *g, struct error *err)
{
	int ret = finished(b, g, MIGLAB_EDU_IRQ_COMPUTED, err);

	if (ret <= 0)
		return ret ? ret : STEP_WAIT;
	ret = expect(b, g, MIGLAB_EDU_FACT, factorial(g->operation % FACTORIAL_MAX), err) ?:
	      expect(b, g, MIGLAB_EDU_LIVE, ~(uint32_t)g->operation, err);
	if (ret)
		return ret;
	enter(b, g, LOAD);
	return start_dma(b, g, source_of(g), MIGLAB_EDU_BUFFER_AT, 0, err);
}

/* Nobody needs the source any more: what reads it again finds other bytes. */
static int load(struct board *b, struct guest *g, struct error *err)
{
	int ret = finished(b, g, MIGLAB_EDU_IRQ_DMA, err);

	if (ret <= 0)
		return ret ? ret : STEP_WAIT;
	put_source(b, g, USED_SOURCE);
	enter(b, g, STORE);
	return start_dma(b, g, MIGLAB_EDU_BUFFER_AT, target_of(b, g), MIGLAB_EDU_TO_RAM, err);
}

static int store(struct board *b, struct guest *g, struct error *err)
{
	uint8_t rest[BOARD_SLOT];
	uint32_t len = length_of(g);
	int ret = finished(b, g, MIGLAB_EDU_IRQ_DMA, err);

	if (ret <= 0)
		return ret ? ret : STEP_WAIT;
	ret = expect_bytes(g, target_bytes(b, g), len, g->operation, SOURCE, "target", err);
	if (ret)
		return ret;
	pattern_fill(rest, g->operation, TARGET);
	if (memcmp(target_bytes(b, g) + len, rest + len, BOARD_SLOT - len))
		return error_set(err, -EBADMSG,
				 "operation %llu: the device wrote behind the %u bytes that it was told to",
				 (unsigned long long)g->operation, len);
	put_target(b, g, USED_TARGET);
	g->operation++;
	g->phase = BEGIN;
	memory_write(b->memory, 0, g, sizeof(*g));
	return STEP_DONE;
}

static int edu_step(struct board *b, struct guest *g, struct error *err)
{
	static int (*const phases[])(struct board *b, struct guest *g, struct error *err) = {
		[BEGIN] = begin,
		[COMPUTE] = compute,
		[LOAD] = load,
		[STORE] = store,
	};

	if (g->phase >= sizeof(phases) / sizeof(phases[0]))
		return error_set(err, -EBADMSG, "the guest is in phase %llu, which there is not",
				 (unsigned long long)g->phase);
	return phases[g->phase](b, g, err);
}

static int wire_p2p(struct board *b, struct device *const *devices, unsigned int count,
		    struct error *err)
{
	return board_find_edu(b, devices, count, err) ?: board_find_bar(b, devices, count, err) ?:
	       board_join(b, MIGLAB_EDU_REACH, err);
}

const struct kind kind_edu_dma = {
	.name = "edu-dma",
	.magic = 0x616d642d756465,
	.wire = board_find_edu,
	.step = edu_step,
};

const struct kind kind_edu_p2p = {
	.name = "edu-p2p",
	.magic = 0x7032702d756465,
	.wire = wire_p2p,
	.step = edu_step,
};
