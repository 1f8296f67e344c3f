// SPDX-License-Identifier: GPL-2.0-only
/*
 * What QMP has that is not of QEMU, each off until asked for: deadlines, the figures of
 * each device, announcements that are answered, and more in each event.
 */
#include "vm.h"

#define CAPABILITY(name) \
	"{\"capabilities\": [{\"capability\": \"" name "\", \"state\": true}]}"
#define SLOW	"emu:rules=arc=PRE_COPY>PRE_COPY_P2P delay_us=20000"

static int64_t member(struct json_object *o, const char *name)
{
	struct json_object *value;

	if (!json_object_object_get_ex(o, name, &value))
		fail_msg("there is no %s", name);
	return json_object_get_int64(value);
}

static void test_late_while_held(void **state)
{
	struct qmp_event e;
	struct error err;
	struct vm s, d;

	(void)state;
	start_source(&s, HELD, 1, NULL);
	start_destination(&d, QUICK, 1, "vf");
	for (unsigned int i = 0; i < 3; i++) {
		static const char *const bad[] = { "0", "-1", "86400001" };
		char args[64];

		snprintf(args, sizeof(args), "{\"x-transition-deadline\": %s}", bad[i]);
		expect_refused(&s, "migrate-set-parameters", args, "in the range of 1 to 86400000");
	}
	do_call(&s, "migrate-set-parameters", "{\"x-transition-deadline\": 20}");
	expect_member(&s, "query-migrate-parameters", "x-transition-deadline", "20");
	migrate(&s);
	expect_events(&s, SETUP_1 ", V vf0 pre-copy-p2p-prepare");
	assert_int_equal(qmp_client_event(s.client, clock_ns() + PATIENCE_NS, &e, &err), 1);
	assert_string_equal(e.name, "X_VFIO_MIGRATION_LATE");
	assert_string_equal(qmp_event_text(&e, "device-id"), "vf0");
	assert_string_equal(qmp_event_text(&e, "device-state"), "pre-copy");
	assert_string_equal(qmp_event_text(&e, "requested-state"), "pre-copy-p2p");
	assert_true(member(e.data, "elapsed-us") >= 20000);
	qmp_event_release(&e);
	/* Once, and that is all. */
	expect_no_event(&s);
	finish_held(&s, &d);
}

/* The last events of a migration of two, in whichever order they end. */
static void await_stopped(struct vm *vm)
{
	bool vf0 = false, slow = false;

	while (!vf0 || !slow) {
		char text[128];

		next_event(vm, text, sizeof(text));
		vf0 |= !strcmp(text, "V vf0 stop");
		slow |= !strcmp(text, "V slow stop");
	}
}

/* Both begin together; the deadline of the one that has arrived is over when the other's comes. */
static void test_late_is_who_is_late(void **state)
{
	bool arrived = false;
	struct qmp_event e;
	struct error err;
	struct vm s, d;

	(void)state;
	policy = "--policy=group";
	start_with(&s, "source", QUICK, 1, "vf", "--device",
		   "emu:rules=arc=PRE_COPY>PRE_COPY_P2P hold limit_us=60000000,id=slow");
	policy = NULL;
	start_with(&d, "destination", QUICK, 1, "vf", "--incoming=defer", "--device=emu,id=slow");
	listen_for_migration(&d);
	do_call(&s, "migrate-set-parameters", "{\"x-transition-deadline\": 200}");
	migrate(&s);
	for (const char *late = ""; strcmp(late, "slow"); ) {
		assert_int_equal(qmp_client_event(s.client, clock_ns() + PATIENCE_NS, &e, &err), 1);
		late = strcmp(e.name, "X_VFIO_MIGRATION_LATE") ? "" :
			!strcmp(qmp_event_text(&e, "device-id"), "slow") ? "slow" : "vf0";
		if (arrived)
			assert_string_not_equal(late, "vf0");
		arrived |= !strcmp(qmp_event_text(&e, "device-id"), "vf0") &&
			   !strcmp(qmp_event_text(&e, "device-state"), "pre-copy-p2p");
		qmp_event_release(&e);
	}
	release(&s, "slow");
	await_stopped(&s);
	end(&s);
	for (char text[128] = ""; strcmp(text, "M completed"); )
		next_event(&d, text, sizeof(text));
	end(&d);
}

