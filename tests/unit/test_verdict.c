// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verdict, row by row: what the two witnesses say, and the lines that follow.
 * Times are milliseconds; a line is "device:KIND", with "/hold" when the proof by
 * hold ran, "/unheld" when the judge was to hold and the arc went through, "/own" when
 * its hold ended the arc, "!" when it fails, and "?" when it decides nothing. Behind
 * them, after "=", what they come to.
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
#define GIVE_UP(n, begin, end)	ARC(n, PRE_COPY, RUNNING, begin, end, 0)
#define TIME_OUT(n, begin, end)	ARC(n, PRE_COPY, PRE_COPY_P2P, begin, end, -110)
#define BACK(n, begin, end)	ARC(n, PRE_COPY_P2P, PRE_COPY, begin, end, 0)

#define PREPARE(dev, at)	{ .id = "vf", .device = (dev), .event = VERDICT_PREPARE, \
				  .received_ns = MS(at) }
#define RELEASE(dev, at, rel)	{ .id = "vf", .device = (dev), .event = VERDICT_PREPARE, \
				  .received_ns = MS(at), .released_ns = MS(rel) }
#define TARDY(dev, at, late)	{ .id = "vf", .device = (dev), .event = VERDICT_PREPARE, \
				  .received_ns = MS(at), .late_ns = MS(late) }
#define STRANGER(at)		{ .id = "vf9", .device = -1, .event = VERDICT_PREPARE, \
				  .received_ns = MS(at) }
#define DONE(dev, at)		{ .id = "vf", .device = (dev), .event = VERDICT_DONE, \
				  .received_ns = MS(at) }

static const struct lab_arc arc_enter = ENTER(1, 10, 11), arc_done = TRY(2, 100, 400);
static const struct lab_arc arc_failed = FAIL(2, 100, 400), arc_busy = BUSY(2, 100);
static const struct lab_arc arc_timed_out = TIME_OUT(2, 100, 5100);

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
	uint64_t lead_ms;	/* 0: no limit */
	uint64_t hold_ms;	/* limit of the judge's hold; 0: it holds nothing */
	int32_t pid;		/* who sends the events; 0: anybody */
	const char *disagreement;	/* of history and trace */
	const char *lines;
};

