// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy "group" by the devices' own history: together, a barrier, and back again
 * from each arc; and a program that answers while all of its devices hang.
 */
#include "vm.h"

#include "device/lab.h"
#include "device/uapi.h"

#define COUNT	4
#define QUIESCE_RULE "arc=PRE_COPY>PRE_COPY_P2P hold limit_us=3600000000"

static void id_of(unsigned int device, char id[16])
{
	snprintf(id, 16, "vf%u", device);
}

static void set_rules(struct vm *vm, unsigned int device, const char *rules)
{
	char args[256];

	snprintf(args, sizeof(args),
		 "{\"device\": \"vf%u\", \"attribute\": \"rules\", \"text\": \"%s\"}", device,
		 rules);
	do_call(vm, "x-miglab-write", args);
}

/* Arcs that began at @since_ns or later; for the caller to free. */
static struct lab_arc *arcs_of(struct vm *vm, unsigned int device, uint64_t since_ns,
			       size_t *ret_count)
{
	struct lab_arc *arcs;
	char text[65536], id[16];
	size_t count, old = 0;

	id_of(device, id);
	attribute(vm, id, "history", text, sizeof(text));
	assert_int_equal(lab_parse_history(text, &arcs, &count, NULL), 0);
	while (old < count && arcs[old].begin_ns < since_ns)
		old++;
	memmove(arcs, arcs + old, (count - old) * sizeof(*arcs));
	*ret_count = count - old;
	return arcs;
}

/* Of the arcs to @to of all devices: when the first began, and when the last ended. */
static void span(struct vm *vm, uint64_t since_ns, uint32_t to, uint64_t *ret_begin,
		 uint64_t *ret_end)
{
	*ret_begin = UINT64_MAX;
	*ret_end = 0;
	for (unsigned int d = 0; d < vm->devices; d++) {
		size_t count, found = 0;
		struct lab_arc *arcs = arcs_of(vm, d, since_ns, &count);

		for (size_t i = 0; i < count; i++) {
			if (arcs[i].to != to || arcs[i].result)
				continue;
			found++;
			if (arcs[i].begin_ns < *ret_begin)
				*ret_begin = arcs[i].begin_ns;
			if (arcs[i].end_ns > *ret_end)
				*ret_end = arcs[i].end_ns;
		}
		free(arcs);
		assert_int_not_equal(found, 0);
	}
}

/* Every device was in @first before one went on to @then. */
static void expect_barrier(struct vm *vm, uint64_t since_ns, uint32_t first, uint32_t then)
{
	uint64_t begin, end, then_begin, then_end;

	span(vm, since_ns, first, &begin, &end);
	span(vm, since_ns, then, &then_begin, &then_end);
	if (end > then_begin)
		fail_msg("a device went to state %u before all were in %u", then, first);
}

static void await_held(struct vm *vm, unsigned int device, const char *arc)
{
	char held[128], id[16];

	id_of(device, id);
	do {
		attribute(vm, id, "held", held, sizeof(held));
	} while (strncmp(held, arc, strlen(arc)));
}

static void await_all_held(struct vm *vm, const char *arc)
{
	for (unsigned int d = 0; d < vm->devices; d++)
		await_held(vm, d, arc);
}

static void release_all(struct vm *vm)
{
	for (unsigned int d = 0; d < vm->devices; d++) {
		char id[16];

		id_of(d, id);
		release(vm, id);
	}
}

#define FOUR(state)	"V vf0 " state ", V vf1 " state ", V vf2 " state ", V vf3 " state
/* Answers of four workers come as they come. */
static void expect_each(struct vm *vm, const char *state)
{
	unsigned int seen = 0;

	for (unsigned int i = 0; i < vm->devices; i++) {
		char text[128], want[64];
		unsigned int d = vm->devices;

		next_event(vm, text, sizeof(text));
		sscanf(text, "V vf%u", &d);
		snprintf(want, sizeof(want), "V vf%u %s", d, state);
		assert_string_equal(text, want);
		seen |= 1u << d;
	}
	assert_int_equal(seen, (1u << vm->devices) - 1);
}

