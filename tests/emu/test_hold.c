// SPDX-License-Identifier: GPL-2.0-only
/*
 * A judge that holds transitions, and is killed, or is not alone. Whatever becomes of it, the
 * device's rules, their counters and its permits are as they were, and the next migration passes.
 *
 * With MIGLAB_DEVICES="BDF BDF ..", as in the virtual test host, the devices are these instead
 * of emulated ones.
 */
#include "vm.h"

#include <errno.h>
#include <glob.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "device/bind.h"
#include "device/lab.h"

#define ROWS(a)		(sizeof(a) / sizeof((a)[0]))
#define LEASE		"PRE_COPY>PRE_COPY_P2P limit_us=5000000 pid="
#define FIRES_ONCE	"arc=RUNNING>PRE_COPY errno=EIO times=1"
#define HOLDS_LATE	"arc=PRE_COPY_P2P>STOP_COPY hold limit_us=600000000"
#define HOLDS_EARLY	"arc=RUNNING>PRE_COPY hold limit_us=600000000"
#define TRIES		10
#define PAIRS		64

static char from[64] = "emu", to[64] = "emu", where[64] = "vf0=emu";
static char save_args[96];

/* --- the devices ------------------------------------------------------------ */

static void write_attribute(struct vm *vm, const char *name, const char *text)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "device", json_object_new_string("vf0"));
	json_object_object_add(args, "attribute", json_object_new_string(name));
	json_object_object_add(args, "text", json_object_new_string(text));
	do_call(vm, "x-miglab-write", json_object_to_json_string(args));
	json_object_put(args);
}

static void expect_attribute(struct vm *vm, const char *name, const char *want)
{
	char text[4096];

	attribute(vm, "vf0", name, text, sizeof(text));
	text[strcspn(text, "\n")] = '\0';
	if (strcmp(text, want))
		fail_msg("%s is \"%s\", not \"%s\"", name, text, want);
}

/* Waits until the attribute begins with @begin and, unless it is NULL, has @part. */
static void await_attribute(struct vm *vm, const char *name, const char *begin, const char *part)
{
	uint64_t deadline_ns = clock_ns() + PATIENCE_NS;
	char text[4096];

	do {
		attribute(vm, "vf0", name, text, sizeof(text));
		if (clock_ns() > deadline_ns)
			fail_msg("%s is \"%s\", not \"%s\"", name, text, begin);
	} while (strncmp(text, begin, strlen(begin)) || (part && !strstr(text, part)));
}

static unsigned int rules_acted(struct vm *vm)
{
	char text[4096], *line;
	unsigned int n;

	attribute(vm, "vf0", "stats", text, sizeof(text));
	line = strstr(text, "rules_acted ");
	assert_non_null(line);
	assert_int_equal(sscanf(line, "rules_acted %u", &n), 1);
	return n;
}

static unsigned int permits(struct vm *vm)
{
	char text[64];

	attribute(vm, "vf0", "release", text, sizeof(text));
	return strtoul(text, NULL, 10);
}

static void await_event(struct vm *vm, const char *want)
{
	char text[128];

	do
		next_event(vm, text, sizeof(text));
	while (strcmp(text, want));
}

/* 0, or 1 when it failed. */
static int await_migration(struct vm *vm)
{
	char text[128];

	do
		next_event(vm, text, sizeof(text));
	while (strcmp(text, "M completed") && strcmp(text, "M failed"));
	return !strcmp(text, "M failed");
}

static void finish(struct vm *vm)
{
	do_call(vm, "quit", NULL);
	qmp_client_free(vm->client);
	assert_true(child_ended(&vm->child, clock_ns() + PATIENCE_NS));
}

/* A destination that is new, since each takes one migration. */
static void migrate_plainly(struct vm *source)
{
	struct vm destination;

	start_destination(&destination, to, 1, "vf");
	migrate(source);
	if (await_migration(source))
		fail_msg("the migration failed");
	finish(&destination);
}

/* --- the judge -------------------------------------------------------------- */

static void start_judge(struct child *judge, const char *name, const char *const *more)
{
	char *argv[16] = { program(), "judge", "--qmp", uri_of("source"), "--device", where,
			   "--hold" };
	struct error err;
	char log[32];
	unsigned int n = 7;

	while (more && *more)
		argv[n++] = (char *)*more++;
	snprintf(log, sizeof(log), "%s.log", name);
	unlink(path_of(log));
	assert_int_equal(child_start(judge, name, argv, path_of(log), true, &err), 0);
}

