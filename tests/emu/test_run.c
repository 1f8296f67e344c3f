// SPDX-License-Identifier: GPL-2.0-only
/*
 * miglab run as a management application sees it: whole migrations of emulated
 * devices between two processes. Events and held arcs are the clock.
 */
#include "vm.h"

#include "vmm/coordinator.h"

/* A destination that does not begin to read: its source stays in pre-copy. */
#define LARGE		"emu:state_bytes=64M"
/* A destination that has everything, and is about to see whether it fits. */
#define DOUBTFUL	"emu:rules=arc=RESUMING>STOP hold limit_us=3600000000"
#define DEAF		"emu:state_bytes=64M,rules=arc=STOP>RESUMING hold limit_us=3600000000"

static void test_one_device(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, QUICK, 1, NULL);
	start_destination(&d, QUICK, 1, "vf");
	migrate(&s);
	expect_events(&s, SETUP_1 ", " QUIESCE_1 ", " FINISH_1);
	expect_events(&d, DESTINATION_1);
	expect_equal_fingerprints(&s, &d);
	expect_member(&s, "query-migrate", "status", "completed");
	expect_member(&s, "query-status", "status", "postmigrate");
	expect_member(&d, "query-migrate", "status", "completed");
	expect_member(&d, "query-status", "status", "running");
	expect_refused(&s, "migrate", "{\"uri\": \"unix:/nowhere\"}", "previous migration");
	end(&s);
	end(&d);
}

static void test_four_devices(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, QUICK, 4, NULL);
	start_destination(&d, QUICK, 4, "vf");
	migrate(&s);
	expect_events(&s, SOURCE_4);
	expect_events(&d, "M setup, M active, V vf0 resuming, V vf1 resuming, V vf2 resuming, "
		      "V vf3 resuming, RESUME, V vf0 running-p2p, V vf1 running-p2p, "
		      "V vf2 running-p2p, V vf3 running-p2p, V vf0 running, V vf1 running, "
		      "V vf2 running, V vf3 running, M completed");
	expect_equal_fingerprints(&s, &d);
	end(&s);
	end(&d);
}

static void test_answers_while_an_arc_is_held(void **state)
{
	char held[128];
	struct vm s, d;

	(void)state;
	start_source(&s, HELD, 1, NULL);
	start_destination(&d, QUICK, 1, "vf");
	migrate(&s);
	expect_events(&s, SETUP_1 ", V vf0 pre-copy-p2p-prepare");
	expect_member(&s, "query-migrate", "status", "active");
	expect_member(&s, "query-status", "status", "finish-migrate");
	do {
		attribute(&s, "vf0", "held", held, sizeof(held));
	} while (strncmp(held, "PRE_COPY>PRE_COPY_P2P", 21));
	expect_no_event(&s);
	finish_held(&s, &d);
}

static void test_no_prepare(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, QUICK, 1, "--no-prepare");
	start_destination(&d, QUICK, 1, "vf");
	migrate(&s);
	expect_events(&s, SETUP_1 ", V vf0 pre-copy-p2p, " FINISH_1);
	expect_events(&d, DESTINATION_1);
	end(&s);
	end(&d);
}

static void test_cancel_in_pre_copy(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, LARGE, 1, NULL);
	start_destination(&d, DEAF, 1, "vf");
	migrate(&s);
	expect_events(&s, SETUP_1);
	do_call(&s, "migrate_cancel", NULL);
	expect_events(&s, "M cancelling, V vf0 running, M cancelled");
	expect_member(&s, "query-migrate", "status", "cancelled");
	expect_member(&s, "query-status", "status", "running");
	expect_events(&d, "M setup, M active");
	release(&d, "vf0");
	expect_events(&d, "V vf0 resuming, M failed");
	expect_member(&d, "query-migrate", "error-desc", "the migration was cancelled");
	end(&s);
	end(&d);
}