/* All four in the ioctl at once, each announced, and none further than the others. */
static void test_together(void **state)
{
	uint64_t since_ns;
	struct vm s, d;

	(void)state;
	start_source(&s, HELD, COUNT, NULL);
	start_destination(&d, QUICK, COUNT, "vf");
	since_ns = clock_ns();
	migrate(&s);
	expect_events(&s, "M setup");
	expect_each(&s, "pre-copy");
	expect_events(&s, "M active, " FOUR("pre-copy-p2p-prepare"));
	await_all_held(&s, "PRE_COPY>PRE_COPY_P2P");
	expect_no_event(&s);
	release_all(&s);
	expect_each(&s, "pre-copy-p2p");
	expect_each(&s, "stop-copy");
	expect_events(&s, "STOP, M device, M completed");
	expect_each(&s, "stop");
	expect_events(&d, "M setup, M active");
	expect_each(&d, "resuming");
	expect_events(&d, "RESUME");
	expect_each(&d, "running-p2p");
	expect_each(&d, "running");
	expect_events(&d, "M completed");
	expect_barrier(&s, since_ns, VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_PRE_COPY_P2P);
	expect_barrier(&s, since_ns, VFIO_DEVICE_STATE_PRE_COPY_P2P, VFIO_DEVICE_STATE_STOP_COPY);
	expect_barrier(&s, since_ns, VFIO_DEVICE_STATE_STOP_COPY, VFIO_DEVICE_STATE_STOP);
	expect_barrier(&d, 0, VFIO_DEVICE_STATE_RESUMING, VFIO_DEVICE_STATE_RUNNING);
	expect_barrier(&d, 0, VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_RUNNING);
	expect_equal_fingerprints(&s, &d);
	end(&s);
	end(&d);
}

/* --- a failure at each arc ------------------------------------------------------ */

/* Loses what it was sent, when it is all there. */
#define LOSES	"arc=RESUMING>STOP errno=EIO"

static const struct fault {
	const char *arc;	/* of device 2 of 4 */
	const char *device;	/* DEV; NULL: QUICK */
	bool at_destination;
	/* What leads there: rules of device 1 of 4 of either side, or NULL. */
	const char *trigger, *destination;
} faults[] = {
	{ .arc = "RUNNING>PRE_COPY" },
	{ .arc = "PRE_COPY>PRE_COPY_P2P" },
	{ .arc = "PRE_COPY_P2P>STOP_COPY" },
	{ .arc = "STOP_COPY>STOP", .destination = LOSES },
	{ .arc = "STOP>RUNNING_P2P", .destination = LOSES },
	{ .arc = "RUNNING_P2P>RUNNING", .destination = LOSES },
	{ .arc = "PRE_COPY_P2P>RUNNING_P2P",
	  .trigger = "arc=PRE_COPY>PRE_COPY_P2P errno=EIO times=1" },
	{ .arc = "RUNNING>RUNNING_P2P", .device = "emu:profile=no-precopy" },
	{ .arc = "RUNNING_P2P>STOP", .device = "emu:profile=no-precopy" },
	{ .arc = "STOP>STOP_COPY", .device = "emu:profile=no-precopy" },
	{ .arc = "RUNNING>RUNNING_P2P", .at_destination = true },
	{ .arc = "RUNNING_P2P>STOP", .at_destination = true },
	{ .arc = "STOP>RESUMING", .at_destination = true },
	{ .arc = "RESUMING>STOP", .at_destination = true },
	{ .arc = "STOP>RUNNING_P2P", .at_destination = true },
	{ .arc = "RUNNING_P2P>RUNNING", .at_destination = true },
};

/* What the events said: the last state of each device, and how often each was announced. */
struct heard {
	char last[COUNT][64];
	unsigned int prepares[COUNT];
};

static void listen_until(struct vm *vm, const char *last, struct heard *h)
{
	char text[128] = "";

	memset(h, 0, sizeof(*h));
	while (strcmp(text, last)) {
		unsigned int d;
		char what[64];

		next_event(vm, text, sizeof(text));
		if (!strcmp(text, "M completed") || !strcmp(text, "M cancelled"))
			fail_msg("%s instead of %s", text, last);
		if (sscanf(text, "V vf%u %63s", &d, what) != 2)
			continue;
		assert_true(d < COUNT);
		if (!strcmp(what, "pre-copy-p2p-prepare"))
			h->prepares[d]++;
		else
			strcpy(h->last[d], what);
	}
}

