// SPDX-License-Identifier: GPL-2.0-only
/* miglab migrate from the outside: its exit status, what it prints and what it leaves behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <dirent.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>

#include "base/child.h"
#include "base/clock.h"
#include "qmp/client.h"

#define PATIENCE_NS	(200 * NSEC_PER_SEC)	/* only a test that fails takes so long */

/* Held until the judge has its event: no doubt about the order, however busy the machine is. */
#define PROVED		"emu:rules=arc=PRE_COPY>PRE_COPY_P2P hold limit_us=3600000000"
#define SHORT_HOLD	"emu:rules=arc=PRE_COPY>PRE_COPY_P2P hold limit_us=100000"
#define BIG		"emu:state_bytes=64M"
#define RESTLESS	PROVED ",state_bytes=64M,dirty_bytes_per_sec=4G"
/* A page would take four seconds: as long as anything is dirty, it does not converge. */
#define ENDLESS		"--bandwidth", "1K", "--to", "emu", \
			"--from", PROVED ",dirty_bytes_per_sec=4G"
#define NO_P2P		"emu:profile=no-p2p"
#define NO_PRECOPY	"emu:profile=no-precopy"
#define ARGS_MAX	16

static char dir[] = "/tmp/miglab-test-XXXXXX";

struct row {
	const char *name;
	char *args[ARGS_MAX];
	int status;
	const char *says;	/* a part of stdout, or of stderr when there is an error */
};

