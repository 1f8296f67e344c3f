// SPDX-License-Identifier: GPL-2.0-only
/* What a watch makes of arcs: order of lines, sums, recordings. */
#include "unit.h"

#include <errno.h>

#include "device/uapi.h"
#include "witness/order.h"
#include "witness/recording.h"
#include "witness/replay.h"
#include "witness/totals.h"

#define MS(n)	((n) * 1000000ull)
#define RUNNING		VFIO_DEVICE_STATE_RUNNING
#define RUNNING_P2P	VFIO_DEVICE_STATE_RUNNING_P2P
#define STOP		VFIO_DEVICE_STATE_STOP
#define STOP_COPY	VFIO_DEVICE_STATE_STOP_COPY
#define RESUMING	VFIO_DEVICE_STATE_RESUMING
#define PRE_COPY	VFIO_DEVICE_STATE_PRE_COPY
#define PRE_COPY_P2P	VFIO_DEVICE_STATE_PRE_COPY_P2P
#define ERROR		VFIO_DEVICE_STATE_ERROR

static struct witness_arc make(const char *device, uint32_t from, uint32_t to, unsigned int begin,
			       unsigned int end, int result)
{
	struct witness_arc arc = {
		.comm = "vmm", .tid = 8, .tgid = 7, .from = from, .to = to, .wanted = to,
		.begin_ns = MS(begin), .end_ns = MS(end), .result = result,
	};

	snprintf(arc.device, sizeof(arc.device), "%s", device);
	return arc;
}

/* An arc that begins and ends. */
static void walk(struct totals *t, const char *device, uint32_t from, uint32_t to,
		 unsigned int begin, unsigned int end, int result)
{
	struct witness_arc arc = make(device, from, to, begin, end, result);

	assert_int_equal(totals_add(t, ARCS_BEGUN, &arc), 0);
	assert_int_equal(totals_add(t, ARCS_ENDED, &arc), 0);
}

static void told(struct totals *t, enum arcs_news news, const char *device, uint32_t state,
		 unsigned int at)
{
	struct witness_arc arc = make(device, state, state, at, at, 0);

	assert_int_equal(totals_add(t, news, &arc), 0);
}

static void a_device_is_deaf_until_it_serves_again(void **state)
{
	struct totals t = { .count = 0 };

	(void)state;
	walk(&t, "a", RUNNING, PRE_COPY, 1, 2, 0);
	assert_int_equal(t.devices[0].deaf_since_ns, 0);
	walk(&t, "a", PRE_COPY, PRE_COPY_P2P, 10, 310, 0);
	assert_int_equal(t.devices[0].deaf_since_ns, MS(10));
	walk(&t, "a", PRE_COPY_P2P, RUNNING_P2P, 320, 321, 0);
	assert_int_equal(t.devices[0].deaf_ns, 0);
	walk(&t, "a", RUNNING_P2P, RUNNING, 330, 340, 0);
	assert_int_equal(t.devices[0].deaf_ns, MS(330));
	assert_int_equal(t.devices[0].deaf_since_ns, 0);
	walk(&t, "a", RUNNING, RUNNING_P2P, 400, 410, 0);
	walk(&t, "a", RUNNING_P2P, RUNNING, 410, 420, 0);
	assert_int_equal(t.devices[0].deaf_ns, MS(350));
	assert_int_equal(t.devices[0].longest_deaf_ns, MS(330));
	assert_int_equal(t.devices[0].arcs, 6);
	assert_int_equal(t.devices[0].slowest_ns, MS(300));
	assert_int_equal(t.devices[0].slowest_to, PRE_COPY_P2P);
	assert_int_equal(t.blackout_ns, MS(330));
	assert_int_equal(t.blackout_since_ns, 0);
	totals_free(&t);
}

