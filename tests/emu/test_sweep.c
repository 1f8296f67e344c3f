// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever happens, wherever: each point of a migration, held in an arc of either
 * side, times each thing that can be done to it. Never do both machines run, what
 * survives is of use, and nothing is left behind.
 */
#include "vm.h"

#include "device/lab.h"
#include "device/uapi.h"

/* Who decides at this point whether the migration succeeds. */
enum phase {
	OPEN,		/* the source: the destination lacks something */
	COMMITTED,	/* the destination: it has everything and has not said how it went */
	COMPLETED,	/* nobody any more */
	PHASES,
};

static const struct point {
	const char *arc;	/* held once */
	bool at_source;
	enum phase phase;
} points[] = {
	{ "RUNNING>PRE_COPY", true, OPEN },
	{ "PRE_COPY>PRE_COPY_P2P", true, OPEN },
	{ "PRE_COPY_P2P>STOP_COPY", true, OPEN },
	{ "STOP_COPY>STOP", true, COMPLETED },
	{ "RUNNING>RUNNING_P2P", false, OPEN },
	{ "RUNNING_P2P>STOP", false, OPEN },
	{ "STOP>RESUMING", false, OPEN },
	{ "RESUMING>STOP", false, COMMITTED },
	{ "STOP>RUNNING_P2P", false, COMMITTED },
	{ "RUNNING_P2P>RUNNING", false, COMMITTED },
};

enum action {
	CANCEL, STOP_SOURCE, QUIT_SOURCE, QUIT_DESTINATION, KILL_SOURCE, KILL_DESTINATION,
	KILL_JUDGE, ACTIONS,
};

static const char *const action_names[] = {
	"cancel", "stop", "quit source", "quit destination", "kill source", "kill destination",
	"kill judge",
};

/* The run states that it comes to; NULL: there is no such machine any more. */
static const struct outcome {
	const char *source, *destination;
} outcomes[PHASES][ACTIONS] = {
	[OPEN] = {
		[CANCEL] = { "running", "inmigrate" },
		[STOP_SOURCE] = { "postmigrate", "paused" },
		[QUIT_SOURCE] = { NULL, "inmigrate" },
		[KILL_SOURCE] = { NULL, "inmigrate" },
		[QUIT_DESTINATION] = { "running", NULL },
		[KILL_DESTINATION] = { "running", NULL },
		[KILL_JUDGE] = { "postmigrate", "running" },
	},
	[COMMITTED] = {
		[CANCEL] = { "postmigrate", "running" },
		[STOP_SOURCE] = { "postmigrate", "running" },
		[QUIT_SOURCE] = { NULL, "running" },
		[KILL_SOURCE] = { NULL, "running" },
		[QUIT_DESTINATION] = { "paused", NULL },
		[KILL_DESTINATION] = { "paused", NULL },
		[KILL_JUDGE] = { "postmigrate", "running" },
	},
	[COMPLETED] = {
		[CANCEL] = { "postmigrate", "running" },
		[STOP_SOURCE] = { "postmigrate", "running" },
		[QUIT_SOURCE] = { NULL, "running" },
		[KILL_SOURCE] = { NULL, "running" },
		[QUIT_DESTINATION] = { "postmigrate", NULL },
		[KILL_DESTINATION] = { "postmigrate", NULL },
		[KILL_JUDGE] = { "postmigrate", "running" },
	},
};

/* Listens to the source: its first line says so. */
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

static void await_held(struct vm *vm, const char *arc)
{
	char held[128];

	do {
		attribute(vm, "vf0", "held", held, sizeof(held));
	} while (strncmp(held, arc, strlen(arc)) || held[strlen(arc)] == '_');
}

static void leave(struct vm *vm, bool by_quit)
{
	if (by_quit) {
		do_call(vm, "quit", NULL);
		assert_true(child_ended(&vm->child, clock_ns() + PATIENCE_NS));
		assert_int_equal(vm->child.status, 0);
		assert_int_not_equal(access(path_of(vm->child.name), F_OK), 0);
	}
	qmp_client_free(vm->client);
	vm->client = NULL;
	child_end(&vm->child);
	if (!by_quit)
		unlink(path_of(vm->child.name));
}

static void act(enum action action, struct vm *s, struct vm *d, struct child *judge)
{
	switch (action) {
	case CANCEL:
		do_call(s, "migrate_cancel", NULL);
		break;
	case STOP_SOURCE:
		do_call(s, "stop", NULL);
		break;
	case QUIT_SOURCE:
	case KILL_SOURCE:
		leave(s, action == QUIT_SOURCE);
		break;
	case QUIT_DESTINATION:
	case KILL_DESTINATION:
		leave(d, action == QUIT_DESTINATION);
		break;
	default:
		child_end(judge);
	}
}

static void await_end(struct vm *vm)
{
	char text[128];

	do {
		next_event(vm, text, sizeof(text));
	} while (strcmp(text, "M completed") && strcmp(text, "M failed") &&
		 strcmp(text, "M cancelled"));
}

