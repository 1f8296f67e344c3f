// SPDX-License-Identifier: GPL-2.0-only
#include "report/svg.h"

#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "device/state.h"
#include "device/uapi.h"
#include "report/xml.h"

/* Pixels. */
#define WIDTH		1120
#define LEFT		150	/* of the bars: names are left of it */
#define RIGHT		(WIDTH - 24)
#define TOP		96	/* of the first lane */
#define ROW		14	/* of a line of labels */
#define ROWS		3	/* of labels on each side of a lane */
#define LABELS		64	/* in a row */
#define SPACE		6	/* between two */
#define BAR		20
#define GAP		18
#define FLAG		9	/* of a mark */
#define EDGE		(ROWS * ROW + FLAG + 2)	/* of a lane, above and below its bars */
#define LANE		(2 * EDGE + 2 * BAR + GAP)
#define LETTER		6.6	/* of text of 11 px, on the wide side */
#define NAME_LETTERS	20
#define VERDICT_LETTERS	120
#define FAILED_WIDTH	4	/* at least: a failure is quick, and is what is looked for */
#define TICKS		10	/* at most */

struct picture {
	const struct timeline *t;
	FILE *out;
	uint64_t begin_ns, end_ns;	/* what is shown */
};

static const char style[] =
	"<style>\n"
	"text { font: 11px sans-serif; fill: #1f2328; }\n"
	".title { font-size: 15px; font-weight: bold; }\n"
	".faint { fill: #59636e; }\n"
	".paper { fill: #ffffff; }\n"
	".grid { stroke: #d1d9e0; }\n"
	".running { fill: #a6dcb4; } .precopy { fill: #b6d4fb; } .p2p { fill: #f5d78e; }\n"
	".copy { fill: #dcc6f5; } .stop { fill: #c8ced5; } .arc { fill: #f0a35e; }\n"
	".failed { fill: #e5534b; }\n"
	".hatch { stroke: #a40e26; stroke-width: 1.5; }\n"
	".edge { fill: none; stroke: #a40e26; }\n"
	".prepare { fill: #1a7f37; } .event { fill: #0a53be; } .run { fill: #1f2328; }\n"
	".timeout { stroke: #a40e26; stroke-width: 2; stroke-dasharray: 5 3; }\n"
	".bad { fill: #a40e26; }\n"
	"@media (prefers-color-scheme: dark) {\n"
	"text { fill: #e6edf3; }\n"
	".faint { fill: #9ba5b0; }\n"
	".paper { fill: #12161c; }\n"
	".grid { stroke: #343c46; }\n"
	".running { fill: #1d5a31; } .precopy { fill: #1c4a80; } .p2p { fill: #6b5210; }\n"
	".copy { fill: #553383; } .stop { fill: #444c56; } .arc { fill: #93500f; }\n"
	".failed { fill: #b62324; }\n"
	".hatch { stroke: #ff8b82; }\n"
	".edge { stroke: #ff8b82; }\n"
	".prepare { fill: #56d364; } .event { fill: #79b8ff; } .run { fill: #e6edf3; }\n"
	".timeout { stroke: #ff8b82; }\n"
	".bad { fill: #ff8b82; }\n"
	"}\n"
	"</style>\n"
	"<defs><pattern id=\"deaf\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" "
	"patternTransform=\"rotate(45)\"><line class=\"hatch\" x1=\"0\" y1=\"0\" x2=\"0\" "
	"y2=\"7\"/></pattern></defs>\n";

static double ms(const struct picture *p, uint64_t ns)
{
	return ((double)ns - (double)p->t->in->begin_ns) / NSEC_PER_MSEC;
}

/* Where a time is; what is not shown is at the edge. */
static double at(const struct picture *p, uint64_t ns)
{
	if (ns < p->begin_ns)
		ns = p->begin_ns;
	if (ns > p->end_ns)
		ns = p->end_ns;
	return LEFT + (double)(ns - p->begin_ns) * (RIGHT - LEFT) / (p->end_ns - p->begin_ns);
}

static int lanes(const struct picture *p)
{
	return p->t->in->device_count + 1;
}

/* The machine's lane is the first. */
static int lane_top(int lane)
{
	return TOP + (lane + 1) * LANE;
}

