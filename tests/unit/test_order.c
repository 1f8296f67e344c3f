// SPDX-License-Identifier: GPL-2.0-only
/* Proof by order, on traces as tracefs prints them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../peer/order.h"

#define ROWS(a)	(sizeof(a) / sizeof((a)[0]))

#define HEAD \
	"# tracer: nop\n#\n# entries-in-buffer/entries-written: 9/9   #P:2\n#\n" \
	"#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n"
#define AT(tid, us)	" migration [x]-" #tid "     [001] ..... 100." #us ": "
#define PUT(tid, us, fd, text) \
	AT(tid, us) ORDER_PROBE "_sendmsg: (__x64_sys_sendmsg+0x4/0x20) fd=" fd " text=\"" text "\n"
#define EVENT(state, id) \
	"{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"VFIO_MIGRATION\", " \
	"\"data\": {\"device-state\": \"" state "\", \"device-id\": \"" id "\", " \
	"\"qom-path\": \"/machine/peripheral/" id "\"}}"
#define PREPARE(id)	EVENT("pre-copy-p2p-prepare", id)
#define SEND(tid, us, fd, id)	PUT(tid, us, fd, PREPARE(id) "\r")
#define SENT(tid, us, len)	AT(tid, us) "sys_sendmsg -> " len "\n"
#define CALL(tid, us)	AT(tid, us) "sys_ioctl(fd: 1e, cmd: 3b75, arg: 7f00cafe)\n"
#define BEGIN(tid, us, bdf, seq) \
	AT(tid, us) "miglab_arc_begin: " bdf " PRE_COPY>PRE_COPY_P2P " \
	"requested=PRE_COPY_P2P seq=" seq " rule=1 result=1\n"
#define OTHER_ARC(tid, us, bdf, seq) \
	AT(tid, us) "miglab_arc_begin: " bdf " RUNNING>PRE_COPY " \
	"requested=PRE_COPY seq=" seq " rule=0 result=1\n"
#define A "0000:01:00.0"
#define B "0000:02:00.0"

/* PREPARE() of "vf0" is 0xb8 bytes long, and ends with "\r\n" on the wire. */
#define WHOLE "0xba"

static const struct order_claim one[] = { { "vf0", A, 7 } };
static const struct order_claim two[] = { { "vf0", A, 7 }, { "vf1", B, 7 } };
static const struct order_claim again[] = { { "vf0", A, 7 }, { "vf0", A, 8 } };
static const struct order_claim twice[] = { { "vf0", A, 7 }, { "vf0", A, 7 } };
static const struct order_claim swapped[] = { { "vf1", B, 7 }, { "vf0", A, 7 } };

struct row {
	const char *name;
	const char *trace;
	const struct order_claim *claims;
	size_t count;
	int result;
	const char *reason;	/* a part of the sentence */
};