static const struct row rows[] = {
	{ "one device", { "--from", PROVED, "--to", "emu" }, 0, "fingerprints equal: crc32c:" },
	{ "the judge's line", { "--from", PROVED, "--to", "emu" }, 0,
	  "  PASS\nresult: 1 transition judged" },
	{ "four devices, in pairs",
	  { "--from", PROVED, "--to", "emu", "--from", PROVED ",state_bytes=4M",
	    "--to", "emu:state_bytes=4M", "--from", PROVED, "--to", "emu", "--from", PROVED,
	    "--to", "emu" }, 0, "\nvf3 " },
	{ "thrown away", { "--from", PROVED, "--to", "discard" }, 0,
	  "state thrown away: no fingerprints to compare" },
	{ "thrown away, and judged", { "--from", PROVED, "--to", "discard" }, 0,
	  "  PASS\nresult: 1 transition judged" },
	{ "thrown away, not announced",
	  { "--from", SHORT_HOLD, "--to", "discard", "--no-prepare" }, 1, "MISSING  FAIL" },
	{ "thrown away, an arc fails", { "--from", "emu:rules=arc=PRE_COPY_P2P>STOP_COPY errno=EIO",
	    "--to", "discard" }, 1, "source: migration failed: vf0: cannot go to STOP_COPY" },
	{ "two are thrown away", { "--from", "emu", "--to", "discard", "--from", "emu", "--to",
	    "emu" }, 2, NULL },
	{ "from nothing", { "--from", "discard", "--to", "emu" }, 2, NULL },
	{ "discard has no keys", { "--from", "emu", "--to", "discard:fast=1" }, 2, NULL },
	{ "not announced", { "--from", SHORT_HOLD, "--to", "emu", "--no-prepare" }, 1,
	  "MISSING  FAIL" },
	{ "not announced, not held", { "--from", "emu", "--to", "emu", "--no-prepare" }, 1,
	  "fingerprints equal" },
	{ "an arc that is expected and absent",
	  { "--from", PROVED, "--to", "emu", "--expect", "2" }, 1, "2 expected" },
	{ "an arc fails", { "--from", "emu:rules=arc=PRE_COPY_P2P>STOP_COPY errno=EIO",
	    "--to", "emu" }, 1, "source: migration failed: vf0: cannot go to STOP_COPY: "
	    "Input/output error" },
	{ "the destination loses the state",
	  { "--from", PROVED, "--to", "emu:rules=arc=STOP>RUNNING_P2P errno=EIO" }, 1,
	  "destination: migration failed: vf0: cannot go to RUNNING_P2P" },
	{ "a byte is wrong", { "--from", "emu:rules=op=save corrupt=4096", "--to", "emu" }, 1,
	  "fingerprints differ: source crc32c:" },
	{ "other sizes", { "--from", "emu", "--to", "emu:state_bytes=4M" }, 1,
	  "refuses its state" },
	{ "other sizes, and which", { "--from", "emu", "--to", "emu:state_bytes=4M" }, 1,
	  "vf0: the source's state has 1048576 bytes, the destination's 4194304; give both" },
	{ "which arc it was", { "--from", "emu:rules=op=save truncate=4096", "--to", "emu" }, 1,
	  "vf0 of the destination: RESUMING -> STOP failed: Invalid argument" },
	{ "an arc is held until its limit",
	  { "--from", "emu:rules=arc=PRE_COPY_P2P>STOP_COPY hold limit_us=1000", "--to", "emu" }, 1,
	  "PRE_COPY_P2P -> STOP_COPY failed: timed out, as a hold does at its limit" },
	{ "the source runs again", { "--from", "emu:rules=arc=PRE_COPY_P2P>STOP_COPY errno=EIO",
	    "--to", "emu" }, 1, "now: the source runs (running), vf0 RUNNING" },
	{ "the destination runs", { "--from", PROVED, "--to", "emu" }, 0,
	  "now: the source does not run (postmigrate), vf0 STOP\n"
	  "now: the destination runs (running), vf0 RUNNING\n" },
	{ "no P2P", { "--from", NO_P2P, "--to", NO_P2P }, 0, "no PRE_COPY_P2P (profile no-p2p)" },
	{ "no P2P, nothing announced", { "--from", NO_P2P, "--to", NO_P2P }, 0,
	  "PASS: the state arrived; nothing was announced because nothing had to be (N/A)" },
	{ "no P2P, and expected", { "--from", NO_P2P, "--to", NO_P2P, "--expect", "1" }, 1,
	  "1 expected" },
	{ "no P2P, and none expected", { "--from", NO_P2P, "--to", NO_P2P, "--expect", "0" }, 0,
	  "nothing had to be" },
	{ "P2P, and none expected", { "--from", PROVED, "--to", "emu", "--expect", "0" }, 1,
	  "FAIL: the judge is not content" },
	{ "no PRE_COPY", { "--from", NO_PRECOPY, "--to", NO_PRECOPY }, 0,
	  "no PRE_COPY (profile no-precopy)" },
	{ "one of two has PRE_COPY",
	  { "--from", NO_PRECOPY, "--to", NO_PRECOPY, "--from", PROVED, "--to", "emu" }, 0,
	  "announced in time" },
	{ "one of two has PRE_COPY, not announced",
	  { "--no-prepare", "--from", NO_PRECOPY, "--to", NO_PRECOPY, "--from", SHORT_HOLD, "--to",
	    "emu" }, 1, "MISSING  FAIL" },
	{ "it takes too long", { "--timeout", "1", "--from", "emu", "--to",
	    "emu:rules=arc=STOP>RESUMING hold" }, 3, "not done within 1 s; see --timeout" },
	{ "the destination is in a call", { "--timeout", "1", "--from", "emu", "--to",
	    "emu:rules=arc=STOP>RESUMING hold" }, 3,
	  "now: the destination does not run (inmigrate), vf0 RUNNING (in a call)" },
	{ "it may stand for long", { "--downtime-limit", "2000000", "--from", RESTLESS, "--to",
	    BIG }, 0, "fingerprints equal" },
	{ "a bandwidth of nothing", { "--from", "emu", "--to", "emu", "--bandwidth", "0" }, 2,
	  "--bandwidth 0: give bytes per second" },
	{ "a bandwidth that is no size", { "--from", "emu", "--to", "emu", "--bandwidth", "fast" },
	  2, "--bandwidth" },
	{ "drawn where", { "--from", "emu", "--to", "emu", "--connection-timeout", "9" }, 2,
	  "--connection-timeout is drawn in the report; give --report DIR, too" },
	{ "a downtime beyond QEMU's", { "--from", "emu", "--to", "emu", "--downtime-limit",
	    "2000001" }, 2, "give a number from 0 to 2000000" },
	{ "no such device", { "--from", "emu", "--to", "emu:mood=1" }, 2,
	  "miglab: migrate: the destination ended with status 2: run: emu: unknown key \"mood\"" },
	{ "an odd one", { "--from", "emu", "--to", "emu", "--from", "emu" }, 2, NULL },
	{ "nothing", { NULL }, 2, NULL },
	{ "no such policy", { "--from", "emu", "--to", "emu", "--policy", "other" }, 2, NULL },
	{ "no number", { "--from", "emu", "--to", "emu", "--timeout", "soon" }, 2, NULL },
};

