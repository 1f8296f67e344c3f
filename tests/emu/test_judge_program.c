// SPDX-License-Identifier: GPL-2.0-only
/*
 * miglab judge as a program, beside miglab run: exit statuses, and the verdicts on
 * our own VMM with emulated devices. $MIGLAB is the program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/child.h"
#include "base/clock.h"
#include "qmp/client.h"

#define ROWS(a)		(sizeof(a) / sizeof((a)[0]))
#define ARGS_MAX	16
#define ENOUGH_NS	(200 * NSEC_PER_SEC)
#define SHORT_HOLD	"emu:rules=arc=PRE_COPY>PRE_COPY_P2P hold limit_us=100000,id=vf0"

static char dir[] = "/tmp/miglab-test-XXXXXX";
static char source_uri[64], destination_uri[64], migrate_args[96];

static const char *program(void)
{
	const char *name = getenv("MIGLAB");

	return name ? name : "build/asan/miglab";
}

static const char *path(const char *name)
{
	static char text[4][96];
	static unsigned int next;
	char *p = text[next++ % 4];

	snprintf(p, sizeof(text[0]), "%s/%s", dir, name);
	return p;
}

/* @args without the program's name, ended by NULL. */
static void start(struct child *child, const char *name, const char *const *args, bool with_output)
{
	char *argv[ARGS_MAX + 2] = { (char *)program() };
	struct error err = { "" };
	char log[80];
	int i;

	for (i = 0; args[i]; i++) {
		assert_true(i < ARGS_MAX);
		argv[i + 1] = (char *)args[i];
	}
	snprintf(log, sizeof(log), "%s.log", path(name));
	unlink(log);
	if (child_start(child, name, argv, log, with_output, &err))
		fail_msg("%s", err.text);
}

/* All of the file or pipe at @fd that comes until its end, NUL-terminated. */
static void read_all(int fd, char *text, size_t size)
{
	size_t used = 0;
	ssize_t done;

	while (used + 1 < size && (done = read(fd, text + used, size - 1 - used)) > 0)
		used += done;
	text[used] = '\0';
}

static void read_log(const char *name, char *text, size_t size)
{
	char log[80];
	FILE *in;

	snprintf(log, sizeof(log), "%s.log", path(name));
	in = fopen(log, "r");
	assert_non_null(in);
	text[fread(text, 1, size - 1, in)] = '\0';
	fclose(in);
}

/* The judge's first line, after which everything is seen. */
static void wait_listening(const struct child *judge)
{
	char c = '\0';

	while (c != '\n' && read(judge->out, &c, 1) == 1)
		;
	assert_int_equal(c, '\n');
}

static void command(const char *uri, const char *name, const char *args)
{
	struct qmp_client *client;
	struct error err = { "" };

	if (qmp_client_connect(uri, clock_ns() + ENOUGH_NS, &client, &err) ||
	    qmp_client_call(client, name, args ? json_tokener_parse(args) : NULL,
			    clock_ns() + ENOUGH_NS, NULL, &err))
		fail_msg("%s: %s", name, err.text);
	qmp_client_free(client);
}

enum course { MIGRATE, NOTHING, KILL, INTERRUPT, TO_NOBODY, CANCEL, STOPPED };

#define HELD	"emu:rules=arc=RUNNING>PRE_COPY hold limit_us=60000000,id=vf0"