static void test_destination_dies(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, LARGE, 1, NULL);
	start_destination(&d, DEAF, 1, "vf");
	migrate(&s);
	expect_events(&s, SETUP_1);
	expect_events(&d, "M setup, M active");
	qmp_client_free(d.client);
	child_end(&d.child);
	expect_events(&s, "M failing, V vf0 running, M failed");
	expect_member(&s, "query-migrate", "status", "failed");
	expect_member(&s, "query-status", "status", "running");
	end(&s);
}

/* Both at the point where the source must not run on by itself any more. */
static void start_doubtful(struct vm *s, struct vm *d)
{
	start_source(s, QUICK, 1, NULL);
	start_destination(d, DOUBTFUL, 1, "vf");
	migrate(s);
	expect_events(s, SETUP_1 ", " QUIESCE_1 ", V vf0 stop-copy, STOP, M device");
	expect_events(d, "M setup, M active, V vf0 resuming, RESUME");
	do_call(s, "migrate_cancel", NULL);
	expect_no_event(s);
	do_call(d, "migrate_cancel", NULL);
	expect_no_event(d);
}

/* It may have been running: this one does so again only when it is told to. */
static void test_destination_dies_last(void **state)
{
	struct vm s, d;

	(void)state;
	start_doubtful(&s, &d);
	qmp_client_free(d.client);
	child_end(&d.child);
	expect_events(&s, "M failing, V vf0 stop, M failed");
	expect_member(&s, "query-status", "status", "paused");
	expect_member(&s, "query-migrate", "error-desc",
		      "the peer closed the connection; whether the destination runs is not known, "
		      "so this machine stays stopped: cont starts it when the destination does "
		      "not run");
	do_call(&s, "cont", NULL);
	expect_events(&s, "RESUME, V vf0 running-p2p, V vf0 running");
	end(&s);
}

/* It had sent everything, and would not have run on by itself. */
static void test_source_dies_last(void **state)
{
	struct vm s, d;

	(void)state;
	start_doubtful(&s, &d);
	qmp_client_free(s.client);
	child_end(&s.child);
	release(&d, "vf0");
	expect_events(&d, "V vf0 running-p2p, V vf0 running, M completed");
	expect_member(&d, "query-status", "status", "running");
	end(&d);
}

/* Whether it runs or not: a state that is refused is lost at one end only. */
static void test_paused_machine_loses_the_state(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, QUICK, 1, NULL);
	do_call(&s, "stop", NULL);
	expect_events(&s, "V vf0 running-p2p, V vf0 stop, STOP");
	start_destination(&d, "emu:rules=arc=RESUMING>STOP errno=EIO", 1, "vf");
	migrate(&s);
	expect_events(&s, "M setup, M active, M device, V vf0 stop-copy, M failing, V vf0 stop, "
		      "M failed");
	expect_events(&d, "M setup, M active, V vf0 resuming, V vf0 running, M failed");
	expect_member(&s, "query-status", "status", "paused");
	expect_member(&s, "query-migrate", "error-desc",
		      "vf0: cannot go to STOP: Input/output error");
	do_call(&s, "cont", NULL);
	expect_events(&s, "RESUME, V vf0 running-p2p, V vf0 running");
	end(&s);
	end(&d);
}

static void test_destination_loses_the_state(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, QUICK, 1, NULL);
	start_destination(&d, "emu:rules=arc=STOP>RUNNING_P2P errno=EIO", 1, "vf");
	migrate(&s);
	expect_events(&d, "M setup, M active, V vf0 resuming, RESUME, V vf0 running, "
		      "V vf0 running-p2p, V vf0 stop, STOP, M failed");
	expect_events(&s, SETUP_1 ", " QUIESCE_1 ", V vf0 stop-copy, STOP, M device, M failing, "
		      "V vf0 running, RESUME, V vf0 running-p2p, V vf0 running, M failed");
	expect_member(&s, "query-migrate", "error-desc",
		      "vf0: cannot go to RUNNING_P2P: Input/output error");
	end(&s);
	end(&d);
}

