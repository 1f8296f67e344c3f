// SPDX-License-Identifier: GPL-2.0-only
/* The records of contract.h in one order: what of several witnesses comes first. */
#include "unit.h"

#include "device/state.h"
#include "device/uapi.h"
#include "judge/records.h"

#define S(name)		VFIO_DEVICE_STATE_##name
#define ARC(f, t, b, e, r) { .from = S(f), .to = S(t), .requested = S(t), .begin_ns = (b), \
			     .end_ns = (e), .result = (r) }
#define SAID(dev, state, at) { .what = CONTRACT_SAID, .device = (dev), .to = S(state), .ns = (at) }
#define DEVICE(arcs)	{ (arcs), sizeof(arcs) / sizeof((arcs)[0]), CONTRACT_UNKNOWN, 0 }
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* "0+STOP 0.STOP 0!RUNNING": the device, what, the state at its end. */
static void expect(const struct records_input *in, const char *want)
{
	static const char marks[] = {
		[CONTRACT_BEGINS] = '+', [CONTRACT_ENDS] = '.', [CONTRACT_KNOWN] = '?',
		[CONTRACT_RESET] = '!', [CONTRACT_FOUND] = '@', [CONTRACT_SAID] = '=',
		[CONTRACT_STATUS] = 'M',
	};
	struct contract_record *records;
	char text[1024] = "";
	uint64_t ns = 0;
	size_t count;

	assert_int_equal(records_build(in, &records, &count), 0);
	for (size_t i = 0; i < count; i++) {
		char word[64];

		snprintf(word, sizeof(word), "%s%u%c%s", i ? " " : "", records[i].device,
			 marks[records[i].what], device_state_name(records[i].to));
		strcat(text, word);
		assert_true(records[i].ns >= ns);
		ns = records[i].ns;
	}
	free(records);
	assert_string_equal(text, want);
}

static void devices_and_words_are_merged_by_time(void **state)
{
	static const struct lab_arc a[] = {
		ARC(RUNNING, PRE_COPY, 10, 20, 0), ARC(PRE_COPY, PRE_COPY_P2P, 40, 50, 0),
	};
	static const struct lab_arc b[] = { ARC(RUNNING, PRE_COPY, 15, 45, 0) };
	static const struct contract_record heard[] = {
		SAID(0, PRE_COPY, 30), SAID(1, PRE_COPY, 60),
	};
	static const struct records_device devices[] = { DEVICE(a), DEVICE(b) };
	const struct records_input in = {
		.devices = devices, .device_count = 2, .heard = heard, .heard_count = 2,
	};

	(void)state;
	expect(&in, "0+PRE_COPY 1+PRE_COPY 0.PRE_COPY 0=PRE_COPY 0+PRE_COPY_P2P 1.PRE_COPY "
		    "0.PRE_COPY_P2P 1=PRE_COPY");
}

/* First what ends in the same moment, then what was said, then what begins. */
static void the_same_moment_accuses_nobody(void **state)
{
	static const struct lab_arc a[] = { ARC(STOP, RUNNING_P2P, 10, 20, 0) };
	static const struct lab_arc b[] = { ARC(RUNNING_P2P, RUNNING, 20, 20, 0) };
	static const struct contract_record heard[] = { SAID(0, RUNNING_P2P, 20) };
	static const struct records_device devices[] = { DEVICE(b), DEVICE(a) };
	const struct records_input in = {
		.devices = devices, .device_count = 2, .heard = heard, .heard_count = 1,
	};

	(void)state;
	expect(&in, "1+RUNNING_P2P 1.RUNNING_P2P 0=RUNNING_P2P 0+RUNNING 0.RUNNING");
}

static void an_arc_in_progress_has_no_end(void **state)
{
	static const struct lab_arc a[] = { ARC(PRE_COPY, PRE_COPY_P2P, 10, 0, 1) };
	static const struct records_device devices[] = { { a, 1, S(RUNNING), 30 } };
	const struct records_input in = { .devices = devices, .device_count = 1 };

	(void)state;
	expect(&in, "0+PRE_COPY_P2P 0@RUNNING");
}