static void read_log(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	buf[fread(buf, 1, size - 1, f)] = '\0';
	fclose(f);
}

/* A migration that runs, and all that it said when it has ended. */
struct run {
	struct child child;
	char log[64], out[32768], said[8192];
};

static void start_run(struct run *r, char *const *args)
{
	char *program = getenv("MIGLAB"), *argv[ARGS_MAX + 3] = { NULL };
	struct error err;

	argv[0] = program ? program : "build/miglab";
	argv[1] = "migrate";
	for (unsigned int i = 0; i < ARGS_MAX && args[i]; i++)
		argv[i + 2] = args[i];
	snprintf(r->log, sizeof(r->log), "%s.log", dir);
	assert_int_equal(child_start(&r->child, "migrate", argv, r->log, true, &err), 0);
}

/* Its status. Nothing of it is left. */
static int end_run(struct run *r, const char *name)
{
	size_t len = 0;
	ssize_t n;
	int status;

	while ((n = read(r->child.out, r->out + len, sizeof(r->out) - 1 - len)) > 0)
		len += n;
	r->out[len] = '\0';
	assert_true(child_ended(&r->child, clock_ns() + PATIENCE_NS));
	read_log(r->log, r->said, sizeof(r->said));
	status = r->child.status;
	child_end(&r->child);
	unlink(r->log);
	if (rmdir(dir) || mkdir(dir, 0700))
		fail_msg("%s: left something in TMPDIR", name);
	return status;
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* The last line is the verdict on the whole, and says the same as the status. */
static bool ends_well(const char *out, int status)
{
	static const char *const words[] = { "PASS: ", "FAIL: ", NULL, "N/A: " };
	const char *last = strrchr(out, '\n');

	if (status == 2 || !*out)
		return status >= 2 && !*out;
	while (last > out && last[-1] != '\n')
		last--;
	return begins(last, words[status]);
}

static void run_row(const struct row *row)
{
	struct run r;
	int status;

	start_run(&r, row->args);
	status = end_run(&r, row->name);
	/* What is in progress has not failed. */
	if (status != row->status || !ends_well(r.out, status) || strstr(r.out, "Unknown error") ||
	    (row->says && !strstr(r.out, row->says) && !strstr(r.said, row->says)) ||
	    (row->says && status < 2 && !strstr(r.out, row->says)))
		fail_msg("%s: status %d, not %d; %s%s", row->name, status, row->status, r.out,
			 r.said);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_row(&rows[i]);
}

/* Nobody reads what it prints: it says so, and still clears away behind itself. */
static void test_closed_output(void **state)
{
	char *program = getenv("MIGLAB"), log[64];
	char *argv[] = { program ? program : "build/miglab", "migrate", "--from", PROVED, "--to",
			 "emu", NULL };
	struct child child;
	struct error err;

	(void)state;
	snprintf(log, sizeof(log), "%s.log", dir);
	assert_int_equal(child_start(&child, "migrate", argv, log, true, &err), 0);
	close(child.out);
	child.out = -1;
	assert_true(child_ended(&child, clock_ns() + PATIENCE_NS));
	assert_int_equal(child.status, 3);
	child_end(&child);
	unlink(log);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
}

/* --- while it runs ---------------------------------------------------------- */

/* The directory of the migration that runs, once it is there. */
static void find_dir(char path[128])
{
	uint64_t until_ns = clock_ns() + PATIENCE_NS;
	struct dirent *e;

	for (*path = '\0'; !*path; poll(NULL, 0, 1)) {
		DIR *d = opendir(dir);

		assert_non_null(d);
		while ((e = readdir(d)))
			if (begins(e->d_name, "miglab-"))
				snprintf(path, 128, "%s/%.64s", dir, e->d_name);
		closedir(d);
		assert_true(clock_ns() < until_ns);
	}
}

/* The child of @parent with @what and @more in its command line, once it is there. */
static pid_t find_child(pid_t parent, const char *what, const char *more)
{
	uint64_t until_ns = clock_ns() + PATIENCE_NS;
	char path[64], line[4096];
	pid_t found = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	for (; !found; poll(NULL, 0, 1)) {
		FILE *children = fopen(path, "r");
		int pid;

		assert_non_null(children);
		while (!found && fscanf(children, "%d", &pid) == 1) {
			char name[64];
			FILE *f;
			size_t n;

			snprintf(name, sizeof(name), "/proc/%d/cmdline", pid);
			f = fopen(name, "r");
			n = f ? fread(line, 1, sizeof(line) - 1, f) : 0;
			if (f)
				fclose(f);
			line[n] = '\0';
			for (size_t i = 0; i < n; i++)
				line[i] = line[i] ? line[i] : ' ';
			if (strstr(line, what) && strstr(line, more))
				found = pid;
		}
		fclose(children);
		assert_true(clock_ns() < until_ns);
	}
	return found;
}

static struct qmp_client *connect_to(const char *name)
{
	struct qmp_client *client;
	char path[128], uri[160];
	struct error err;

	find_dir(path);
	snprintf(uri, sizeof(uri), "unix:%s/%s", path, name);
	if (qmp_client_connect(uri, clock_ns() + PATIENCE_NS, &client, &err))
		fail_msg("%s: %s", name, err.text);
	return client;
}

static struct json_object *ask(struct qmp_client *client, const char *command, const char *args)
{
	struct json_object *answer;
	struct error err;

	if (qmp_client_call(client, command, args ? json_tokener_parse(args) : NULL,
			    clock_ns() + PATIENCE_NS, &answer, &err))
		fail_msg("%s: %s", command, err.text);
	return answer;
}

/* Until query-migrate of it says so. */
static void await_status(struct qmp_client *client, const char *want)
{
	uint64_t until_ns = clock_ns() + PATIENCE_NS;
	bool is = false;

	while (!is) {
		struct json_object *info = ask(client, "query-migrate", NULL), *status;

		is = json_object_object_get_ex(info, "status", &status) &&
		     !strcmp(json_object_get_string(status), want);
		json_object_put(info);
		assert_true(clock_ns() < until_ns);
	}
}

static void expect_said(const struct run *r, const char *what)
{
	if (!strstr(r->out, what) && !strstr(r->said, what))
		fail_msg("\"%s\" is not in:\n%s%s", what, r->out, r->said);
}

/* Starts one that does not end by itself, and waits until it is under way. */
static struct qmp_client *start_endless(struct run *r, char *option, char *value)
{
	char *args[ARGS_MAX] = { ENDLESS, option, value };
	struct qmp_client *source;

	start_run(r, args);
	source = connect_to("source");
	await_status(source, "active");
	return source;
}

/* Someone else's cancel is the end, and says so. */
static void test_cancelled(void **state)
{
	struct qmp_client *source;
	struct run r;

	(void)state;
	source = start_endless(&r, NULL, NULL);
	json_object_put(ask(source, "migrate_cancel", NULL));
	assert_int_equal(end_run(&r, "cancelled"), 1);
	qmp_client_free(source);
	expect_said(&r, "source: migration cancelled\n");
	expect_said(&r, "now: the source runs (running), vf0 RUNNING\n");
	assert_true(ends_well(r.out, 1));
	expect_said(&r, "FAIL: the migration was cancelled, by another client of the source\n");
}

/* Each leaves nothing, not even the judge's complaint of a peer that is gone. */
static void test_signals(void **state)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct qmp_client *source;
	struct run r;

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		source = start_endless(&r, NULL, NULL);
		/* As a terminal does: the whole group. */
		kill(-r.child.pid, signals[i]);
		assert_int_equal(end_run(&r, "a signal"), 3);
		qmp_client_free(source);
		assert_string_equal(r.said, "miglab: migrate: interrupted\n");
		expect_said(&r, "now: the source runs (running), vf0 PRE_COPY");
		assert_true(ends_well(r.out, 3));
	}
}