static void test_other_size(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, LARGE, 1, NULL);
	start_destination(&d, "emu:state_bytes=4M", 1, "vf");
	migrate(&s);
	expect_events(&s, SETUP_1 ", M failing, V vf0 running, M failed");
	expect_events(&d, "M setup, M active, V vf0 resuming, M failed");
	expect_member(&s, "query-migrate", "error-desc",
		      "vf0: the device refuses its state after 0 bytes: Invalid argument; it takes "
		      "that of a device with the same PCI ids and a state of 4194304 bytes: give "
		      "both sides the same device and state_bytes");
	end(&s);
	end(&d);
}

static void test_other_devices(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, QUICK, 1, NULL);
	start_destination(&d, QUICK, 1, "net");
	migrate(&s);
	expect_events(&s, "M setup, M failing, M failed");
	expect_events(&d, "M setup, M failed");
	expect_member(&s, "query-migrate", "error-desc",
		      "the source's device 'vf0' does not exist at the destination");
	expect_member(&d, "query-migrate", "error-desc",
		      "the source's device 'vf0' does not exist at the destination");
	end(&s);
	end(&d);
}

static void test_nobody_there(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, QUICK, 1, NULL);
	migrate(&s);
	expect_events(&s, "M setup, M failing, M failed");
	expect_member(&s, "query-migrate", "status", "failed");
	/* It can be tried again. */
	start_destination(&d, QUICK, 1, "vf");
	migrate(&s);
	expect_events(&s, SETUP_1 ", " QUIESCE_1 ", " FINISH_1);
	expect_events(&d, DESTINATION_1);
	end(&s);
	end(&d);
}

static void test_strangers(void **state)
{
	const struct hello stray = { .kind = HELLO_DATA, .session = 1, .index = 5 };
	int strangers[3];
	struct vm s, d;

	(void)state;
	start_source(&s, QUICK, 1, NULL);
	start_destination(&d, QUICK, 1, "vf");
	strangers[0] = dial("GET / HTTP/1.0\r\n\r\n", 18);
	strangers[1] = dial("", 0);
	strangers[2] = dial_hello(&stray);
	migrate(&s);
	expect_events(&s, SETUP_1 ", " QUIESCE_1 ", " FINISH_1);
	expect_events(&d, DESTINATION_1);
	for (unsigned int i = 0; i < 3; i++)
		close(strangers[i]);
	end(&s);
	end(&d);
}

/* It neither takes the path away from the one that listens there, nor is it let in. */
static void test_two_destinations_on_one_path(void **state)
{
	char *argv[] = { program(), "run", "--device=emu,id=vf0", "--qmp", uri_of("second"),
			 "--incoming", uri_of("migration"), NULL };
	struct child second;
	struct error err;
	struct vm s, d;

	(void)state;
	start_destination(&d, QUICK, 1, "vf");
	assert_int_equal(child_start(&second, "second", argv, path_of("s.log"), false, &err), 0);
	assert_true(child_ended(&second, clock_ns() + PATIENCE_NS));
	assert_int_equal(second.status, 3);
	assert_int_not_equal(access(path_of("second"), F_OK), 0);
	start_source(&s, QUICK, 1, NULL);
	migrate(&s);
	expect_events(&s, SETUP_1 ", " QUIESCE_1 ", " FINISH_1);
	expect_events(&d, DESTINATION_1);
	end(&s);
	end(&d);
}

/* Sends @text over and over, and reads nothing, until the server has had enough. */
static void annoy(const char *name, const char *first, const char *text)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path_of(name));
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(send(fd, first, strlen(first), MSG_NOSIGNAL), strlen(first));
	while (send(fd, text, strlen(text), MSG_NOSIGNAL) > 0)
		;
	close(fd);
}

#define NEGOTIATE	"{\"execute\": \"qmp_capabilities\"}"