static const struct verdict_row {
	const char *name;
	const char *device;	/* of the source; NULL: emu */
	const char *run;	/* one more argument of the source */
	const char *to;		/* the destination's device; NULL: emu */
	const char *judge[4];	/* more arguments of the judge */
	const char *judged;	/* its device; NULL: vf0=emu */
	enum course course;
	int status;
	const char *out, *log;	/* a part of stdout, of stderr; NULL: not looked at */
} verdict_rows[] = {
	{ .name = "announced: passes by clock or by hold", .judge = { "--hold", "--expect=1" },
	  .status = 0, .out = "  PASS\nresult: 1 transition judged, " },
	{ .name = "announced, in long lines", .judge = { "--hold", "--expect=1", "--long" },
	  .status = 0, .out = ", seq " },
	{ .name = "announced, as JSON", .judge = { "--hold", "--expect=1", "--json", "--print" },
	  .status = 0, .out = "\"pass\":true,\"seq\":" },
	{ .name = "announced, as JSON, the end", .judge = { "--hold", "--expect=1", "--json" },
	  .status = 0, .out = "\"pass\":true,\"ended\":\"migration\","
			      "\"migration\":\"completed\",\"arcs\":1,\"held\":" },
	{ .name = "not announced: fails", .run = "--no-prepare", .judge = { "--expect=1" },
	  .status = 1, .out = "  no prepare   MISSING  FAIL\n" },
	{ .name = "not announced and held: fails at the hold's limit", .device = SHORT_HOLD,
	  .run = "--no-prepare", .judge = { "--release", "--expect=1" }, .status = 1,
	  .out = "failed (timed out)  no prepare   MISSING  FAIL" },
	{ .name = "an arc too few: fails", .judge = { "--hold", "--expect=2" }, .status = 1,
	  .out = "1 arcs, 2 expected   N/A  FAIL" },
	{ .name = "no arc, one expected: fails", .judge = { "--timeout=1", "--expect=1" },
	  .course = NOTHING, .status = 1,
	  .out = "  0 arcs, 1 expected; " },
	/* What judged nothing: none of it is a pass. */
	{ .name = "nothing: an idle VMM", .judge = { "--timeout=1" }, .course = NOTHING,
	  .status = 77, .out = "  no arc; ", .log = "(timeout)" },
	{ .name = "nothing: an idle VMM, held", .judge = { "--timeout=1", "--hold" },
	  .course = NOTHING, .status = 77, .out = "   N/A\n" },
	{ .name = "nothing: an idle VMM, released", .judge = { "--timeout=1", "--release" },
	  .course = NOTHING, .status = 77, .out = "   N/A\n" },
	{ .name = "nothing: an idle VMM, as JSON", .judge = { "--timeout=1", "--json" },
	  .course = NOTHING, .status = 77,
	  .out = "\"result\":\"N/A\",\"pass\":false,\"ended\":\"timeout\",\"arcs\":0" },
	{ .name = "nothing: an idle VMM, none expected", .judge = { "--timeout=1", "--expect=0" },
	  .course = NOTHING, .status = 77, .out = "0 arcs, 0 expected" },
	{ .name = "nothing: an idle VMM, its events kept", .judge = { "--timeout=1",
	    "--keep-events" }, .course = NOTHING, .status = 77, .out = "   N/A\n" },
	{ .name = "nothing: interrupted", .course = INTERRUPT, .status = 77,
	  .out = "did not end (interrupted)", .log = "(interrupted)" },
	{ .name = "nothing: the VMM is killed", .judge = { "--expect=1" }, .course = KILL,
	  .status = 3, .log = "of vf0: " },
	{ .name = "nothing: a function that is not the VMM's", .run = "--no-prepare",
	  .judged = "vf0=0000:01:00.0", .judge = { "--any-process" }, .status = 77,
	  .out = "no arc; its history is empty   N/A\n" },
	{ .name = "nothing: a function that is not the VMM's, announced",
	  .judged = "vf0=0000:01:00.0", .status = 1, .out = "   STRAY  FAIL\n" },
	{ .name = "nothing: a device without pre-copy", .device = "emu:profile=no-precopy,id=vf0",
	  .to = "emu:profile=no-precopy,id=vf0", .status = 77,
	  .out = "no arc; it went RUNNING -> RUNNING_P2P   N/A\n" },
	{ .name = "nothing: a device without P2P", .device = "emu:profile=no-p2p,id=vf0",
	  .to = "emu:profile=no-p2p,id=vf0", .status = 77,
	  .out = "no arc; it went RUNNING -> PRE_COPY   N/A\n" },
	{ .name = "nothing: a device with stop-copy alone",
	  .device = "emu:profile=stop-copy,id=vf0",
	  .to = "emu:profile=stop-copy,id=vf0", .status = 77,
	  .out = "no arc; it went RUNNING -> STOP   N/A\n" },
	{ .name = "nothing: a VMM that is paused", .course = STOPPED, .status = 77,
	  .out = "   N/A\n" },
	{ .name = "a VMM that is paused from the start, and makes the arc unannounced",
	  .run = "--paused", .status = 1, .out = "  no prepare   MISSING  FAIL\n" },
	{ .name = "nothing: a migration to nobody", .course = TO_NOBODY, .status = 77,
	  .out = "migration failed" },
	{ .name = "nothing: the arc into pre-copy fails",
	  .device = "emu:rules=arc=RUNNING>PRE_COPY errno=EIO,id=vf0", .status = 77,
	  .out = "migration failed" },
	{ .name = "nothing: cancelled before", .device = HELD, .course = CANCEL, .status = 77,
	  .out = "migration cancelled" },
};

