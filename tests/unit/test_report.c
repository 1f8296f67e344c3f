// SPDX-License-Identifier: GPL-2.0-only
/* The timeline of a migration, and the pictures that are drawn from it. */
#include "unit.h"

#include <errno.h>
#include <stdbool.h>

#include "device/uapi.h"
#include "report/svg.h"
#include "report/text.h"
#include "report/timeline.h"

#define MS		1000000ull
#define AT(ms)		((1000 + (ms)) * MS)
#define ROWS(a)		(sizeof(a) / sizeof((a)[0]))
#define ARC(f, t, b, e, r) \
	{ .from = VFIO_DEVICE_STATE_##f, .to = VFIO_DEVICE_STATE_##t, .begin_ns = AT(b), \
	  .end_ns = (e) ? AT(e) : 0, .result = r }

/* From an earlier migration, then a good one, 100 ms deaf at the source and 20 after it. */
static const struct lab_arc source[] = {
	ARC(RUNNING, PRE_COPY, -50, -40, 0),
	ARC(PRE_COPY, RUNNING, -30, -20, 0),
	ARC(RUNNING, PRE_COPY, 10, 20, 0),
	ARC(PRE_COPY, PRE_COPY_P2P, 100, 200, 0),
	ARC(PRE_COPY_P2P, STOP_COPY, 200, 210, 0),
	ARC(STOP_COPY, STOP, 230, 231, 0),
};

static const struct lab_arc destination[] = {
	ARC(RUNNING, RUNNING_P2P, 1, 2, 0),
	ARC(RUNNING_P2P, STOP, 2, 3, 0),
	ARC(STOP, RESUMING, 3, 4, 0),
	ARC(RESUMING, STOP, 215, 216, 0),
	ARC(STOP, RUNNING_P2P, 216, 217, 0),
	ARC(RUNNING_P2P, RUNNING, 217, 220, 0),
};

/* It fails to stop, and comes back. */
static const struct lab_arc failed[] = {
	ARC(RUNNING, PRE_COPY, 10, 20, 0),
	ARC(PRE_COPY, PRE_COPY_P2P, 100, 150, -EIO),
	ARC(PRE_COPY, PRE_COPY_P2P, 160, 170, 0),
	ARC(PRE_COPY_P2P, PRE_COPY, 180, 190, 0),
};

/* It hangs. */
static const struct lab_arc hanging[] = {
	ARC(RUNNING, PRE_COPY, 10, 20, 0),
	ARC(PRE_COPY, PRE_COPY_P2P, 100, 0, 1),
};

/* Both sides fail first, and then do it. */
static const struct lab_arc second_try[] = {
	ARC(RUNNING, PRE_COPY, 10, 20, 0),
	ARC(PRE_COPY, PRE_COPY_P2P, 100, 150, 0),
	ARC(PRE_COPY_P2P, STOP_COPY, 160, 165, -EIO),
	ARC(PRE_COPY_P2P, STOP_COPY, 170, 180, 0),
};

static const struct lab_arc second_landing[] = {
	ARC(STOP, RESUMING, 3, 4, 0),
	ARC(RESUMING, STOP, 215, 216, 0),
	ARC(STOP, RUNNING_P2P, 216, 217, 0),
	ARC(RUNNING_P2P, RUNNING, 217, 220, -EIO),
	ARC(RUNNING_P2P, RUNNING, 230, 240, 0),
};

/* The last that the destination says of it is a failure. */
static const struct lab_arc no_landing[] = {
	ARC(RESUMING, STOP, 215, 216, 0),
	ARC(RUNNING_P2P, RUNNING, 217, 220, -EIO),
};

static const struct timeline_device second_device = {
	.id = "vf3", .name = { "emu", "emu" }, .arcs = { second_try, second_landing },
	.count = { ROWS(second_try), ROWS(second_landing) },
};

static const struct timeline_device lost_device = {
	.id = "vf4", .name = { "emu", "emu" }, .arcs = { second_try, no_landing },
	.count = { ROWS(second_try), ROWS(no_landing) },
};

static const struct timeline_device good_device = {
	.id = "vf0", .name = { "vfio:0000:01:00.0", "emu:rules=a>b & \"c\"" },
	.arcs = { source, destination }, .count = { ROWS(source), ROWS(destination) },
};

static const struct timeline_device failed_device = {
	.id = "vf1", .name = { "emu", "emu" }, .arcs = { failed }, .count = { ROWS(failed) },
};

