// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ways to a switchover other than the straight one: paused before it, waited
 * for, and with stop and cont on the way.
 */
#include "vm.h"

#define STOPPED_1	"V vf0 stop-copy, STOP"
/* Dirties faster than anybody sends: its source stays in pre-copy. */
#define RESTLESS	"emu:dirty_bytes_per_sec=4G,rules=arc=PRE_COPY>PRE_COPY_P2P hold " \
			"limit_us=3600000000"

static void switch_on(struct vm *vm, const char *capability)
{
	char args[256];

	snprintf(args, sizeof(args),
		 "{\"capabilities\": [{\"capability\": \"return-path\", \"state\": true}, "
		 "{\"capability\": \"%s\", \"state\": true}]}", capability);
	do_call(vm, "migrate-set-capabilities", args);
}

/* Exactly these, separated by blanks, in the order of the alphabet of @all. */
static void expect_members(struct vm *vm, const char *want)
{
	static const char *const all[] = {
		"blocked-reasons", "downtime", "error-desc", "expected-downtime", "ram",
		"remaining", "setup-time", "socket-address", "status", "total-time", "vfio",
	};
	struct json_object *answer = call(vm, "query-migrate", NULL);
	char got[256] = "";
	size_t known = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!json_object_object_get_ex(answer, all[i], NULL))
			continue;
		known++;
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", *got ? " " : "",
			 all[i]);
	}
	assert_string_equal(got, want);
	assert_int_equal(json_object_object_length(answer), known);
	json_object_put(answer);
}

#define UNDER_WAY "expected-downtime ram remaining setup-time status total-time vfio"
#define COMPLETED "downtime ram setup-time status total-time vfio"

static void test_pause(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, QUICK, 1, NULL);
	start_destination(&d, QUICK, 1, "vf");
	expect_members(&s, "");
	expect_members(&d, "socket-address status");
	switch_on(&s, "pause-before-switchover");
	expect_refused(&s, "migrate-continue", "{\"state\": \"pre-switchover\"}",
		       "Migration not in expected state: none");
	migrate(&s);
	expect_events(&s, SETUP_1 ", " QUIESCE_1 ", " STOPPED_1 ", M pre-switchover");
	expect_no_event(&s);
	expect_members(&s, UNDER_WAY);
	expect_member(&s, "query-migrate", "status", "pre-switchover");
	expect_member(&s, "query-status", "status", "finish-migrate");
	expect_refused(&s, "cont", NULL, "Migration is not finalized yet");
	expect_refused(&s, "migrate-continue", "{\"state\": \"active\"}",
		       "Migration not in expected state: pre-switchover");
	expect_refused(&s, "migrate-continue", "{\"state\": \"asleep\"}",
		       "Parameter 'state' does not accept value 'asleep'");
	do_call(&s, "migrate-continue", "{\"state\": \"pre-switchover\"}");
	expect_events(&s, "M device, M completed, V vf0 stop");
	expect_events(&d, DESTINATION_1);
	expect_members(&s, COMPLETED);
	expect_members(&d, "status");
	expect_equal_fingerprints(&s, &d);
	end(&s);
	end(&d);
}

static void test_cancel_in_pre_switchover(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, QUICK, 2, NULL);
	start_destination(&d, QUICK, 2, "vf");
	switch_on(&s, "pause-before-switchover");
	migrate(&s);
	expect_events(&s, "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		      "V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, "
		      "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		      "V vf1 stop-copy, V vf0 stop-copy, STOP, M pre-switchover");
	do_call(&s, "migrate_cancel", NULL);
	expect_events(&s, "M cancelling, V vf1 running, V vf0 running, RESUME, "
		      "V vf0 running-p2p, V vf1 running-p2p, V vf0 running, V vf1 running, "
		      "M cancelled");
	expect_members(&s, "status");
	expect_events(&d, "M setup, M active, V vf0 resuming, V vf1 resuming, M failed");
	expect_members(&d, "error-desc status");
	end(&s);
	end(&d);
}

/* In QEMU its device runs after the cancel, and the machine does not. */
static void test_cancel_of_a_paused_source(void **state)
{
	struct json_object *answer;
	char device[16];
	struct vm s, d;

	(void)state;
	start_source(&s, QUICK, 1, NULL);
	start_destination(&d, QUICK, 1, "vf");
	switch_on(&s, "pause-before-switchover");
	do_call(&s, "stop", NULL);
	expect_events(&s, "V vf0 running-p2p, V vf0 stop, STOP");
	migrate(&s);
	expect_events(&s, "M setup, M active, M pre-switchover");
	expect_member(&s, "query-status", "status", "finish-migrate");
	/* Nothing of it was sent yet. */
	answer = call(&s, "query-migrate", NULL);
	assert_true(json_object_get_int64(json_object_object_get(answer, "remaining")) > 0);
	json_object_put(answer);
	do_call(&s, "migrate_cancel", NULL);
	expect_events(&s, "M cancelling, M cancelled");
	expect_member(&s, "query-status", "status", "paused");
	attribute(&s, "vf0", "state", device, sizeof(device));
	assert_string_equal(device, "STOP\n");
	expect_events(&d, "M setup, M active, V vf0 resuming, M failed");
	end(&s);
	end(&d);
}