static void begin(const struct verdict_row *row, struct child *source, struct child *destination)
{
	const char *const to[] = { "run", "--device", row->to ? row->to : "emu,id=vf0", "--qmp",
				   destination_uri, "--incoming", "defer", NULL };
	const char *const from[] = { "run", "--qmp", source_uri, "--device",
				     row->device ? row->device : "emu,id=vf0", row->run, NULL };

	start(destination, "destination", to, false);
	start(source, "source", from, false);
	command(destination_uri, "migrate-incoming", migrate_args);
}

static void test_verdict(void **state)
{
	const struct verdict_row *row = *state;
	const char *judge_args[ARGS_MAX] = { "judge", "--qmp", source_uri, "--device",
					     row->judged ? row->judged : "vf0=emu" };
	struct child source = { 0 }, destination = { 0 }, judge = { 0 };
	char out[8192], log[4096];
	size_t i;

	for (i = 0; i < ROWS(row->judge); i++)
		judge_args[5 + i] = row->judge[i];
	begin(row, &source, &destination);
	if (row->course == STOPPED)
		command(source_uri, "stop", NULL);
	start(&judge, "judge", judge_args, true);
	wait_listening(&judge);
	if (row->course == MIGRATE || row->course == STOPPED)
		command(source_uri, "migrate", migrate_args);
	if (row->course == KILL)
		kill(source.pid, SIGKILL);
	if (row->course == INTERRUPT)
		kill(judge.pid, SIGINT);
	if (row->course == TO_NOBODY)
		command(source_uri, "migrate", "{\"uri\": \"unix:/nonexistent/m\"}");
	if (row->course == CANCEL) {
		command(source_uri, "migrate", migrate_args);
		command(source_uri, "migrate_cancel", NULL);
		command(source_uri, "x-miglab-write", "{\"device\": \"vf0\", \"attribute\": "
			"\"release\", \"text\": \"1\"}");
	}
	read_all(judge.out, out, sizeof(out));
	assert_true(child_ended(&judge, clock_ns() + ENOUGH_NS));
	read_log("judge", log, sizeof(log));
	child_end(&source);
	child_end(&destination);
	if (judge.status != row->status)
		fail_msg("status %d instead of %d\n%s%s", judge.status, row->status, out, log);
	if (row->out && !strstr(out, row->out))
		fail_msg("\"%s\" is not in:\n%s", row->out, out);
	if (row->log && !strstr(log, row->log))
		fail_msg("\"%s\" is not in:\n%s", row->log, log);
	child_end(&judge);
}

#define PATIENT	"--timeout=86400"	/* what asks before it waits does not get there */

static const struct usage_row {
	const char *name;
	const char *args[8];
	int status;
	const char *log;
} usage_rows[] = {
	{ "no arguments", { NULL }, 2, "--qmp" },
	{ "no device", { "--qmp", "unix:/x" }, 2, "--device" },
	{ "a device without a place", { "--qmp", "unix:/x", "--device", "vf0" }, 2, "vf0" },
	{ "a device twice", { "--qmp", "unix:/x", "--device=vf0=emu", "--device=vf0=emu" }, 2,
	  "twice" },
	{ "a function twice", { "--qmp", "unix:/x", "--device=vf0=0000:01:00.0",
	    "--device=vf1=01:00.0" }, 2, "twice" },
	{ "two VMMs", { "--qmp=unix:/x", "--qmp=unix:/y", "--device=vf0=emu" }, 2,
	  "--qmp is given twice, \"unix:/x\" and \"unix:/y\"; give one" },
	{ "two numbers", { "--qmp=unix:/x", "--expect=1", "--expect=2", "--device=vf0=emu" }, 2,
	  "--expect is given twice, \"1\" and \"2\"; give one" },
	{ "an unknown option", { "--nonsense" }, 2, "--nonsense" },
	{ "a stray argument", { "--qmp", "unix:/x", "--device=vf0=emu", "more" }, 2, "more" },
	{ "an option without its value", { "--qmp" }, 2, "--qmp" },
	{ "a number that is none", { "--expect", "one" }, 2, "--expect \"one\"" },
	{ "a lead that is none", { "--max-lead", "-1" }, 2, "--max-lead \"-1\"" },
	{ "a VMM that is not there",
	  { "--qmp", "unix:/nonexistent/qmp", "--device=vf0=emu", "--timeout=0" }, 3,
	  "/nonexistent/qmp" },
	{ "a function that is not there",
	  { "--qmp=unix:/nonexistent/qmp", "--device=vf0=0000:7f:1f.7", PATIENT }, 2,
	  "0000:7f:1f.7" },
	{ "one of two functions is not there",
	  { "--qmp=unix:/nonexistent/qmp", "--device=vf0=0000:01:00.0",
	    "--device=vf1=0000:7f:1f.7", PATIENT }, 2, "0000:7f:1f.7" },
	{ "a function that is bound elsewhere",
	  { "--qmp=unix:/nonexistent/qmp", "--device=vf0=0000:02:00.0", PATIENT }, 3,
	  "miglab bind 0000:02:00.0" },
};