static const struct timeline_device hanging_device = {
	.id = "vf2", .name = { "emu", "discard" }, .arcs = { hanging },
	.count = { ROWS(hanging) },
};

static struct timeline build(const struct timeline_device *dev, struct timeline_input *in)
{
	struct timeline t;

	*in = (struct timeline_input){
		.devices = dev, .device_count = 1, .begin_ns = AT(0), .end_ns = AT(300),
		.timeout_ns = 60 * MS,
	};
	assert_int_equal(timeline_build(in, &t), 0);
	return t;
}

static void expect_deaf(const struct timeline *t, size_t i, uint64_t begin, uint64_t end,
			uint64_t timeout, bool open)
{
	assert_true(i < t->deaf_count);
	assert_int_equal(t->deaf[i].begin_ns, AT(begin));
	assert_int_equal(t->deaf[i].end_ns, AT(end));
	assert_int_equal(t->deaf[i].timeout_ns, timeout ? AT(timeout) : 0);
	assert_int_equal(t->deaf[i].open, open);
}

static void test_deaf(void **state)
{
	struct timeline_input in;
	struct timeline t;

	(void)state;
	t = build(&good_device, &in);
	assert_int_equal(t.deaf_count, 1);
	expect_deaf(&t, 0, 100, 220, 160, false);
	timeline_free(&t);
	t = build(&failed_device, &in);
	assert_int_equal(t.deaf_count, 2);
	expect_deaf(&t, 0, 100, 150, 0, false);
	expect_deaf(&t, 1, 160, 190, 0, false);
	timeline_free(&t);
	t = build(&hanging_device, &in);
	assert_int_equal(t.deaf_count, 1);
	expect_deaf(&t, 0, 100, 300, 160, true);
	timeline_free(&t);
	/* A device that could not be started answers nobody. */
	t = build(&second_device, &in);
	assert_int_equal(t.deaf_count, 1);
	expect_deaf(&t, 0, 100, 240, 160, false);
	timeline_free(&t);
	t = build(&lost_device, &in);
	expect_deaf(&t, 0, 100, 300, 160, true);
	timeline_free(&t);
}

/* From the beginning to the end, without gap or overlap, and nothing from before. */
static void test_spans(void **state)
{
	uint64_t at[TIMELINE_SIDES] = { AT(0), AT(0) };
	struct timeline_input in;
	struct timeline t = build(&good_device, &in);

	(void)state;
	for (size_t i = 0; i < t.span_count; i++) {
		const struct timeline_span *s = &t.spans[i];

		assert_int_equal(s->begin_ns, at[s->side]);
		assert_true(s->end_ns >= s->begin_ns);
		at[s->side] = s->end_ns;
	}
	assert_int_equal(at[TIMELINE_SOURCE], AT(300));
	assert_int_equal(at[TIMELINE_DESTINATION], AT(300));
	timeline_free(&t);
}

/* After an arc that failed the device is where it was. */
static void test_state_after_failure(void **state)
{
	struct timeline_input in;
	struct timeline t = build(&failed_device, &in);
	bool seen = false;

	(void)state;
	for (size_t i = 0; i < t.span_count; i++) {
		const struct timeline_span *s = &t.spans[i];

		if (s->begin_ns != AT(150))
			continue;
		seen = true;
		assert_int_equal(s->kind, TIMELINE_IN_STATE);
		assert_int_equal(s->from, VFIO_DEVICE_STATE_PRE_COPY);
	}
	assert_true(seen);
	timeline_free(&t);
}