static void test_bad_clients_change_nothing(void **state)
{
	static const char *const rows[][2] = {
		/* well-formed, from one who never reads */
		{ NEGOTIATE, "{\"execute\": \"query-commands\"}" },
		/* endless: a string, a list, brackets */
		{ NEGOTIATE "{\"execute\": \"stop\", \"arguments\": {\"x\": \"", "stop" },
		{ NEGOTIATE "{\"execute\": \"stop\", \"id\": [", "0, " },
		{ NEGOTIATE "[", "[" },
		/* malformed */
		{ "", "\xff\xfe{]}\n" },
		{ "{", "GET / HTTP/1.0 " },
	};
	struct vm s, d;

	(void)state;
	start_source(&s, HELD, 1, NULL);
	start_destination(&d, QUICK, 1, "vf");
	migrate(&s);
	expect_events(&s, SETUP_1 ", V vf0 pre-copy-p2p-prepare");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		annoy("source", rows[i][0], rows[i][1]);
		expect_member(&s, "query-migrate", "status", "active");
	}
	release(&s, "vf0");
	expect_events(&s, "V vf0 pre-copy-p2p, " FINISH_1);
	expect_events(&d, DESTINATION_1);
	end(&s);
	end(&d);
}

/* A source that closes a device's connection in the middle, and says that it is done. */
static void test_truncated_stream(void **state)
{
	struct hello hello = { .kind = HELLO_CONTROL, .session = 1, .count = 1, .id = { "vf0" } };
	uint8_t frame[FRAME_HEADER_BYTES + 1];
	int control, data;
	struct vm d;

	(void)state;
	start_destination(&d, QUICK, 1, "vf");
	control = dial_hello(&hello);
	hello.kind = HELLO_DATA;
	hello.count = 0;
	data = dial_hello(&hello);
	assert_int_equal(read(control, frame, FRAME_HEADER_BYTES), FRAME_HEADER_BYTES);
	frame_put_header(frame, FRAME_DONE, 1);
	frame[FRAME_HEADER_BYTES] = 1;
	assert_int_equal(write(control, frame, sizeof(frame)), sizeof(frame));
	close(data);
	expect_events(&d, "M setup, M active, V vf0 resuming, M failed");
	expect_member(&d, "query-migrate", "error-desc",
		      "vf0: its data ended after 0 bytes, before the end mark");
	close(control);
	end(&d);
}

static int64_t transferred(struct vm *vm)
{
	struct json_object *info = call(vm, "query-migrate", NULL);
	struct json_object *vfio = json_object_object_get(info, "vfio");
	int64_t bytes = json_object_get_int64(json_object_object_get(vfio, "transferred"));

	json_object_put(info);
	return bytes;
}

static void test_dirty_device_converges(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, "emu:state_bytes=16M,dirty_bytes_per_sec=16M", 1, NULL);
	start_destination(&d, "emu:state_bytes=16M", 1, "vf");
	migrate(&s);
	expect_events(&s, SETUP_1 ", " QUIESCE_1 ", " FINISH_1);
	expect_events(&d, DESTINATION_1);
	/* 300 ms of writing in PRE_COPY are sent a second time. */
	assert_true(transferred(&s) > (16 << 20) + (1 << 20));
	expect_equal_fingerprints(&s, &d);
	end(&s);
	end(&d);
}

/* What ends it while its device is held in an arc. */
static void end_while_held(bool by_signal)
{
	struct vm s, d;

	start_source(&s, HELD, 1, NULL);
	start_destination(&d, QUICK, 1, "vf");
	migrate(&s);
	expect_events(&s, SETUP_1 ", V vf0 pre-copy-p2p-prepare");
	if (by_signal) {
		kill(s.child.pid, SIGTERM);
		qmp_client_free(s.client);
		assert_true(child_ended(&s.child, clock_ns() + PATIENCE_NS));
		assert_int_equal(s.child.status, 0);
	} else {
		end(&s);
	}
	expect_events(&d, "M setup, M active, V vf0 resuming, M failed");
	end(&d);
}