static const struct row rows[] = {
	{ "before", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 99), DONE(0, 401) }, .lines = "0:BEFORE = PASS" },
	{ "before, history begins in pre-copy", { { TRY(7, 100, 400) } }, .first_seq = 7,
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE = PASS" },
	{ "arcs from before the judge began do not count",
	  { { ENTER(1, 1, 2), TRY(2, 3, 4), ENTER(3, 5, 6), TRY(4, 100, 400) } }, .first_seq = 3,
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE = PASS" },
	{ "passed through on the way to stop-copy",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400), COPY(3, 400, 401) } },
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE = PASS" },
	{ "missing", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { DONE(0, 401) }, .lines = "0:MISSING! = FAIL" },
	{ "late", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 401), DONE(0, 402) }, .lines = "0:LATE! = FAIL" },
	{ "in mid-arc", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 250) }, .lines = "0:DURING! = FAIL" },
	{ "at the arc's beginning is not before it", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 100) }, .lines = "0:INCONCLUSIVE? = OPEN" },
	{ "inconclusive", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 101) }, .lines = "0:INCONCLUSIVE? = OPEN" },
	{ "noise lasts", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 149) }, .lines = "0:INCONCLUSIVE? = OPEN" },
	{ "noise ends", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 150) }, .lines = "0:DURING! = FAIL" },
	{ "inconclusive after a short arc", { { ENTER(1, 10, 11), TRY(2, 100, 101) } },
	  .receipts = { PREPARE(0, 102) }, .lines = "0:INCONCLUSIVE? = OPEN" },
	{ "proof by hold", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { RELEASE(0, 101, 110) }, .lines = "0:HELD/hold = PASS" },
	{ "proof by hold, and received before", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { RELEASE(0, 99, 110) }, .lines = "0:BEFORE/hold = PASS" },
	{ "proof by hold does not excuse a late announcement",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { RELEASE(0, 150, 151) }, .lines = "0:DURING/hold! = FAIL" },
	{ "a release outside the arc proves nothing", { { ENTER(1, 10, 11), TRY(2, 100, 102) } },
	  .receipts = { RELEASE(0, 101, 110) }, .lines = "0:INCONCLUSIVE? = OPEN" },
	{ "duplicate", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 98), PREPARE(0, 99) }, .lines = "0:DUPLICATE! = FAIL" },
	{ "duplicate, the second one late", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 98), PREPARE(0, 500) }, .lines = "0:DUPLICATE! = FAIL" },
	{ "wrong device", { { ENTER(1, 10, 11), TRY(2, 100, 400) }, { ENTER(1, 10, 11) } },
	  .devices = 2, .receipts = { PREPARE(1, 99) },
	  .lines = "0:MISSING! 1:STRAY! 1:N/A = FAIL" },
	{ "for a device that is not judged", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { STRANGER(99) }, .lines = "0:MISSING(vf9)! = FAIL" },
	{ "another device's announcement is its own affair",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { STRANGER(98), PREPARE(0, 99) }, .lines = "0:BEFORE = PASS" },
	{ "announced and never begun", { { ENTER(1, 10, 11) } },
	  .receipts = { PREPARE(0, 99) }, .lines = "0:STRAY! 0:N/A = FAIL" },
	{ "announced, then given up",
	  { { ENTER(1, 10, 11), ARC(2, PRE_COPY, RUNNING, 50, 51, 0) } },
	  .receipts = { PREPARE(0, 40) }, .lines = "0:WITHDRAWN 0:N/A = NONE" },
	{ "announced outside pre-copy", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { PREPARE(0, 5), PREPARE(0, 99) }, .lines = "0:STRAY! 0:BEFORE = FAIL" },
	{ "announced when the histories were read already", { { ENTER(1, 10, 11) } },
	  .until_ms = 90, .receipts = { PREPARE(0, 99) }, .lines = "0:N/A = NONE" },
	{ "history gap", { { ENTER(1, 10, 11), TRY(3, 100, 400) } },
	  .receipts = { PREPARE(0, 99) }, .lines = "0:GAP! 0:BEFORE = FAIL" },
	{ "history gap at its beginning", { { TRY(9, 100, 400) } }, .first_seq = 8,
	  .receipts = { PREPARE(0, 99) }, .lines = "0:GAP! 0:BEFORE = FAIL" },
	{ "history began anew", { { ENTER(1, 10, 11) } }, .first_seq = 8,
	  .lines = "0:GAP! 0:N/A = FAIL" },
	{ "history began anew, and grew past where it was",
	  { { ENTER(1, 10, 11), TRY(2, 20, 30), COPY(3, 30, 31), ENTER(4, 90, 91) } },
	  .first_seq = 4, .since_ms = 5, .receipts = { PREPARE(0, 89) },
	  .lines = "0:GAP! 0:STRAY! 0:N/A = FAIL" },
	{ "failed arc", { { ENTER(1, 10, 11), FAIL(2, 100, 400) } },
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE = PASS" },
	{ "failed arc without prepare", { { ENTER(1, 10, 11), FAIL(2, 100, 400) } },
	  .lines = "0:MISSING! = FAIL" },
	{ "failed arc with a late prepare", { { ENTER(1, 10, 11), FAIL(2, 100, 400) } },
	  .receipts = { PREPARE(0, 401) }, .lines = "0:LATE! = FAIL" },
	{ "failed arc, tried again", { { ENTER(1, 10, 11), FAIL(2, 100, 200), TRY(3, 300, 400) } },
	  .receipts = { PREPARE(0, 99), PREPARE(0, 299) }, .lines = "0:BEFORE 0:BEFORE = PASS" },
	{ "failed arc, tried again with one prepare",
	  { { ENTER(1, 10, 11), FAIL(2, 100, 200), TRY(3, 300, 400) } },
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE 0:MISSING! = FAIL" },
	{ "failed arc, tried again, a late prepare serves only the first",
	  { { ENTER(1, 10, 11), FAIL(2, 100, 200), TRY(3, 300, 400) } },
	  .receipts = { PREPARE(0, 299) }, .lines = "0:LATE! 0:MISSING! = FAIL" },
	{ "no arc", { { ENTER(1, 10, 11) } }, .lines = "0:N/A = NONE" },
	{ "no arc, none expected", { { ENTER(1, 10, 11) } }, .expected = -1,
	  .lines = "0:N/A = NONE" },
	{ "no arc, one expected", { { ENTER(1, 10, 11) } }, .expected = 1,
	  .lines = "0:N/A! = FAIL" },
	{ "no history at all", { { { 0 } } }, .lines = "0:N/A = NONE" },
	{ "an arc, none expected", { { ENTER(1, 10, 11), TRY(2, 100, 400) } }, .expected = -1,
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE 0:N/A! = FAIL" },
	{ "two arcs",
	  { { ENTER(1, 10, 11), TRY(2, 100, 200), BACK(3, 210, 220), TRY(4, 300, 400) } },
	  .expected = 2,
	  .receipts = { PREPARE(0, 99), DONE(0, 201), PREPARE(0, 299), DONE(0, 401) },
	  .lines = "0:BEFORE 0:BEFORE = PASS" },
	{ "two arcs, one expected",
	  { { ENTER(1, 10, 11), TRY(2, 100, 200), BACK(3, 210, 220), TRY(4, 300, 400) } },
	  .expected = 1, .receipts = { PREPARE(0, 99), PREPARE(0, 299) },
	  .lines = "0:BEFORE 0:BEFORE 0:N/A! = FAIL" },
	{ "two arcs, one prepare",
	  { { ENTER(1, 10, 11), TRY(2, 100, 200), BACK(3, 210, 220), TRY(4, 300, 400) } },
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE 0:MISSING! = FAIL" },
	{ "two arcs, both prepares before the first",
	  { { ENTER(1, 10, 11), TRY(2, 100, 200), BACK(3, 210, 220), TRY(4, 300, 400) } },
	  .receipts = { PREPARE(0, 98), PREPARE(0, 99) },
	  .lines = "0:DUPLICATE! 0:MISSING! = FAIL" },
	{ "two arcs, the late one of the first is not early for the second",
	  { { ENTER(1, 10, 11), TRY(2, 100, 200), BACK(3, 210, 220), TRY(4, 300, 400) } },
	  .receipts = { PREPARE(0, 201), PREPARE(0, 401) }, .lines = "0:LATE! 0:LATE! = FAIL" },
	{ "undelivered", { { ENTER(1, 10, 11), TRY(2, 100, 400) } }, .broken_ms = 50,
	  .lines = "0:UNDELIVERED! = FAIL" },
	{ "undelivered, broken in mid-arc", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .broken_ms = 200, .lines = "0:UNDELIVERED! = FAIL" },
	{ "broken after the arc", { { ENTER(1, 10, 11), TRY(2, 100, 400) } }, .broken_ms = 500,
	  .lines = "0:MISSING! = FAIL" },
	{ "broken after the prepare", { { ENTER(1, 10, 11), TRY(2, 100, 400) } }, .broken_ms = 200,
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE = PASS" },
	{ "undelivered fails its own line only",
	  { { ENTER(1, 10, 11), TRY(2, 100, 200) }, { ENTER(1, 10, 11), TRY(2, 300, 400) } },
	  .devices = 2, .broken_ms = 250, .receipts = { PREPARE(0, 99) },
	  .lines = "0:BEFORE 1:UNDELIVERED! = FAIL" },
	{ "still in progress", { { ENTER(1, 10, 11), BUSY(2, 100) } },
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE = PASS" },
	{ "still in progress, announced meanwhile", { { ENTER(1, 10, 11), BUSY(2, 100) } },
	  .receipts = { PREPARE(0, 900) }, .lines = "0:DURING! = FAIL" },
	{ "still in progress, not announced", { { ENTER(1, 10, 11), BUSY(2, 100) } },
	  .lines = "0:MISSING! = FAIL" },
	{ "still in progress, held and released", { { ENTER(1, 10, 11), BUSY(2, 100) } },
	  .receipts = { RELEASE(0, 101, 102) }, .lines = "0:HELD/hold = PASS" },
	{ "four devices, one after another",
	  { { ENTER(1, 10, 11), TRY(2, 700, 900) }, { ENTER(1, 10, 11), TRY(2, 500, 690) },
	    { ENTER(1, 10, 11), TRY(2, 300, 490) }, { ENTER(1, 10, 11), TRY(2, 100, 290) } },
	  .devices = 4, .expected = 1,
	  .receipts = { PREPARE(3, 99), DONE(3, 291), PREPARE(2, 299), DONE(2, 491),
			PREPARE(1, 499), DONE(1, 691), PREPARE(0, 699), DONE(0, 901) },
	  .lines = "0:BEFORE 1:BEFORE 2:BEFORE 3:BEFORE = PASS" },
	{ "four devices at once",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) }, { ENTER(1, 10, 11), TRY(2, 101, 400) },
	    { ENTER(1, 10, 11), TRY(2, 102, 400) }, { ENTER(1, 10, 11), TRY(2, 103, 400) } },
	  .devices = 4, .expected = 1,
	  .receipts = { PREPARE(2, 96), PREPARE(0, 97), PREPARE(3, 98), PREPARE(1, 99) },
	  .lines = "0:BEFORE 1:BEFORE 2:BEFORE 3:BEFORE = PASS" },
	{ "four devices, one of them forgotten",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) }, { ENTER(1, 10, 11), TRY(2, 101, 400) },
	    { ENTER(1, 10, 11), TRY(2, 102, 400) }, { ENTER(1, 10, 11), TRY(2, 103, 400) } },
	  .devices = 4, .expected = 1,
	  .receipts = { PREPARE(2, 96), PREPARE(0, 97), PREPARE(1, 99) },
	  .lines = "0:BEFORE 1:BEFORE 2:BEFORE 3:MISSING! = FAIL" },
	/* --- what a hold adds --- */
	{ "a hold of the judge's, and received before",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) } }, .hold_ms = 5000,
	  .receipts = { RELEASE(0, 99, 110) }, .lines = "0:BEFORE/hold = PASS" },
	{ "a hold of the judge's that did not hold",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) } }, .hold_ms = 5000,
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE/unheld = PASS" },
	{ "a hold of the judge's that did not hold, and no luck",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) } }, .hold_ms = 5000,
	  .receipts = { PREPARE(0, 101) }, .lines = "0:INCONCLUSIVE/unheld? = OPEN" },
	{ "a hold of the judge's ends the arc",
	  { { ENTER(1, 10, 11), TIME_OUT(2, 100, 5100) } }, .hold_ms = 5000,
	  .lines = "0:MISSING/own! = FAIL" },
	{ "a rule ends the arc before the judge's hold would",
	  { { ENTER(1, 10, 11), TIME_OUT(2, 100, 5099) } }, .hold_ms = 5000,
	  .lines = "0:MISSING/unheld! = FAIL" },
	{ "another failure at the limit is not the hold's",
	  { { ENTER(1, 10, 11), FAIL(2, 100, 5200) } }, .hold_ms = 5000,
	  .lines = "0:MISSING/unheld! = FAIL" },
	{ "a rule's hold ends the arc",
	  { { ENTER(1, 10, 11), TIME_OUT(2, 100, 5200) } }, .lines = "0:MISSING! = FAIL" },
	{ "a release before the receipt proves nothing",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { RELEASE(0, 120, 110) }, .lines = "0:INCONCLUSIVE? = OPEN" },
	{ "a release before the arc proves nothing",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { RELEASE(0, 98, 99) }, .lines = "0:BEFORE = PASS" },
	{ "released at the very beginning and end",
	  { { ENTER(1, 10, 11), TRY(2, 100, 101) } },
	  .receipts = { RELEASE(0, 100, 101) }, .lines = "0:HELD/hold = PASS" },
	/* --- how late the judge was itself --- */
	{ "the judge waited for a processor", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { TARDY(0, 249, 100) }, .lines = "0:INCONCLUSIVE? = OPEN" },
	{ "the judge did not wait for so long", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .receipts = { TARDY(0, 250, 100) }, .lines = "0:DURING! = FAIL" },
	/* --- too early --- */
	{ "not too early", { { ENTER(1, 10, 11), TRY(2, 5100, 5400) } }, .lead_ms = 5000,
	  .receipts = { PREPARE(0, 100) }, .lines = "0:BEFORE = PASS" },
	{ "too early", { { ENTER(1, 10, 11), TRY(2, 5100, 5400) } }, .lead_ms = 5000,
	  .receipts = { PREPARE(0, 99) }, .lines = "0:EARLY! = FAIL" },
	{ "too early, and held", { { ENTER(1, 10, 11), TRY(2, 5100, 5400) } }, .lead_ms = 5000,
	  .hold_ms = 5000, .receipts = { RELEASE(0, 99, 5110) },
	  .lines = "0:EARLY/hold! = FAIL" },
	{ "never too early", { { ENTER(1, 10, 11), TRY(2, 90000, 90300) } },
	  .receipts = { PREPARE(0, 20) }, .lines = "0:BEFORE = PASS" },
	/* --- cancelled, and tried again --- */
	{ "given up, then a migration", { { ENTER(1, 10, 11), GIVE_UP(2, 50, 51), ENTER(3, 60, 61),
	    TRY(4, 100, 400) } },
	  .receipts = { PREPARE(0, 40), PREPARE(0, 99) },
	  .lines = "0:WITHDRAWN 0:BEFORE = PASS" },
	{ "announced when it was given up, within the noise",
	  { { ENTER(1, 10, 11), GIVE_UP(2, 50, 51) } },
	  .receipts = { PREPARE(0, 100) }, .lines = "0:WITHDRAWN 0:N/A = NONE" },
	{ "announced after it was given up", { { ENTER(1, 10, 11), GIVE_UP(2, 50, 51) } },
	  .receipts = { PREPARE(0, 101) }, .lines = "0:STRAY! 0:N/A = FAIL" },
	{ "given up, and announced twice", { { ENTER(1, 10, 11), GIVE_UP(2, 50, 51) } },
	  .receipts = { PREPARE(0, 30), PREPARE(0, 40) },
	  .lines = "0:WITHDRAWN 0:STRAY! 0:N/A = FAIL" },
	{ "not given up: it could not be",
	  { { ENTER(1, 10, 11), ARC(2, PRE_COPY, RUNNING, 50, 51, -5) } },
	  .receipts = { PREPARE(0, 40) }, .lines = "0:STRAY! 0:N/A = FAIL" },
	{ "not given up: to stop-copy without P2P",
	  { { ENTER(1, 10, 11), ARC(2, PRE_COPY, STOP_COPY, 50, 51, 0) } },
	  .receipts = { PREPARE(0, 40) }, .lines = "0:STRAY! 0:N/A = FAIL" },
	{ "failed arc, announced again and given up",
	  { { ENTER(1, 10, 11), FAIL(2, 100, 200), GIVE_UP(3, 300, 301) } },
	  .receipts = { PREPARE(0, 99), PREPARE(0, 250) },
	  .lines = "0:BEFORE 0:WITHDRAWN = PASS" },
	{ "failed arc, announced again for nothing",
	  { { ENTER(1, 10, 11), FAIL(2, 100, 200) } },
	  .receipts = { PREPARE(0, 99), PREPARE(0, 250) },
	  .lines = "0:BEFORE 0:STRAY! = FAIL" },
	{ "migrated again when the histories were read already",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) } }, .until_ms = 450,
	  .receipts = { PREPARE(0, 99), PREPARE(0, 450) }, .lines = "0:BEFORE = PASS" },
	{ "a second announcement just before the histories were read",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) } }, .until_ms = 450,
	  .receipts = { PREPARE(0, 99), PREPARE(0, 449) }, .lines = "0:DUPLICATE! = FAIL" },
	{ "only of a migration that came since",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) } }, .until_ms = 450,
	  .receipts = { PREPARE(0, 460) }, .lines = "0:MISSING! = FAIL" },
	{ "a second announcement of an arc that goes on",
	  { { ENTER(1, 10, 11), BUSY(2, 100) } }, .until_ms = 450,
	  .receipts = { PREPARE(0, 99), PREPARE(0, 460) }, .lines = "0:DUPLICATE! = FAIL" },
	{ "announced at the time of reading", { { ENTER(1, 10, 11) } }, .until_ms = 99,
	  .receipts = { PREPARE(0, 99) }, .lines = "0:N/A = NONE" },
	{ "announced just before the reading", { { ENTER(1, 10, 11) } }, .until_ms = 100,
	  .receipts = { PREPARE(0, 99) }, .lines = "0:STRAY! 0:N/A = FAIL" },
	{ "an arc into pre-copy that failed begins nothing",
	  { { ENTER(1, 10, 11), ARC(2, RUNNING, PRE_COPY, 60, 61, -5), TRY(3, 100, 400) } },
	  .receipts = { PREPARE(0, 50) }, .lines = "0:BEFORE = PASS" },
	/* --- whose it is --- */
	{ "an arc of the process that sends", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .pid = 100, .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE = PASS" },
	{ "an arc of another process", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .pid = 101, .receipts = { PREPARE(0, 99) }, .lines = "0:FOREIGN! = FAIL" },
	{ "an arc of nobody knows which process",
	  { { ENTER(1, 10, 11), { .seq = 2, .from = VFIO_DEVICE_STATE_PRE_COPY,
				  .to = VFIO_DEVICE_STATE_PRE_COPY_P2P, .begin_ns = MS(100),
				  .end_ns = MS(400) } } },
	  .pid = 101, .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE = PASS" },
	{ "another witness says something else", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .disagreement = "the trace lacks RUNNING -> PRE_COPY", .receipts = { PREPARE(0, 99) },
	  .lines = "0:DISAGREE! 0:BEFORE = FAIL" },
	{ "an arc of another process, and no event", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .pid = 101, .lines = "0:FOREIGN! = FAIL" },
	/* --- what lines come to --- */
	{ "one of two devices had no arc",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) }, { ENTER(1, 10, 11) } }, .devices = 2,
	  .receipts = { PREPARE(0, 99) }, .lines = "0:BEFORE 1:N/A = NONE" },
	{ "one decides nothing, one had no arc",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) }, { ENTER(1, 10, 11) } }, .devices = 2,
	  .receipts = { PREPARE(0, 101) }, .lines = "0:INCONCLUSIVE? 1:N/A = OPEN" },
	{ "one decides nothing, one fails",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) }, { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .devices = 2, .receipts = { PREPARE(0, 101) },
	  .lines = "0:INCONCLUSIVE? 1:MISSING! = FAIL" },
	{ "one fails, one had no arc",
	  { { ENTER(1, 10, 11), TRY(2, 100, 400) }, { ENTER(1, 10, 11) } }, .devices = 2,
	  .lines = "0:MISSING! 1:N/A = FAIL" },
	{ "broken at the very end of the arc", { { ENTER(1, 10, 11), TRY(2, 100, 400) } },
	  .broken_ms = 400, .lines = "0:UNDELIVERED! = FAIL" },
};