static void await_listening(struct child *judge)
{
	char c = 0;

	while (c != '\n') {
		if (read(judge->out, &c, 1) != 1) {
			child_print_log(judge);
			fail_msg("the judge does not listen");
		}
	}
}

/* Its end, with all that it printed since it listens. */
static void read_verdict(struct child *judge, char *text, size_t size)
{
	size_t used = 0;
	ssize_t n;

	while (used + 1 < size && (n = read(judge->out, text + used, size - 1 - used)) > 0)
		used += n;
	text[used] = '\0';
	assert_true(child_ended(judge, clock_ns() + PATIENCE_NS));
	child_end(judge);
}

static void expect_lease_of(struct vm *vm, pid_t pid)
{
	char want[80];

	snprintf(want, sizeof(want), LEASE "%d", pid);
	expect_attribute(vm, "hold", want);
}

/* --- a judge that is killed ------------------------------------------------- */

enum stage {
	AT_FIRST,		/* nothing has begun */
	IN_PRE_COPY,
	WHILE_HELD,		/* under the lease */
	AFTER_RELEASE,	/* and held by a rule of ours, further on */
};

/* Pre-copy does not converge. */
static void make_restless(struct vm *source)
{
	write_attribute(source, "dirty_bytes_per_sec", "4000000000");
	do_call(source, "migrate-set-parameters", "{\"downtime-limit\": 0}");
}

static void begin_pre_copy(struct vm *source)
{
	make_restless(source);
	migrate(source);
	await_event(source, "M active");
	expect_attribute(source, "state", "PRE_COPY");
}

static void end_pre_copy(struct vm *source)
{
	expect_attribute(source, "state", "PRE_COPY");
	write_attribute(source, "dirty_bytes_per_sec", "0");
	do_call(source, "migrate-set-parameters", "{\"downtime-limit\": 300}");
}

static void reach(struct vm *source, enum stage stage)
{
	if (stage == IN_PRE_COPY)
		begin_pre_copy(source);
	if (stage == WHILE_HELD) {
		migrate(source);
		await_attribute(source, "held", "PRE_COPY>PRE_COPY_P2P seq=", "rule=lease");
	}
	if (stage == AFTER_RELEASE) {
		migrate(source);
		await_attribute(source, "held", "PRE_COPY_P2P>STOP_COPY seq=", NULL);
	}
}

static void go_on(struct vm *source, enum stage stage)
{
	if (stage == AT_FIRST)
		migrate(source);
	if (stage == IN_PRE_COPY)
		end_pre_copy(source);
	if (stage == AFTER_RELEASE)
		write_attribute(source, "release", "1");
}

/* A rule of ours fires, once and for all. */
static void fire(struct vm *source, const char *rules)
{
	write_attribute(source, "rules", rules);
	do_call(source, "migrate", save_args);
	assert_int_equal(await_migration(source), 1);
	assert_int_equal(rules_acted(source), 1);
}

/* True when the hold's limit came first, because the machine is slow: that proves nothing. */
static bool try_stage(enum stage stage)
{
	const char *rules = stage == AFTER_RELEASE ? FIRES_ONCE ";" HOLDS_LATE : FIRES_ONCE;
	struct vm source, destination;
	struct child judge;
	static char history[65536];
	unsigned int left;
	bool failed;

	start_source(&source, from, 1, stage == WHILE_HELD ? "--no-prepare" : NULL);
	fire(&source, rules);
	/* A permit that nobody used: it is not for the judge's hold. */
	if (stage != AFTER_RELEASE)
		write_attribute(&source, "release", "1");
	left = permits(&source);
	start_destination(&destination, to, 1, "vf");
	start_judge(&judge, "judge", NULL);
	await_listening(&judge);
	expect_lease_of(&source, judge.pid);

	reach(&source, stage);
	child_end(&judge);
	await_attribute(&source, "hold", "none", NULL);
	go_on(&source, stage);
	failed = await_migration(&source);
	if (failed) {
		assert_int_equal(stage, WHILE_HELD);
		attribute(&source, "vf0", "history", history, sizeof(history));
		assert_non_null(strstr(history, " -110 "));
	}
	finish(&destination);

	expect_attribute(&source, "rules", rules);
	assert_int_equal(rules_acted(&source), stage == AFTER_RELEASE ? 2 : 1);
	assert_int_equal(permits(&source), left);
	if (!failed) {
		do_call(&source, "cont", NULL);
		if (stage == AFTER_RELEASE)
			write_attribute(&source, "release", "1");
		migrate_plainly(&source);
	}
	finish(&source);
	return failed;
}