/* Why it takes so long, however fast the machine is. */
static void test_does_not_converge(void **state)
{
	char *seconds[] = { "2", "4", "8", "16", "32" };
	struct run r = { .said = "" };

	(void)state;
	/* A busy machine may not have got as far as that when time is up. */
	for (size_t i = 0; i < 5 && !strstr(r.said, "ms, and the limit is 300 ms"); i++) {
		char *args[ARGS_MAX] = { ENDLESS, "--timeout", seconds[i] };

		start_run(&r, args);
		assert_int_equal(end_run(&r, "does not converge"), 3);
	}
	expect_said(&r, "ms, and the limit is 300 ms; see --downtime-limit and --timeout");
	assert_true(ends_well(r.out, 3));
}

/* What was endless ends, and goes through the hold of the judge; unless time is up before. */
static void let_converge(struct qmp_client *source)
{
	static const char *const calls[][2] = {
		{ "x-miglab-write",
		  "{\"device\": \"vf0\", \"attribute\": \"rules\", \"text\": \"\"}" },
		{ "migrate-set-parameters", "{\"downtime-limit\": 2000000, "
					    "\"avail-switchover-bandwidth\": 1000000000000}" },
	};
	static const char held[] = "{\"device\": \"vf0\", \"attribute\": \"held\"}";
	struct json_object *answer = NULL;
	unsigned long long seq = 0;
	char release[96];
	struct error err;
	int ret = 0;

	for (size_t i = 0; !ret && i < sizeof(calls) / sizeof(calls[0]); i++)
		ret = qmp_client_call(source, calls[i][0], json_tokener_parse(calls[i][1]),
				      clock_ns() + PATIENCE_NS, NULL, &err);
	while (!ret && !seq) {
		ret = qmp_client_call(source, "x-miglab-read", json_tokener_parse(held),
				      clock_ns() + PATIENCE_NS, &answer, &err);
		if (!ret)
			sscanf(json_object_get_string(json_object_object_get(answer, "text")),
			       "PRE_COPY>PRE_COPY_P2P seq=%llu", &seq);
		json_object_put(answer);
		answer = NULL;
	}
	snprintf(release, sizeof(release), "{\"device\": \"vf0\", \"attribute\": \"release\", "
		 "\"text\": \"seq=%llu\"}", seq);
	if (!ret)
		qmp_client_call(source, "x-miglab-write", json_tokener_parse(release),
				clock_ns() + PATIENCE_NS, NULL, &err);
}