/* The lines as the rows spell them. */
static void spell(const struct verdict_line *lines, size_t count, char *text, size_t size)
{
	static const char *const marks[] = {
		[VERDICT_PASS] = "", [VERDICT_FAIL] = "!", [VERDICT_OPEN] = "?",
		[VERDICT_NONE] = "",
	};
	static const char *const outcomes[] = {
		[VERDICT_PASS] = "PASS", [VERDICT_FAIL] = "FAIL", [VERDICT_OPEN] = "OPEN",
		[VERDICT_NONE] = "NONE",
	};
	struct verdict_sum sum;
	size_t i, used = 0;

	text[0] = '\0';
	for (i = 0; i < count; i++) {
		const struct verdict_line *l = &lines[i];
		const char *other = l->other;

		used += snprintf(text + used, size - used, "%s%zu:%s%s%s%s%s%s%s%s", i ? " " : "",
				 l->device, verdict_name(l->kind), l->by_hold ? "/hold" : "",
				 l->unheld ? "/unheld" : "", l->own_hold ? "/own" : "",
				 other ? "(" : "", other ? other : "", other ? ")" : "",
				 marks[l->outcome]);
		assert_true(used < size);
	}
	verdict_add_up(lines, count, &sum);
	snprintf(text + used, size - used, " = %s", outcomes[sum.outcome]);
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
		.lead_ns = MS(row->lead_ms),
		.hold_ns = MS(row->hold_ms),
		.expected = row->expected > 0 ? row->expected : row->expected < 0 ? 0 : -1,
	};
	struct verdict_line *lines;
	char text[256];
	size_t i, count;

	for (i = 0; i < in.device_count; i++) {
		devices[i] = (struct verdict_device){
			.arcs = row->arcs[i],
			.first_seq = row->first_seq ? row->first_seq : 1,
			.since_ns = row->since_ms ? MS(row->since_ms) : UINT64_MAX,
			.pid = row->pid,
			.disagreement = row->disagreement,
		};
		while (devices[i].count < ARCS_MAX && row->arcs[i][devices[i].count].seq)
			devices[i].count++;
	}
	while (in.receipt_count < RECEIPTS_MAX && row->receipts[in.receipt_count].id)
		in.receipt_count++;

	assert_int_equal(verdict_judge(&in, &lines, &count), 0);
	spell(lines, count, text, sizeof(text));
	assert_string_equal(text, row->lines);
	free(lines);
}

