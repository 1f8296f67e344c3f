// SPDX-License-Identifier: GPL-2.0-only
/*
 * miglab judge as a program, beside miglab run: exit statuses, and the verdicts on
 * our own VMM with emulated devices. $MIGLAB is the program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
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
	static char text[4][64];
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

enum course { MIGRATE, NOTHING, KILL };

static const struct verdict_row {
	const char *name;
	const char *device;	/* of the source; NULL: emu */
	const char *run;	/* one more argument of the source */
	const char *judge[4];	/* more arguments of the judge */
	enum course course;
	int status;
	const char *out, *log;	/* a part of stdout, of stderr; NULL: not looked at */
} verdict_rows[] = {
	{ .name = "announced: passes by hold", .judge = { "--hold", "--expect=1" }, .status = 0,
	  .out = "before the hold was released   BEFORE  PASS   history: emulated (same process)" },
	{ .name = "announced, as JSON", .judge = { "--hold", "--expect=1", "--json", "--print" },
	  .status = 0, .out = "\"verdict\":\"BEFORE\",\"pass\":true" },
	{ .name = "not announced: fails", .run = "--no-prepare", .judge = { "--expect=1" },
	  .status = 1, .out = "no prepare received" },
	{ .name = "not announced and held: fails at the hold's limit", .device = SHORT_HOLD,
	  .run = "--no-prepare", .judge = { "--release", "--expect=1" }, .status = 1,
	  .out = "failed (Connection timed out)   no prepare received   MISSING  FAIL" },
	{ .name = "an arc too few: fails", .judge = { "--hold", "--expect=2" }, .status = 1,
	  .out = "1 arcs, 2 expected   N/A  FAIL" },
	{ .name = "no arc, one expected: fails", .judge = { "--timeout=1", "--expect=1" },
	  .course = NOTHING, .status = 1, .out = "0 arcs, 1 expected   N/A  FAIL" },
	{ .name = "no arc: not applicable", .judge = { "--timeout=1" }, .course = NOTHING,
	  .status = 0, .out = "no arc   N/A  PASS" },
	{ .name = "the VMM is killed", .judge = { "--expect=1" }, .course = KILL, .status = 3,
	  .log = "of vf0: " },
};

static void begin(const struct verdict_row *row, struct child *source, struct child *destination)
{
	const char *const to[] = { "run", "--device", "emu,id=vf0", "--qmp", destination_uri,
				   "--incoming", "defer", NULL };
	const char *const from[] = { "run", "--qmp", source_uri, "--device",
				     row->device ? row->device : "emu,id=vf0", row->run, NULL };

	start(destination, "destination", to, false);
	start(source, "source", from, false);
	command(destination_uri, "migrate-incoming", migrate_args);
}

static void test_verdict(void **state)
{
	const struct verdict_row *row = *state;
	const char *judge_args[ARGS_MAX] = { "judge", "--qmp", source_uri, "--device=vf0=emu" };
	struct child source = { 0 }, destination = { 0 }, judge = { 0 };
	char out[8192], log[4096];
	size_t i;

	for (i = 0; i < ROWS(row->judge); i++)
		judge_args[4 + i] = row->judge[i];
	begin(row, &source, &destination);
	start(&judge, "judge", judge_args, true);
	wait_listening(&judge);
	if (row->course == MIGRATE)
		command(source_uri, "migrate", migrate_args);
	if (row->course == KILL)
		kill(source.pid, SIGKILL);
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
	{ "an unknown option", { "--nonsense" }, 2, "--nonsense" },
	{ "a stray argument", { "--qmp", "unix:/x", "--device=vf0=emu", "more" }, 2, "more" },
	{ "an option without its value", { "--qmp" }, 2, "--qmp" },
	{ "a number that is none", { "--expect", "one" }, 2, "--expect one" },
	{ "a VMM that is not there",
	  { "--qmp", "unix:/nonexistent/qmp", "--device=vf0=emu", "--timeout=0" }, 3,
	  "/nonexistent/qmp" },
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

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(source_uri, sizeof(source_uri), "unix:%s/s", dir);
	snprintf(destination_uri, sizeof(destination_uri), "unix:%s/d", dir);
	snprintf(migrate_args, sizeof(migrate_args), "{\"uri\": \"unix:%s/m\"}", dir);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "s", "d", "m", "judge.log", "source.log",
					     "destination.log" };
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(names); i++)
		unlink(path(names[i]));
	return rmdir(dir);
}

int main(void)
{
	struct CMUnitTest tests[ROWS(verdict_rows) + ROWS(usage_rows)];
	size_t i, n = 0;

	for (i = 0; i < ROWS(verdict_rows); i++)
		tests[n++] = (struct CMUnitTest){ verdict_rows[i].name, test_verdict, NULL, NULL,
						  (void *)&verdict_rows[i] };
	for (i = 0; i < ROWS(usage_rows); i++)
		tests[n++] = (struct CMUnitTest){ usage_rows[i].name, test_usage, NULL, NULL,
						  (void *)&usage_rows[i] };
	return cmocka_run_group_tests_name("judge program", tests, set_up, tear_down);
}
