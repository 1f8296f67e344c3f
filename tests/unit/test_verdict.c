// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verdict, row by row: what the two witnesses say, and the lines that follow.
 * Times are milliseconds; a line is "device:KIND", with "/hold" when the proof by
 * hold ran, and "!" when it fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/uapi.h"
#include "judge/lines.h"
#include "judge/verdict.h"

#define MS(t)		((t) * NSEC_PER_MSEC)
#define DEVICES_MAX	4
#define ARCS_MAX	12
#define RECEIPTS_MAX	12
#define ROWS(a)		(sizeof(a) / sizeof((a)[0]))

#define ARC(n, a, b, begin, end, res) \
	{ .seq = (n), .from = VFIO_DEVICE_STATE_##a, .to = VFIO_DEVICE_STATE_##b, \
	  .requested = VFIO_DEVICE_STATE_STOP_COPY, .begin_ns = MS(begin), .end_ns = MS(end), \
	  .result = (res), .rule = 1, .pid = 100 }
#define ENTER(n, begin, end)	ARC(n, RUNNING, PRE_COPY, begin, end, 0)
#define TRY(n, begin, end)	ARC(n, PRE_COPY, PRE_COPY_P2P, begin, end, 0)
#define FAIL(n, begin, end)	ARC(n, PRE_COPY, PRE_COPY_P2P, begin, end, -5)
#define BUSY(n, begin)		ARC(n, PRE_COPY, PRE_COPY_P2P, begin, 0, 1)
#define COPY(n, begin, end)	ARC(n, PRE_COPY_P2P, STOP_COPY, begin, end, 0)
#define BACK(n, begin, end)	ARC(n, PRE_COPY_P2P, PRE_COPY, begin, end, 0)

#define PREPARE(dev, at)	{ .id = "vf", .device = (dev), .event = VERDICT_PREPARE, \
				  .received_ns = MS(at) }
#define RELEASE(dev, at, rel)	{ .id = "vf", .device = (dev), .event = VERDICT_PREPARE, \
				  .received_ns = MS(at), .released_ns = MS(rel) }
#define STRANGER(at)		{ .id = "vf9", .device = -1, .event = VERDICT_PREPARE, \
				  .received_ns = MS(at) }
#define DONE(dev, at)		{ .id = "vf", .device = (dev), .event = VERDICT_DONE, \
				  .received_ns = MS(at) }

struct row {
	const char *name;
	struct lab_arc arcs[DEVICES_MAX][ARCS_MAX];
	uint64_t first_seq;	/* 0: 1 */
	uint64_t since_ms;	/* when the judge began; 0: after all arcs before first_seq */
	struct verdict_receipt receipts[RECEIPTS_MAX];
	uint64_t broken_ms;
	uint64_t until_ms;	/* 0: the end of time */
	size_t devices;		/* 0: 1 */
	int expected;		/* 0: any number; -1: none */
	const char *lines;
};