static void test_times(void **state)
{
	static const struct lab_arc arcs[] = { ENTER(1, 10, 11), TRY(2, 100, 400) };
	static const struct verdict_receipt receipts[] = {
		DONE(0, 50), PREPARE(0, 99), DONE(0, 401), DONE(0, 402),
	};
	const struct verdict_device device = { .arcs = arcs, .count = ROWS(arcs), .first_seq = 1 };
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
	const struct verdict_device devices[] = {
		{ .arcs = arcs, .count = ROWS(arcs), .first_seq = 1 }, { .first_seq = 1 },
	};
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
	assert_int_equal(lines->outcome, VERDICT_PASS);
	verdict_text(&in, lines, &subject, false, text);
	assert_non_null(strstr(text, ", answered by 2 in at most 3.00 ms, not answered by 1 "));
	free(lines);
}

/* What each kind of line says, and what the long one says besides. */
static const struct text_row {
	const char *name;
	struct verdict_line line;
	const char *text, *more;	/* between the first words, of all, and the verdict */
} text_rows[] = {
	{ "before", { .kind = VERDICT_BEFORE, .arc = &arc_done, .prepare_ns = MS(99),
		      .done_ns = MS(401) },
	  "  arc 300.0 ms  prepare 1.00 ms before it   BEFORE  PASS",
	  ", prepare 302.00 ms before the completion event, seq 2, on the way to STOP_COPY, process "
	  "100, history: kernel   BEFORE  PASS" },
	{ "before, and held", { .kind = VERDICT_BEFORE, .arc = &arc_done, .prepare_ns = MS(99),
				.by_hold = true },
	  "  arc 300.0 ms  prepare 1.00 ms before it   BEFORE  PASS",
	  ", and before its hold was released, seq 2" },
	{ "before, not held", { .kind = VERDICT_BEFORE, .arc = &arc_done, .prepare_ns = MS(99),
				.unheld = true },
	  "  arc 300.0 ms  prepare 1.00 ms before it, not held   BEFORE  PASS", NULL },
	{ "held", { .kind = VERDICT_HELD, .arc = &arc_done, .prepare_ns = MS(101),
		    .by_hold = true },
	  "  arc 300.0 ms  held until its prepare came   HELD  PASS",
	  ", prepare 1.00 ms after its beginning, seq 2" },
	{ "early", { .kind = VERDICT_EARLY, .arc = &arc_done, .prepare_ns = MS(1) },
	  "  arc 300.0 ms  prepare 99.00 ms before it, more than 5000 ms   EARLY  FAIL", NULL },
	{ "inconclusive", { .kind = VERDICT_INCONCLUSIVE, .arc = &arc_done,
			    .prepare_ns = MS(101) },
	  "  arc 300.0 ms  prepare 1.00 ms after its beginning   INCONCLUSIVE", NULL },
	{ "during", { .kind = VERDICT_DURING, .arc = &arc_busy, .prepare_ns = MS(200) },
	  "  arc in progress  prepare 100.00 ms after its beginning   DURING  FAIL", NULL },
	{ "late", { .kind = VERDICT_LATE, .arc = &arc_done, .prepare_ns = MS(402) },
	  "  arc 300.0 ms  prepare 2.00 ms after its end   LATE  FAIL", NULL },
	{ "missing", { .kind = VERDICT_MISSING, .arc = &arc_done, .done_ns = MS(402) },
	  "  arc 300.0 ms  no prepare   MISSING  FAIL",
	  "no prepare, completion event 2.00 ms after it, seq 2" },
	{ "missing, for another", { .kind = VERDICT_MISSING, .arc = &arc_done,
				    .other = "vf\033[31m9\xc2\x9b\177" },
	  "  arc 300.0 ms  no prepare (one for vf?[31m9?\?\?)   MISSING  FAIL", NULL },
	{ "missing, and held", { .kind = VERDICT_MISSING, .arc = &arc_timed_out,
				 .own_hold = true },
	  "  arc 5000.0 ms, ended by the judge's own hold  no prepare   MISSING  FAIL", NULL },
	{ "missing, a rule's hold", { .kind = VERDICT_MISSING, .arc = &arc_timed_out },
	  "  arc 5000.0 ms, failed (timed out)  no prepare   MISSING  FAIL", NULL },
	{ "missing, and failed", { .kind = VERDICT_MISSING, .arc = &arc_failed },
	  "  arc 300.0 ms, failed (Input/output error)  no prepare   MISSING  FAIL", NULL },
	{ "undelivered", { .kind = VERDICT_UNDELIVERED, .arc = &arc_done },
	  "  arc 300.0 ms  the event connection broke before its end   UNDELIVERED  FAIL", NULL },
	{ "duplicate", { .kind = VERDICT_DUPLICATE, .arc = &arc_done, .prepare_ns = MS(99),
			 .count = 2 },
	  "  arc 300.0 ms  prepare 1.00 ms before it, 2 times   DUPLICATE  FAIL", NULL },
	{ "stray", { .kind = VERDICT_STRAY, .prepare_ns = MS(99) },
	  "  a prepare without an arc that follows   STRAY  FAIL", NULL },
	{ "withdrawn", { .kind = VERDICT_WITHDRAWN, .prepare_ns = MS(99) },
	  "  a prepare, then the migration was given up   WITHDRAWN", NULL },
	{ "foreign", { .kind = VERDICT_FOREIGN, .arc = &arc_done, .prepare_ns = MS(99) },
	  "  arc 300.0 ms  made by process 100, not by 42, which sends the events   FOREIGN  FAIL",
	  NULL },
	{ "gap", { .kind = VERDICT_GAP }, "  entries of the history are lost   GAP  FAIL", NULL },
	{ "no arc", { .kind = VERDICT_NA }, "  no arc; its history is empty   N/A",
	  ", history: kernel   N/A" },
	{ "another arc", { .kind = VERDICT_NA, .instead = &arc_enter },
	  "  no arc; it went RUNNING -> PRE_COPY   N/A", NULL },
};