/* When its device first ran after @since_ns, having stood; and when it last stood again. */
static void find_run(struct vm *vm, uint64_t since_ns, uint64_t *ret_begin, uint64_t *ret_end)
{
	struct lab_arc *arcs;
	char text[65536];
	size_t count;

	attribute(vm, "vf0", "history", text, sizeof(text));
	assert_int_equal(lab_parse_history(text, &arcs, &count, NULL), 0);
	*ret_begin = *ret_end = UINT64_MAX;
	for (size_t i = 0; i < count; i++) {
		if (arcs[i].begin_ns < since_ns)
			continue;
		if (arcs[i].from == VFIO_DEVICE_STATE_STOP &&
		    arcs[i].to == VFIO_DEVICE_STATE_RUNNING_P2P && *ret_begin == UINT64_MAX)
			*ret_begin = arcs[i].begin_ns;
		if (arcs[i].to == VFIO_DEVICE_STATE_STOP && *ret_begin != UINT64_MAX)
			*ret_end = arcs[i].end_ns;
	}
	free(arcs);
}

static void expect_no_split_brain(struct vm *s, struct vm *d, uint64_t since_ns)
{
	uint64_t s_begin, s_end, d_begin, d_end;

	find_run(s, since_ns, &s_begin, &s_end);
	find_run(d, since_ns, &d_begin, &d_end);
	assert_false(s_begin < d_end && d_begin < s_end &&
		     s_begin != UINT64_MAX && d_begin != UINT64_MAX);
}

/* A machine that has a guest can be migrated on; one that has none says why not. */
static void use_survivor(struct vm *vm, const char *runstate)
{
	struct vm next;

	if (!vm->client)
		return;
	if (!strcmp(runstate, "postmigrate")) {
		expect_refused(vm, "migrate", "{\"uri\": \"unix:/nowhere\"}", "previous migration");
	} else if (!strcmp(runstate, "inmigrate")) {
		expect_refused(vm, "migrate", "{\"uri\": \"unix:/nowhere\"}",
			       "Guest is waiting for an incoming migration");
	} else {
		start(&next, "next", QUICK, 1, "vf", "--incoming=defer");
		listen_for_migration(&next);
		migrate(vm);
		await_end(vm);
		await_end(&next);
		expect_member(vm, "query-status", "status", "postmigrate");
		expect_member(&next, "query-status", "status", runstate);
		expect_equal_fingerprints(vm, &next);
		leave(&next, true);
	}
	leave(vm, true);
}

static void expect_nothing_left(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while ((e = readdir(d))) {
		if (*e->d_name != '.' && !strstr(e->d_name, ".log"))
			fail_msg("%s is left", e->d_name);
	}
	closedir(d);
}

static void run_row(const struct point *p, enum action action)
{
	const struct outcome *want = &outcomes[p->phase][action];
	struct child judge = { .out = -1 };
	struct vm s, d;
	uint64_t since_ns;
	char held[160];

	print_message("# %s at %s of the %s\n", action_names[action], p->arc,
		      p->at_source ? "source" : "destination");
	snprintf(held, sizeof(held), "emu:rules=arc=%s hold limit_us=3600000000 times=1", p->arc);
	start_source(&s, p->at_source ? held : QUICK, 1, NULL);
	start_destination(&d, p->at_source ? QUICK : held, 1, "vf");
	if (action == KILL_JUDGE)
		start_judge(&judge);
	since_ns = clock_ns();
	migrate(&s);
	await_held(p->at_source ? &s : &d, p->arc);
	act(action, &s, &d, &judge);
	if ((p->at_source ? &s : &d)->client)
		release(p->at_source ? &s : &d, "vf0");
	if (want->source) {
		await_end(&s);
		expect_member(&s, "query-status", "status", want->source);
	}
	if (want->destination) {
		await_end(&d);
		expect_member(&d, "query-status", "status", want->destination);
	}
	if (want->source && want->destination)
		expect_no_split_brain(&s, &d, since_ns);
	use_survivor(&s, want->source);
	use_survivor(&d, want->destination);
	expect_nothing_left();
}

static void sweep(enum action action)
{
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		run_row(&points[i], action);
}

static void test_cancel(void **state)
{
	(void)state;
	sweep(CANCEL);
}

static void test_stop(void **state)
{
	(void)state;
	sweep(STOP_SOURCE);
}

static void test_quit_source(void **state)
{
	(void)state;
	sweep(QUIT_SOURCE);
}

static void test_quit_destination(void **state)
{
	(void)state;
	sweep(QUIT_DESTINATION);
}

static void test_kill_source(void **state)
{
	(void)state;
	sweep(KILL_SOURCE);
}

static void test_kill_destination(void **state)
{
	(void)state;
	sweep(KILL_DESTINATION);
}

static void test_kill_judge(void **state)
{
	(void)state;
	sweep(KILL_JUDGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_quit_source),
		cmocka_unit_test(test_quit_destination),
		cmocka_unit_test(test_kill_source),
		cmocka_unit_test(test_kill_destination),
		cmocka_unit_test(test_kill_judge),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