static void test_late_cancels(void **state)
{
	struct vm s, d;

	(void)state;
	policy = "--policy=group";
	start_source(&s, QUICK, 2, NULL);
	start_destination(&d, QUICK, 2, "vf");
	do_call(&s, "x-miglab-write", "{\"device\": \"vf1\", \"attribute\": \"rules\", "
		"\"text\": \"arc=PRE_COPY>PRE_COPY_P2P hold limit_us=3600000000 times=1\"}");
	do_call(&s, "migrate-set-parameters",
		"{\"x-transition-deadline\": 500, \"x-cancel-late\": true}");
	migrate(&s);
	for (char text[128] = ""; strcmp(text, "X_VFIO_MIGRATION_LATE"); )
		next_event(&s, text, sizeof(text));
	expect_events(&s, "M cancelling");
	release(&s, "vf1");
	for (char text[128] = ""; strcmp(text, "M cancelled"); )
		next_event(&s, text, sizeof(text));
	expect_member(&s, "query-status", "status", "running");
	end(&s);
	for (char text[128] = ""; strcmp(text, "M failed"); )
		next_event(&d, text, sizeof(text));
	end(&d);
	policy = NULL;
}

/* Asked for in pre-switchover: what the switchover took is known by then. */
static void expect_statistics(struct vm *vm)
{
	struct json_object *info = call(vm, "query-migrate", NULL), *list, *sum;
	int64_t transferred = 0;

	assert_true(json_object_object_get_ex(info, "x-devices", &list));
	assert_int_equal(json_object_array_length(list), 2);
	for (size_t i = 0; i < 2; i++) {
		struct json_object *o = json_object_array_get_idx(list, i), *times;
		char id[8];

		snprintf(id, sizeof(id), "vf%zu", i);
		assert_string_equal(json_object_get_string(json_object_object_get(o, "device-id")),
				    id);
		assert_string_equal(json_object_get_string(json_object_object_get(o, "state")),
				    "stop-copy");
		assert_true(json_object_object_get_ex(o, "transitions-us", &times));
		assert_true(member(times, "pre-copy-p2p") >= 20000);
		assert_true(member(o, "transferred") > 0);
		assert_true(member(o, "rate") > 0);
		assert_int_equal(member(o, "precopy-initial"), 0);
		member(o, "precopy-dirty");
		member(o, "stop-copy-size");
		transferred += member(o, "transferred");
	}
	assert_true(json_object_object_get_ex(info, "x-devices-sum", &sum));
	assert_int_equal(member(sum, "transferred"), transferred);
	assert_int_equal(member(json_object_object_get(info, "vfio"), "transferred"), transferred);
	/* QEMU's ignores the transitions: two of 20 ms, one after the other. */
	assert_true(member(info, "x-expected-downtime") - member(info, "expected-downtime") >= 40);
	json_object_put(info);
}

static void test_statistics(void **state)
{
	struct json_object *info;
	struct vm s, d;
	char text[128];

	(void)state;
	start_source(&s, SLOW, 2, NULL);
	start_destination(&d, QUICK, 2, "vf");
	do_call(&s, "migrate-set-capabilities", CAPABILITY("pause-before-switchover"));
	migrate(&s);
	do {
		next_event(&s, text, sizeof(text));
	} while (strcmp(text, "M pre-switchover"));
	info = call(&s, "query-migrate", NULL);
	assert_false(json_object_object_get_ex(info, "x-devices", NULL));
	assert_false(json_object_object_get_ex(info, "x-expected-downtime", NULL));
	json_object_put(info);
	do_call(&s, "migrate_cancel", NULL);
	do {
		next_event(&s, text, sizeof(text));
	} while (strcmp(text, "M cancelled"));
	for (*text = '\0'; strcmp(text, "M failed"); )
		next_event(&d, text, sizeof(text));
	end(&d);
	do_call(&s, "migrate-set-capabilities", CAPABILITY("x-device-statistics"));
	start_destination(&d, QUICK, 2, "vf");
	migrate(&s);
	do {
		next_event(&s, text, sizeof(text));
	} while (strcmp(text, "M pre-switchover"));
	expect_statistics(&s);
	do_call(&s, "migrate-continue", "{\"state\": \"pre-switchover\"}");
	expect_events(&s, "M device, M completed, V vf0 stop, V vf1 stop");
	for (*text = '\0'; strcmp(text, "M completed"); )
		next_event(&d, text, sizeof(text));
	end(&s);
	end(&d);
}