/* Who is stopped is not waited for beyond the limit. */
static void test_stopped(void **state)
{
	char *seconds[] = { "5", "10", "20", "60" };
	struct qmp_client *source;
	struct run r;

	(void)state;
	source = start_endless(&r, "--timeout", "5");
	kill(find_child(r.child.pid, " run ", "/destination"), SIGSTOP);
	assert_int_equal(end_run(&r, "a stopped destination"), 3);
	qmp_client_free(source);
	expect_said(&r, "now: the destination does not answer\n");

	/* A busy machine may not have moved it when time is up. */
	for (size_t i = 0; i < 4 && (!i || !strstr(r.out, "migration completed in ")); i++) {
		source = start_endless(&r, "--timeout", seconds[i]);
		kill(find_child(r.child.pid, " judge ", ""), SIGSTOP);
		let_converge(source);
		assert_int_equal(end_run(&r, "a stopped judge"), 3);
		qmp_client_free(source);
	}
	expect_said(&r, "miglab: migrate: the judge did not end: not done within ");
	expect_said(&r, "migration completed in ");
	assert_true(ends_well(r.out, 3));
}

/* One that dies is the end at once, and is named. */
static void test_killed(void **state)
{
	static const char *const who[] = { "source", "destination" };
	struct qmp_client *source;
	char text[128];
	struct run r;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		source = start_endless(&r, NULL, NULL);
		snprintf(text, sizeof(text), "/%s", who[i]);
		kill(find_child(r.child.pid, " run ", text), SIGKILL);
		assert_int_equal(end_run(&r, "a dead machine"), 3);
		qmp_client_free(source);
		snprintf(text, sizeof(text), "now: the %s ended with status 137\n", who[i]);
		expect_said(&r, text);
		snprintf(text, sizeof(text), "migrate: the %s ended with status 137\n", who[i]);
		expect_said(&r, text);
	}
}

