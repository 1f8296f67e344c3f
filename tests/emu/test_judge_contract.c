// SPDX-License-Identifier: GPL-2.0-only
/*
 * miglab judge --contract beside miglab run: which promises each policy keeps and breaks, on
 * emulated devices; and the options and reports of it.
 */
#include "vm.h"

#include <stdbool.h>

#define ROWS(a)		(sizeof(a) / sizeof((a)[0]))
#define FAST		"emu:rules=arc=PRE_COPY>PRE_COPY_P2P delay_us=1000"
#define FAILS(arc)	"arc=" arc " errno=EIO"
#define FAILS_ONCE(arc)	"arc=" arc " errno=EIO times=1"

enum course { MIGRATE, CANCEL, PAUSED_CANCEL, NO_PEER };

static const struct row {
	const char *name;
	const char *policy;
	const char *judge;		/* "--only=p2p-barrier" */
	const char *line;		/* what the judge's line of it has */
	int status;
	unsigned int devices;		/* 0: 1 */
	const char *profile;		/* NULL: full */
	const char *rules[2];		/* of each device of the source; NULL: none */
	const char *extra;		/* argument of the source */
	const char *more;		/* argument of the judge */
	const char *capability;		/* of the source */
	enum course course;
	bool destination;		/* is judged */
} rows[] = {
	/* --- what both policies keep --- */
	{ .name = "qemu: moved", .policy = "qemu", .judge = "state-moved",
	  .line = "completed, and every device was   PASS", .devices = 2 },
	{ .name = "qemu: loaded", .policy = "qemu", .judge = "state-moved",
	  .line = "completed, and every device was   PASS", .destination = true },
	{ .name = "qemu: the source stands", .policy = "qemu", .judge = "true-end",
	  .line = "a source that has completed needs it   PASS" },
	{ .name = "qemu: the destination runs", .policy = "qemu", .judge = "true-end",
	  .line = "a machine that runs needs it   PASS", .destination = true },
	{ .name = "qemu: all quiet, then all stop", .policy = "qemu", .judge = "p2p-barrier",
	  .line = "2 steps of 2 devices in order   PASS", .devices = 2 },
	{ .name = "qemu: all loaded, then all run", .policy = "qemu", .judge = "p2p-barrier",
	  .line = "2 steps of 2 devices in order   PASS", .devices = 2, .destination = true },
	{ .name = "qemu: a source that was paused stays so", .policy = "qemu",
	  .judge = "true-end", .line = "a machine that is paused needs it   PASS",
	  .course = PAUSED_CANCEL },
	{ .name = "qemu: reset after a failure", .policy = "qemu", .judge = "recovery",
	  .line = "1 failed arcs, each device asked, recovered or reset   PASS",
	  .rules = { FAILS("PRE_COPY>PRE_COPY_P2P") } },
	{ .name = "group: moved", .policy = "group", .judge = "state-moved",
	  .line = "completed, and every device was   PASS", .devices = 2 },
	{ .name = "group: loaded", .policy = "group", .judge = "state-moved",
	  .line = "completed, and every device was   PASS", .devices = 2, .destination = true },
	/* --- what QEMU breaks, and the other order keeps --- */
	{ .name = "qemu: the rollback passes the barrier by", .policy = "qemu",
	  .judge = "p2p-barrier", .line = "vf1 went RUNNING_P2P -> RUNNING while vf0 was in "
					  "STOP_COPY   FAIL",
	  .status = 1, .devices = 2, .course = CANCEL },
	{ .name = "group: the rollback does not", .policy = "group", .judge = "p2p-barrier",
	  .line = "4 steps of 2 devices in order   PASS", .devices = 2, .course = CANCEL },
	{ .name = "qemu: the switchover goes on after a device has failed", .policy = "qemu",
	  .judge = "p2p-barrier", .line = "vf0 went PRE_COPY_P2P -> STOP_COPY while vf1 was in "
					  "RUNNING   FAIL",
	  .status = 1, .devices = 2, .rules = { NULL, FAILS("PRE_COPY_P2P>STOP_COPY") } },
	{ .name = "group: it does not", .policy = "group", .judge = "p2p-barrier",
	  .line = " of 2 devices in order   PASS", .devices = 2,
	  .rules = { NULL, FAILS("PRE_COPY_P2P>STOP_COPY") } },
	{ .name = "qemu: one is reset before the other is quiet", .policy = "qemu",
	  .judge = "p2p-barrier", .line = "   FAIL", .status = 1, .devices = 2,
	  .rules = { FAILS("PRE_COPY>PRE_COPY_P2P") } },
	{ .name = "group: it is not", .policy = "group", .judge = "p2p-barrier",
	  .line = " of 2 devices in order   PASS", .devices = 2,
	  .rules = { FAILS("PRE_COPY>PRE_COPY_P2P") } },
	{ .name = "qemu: a source that cannot stop runs beside its destination",
	  .policy = "qemu", .judge = "true-end",
	  .line = "vf0 is in RUNNING, of a source that has completed   FAIL", .status = 1,
	  .rules = { FAILS_ONCE("STOP_COPY>STOP") } },
	{ .name = "group: it is asked twice", .policy = "group", .judge = "true-end",
	  .line = "a source that has completed needs it   PASS",
	  .rules = { FAILS_ONCE("STOP_COPY>STOP") } },
	{ .name = "qemu: a device without PRE_COPY is not announced", .policy = "qemu",
	  .judge = "quiesce-announced", .line = "vf0 RUNNING -> RUNNING_P2P, ", .status = 1,
	  .profile = "no-precopy" },
	{ .name = "announced, each of them", .policy = "qemu", .judge = "quiesce-announced",
	  .line = " ms, announced   PASS", .profile = "no-precopy",
	  .capability = "x-prepare-all" },
	/* --- what cloud-hypervisor breaks --- */
	{ .name = "cloud-hypervisor: one stops while the other runs",
	  .policy = "cloud-hypervisor", .judge = "p2p-barrier",
	  .line = "vf0 went RUNNING_P2P -> STOP while vf1 was in RUNNING   FAIL", .status = 1,
	  .devices = 2 },
	{ .name = "cloud-hypervisor: one runs while the other is stopped",
	  .policy = "cloud-hypervisor", .judge = "p2p-barrier",
	  .line = "vf0 went RUNNING_P2P -> RUNNING while vf1 was in RESUMING   FAIL", .status = 1,
	  .devices = 2, .destination = true },
	{ .name = "cloud-hypervisor: nobody is told", .policy = "cloud-hypervisor",
	  .judge = "quiesce-announced", .line = "vf0 RUNNING -> RUNNING_P2P, ", .status = 1 },
	{ .name = "cloud-hypervisor: moved nevertheless", .policy = "cloud-hypervisor",
	  .judge = "state-moved,true-end", .line = "contract: 2 kept, 0 broken", .devices = 2 },
	{ .name = "cloud-hypervisor: loaded nevertheless", .policy = "cloud-hypervisor",
	  .judge = "state-moved,true-end", .line = "contract: 2 kept, 0 broken", .devices = 2,
	  .destination = true },
	{ .name = "cloud-hypervisor: cancelled, and all run", .policy = "cloud-hypervisor",
	  .judge = "true-end", .line = "a machine that runs needs it   PASS", .devices = 2,
	  .course = CANCEL },
	{ .name = "cloud-hypervisor: paused, and none runs", .policy = "cloud-hypervisor",
	  .judge = "true-end", .line = "a machine that is paused needs it   PASS",
	  .course = PAUSED_CANCEL },
	/* --- announcements, and limits --- */
	{ .name = "not announced", .policy = "group", .judge = "prepare-before",
	  .line = "vf0: MISSING   FAIL", .status = 1, .extra = "--no-prepare" },
	{ .name = "announced and held", .policy = "group", .judge = "prepare-before",
	  .line = "1 arcs, each announced before it   PASS", .more = "--hold" },
	{ .name = "no announcement is too early", .policy = "group", .judge = "not-too-early",
	  .line = "no lead is too long   N/A", .status = 77, .more = "--max-lead=0 --hold" },
	{ .name = "within the limit", .policy = "qemu", .judge = "downtime",
	  .line = "the limit is 86400000 ms   PASS", .more = "--max-downtime=86400000" },
	{ .name = "beyond it", .policy = "qemu", .judge = "downtime",
	  .line = "the limit is 1 ms   FAIL", .status = 1, .more = "--max-downtime=1",
	  .rules = { "arc=PRE_COPY>PRE_COPY_P2P delay_us=2000" } },
	{ .name = "nothing that applies", .policy = "qemu", .judge = "p2p-barrier",
	  .line = "there is one device   N/A", .status = 77 },
	{ .name = "nobody to migrate to", .policy = "qemu", .judge = "state-moved",
	  .line = "the migration did not complete   N/A", .status = 77, .course = NO_PEER },
	/* --- reports --- */
	{ .name = "KTAP", .policy = "qemu", .judge = "p2p-barrier,state-moved",
	  .line = "1..2\n# vf1 went RUNNING_P2P -> RUNNING while vf0 was in STOP_COPY\n"
		  "not ok 1 contract.p2p-barrier\nok 2 contract.state-moved # SKIP the migration",
	  .status = 1, .devices = 2, .course = CANCEL, .more = "--format=ktap" },
	{ .name = "JUnit", .policy = "qemu", .judge = "state-moved",
	  .line = "tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"0\">\n"
		  "  <testcase classname=\"contract\" name=\"state-moved\"",
	  .more = "--format=junit" },
	{ .name = "KTAP of one that is left out", .policy = "qemu", .judge = "state-moved,recovery",
	  .line = "ok 2 contract.recovery # SKIP --skip\n# Totals: pass:1 fail:0",
	  .more = "--format=ktap --skip=recovery" },
	{ .name = "JSON", .policy = "qemu", .judge = "state-moved",
	  .line = "{\"contract\":\"state-moved\",\"outcome\":\"PASS\",\"pass\":true,\"text\":",
	  .more = "--json" },
	{ .name = "JSON, the end", .policy = "qemu", .judge = "state-moved", .more = "--json",
	  .line = "{\"result\":\"PASS\",\"pass\":true,\"ended\":\"migration\",\"migration\":"
		  "\"completed\",\"kept\":1,\"broken\":0,\"open\":0,\"not-judged\":0}\n" },
	{ .name = "lines, the end", .policy = "qemu", .judge = "state-moved",
	  .line = "contract: 1 kept, 0 broken, 0 open, 0 not judged, migration completed   "
		  "PASS\n" },
};