/* A device that is in RUNNING where no arc led: when was it reset? */
static void a_reset_is_concluded(void **state)
{
	static const struct lab_arc a[] = {
		ARC(PRE_COPY, PRE_COPY_P2P, 10, 20, -5), ARC(RUNNING, RUNNING_P2P, 50, 60, 0),
	};
	static const struct lab_arc back[] = {
		ARC(PRE_COPY, PRE_COPY_P2P, 10, 20, -5), ARC(PRE_COPY, RUNNING, 50, 60, 0),
	};
	/* A failed arc left it where it was; or it is where the failed arc would have led. */
	static const struct lab_arc again[] = {
		ARC(RUNNING, PRE_COPY, 10, 20, -5), ARC(RUNNING, PRE_COPY, 50, 60, 0),
	};
	static const struct lab_arc beyond[] = {
		ARC(PRE_COPY, RUNNING, 10, 20, -5), ARC(RUNNING, PRE_COPY, 50, 60, 0),
	};
	static const struct records_device stayed[] = { DEVICE(again) };
	static const struct records_device went[] = { DEVICE(beyond) };
	static const struct contract_record said[] = {
		SAID(0, RUNNING, 5), SAID(1, RUNNING, 25), SAID(0, RUNNING, 30),
		SAID(0, RUNNING, 70),
	};
	static const struct records_device devices[] = { DEVICE(a) }, others[] = { DEVICE(back) };
	struct records_input in = { .devices = devices, .device_count = 1 };

	(void)state;
	expect(&in, "0+PRE_COPY_P2P 0.PRE_COPY_P2P 0!RUNNING 0+RUNNING_P2P 0.RUNNING_P2P");
	in.heard = said;
	in.heard_count = COUNT(said);
	expect(&in, "0=RUNNING 0+PRE_COPY_P2P 0.PRE_COPY_P2P 1=RUNNING 0!RUNNING 0=RUNNING "
		    "0+RUNNING_P2P 0.RUNNING_P2P 0=RUNNING");
	in.devices = others;
	in.heard_count = 0;
	expect(&in, "0+PRE_COPY_P2P 0.PRE_COPY_P2P 0+RUNNING 0.RUNNING");
	in.devices = stayed;
	expect(&in, "0+PRE_COPY 0.PRE_COPY 0+PRE_COPY 0.PRE_COPY");
	in.devices = went;
	expect(&in, "0+RUNNING 0.RUNNING 0!RUNNING 0+PRE_COPY 0.PRE_COPY");
}

static void a_reset_behind_the_last_arc_is_concluded(void **state)
{
	static const struct lab_arc a[] = { ARC(STOP_COPY, STOP, 10, 20, -5) };
	static const struct lab_arc fine[] = { ARC(STOP_COPY, STOP, 10, 20, 0) };
	static const struct records_device reset[] = { { a, 1, S(RUNNING), 90 } };
	static const struct records_device alone[] = { { a, 1, S(STOP_COPY), 90 } };
	static const struct records_device stopped[] = { { fine, 1, S(STOP), 90 } };
	static const struct records_device idle[] = { { NULL, 0, S(RUNNING), 90 } };
	struct records_input in = { .devices = reset, .device_count = 1 };

	(void)state;
	expect(&in, "0+STOP 0.STOP 0!RUNNING 0@RUNNING");
	in.devices = alone;
	expect(&in, "0+STOP 0.STOP 0@STOP_COPY");
	in.devices = stopped;
	expect(&in, "0+STOP 0.STOP 0@STOP");
	in.devices = idle;
	expect(&in, "0@RUNNING");
}

/* Where resets are recorded none is concluded. */
static void what_is_recorded_is_not_concluded(void **state)
{
	static const struct lab_arc a[] = {
		ARC(PRE_COPY, PRE_COPY_P2P, 10, 20, -5), ARC(RUNNING, RUNNING_P2P, 50, 60, 0),
	};
	static const struct contract_record asked[] = {
		{ .what = CONTRACT_KNOWN, .to = S(ERROR), .ns = 20 },
		{ .what = CONTRACT_RESET, .to = S(RUNNING), .ns = 40 },
	};
	static const struct records_device devices[] = { DEVICE(a) };
	struct records_input in = {
		.devices = devices, .device_count = 1, .asked = asked, .asked_count = 2,
	};

	(void)state;
	expect(&in, "0+PRE_COPY_P2P 0.PRE_COPY_P2P 0?ERROR 0!RUNNING 0+RUNNING_P2P 0.RUNNING_P2P");
	in.asked_count = 0;
	expect(&in, "0+PRE_COPY_P2P 0.PRE_COPY_P2P 0+RUNNING_P2P 0.RUNNING_P2P");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_and_words_are_merged_by_time),
		cmocka_unit_test(the_same_moment_accuses_nobody),
		cmocka_unit_test(an_arc_in_progress_has_no_end),
		cmocka_unit_test(a_reset_is_concluded),
		cmocka_unit_test(a_reset_behind_the_last_arc_is_concluded),
		cmocka_unit_test(what_is_recorded_is_not_concluded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