static void test_usage(void **state)
{
	const struct usage_row *row = *state;
	const char *args[ARGS_MAX] = { "judge" };
	struct child judge = { 0 };
	char log[4096];
	size_t i;

	for (i = 0; i < ROWS(row->args); i++)
		args[1 + i] = row->args[i];
	start(&judge, "judge", args, false);
	assert_true(child_ended(&judge, clock_ns() + ENOUGH_NS));
	read_log("judge", log, sizeof(log));
	if (judge.status != row->status || !strstr(log, row->log))
		fail_msg("status %d instead of %d, or \"%s\" is not in:\n%s", judge.status,
			 row->status, row->log, log);
	assert_ptr_equal(strchr(log, '\n'), log + strlen(log) - 1);
	child_end(&judge);
}

/* What it waits for is told when the wait begins. */
static void test_waiting(void **state)
{
	char uri[80];
	const char *const args[] = { "judge", "--qmp", uri, "--device=vf0=emu", PATIENT, NULL };
	struct child judge = { 0 };
	uint64_t deadline_ns = clock_ns() + ENOUGH_NS;
	char log[4096] = "", want[128], name[80];

	(void)state;
	snprintf(name, sizeof(name), "%s.log", path("judge"));
	snprintf(uri, sizeof(uri), "unix:%s", path("nobody"));
	snprintf(want, sizeof(want), "miglab: waiting for %s: No such file or directory\n", uri);
	start(&judge, "judge", args, false);
	while (!strchr(log, '\n') && clock_ns() < deadline_ns) {
		if (!access(name, R_OK))
			read_log("judge", log, sizeof(log));
		poll(NULL, 0, 10);
	}
	assert_string_equal(log, want);
	child_end(&judge);
}