static char *draw(void (*write)(const struct timeline *t, FILE *out), const struct timeline *t)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	write(t, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void expect_line(const char *text, const char *line)
{
	if (!strstr(text, line))
		fail_msg("\"%s\" is not in:\n%s", line, text);
}

static void test_text(void **state)
{
	struct timeline_mark events[] = {
		{ TIMELINE_MACHINE, TIMELINE_SOURCE, TIMELINE_RUN, AT(211), "STOP" },
		{ TIMELINE_MACHINE, TIMELINE_SOURCE, TIMELINE_STATUS, AT(222), "completed" },
		{ 0, TIMELINE_SOURCE, TIMELINE_PREPARE, AT(99), "pre-copy-p2p-prepare" },
	};
	struct timeline_input in;
	struct timeline t = build(&good_device, &in);
	char *text;

	(void)state;
	timeline_free(&t);
	in.events = events;
	in.event_count = ROWS(events);
	assert_int_equal(timeline_build(&in, &t), 0);
	text = draw(text_write, &t);
	expect_line(text, "source: completed, destination: unknown\n");
	expect_line(text, "src-downtime-start -> src-vm-stopped: 111000 (us)\n"
			  "src-vm-stopped -> dst-precopy-loadvm-completed: 4000 (us)\n"
			  "dst-precopy-loadvm-completed -> dst-precopy-bh-vm-started: 5000 (us)\n"
			  "dst-precopy-bh-vm-started -> src-downtime-end: 2000 (us)\n"
			  "Device SAVE of vf0 took 5000 (us)\n");
	expect_line(text, "event pre-copy-p2p-prepare     99.000\n");
	expect_line(text, "; a connection's timeout of 60 ms ran out at 160.000\n");
	free(text);
	timeline_free(&t);
}

static unsigned int occurrences(const char *text, const char *part)
{
	unsigned int count = 0;

	for (; (text = strstr(text, part)); text++)
		count++;
	return count;
}

/* What failed was not done: it is no checkpoint. */
static void test_text_failures(void **state)
{
	struct timeline_input in;
	struct timeline t = build(&second_device, &in);
	char *text = draw(text_write, &t);

	(void)state;
	expect_line(text,
		    "dst-precopy-loadvm-completed -> dst-precopy-bh-vm-started: 25000 (us)\n");
	expect_line(text, "Device SAVE of vf3 took 35000 (us)\n");
	assert_int_equal(occurrences(text, "Device SAVE"), 1);
	expect_line(text, "PRE_COPY_P2P > STOP_COPY      160.000      5.000  Input/output error\n");
	free(text);
	timeline_free(&t);
	t = build(&lost_device, &in);
	text = draw(text_write, &t);
	assert_int_equal(occurrences(text, "bh-vm-started"), 0);
	free(text);
	timeline_free(&t);
}

/* What was received before the migration was asked for, or after the end, is not of it. */
static void test_other_events(void **state)
{
	struct timeline_mark events[] = {
		{ TIMELINE_MACHINE, TIMELINE_SOURCE, TIMELINE_STATUS, AT(301), "failed" },
		{ TIMELINE_MACHINE, TIMELINE_SOURCE, TIMELINE_STATUS, AT(-1), "completed" },
		{ TIMELINE_MACHINE, TIMELINE_SOURCE, TIMELINE_STATUS, AT(0), "setup" },
		{ TIMELINE_MACHINE, TIMELINE_SOURCE, TIMELINE_RUN, AT(300), "RESUME" },
		{ TIMELINE_MACHINE, TIMELINE_SOURCE, TIMELINE_RUN, AT(-2), "STOP" },
	};
	struct timeline_input in;
	struct timeline t = build(&good_device, &in);

	(void)state;
	timeline_free(&t);
	in.events = events;
	in.event_count = ROWS(events);
	assert_int_equal(timeline_build(&in, &t), 0);
	assert_int_equal(t.mark_count, 2);
	assert_string_equal(timeline_outcome(&t, TIMELINE_SOURCE), "setup");
	assert_null(timeline_find(&t, TIMELINE_SOURCE, "STOP"));
	timeline_free(&t);
}

/* What went wrong is what a picture is looked at for: it is wide enough, and says why. */
static void test_svg_failure(void **state)
{
	static const struct lab_arc quick[] = {
		ARC(RUNNING, PRE_COPY, 10, 20, 0),
		{ .from = VFIO_DEVICE_STATE_PRE_COPY, .to = VFIO_DEVICE_STATE_PRE_COPY_P2P,
		  .begin_ns = AT(100), .end_ns = AT(100) + 3000, .result = -ETIMEDOUT },
		/* Long enough for the first to be next to nothing in the picture. */
		ARC(PRE_COPY, PRE_COPY_P2P, 110, 200, 0),
		ARC(PRE_COPY_P2P, PRE_COPY, 200, 210, 0),
	};
	static const struct timeline_device dev = {
		.id = "vf0", .name = { "emu", "emu" }, .arcs = { quick }, .count = { ROWS(quick) },
	};
	struct timeline_input in;
	struct timeline t = build(&dev, &in);
	char *svg, *at;
	double x, width;
	int y;

	(void)state;
	in.verdict = "FAIL: the migration failed";
	svg = draw(svg_write, &t);
	at = strstr(svg, "PRE_COPY &gt; PRE_COPY_P2P, 0.003 ms, timed out");
	assert_non_null(at);
	while (strncmp(at, "<rect", 5))
		at--;
	assert_int_equal(sscanf(at, "<rect class=\"failed\" x=\"%lf\" y=\"%d\" width=\"%lf\"",
				&x, &y, &width), 3);
	assert_true(width >= 4);
	expect_line(svg, ">failed: timed out, as a hold does at its limit<");
	expect_line(svg, ">FAIL: the migration failed<");
	free(svg);
	timeline_free(&t);
	t = build(&good_device, &in);
	in.verdict = "PASS: all";
	svg = draw(svg_write, &t);
	expect_line(svg, ">deaf 120.0 ms<");
	expect_line(svg, "<text class=\"label\" x=\"24.0\" y=\"78.0\" text-anchor=\"start\">"
			 "PASS: all<");
	free(svg);
	timeline_free(&t);
}

/* A text of the picture: where it is, at the narrowest that a font makes it. */
struct box {
	double left, right, base;
	char text[80];
};

/* "&gt;" is one. */
static size_t letters(const char *text)
{
	size_t count = 0;

	for (; *text; text++) {
		if (*text == '&')
			text = strchr(text, ';');
		count++;
	}
	return count;
}

static size_t find_boxes(const char *svg, struct box *boxes, size_t room)
{
	size_t count = 0;

	for (const char *at = svg; (at = strstr(at, "<text ")); at++) {
		struct box *b = &boxes[count];
		char class[32], anchor[8];
		double x, width;

		assert_true(count < room);
		if (sscanf(at, "<text class=\"%31[^\"]\" x=\"%lf\" y=\"%lf\" "
			   "text-anchor=\"%7[^\"]\">%79[^<]", class, &x, &b->base, anchor,
			   b->text) != 5)
			fail_msg("no text: %.80s", at);
		width = letters(b->text) * (strcmp(class, "title") ? 6.0 : 8.5);
		b->left = strcmp(anchor, "end") ? x : x - width;
		b->right = b->left + width;
		count++;
	}
	return count;
}

static bool overlap(const struct box *a, const struct box *b)
{
	return a->left < b->right && b->left < a->right && a->base < b->base + 11 &&
	       b->base < a->base + 11;
}

static const struct box *find_overlap(const struct box *boxes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t n = 0; n < i; n++)
			if (overlap(&boxes[i], &boxes[n]))
				return &boxes[i];
	return NULL;
}