static void test_killed(void **state)
{
	enum stage stage = *(const enum stage *)*state;
	unsigned int tries = 0;

	while (try_stage(stage))
		assert_true(++tries < TRIES);
}

/* --- judges and others ------------------------------------------------------ */

static void read_log(const char *name, char *text, size_t size)
{
	FILE *in = fopen(path_of(name), "r");

	assert_non_null(in);
	text[fread(text, 1, size - 1, in)] = '\0';
	fclose(in);
}

static void test_two_judges(void **state)
{
	static const char *const expect[] = { "--expect=1", "--json", NULL };
	char text[8192], want[64];
	struct child first, second;
	struct vm source;

	(void)state;
	start_source(&source, from, 1, NULL);
	write_attribute(&source, "rules", "\n");
	start_judge(&first, "first", expect);
	await_listening(&first);
	start_judge(&second, "second", expect);
	assert_true(child_ended(&second, clock_ns() + PATIENCE_NS));
	assert_int_equal(second.status, 3);
	read_log("second.log", text, sizeof(text));
	snprintf(want, sizeof(want), "process %d holds its transitions", first.pid);
	if (!strstr(text, want))
		fail_msg("\"%s\" is not in \"%s\"", want, text);
	child_end(&second);
	expect_lease_of(&source, first.pid);

	migrate_plainly(&source);
	read_verdict(&first, text, sizeof(text));
	if (first.status || !strstr(text, "\"by-hold\":true"))
		fail_msg("status %d: %s", first.status, text);
	await_attribute(&source, "hold", "none", NULL);
	finish(&source);
}

/* Nobody announces, and a permit is there: nothing gets past the hold. */
static void test_stale_permit(void **state)
{
	static const char *const expect[] = { "--expect=1", "--json", NULL };
	struct vm source, destination;
	struct child judge;
	char text[8192];
	unsigned int left;

	(void)state;
	start_source(&source, from, 1, "--no-prepare");
	write_attribute(&source, "rules", "\n");
	write_attribute(&source, "release", "1");
	left = permits(&source);
	start_destination(&destination, to, 1, "vf");
	start_judge(&judge, "judge", expect);
	await_listening(&judge);
	migrate(&source);
	assert_int_equal(await_migration(&source), 1);
	read_verdict(&judge, text, sizeof(text));
	if (judge.status != 1 || !strstr(text, "MISSING  FAIL") ||
	    !strstr(text, "ended by the judge's own hold"))
		fail_msg("status %d: %s", judge.status, text);
	assert_int_equal(permits(&source), left);
	finish(&destination);
	finish(&source);
}

/* The judge sleeps, and somebody else releases: it does not claim to have done so. */
static void test_released_by_another(void **state)
{
	static const char *const json[] = { "--json", NULL };
	struct vm source, destination;
	struct child judge;
	char text[16384];
	unsigned long seq;

	(void)state;
	start_source(&source, from, 1, NULL);
	write_attribute(&source, "rules", "\n");
	start_judge(&judge, "judge", json);
	await_listening(&judge);
	kill(judge.pid, SIGSTOP);
	start_destination(&destination, to, 1, "vf");
	migrate(&source);
	await_attribute(&source, "held", "PRE_COPY>PRE_COPY_P2P seq=", "rule=lease");
	attribute(&source, "vf0", "held", text, sizeof(text));
	assert_int_equal(sscanf(text, "PRE_COPY>PRE_COPY_P2P seq=%lu ", &seq), 1);
	snprintf(text, sizeof(text), "seq=%lu", seq);
	write_attribute(&source, "release", text);
	assert_int_equal(await_migration(&source), 0);
	kill(judge.pid, SIGCONT);
	read_verdict(&judge, text, sizeof(text));
	/* DURING or INCONCLUSIVE, as late as it was stopped. */
	if (!judge.status || !strstr(text, "\"by-hold\":false") || !strstr(text, "not held"))
		fail_msg("status %d: %s", judge.status, text);
	finish(&destination);
	finish(&source);
}

/* --- miglab migrate that is killed ------------------------------------------ */

static void start_migrate(struct child *child, const char *device)
{
	char *argv[] = { program(), "migrate", "--from", (char *)device, "--to", to, NULL };
	struct error err;

	unlink(path_of("migrate.log"));
	assert_int_equal(child_start(child, "migrate", argv, path_of("migrate.log"), true, &err),
			 0);
}