static void test_text(void **state)
{
	const struct text_row *row = *state;
	const struct verdict_subject subject = { "vf0", "0000:01:00.0", "kernel" };
	const struct verdict_device device = { .pid = 42 };
	const struct verdict_input in = {
		.devices = &device, .device_count = 1, .lead_ns = VERDICT_LEAD_NS, .expected = -1,
	};
	struct verdict_line line = row->line;
	char text[VERDICT_TEXT_MAX], want[VERDICT_TEXT_MAX];

	line.outcome = strstr(row->text, "  PASS") ? VERDICT_PASS :
		       strstr(row->text, "  FAIL") ? VERDICT_FAIL : VERDICT_NONE;
	snprintf(want, sizeof(want), "vf0 0000:01:00.0  PRE_COPY -> PRE_COPY_P2P%s", row->text);
	verdict_text(&in, &line, &subject, false, text);
	assert_string_equal(text, want);
	verdict_text(&in, &line, &subject, true, text);
	if (row->more && !strstr(text, row->more))
		fail_msg("\"%s\" is not in \"%s\"", row->more, text);
}

/* The line that people see most has room in a terminal of 100 columns. */
static void test_width(void **state)
{
	static const struct lab_arc slow = TRY(2, 100, 1400);
	const struct verdict_subject subject = { "vf0", "0000:01:00.0", "kernel" };
	const struct verdict_input in = { .expected = -1 };
	const struct verdict_line line = {
		.kind = VERDICT_BEFORE, .arc = &slow, .prepare_ns = MS(10),
	};
	char text[VERDICT_TEXT_MAX];

	(void)state;
	verdict_text(&in, &line, &subject, false, text);
	assert_true(strlen(text) <= 100);
}