/* Where a device is after a failure is not known until somebody asks, resets or goes on. */
static void after_a_failure_somebody_has_to_ask(void **state)
{
	struct totals t = { .count = 0 };

	(void)state;
	walk(&t, "a", PRE_COPY, PRE_COPY_P2P, 10, 20, -5);
	assert_int_equal(t.devices[0].failed, 1);
	assert_int_equal(t.devices[0].deaf_since_ns, MS(10));
	told(&t, ARCS_STATE, "a", ERROR, 25);
	assert_int_equal(t.devices[0].deaf_since_ns, MS(10));
	told(&t, ARCS_RESET, "a", RUNNING, 40);
	assert_int_equal(t.devices[0].resets, 1);
	assert_int_equal(t.devices[0].deaf_ns, MS(30));
	walk(&t, "a", PRE_COPY, PRE_COPY_P2P, 50, 60, -5);
	told(&t, ARCS_STATE, "a", PRE_COPY, 65);
	assert_int_equal(t.devices[0].deaf_ns, MS(45));
	walk(&t, "a", PRE_COPY, PRE_COPY_P2P, 70, 80, -5);
	walk(&t, "a", PRE_COPY, RUNNING, 90, 91, 0);
	assert_int_equal(t.devices[0].deaf_ns, MS(65));
	totals_free(&t);
}

static void a_failed_reset_brings_nothing_back(void **state)
{
	struct totals t = { .count = 0 };
	struct witness_arc reset = make("a", RUNNING, RUNNING, 30, 30, -25);

	(void)state;
	walk(&t, "a", PRE_COPY, PRE_COPY_P2P, 10, 20, 0);
	assert_int_equal(totals_add(&t, ARCS_RESET, &reset), 0);
	assert_int_equal(t.devices[0].deaf_since_ns, MS(10));
	totals_free(&t);
}

/* Two devices of a machine, each with its destination on the same host. */
static void destinations_end_the_blackout(void **state)
{
	struct totals t = { .count = 0 };

	(void)state;
	walk(&t, "dst1", RUNNING, RUNNING_P2P, 1, 2, 0);
	walk(&t, "dst1", RUNNING_P2P, STOP, 2, 3, 0);
	assert_int_equal(t.blackout_since_ns, MS(1));
	walk(&t, "dst1", STOP, RESUMING, 3, 4, 0);
	assert_int_equal(t.blackout_since_ns, 0);
	assert_int_equal(t.devices[0].deaf_since_ns, 0);
	walk(&t, "dst2", RUNNING, RUNNING_P2P, 4, 5, 0);
	walk(&t, "dst2", RUNNING_P2P, RESUMING, 5, 6, 0);
	walk(&t, "src1", PRE_COPY, PRE_COPY_P2P, 100, 150, 0);
	walk(&t, "src2", PRE_COPY, PRE_COPY_P2P, 120, 160, 0);
	walk(&t, "src1", PRE_COPY_P2P, STOP_COPY, 170, 171, 0);
	walk(&t, "src2", PRE_COPY_P2P, STOP_COPY, 171, 172, 0);
	walk(&t, "dst2", RESUMING, RUNNING_P2P, 200, 201, 0);
	assert_int_equal(t.blackout_since_ns, MS(100));
	walk(&t, "dst2", RUNNING_P2P, RUNNING, 210, 220, 0);
	assert_int_equal(t.blackout_ns, 0);
	walk(&t, "dst1", RESUMING, RUNNING, 230, 240, 0);
	assert_int_equal(t.blackout_ns, MS(140));
	assert_int_equal(t.devices[2].deaf_ns, MS(120));	/* src1, that dst2 ended */
	assert_int_equal(t.devices[3].deaf_ns, MS(120));	/* src2 */
	assert_int_equal(t.devices[0].deaf_ns, 0);
	/* From now on it is a device like any other: its return is nobody else's. */
	walk(&t, "src3", PRE_COPY, PRE_COPY_P2P, 290, 295, 0);
	walk(&t, "dst1", RUNNING, RUNNING_P2P, 300, 310, 0);
	walk(&t, "dst1", RUNNING_P2P, RUNNING, 310, 330, 0);
	assert_int_equal(t.devices[0].deaf_ns, MS(30));
	assert_int_equal(t.devices[4].deaf_since_ns, MS(290));
	totals_free(&t);
}