static int bar_top(int lane, enum timeline_side side)
{
	return lane_top(lane) + EDGE + (side == TIMELINE_SOURCE ? 0 : BAR);
}

static double text_width(const char *text)
{
	return LETTER * strlen(text);
}

static void put_text_to(const struct picture *p, double x, double y, const char *class,
			const char *anchor, const char *text)
{
	fprintf(p->out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", class,
		x, y, anchor);
	xml_put(p->out, text);
	fputs("</text>\n", p->out);
}

/* From @x to the right. */
static void put_text(const struct picture *p, double x, double y, const char *class,
		     const char *text)
{
	put_text_to(p, x, y, class, "start", text);
}

/* --- what is shown --------------------------------------------------------- */

/*
 * The deaf times and a quarter around them: a pre-copy may have taken minutes.
 * Without any, everything.
 */
static void choose_window(struct picture *p)
{
	const struct timeline *t = p->t;
	uint64_t begin = t->in->end_ns, end = t->in->begin_ns, margin;

	for (size_t i = 0; i < t->deaf_count; i++) {
		if (t->deaf[i].begin_ns < begin)
			begin = t->deaf[i].begin_ns;
		if (t->deaf[i].end_ns > end)
			end = t->deaf[i].end_ns;
	}
	p->begin_ns = t->in->begin_ns;
	p->end_ns = t->in->end_ns;
	margin = begin < end ? (end - begin) / 4 : UINT64_MAX / 4;
	if (begin < end && begin > p->begin_ns + margin)
		p->begin_ns = begin - margin;
	if (begin < end && end + margin < p->end_ns)
		p->end_ns = end + margin;
	if (p->end_ns <= p->begin_ns)
		p->end_ns = p->begin_ns + 1;
}

/* --- axis and names -------------------------------------------------------- */

/* 1, 2 or 5 times a power of ten, so that there are no more than TICKS. */
static uint64_t tick_ns(const struct picture *p)
{
	static const unsigned int steps[] = { 1, 2, 5 };
	uint64_t span = p->end_ns - p->begin_ns;

	for (uint64_t power = 1000; ; power *= 10)
		for (int i = 0; i < 3; i++)
			if (span / (power * steps[i]) < TICKS)
				return power * steps[i];
}

static void put_axis(const struct picture *p)
{
	uint64_t tick = tick_ns(p), from = p->begin_ns - p->t->in->begin_ns;
	char text[32];

	for (uint64_t n = (from + tick - 1) / tick; ; n++) {
		uint64_t ns = p->t->in->begin_ns + n * tick;
		double x = at(p, ns);

		if (ns > p->end_ns)
			break;
		fprintf(p->out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" "
			"y2=\"%d\"/>\n", x, TOP, x, lane_top(lanes(p) - 1) - GAP / 2);
		snprintf(text, sizeof(text), "%g", ms(p, ns));
		if (x + text_width(text) < RIGHT)
			put_text(p, x + 3, TOP - 4, "faint", text);
	}
}

static void put_legend(const struct picture *p)
{
	static const struct {
		const char *class, *text;
	} entries[] = {
		{ "running", "RUNNING" }, { "precopy", "PRE_COPY" }, { "p2p", "P2P" },
		{ "copy", "STOP_COPY, RESUMING" }, { "stop", "STOP" }, { "arc", "transition" },
		{ "failed", "failed" }, { "prepare", "prepare" }, { "event", "event" },
	};
	char outcome[2 * TIMELINE_TEXT_MAX + 32];
	double x = 24;

	snprintf(outcome, sizeof(outcome), "source: %s, destination: %s",
		 timeline_outcome(p->t, TIMELINE_SOURCE),
		 timeline_outcome(p->t, TIMELINE_DESTINATION));
	put_text(p, 660, 26, "label", outcome);
	if (p->t->in->verdict) {
		char verdict[VERDICT_LETTERS + 1];

		if (snprintf(verdict, sizeof(verdict), "%s", p->t->in->verdict) > VERDICT_LETTERS)
			memcpy(verdict + VERDICT_LETTERS - 2, "..", 2);
		put_text(p, 24, 78, strncmp(verdict, "PASS", 4) ? "bad" : "label", verdict);
	}
	put_text(p, x, 26, "title", "A migration, device by device");
	put_text(p, 320, 26, "faint", "milliseconds since the migration was asked for");
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		fprintf(p->out, "<rect class=\"%s\" x=\"%.1f\" y=\"46\" width=\"12\" "
			"height=\"12\"/>\n", entries[i].class, x);
		put_text(p, x + 17, 56, "label", entries[i].text);
		x += 17 + text_width(entries[i].text) + 14;
	}
	fprintf(p->out, "<rect fill=\"url(#deaf)\" x=\"%.1f\" y=\"46\" width=\"24\" "
		"height=\"12\"/>\n", x);
	put_text(p, x + 29, 56, "label", "deaf");
	x += 29 + text_width("deaf") + 14;
	if (p->t->in->timeout_ns) {
		fprintf(p->out, "<line class=\"timeout\" x1=\"%.1f\" y1=\"52\" x2=\"%.1f\" "
			"y2=\"52\"/>\n", x, x + 24);
		put_text(p, x + 29, 56, "label", "timeout runs out");
	}
}

