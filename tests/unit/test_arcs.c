// SPDX-License-Identifier: GPL-2.0-only
/* Arcs of any driver: lines of the kernel's trace in, what they say out. */
#include "unit.h"

#include <errno.h>

#include "device/state.h"
#include "witness/arcs.h"

/* What was told, a word each: "+DEV:A>B" begun, "-DEV:A>B=RESULT@MS" ended, and so on. */
static char told[1024];

static void tell(void *opaque, enum arcs_news news, const struct witness_arc *arc)
{
	char *at = told + strlen(told);
	size_t room = sizeof(told) - strlen(told);
	const char *from = device_state_name(arc->from), *to = device_state_name(arc->to);

	(void)opaque;
	switch (news) {
	case ARCS_BEGUN:
		assert_int_equal(arc->result, WITNESS_IN_PROGRESS);
		assert_int_equal(arc->end_ns, 0);
		snprintf(at, room, "+%s:%s>%s ", arc->device, from, to);
		break;
	case ARCS_ENDED:
		snprintf(at, room, "-%s:%s>%s=%d@%d ", arc->device, from, to, arc->result,
			 (int)((arc->end_ns - arc->begin_ns) / 1000000));
		break;
	case ARCS_STATE:
		snprintf(at, room, "%s:%s ", arc->device, to);
		break;
	case ARCS_RESET:
		snprintf(at, room, "reset:%s=%d ", arc->device, arc->result);
		break;
	case ARCS_LOST:
		snprintf(at, room, "lost:%d ", arc->result);
		break;
	case ARCS_SENT:
		assert_int_equal(arc->begin_ns, arc->end_ns);
		snprintf(at, room, "sent:%s:%d ", arc->device, arc->tgid);
		break;
	case ARCS_MARK:
		assert_int_equal(arc->begin_ns, arc->end_ns);
		snprintf(at, room, "mark:%d@%d ", arc->result, (int)(arc->end_ns / 1000000));
		break;
	}
}

#define HELPER	"arc: (set_state+0x1e0/0x2b0 [drv] <- vfio_mig_get_next_state) "
#define IOCTL	"end: (__x64_sys_ioctl+0x96/0xe0 <- vfio_device_fops_unl_ioctl) "
#define AT(task, time)	"  " task " [001] ...1.  " time ": "
#define ARC(task, time, dev, cur, want, next) \
	AT(task, time) HELPER "dev=\"" dev "\" cur=" #cur " new=" #want " next=" #next " ret=0"
#define END(task, time, file, ret) \
	AT(task, time) IOCTL "file=" file " cmd=0x3b75 flags=0x20002 state=0 ret=" #ret
#define GET(task, time, file, state, ret) \
	AT(task, time) IOCTL "file=" file " cmd=0x3b75 flags=0x10002 state=" #state " ret=" #ret
#define RESET(task, time, file, ret) \
	AT(task, time) IOCTL "file=" file " cmd=0x3b6f flags=(fault) state=(fault) ret=" #ret
#define SENT(text) \
	AT(T2, "1.000000") "sent: (unix_stream_sendmsg+0x4/0x10) text=\"" text "\""
#define T1	"exe-233     (    231)"
#define T2	"CPU 0/KVM-77 (     70)"
#define F1	"0xff2fbb5d02a37300"
#define F2	"0xff2fbb5d03309a80"