static void test_never_run(void **state)
{
	struct vm s, d;

	(void)state;
	start(&s, "source", QUICK, 1, "vf", "--paused");
	start_destination(&d, QUICK, 1, "vf");
	expect_member(&s, "query-status", "status", "prelaunch");
	migrate(&s);
	expect_events(&s, "M setup, V vf0 pre-copy, M active, M device, V vf0 stop-copy, "
		      "M completed, V vf0 stop");
	expect_events(&d, "M setup, M active, V vf0 resuming, V vf0 stop, M completed");
	expect_members(&s, COMPLETED);
	expect_equal_fingerprints(&s, &d);
	end(&s);
	end(&d);
}

static int64_t transferred(struct vm *vm)
{
	struct json_object *answer = call(vm, "query-migrate", NULL);
	struct json_object *vfio = json_object_object_get(answer, "vfio");
	int64_t bytes = json_object_get_int64(json_object_object_get(vfio, "transferred"));

	json_object_put(answer);
	return bytes;
}

/*
 * The device says a second time that all of its bytes are initial ones, before the
 * destination has begun to read: two acknowledgments are due then.
 */
static void test_ack(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, "emu:state_bytes=16K,rules=op=precopy_info reinit nth=2", 1, NULL);
	start(&d, "destination",
	      "emu:state_bytes=16K,rules=arc=STOP>RESUMING hold limit_us=3600000000", 1, "vf",
	      "--incoming=defer");
	expect_refused(&s, "migrate-set-capabilities",
		       "{\"capabilities\": [{\"capability\": \"switchover-ack\", \"state\": true}]}",
		       "Capability 'switchover-ack' requires capability 'return-path'");
	switch_on(&s, "switchover-ack");
	switch_on(&d, "switchover-ack");
	listen_for_migration(&d);
	expect_refused(&s, "migrate", "{\"uri\": \"file:/nowhere\"}", "switchover-ack is for");
	migrate(&s);
	expect_events(&s, SETUP_1);
	while (transferred(&s) < 2 * 16 << 10)
		;
	expect_no_event(&s);
	release(&d, "vf0");
	expect_events(&s, QUIESCE_1 ", " FINISH_1);
	expect_events(&d, DESTINATION_1);
	expect_equal_fingerprints(&s, &d);
	end(&s);
	end(&d);
}

static void test_ack_that_the_destination_does_not_give(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, QUICK, 1, NULL);
	start_destination(&d, QUICK, 1, "vf");
	switch_on(&s, "switchover-ack");
	migrate(&s);
	expect_events(&s, SETUP_1 ", M failing, V vf0 running, M failed");
	expect_events(&d, "M setup, M active, V vf0 resuming, M failed");
	expect_member(&d, "query-migrate", "error-desc",
		      "vf0: Received INIT_DATA_SENT but switchover ack is not used");
	expect_members(&s, "error-desc status");
	end(&s);
	end(&d);
}

static void await_held(struct vm *vm)
{
	char held[128];

	do {
		attribute(vm, "vf0", "held", held, sizeof(held));
	} while (!*held);
}

/* The destination has part of a stream then, and gets another one from the beginning. */
static void test_stop_and_cont_in_pre_copy(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, RESTLESS, 1, NULL);
	start_destination(&d, QUICK, 1, "vf");
	do_call(&s, "migrate-set-parameters", "{\"downtime-limit\": 0}");
	migrate(&s);
	expect_events(&s, SETUP_1);
	expect_members(&s, UNDER_WAY);
	do_call(&s, "stop", NULL);
	expect_events(&s, "V vf0 pre-copy-p2p-prepare");
	do_call(&s, "cont", NULL);
	await_held(&s);
	release(&s, "vf0");
	expect_events(&s, "V vf0 pre-copy-p2p, " STOPPED_1 ", RESUME, V vf0 running-p2p, "
		      "V vf0 running, V vf0 running-p2p, V vf0 stop, STOP, M device, "
		      "V vf0 stop-copy, M completed, V vf0 stop");
	expect_events(&d, DESTINATION_1);
	expect_equal_fingerprints(&s, &d);
	end(&s);
	end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_cancel_in_pre_switchover),
		cmocka_unit_test(test_cancel_of_a_paused_source),
		cmocka_unit_test(test_never_run),
		cmocka_unit_test(test_ack),
		cmocka_unit_test(test_ack_that_the_destination_does_not_give),
		cmocka_unit_test(test_stop_and_cont_in_pre_copy),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