static void set_capability(struct vm *vm, const char *name)
{
	char args[128];

	snprintf(args, sizeof(args),
		 "{\"capabilities\": [{\"capability\": \"%s\", \"state\": true}]}", name);
	do_call(vm, "migrate-set-capabilities", args);
}

static void set_rules(struct vm *vm, unsigned int device, const char *rules)
{
	char args[256];

	snprintf(args, sizeof(args),
		 "{\"device\": \"vf%u\", \"attribute\": \"rules\", \"text\": \"%s\"}", device,
		 rules);
	do_call(vm, "x-miglab-write", args);
}

static void await_status(struct vm *vm, const char *status)
{
	char text[128] = "", want[64];

	snprintf(want, sizeof(want), "M %s", status);
	while (strcmp(text, want))
		next_event(vm, text, sizeof(text));
}

/* --- the judge ------------------------------------------------------------- */

#define JUDGE_ARGS	24

/* @more: options with a space between them, or NULL; they are cut in place. */
static void start_judge(struct child *judge, const char *name, const char *only,
			unsigned int devices, char *more)
{
	char *argv[JUDGE_ARGS] = { program(), "judge", "--qmp", uri_of(name) }, ids[2][32];
	char choice[64];
	struct error err;
	unsigned int n = 4;

	for (unsigned int i = 0; i < devices; i++) {
		snprintf(ids[i], sizeof(ids[i]), "vf%u=emu", i);
		argv[n++] = "--device";
		argv[n++] = ids[i];
	}
	snprintf(choice, sizeof(choice), "--only=%s", only);
	argv[n++] = choice;
	while (more)
		argv[n++] = strsep(&more, " ");
	argv[n] = NULL;
	unlink(path_of("judge.log"));
	assert_int_equal(child_start(judge, "judge", argv, path_of("judge.log"), true, &err), 0);
}