/* --- announcements that are answered ---------------------------------------------- */

static void expect_ack(struct vm *vm, const char *device, bool answered)
{
	struct qmp_event e;
	struct error err;

	assert_int_equal(qmp_client_event(vm->client, clock_ns() + PATIENCE_NS, &e, &err), 1);
	assert_string_equal(e.name, "X_VFIO_PREPARE_ACK");
	assert_string_equal(qmp_event_text(&e, "device-id"), device);
	assert_int_equal(json_object_get_boolean(json_object_object_get(e.data, "answered")),
			 answered);
	assert_true(member(e.data, "client") > 0);
	assert_true(member(e.data, "elapsed-us") >= 0);
	qmp_event_release(&e);
}

/* The next event announces that @device goes quiet: its number, by which it is answered. */
static int64_t next_announcement(struct vm *vm, const char *device)
{
	struct qmp_event e;
	struct error err;
	int64_t seq;

	assert_int_equal(qmp_client_event(vm->client, clock_ns() + PATIENCE_NS, &e, &err), 1);
	assert_string_equal(qmp_event_text(&e, "device-id"), device);
	assert_string_equal(qmp_event_text(&e, "device-state"), "pre-copy-p2p-prepare");
	seq = member(e.data, "x-seq");
	assert_true(seq > 0);
	qmp_event_release(&e);
	return seq;
}

static char *answer_to(const char *device, int64_t seq)
{
	static char args[128];

	snprintf(args, sizeof(args), "{\"device-id\": \"%s\", \"x-seq\": %lld}", device,
		 (long long)seq);
	return args;
}

/* Its first line says that it listens. */
static void start_judge(struct child *judge)
{
	char *argv[] = { program(), "judge", "--qmp", uri_of("source"), "--device", "vf0=emu",
			 NULL };
	struct error err;
	char c = 0;

	assert_int_equal(child_start(judge, "judge", argv, path_of("judge.log"), true, &err), 0);
	while (c != '\n')
		assert_int_equal(read(judge->out, &c, 1), 1);
}

static void expect_verdict(struct child *judge, const char *want)
{
	char text[1024];
	size_t len = 0;
	ssize_t n;

	while ((n = read(judge->out, text + len, sizeof(text) - 1 - len)) > 0)
		len += n;
	text[len] = '\0';
	if (!strstr(text, want))
		fail_msg("\"%s\" is not in \"%s\"", want, text);
	child_end(judge);
}