/* Announced as often as it was tried. */
static void expect_announced(struct vm *vm, unsigned int device, uint64_t since_ns,
			     unsigned int prepares)
{
	size_t count;
	struct lab_arc *arcs = arcs_of(vm, device, since_ns, &count);

	for (size_t i = 0; i < count; i++) {
		if (arcs[i].from == VFIO_DEVICE_STATE_PRE_COPY &&
		    arcs[i].to == VFIO_DEVICE_STATE_PRE_COPY_P2P)
			prepares--;
	}
	assert_int_equal(prepares, 0);
	free(arcs);
}

/*
 * The last way back of each device led through RUNNING_P2P before any ran. When the
 * destination gives up early they may all have been running, and stay so.
 */
static void expect_gathered(struct vm *vm, uint64_t since_ns, bool may_run_on)
{
	uint64_t first_run = UINT64_MAX, last_p2p = 0;
	unsigned int gathered = 0;
	bool disturbed = false;

	for (unsigned int d = 0; d < vm->devices; d++) {
		size_t count;
		struct lab_arc *arcs = arcs_of(vm, d, since_ns, &count);
		uint64_t p2p = 0;

		for (size_t i = 0; i < count; i++) {
			if (arcs[i].result)
				continue;
			disturbed |= arcs[i].to != VFIO_DEVICE_STATE_RUNNING &&
				     arcs[i].to != VFIO_DEVICE_STATE_PRE_COPY;
			if (arcs[i].to == VFIO_DEVICE_STATE_RUNNING && arcs[i].begin_ns < first_run)
				first_run = arcs[i].begin_ns;
			if (arcs[i].to == VFIO_DEVICE_STATE_RUNNING_P2P)
				p2p = arcs[i].end_ns;
		}
		free(arcs);
		gathered += p2p != 0;
		if (p2p > last_p2p)
			last_p2p = p2p;
	}
	if (!disturbed && may_run_on)
		return;
	assert_int_equal(gathered, vm->devices);
	assert_true(last_p2p <= first_run);
}

static void expect_state(struct vm *vm, unsigned int device, const char *want)
{
	char state[64], id[16];

	id_of(device, id);
	attribute(vm, id, "state", state, sizeof(state));
	state[strcspn(state, "\n")] = '\0';
	assert_string_equal(state, want);
}

/* That the rule of this row was obeyed at all. */
static void expect_failed_arc(struct vm *vm, unsigned int device, uint64_t since_ns)
{
	size_t count, failed = 0;
	struct lab_arc *arcs = arcs_of(vm, device, since_ns, &count);

	for (size_t i = 0; i < count; i++)
		failed += arcs[i].result != 0;
	free(arcs);
	assert_int_not_equal(failed, 0);
}

static void run_fault(const struct fault *f, const char *how)
{
	const char *device = f->device ? f->device : QUICK;
	uint64_t since_ns;
	struct heard h, away;
	struct vm s, d;
	char rule[128];

	print_message("# %s %s at the %s\n", f->arc, how,
		      f->at_destination ? "destination" : "source");
	start_source(&s, device, COUNT, NULL);
	start_destination(&d, device, COUNT, "vf");
	snprintf(rule, sizeof(rule), "arc=%s errno=EIO %s", f->arc, how);
	set_rules(f->at_destination ? &d : &s, 1, rule);
	if (f->trigger)
		set_rules(&s, 0, f->trigger);
	if (f->destination)
		set_rules(&d, 0, f->destination);
	since_ns = clock_ns();
	migrate(&s);
	listen_until(&s, "M failed", &h);
	listen_until(&d, "M failed", &away);
	expect_failed_arc(f->at_destination ? &d : &s, 1, since_ns);
	expect_gathered(&s, since_ns, f->at_destination);
	for (unsigned int i = 0; i < COUNT; i++) {
		expect_state(&s, i, "RUNNING");
		assert_string_equal(h.last[i], "running");
		expect_announced(&s, i, since_ns, h.prepares[i]);
	}
	expect_member(&s, "query-status", "status", "running");
	expect_member(&d, "query-migrate", "status", "failed");
	expect_member(&d, "query-status", "status", "inmigrate");
	end(&s);
	end(&d);
}

static void test_fails_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		run_fault(&faults[i], "times=1");
}

static void test_breaks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		run_fault(&faults[i], "times=1 then=ERROR");
}

/* --- the control plane ---------------------------------------------------------- */