static const struct row {
	const char *name;
	const char *lines[8];
	const char *told;	/* NULL: a line that is not understood */
} rows[] = {
	{ "one arc", { ARC(T1, "13.700000", "0000:01:00.0", 6, 7, 7), END(T1, "14.000001", F1, 0) },
	  "+0000:01:00.0:PRE_COPY>PRE_COPY_P2P -0000:01:00.0:PRE_COPY>PRE_COPY_P2P=0@300 " },
	{ "it is in progress", { ARC(T1, "13.700000", "u-1", 2, 6, 6) },
	  "+u-1:RUNNING>PRE_COPY " },
	{ "it fails", { ARC(T1, "1.000000", "u-1", 2, 6, 6), END(T1, "1.002000", F1, -5) },
	  "+u-1:RUNNING>PRE_COPY -u-1:RUNNING>PRE_COPY=-5@2 " },
	{ "a path of several: each ends where the next begins",
	  { ARC(T1, "1.000000", "u-1", 2, 4, 5), ARC(T1, "1.010000", "u-1", 5, 4, 1),
	    ARC(T1, "1.030000", "u-1", 1, 4, 4), END(T1, "1.060000", F1, -4) },
	  "+u-1:RUNNING>RUNNING_P2P -u-1:RUNNING>RUNNING_P2P=0@10 "
	  "+u-1:RUNNING_P2P>STOP -u-1:RUNNING_P2P>STOP=0@20 "
	  "+u-1:STOP>RESUMING -u-1:STOP>RESUMING=-4@30 " },
	{ "two threads at once, and a name with blanks",
	  { ARC(T1, "1.000000", "a", 2, 6, 6), ARC(T2, "1.001000", "b", 6, 7, 7),
	    END(T1, "1.002000", F1, 0), END(T2, "1.004000", F2, -110) },
	  "+a:RUNNING>PRE_COPY +b:PRE_COPY>PRE_COPY_P2P -a:RUNNING>PRE_COPY=0@2 "
	  "-b:PRE_COPY>PRE_COPY_P2P=-110@3 " },
	{ "no path, and no arc needed",
	  { AT(T1, "1.0") HELPER "dev=\"a\" cur=3 new=6 next=0 ret=-22",
	    END(T1, "1.000001", F1, -22), ARC(T1, "1.100000", "a", 2, 2, 2),
	    END(T1, "1.100001", F1, 0) }, "" },
	{ "the end of an ioctl was not seen",
	  { ARC(T1, "1.000000", "a", 2, 6, 6), ARC(T1, "1.500000", "a", 6, 7, 7) },
	  "+a:RUNNING>PRE_COPY -a:RUNNING>PRE_COPY=2@500 +a:PRE_COPY>PRE_COPY_P2P " },
	{ "nor when the thread goes on with another device",
	  { ARC(T1, "1.000000", "a", 2, 6, 6), ARC(T1, "1.500000", "b", 6, 6, 6) },
	  "+a:RUNNING>PRE_COPY -a:RUNNING>PRE_COPY=2@500 " },
	{ "a state and a reset of a file that is known by its arc",
	  { GET(T1, "0.900000", F1, 2, 0), RESET(T1, "0.950000", F1, 0),
	    ARC(T1, "1.000000", "a", 2, 6, 6), END(T1, "1.002000", F1, -5),
	    GET(T1, "1.003000", F1, 0, 0), GET(T1, "1.004000", F1, 1, -22),
	    RESET(T1, "1.005000", F1, 0), RESET(T1, "1.006000", F2, 0) },
	  "+a:RUNNING>PRE_COPY -a:RUNNING>PRE_COPY=-5@2 a:ERROR reset:a=0 " },
	{ "a reset that fails, while an arc is under way",
	  { ARC(T1, "1.000000", "a", 2, 6, 6), END(T1, "1.001000", F1, 0),
	    ARC(T1, "1.002000", "a", 6, 7, 7), RESET(T2, "1.005000", F1, -25),
	    END(T1, "1.006000", F1, -5) },
	  "+a:RUNNING>PRE_COPY -a:RUNNING>PRE_COPY=0@1 +a:PRE_COPY>PRE_COPY_P2P reset:a=-25 "
	  "-a:PRE_COPY>PRE_COPY_P2P=-5@4 " },
	{ "a SET that needs no arc tells where the device is",
	  { ARC(T1, "1.000000", "a", 2, 6, 6), END(T1, "1.002000", F1, -5),
	    AT(T1, "1.003000") IOCTL "file=" F1 " cmd=0x3b75 flags=0x20002 state=2 ret=0",
	    AT(T1, "1.004000") IOCTL "file=" F1 " cmd=0x3b75 flags=0x20002 state=1 ret=-5",
	    AT(T1, "1.005000") IOCTL "file=" F1 " cmd=0x3b75 flags=0x10009 state=1 ret=0" },
	  "+a:RUNNING>PRE_COPY -a:RUNNING>PRE_COPY=-5@2 a:RUNNING " },
	{ "one with arcs does not tell it twice",
	  { ARC(T1, "1.000000", "a", 2, 6, 6),
	    AT(T1, "1.003000") IOCTL "file=" F1 " cmd=0x3b75 flags=0x20002 state=6 ret=0",
	    ARC(T1, "2.000000", "a", 6, 2, 2),
	    AT(T1, "2.001000") IOCTL "file=" F1 " cmd=0x3b75 flags=0x20002 state=2 ret=0" },
	  "+a:RUNNING>PRE_COPY -a:RUNNING>PRE_COPY=0@3 "
	  "+a:PRE_COPY>RUNNING -a:PRE_COPY>RUNNING=0@1 " },
	{ "what a VMM announces", {
	    SENT("{\"data\": {\"device-id\": \"vf0\", \"device-state\": \"x\"}}"),
	    SENT("{\"device-id\":\"a b\"}"), SENT("{\"event\": \"device-id\"}"), SENT(""), "\"" },
	  "sent:vf0:70 sent:a b:70 " },
	{ "a mark has its place and its time",
	  { ARC(T1, "1.000000", "a", 2, 6, 6), AT(T2, "1.500000")
	    "tracing_mark_write: miglab mark 7", END(T1, "2.000000", F1, 0),
	    AT(T2, "2.500000") "tracing_mark_write: miglab mark x",
	    AT(": tracing_mark_write: miglab mark 9-9    (     9)", "3.000000")
	    "tracing_mark_write: miglab mark 8" },
	  "+a:RUNNING>PRE_COPY mark:7@1500 -a:RUNNING>PRE_COPY=0@1000 mark:8@3000 " },
	{ "lost lines are told", { "CPU:1 [LOST 123 EVENTS]" }, "lost:123 " },
	{ "other lines are nobody's",
	  { AT(T1, "1.0") "tracing_mark_write: hello", "# tracer: nop", "" }, "" },
	{ "who calls himself an event is none",
	  { "  x: arc: (y) -9 (     9) [000] ...1.  1.000000: sys_enter: NR 16" }, NULL },
	{ "the last event of the line counts",
	  { "  : arc: (-9    (     9) [000] ...1.  1.000000: " HELPER
	    "dev=\"a\" cur=2 new=6 next=6 ret=0" }, "+a:RUNNING>PRE_COPY " },
	{ "without a tgid", { ARC("exe-233", "1.000000", "a", 2, 6, 6) }, "+a:RUNNING>PRE_COPY " },
	{ "a field is missing", { AT(T1, "1.000000") HELPER "dev=\"a\" cur=2 new=6 ret=0" }, NULL },
	{ "a device without a name",
	  { AT(T1, "1.000000") HELPER "dev=(fault) cur=2 new=6 next=6 ret=0" }, NULL },
	{ "no time",
	  { "  exe-233 [001] ...1. now: " HELPER "dev=\"a\" cur=2 new=6 next=6 ret=0" }, NULL },
	{ "no processor",
	  { "  exe-233 ...1. 1.000000: " HELPER "dev=\"a\" cur=2 new=6 next=6 ret=0" }, NULL },
	{ "an end without its state",
	  { AT(T1, "1.000000") IOCTL "file=0x1 cmd=0x3b75 flags=(fault) state=0 ret=-14" }, NULL },
};