/* Its first line, or for JUnit what it says on stderr. */
static void await_judge(struct child *judge, bool quiet, char *text, size_t size)
{
	char said[256] = "";
	size_t used = 0;

	while (!quiet && used + 1 < size && read(judge->out, text + used, 1) == 1)
		if (text[used++] == '\n')
			break;
	while (quiet && !strstr(said, "listening")) {
		FILE *in = fopen(path_of("judge.log"), "r");

		if (child_ended(judge, 0))
			break;
		said[in ? fread(said, 1, sizeof(said) - 1, in) : 0] = '\0';
		if (in)
			fclose(in);
	}
	text[used] = '\0';
}

static void read_rest(struct child *judge, char *text, size_t size)
{
	size_t used = strlen(text);
	ssize_t done;

	while (used + 1 < size && (done = read(judge->out, text + used, size - 1 - used)) > 0)
		used += done;
	text[used] = '\0';
}

/* --- a row ----------------------------------------------------------------- */

static void begin(const struct row *row, struct vm *source, struct vm *destination)
{
	char device[128] = FAST, chosen[32];
	unsigned int devices = row->devices ? row->devices : 1;

	if (row->profile)
		snprintf(device, sizeof(device), "emu:profile=%s", row->profile);
	snprintf(chosen, sizeof(chosen), "--policy=%s", row->policy);
	policy = chosen;
	start(source, "source", device, devices, "vf", row->extra);
	/* Its devices say nothing at boot: they run already. */
	if (strcmp(row->policy, "cloud-hypervisor"))
		settle(source);
	start_destination(destination, device, devices, "vf");
	policy = NULL;
	if (row->capability)
		set_capability(source, row->capability);
	for (unsigned int i = 0; i < devices; i++)
		if (row->rules[i])
			set_rules(source, i, row->rules[i]);
}