static const struct row rows[] = {
	{ "before", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 99), DONE(0, 401) }, .lines = "0:BEFORE" },
	{ "before, history begins in pre-copy", { { TRY(7, 100, 400) } }, .first_seq = 7,
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE" },
	{ "arcs from before the judge began do not count",
	  { { ENTER(1, 1, 2), TRY(2, 3, 4), ENTER(3, 5, 6), TRY(4, 100, 400) } }, .first_seq = 3,
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE" },
	{ "passed through on the way to stop-copy",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400), COPY(3, 400, 401) } },
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE" },
	{ "missing", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { DONE(0, 401) }, .lines = "0:MISSING!" },
	{ "late", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 401), DONE(0, 402) }, .lines = "0:LATE!" },
	{ "in mid-arc", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 250) }, .lines = "0:DURING!" },
	{ "at the arc's beginning is not before it", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 100) }, .lines = "0:INCONCLUSIVE!" },
	{ "inconclusive", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 101) }, .lines = "0:INCONCLUSIVE!" },
	{ "noise lasts", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 149) }, .lines = "0:INCONCLUSIVE!" },
	{ "noise ends", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 150) }, .lines = "0:DURING!" },
	{ "inconclusive after a short arc", { { ENTER(1, 10, 11), TRY(2, 100, 101) } },
	  .receipts = { PREPARE(0, 102) }, .lines = "0:INCONCLUSIVE!" },
	{ "proof by hold", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { RELEASE(0, 101, 110) }, .lines = "0:BEFORE/hold" },
	{ "proof by hold, and received before", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { RELEASE(0, 99, 110) }, .lines = "0:BEFORE/hold" },
	{ "proof by hold does not excuse a late announcement",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { RELEASE(0, 150, 151) }, .lines = "0:DURING/hold!" },
	{ "a release outside the arc proves nothing", { { ENTER(1, 10, 11), TRY(2, 100, 102) } },
	  .receipts = { RELEASE(0, 101, 110) }, .lines = "0:INCONCLUSIVE!" },
	{ "duplicate", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 98), PREPARE(0, 99) }, .lines = "0:DUPLICATE!" },
	{ "duplicate, the second one late", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 98), PREPARE(0, 500) }, .lines = "0:DUPLICATE!" },
	{ "wrong device", { { ENTER(1, 10, 11), TRY(2, 100, 400) }, { ENTER(1, 10, 11) } },
	  .devices = 2, .receipts = { PREPARE(1, 99) }, .lines = "0:MISSING! 1:STRAY! 1:N/A" },
	{ "for a device that is not judged", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { STRANGER(99) }, .lines = "0:MISSING(vf9)!" },
	{ "another device's announcement is its own affair",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { STRANGER(98), PREPARE(0, 99) }, .lines = "0:BEFORE" },
	{ "announced and never begun", { { ENTER(1, 10, 11) } },
	  .receipts = { PREPARE(0, 99) }, .lines = "0:STRAY! 0:N/A" },
	{ "announced, then another arc",
	  { { ENTER(1, 10, 11), ARC(2, PRE_COPY, RUNNING, 50, 51, 0) } },
	  .receipts = { PREPARE(0, 40) }, .lines = "0:STRAY! 0:N/A" },
	{ "announced outside pre-copy", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 5), PREPARE(0, 99) }, .lines = "0:STRAY! 0:BEFORE" },
	{ "announced when the histories were read already", { { ENTER(1, 10, 11) } },
	  .until_ms = 90, .receipts = { PREPARE(0, 99) }, .lines = "0:N/A" },
	{ "history gap", { { ENTER(1, 10, 11), TRY(3, 100, 400) } },
	  .receipts = { PREPARE(0, 99) }, .lines = "0:GAP! 0:BEFORE" },
	{ "history gap at its beginning", { { TRY(9, 100, 400) } }, .first_seq = 8,
	  .receipts = { PREPARE(0, 99) }, .lines = "0:GAP! 0:BEFORE" },
	{ "history began anew", { { ENTER(1, 10, 11) } }, .first_seq = 8,
	  .lines = "0:GAP! 0:N/A" },
	{ "history began anew, and grew past where it was",
	  { { ENTER(1, 10, 11), TRY(2, 20, 30), COPY(3, 30, 31), ENTER(4, 90, 91) } },
	  .first_seq = 4, .since_ms = 5, .receipts = { PREPARE(0, 89) },
	  .lines = "0:GAP! 0:STRAY! 0:N/A" },
	{ "failed arc", { { ENTER(1, 10, 11), FAIL(2, 100, 400) } },
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE" },
	{ "failed arc without prepare", { { ENTER(1, 10, 11), FAIL(2, 100, 400) } },
	  .lines = "0:MISSING!" },
	{ "failed arc with a late prepare", { { ENTER(1, 10, 11), FAIL(2, 100, 400) } },
	  .receipts = { PREPARE(0, 401) }, .lines = "0:LATE!" },
	{ "failed arc, tried again", { { ENTER(1, 10, 11), FAIL(2, 100, 200), TRY(3, 300, 400) } },
	  .receipts = { PREPARE(0, 99), PREPARE(0, 299) }, .lines = "0:BEFORE 0:BEFORE" },
	{ "failed arc, tried again with one prepare",
	  { { ENTER(1, 10, 11), FAIL(2, 100, 200), TRY(3, 300, 400) } },
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE 0:MISSING!" },
	{ "failed arc, tried again, a late prepare serves only the first",
	  { { ENTER(1, 10, 11), FAIL(2, 100, 200), TRY(3, 300, 400) } },
	  .receipts = { PREPARE(0, 299) }, .lines = "0:LATE! 0:MISSING!" },
	{ "no arc", { { ENTER(1, 10, 11) } }, .lines = "0:N/A" },
	{ "no arc, none expected", { { ENTER(1, 10, 11) } }, .expected = -1, .lines = "0:N/A" },
	{ "no arc, one expected", { { ENTER(1, 10, 11) } }, .expected = 1, .lines = "0:N/A!" },
	{ "no history at all", { { { 0 } } }, .lines = "0:N/A" },
	{ "an arc, none expected", { { ENTER(1, 10, 11), TRY(2, 100, 400) } }, .expected = -1,
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE 0:N/A!" },
	{ "two arcs",
	  { { ENTER(1, 10, 11), TRY(2, 100, 200), BACK(3, 210, 220), TRY(4, 300, 400) } },
	  .expected = 2,
	  .receipts = { PREPARE(0, 99), DONE(0, 201), PREPARE(0, 299), DONE(0, 401) },
	  .lines = "0:BEFORE 0:BEFORE" },
	{ "two arcs, one expected",
	  { { ENTER(1, 10, 11), TRY(2, 100, 200), BACK(3, 210, 220), TRY(4, 300, 400) } },
	  .expected = 1, .receipts = { PREPARE(0, 99), PREPARE(0, 299) },
	  .lines = "0:BEFORE 0:BEFORE 0:N/A!" },
	{ "two arcs, one prepare",
	  { { ENTER(1, 10, 11), TRY(2, 100, 200), BACK(3, 210, 220), TRY(4, 300, 400) } },
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE 0:MISSING!" },
	{ "two arcs, both prepares before the first",
	  { { ENTER(1, 10, 11), TRY(2, 100, 200), BACK(3, 210, 220), TRY(4, 300, 400) } },
	  .receipts = { PREPARE(0, 98), PREPARE(0, 99) }, .lines = "0:DUPLICATE! 0:MISSING!" },
	{ "two arcs, the late one of the first is not early for the second",
	  { { ENTER(1, 10, 11), TRY(2, 100, 200), BACK(3, 210, 220), TRY(4, 300, 400) } },
	  .receipts = { PREPARE(0, 201), PREPARE(0, 401) }, .lines = "0:LATE! 0:LATE!" },
	{ "undelivered", { { ENTER(1, 10, 11), TRY(2, 100, 400) } }, .broken_ms = 50,
	  .lines = "0:UNDELIVERED!" },
	{ "undelivered, broken in mid-arc", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .broken_ms = 200, .lines = "0:UNDELIVERED!" },
	{ "broken after the arc", { { ENTER(1, 10, 11), TRY(2, 100, 400) } }, .broken_ms = 500,
	  .lines = "0:MISSING!" },
	{ "broken after the prepare", { { ENTER(1, 10, 11), TRY(2, 100, 400) } }, .broken_ms = 200,
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE" },
	{ "undelivered fails its own line only",
	  { { ENTER(1, 10, 11), TRY(2, 100, 200) }, { ENTER(1, 10, 11), TRY(2, 300, 400) } },
	  .devices = 2, .broken_ms = 250, .receipts = { PREPARE(0, 99) },
	  .lines = "0:BEFORE 1:UNDELIVERED!" },
	{ "still in progress", { { ENTER(1, 10, 11), BUSY(2, 100) } },
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE" },
	{ "still in progress, announced meanwhile", { { ENTER(1, 10, 11), BUSY(2, 100) } },
	  .receipts = { PREPARE(0, 900) }, .lines = "0:DURING!" },
	{ "still in progress, not announced", { { ENTER(1, 10, 11), BUSY(2, 100) } },
	  .lines = "0:MISSING!" },
	{ "still in progress, held and released", { { ENTER(1, 10, 11), BUSY(2, 100) } },
	  .receipts = { RELEASE(0, 101, 102) }, .lines = "0:BEFORE/hold" },
	{ "four devices, one after another",
	  { { ENTER(1, 10, 11), TRY(2, 700, 900) }, { ENTER(1, 10, 11), TRY(2, 500, 690) },
	    { ENTER(1, 10, 11), TRY(2, 300, 490) }, { ENTER(1, 10, 11), TRY(2, 100, 290) } },
	  .devices = 4, .expected = 1,
	  .receipts = { PREPARE(3, 99), DONE(3, 291), PREPARE(2, 299), DONE(2, 491),
			PREPARE(1, 499), DONE(1, 691), PREPARE(0, 699), DONE(0, 901) },
	  .lines = "0:BEFORE 1:BEFORE 2:BEFORE 3:BEFORE" },
	{ "four devices at once",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) }, { ENTER(1, 10, 11), TRY(2, 101, 400) },
	    { ENTER(1, 10, 11), TRY(2, 102, 400) }, { ENTER(1, 10, 11), TRY(2, 103, 400) } },
	  .devices = 4, .expected = 1,
	  .receipts = { PREPARE(2, 96), PREPARE(0, 97), PREPARE(3, 98), PREPARE(1, 99) },
	  .lines = "0:BEFORE 1:BEFORE 2:BEFORE 3:BEFORE" },
	{ "four devices, one of them forgotten",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) }, { ENTER(1, 10, 11), TRY(2, 101, 400) },
	    { ENTER(1, 10, 11), TRY(2, 102, 400) }, { ENTER(1, 10, 11), TRY(2, 103, 400) } },
	  .devices = 4, .expected = 1,
	  .receipts = { PREPARE(2, 96), PREPARE(0, 97), PREPARE(1, 99) },
	  .lines = "0:BEFORE 1:BEFORE 2:BEFORE 3:MISSING!" },
};