/* Cut to what fits left of the bars. */
static void put_name(const struct picture *p, double y, const char *class, const char *before,
		     const char *text)
{
	char name[NAME_LETTERS + 1];

	if (snprintf(name, sizeof(name), "%s%s", before, text) > NAME_LETTERS)
		memcpy(name + NAME_LETTERS - 2, "..", 2);
	put_text(p, 12, y, class, name);
}

static void put_names(const struct picture *p)
{
	static const char *const before[] = { "from ", "to " };

	put_name(p, bar_top(TIMELINE_MACHINE, TIMELINE_SOURCE) - 6, "label", "", "machine");
	for (enum timeline_side s = 0; s < TIMELINE_SIDES; s++) {
		int y = bar_top(TIMELINE_MACHINE, s);

		put_name(p, y + 14, "faint", "", timeline_side_name(s));
		y += s == TIMELINE_SOURCE ? 0 : BAR;
		fprintf(p->out, "<line class=\"grid\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n",
			LEFT, y, RIGHT, y);
	}
	for (size_t i = 0; i < p->t->in->device_count; i++) {
		const struct timeline_device *dev = &p->t->in->devices[i];

		put_name(p, bar_top(i, TIMELINE_SOURCE) - 6, "label", "", dev->id);
		for (enum timeline_side s = 0; s < TIMELINE_SIDES; s++)
			put_name(p, bar_top(i, s) + 14, "faint", before[s], dev->name[s]);
	}
}

/* --- bars ------------------------------------------------------------------ */

static const char *span_class(const struct timeline_span *span)
{
	static const char *const states[] = {
		[VFIO_DEVICE_STATE_ERROR] = "failed",
		[VFIO_DEVICE_STATE_STOP] = "stop",
		[VFIO_DEVICE_STATE_RUNNING] = "running",
		[VFIO_DEVICE_STATE_STOP_COPY] = "copy",
		[VFIO_DEVICE_STATE_RESUMING] = "copy",
		[VFIO_DEVICE_STATE_RUNNING_P2P] = "p2p",
		[VFIO_DEVICE_STATE_PRE_COPY] = "precopy",
		[VFIO_DEVICE_STATE_PRE_COPY_P2P] = "p2p",
	};

	if (span->kind == TIMELINE_IN_ARC)
		return span->result < 0 ? "failed" : "arc";
	return span->from < sizeof(states) / sizeof(states[0]) ? states[span->from] : "failed";
}

static void span_name(const struct timeline_span *span, char text[64])
{
	if (span->kind == TIMELINE_IN_ARC)
		snprintf(text, 64, "%s > %s", device_state_name(span->from),
			 device_state_name(span->to));
	else
		snprintf(text, 64, "%s", device_state_name(span->from));
}

static bool has_failed(const struct timeline_span *span)
{
	return span->kind == TIMELINE_IN_ARC && span->result < 0;
}