static void lost_lines_are_counted(void **state)
{
	struct totals t = { .count = 0 };
	const struct witness_arc lost = { .result = 12 };

	(void)state;
	totals_add(&t, ARCS_LOST, &lost);
	totals_add(&t, ARCS_LOST, &lost);
	assert_int_equal(t.lost, 24);
	assert_int_equal(t.count, 0);
	totals_free(&t);
}

/* --- the order of lines ---------------------------------------------------- */

#define LINE(time, what)	" vmm-8 [000] ..... " time ": arc: (f <- g) " what "\n"

static void expect_line(struct order *order, uint64_t ns, const char *want)
{
	char *line = order_take(order, ns);

	if (!want) {
		assert_null(line);
		return;
	}
	assert_non_null(line);
	assert_non_null(strstr(line, want));
	free(line);
}

static void lines_come_out_by_time(void **state)
{
	static const char text[] = LINE("1.000003", "first") LINE("1.000001", "x")
				   "CPU:0 [LOST 5 EVENTS]\n"
				   LINE("1.000002", "x") LINE("1.000003", "second");
	struct order *order = order_new();

	(void)state;
	/* As a pipe may cut it: byte by byte. */
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		assert_int_equal(order_feed(order, text + i, 1), 0);
	expect_line(order, 1000001000, NULL);
	expect_line(order, 1000002000, "1.000001");
	expect_line(order, 1000002000, "LOST");
	expect_line(order, 1000002000, NULL);
	assert_true(order_has_line(order));
	expect_line(order, UINT64_MAX, "1.000002");
	expect_line(order, UINT64_MAX, "first");
	assert_int_equal(order_feed(order, "half a line", 11), 0);
	expect_line(order, UINT64_MAX, "second");
	expect_line(order, UINT64_MAX, NULL);
	assert_false(order_has_line(order));
	order_free(order);
}

/* --- recordings ------------------------------------------------------------ */

static void a_recording_is_text(void **state)
{
	struct witness_arc arc = make("0000:65:00.1", RUNNING, RUNNING_P2P, 10, 12, 0);
	const struct witness_arc lost = { .result = 3 };
	struct recording r;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	arc.wanted = STOP;
	strcpy(arc.comm, "CPU 0/KVM");
	recording_begin(&r, out, MS(5), "7.3.4");
	recording_add(&r, ARCS_BEGUN, &arc);
	recording_add(&r, ARCS_ENDED, &arc);
	arc.result = -5;
	arc.tgid = 0;
	arc.comm[0] = '\0';
	recording_add(&r, ARCS_ENDED, &arc);
	arc.result = WITNESS_UNKNOWN;
	recording_add(&r, ARCS_ENDED, &arc);
	arc.result = 0;
	recording_add(&r, ARCS_STATE, &arc);
	arc.result = -25;
	recording_add(&r, ARCS_RESET, &arc);
	recording_add(&r, ARCS_LOST, &lost);
	recording_end(&r);
	fclose(out);
	assert_string_equal(text, "miglab recording 1\n"
		"kernel 7.3.4\n"
		"arc 0000:65:00.1 7 CPU_0/KVM RUNNING RUNNING_P2P STOP 5000000 7000000 0\n"
		"arc 0000:65:00.1 8 - RUNNING RUNNING_P2P STOP 5000000 7000000 -5\n"
		"arc 0000:65:00.1 8 - RUNNING RUNNING_P2P STOP 5000000 7000000 unknown\n"
		"state 0000:65:00.1 RUNNING_P2P 7000000\n"
		"reset 0000:65:00.1 7000000 -25\n"
		"lost 3\n"
		"end 6\n");
	free(text);
}

/* Reads @text. Returns the status; the records are the caller's. */
static int read_text(const char *text, struct recorded **ret, size_t *count, struct error *err)
{
	FILE *in = fmemopen((void *)text, strlen(text), "r");
	int status = recording_read(in, ret, count, err);

	fclose(in);
	return status;
}