/* Where all devices of the source, or of the destination, can be held at once. */
static const struct {
	const char *arc;
	bool at_destination;
	const char *status;	/* what query-migrate of the source says meanwhile */
	const char *ends;	/* with a cancel */
	const char *runstate;
} holds[] = {
	{ "RUNNING>PRE_COPY", false, "setup", "M cancelled", "running" },
	{ "PRE_COPY>PRE_COPY_P2P", false, "active", "M cancelled", "running" },
	{ "PRE_COPY_P2P>STOP_COPY", false, "active", "M cancelled", "running" },
	{ "STOP>RESUMING", true, "active", "M cancelled", "running" },
	{ "RESUMING>STOP", true, "device", "M completed", "postmigrate" },
};

static void await_status(struct vm *vm, const char *want)
{
	bool is;

	do {
		struct json_object *answer = call(vm, "query-migrate", NULL);
		const char *got = json_object_get_string(json_object_object_get(answer, "status"));

		is = got && !strcmp(got, want);
		json_object_put(answer);
	} while (!is);
}

static void await_end(struct vm *vm, const char *want)
{
	char text[128];

	do {
		next_event(vm, text, sizeof(text));
	} while (strcmp(text, "M completed") && strcmp(text, "M failed") &&
		 strcmp(text, "M cancelled"));
	assert_string_equal(text, want);
}

static void test_answers_while_held(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(holds) / sizeof(holds[0]); i++) {
		struct vm s, d, *held = holds[i].at_destination ? &d : &s;
		char rule[128];

		print_message("# %s\n", holds[i].arc);
		snprintf(rule, sizeof(rule), "arc=%s hold limit_us=3600000000 times=1",
			 holds[i].arc);
		start_source(&s, QUICK, COUNT, NULL);
		start_destination(&d, QUICK, COUNT, "vf");
		for (unsigned int n = 0; n < COUNT; n++)
			set_rules(held, n, rule);
		migrate(&s);
		await_all_held(held, holds[i].arc);
		await_status(&s, holds[i].status);
		do_call(&s, "query-status", NULL);
		do_call(&d, "query-migrate", NULL);
		do_call(&d, "query-status", NULL);
		do_call(&s, "migrate_cancel", NULL);
		if (!strcmp(holds[i].ends, "M cancelled"))
			await_status(&s, holds[i].at_destination ? "cancelled" : "cancelling");
		release_all(held);
		await_end(&s, holds[i].ends);
		if (!strcmp(holds[i].ends, "M completed"))
			expect_each(&s, "stop");
		expect_member(&s, "query-status", "status", holds[i].runstate);
		for (unsigned int n = 0; n < COUNT && !strcmp(holds[i].runstate, "running"); n++)
			expect_state(&s, n, "RUNNING");
		await_end(&d, !strcmp(holds[i].ends, "M completed") ? "M completed" : "M failed");
		end(&s);
		end(&d);
	}
}

/* Its ioctls hang for ever, and it goes all the same. */
static void test_quit_while_held(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, HELD, COUNT, NULL);
	start_destination(&d, QUICK, COUNT, "vf");
	migrate(&s);
	await_all_held(&s, "PRE_COPY>PRE_COPY_P2P");
	do_call(&s, "quit", NULL);
	qmp_client_free(s.client);
	assert_true(child_ended(&s.child, clock_ns() + PATIENCE_NS));
	await_end(&d, "M failed");
	end(&d);
}

static void test_without_p2p(void **state)
{
	struct vm s;

	(void)state;
	start(&s, "source", "emu:profile=no-p2p", 2, "vf", NULL);
	expect_refused(&s, "migrate", "{\"uri\": \"unix:/nowhere\"}",
		       "Multiple VFIO devices migration is supported only if all of them support P2P migration");
	do_call(&s, "quit", NULL);
	qmp_client_free(s.client);
	assert_true(child_ended(&s.child, clock_ns() + PATIENCE_NS));
}

static int begin(void **state)
{
	policy = "--policy=group";
	return make_dir(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_fails_once),
		cmocka_unit_test(test_breaks),
		cmocka_unit_test(test_answers_while_held),
		cmocka_unit_test(test_quit_while_held),
		cmocka_unit_test(test_without_p2p),
	};

	return cmocka_run_group_tests(tests, begin, remove_dir);
}