/* A transition that is too short to be seen is drawn wide enough for that. */
static void put_span(const struct picture *p, const struct timeline_span *span)
{
	double x = at(p, span->begin_ns), width = at(p, span->end_ns) - x;
	int y = bar_top(span->lane, span->side);
	double least = has_failed(span) ? FAILED_WIDTH : 1;
	char name[64];

	if (span->end_ns < p->begin_ns || span->begin_ns > p->end_ns)
		return;
	span_name(span, name);
	fprintf(p->out, "<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\">"
		"<title>", span_class(span), x, y + 1, width < least ? least : width, BAR - 2);
	xml_put(p->out, name);
	fprintf(p->out, ", %.3f ms", (double)(span->end_ns - span->begin_ns) / NSEC_PER_MSEC);
	if (has_failed(span))
		fprintf(p->out, ", %s", device_strerror(-span->result));
	fputs("</title></rect>\n", p->out);
}

/* Above the hatching, on paper of its own, so that it can be read. */
static void put_span_name(const struct picture *p, const struct timeline_span *span)
{
	double begin = at(p, span->begin_ns), end = at(p, span->end_ns), width;
	int y = bar_top(span->lane, span->side);
	char name[64];

	span_name(span, name);
	width = text_width(name);
	if (end - begin < width + 10)
		return;
	fprintf(p->out, "<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n",
		span_class(span), begin + 3, y + 3, width + 4, BAR - 6);
	put_text(p, begin + 5, y + 14, "label", name);
}

static void put_deaf(const struct picture *p, const struct timeline_deaf *deaf)
{
	double x = at(p, deaf->begin_ns), width = at(p, deaf->end_ns) - x;
	int y = bar_top(deaf->lane, TIMELINE_SOURCE);

	for (int hatched = 1; hatched >= 0; hatched--)
		fprintf(p->out, "<rect %s x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n",
			hatched ? "fill=\"url(#deaf)\"" : "class=\"edge\"", x, y, width, 2 * BAR);
	if (!deaf->timeout_ns)
		return;
	x = at(p, deaf->timeout_ns);
	fprintf(p->out, "<line class=\"timeout\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>\n",
		x, y - FLAG, x, y + 2 * BAR + FLAG);
}

/* --- marks ----------------------------------------------------------------- */

/* Where the texts of each row of labels are. */
struct labels {
	struct {
		double begin[LABELS], end[LABELS];
		unsigned int count;
	} row[ROWS];
};

static bool is_free(const struct labels *labels, int row, double begin, double end)
{
	for (unsigned int i = 0; i < labels->row[row].count; i++)
		if (begin < labels->row[row].end[i] && labels->row[row].begin[i] < end)
			return false;
	return labels->row[row].count < LABELS;
}

/* The row in which a text has room, which it takes; -1 when there is none. */
static int place(struct labels *labels, double begin, double end)
{
	for (int row = 0; row < ROWS; row++) {
		unsigned int *count = &labels->row[row].count;

		if (!is_free(labels, row, begin, end))
			continue;
		labels->row[row].begin[*count] = begin;
		labels->row[row].end[(*count)++] = end;
		return row;
	}
	return -1;
}

/* The base line of a row: beyond the flags, and upwards for the source. */
static double row_y(int lane, enum timeline_side side, int row)
{
	if (side == TIMELINE_SOURCE)
		return bar_top(lane, side) - FLAG - 4 - row * ROW;
	return bar_top(lane, side) + BAR + FLAG + 11 + row * ROW;
}

static void put_label(const struct picture *p, struct labels *labels, int lane,
		      enum timeline_side side, double x, const char *class, const char *text)
{
	double width = text_width(text);
	bool fits = x + width <= RIGHT;
	double begin = fits ? x : x - width;
	int row = place(labels, begin, begin + width + SPACE);

	if (row >= 0)
		put_text_to(p, x, row_y(lane, side, row), class, fits ? "start" : "end", text);
}

/* A flag at its time, its foot on the bar. */
static void put_mark(const struct picture *p, const struct timeline_mark *mark,
		     struct labels *labels)
{
	static const char *const class[] = {
		[TIMELINE_PREPARE] = "prepare",
		[TIMELINE_STATE] = "event",
		[TIMELINE_STATUS] = "run",
		[TIMELINE_RUN] = "run",
	};
	int y = bar_top(mark->lane, mark->side), foot = y, head = y - FLAG;
	double x = at(p, mark->ns);