static void each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct arcs *arcs = arcs_new(tell, NULL);
		int ret = 0;

		told[0] = '\0';
		for (size_t n = 0; !ret && n < 8 && row->lines[n]; n++)
			ret = arcs_line(arcs, row->lines[n]);
		if (ret != (row->told ? 0 : -EBADMSG) || strcmp(told, row->told ? row->told : ""))
			fail_msg("%s: %d, told \"%s\"", row->name, ret, told);
		arcs_free(arcs);
	}
}

static void check_names(void *opaque, enum arcs_news news, const struct witness_arc *arc)
{
	const struct witness_arc *want = opaque;

	assert_int_equal(news, ARCS_BEGUN);
	assert_string_equal(arc->comm, want->comm);
	assert_int_equal(arc->tid, want->tid);
	assert_int_equal(arc->tgid, want->tgid);
	assert_int_equal(arc->begin_ns, want->begin_ns);
	assert_int_equal(arc->wanted, want->wanted);
}

static void a_line_says_who_and_when(void **state)
{
	static const struct {
		const char *line;
		struct witness_arc arc;
	} lines[] = {
		{ ARC(T1, "13.000042", "a", 2, 5, 6),
		  { .comm = "exe", .tid = 233, .tgid = 231, .begin_ns = 13000042000,
		    .wanted = 5 } },
		{ ARC(T2, "5071.999999", "a", 2, 6, 6),
		  { .comm = "CPU 0/KVM", .tid = 77, .tgid = 70, .begin_ns = 5071999999000,
		    .wanted = 6 } },
		{ ARC("a-b-c-12 (-------)", "1.000000", "a", 2, 6, 6),
		  { .comm = "a-b-c", .tid = 12, .tgid = 0, .begin_ns = 1000000000, .wanted = 6 } },
		{ ARC("<...>-12", "1.000000", "a", 2, 6, 6),
		  { .comm = "<...>", .tid = 12, .begin_ns = 1000000000, .wanted = 6 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct arcs *arcs = arcs_new(check_names, (void *)&lines[i].arc);

		assert_int_equal(arcs_line(arcs, lines[i].line), 0);
		assert_int_equal(arcs_line_ns(lines[i].line), lines[i].arc.begin_ns);
		arcs_unfinished(arcs);
		arcs_free(arcs);
	}
	assert_int_equal(arcs_line_ns("CPU:1 [LOST 123 EVENTS]"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row),
		cmocka_unit_test(a_line_says_who_and_when),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