static void test_answered(void **state)
{
	struct child judge = { .out = -1 };
	char text[64];
	struct vm s, d;
	int64_t seq;

	(void)state;
	start_source(&s, QUICK, 1, NULL);
	start_destination(&d, QUICK, 1, "vf");
	do_call(&s, "migrate-set-parameters", "{\"x-prepare-ack-timeout\": 60000}");
	expect_refused(&s, "migrate-set-parameters", "{\"x-prepare-ack-timeout\": 0}",
		       "in the range of 1 to 60000 ms");
	do_call(&s, "migrate-set-capabilities", CAPABILITY("x-prepare-ack"));
	/* Twice promised is one promise. */
	do_call(&s, "migrate-set-capabilities", CAPABILITY("x-prepare-ack"));
	expect_refused(&s, "x-prepare-ack", answer_to("vf0", 1), "waits for no answer");
	expect_refused(&s, "x-prepare-ack", answer_to("vf1", 1), "'vf1' not found");
	expect_refused(&s, "x-prepare-ack", "{\"device-id\": \"vf0\"}",
		       "Parameter 'x-seq' is missing");
	start_judge(&judge);
	migrate(&s);
	expect_events(&s, SETUP_1);
	seq = next_announcement(&s, "vf0");
	expect_no_event(&s);
	attribute(&s, "vf0", "state", text, sizeof(text));
	assert_string_equal(text, "PRE_COPY\n");
	expect_refused(&s, "x-prepare-ack", answer_to("vf0", seq - 1), "waits for no answer");
	do_call(&s, "x-prepare-ack", answer_to("vf0", seq));
	expect_ack(&s, "vf0", true);
	expect_events(&s, "V vf0 pre-copy-p2p, " FINISH_1);
	expect_refused(&s, "x-prepare-ack", answer_to("vf0", seq), "waits for no answer");
	expect_events(&d, DESTINATION_1);
	expect_verdict(&judge, ", answered by 1 in at most ");
	end(&s);
	end(&d);
}

/*
 * A cancel makes an announcement moot: nobody has broken a promise, and a late answer counts
 * for no other one.
 */
static void test_cancelled_and_answered_late(void **state)
{
	int64_t first, second;
	struct vm s, d;

	(void)state;
	policy = "--policy=group";
	start_source(&s, QUICK, 1, NULL);
	policy = NULL;
	start_destination(&d, QUICK, 1, "vf");
	do_call(&s, "migrate-set-parameters", "{\"x-prepare-ack-timeout\": 60000}");
	do_call(&s, "migrate-set-capabilities", CAPABILITY("x-prepare-ack"));
	migrate(&s);
	expect_events(&s, SETUP_1);
	first = next_announcement(&s, "vf0");
	do_call(&s, "migrate_cancel", NULL);
	expect_events(&s, "M cancelling, V vf0 running, M cancelled");
	expect_refused(&s, "x-prepare-ack", answer_to("vf0", first), "waits for no answer");
	expect_events(&d, "M setup, M active, V vf0 resuming, M failed");
	end(&d);
	start_destination(&d, QUICK, 1, "vf");
	migrate(&s);
	expect_events(&s, SETUP_1);
	second = next_announcement(&s, "vf0");
	assert_true(second > first);
	expect_refused(&s, "x-prepare-ack", answer_to("vf0", first), "waits for no answer");
	do_call(&s, "x-prepare-ack", answer_to("vf0", second));
	expect_ack(&s, "vf0", true);
	expect_events(&s, "V vf0 pre-copy-p2p, " FINISH_1);
	expect_events(&d, DESTINATION_1);
	end(&s);
	end(&d);
}

/* It costs the bound once: with it the migration would take two, for two devices. */
static void test_promised_and_silent(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, QUICK, 2, NULL);
	start_destination(&d, QUICK, 2, "vf");
	do_call(&s, "migrate-set-parameters", "{\"x-prepare-ack-timeout\": 50}");
	do_call(&s, "migrate-set-capabilities", CAPABILITY("x-prepare-ack"));
	migrate(&s);
	expect_events(&s, "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		      "V vf1 pre-copy-p2p-prepare");
	expect_ack(&s, "vf1", false);
	expect_events(&s, "V vf1 pre-copy-p2p, V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		      "V vf1 stop-copy, V vf0 stop-copy, STOP, M device, M completed, "
		      "V vf0 stop, V vf1 stop");
	end(&s);
	for (char text[128] = ""; strcmp(text, "M completed"); )
		next_event(&d, text, sizeof(text));
	end(&d);
}