static void test_quit_while_an_arc_is_held(void **state)
{
	(void)state;
	end_while_held(false);
}

static void test_signal_while_an_arc_is_held(void **state)
{
	(void)state;
	end_while_held(true);
}

#define ADDRESS	"{\"transport\": \"socket\", \"type\": \"unix\", \"path\": \"/x\"}"

/* What is refused has changed nothing, and says what to do. */
static void test_all_parameters_or_none(void **state)
{
	struct vm s;

	(void)state;
	start(&s, "source", QUICK, 1, "vf", NULL);
	expect_refused(&s, "migrate-set-parameters",
		       "{\"downtime-limit\": 7, \"avail-switchover-bandwidth\": 7, "
		       "\"x-peer-timeout\": 7000, \"x-transition-deadline\": 7, "
		       "\"x-cancel-late\": true, \"x-prepare-ack-timeout\": 0}",
		       "x-prepare-ack-timeout");
	expect_member(&s, "query-migrate-parameters", "downtime-limit", "300");
	expect_member(&s, "query-migrate-parameters", "avail-switchover-bandwidth", "1000000000");
	expect_member(&s, "query-migrate-parameters", "x-peer-timeout", "30000");
	expect_member(&s, "query-migrate-parameters", "x-cancel-late", "false");
	expect_refused(&s, "migrate-set-parameters",
		       "{\"x-prepare-ack-timeout\": 7, \"x-transition-deadline\": 0}",
		       "x-transition-deadline");
	expect_member(&s, "query-migrate-parameters", "x-prepare-ack-timeout", "1000");
	do_call(&s, "migrate-set-parameters",
		"{\"downtime-limit\": 7, \"avail-switchover-bandwidth\": 8, "
		"\"x-peer-timeout\": 7000, \"x-transition-deadline\": 9, "
		"\"x-cancel-late\": true, \"x-prepare-ack-timeout\": 10}");
	expect_member(&s, "query-migrate-parameters", "downtime-limit", "7");
	expect_member(&s, "query-migrate-parameters", "avail-switchover-bandwidth", "8");
	expect_member(&s, "query-migrate-parameters", "x-peer-timeout", "7000");
	expect_member(&s, "query-migrate-parameters", "x-transition-deadline", "9");
	expect_member(&s, "query-migrate-parameters", "x-cancel-late", "true");
	expect_member(&s, "query-migrate-parameters", "x-prepare-ack-timeout", "10");
	expect_refused(&s, "migrate", "{\"channels\": [{\"channel-type\": \"main\", "
		       "\"addr\": " ADDRESS "}]}", "takes no 'channels', give 'uri'");
	qmp_client_free(s.client);
	child_end(&s.child);
	unlink(path_of("source"));
}

static void expect_shutdown(struct vm *vm, const char *reason)
{
	struct qmp_event e;
	struct error err;

	do {
		assert_int_equal(qmp_client_event(vm->client, clock_ns() + PATIENCE_NS, &e, &err),
				 1);
	} while (strcmp(e.name, "SHUTDOWN") && (qmp_event_release(&e), true));
	assert_string_equal(qmp_event_text(&e, "reason"), reason);
	assert_false(json_object_get_boolean(json_object_object_get(e.data, "guest")));
	qmp_event_release(&e);
	qmp_client_free(vm->client);
	assert_true(child_ended(&vm->child, clock_ns() + PATIENCE_NS));
	assert_int_equal(vm->child.status, 0);
}

/* As QEMU says it, behind the answer to quit. */
static void test_shutdown_is_said(void **state)
{
	struct vm vm;

	(void)state;
	start(&vm, "source", QUICK, 1, "vf", NULL);
	do_call(&vm, "quit", NULL);
	expect_shutdown(&vm, "host-qmp-quit");
	start(&vm, "source", QUICK, 1, "vf", NULL);
	kill(vm.child.pid, SIGTERM);
	expect_shutdown(&vm, "host-signal");
}