/* The lines as the rows spell them. */
static void spell(const struct verdict_line *lines, size_t count, char *text, size_t size)
{
	size_t i, used = 0;

	text[0] = '\0';
	for (i = 0; i < count; i++) {
		const struct verdict_line *l = &lines[i];
		const char *other = l->other;

		used += snprintf(text + used, size - used, "%s%zu:%s%s%s%s%s%s", i ? " " : "",
				 l->device, verdict_name(l->kind), l->by_hold ? "/hold" : "",
				 other ? "(" : "", other ? other : "", other ? ")" : "",
				 l->pass ? "" : "!");
		assert_true(used < size);
	}
}

static void test_row(void **state)
{
	const struct row *row = *state;
	struct verdict_device devices[DEVICES_MAX];
	struct verdict_input in = {
		.devices = devices,
		.device_count = row->devices ? row->devices : 1,
		.receipts = row->receipts,
		.broken_ns = MS(row->broken_ms),
		.until_ns = row->until_ms ? MS(row->until_ms) : UINT64_MAX,
		.noise_ns = VERDICT_NOISE_NS,
		.expected = row->expected > 0 ? row->expected : row->expected < 0 ? 0 : -1,
	};
	struct verdict_line *lines;
	char text[256];
	size_t i, count;

	for (i = 0; i < in.device_count; i++) {
		devices[i] = (struct verdict_device){ row->arcs[i], 0,
						      row->first_seq ? row->first_seq : 1,
						      row->since_ms ? MS(row->since_ms) :
								      UINT64_MAX };
		while (devices[i].count < ARCS_MAX && row->arcs[i][devices[i].count].seq)
			devices[i].count++;
	}
	while (in.receipt_count < RECEIPTS_MAX && row->receipts[in.receipt_count].id)
		in.receipt_count++;

	assert_int_equal(verdict_judge(&in, &lines, &count), 0);
	spell(lines, count, text, sizeof(text));
	assert_string_equal(text, row->lines);
	assert_int_equal(verdict_pass(lines, count), !strchr(row->lines, '!'));
	free(lines);
}