/* A VMM that has the device, or sends events of it, only by name: said before it listens. */
static void test_asks_the_vmm(void **state)
{
	static const struct {
		const char *device, *judged, *log;
		int status;
	} rows[] = {
		{ "emu,id=vf0,migration-events=off", "vf0=emu",
		  "sends no events of vf0: start it with migration-events=on", 3 },
		{ "emu,id=vf0", "vf9=emu", "has no device vf9", 2 },
		{ "emu,id=vf0", "vf9=0000:01:00.0", "has no device vf9", 2 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		const char *const run[] = { "run", "--qmp", source_uri, "--device", rows[i].device,
					    NULL };
		const char *const args[] = { "judge", "--qmp", source_uri, "--device",
					     rows[i].judged, PATIENT, NULL };
		struct child source = { 0 }, judge = { 0 };
		char log[4096];

		start(&source, "source", run, false);
		start(&judge, "judge", args, false);
		assert_true(child_ended(&judge, clock_ns() + ENOUGH_NS));
		read_log("judge", log, sizeof(log));
		if (judge.status != rows[i].status || !strstr(log, rows[i].log))
			fail_msg("status %d instead of %d, or \"%s\" is not in:\n%s", judge.status,
				 rows[i].status, rows[i].log, log);
		child_end(&judge);
		child_end(&source);
	}
}

/* An arc under test in the history of 01:00.0, which begins @ms from now: of process 1. */
static void write_history(int64_t ms)
{
	uint64_t begin_ns = clock_ns() + ms * NSEC_PER_MSEC;
	FILE *out = fopen(path("sys/bus/pci/devices/0000:01:00.0/miglab/history"), "w");

	assert_non_null(out);
	if (ms)
		fprintf(out, "1 PRE_COPY PRE_COPY_P2P STOP_COPY %llu %llu 0 0 1\n",
			(unsigned long long)begin_ns,
			(unsigned long long)(begin_ns + NSEC_PER_MSEC));
	fclose(out);
}

/* Reads the judge's output until a line has @word. */
static void wait_for_line(const struct child *judge, const char *word)
{
	char line[512] = "";
	size_t len = 0;

	while (!strstr(line, word)) {
		if (len == sizeof(line) - 1 || (len && line[len - 1] == '\n'))
			len = 0;
		assert_int_equal(read(judge->out, line + len, 1), 1);
		line[++len] = '\0';
	}
}

/* Pids of the kernel's history mean something in the first pid namespace alone. */
static bool pids_are_the_kernels(void)
{
	char name[64] = "";

	return readlink("/proc/self/ns/pid", name, sizeof(name) - 1) > 0 &&
	       !strcmp(name, "pid:[4026531836]");
}

/*
 * The VMM announces its vf0 and stays there, and the arc is one that somebody wrote down: how
 * long after the event it begins, and whose it is, is for the row to say.
 */
static void test_history(void **state)
{
	static const char held[] =
		"emu:rules=arc=PRE_COPY>PRE_COPY_P2P hold limit_us=600000000,id=vf0";
	static const struct {
		const char *arg, *more;
		int64_t ms;
		int status;
		const char *out;
	} rows[] = {
		{ "--any-process", NULL, 600000, 1, ", more than 5000 ms   EARLY  FAIL\n" },
		{ "--any-process", "--max-lead=86400000", 600000, 3, " it   BEFORE  PASS\n" },
		{ "--any-process", "--max-lead=0", 600000, 3, " it   BEFORE  PASS\n" },
		{ "--print", NULL, 600000, 1, "  made by process 1, not by " },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		const struct verdict_row vmm = { .device = held };
		const char *const args[] = { "judge", "--qmp", source_uri,
					     "--device=vf0=0000:01:00.0", "--print", rows[i].arg,
					     rows[i].more, NULL };
		struct child source = { 0 }, destination = { 0 }, judge = { 0 };
		char out[8192];

		if (!strcmp(rows[i].arg, "--print") && !pids_are_the_kernels())
			continue;
		write_history(0);
		begin(&vmm, &source, &destination);
		start(&judge, "judge", args, true);
		wait_listening(&judge);
		command(source_uri, "migrate", migrate_args);
		wait_for_line(&judge, "pre-copy-p2p-prepare");
		write_history(rows[i].ms);
		kill(judge.pid, SIGINT);
		read_all(judge.out, out, sizeof(out));
		assert_true(child_ended(&judge, clock_ns() + ENOUGH_NS));
		child_end(&source);
		child_end(&destination);
		if (judge.status != rows[i].status || !strstr(out, rows[i].out))
			fail_msg("row %zu: status %d instead of %d, or \"%s\" is not in:\n%s", i,
				 judge.status, rows[i].status, rows[i].out, out);
		child_end(&judge);
	}
	write_history(0);
}

/*
 * Functions as the kernel shows them: 01:00.0 is bound to miglab_vfio_pci, and made no arc;
 * 02:00.0 is not. Written here so that the judge has a BDF to look at without a kernel.
 */
static void make_sysfs(void)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "set -e; cd %s; mkdir -p sys/bus/pci/devices; cd sys/bus/pci/devices;"
		 "mkdir -p 0000:01:00.0/miglab 0000:02:00.0; cd 0000:01:00.0/miglab;"
		 ": >history; : >rules; echo none >held; : >release", dir);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof(command), "%s/sys", dir);
	setenv("MIGLAB_SYSFS", command, 1);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(source_uri, sizeof(source_uri), "unix:%s/s", dir);
	snprintf(destination_uri, sizeof(destination_uri), "unix:%s/d", dir);
	make_sysfs();
	snprintf(migrate_args, sizeof(migrate_args), "{\"uri\": \"unix:%s/m\"}", dir);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "s", "d", "m", "judge.log", "source.log",
					     "destination.log" };
	char command[80];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(names); i++)
		unlink(path(names[i]));
	snprintf(command, sizeof(command), "rm -r %s/sys", dir);
	return system(command) || rmdir(dir);
}

int main(void)
{
	struct CMUnitTest tests[ROWS(verdict_rows) + ROWS(usage_rows) + 3];
	size_t i, n = 0;

	for (i = 0; i < ROWS(verdict_rows); i++)
		tests[n++] = (struct CMUnitTest){ verdict_rows[i].name, test_verdict, NULL, NULL,
						  (void *)&verdict_rows[i] };
	for (i = 0; i < ROWS(usage_rows); i++)
		tests[n++] = (struct CMUnitTest){ usage_rows[i].name, test_usage, NULL, NULL,
						  (void *)&usage_rows[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_waiting);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_history);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_asks_the_vmm);
	return cmocka_run_group_tests_name("judge program", tests, set_up, tear_down);
}