/* Who promised and went is nobody's delay; to wait until the bound would be an event. */
static void test_promised_and_gone(void **state)
{
	struct qmp_client *other;
	struct json_object *answer;
	struct error err;
	struct vm s, d;

	(void)state;
	start_source(&s, QUICK, 1, NULL);
	start_destination(&d, QUICK, 1, "vf");
	do_call(&s, "migrate-set-parameters", "{\"x-prepare-ack-timeout\": 60000}");
	assert_int_equal(qmp_client_connect(uri_of("source"), clock_ns() + PATIENCE_NS, &other,
					    &err), 0);
	assert_int_equal(qmp_client_call(other, "migrate-set-capabilities",
					 json_tokener_parse(CAPABILITY("x-prepare-ack")),
					 clock_ns() + PATIENCE_NS, &answer, &err), 0);
	json_object_put(answer);
	qmp_client_free(other);
	migrate(&s);
	expect_events(&s, SETUP_1 ", " QUIESCE_1 ", " FINISH_1);
	expect_events(&d, DESTINATION_1);
	end(&s);
	end(&d);
}

/* A device without events is not announced, so there is nothing to wait for. */
static void test_promised_and_unannounced(void **state)
{
	char text[128] = "";
	struct vm s, d;

	(void)state;
	start(&s, "source", QUICK ",migration-events=off", 1, "vf", NULL);
	start_destination(&d, QUICK, 1, "vf");
	do_call(&s, "migrate-set-parameters", "{\"x-prepare-ack-timeout\": 60000}");
	do_call(&s, "migrate-set-capabilities", CAPABILITY("x-prepare-ack"));
	migrate(&s);
	while (strcmp(text, "M completed")) {
		next_event(&s, text, sizeof(text));
		assert_string_not_equal(text, "X_VFIO_PREPARE_ACK");
	}
	end(&s);
	expect_events(&d, DESTINATION_1);
	end(&d);
}

/* --- more in an event ------------------------------------------------------------- */

static void test_members(void **state)
{
	static const char *const names[] = {
		"x-errno", "x-duration-us", "x-seq", "x-monotonic-ns",
	};
	int64_t seq = 0, ns = 0;
	struct qmp_event e;
	struct error err;
	struct vm s, d;

	(void)state;
	start_source(&s, SLOW, 1, NULL);
	start_destination(&d, QUICK, 1, "vf");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char args[128];

		snprintf(args, sizeof(args), "{\"capabilities\": [{\"capability\": \"%s\", "
			 "\"state\": true}]}", names[i]);
		do_call(&s, "migrate-set-capabilities", args);
	}
	migrate(&s);
	do {
		assert_int_equal(qmp_client_event(s.client, clock_ns() + PATIENCE_NS, &e, &err), 1);
		if (!strcmp(e.name, "VFIO_MIGRATION")) {
			const char *what = qmp_event_text(&e, "device-state");

			assert_true(member(e.data, "x-seq") > seq);
			assert_true(member(e.data, "x-monotonic-ns") > ns);
			seq = member(e.data, "x-seq");
			ns = member(e.data, "x-monotonic-ns");
			/* An announcement has no result yet. */
			assert_int_equal(!strstr(what, "prepare"),
					 json_object_object_get_ex(e.data, "x-errno", NULL));
			if (!strcmp(what, "pre-copy-p2p"))
				assert_true(member(e.data, "x-duration-us") >= 20000);
		}
		*err.text = '\0';
		if (!strcmp(e.name, "VFIO_MIGRATION") &&
		    !strcmp(qmp_event_text(&e, "device-state"), "stop"))
			strcpy(err.text, "over");
		qmp_event_release(&e);
	} while (!*err.text);
	/* The other side was not asked to. */
	for (char text[128] = ""; strcmp(text, "M completed"); )
		next_event(&d, text, sizeof(text));
	end(&s);
	end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_late_while_held),
		cmocka_unit_test(test_late_is_who_is_late),
		cmocka_unit_test(test_late_cancels),
		cmocka_unit_test(test_statistics),
		cmocka_unit_test(test_answered),
		cmocka_unit_test(test_cancelled_and_answered_late),
		cmocka_unit_test(test_promised_and_silent),
		cmocka_unit_test(test_promised_and_gone),
		cmocka_unit_test(test_promised_and_unannounced),
		cmocka_unit_test(test_members),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