/* However close the events are, no text lies on another, and some are there. */
static void test_svg_texts(void **state)
{
	static const char *const texts[] = { "stop-copy", "stop", "running-p2p", "pre-copy-p2p" };
	struct timeline_mark events[200];
	struct box boxes[512], twice[2];
	struct timeline_input in;
	struct timeline t = build(&good_device, &in);
	size_t count;
	char *svg;

	(void)state;
	timeline_free(&t);
	for (size_t i = 0; i < ROWS(events); i++) {
		events[i] = (struct timeline_mark){
			.lane = i % 2 ? 0 : TIMELINE_MACHINE, .side = i / 2 % 2,
			.kind = TIMELINE_STATE, .ns = AT(i * i % 301),
		};
		strcpy(events[i].text, texts[i % ROWS(texts)]);
	}
	in.events = events;
	in.event_count = ROWS(events);
	assert_int_equal(timeline_build(&in, &t), 0);
	svg = draw(svg_write, &t);
	count = find_boxes(svg, boxes, ROWS(boxes));
	assert_true(count > 40);
	if (find_overlap(boxes, count))
		fail_msg("\"%s\" lies on another text", find_overlap(boxes, count)->text);
	/* One that lies on another is found. */
	twice[0] = twice[1] = boxes[0];
	assert_non_null(find_overlap(twice, 2));
	expect_line(svg, "to emu:rules=a&gt;b &amp;..<");
	expect_line(svg, "@media (prefers-color-scheme: dark)");
	expect_line(svg, "class=\"timeout\"");
	free(svg);
	timeline_free(&t);
}

/* Nothing is known: still a picture. */
static void test_empty(void **state)
{
	static const struct timeline_device none = { .id = "vf0", .name = { "emu", "emu" } };
	struct timeline_input in;
	struct timeline t = build(&none, &in);
	char *svg = draw(svg_write, &t), *text = draw(text_write, &t);

	(void)state;
	expect_line(svg, "</svg>");
	expect_line(text, "no device left service");
	free(svg);
	free(text);
	timeline_free(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deaf),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_state_after_failure),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_failures),
		cmocka_unit_test(test_other_events),
		cmocka_unit_test(test_svg_failure),
		cmocka_unit_test(test_svg_texts),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