static struct json_object *in(struct json_object *object, const char *name)
{
	struct json_object *value = json_object_is_type(object, json_type_array) ?
		json_object_array_get_idx(object, atoi(name)) :
		json_object_object_get(object, name);

	if (!value)
		fail_msg("no %s in %s", name, json_object_to_json_string(object));
	return value;
}

static const char *text_in(struct json_object *object, const char *name)
{
	return json_object_get_string(in(object, name));
}

/* One object, and nothing else. */
static struct json_object *run_json(char *const *args, int status)
{
	struct json_object *object;
	struct run r;

	start_run(&r, args);
	assert_int_equal(end_run(&r, "--json"), status);
	object = json_tokener_parse(r.out);
	if (!object || strchr(r.out, '\n') != r.out + strlen(r.out) - 1)
		fail_msg("no object: %s", r.out);
	return object;
}

static void test_json(void **state)
{
	char *good[ARGS_MAX] = { "--json", "--from", PROVED, "--to", "emu" };
	char *failed[ARGS_MAX] = { "--json", "--from", PROVED, "--to",
				   "emu:rules=arc=RESUMING>STOP errno=EIO" };
	char *untried[ARGS_MAX] = { "--json", "--from", "emu", "--to", "emu:mood=1" };
	struct json_object *o, *device;

	(void)state;
	o = run_json(good, 0);
	assert_string_equal(text_in(o, "result"), "PASS");
	assert_string_equal(text_in(o, "judge"), "PASS");
	assert_string_equal(text_in(in(o, "migration"), "status"), "completed");
	assert_false(json_object_get_boolean(in(in(o, "source"), "running")));
	assert_true(json_object_get_boolean(in(in(o, "destination"), "running")));
	device = in(in(o, "devices"), "0");
	assert_string_equal(text_in(device, "id"), "vf0");
	assert_string_equal(text_in(in(device, "source"), "device"), PROVED);
	assert_string_equal(text_in(in(device, "source"), "state"), "STOP");
	assert_string_equal(text_in(in(device, "destination"), "state"), "RUNNING");
	assert_string_equal(text_in(in(device, "source"), "fingerprint"),
			    text_in(in(device, "destination"), "fingerprint"));
	assert_true(json_object_get_boolean(in(device, "fingerprints-equal")));
	assert_int_equal(json_object_array_length(in(o, "verdicts")), 1);
	assert_string_equal(text_in(in(in(o, "verdicts"), "0"), "device"), "vf0");
	json_object_put(o);

	o = run_json(failed, 1);
	assert_string_equal(text_in(o, "result"), "FAIL");
	assert_string_equal(text_in(o, "reason"), "the migration failed");
	assert_string_equal(text_in(in(o, "migration"), "status"), "failed");
	device = in(in(o, "devices"), "0");
	assert_string_equal(text_in(in(device, "destination"), "failed-transition"),
			    "RESUMING -> STOP failed: Input/output error");
	assert_string_equal(text_in(in(device, "source"), "state"), "RUNNING");
	json_object_put(o);

	o = run_json(untried, 2);
	assert_string_equal(text_in(o, "result"), "N/A");
	assert_string_equal(text_in(in(o, "migration"), "status"), "none");
	json_object_put(o);
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? setenv("TMPDIR", dir, 1) : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_closed_output),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_does_not_converge),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