static const struct row rows[] = {
	{ "one thread writes, then enters",
	  HEAD SEND(50, 000001, "29", "vf0") SENT(50, 000002, WHOLE) CALL(50, 000010)
	  BEGIN(50, 000011, A, "7"), one, 1, 0, NULL },
	{ "without a line end",
	  HEAD SEND(50, 000001, "29", "vf0") SENT(50, 000002, "0xb8") CALL(50, 000010)
	  BEGIN(50, 000011, A, "7"), one, 1, 0, NULL },
	{ "a control thread writes, a worker enters",
	  HEAD SEND(50, 000001, "8", "vf0") SENT(50, 000002, WHOLE) CALL(51, 000010)
	  BEGIN(51, 000011, A, "7"), one, 1, 0, NULL },
	{ "the arcs of other states need nothing",
	  HEAD CALL(50, 000000) OTHER_ARC(50, 000001, A, "6") SEND(50, 000002, "29", "vf0")
	  SENT(50, 000003, WHOLE) CALL(50, 000010) BEGIN(50, 000011, A, "7"), one, 1, 0, NULL },
	{ "written after the ioctl was entered",
	  HEAD CALL(51, 000001) BEGIN(51, 000002, A, "7") SEND(50, 000003, "8", "vf0")
	  SENT(50, 000004, WHOLE), one, 1, 1, "after the ioctl was entered" },
	{ "still writing when the ioctl is entered",
	  HEAD SEND(50, 000001, "8", "vf0") CALL(51, 000002) SENT(50, 000003, WHOLE)
	  BEGIN(51, 000004, A, "7"), one, 1, 1, "after the ioctl was entered" },
	{ "another ioctl between does not help",
	  HEAD CALL(51, 000001) SEND(50, 000002, "8", "vf0") SENT(50, 000003, WHOLE)
	  CALL(50, 000004) BEGIN(51, 000005, A, "7"), one, 1, 1, "after the ioctl was entered" },
	{ "never written",
	  HEAD CALL(50, 000010) BEGIN(50, 000011, A, "7"), one, 1, 1, "no descriptor" },
	{ "a write that was cut short",
	  HEAD SEND(50, 000001, "29", "vf0") SENT(50, 000002, "0xb7") CALL(50, 000010)
	  BEGIN(50, 000011, A, "7"), one, 1, 1, "no descriptor" },
	{ "a write of the same length before, and the event too late",
	  HEAD PUT(50, 000001, "29", "{\"return\": {}}") SENT(50, 000002, WHOLE)
	  CALL(51, 000003) BEGIN(51, 000004, A, "7") SEND(50, 000005, "29", "vf0")
	  SENT(50, 000006, WHOLE), one, 1, 1, "after the ioctl was entered" },
	{ "another device's event before, and its own too late",
	  HEAD SEND(50, 000001, "29", "vf1") SENT(50, 000002, WHOLE) CALL(51, 000003)
	  BEGIN(51, 000004, A, "7") SEND(50, 000005, "29", "vf0") SENT(50, 000006, WHOLE), one, 1,
	  1, "after the ioctl was entered" },
	{ "another state of the device is no announcement",
	  HEAD PUT(50, 000001, "29", EVENT("pre-copy-p2p", "vf0")) SENT(50, 000002, WHOLE)
	  CALL(50, 000010) BEGIN(50, 000011, A, "7"), one, 1, 1, "no descriptor" },
	{ "another event with the same data is no announcement",
	  HEAD PUT(50, 000001, "29", "{\"event\": \"X\", \"data\": {\"device-state\": "
	  "\"pre-copy-p2p-prepare\", \"device-id\": \"vf0\"}}") SENT(50, 000002, WHOLE)
	  CALL(50, 000010) BEGIN(50, 000011, A, "7"), one, 1, 1, "no descriptor" },
	{ "the event in the text of an answer is no announcement",
	  HEAD PUT(50, 000001, "29", "{\"return\": \"pre-copy-p2p-prepare vf0\"}")
	  SENT(50, 000002, WHOLE) CALL(50, 000010) BEGIN(50, 000011, A, "7"), one, 1, 1,
	  "no descriptor" },
	{ "what is behind the event does not matter",
	  HEAD PUT(50, 000001, "29", PREPARE("vf0") "\r and what was there") SENT(50, 000002, WHOLE)
	  CALL(50, 000010) BEGIN(50, 000011, A, "7"), one, 1, 0, NULL },
	{ "texts that are no JSON, or none that can be read",
	  HEAD PUT(50, 000001, "29", "{\"event\": nonsense") SENT(50, 000002, WHOLE)
	  AT(50, 000003) ORDER_PROBE "_write: (__x64_sys_write+0x4/0x20) fd=29 text=(fault)\n"
	  SENT(50, 000004, WHOLE) CALL(50, 000010) BEGIN(50, 000011, A, "7"), one, 1, 1,
	  "no descriptor" },
	{ "two threads write at once",
	  HEAD SEND(50, 000001, "29", "vf0") PUT(51, 000002, "30", "{\"return\": {}}")
	  SENT(50, 000003, WHOLE) SENT(51, 000004, WHOLE) CALL(50, 000010)
	  BEGIN(50, 000011, A, "7"), one, 1, 0, NULL },
	{ "one arc, announced twice",
	  HEAD SEND(50, 000001, "29", "vf0") SENT(50, 000002, WHOLE) SEND(50, 000003, "29", "vf0")
	  SENT(50, 000004, WHOLE) CALL(50, 000010) BEGIN(50, 000011, A, "7"), twice, 2, 1,
	  "announced 2 times" },
	{ "a write that failed",
	  HEAD SEND(50, 000001, "29", "vf0") SENT(50, 000002, "0xfffffffffffffff5") CALL(50, 000010)
	  BEGIN(50, 000011, A, "7"), one, 1, 1, "no descriptor" },
	{ "not announced", HEAD CALL(50, 000010) BEGIN(50, 000011, A, "7"), NULL, 0, 1,
	  "announced 0 times" },
	{ "no arc and no claim", HEAD, NULL, 0, 1, "no arc was announced" },
	{ "an empty trace proves nothing", "", one, 1, 1, "no descriptor" },
	{ "the arc is not in the trace",
	  HEAD SEND(50, 000001, "29", "vf0") SENT(50, 000002, WHOLE), one, 1, 1,
	  "not in the trace" },
	{ "the arc's ioctl is not in the trace",
	  HEAD SEND(50, 000001, "29", "vf0") SENT(50, 000002, WHOLE)
	  BEGIN(50, 000011, A, "7"), one, 1, 1, "not in the trace" },
	{ "another device's arc has no claim",
	  HEAD SEND(50, 000001, "29", "vf0") SENT(50, 000002, WHOLE) CALL(50, 000010)
	  BEGIN(50, 000011, A, "7") CALL(50, 000012) BEGIN(50, 000013, B, "7"), one, 1, 1,
	  "of 0000:02:00.0 was announced 0 times" },
	{ "two devices, one after another",
	  HEAD SEND(50, 000001, "29", "vf0") SENT(50, 000002, WHOLE) CALL(50, 000003)
	  BEGIN(50, 000004, A, "7") SEND(50, 000005, "29", "vf1") SENT(50, 000006, WHOLE)
	  CALL(50, 000007) BEGIN(50, 000008, B, "7"), two, 2, 0, NULL },
	{ "two arcs of a device, each announced",
	  HEAD SEND(50, 000001, "29", "vf0") SENT(50, 000002, WHOLE) CALL(50, 000003)
	  BEGIN(50, 000004, A, "7") SEND(50, 000005, "29", "vf0") SENT(50, 000006, WHOLE)
	  CALL(50, 000007) BEGIN(50, 000008, A, "8"), again, 2, 0, NULL },
	{ "two arcs of a device, one write does not serve both",
	  HEAD SEND(50, 000001, "29", "vf0") SENT(50, 000002, WHOLE) CALL(50, 000003)
	  BEGIN(50, 000004, A, "7") CALL(50, 000007) BEGIN(50, 000008, A, "8"), again, 2, 1,
	  "no descriptor" },
	{ "two devices, the second announced too late",
	  HEAD SEND(50, 000001, "29", "vf0") SENT(50, 000002, WHOLE) CALL(50, 000003)
	  BEGIN(50, 000004, A, "7") CALL(50, 000005) BEGIN(50, 000006, B, "7")
	  SEND(50, 000007, "29", "vf1") SENT(50, 000008, WHOLE), two, 2, 1, "of 0000:02:00.0" },
	{ "two devices, one write does not serve both",
	  HEAD SEND(50, 000001, "29", "vf0") SENT(50, 000002, WHOLE) CALL(50, 000003)
	  BEGIN(50, 000004, A, "7") CALL(50, 000007) BEGIN(50, 000008, B, "7"), two, 2, 1,
	  "no descriptor" },
	{ "two devices at once, announced in another order than they began",
	  HEAD SEND(50, 000001, "8", "vf1") SENT(50, 000002, WHOLE) SEND(50, 000003, "8", "vf0")
	  SENT(50, 000004, WHOLE) CALL(51, 000005) CALL(52, 000006) BEGIN(51, 000007, A, "7")
	  BEGIN(52, 000008, B, "7"), swapped, 2, 0, NULL },
	{ "two listeners",
	  HEAD SEND(50, 000001, "29", "vf0") SENT(50, 000002, WHOLE) SEND(50, 000003, "30", "vf0")
	  SENT(50, 000004, WHOLE) CALL(50, 000005) BEGIN(50, 000006, A, "7"), one, 1, 0, NULL },
	{ "two listeners, one of them late",
	  HEAD SEND(50, 000001, "29", "vf0") SENT(50, 000002, WHOLE) CALL(50, 000005)
	  BEGIN(50, 000006, A, "7") SEND(50, 000007, "30", "vf0") SENT(50, 000008, WHOLE), one,
	  1, 1, "descriptor 30" },
};