/* The source that the program has started: its socket is in the one directory that it made. */
static void connect_to_source(struct vm *vm)
{
	uint64_t deadline_ns = clock_ns() + PATIENCE_NS;
	char pattern[80], uri[160];
	struct error err = { "it made no directory" };
	glob_t found;
	int ret = -1;

	memset(vm, 0, sizeof(*vm));
	vm->child.name = "source";
	snprintf(pattern, sizeof(pattern), "%s/miglab-*/source", dir);
	while (ret) {
		assert_true(clock_ns() < deadline_ns);
		if (glob(pattern, 0, NULL, &found))
			continue;
		snprintf(uri, sizeof(uri), "unix:%s", found.gl_pathv[0]);
		globfree(&found);
		ret = qmp_client_connect(uri, clock_ns() + NSEC_PER_SEC, &vm->client, &err);
	}
}

/* The lease's owner: the judge of the program. */
static pid_t judge_of(struct vm *source)
{
	char text[128], *pid;

	await_attribute(source, "hold", LEASE, NULL);
	attribute(source, "vf0", "hold", text, sizeof(text));
	pid = strstr(text, "pid=");
	return strtol(pid + 4, NULL, 10);
}

static void remove_leftovers(void)
{
	static const char *const names[] = {
		"source", "source.log", "destination", "destination.log", "judge.log", "migration",
	};
	char pattern[80], path[160];
	glob_t found;
	size_t i;

	snprintf(pattern, sizeof(pattern), "%s/miglab-*", dir);
	if (glob(pattern, 0, NULL, &found))
		return;
	for (i = 0; i < ROWS(names); i++) {
		snprintf(path, sizeof(path), "%.80s/%s", found.gl_pathv[0], names[i]);
		unlink(path);
	}
	assert_int_equal(found.gl_pathc, 1);
	assert_int_equal(rmdir(found.gl_pathv[0]), 0);
	globfree(&found);
}

static void kill_it(struct child *migrate, pid_t judge, bool both)
{
	int status;

	if (both)
		kill(judge, SIGKILL);
	kill(migrate->pid, SIGKILL);
	/* And all that it had started comes to us. */
	while (waitpid(-1, &status, 0) > 0)
		;
	assert_int_equal(errno, ECHILD);
	migrate->pid = 0;
	child_end(migrate);
	remove_leftovers();
}

static bool is_emulated(void)
{
	return !strncmp(from, "emu", 3);
}

/* The attribute of a function, with nobody who uses it. */
static void expect_lab(const char *name, const char *want)
{
	struct error err = { "" };
	struct lab *lab;
	char *text;

	if (lab_open_sysfs(from + strlen("vfio:"), &lab, &err) ||
	    lab->ops->read(lab, name, &text, &err))
		fail_msg("%s", err.text);
	text[strcspn(text, "\n")] = '\0';
	assert_string_equal(text, want);
	free(text);
	lab->ops->close(lab);
}

static void write_lab(const char *name, const char *text)
{
	struct error err = { "" };
	struct lab *lab;

	if (lab_open_sysfs(from + strlen("vfio:"), &lab, &err) ||
	    lab->ops->write(lab, name, text, &err))
		fail_msg("%s", err.text);
	lab->ops->close(lab);
}

static const struct killed {
	const char *name;
	enum stage stage;
	bool both;
} killed_rows[] = {
	{ "migrate is killed before pre-copy", AT_FIRST, false },
	{ "migrate and judge are killed before pre-copy", AT_FIRST, true },
	{ "migrate is killed in pre-copy", IN_PRE_COPY, false },
	{ "migrate and judge are killed in pre-copy", IN_PRE_COPY, true },
	{ "migrate is killed while the judge holds", WHILE_HELD, false },
	{ "migrate and judge are killed while it holds", WHILE_HELD, true },
	{ "migrate is killed after the release", AFTER_RELEASE, false },
	{ "migrate and judge are killed after the release", AFTER_RELEASE, true },
};

