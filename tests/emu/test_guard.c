// SPDX-License-Identifier: GPL-2.0-only
/*
 * miglab guard, with a protocol over UDP for connections: its story, and what it does
 * when nobody says that the device runs again.
 */
#include "vm.h"

#include <fcntl.h>
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

/* Of the guards that are started from now on. */
static char *agent_timeout = "60";

static void start_guard(struct child *guard, char *option, char *value)
{
	char device[96], *argv[] = {
		program(), "guard", "--qmp", uri_of("source"), "--qmp", uri_of("destination"),
		"--device", device, "--agent-timeout", agent_timeout, option, value, NULL,
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
	agent_timeout = "1";
	start_guard(&guard, NULL, NULL);
	agent_timeout = "60";
	kill(agent.child.pid, SIGSTOP);
	migrate(&source);
	await_stderr(&guard, "/agent does not answer in time");
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
		agent_timeout = mute ? "1" : "60";
		start_guard(&guard, "--grace", "1");
		agent_timeout = "60";
		do_call(&source, "migrate-set-parameters",
			mute ? "{\"x-prepare-ack-timeout\": 1}" :
			       "{\"x-prepare-ack-timeout\": 60000}");
		if (mute)
			kill(agent.child.pid, SIGSTOP);
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

/* Whatever is announced, of whichever device: only a suspension is waited for. */
static void test_answers_all(void **state)
{
	unsigned int answered = 0;
	struct vm source, destination;
	struct child guard;
	char text[2048] = "";

	(void)state;
	start_agent();
	start_source(&source, QUICK, 2, NULL);
	start_destination(&destination, "emu", 2, "vf");
	start_guard(&guard, NULL, NULL);
	do_call(&source, "migrate-set-capabilities",
		"{\"capabilities\": [{\"capability\": \"x-prepare-all\", \"state\": true}]}");
	do_call(&source, "migrate-set-parameters", "{\"x-prepare-ack-timeout\": 60000}");
	migrate(&source);
	while (strcmp(text, "M completed")) {
		struct qmp_event e;
		struct error err;

		if (qmp_client_event(source.client, clock_ns() + PATIENCE_NS, &e, &err) != 1)
			fail_msg("no event");
		if (!strcmp(e.name, "X_VFIO_PREPARE_ACK")) {
			assert_true(json_object_get_boolean(json_object_object_get(e.data,
										   "answered")));
			answered++;
		}
		snprintf(text, sizeof(text), "M %s", qmp_event_text(&e, "status"));
		qmp_event_release(&e);
	}
	/* To PRE_COPY, to PRE_COPY_P2P and to STOP_COPY, of each. */
	assert_int_equal(answered, 6);
	do_call(&source, "quit", NULL);
	do_call(&destination, "quit", NULL);
	assert_int_equal(end_guard(&guard, text, sizeof(text)), 0);
	kill_vm(&source);
	kill_vm(&destination);
	unlink(path_of("migration"));
	end_agent();
}

static void test_usage(void **state)
{
	static char *const rows[][8] = {
		{ "--qmp", "unix:/nowhere" },
		{ "--device", "vf0=unix:/nowhere" },
		{ "--qmp", "unix:/nowhere", "--device", "vf0" },
		{ "--qmp", "unix:/nowhere", "--device", "vf0=tcp:1.2.3.4:5" },
		{ "--qmp", "unix:/nowhere", "--qmp", "unix:/nowhere", "--device", "vf0=unix:/a" },
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

/* --- agents that the test plays ---------------------------------------------- */

static int listen_as(const char *name)
{
	struct address address;
	struct error err;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* A row that failed has left it. */
	unlink(path_of(name));
	assert_int_equal(unix_address(uri_of(name), &address, &err), 0);
	assert_int_equal(bind(fd, &address.any, address.len), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void await_input(int fd)
{
	struct pollfd in = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&in, 1, PATIENCE_NS / NSEC_PER_MSEC), 1);
}

static int accept_guard(int listener)
{
	await_input(listener);
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

static void expect_word(int fd, const char *want)
{
	char word[32] = "";
	ssize_t n;

	await_input(fd);
	n = read(fd, word, sizeof(word) - 1);
	assert_true(n > 0);
	assert_string_equal(word, want);
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Guards vf0 by the agents "agent0", vf1 by "agent1"; its stdout is a pipe of the caller's. */
static void start_two(struct child *guard)
{
	char device[2][96], *argv[] = {
		program(), "guard", "--qmp", uri_of("source"), "--qmp", uri_of("destination"),
		"--device", device[0], "--device", device[1], "--agent-timeout", "60", NULL,
	};
	struct error err;

	snprintf(device[0], sizeof(device[0]), "vf0=%s", uri_of("agent0"));
	snprintf(device[1], sizeof(device[1]), "vf1=%s", uri_of("agent1"));
	assert_int_equal(child_start(guard, "guard", argv, path_of("guard.log"), true, &err), 0);
}

static void start_one(struct child *guard, char *patience)
{
	char device[96], *argv[] = {
		program(), "guard", "--qmp", uri_of("source"), "--qmp", uri_of("destination"),
		"--device", device, "--agent-timeout", patience, NULL,
	};
	struct error err;

	snprintf(device, sizeof(device), "vf0=%s", uri_of("agent0"));
	assert_int_equal(child_start(guard, "guard", argv, path_of("guard.log"), true, &err), 0);
}

/* Until the guard has told that two VMMs have ended. */
static void await_ends(struct child *guard)
{
	await_line(guard);
	await_line(guard);
}

/* One agent says nothing, as long as it likes; the other device's is asked all the same. */
static void test_side_by_side(void **state)
{
	struct vm source, destination;
	struct child guard;
	int listener[2], agent_fd[2];
	char text[2048];

	(void)state;
	for (int i = 0; i < 2; i++)
		listener[i] = listen_as(i ? "agent1" : "agent0");
	policy = "--policy=group";
	start_source(&source, "emu:rules=arc=PRE_COPY>PRE_COPY_P2P hold limit_us=60000000", 2,
		     NULL);
	start_destination(&destination, "emu", 2, "vf");
	policy = NULL;
	start_two(&guard);
	for (int i = 0; i < 2; i++)
		agent_fd[i] = accept_guard(listener[i]);
	await_line(&guard);
	migrate(&source);
	/* Both are asked before either has answered. */
	expect_word(agent_fd[1], "suspend\n");
	expect_word(agent_fd[0], "suspend\n");
	say(agent_fd[1], "ok 1\n");
	say(agent_fd[0], "ok 5\n");
	for (int i = 0; i < 2; i++)
		release(&source, i ? "vf1" : "vf0");
	for (int i = 0; i < 2; i++) {
		expect_word(agent_fd[i], "restore\n");
		say(agent_fd[i], i ? "ok 1\n" : "ok 5\n");
	}
	do_call(&source, "quit", NULL);
	do_call(&destination, "quit", NULL);
	assert_int_equal(end_guard(&guard, text, sizeof(text)), 0);
	expect_in_order(text, (const char *[]){ "vf1: pre-copy-p2p-prepare: suspended the timeouts "
						"of 1 connection in", "has ended", NULL });
	kill_vm(&source);
	kill_vm(&destination);
	for (int i = 0; i < 2; i++) {
		close(agent_fd[i]);
		close(listener[i]);
		unlink(path_of(i ? "agent1" : "agent0"));
	}
	unlink(path_of("migration"));
}

/* An agent that refuses is a failure, although the device runs again. */
static void test_refusal(void **state)
{
	struct vm source, destination;
	struct child guard;
	int listener = listen_as("agent0"), fd;
	char text[2048];

	(void)state;
	start_source(&source, HELD, 1, NULL);
	start_destination(&destination, "emu", 1, "vf");
	start_one(&guard, "60");
	fd = accept_guard(listener);
	await_line(&guard);
	migrate(&source);
	expect_word(fd, "suspend\n");
	say(fd, "error not today\n");
	await_stderr(&guard, "guard: vf0: suspend: the agent says \"error not today\"");
	release(&source, "vf0");
	expect_word(fd, "restore\n");
	say(fd, "ok 0\n");
	do_call(&source, "quit", NULL);
	do_call(&destination, "quit", NULL);
	assert_int_equal(end_guard(&guard, text, sizeof(text)), 1);
	kill_vm(&source);
	kill_vm(&destination);
	close(fd);
	close(listener);
	unlink(path_of("agent0"));
	unlink(path_of("migration"));
}

/* One that was started again while it should have its connections suspended is asked again. */
static void test_restarted_agent(void **state)
{
	static const char *const parts[] = {
		"vf0: the agent is back: suspended the timeouts of 3 connections",
		"vf0: running: restored the timeouts of 3", NULL,
	};
	struct vm source, destination;
	struct child guard;
	int listener = listen_as("agent0"), fd, first;
	char text[2048];

	(void)state;
	start_source(&source, HELD, 1, NULL);
	start_destination(&destination, "emu", 1, "vf");
	start_one(&guard, "60");
	first = accept_guard(listener);
	await_line(&guard);
	migrate(&source);
	expect_word(first, "suspend\n");
	say(first, "ok 2\n");
	/* Dies, and is there again. */
	close(first);
	fd = accept_guard(listener);
	expect_word(fd, "suspend\n");
	say(fd, "ok 3\n");
	release(&source, "vf0");
	expect_word(fd, "restore\n");
	say(fd, "ok 3\n");
	do_call(&source, "quit", NULL);
	do_call(&destination, "quit", NULL);
	assert_int_equal(end_guard(&guard, text, sizeof(text)), 1);
	expect_in_order(text, parts);
	kill_vm(&source);
	kill_vm(&destination);
	close(fd);
	close(listener);
	unlink(path_of("agent0"));
	unlink(path_of("migration"));
}

/* A mute one is asked anew, on another connection: its late answer counts for nothing. */
static void test_late_answer(void **state)
{
	struct vm source, destination;
	struct child guard;
	int listener = listen_as("agent0"), first, fd;
	char text[4096];

	(void)state;
	start_source(&source, HELD, 1, NULL);
	start_destination(&destination, "emu", 1, "vf");
	start_one(&guard, "1");
	first = accept_guard(listener);
	await_line(&guard);
	migrate(&source);
	expect_word(first, "suspend\n");
	fd = accept_guard(listener);
	send(first, "ok 9\n", 5, MSG_NOSIGNAL);
	expect_word(fd, "suspend\n");
	/* Nobody answers any more; the guard ends all the same. */
	kill(guard.pid, SIGTERM);
	assert_int_equal(end_guard(&guard, text, sizeof(text)), 1);
	assert_null(strstr(text, "of 9"));
	kill_vm(&source);
	kill_vm(&destination);
	close(first);
	close(fd);
	close(listener);
	unlink(path_of("agent0"));
	unlink(path_of("migration"));
}

/* What comes while an agent has not answered yet is asked of it once it has. */
static void test_one_after_the_other(void **state)
{
	static const char *const parts[] = {
		"vf0: pre-copy-p2p-prepare: suspended the timeouts of 4",
		"vf0: running: restored the timeouts of 4", NULL,
	};
	struct vm source, destination;
	struct child guard;
	int listener = listen_as("agent0"), fd;
	char text[2048];

	(void)state;
	start_source(&source, HELD, 1, NULL);
	start_destination(&destination, "emu", 1, "vf");
	start_one(&guard, "60");
	fd = accept_guard(listener);
	await_line(&guard);
	migrate(&source);
	expect_word(fd, "suspend\n");
	release(&source, "vf0");
	expect_events(&destination, DESTINATION_1);
	/* The guard has heard of all that once it has seen the end of both. */
	do_call(&source, "quit", NULL);
	do_call(&destination, "quit", NULL);
	await_ends(&guard);
	say(fd, "ok 4\n");
	expect_word(fd, "restore\n");
	say(fd, "ok 4\n");
	end_guard(&guard, text, sizeof(text));
	expect_in_order(text, parts);
	kill_vm(&source);
	kill_vm(&destination);
	close(fd);
	close(listener);
	unlink(path_of("agent0"));
	unlink(path_of("migration"));
}

/* The guard may be started first. */
static void test_waits_for_agent(void **state)
{
	struct vm source, destination;
	struct child guard;
	char text[256], uri[96], *argv[] = {
		program(), "guard", "--qmp", uri, "--device", NULL, NULL,
	};
	char device[96];
	int listener, fd;
	struct error err;

	(void)state;
	start_source(&source, "emu", 1, NULL);
	start_destination(&destination, "emu", 1, "vf");
	snprintf(uri, sizeof(uri), "%s", uri_of("source"));
	snprintf(device, sizeof(device), "vf0=%s", uri_of("agent0"));
	argv[5] = device;
	assert_int_equal(child_start(&guard, "guard", argv, path_of("guard.log"), true, &err), 0);
	/* It cannot have come before there was something to come to. */
	listener = listen_as("agent0");
	fd = accept_guard(listener);
	await_line(&guard);
	do_call(&source, "quit", NULL);
	assert_int_equal(end_guard(&guard, text, sizeof(text)), 0);
	kill_vm(&source);
	kill_vm(&destination);
	close(fd);
	close(listener);
	unlink(path_of("agent0"));
	unlink(path_of("migration"));
}

/* What it can still take is taken by us: the pipe of its stdout is full then. */
static void fill_stdout(pid_t pid)
{
	char path[64], junk[4096] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fd/1", pid);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	while (write(fd, junk, sizeof(junk)) > 0)
		continue;
	close(fd);
}

/* Nobody reads what it prints: it acts all the same, and says at its end that nobody did. */
static void test_unread(void **state)
{
	struct vm source, destination;
	struct child guard;
	int listener = listen_as("agent0"), fd;

	(void)state;
	start_source(&source, HELD, 1, NULL);
	start_destination(&destination, "emu", 1, "vf");
	start_one(&guard, "60");
	fd = accept_guard(listener);
	await_line(&guard);
	fill_stdout(guard.pid);
	migrate(&source);
	expect_word(fd, "suspend\n");
	say(fd, "ok 4\n");
	release(&source, "vf0");
	expect_word(fd, "restore\n");
	say(fd, "ok 4\n");
	kill(guard.pid, SIGTERM);
	assert_true(child_ended(&guard, clock_ns() + PATIENCE_NS));
	assert_int_equal(guard.status, 3);
	await_stderr(&guard, "what was done cannot be told: nobody reads it");
	child_end(&guard);
	kill_vm(&source);
	kill_vm(&destination);
	close(fd);
	close(listener);
	unlink(path_of("agent0"));
	unlink(path_of("migration"));
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
		cmocka_unit_test(test_answers_all),
		cmocka_unit_test(test_side_by_side),
		cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_restarted_agent),
		cmocka_unit_test(test_late_answer),
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_waits_for_agent),
		cmocka_unit_test(test_unread),
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