	if (mark->ns < p->begin_ns || mark->ns > p->end_ns)
		return;
	if (mark->side == TIMELINE_DESTINATION) {
		foot = y + BAR;
		head = foot + FLAG;
	}
	fprintf(p->out, "<path class=\"%s\" d=\"M%.1f %d L%.1f %d L%.1f %d Z\"><title>",
		class[mark->kind], x, foot, x - 3.5, head, x + 3.5, head);
	xml_put(p->out, mark->text);
	fprintf(p->out, ", %.3f ms</title></path>\n", ms(p, mark->ns));
	put_label(p, labels, mark->lane, mark->side, x, class[mark->kind], mark->text);
}

static void put_timeout_label(const struct picture *p, const struct timeline_deaf *deaf,
			      struct labels *labels)
{
	char text[48];

	snprintf(text, sizeof(text), "timeout %g ms", (double)p->t->in->timeout_ns / NSEC_PER_MSEC);
	put_label(p, labels, deaf->lane, TIMELINE_DESTINATION, at(p, deaf->timeout_ns), "bad",
		  text);
}

/* How long it was, where it begins. */
static void put_deaf_label(const struct picture *p, const struct timeline_deaf *deaf,
			   struct labels *labels)
{
	char text[48];

	snprintf(text, sizeof(text), "deaf %.1f ms%s",
		 (double)(deaf->end_ns - deaf->begin_ns) / NSEC_PER_MSEC,
		 deaf->open ? ", no end seen" : "");
	put_label(p, labels, deaf->lane, TIMELINE_DESTINATION, at(p, deaf->begin_ns), "bad", text);
}

static void put_failure_label(const struct picture *p, const struct timeline_span *span,
			      struct labels *labels)
{
	char text[96];

	snprintf(text, sizeof(text), "failed: %s", device_strerror(-span->result));
	put_label(p, labels, span->lane, span->side, at(p, span->begin_ns), "bad", text);
}

static void put_marks_of(const struct picture *p, int lane, struct labels *labels, bool prepare)
{
	for (size_t i = 0; i < p->t->mark_count; i++) {
		const struct timeline_mark *mark = &p->t->marks[i];

		if (mark->lane == lane && (mark->kind == TIMELINE_PREPARE) == prepare)
			put_mark(p, mark, &labels[mark->side]);
	}
}

/* What the picture is about gets room first. */
static void put_marks(const struct picture *p, int lane)
{
	struct labels labels[TIMELINE_SIDES] = { 0 };

	for (size_t i = 0; i < p->t->deaf_count; i++) {
		const struct timeline_deaf *deaf = &p->t->deaf[i];

		if (deaf->lane == lane && deaf->timeout_ns)
			put_timeout_label(p, deaf, &labels[TIMELINE_DESTINATION]);
		if (deaf->lane == lane)
			put_deaf_label(p, deaf, &labels[TIMELINE_DESTINATION]);
	}
	for (size_t i = 0; i < p->t->span_count; i++)
		if (p->t->spans[i].lane == lane && has_failed(&p->t->spans[i]))
			put_failure_label(p, &p->t->spans[i], &labels[p->t->spans[i].side]);
	put_marks_of(p, lane, labels, true);
	put_marks_of(p, lane, labels, false);
}

void svg_write(const struct timeline *t, FILE *out)
{
	struct picture p = { .t = t, .out = out };
	int height;

	choose_window(&p);
	height = lane_top(lanes(&p) - 1) + GAP;
	fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\">\n%s<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n",
		WIDTH, height, WIDTH, height, style, WIDTH, height);
	put_legend(&p);
	put_axis(&p);
	put_names(&p);
	for (size_t i = 0; i < t->span_count; i++)
		put_span(&p, &t->spans[i]);
	for (size_t i = 0; i < t->deaf_count; i++)
		put_deaf(&p, &t->deaf[i]);
	for (size_t i = 0; i < t->span_count; i++)
		put_span_name(&p, &t->spans[i]);
	for (int lane = TIMELINE_MACHINE; lane < lanes(&p) - 1; lane++)
		put_marks(&p, lane);
	fputs("</svg>\n", out);
}
