// SPDX-License-Identifier: GPL-2.0-only
/*
 * miglab guard, with a protocol over UDP for connections: its story, and what it does
 * when nobody says that the device runs again.
 */
#include "vm.h"

#include <poll.h>
#include <stdbool.h>

#include "base/address.h"

#define CONNECTIONS	4
#define COUNT		"4"

static struct {
	struct child child;
	int fd;
} agent;

static char *agent_program(void)
{
	char *env = getenv("AGENT");

	return env ? env : "build/tests/guard/agent";
}

/* Its first line says that it is there. */
static void await_line(struct child *child)
{
	char c = 0;

	while (c != '\n')
		assert_int_equal(read(child->out, &c, 1), 1);
}

static void start_agent(void)
{
	char *argv[] = { agent_program(), uri_of("agent"), COUNT, "udp", NULL };
	struct address address;
	struct error err;

	assert_int_equal(child_start(&agent.child, "agent", argv, path_of("agent.log"), true,
				     &err), 0);
	await_line(&agent.child);
	assert_int_equal(unix_address(uri_of("agent"), &address, &err), 0);
	agent.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(agent.fd, &address.any, address.len), 0);
}

static void end_agent(void)
{
	close(agent.fd);
	child_end(&agent.child);
	unlink(path_of("agent"));
}

/* How many connections have the timeout that they began with. */
static unsigned int unsuspended(void)
{
	unsigned int alive, dead, former;
	char line[256];
	ssize_t n;

	assert_int_equal(send(agent.fd, "status\n", 7, MSG_NOSIGNAL), 7);
	n = read(agent.fd, line, sizeof(line) - 1);
	assert_true(n > 0);
	line[n] = '\0';
	assert_int_equal(sscanf(line, "ok %u %u %u", &alive, &dead, &former), 3);
	assert_int_equal(dead, 0);
	return former;
}

static void await_unsuspended(unsigned int want)
{
	uint64_t until_ns = clock_ns() + PATIENCE_NS;

	while (unsuspended() != want) {
		assert_true(clock_ns() < until_ns);
		poll(NULL, 0, 1);
	}
}

static void start_guard(struct child *guard, char *option, char *value)
{
	char device[96], *argv[] = {
		program(), "guard", "--qmp", uri_of("source"), "--qmp", uri_of("destination"),
		"--device", device, option, value, NULL,
	};
	struct error err;

	snprintf(device, sizeof(device), "vf0=%s", uri_of("agent"));
	assert_int_equal(child_start(guard, "guard", argv, path_of("guard.log"), true, &err), 0);
	await_line(guard);
}

/* What it says until its end, and the status. */
static int end_guard(struct child *guard, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;
	int status;

	while (len < size - 1 && (n = read(guard->out, text + len, size - 1 - len)) > 0)
		len += n;
	text[len] = '\0';
	assert_true(child_ended(guard, clock_ns() + PATIENCE_NS));
	status = guard->status;
	child_end(guard);
	return status;
}

/* Waits until the guard has written @want to its stderr. */
static void await_stderr(const struct child *guard, const char *want)
{
	uint64_t until_ns = clock_ns() + PATIENCE_NS;
	char text[1024] = "";

	while (!strstr(text, want)) {
		FILE *log = fopen(guard->log, "r");
		size_t n = log ? fread(text, 1, sizeof(text) - 1, log) : 0;

		text[n] = '\0';
		if (log)
			fclose(log);
		if (clock_ns() > until_ns)
			fail_msg("\"%s\" is not in \"%s\"", want, text);
		poll(NULL, 0, 10);
	}
}

/* These are in @text, in this order. */
static void expect_in_order(const char *text, const char *const *parts)
{
	const char *at = text;

	for (; *parts; parts++) {
		at = strstr(at, *parts);
		if (!at)
			fail_msg("\"%s\" is missing, or too early, in\n%s", *parts, text);
	}
}