/* All of the events before the first of the ioctls. */
static const struct row together[] = {
	{ "all before the first",
	  HEAD SEND(50, 000001, "8", "vf1") SENT(50, 000002, WHOLE) SEND(50, 000003, "8", "vf0")
	  SENT(50, 000004, WHOLE) CALL(51, 000005) CALL(52, 000006) BEGIN(51, 000007, A, "7")
	  BEGIN(52, 000008, B, "7"), swapped, 2, 0, NULL },
	{ "one after another is not all before the first",
	  HEAD SEND(50, 000001, "29", "vf0") SENT(50, 000002, WHOLE) CALL(50, 000003)
	  BEGIN(50, 000004, A, "7") SEND(50, 000005, "29", "vf1") SENT(50, 000006, WHOLE)
	  CALL(50, 000007) BEGIN(50, 000008, B, "7"), two, 2, 1,
	  "of 0000:02:00.0: its prepare event was written to descriptor 29 after the first" },
};

static void check(const struct row *row, bool all_first)
{
	struct error err = { "" };

	assert_int_equal(order_check(row->trace, row->claims, row->count, all_first, NULL, &err),
			 row->result);
	if (row->reason && !strstr(err.text, row->reason))
		fail_msg("\"%s\" does not say \"%s\"", err.text, row->reason);
}

static void test_row(void **state)
{
	check(*state, false);
}

static void test_together(void **state)
{
	check(*state, true);
}

static void test_lead(void **state)
{
	double lead_us = 0;

	(void)state;
	assert_int_equal(order_check(rows[0].trace, one, 1, false, &lead_us, NULL), 0);
	assert_true(lead_us > 7.9 && lead_us < 8.1);
}

int main(void)
{
	struct CMUnitTest tests[ROWS(rows) + ROWS(together) + 1];
	size_t i, count = 0;

	for (i = 0; i < ROWS(rows); i++)
		tests[count++] = (struct CMUnitTest){ rows[i].name, test_row, NULL, NULL,
						      (void *)&rows[i] };
	for (i = 0; i < ROWS(together); i++)
		tests[count++] = (struct CMUnitTest){ together[i].name, test_together, NULL, NULL,
						      (void *)&together[i] };
	tests[count] = (struct CMUnitTest)cmocka_unit_test(test_lead);
	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