/* "device" and so on of a line that decides: what a program needs to find it again. */
static void test_json(void **state)
{
	const struct verdict_subject subject = { "vf0", "emu", "emulated (same process)" };
	const struct verdict_input in = { .expected = -1 };
	const struct verdict_line line = {
		.kind = VERDICT_HELD, .outcome = VERDICT_PASS, .arc = &arc_done,
		.prepare_ns = MS(101), .by_hold = true,
	};
	struct json_object *object = verdict_json(&in, &line, &subject);

	(void)state;
	json_object_object_del(object, "text");
	assert_string_equal(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN),
			    "{\"device\":\"vf0\",\"where\":\"emu\",\"history\":\"emulated (same "
			    "process)\",\"verdict\":\"HELD\",\"pass\":true,\"seq\":2,"
			    "\"begin_ns\":100000000,\"end_ns\":400000000,\"result\":0,\"pid\":100,"
			    "\"by-hold\":true,\"own-hold\":false,\"lead_ns\":-1000000,"
			    "\"prepare_ns\":101000000}");
	json_object_put(object);
}

static const struct run_row {
	const char *name;
	struct verdict_run run;
	const char *text, *json;	/* what follows the text in the object */
} run_rows[] = {
	{ "passes", { { VERDICT_PASS, 1, 0, 0 }, "migration", "completed", "kernel" },
	  "result: 1 transition judged, migration completed   PASS",
	  "\"result\":\"PASS\",\"pass\":true,\"ended\":\"migration\",\"migration\":\"completed\","
	  "\"arcs\":1,\"held\":0,\"without\":0}" },
	{ "passes by hold", { { VERDICT_PASS, 4, 1, 0 }, "migration", "failed", "kernel" },
	  "result: 4 transitions judged, 1 by hold, migration failed   HELD  PASS",
	  "\"result\":\"HELD\",\"pass\":true,\"ended\":\"migration\",\"migration\":\"failed\","
	  "\"arcs\":4,\"held\":1,\"without\":0}" },
	{ "fails, held", { { VERDICT_FAIL, 4, 1, 0 }, "migration", "completed", "emulated" },
	  "result: 4 transitions judged, 1 by hold, migration completed, history: emulated   FAIL",
	  "\"result\":\"FAIL\",\"pass\":false,\"ended\":\"migration\",\"migration\":\"completed\","
	  "\"arcs\":4,\"held\":1,\"without\":0}" },
	{ "is open", { { VERDICT_OPEN, 1, 0, 0 }, "timeout", NULL, "kernel" },
	  "result: 1 transition judged, the migration did not end (timeout)   INCONCLUSIVE",
	  "\"result\":\"INCONCLUSIVE\",\"pass\":false,\"ended\":\"timeout\",\"arcs\":1,\"held\":0,"
	  "\"without\":0}" },
	{ "is nothing", { { VERDICT_NONE, 0, 0, 2 }, "vmm-gone", NULL, "kernel" },
	  "result: 0 transitions judged, 2 devices made none, the migration did not end "
	  "(vmm-gone)   N/A",
	  "\"result\":\"N/A\",\"pass\":false,\"ended\":\"vmm-gone\",\"arcs\":0,\"held\":0,"
	  "\"without\":2}" },
};