#define HEAD	"miglab recording 1\nkernel 7.3.4\n"
#define ARC(dev, from, to, begin, end, result) \
	"arc " dev " 7 vmm " #from " " #to " " #to " " #begin "000 " #end "000 " #result "\n"

static void a_recording_is_read_as_it_was_written(void **state)
{
	struct witness_arc arc = make("u-1", RUNNING, RUNNING_P2P, 10, 12, -5);
	const struct witness_arc lost = { .result = 3 };
	struct recorded *records;
	struct recording r;
	struct error err;
	char *text = NULL;
	size_t size, count;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	arc.wanted = STOP;
	recording_begin(&r, out, 0, "x");
	recording_add(&r, ARCS_ENDED, &arc);
	recording_add(&r, ARCS_STATE, &arc);
	recording_add(&r, ARCS_RESET, &arc);
	recording_add(&r, ARCS_LOST, &lost);
	recording_end(&r);
	fclose(out);
	assert_int_equal(read_text(text, &records, &count, &err), 0);
	assert_int_equal(count, 4);
	assert_int_equal(records[0].news, ARCS_ENDED);
	assert_string_equal(records[0].arc.device, "u-1");
	assert_string_equal(records[0].arc.comm, "vmm");
	assert_int_equal(records[0].arc.tgid, 7);
	assert_int_equal(records[0].arc.from, RUNNING);
	assert_int_equal(records[0].arc.to, RUNNING_P2P);
	assert_int_equal(records[0].arc.wanted, STOP);
	assert_int_equal(records[0].arc.begin_ns, MS(10));
	assert_int_equal(records[0].arc.end_ns, MS(12));
	assert_int_equal(records[0].arc.result, -5);
	assert_int_equal(records[1].news, ARCS_STATE);
	assert_int_equal(records[1].arc.to, RUNNING_P2P);
	assert_int_equal(records[1].arc.end_ns, MS(12));
	assert_int_equal(records[2].news, ARCS_RESET);
	assert_int_equal(records[2].arc.result, -5);
	assert_int_equal(records[3].news, ARCS_LOST);
	assert_int_equal(records[3].arc.result, 3);
	free(records);
	free(text);
}