static void play(const struct row *row, struct vm *source)
{
	if (row->course == NO_PEER) {
		do_call(source, "migrate", "{\"uri\": \"unix:/nonexistent/m\"}");
		return;
	}
	if (row->course != MIGRATE)
		set_capability(source, "pause-before-switchover");
	migrate(source);
	if (row->course == MIGRATE)
		return;
	await_status(source, "pre-switchover");
	do_call(source, "migrate_cancel", NULL);
}

static void quit(struct vm *vm)
{
	do_call(vm, "quit", NULL);
	qmp_client_free(vm->client);
	assert_true(child_ended(&vm->child, clock_ns() + PATIENCE_NS));
}

static void test_row(void **state)
{
	const struct row *row = *state;
	struct child judge = { 0 };
	struct vm source, destination;
	char out[8192], more[64];

	begin(row, &source, &destination);
	if (row->course == PAUSED_CANCEL)
		do_call(&source, "stop", NULL);
	snprintf(more, sizeof(more), "%s", row->more ? row->more : "");
	start_judge(&judge, row->destination ? "destination" : "source", row->judge,
		    row->devices ? row->devices : 1, row->more ? more : NULL);
	await_judge(&judge, row->more && strstr(row->more, "junit"), out, sizeof(out));
	play(row, &source);
	read_rest(&judge, out, sizeof(out));
	assert_true(child_ended(&judge, clock_ns() + PATIENCE_NS));
	quit(&source);
	quit(&destination);
	if (judge.status != row->status || !strstr(out, row->line)) {
		child_print_log(&judge);
		fail_msg("status %d instead of %d, or \"%s\" is not in:\n%s", judge.status,
			 row->status, row->line, out);
	}
	child_end(&judge);
}