static void test_run(void **state)
{
	const struct run_row *row = *state;
	struct json_object *object = verdict_run_json(&row->run);
	char text[VERDICT_TEXT_MAX], json[1024];

	verdict_run_text(&row->run, text);
	assert_string_equal(text, row->text);
	assert_string_equal(json_object_get_string(json_object_object_get(object, "text")), text);
	json_object_object_del(object, "text");
	snprintf(json, sizeof(json), "{%s", row->json);
	assert_string_equal(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
							   JSON_C_TO_STRING_NOSLASHESCAPE), json);
	json_object_put(object);
}

/* What comes to what, beside the outcomes of the rows. */
static void test_counts(void **state)
{
	const struct verdict_line lines[] = {
		{ .kind = VERDICT_BEFORE, .outcome = VERDICT_PASS, .arc = &arc_done,
		  .by_hold = true },
		{ .kind = VERDICT_HELD, .outcome = VERDICT_PASS, .arc = &arc_done,
		  .by_hold = true },
		{ .kind = VERDICT_WITHDRAWN, .outcome = VERDICT_NONE },
		{ .kind = VERDICT_NA, .outcome = VERDICT_FAIL, .count = 2 },
		{ .kind = VERDICT_NA, .outcome = VERDICT_NONE },
	};
	struct verdict_sum sum;

	(void)state;
	verdict_add_up(lines, ROWS(lines), &sum);
	assert_int_equal(sum.outcome, VERDICT_FAIL);
	assert_int_equal(sum.arcs, 2);
	assert_int_equal(sum.held, 1);
	assert_int_equal(sum.without, 1);
}