static void what_is_no_recording_is_refused(void **state)
{
	static const struct {
		const char *text, *said;
	} bad[] = {
		{ "# tracer: nop\n", "begins with \"# tracer: nop\"" },
		{ "miglab recording 2\nend 0\n", "version 2, and 1" },
		{ "miglab recording 1x\nend 0\n", "no recording" },
		{ HEAD, "cut short: there is no end behind line 2" },
		{ HEAD ARC("a", STOP, RUNNING, 1, 2, 0), "cut short" },
		{ HEAD ARC("a", STOP, RUNNING, 1, 2, 0) "end 2\n", "\"end 2\" behind 1 records" },
		{ HEAD "end 0\nend 0\n", "line 4 comes behind the end" },
		{ HEAD ARC("a", HALF, RUNNING, 1, 2, 0) "end 1\n", "line 3 is no record" },
		{ HEAD ARC("a", STOP, RUNNING, 2, 1, 0) "end 1\n", "line 3 is no record" },
		{ HEAD ARC("a", STOP, RUNNING, 1, 2, 5) "end 1\n", "line 3 is no record" },
		{ HEAD ARC("a", STOP, RUNNING, 1, 2, 0x) "end 1\n", "line 3 is no record" },
		{ HEAD "state a HALF 1\nend 1\n", "line 3 is no record" },
		{ HEAD "state a STOP 1 2\nend 1\n", "line 3 is no record" },
		{ HEAD "reset a 1\nend 1\n", "line 3 is no record" },
		{ HEAD "lost 0\nend 1\n", "line 3 is no record" },
		{ HEAD "\nend 0\n", "line 3 is no record" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct recorded *records;
		struct error err = { "" };
		size_t count;

		if (read_text(bad[i].text, &records, &count, &err) != -EINVAL ||
		    !strstr(err.text, bad[i].said))
			fail_msg("%s: \"%s\"", bad[i].text, err.text);
	}
}

static void arcs_become_rules(void **state)
{
	static const struct {
		const char *records, *device, *rules;	/* rules: or what is wrong */
	} rows[] = {
		{ ARC("a", PRE_COPY, PRE_COPY_P2P, 1000, 301000, 0), NULL,
		  "arc=PRE_COPY>PRE_COPY_P2P delay_us=300000\n" },
		{ ARC("a", STOP, RUNNING, 10, 25, 0) ARC("a", STOP, RUNNING, 30, 40, 0)
		  ARC("a", STOP, RUNNING, 50, 62, 0), "a",
		  "arc=STOP>RUNNING delay_us=10 jitter_us=5\n" },
		/* the second and the fourth try fail: the fourth is the third that the rule sees */
		{ ARC("a", STOP, RUNNING, 10, 20, 0) ARC("a", STOP, RUNNING, 30, 33, -5)
		  ARC("a", STOP, RUNNING, 40, 50, 0) ARC("a", STOP, RUNNING, 60, 61, -110), NULL,
		  "arc=STOP>RUNNING errno=5 nth=2 delay_us=3\n"
		  "arc=STOP>RUNNING errno=110 nth=3 delay_us=1\n"
		  "arc=STOP>RUNNING delay_us=10\n" },
		{ ARC("a", STOP, RUNNING, 10, 20, unknown) ARC("a", STOP, RUNNING, 30, 33, -5),
		  NULL, "arc=STOP>RUNNING errno=5 nth=2 delay_us=3\n" },
		{ ARC("a", STOP, RUNNING, 1, 2, 0) ARC("b", STOP, RUNNING, 1, 3, 0), "b",
		  "arc=STOP>RUNNING delay_us=2\n" },
		{ ARC("a", STOP, RUNNING, 1, 2, 0) ARC("b", STOP, RUNNING, 1, 3, 0), NULL,
		  "arcs of a, b and perhaps more" },
		{ ARC("a", STOP, RUNNING, 1, 2, 0), "c", "no arc of c" },
		{ "lost 3\n", NULL, "no arc" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct recorded *records;
		struct error err = { "" };
		char text[1024], *rules = NULL;
		size_t count, lines = 0;

		for (const char *c = rows[i].records; *c; c++)
			lines += *c == '\n';
		snprintf(text, sizeof(text), HEAD "%send %zu\n", rows[i].records, lines);
		assert_int_equal(read_text(text, &records, &count, &err), 0);
		if (replay_rules(records, count, rows[i].device, &rules, &err)) {
			if (!strstr(err.text, rows[i].rules))
				fail_msg("row %zu: %s", i, err.text);
		} else if (strcmp(rules, rows[i].rules)) {
			fail_msg("row %zu: %s", i, rules);
		} else {
			free(rules);
		}
		free(records);
	}
}

/* 65 failures of one arc. */
static void more_rules_than_a_device_takes(void **state)
{
	struct recorded *records = calloc(65, sizeof(*records));
	struct error err;
	char *rules;

	(void)state;
	for (size_t i = 0; i < 65; i++)
		records[i] = (struct recorded){ ARCS_ENDED, make("a", STOP, RUNNING, i, i, -5) };
	assert_int_equal(replay_rules(records, 64, NULL, &rules, &err), 0);
	free(rules);
	assert_int_equal(replay_rules(records, 65, NULL, &rules, &err), -E2BIG);
	free(records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_is_deaf_until_it_serves_again),
		cmocka_unit_test(after_a_failure_somebody_has_to_ask),
		cmocka_unit_test(a_failed_reset_brings_nothing_back),
		cmocka_unit_test(destinations_end_the_blackout),
		cmocka_unit_test(lost_lines_are_counted),
		cmocka_unit_test(lines_come_out_by_time),
		cmocka_unit_test(a_recording_is_text),
		cmocka_unit_test(a_recording_is_read_as_it_was_written),
		cmocka_unit_test(what_is_no_recording_is_refused),
		cmocka_unit_test(arcs_become_rules),
		cmocka_unit_test(more_rules_than_a_device_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