static void start_all(struct vm *source, struct vm *destination, struct child *guard, char *option,
		      char *value)
{
	start_agent();
	start_source(source, HELD, 1, NULL);
	start_destination(destination, "emu", 1, "vf");
	start_guard(guard, option, value);
	assert_int_equal(unsuspended(), CONNECTIONS);
	migrate(source);
	await_unsuspended(0);
}

static void kill_vm(struct vm *vm)
{
	kill(vm->child.pid, SIGKILL);
	qmp_client_free(vm->client);
	assert_true(child_ended(&vm->child, clock_ns() + PATIENCE_NS));
	child_end(&vm->child);
	unlink(path_of(vm->child.name));
}

/* Nobody is left to say so: suspended for the grace period, and restored then. */
static void test_vanish(void **state)
{
	static const char *const parts[] = {
		"vf0: pre-copy-p2p-prepare: suspended the timeouts of 4 connections",
		"is gone", "vf0: its timeouts stay suspended for 1 s more",
		"vf0: no event said that it runs again, time is up: restored the timeouts of 4",
		NULL,
	};
	struct vm source, destination;
	struct child guard;
	uint64_t killed_ns;
	char text[2048];

	(void)state;
	start_all(&source, &destination, &guard, "--grace", "1");
	kill_vm(&destination);
	killed_ns = clock_ns();
	assert_int_equal(unsuspended(), 0);
	kill_vm(&source);
	assert_int_equal(end_guard(&guard, text, sizeof(text)), 1);
	assert_true(clock_ns() - killed_ns > NSEC_PER_SEC / 2);
	expect_in_order(text, parts);
	assert_int_equal(unsuspended(), CONNECTIONS);
	unlink(path_of("migration"));
	end_agent();
}

/* A guard that is ended restores first; one that is killed leaves that to the agent. */
static void test_end(void **state)
{
	static const char *const parts[] = {
		"suspended the timeouts of 4", "vf0: the guard ends: restored the timeouts of 4",
		NULL,
	};
	static const int signals[] = { SIGTERM, SIGKILL };
	struct vm source, destination;
	struct child guard;
	char text[2048];

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		start_all(&source, &destination, &guard, NULL, NULL);
		kill(guard.pid, signals[i]);
		await_unsuspended(CONNECTIONS);
		assert_int_equal(end_guard(&guard, text, sizeof(text)), i ? 128 + SIGKILL : 1);
		expect_in_order(text, i ? parts + 2 : parts);
		kill_vm(&source);
		kill_vm(&destination);
		unlink(path_of("migration"));
		end_agent();
	}
}

/* A migration that fails says running, too: by the source. */
static void test_failed(void **state)
{
	static const char *const parts[] = {
		"vf0: pre-copy-p2p-prepare: suspended", "vf0: running: restored", NULL,
	};
	struct vm source, destination;
	struct child guard;
	char text[2048];

	(void)state;
	start_all(&source, &destination, &guard, NULL, NULL);
	do_call(&source, "migrate_cancel", NULL);
	release(&source, "vf0");
	await_unsuspended(CONNECTIONS);
	kill_vm(&source);
	kill_vm(&destination);
	assert_int_equal(end_guard(&guard, text, sizeof(text)), 0);
	expect_in_order(text, parts);
	unlink(path_of("migration"));
	end_agent();
}

/* It is waited for once. */
static void test_mute_agent(void **state)
{
	struct vm source, destination;
	struct child guard;
	char text[2048];

	(void)state;
	start_agent();
	start_source(&source, HELD, 1, NULL);
	start_destination(&destination, "emu", 1, "vf");
	start_guard(&guard, NULL, NULL);
	kill(agent.child.pid, SIGSTOP);
	migrate(&source);
	await_stderr(&guard, "guard: vf0: suspend: the agent does not answer: "
		     "Connection timed out");
	kill_vm(&source);
	kill_vm(&destination);
	kill(agent.child.pid, SIGCONT);
	kill(guard.pid, SIGTERM);
	assert_int_equal(end_guard(&guard, text, sizeof(text)), 1);
	/* What it heard late was undone when the guard hung up. */
	await_unsuspended(CONNECTIONS);
	unlink(path_of("migration"));
	end_agent();
}