#define MANY	VMM_DEVICES_MAX

static void start_many(struct vm *vm, const char *name, const char *incoming)
{
	static char devices[MANY][64];
	char *argv[8 + 2 * MANY] = { program(), "run", "--qmp", uri_of(name) }, log[32];
	struct error err;
	unsigned int argc = 4;

	memset(vm, 0, sizeof(*vm));
	vm->devices = MANY;
	for (unsigned int i = 0; i < MANY; i++) {
		snprintf(devices[i], sizeof(devices[i]), "emu,state_bytes=64K,rules=,id=vf%u", i);
		argv[argc++] = "--device";
		argv[argc++] = devices[i];
	}
	argv[argc++] = "--policy=group";
	argv[argc] = (char *)incoming;
	snprintf(log, sizeof(log), "%s.log", name);
	assert_int_equal(child_start(&vm->child, name, argv, path_of(log), false, &err), 0);
	while (qmp_client_connect(uri_of(name), clock_ns() + 100 * NSEC_PER_MSEC, &vm->client,
				  &err)) {
		if (child_ended(&vm->child, 0)) {
			child_print_log(&vm->child);
			fail_msg("%s: %s", name, err.text);
		}
	}
}

/* As many as there may be. */
static void test_64_devices(void **state)
{
	char text[128] = "";
	struct vm s, d;

	(void)state;
	start_many(&s, "source", NULL);
	start_many(&d, "destination", "--incoming=defer");
	do_call(&s, "migrate-set-capabilities",
		"{\"capabilities\": [{\"capability\": \"events\", \"state\": true}]}");
	listen_for_migration(&d);
	migrate(&s);
	while (strcmp(text, "M completed") && strcmp(text, "M failed"))
		next_event(&s, text, sizeof(text));
	assert_string_equal(text, "M completed");
	expect_equal_fingerprints(&s, &d);
	expect_member(&s, "query-status", "status", "postmigrate");
	do_call(&s, "quit", NULL);
	expect_shutdown(&s, "host-qmp-quit");
	do_call(&d, "quit", NULL);
	expect_shutdown(&d, "host-qmp-quit");
}

static void test_refusals(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, QUICK, 1, NULL);
	expect_refused(&s, "migrate", "{\"uri\": \"tcp:localhost:1\"}",
		       "write tcp:HOST:PORT with HOST as a number");
	expect_refused(&s, "migrate", "{\"uri\": \"file:\"}", "write file:PATH");
	expect_refused(&s, "migrate", "{\"uri\": \"unix:\"}", "write unix:PATH");
	expect_refused(&s, "migrate", "{\"uri\": \"exec:cat\"}",
		       "unknown migration protocol: exec:cat");
	expect_refused(&s, "migrate-incoming", "{\"uri\": \"unix:/x\"}",
		       "'-incoming' was not specified on the command line");
	expect_refused(&s, "x-miglab-read", "{\"device\": \"vf9\", \"attribute\": \"state\"}",
		       "Device 'vf9' not found");
	expect_refused(&s, "x-miglab-read", "{\"device\": \"vf0\", \"attribute\": \"mood\"}",
		       "mood");
	expect_refused(&s, "x-miglab-write", "{\"device\": \"vf0\", \"attribute\": \"rules\", "
		       "\"text\": \"arc=nowhere\"}", "nowhere");
	/* The sentence is cut within a character; what is sent is JSON all the same. */
	expect_refused(&s, "x-miglab-write", "{\"device\": \"vf0\", \"attribute\": \"rules\", "
		       "\"text\": \"a\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
		       "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\"}", "unknown key");
	expect_refused(&s, "x-miglab-write", "{\"device\": \"vf0\", \"attribute\": \"rules\", "
		       "\"text\": \"\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
		       "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\"}", "unknown key");
	expect_refused(&s, "migrate-set-capabilities", "{\"capabilities\": ["
		       "{\"capability\": \"events\", \"state\": false}, "
		       "{\"capability\": \"telepathy\", \"state\": true}]}",
		       "Parameter 'capability' does not accept value 'telepathy'");
	expect_refused(&s, "migrate-set-parameters", "{\"downtime-limit\": -1}", "downtime-limit");
	expect_refused(&s, "migrate-set-parameters", "{\"x-peer-timeout\": 999}",
		       "0 for none, or an integer in the range of 1000 to 86400000 ms");
	expect_refused(&s, "migrate-set-parameters", "{\"x-peer-timeout\": -1}", "x-peer-timeout");
	expect_member(&s, "query-migrate-parameters", "x-peer-timeout", "30000");
	start_destination(&d, QUICK, 1, "vf");
	expect_refused(&d, "migrate", "{\"uri\": \"unix:/x\"}",
		       "Guest is waiting for an incoming migration");
	expect_refused(&d, "migrate-incoming", "{\"uri\": \"unix:/x\"}", "already been started");
	/* Nothing of the list above was taken: events are still on. */
	migrate(&s);
	expect_events(&s, SETUP_1 ", " QUIESCE_1 ", " FINISH_1);
	expect_refused(&d, "migrate_cancel", "{\"force\": true}", "force");
	expect_events(&d, DESTINATION_1);
	end(&s);
	end(&d);
}