static void test_times(void **state)
{
	static const struct lab_arc arcs[] = { ENTER(1, 10, 11), TRY(2, 100, 400) };
	static const struct verdict_receipt receipts[] = { PREPARE(0, 99), DONE(0, 401) };
	const struct verdict_device device = { arcs, ROWS(arcs), 1, 0 };
	const struct verdict_input in = {
		.devices = &device, .device_count = 1, .receipts = receipts,
		.receipt_count = ROWS(receipts), .until_ns = UINT64_MAX,
		.noise_ns = VERDICT_NOISE_NS, .expected = 1,
	};
	struct verdict_line *lines;
	size_t count;

	(void)state;
	assert_int_equal(verdict_judge(&in, &lines, &count), 0);
	assert_int_equal(count, 1);
	assert_ptr_equal(lines->arc, &arcs[1]);
	assert_int_equal(lines->prepare_ns, MS(99));
	assert_int_equal(lines->done_ns, MS(401));
	free(lines);
}

#define ANSWERED(dev, at, took)	{ .id = "vf", .device = (dev), .event = VERDICT_ANSWER, \
				  .received_ns = MS(at), .elapsed_ns = MS(took) }
#define SILENT(dev, at)		{ .id = "vf", .device = (dev), .event = VERDICT_SILENCE, \
				  .received_ns = MS(at) }