static bool next_answered(struct vm *vm)
{
	struct qmp_event e;
	struct error err;
	bool answered;

	assert_int_equal(qmp_client_event(vm->client, clock_ns() + PATIENCE_NS, &e, &err), 1);
	assert_string_equal(e.name, "X_VFIO_PREPARE_ACK");
	answered = json_object_get_boolean(json_object_object_get(e.data, "answered"));
	qmp_event_release(&e);
	return answered;
}

/* A VMM that can waits for the guard, which answers when the timeouts are off; not before. */
static void test_answers(void **state)
{
	struct vm source, destination;
	struct child guard;
	char text[2048];

	(void)state;
	for (unsigned int mute = 0; mute < 2; mute++) {
		start_agent();
		start_source(&source, HELD, 1, NULL);
		start_destination(&destination, "emu", 1, "vf");
		start_guard(&guard, "--grace", "1");
		if (mute) {
			do_call(&source, "migrate-set-parameters",
				"{\"x-prepare-ack-timeout\": 1}");
			kill(agent.child.pid, SIGSTOP);
		}
		migrate(&source);
		expect_events(&source, SETUP_1 ", V vf0 pre-copy-p2p-prepare");
		assert_int_equal(next_answered(&source), !mute);
		kill(agent.child.pid, SIGCONT);
		if (!mute)
			assert_int_equal(unsuspended(), 0);
		kill_vm(&source);
		kill_vm(&destination);
		assert_int_equal(end_guard(&guard, text, sizeof(text)), 1);
		unlink(path_of("migration"));
		end_agent();
	}
}

static void test_usage(void **state)
{
	static char *const rows[][8] = {
		{ "--qmp", "unix:/nowhere" },
		{ "--device", "vf0=unix:/nowhere" },
		{ "--qmp", "unix:/nowhere", "--device", "vf0" },
		{ "--qmp", "unix:/nowhere", "--device", "vf0=tcp:1.2.3.4:5" },
		{ "--qmp", "unix:/nowhere", "--device", "vf0=unix:/a", "--grace", "0" },
		{ "--qmp", "unix:/nowhere", "--device", "vf0=unix:/a", "--grace", "86401" },
		{ "--qmp", "unix:/nowhere", "--device", "vf0=unix:/a", "--limit", "-1" },
		{ "--qmp", "unix:/nowhere", "--device", "vf0=unix:/a", "--device", "vf0=unix:/b" },
		{ "--qmp", "tcp:foo", "--device", "vf0=unix:/a" },
		{ "--nonsense" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *argv[11] = { program(), "guard" };
		struct child guard;
		struct error err;
		char text[64];

		memcpy(argv + 2, rows[i], sizeof(rows[i]));
		assert_int_equal(child_start(&guard, "guard", argv, path_of("guard.log"), true,
					     &err), 0);
		if (end_guard(&guard, text, sizeof(text)) != 2)
			fail_msg("row %zu is not refused", i);
	}
}

/* All dead, all dead, none dead. */
static void test_story(void **state)
{
	char *env = getenv("PLAY"), *argv[] = {
		env ? env : "build/tests/guard/play", "udp", "emu", "emu", NULL,
	};
	struct child play;
	struct error err;
	char text[4096];

	(void)state;
	setenv("MIGLAB", program(), 1);
	assert_int_equal(child_start(&play, "play", argv, path_of("play.log"), true, &err), 0);
	if (end_guard(&play, text, sizeof(text)))
		fail_msg("%s", text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_story),
		cmocka_unit_test(test_vanish),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_mute_agent),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