static void test_bad_usage(void **state)
{
	static char *const rows[][8] = {
		{ "run", "--device", "emu,id=vf0" },
		{ "run", "--qmp", "unix:/nowhere/q" },
		{ "run", "--device", "emu", "--qmp", "unix:/nowhere/q" },
		{ "run", "--device", "emu,id=0", "--qmp", "unix:/nowhere/q" },
		{ "run", "--device", "emu,id=vf0,migration-events=no", "--qmp", "unix:/nowhere/q" },
		{ "run", "--device", "emu:mood=1,id=vf0", "--qmp", "unix:/nowhere/q" },
		{ "run", "--device", "what,id=vf0", "--qmp", "unix:/nowhere/q" },
		{ "run", "--policy", "other" },
		{ "run", "--device=emu,id=a", "--device=emu,id=a", "--qmp", "unix:/nowhere/q" },
		{ "run", "left", "over" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *argv[10] = { program() };
		struct child child;
		struct error err;

		memcpy(argv + 1, rows[i], sizeof(rows[i]));
		assert_int_equal(child_start(&child, "run", argv, path_of("s.log"), false, &err),
				 0);
		assert_true(child_ended(&child, clock_ns() + PATIENCE_NS));
		if (child.status != 2)
			fail_msg("row %zu: status %d", i, child.status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_device),
		cmocka_unit_test(test_64_devices),
		cmocka_unit_test(test_all_parameters_or_none),
		cmocka_unit_test(test_shutdown_is_said),
		cmocka_unit_test(test_four_devices),
		cmocka_unit_test(test_answers_while_an_arc_is_held),
		cmocka_unit_test(test_no_prepare),
		cmocka_unit_test(test_cancel_in_pre_copy),
		cmocka_unit_test(test_destination_dies),
		cmocka_unit_test(test_destination_dies_last),
		cmocka_unit_test(test_source_dies_last),
		cmocka_unit_test(test_destination_loses_the_state),
		cmocka_unit_test(test_paused_machine_loses_the_state),
		cmocka_unit_test(test_other_size),
		cmocka_unit_test(test_other_devices),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_two_destinations_on_one_path),
		cmocka_unit_test(test_bad_clients_change_nothing),
		cmocka_unit_test(test_truncated_stream),
		cmocka_unit_test(test_dirty_device_converges),
		cmocka_unit_test(test_quit_while_an_arc_is_held),
		cmocka_unit_test(test_signal_while_an_arc_is_held),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_bad_usage),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