static void test_migrate_killed(void **state)
{
	static const char rules[] = HOLDS_EARLY ";" HOLDS_LATE;
	const struct killed *row = *state;
	struct child migrate;
	struct vm source;
	char device[256], text[8192];
	pid_t judge;

	if (is_emulated())
		snprintf(device, sizeof(device), "emu:rules=%s", rules);
	else
		snprintf(device, sizeof(device), "%s", from);
	if (!is_emulated())
		write_lab("rules", rules);
	start_migrate(&migrate, device);
	connect_to_source(&source);
	judge = judge_of(&source);
	await_attribute(&source, "held", "RUNNING>PRE_COPY seq=", NULL);
	if (row->stage == IN_PRE_COPY)
		make_restless(&source);
	if (row->stage == WHILE_HELD)
		kill(judge, SIGSTOP);
	if (row->stage != AT_FIRST)
		write_attribute(&source, "release", "1");
	if (row->stage == IN_PRE_COPY) {
		await_attribute(&source, "state", "PRE_COPY", NULL);
		expect_attribute(&source, "state", "PRE_COPY");
	}
	if (row->stage == WHILE_HELD)
		await_attribute(&source, "held", "PRE_COPY>PRE_COPY_P2P seq=", "rule=lease");
	if (row->stage == AFTER_RELEASE)
		await_attribute(&source, "held", "PRE_COPY_P2P>STOP_COPY seq=", NULL);
	kill_it(&migrate, judge, row->both);
	qmp_client_free(source.client);

	if (!is_emulated()) {
		expect_lab("hold", "none");
		expect_lab("held", "none");
		expect_lab("rules", rules);
		write_lab("release", "2");
		write_lab("dirty_bytes_per_sec", "0");
	}
	start_migrate(&migrate, from);
	read_verdict(&migrate, text, sizeof(text));
	if (migrate.status || !strstr(text, "  PASS\n"))
		fail_msg("status %d: %s", migrate.status, text);
	if (!is_emulated())
		expect_lab("rules", rules);
}

/* --- many devices ----------------------------------------------------------- */

/* As many as a machine may have, and more than its QMP socket takes clients. */
static void test_many_devices(void **state)
{
	static char small[] = "emu:state_bytes=4096,rules=arc=PRE_COPY>PRE_COPY_P2P delay_us=10";
	char *argv[2 + 4 * PAIRS + 1] = { program(), "migrate" };
	static char text[1 << 16];
	struct child child;
	struct error err;
	unsigned int i;

	(void)state;
	for (i = 0; i < PAIRS; i++) {
		argv[2 + 4 * i] = "--from";
		argv[3 + 4 * i] = small;
		argv[4 + 4 * i] = "--to";
		argv[5 + 4 * i] = small;
	}
	assert_int_equal(child_start(&child, "migrate", argv, path_of("migrate.log"), true, &err),
			 0);
	read_verdict(&child, text, sizeof(text));
	if (child.status || !strstr(text, "\nvf63 emu  PRE_COPY -> PRE_COPY_P2P  arc"))
		fail_msg("status %d: %s", child.status, text);
}

static int set_up(void **state)
{
	const char *list = getenv("MIGLAB_DEVICES");
	char bdf[2][16];

	if (make_dir(state))
		return -1;
	snprintf(save_args, sizeof(save_args), "{\"uri\": \"file:%s/saved.log\"}", dir);
	if (list && sscanf(list, "%15s %15s", bdf[0], bdf[1]) == 2) {
		snprintf(from, sizeof(from), "vfio:%s", bdf[0]);
		snprintf(to, sizeof(to), "vfio:%s", bdf[1]);
		snprintf(where, sizeof(where), "vf0=%s", bdf[0]);
	}
	return setenv("TMPDIR", dir, 1) || prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* A function keeps its permits from one row to the next; one that is bound anew has none. */
static int renew(void **state)
{
	char *const devices[] = { from, to };
	struct error err;

	(void)state;
	for (size_t i = 0; i < ROWS(devices); i++) {
		if (strncmp(devices[i], "vfio:", 5))
			continue;
		if (unbind_function(devices[i] + 5, &err) ||
		    bind_function(devices[i] + 5, NULL, NULL, &err)) {
			print_error("%s\n", err.text);
			return -1;
		}
	}
	return 0;
}

int main(void)
{
	static const enum stage stages[] = { AT_FIRST, IN_PRE_COPY, WHILE_HELD, AFTER_RELEASE };
	static const char *const names[] = {
		"the judge is killed before the migration", "the judge is killed in pre-copy",
		"the judge is killed while it holds", "the judge is killed after its release",
	};
	struct CMUnitTest tests[ROWS(stages) + ROWS(killed_rows) + 4];
	size_t i, n = 0;

	for (i = 0; i < ROWS(stages); i++)
		tests[n++] = (struct CMUnitTest){ names[i], test_killed, renew, NULL,
						  (void *)&stages[i] };
	for (i = 0; i < ROWS(killed_rows); i++)
		tests[n++] = (struct CMUnitTest){ killed_rows[i].name, test_migrate_killed, renew,
						  NULL, (void *)&killed_rows[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup(test_two_judges, renew);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup(test_stale_permit, renew);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup(test_released_by_another, renew);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_many_devices);
	return cmocka_run_group_tests_name("hold", tests, set_up, remove_dir);
}