/* What the device did of its own: on its way from RUNNING, or else the first, if it is ours. */
static void test_instead(void **state)
{
	static const struct lab_arc arcs[] = {
		ARC(1, RUNNING, STOP, 1, 2, 0), ARC(2, STOP, RUNNING_P2P, 3, 4, 0),
		ARC(3, RUNNING_P2P, RUNNING, 5, 6, 0), ARC(4, RUNNING, RUNNING_P2P, 7, 8, 0),
	};
	static const struct {
		size_t count;
		uint64_t first_seq;
		const struct lab_arc *want;
	} cases[] = {
		{ 4, 2, &arcs[3] }, { 3, 2, &arcs[1] }, { 4, 1, &arcs[0] }, { 4, 5, NULL },
	};
	size_t i, count;

	(void)state;
	for (i = 0; i < ROWS(cases); i++) {
		const struct verdict_device device = {
			.arcs = arcs, .count = cases[i].count, .first_seq = cases[i].first_seq,
			.since_ns = MS(6),
		};
		const struct verdict_input in = {
			.devices = &device, .device_count = 1, .until_ns = UINT64_MAX,
			.expected = -1,
		};
		struct verdict_line *lines;

		assert_int_equal(verdict_judge(&in, &lines, &count), 0);
		assert_int_equal(lines[count - 1].kind, VERDICT_NA);
		assert_ptr_equal(lines[count - 1].instead, cases[i].want);
		free(lines);
	}
}

static void test_nothing_is_no_pass(void **state)
{
	struct verdict_sum sum;

	(void)state;
	verdict_add_up(NULL, 0, &sum);
	assert_int_equal(sum.outcome, VERDICT_NONE);
}

int main(void)
{
	const struct CMUnitTest single[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_instead),
		cmocka_unit_test(test_nothing_is_no_pass),
	};
	struct CMUnitTest tests[ROWS(rows) + ROWS(text_rows) + ROWS(run_rows) + ROWS(single)];
	size_t i, n = 0;

	for (i = 0; i < ROWS(rows); i++)
		tests[n++] = (struct CMUnitTest){ rows[i].name, test_row, NULL, NULL,
						  (void *)&rows[i] };
	for (i = 0; i < ROWS(text_rows); i++)
		tests[n++] = (struct CMUnitTest){ text_rows[i].name, test_text, NULL, NULL,
						  (void *)&text_rows[i] };
	for (i = 0; i < ROWS(run_rows); i++)
		tests[n++] = (struct CMUnitTest){ run_rows[i].name, test_run, NULL, NULL,
						  (void *)&run_rows[i] };
	for (i = 0; i < ROWS(single); i++)
		tests[n++] = single[i];
	return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