/* Those of the other device are not in the line of this one. */
static void test_answers(void **state)
{
	static const struct lab_arc arcs[] = { ENTER(1, 10, 11), TRY(2, 100, 400) };
	static const struct verdict_receipt receipts[] = {
		PREPARE(0, 50), ANSWERED(0, 53, 3), ANSWERED(0, 52, 2), ANSWERED(1, 59, 9),
		SILENT(0, 90), DONE(0, 401),
	};
	const struct verdict_device devices[] = { { arcs, ROWS(arcs), 1, 0 }, { NULL, 0, 1, 0 } };
	const struct verdict_subject subject = { "vf0", "emu", "kernel" };
	const struct verdict_input in = {
		.devices = devices, .device_count = 2, .receipts = receipts,
		.receipt_count = ROWS(receipts), .until_ns = UINT64_MAX,
		.noise_ns = VERDICT_NOISE_NS, .expected = -1,
	};
	char text[VERDICT_TEXT_MAX];
	struct verdict_line *lines;
	size_t count;

	(void)state;
	assert_int_equal(verdict_judge(&in, &lines, &count), 0);
	assert_true(lines->pass);
	verdict_text(&in, lines, &subject, text);
	assert_non_null(strstr(text, ", answered by 2 in at most 3.00 ms, not answered by 1 "));
	free(lines);
}

static void test_nothing_is_no_pass(void **state)
{
	(void)state;
	assert_false(verdict_pass(NULL, 0));
}

int main(void)
{
	struct CMUnitTest tests[ROWS(rows) + 3];
	size_t i;

	for (i = 0; i < ROWS(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, test_row, NULL, NULL,
						(void *)&rows[i] };
	tests[i++] = (struct CMUnitTest)cmocka_unit_test(test_times);
	tests[i++] = (struct CMUnitTest)cmocka_unit_test(test_answers);
	tests[i] = (struct CMUnitTest)cmocka_unit_test(test_nothing_is_no_pass);
	return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