/* --- options --------------------------------------------------------------- */

static void test_usage(void **state)
{
	static const struct {
		char *args[6];
		int status;
		const char *log;
	} uses[] = {
		{ { "--only=nonsense" }, 2, "\"nonsense\" is no verdict; miglab judge --list" },
		{ { "--skip=p2p-barrier,x" }, 2, "\"x\" is no verdict" },
		{ { "--max-downtime=0" }, 2, "--max-downtime" },
		{ { "--format=tap" }, 2, "--format tap: give ktap or junit" },
		{ { "--format=ktap", "--json", "--qmp=unix:/x", "--device=vf0=emu" }, 2,
		  "give no --json" },
		{ { "--format=ktap", "--print", "--qmp=unix:/x", "--device=vf0=emu" }, 2,
		  "--print" },
		{ { "--contract" }, 2, "give --qmp" },
		{ { "--contract", "--qmp=unix:/nonexistent/q", "--device=vf0=emu",
		    "--timeout=0" }, 3, "/nonexistent/q" },
		{ { "--format=ktap", "--qmp=unix:/nonexistent/q", "--device=vf0=emu",
		    "--timeout=0" }, 3, "/nonexistent/q" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(uses); i++) {
		char *argv[8] = { program(), "judge" }, words[512];
		struct child judge = { 0 };
		struct error err;

		memcpy(argv + 2, uses[i].args, sizeof(uses[i].args));
		assert_int_equal(child_start(&judge, "judge", argv, path_of("judge.log"), true,
					     &err), 0);
		assert_true(child_ended(&judge, clock_ns() + PATIENCE_NS));
		child_last_words(&judge, words, sizeof(words));
		if (judge.status != uses[i].status || !strstr(words, uses[i].log))
			fail_msg("status %d instead of %d, or \"%s\" is not in: %s", judge.status,
				 uses[i].status, uses[i].log, words);
		child_end(&judge);
	}
}

/* A report that was begun is ended, whatever happens. */
static void test_killed_vmm(void **state)
{
	struct child judge = { 0 };
	struct vm source;
	char out[4096], more[] = "--format=ktap";

	(void)state;
	start_source(&source, FAST, 1, NULL);
	start_judge(&judge, "source", "state-moved", 1, more);
	await_judge(&judge, false, out, sizeof(out));
	kill(source.child.pid, SIGKILL);
	read_rest(&judge, out, sizeof(out));
	assert_true(child_ended(&judge, clock_ns() + PATIENCE_NS));
	assert_int_equal(judge.status, 3);
	if (!strstr(out, "\nBail out! ") || !strstr(out, "\n# Totals: pass:0 fail:0"))
		fail_msg("%s", out);
	qmp_client_free(source.client);
	child_end(&source.child);
	child_end(&judge);
	unlink(path_of("source"));
}

int main(void)
{
	struct CMUnitTest tests[ROWS(rows) + 2];
	size_t n = 0;

	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_usage);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_killed_vmm);
	for (size_t i = 0; i < ROWS(rows); i++)
		tests[n++] = (struct CMUnitTest){ rows[i].name, test_row, NULL, NULL,
						  (void *)&rows[i] };
	return _cmocka_run_group_tests("contract", tests, n, make_dir, remove_dir);
}
