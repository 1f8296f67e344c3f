// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy "group": its order as golden rows, and a sweep that lets each change of
 * state of each device fail in each way.
 */
#include "coordinator_rows.h"

#define GROUP .policy = "group"

static const struct row order_rows[] = {
	{ "boot", 7, 1, GROUP, .script = "cont all", .runstate = RUN_RUNNING,
	  .wire = "RESUME, V vf0 running-p2p, V vf0 running" },
	{ "boot of two: a barrier before RUNNING", 7, 2, GROUP, .script = "cont all",
	  .runstate = RUN_RUNNING,
	  .all = "RESUME, set vf0 RUNNING_P2P, set vf1 RUNNING_P2P, V vf0 running-p2p, "
		 "V vf1 running-p2p, set vf0 RUNNING, set vf1 RUNNING, V vf0 running, "
		 "V vf1 running" },
	{ "one: as the other policy", 7, 1, GROUP, .script = START "all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .all = "M setup, set vf0 PRE_COPY, V vf0 pre-copy, M active, pass vf0, "
		 "V vf0 pre-copy-p2p-prepare, set vf0 PRE_COPY_P2P, V vf0 pre-copy-p2p, "
		 "set vf0 STOP_COPY, V vf0 stop-copy, STOP, M device, save vf0, tell done, "
		 "M completed, set vf0 STOP, V vf0 stop, close" },
	{ "two: announced, then together, and a barrier", 7, 2, GROUP,
	  .script = START "all loaded all", .runstate = RUN_POSTMIGRATE,
	  .all = "M setup, set vf0 PRE_COPY, set vf1 PRE_COPY, V vf0 pre-copy, V vf1 pre-copy, "
		 "M active, pass vf0, pass vf1, "
		 "V vf0 pre-copy-p2p-prepare, V vf1 pre-copy-p2p-prepare, "
		 "set vf0 PRE_COPY_P2P, set vf1 PRE_COPY_P2P, "
		 "V vf0 pre-copy-p2p, V vf1 pre-copy-p2p, "
		 "set vf0 STOP_COPY, set vf1 STOP_COPY, V vf0 stop-copy, V vf1 stop-copy, STOP, "
		 "M device, save vf0, save vf1, tell done, M completed, set vf0 STOP, set vf1 STOP, "
		 "V vf0 stop, V vf1 stop, close" },
	{ "four", 7, 4, GROUP, .script = START "all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, V vf2 pre-copy, V vf3 pre-copy, "
		  "M active, V vf0 pre-copy-p2p-prepare, V vf1 pre-copy-p2p-prepare, "
		  "V vf2 pre-copy-p2p-prepare, V vf3 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf1 pre-copy-p2p, V vf2 pre-copy-p2p, V vf3 pre-copy-p2p, V vf0 stop-copy, "
		  "V vf1 stop-copy, V vf2 stop-copy, V vf3 stop-copy, STOP, M device, "
		  "M completed, V vf0 stop, V vf1 stop, V vf2 stop, V vf3 stop" },
	{ "nothing is announced when that is switched off", 7, 2, .no_prepare = true, GROUP,
	  .script = START "all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, V vf0 pre-copy-p2p, "
		  "V vf1 pre-copy-p2p, V vf0 stop-copy, V vf1 stop-copy, STOP, M device, "
		  "M completed, V vf0 stop, V vf1 stop" },
	{ "without PRE_COPY", 3, 2, GROUP, .script = START "all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .all = "M setup, M active, set vf0 RUNNING_P2P, set vf1 RUNNING_P2P, "
		 "V vf0 running-p2p, V vf1 running-p2p, set vf0 STOP, set vf1 STOP, V vf0 stop, "
		 "V vf1 stop, STOP, M device, set vf0 STOP_COPY, set vf1 STOP_COPY, "
		 "V vf0 stop-copy, V vf1 stop-copy, save vf0, save vf1, tell done, M completed, "
		 "set vf0 STOP, set vf1 STOP, V vf0 stop, V vf1 stop, close" },
	{ "a destination of two", 7, 2, true, GROUP, .script = "incoming ready all done all",
	  .runstate = RUN_RUNNING,
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, set vf1 RESUMING, "
		 "V vf0 resuming, V vf1 resuming, load vf0, load vf1, RESUME, "
		 "set vf0 RUNNING_P2P, set vf1 RUNNING_P2P, V vf0 running-p2p, V vf1 running-p2p, "
		 "set vf0 RUNNING, set vf1 RUNNING, V vf0 running, V vf1 running, tell loaded, "
		 "M completed, close" },
	{ "a destination that stays paused", 7, 2, true, GROUP, .runstate = RUN_PAUSED,
	  .script = "incoming ready all done-paused all",
	  .wire = "M setup, M active, V vf0 resuming, V vf1 resuming, V vf0 stop, V vf1 stop, "
		  "M completed" },
	{ "stop and cont in pre-copy", 7, 2, GROUP, .runstate = RUN_POSTMIGRATE,
	  .script = START "ok ok more more stop more more cont all loaded all",
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf0 pre-copy-p2p-prepare, V vf1 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf1 pre-copy-p2p, V vf0 stop-copy, V vf1 stop-copy, STOP, RESUME, "
		  "V vf0 running-p2p, V vf1 running-p2p, V vf0 running, V vf1 running, "
		  "V vf0 running-p2p, V vf1 running-p2p, V vf0 stop, V vf1 stop, STOP, M device, "
		  "V vf0 stop-copy, V vf1 stop-copy, M completed, V vf0 stop, V vf1 stop" },
	{ "switchover-ack", 7, 2, .with_ack = true, GROUP, .runstate = RUN_POSTMIGRATE,
	  .script = START "ok ok ok ok ack ack all loaded all",
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf0 pre-copy-p2p-prepare, V vf1 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf1 pre-copy-p2p, V vf0 stop-copy, V vf1 stop-copy, STOP, M device, "
		  "M completed, V vf0 stop, V vf1 stop" },
	{ "initial bytes again when all are quiet", 7, 1, .with_ack = true, GROUP,
	  .script = START "ok ack ok ok reinit all", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, M failing, V vf0 running-p2p, V vf0 running, M failed",
	  .error = "Switchover ACK was requested by 1 devices during switchover" },
};

static const struct row failure_rows[] = {
	{ "no connection", 7, 2, GROUP, .script = BOOT "migrate lost all", .error = "gone",
	  .runstate = RUN_RUNNING, .wire = "M setup, M failing, M failed" },
	/* Nobody was asked to be quiet, so nobody is. */
	{ "the destination dies in pre-copy", 7, 2, GROUP, .runstate = RUN_RUNNING,
	  .script = START "ok ok more lost fail fail all",
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, M failing, V vf0 running, "
		  "V vf1 running, M failed", .error = "gone" },
	{ "PRE_COPY of the second fails", 7, 2, GROUP, .runstate = RUN_RUNNING,
	  .script = START "ok fail all",
	  .wire = "M setup, V vf0 pre-copy, V vf1 running, M failing, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, V vf1 running-p2p, "
		  "V vf0 running-p2p, V vf0 running, V vf1 running, M failed",
	  .error = "vf1 broke" },
	{ "PRE_COPY_P2P of the first fails: it says so, and all gather", 7, 2, GROUP,
	  .runstate = RUN_RUNNING, .script = START "ok ok ok ok fail all",
	  .all = "M setup, set vf0 PRE_COPY, set vf1 PRE_COPY, V vf0 pre-copy, V vf1 pre-copy, "
		 "M active, pass vf0, pass vf1, V vf0 pre-copy-p2p-prepare, "
		 "V vf1 pre-copy-p2p-prepare, set vf0 PRE_COPY_P2P, set vf1 PRE_COPY_P2P, "
		 "V vf0 pre-copy, V vf1 pre-copy-p2p, M failing, tell failed, close, state vf0, "
		 "state vf1, V vf0 pre-copy-p2p-prepare, set vf0 PRE_COPY_P2P, "
		 "V vf0 pre-copy-p2p, set vf0 RUNNING_P2P, set vf1 RUNNING_P2P, V vf0 running-p2p, "
		 "V vf1 running-p2p, set vf0 RUNNING, set vf1 RUNNING, V vf0 running, "
		 "V vf1 running, M failed", .error = "vf0 broke" },
	{ "PRE_COPY_P2P of the first breaks it", 7, 2, GROUP, .runstate = RUN_RUNNING,
	  .script = START "ok ok ok ok dead all",
	  .all = "M setup, set vf0 PRE_COPY, set vf1 PRE_COPY, V vf0 pre-copy, V vf1 pre-copy, "
		 "M active, pass vf0, pass vf1, V vf0 pre-copy-p2p-prepare, "
		 "V vf1 pre-copy-p2p-prepare, set vf0 PRE_COPY_P2P, set vf1 PRE_COPY_P2P, "
		 "V vf1 pre-copy-p2p, M failing, tell failed, close, state vf0, state vf1, "
		 "reset vf0, V vf0 running, set vf0 RUNNING_P2P, V vf0 running-p2p, "
		 "set vf1 RUNNING_P2P, V vf1 running-p2p, set vf0 RUNNING, set vf1 RUNNING, "
		 "V vf0 running, V vf1 running, M failed", .error = "vf0 broke" },
	/* It never stood: there is no STOP, and so no RESUME. */
	{ "STOP_COPY of the second fails", 7, 2, GROUP, .runstate = RUN_RUNNING,
	  .script = START "ok ok ok ok ok ok ok fail all",
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf0 pre-copy-p2p-prepare, V vf1 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf1 pre-copy-p2p, V vf0 stop-copy, V vf1 pre-copy-p2p, M failing, "
		  "V vf0 running-p2p, V vf1 running-p2p, V vf0 running, V vf1 running, M failed",
	  .error = "vf1 broke" },
	{ "a device whose reset fails, three times, leaves the others to themselves", 7, 2, GROUP,
	  .runstate = RUN_RUNNING,
	  .script = START "ok ok ok ok dead ok ok ok dead ok dead ok dead",
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf0 pre-copy-p2p-prepare, V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, "
		  "M failing, V vf1 running-p2p, V vf1 running, M failed" },
	{ "a reset that works at the second time", 7, 2, GROUP,
	  .runstate = RUN_RUNNING, .script = START "ok ok ok ok dead ok ok ok dead all",
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf0 pre-copy-p2p-prepare, V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, "
		  "M failing, V vf1 running-p2p, V vf0 running, V vf0 running-p2p, "
		  "V vf0 running, V vf1 running, M failed" },
	{ "the destination loses the state", 7, 2, GROUP, .script = START "all failed all",
	  .runstate = RUN_RUNNING, .error = "it broke",
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf0 pre-copy-p2p-prepare, V vf1 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf1 pre-copy-p2p, V vf0 stop-copy, V vf1 stop-copy, STOP, M device, "
		  "M failing, RESUME, V vf0 running-p2p, V vf1 running-p2p, V vf0 running, "
		  "V vf1 running, M failed" },
	{ "the destination dies at the end", 7, 2, GROUP, .script = START "all lost all",
	  .runstate = RUN_PAUSED, .error = "gone; " DOUBT },
	{ "a destination whose second device refuses its state", 7, 2, true, GROUP,
	  .runstate = RUN_INMIGRATE, .script = "incoming ready ok ok ok fail all",
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, set vf1 RESUMING, "
		 "V vf0 resuming, V vf1 resuming, load vf0, load vf1, end vf0, end vf1, "
		 "state vf0, state vf1, tell failed, close, M failed", .error = "vf1 broke" },
	{ "and one that refuses it on the way out of RESUMING", 7, 2, true, GROUP,
	  .runstate = RUN_INMIGRATE, .script = "incoming ready ok ok ok ok done ok fail all",
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, set vf1 RESUMING, "
		 "V vf0 resuming, V vf1 resuming, load vf0, load vf1, RESUME, "
		 "set vf0 RUNNING_P2P, set vf1 RUNNING_P2P, V vf0 running-p2p, V vf1 resuming, "
		 "end vf1, state vf0, state vf1, reset vf1, V vf1 running, "
		 "set vf1 RUNNING_P2P, V vf1 running-p2p, set vf0 STOP, set vf1 STOP, V vf0 stop, "
		 "V vf1 stop, STOP, tell failed, close, M failed", .error = "vf1 broke" },
	{ "cancel while all are under way", 7, 2, GROUP, .runstate = RUN_RUNNING,
	  .script = START "ok ok ok ok cancel all",
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf0 pre-copy-p2p-prepare, V vf1 pre-copy-p2p-prepare, M cancelling, "
		  "V vf0 pre-copy-p2p, V vf1 pre-copy-p2p, V vf0 running-p2p, V vf1 running-p2p, "
		  "V vf0 running, V vf1 running, M cancelled" },
	{ "cancel in pre-copy quiesces nobody", 7, 2, GROUP, .runstate = RUN_RUNNING,
	  .script = START "ok ok cancel more more all",
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, M cancelling, "
		  "V vf0 running, V vf1 running, M cancelled" },
	{ "cancel in pre-switchover", 7, 2, .with_pause = true, GROUP, .runstate = RUN_RUNNING,
	  .script = START "all cancel all",
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf0 pre-copy-p2p-prepare, V vf1 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf1 pre-copy-p2p, V vf0 stop-copy, V vf1 stop-copy, STOP, M pre-switchover, "
		  "M cancelling, RESUME, V vf0 running-p2p, V vf1 running-p2p, V vf0 running, "
		  "V vf1 running, M cancelled" },
	{ "cancel of a machine that was paused", 7, 2, .with_pause = true, GROUP,
	  .script = BOOT "stop all migrate ready all | cancel all", .runstate = RUN_PAUSED,
	  .wire = "M cancelling, M cancelled" },
};

#define WAIT2 "M setup, set vf0 PRE_COPY, set vf1 PRE_COPY, V vf0 pre-copy, V vf1 pre-copy, " \
	"M active, pass vf0, pass vf1, V vf0 pre-copy-p2p-prepare, V vf1 pre-copy-p2p-prepare"

static const struct row prepared_rows[] = {
	{ "none begins before the last one may", 7, 2, .await_prepared = true, GROUP,
	  .script = START "all prepared1", .runstate = RUN_FINISH_MIGRATE, .all = WAIT2 },
	{ "then they begin together", 7, 2, .await_prepared = true, GROUP,
	  .script = START "all prepared1 prepared0 all loaded all", .runstate = RUN_POSTMIGRATE,
	  .all = WAIT2 ", set vf0 PRE_COPY_P2P, set vf1 PRE_COPY_P2P, V vf0 pre-copy-p2p, "
		 "V vf1 pre-copy-p2p, set vf0 STOP_COPY, set vf1 STOP_COPY, V vf0 stop-copy, "
		 "V vf1 stop-copy, STOP, M device, save vf0, save vf1, tell done, M completed, "
		 "set vf0 STOP, set vf1 STOP, V vf0 stop, V vf1 stop, close" },
	/* They were running all the time, and run on. */
	{ "cancel while they wait: none begins", 7, 2, .await_prepared = true, GROUP,
	  .script = START "all cancel all", .runstate = RUN_RUNNING,
	  .all = WAIT2 ", M cancelling, withdraw, tell failed, close, state vf0, state vf1, "
		 "set vf0 RUNNING, set vf1 RUNNING, "
		 "V vf0 running, V vf1 running, M cancelled" },
	{ "one after the other: each waits for its own", 7, 2, .await_prepared = true,
	  .script = START "all prepared1 ok prepared0 all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf1 stop-copy, V vf0 stop-copy, STOP, M device, "
		  "M completed, V vf0 stop, V vf1 stop" },
	{ "each state is announced", 7, 1, .prepare_all = true, GROUP,
	  .script = START "all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 x-pre-copy-prepare, V vf0 pre-copy, M active, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, V vf0 x-stop-copy-prepare, "
		  "V vf0 stop-copy, STOP, M device, M completed, V vf0 x-stop-prepare, "
		  "V vf0 stop" },
	{ "at the destination, too", 7, 1, true, .prepare_all = true, GROUP,
	  .script = "incoming ready all done all", .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 x-resuming-prepare, V vf0 resuming, RESUME, "
		  "V vf0 x-running-p2p-prepare, V vf0 running-p2p, V vf0 x-running-prepare, "
		  "V vf0 running, M completed" },
};

static void test_prepared(void **state)
{
	(void)state;
	RUN_ROWS(prepared_rows);
}

static void test_order(void **state)
{
	(void)state;
	RUN_ROWS(order_rows);
}

static void test_failure(void **state)
{
	(void)state;
	RUN_ROWS(failure_rows);
}

/* --- the sweep ---------------------------------------------------------------- */

enum way { ONCE, TWICE, BREAKS, WAYS };

static const char *const way_names[] = { "fails once", "fails twice", "breaks" };

struct trial {
	struct machine m;
	unsigned int device, nth;	/* the first change of state of it that fails */
	enum way way;
	unsigned int sets, failures;
	bool announced[VMM_DEVICES_MAX];
	bool gathered;			/* all were in RUNNING_P2P, and none went elsewhere yet */
	char what[128];
};

static void expect_true(struct trial *t, bool holds, const char *what)
{
	if (!holds)
		fail_msg("%s: %s\n%s", t->what, what, t->m.all);
}

static bool all_in(const struct trial *t, uint32_t state)
{
	for (unsigned int i = 0; i < t->m.c.count; i++) {
		if (t->m.real[i] != state)
			return false;
	}
	return true;
}

/* What holds of each output, at the time of it. */
static void check_output(struct trial *t, const struct output *o)
{
	const struct machine *m = &t->m;
	uint32_t to = o->kind == OUTPUT_WORK && o->op == WORK_SET ? o->state : UINT32_MAX;

	if (o->kind == OUTPUT_VFIO)
		expect_true(t, m->real[o->device] == o->state, "an event says what is not so");
	if (o->kind == OUTPUT_PREPARE) {
		expect_true(t, m->first == m->last, "an announcement comes after a command");
		t->announced[o->device] = true;
	}
	if (to == VFIO_DEVICE_STATE_PRE_COPY_P2P) {
		expect_true(t, t->announced[o->device], "what was not announced begins");
		t->announced[o->device] = false;
	}
	if (to == VFIO_DEVICE_STATE_RUNNING)
		expect_true(t, t->gathered, "a device runs before all were in RUNNING_P2P");
	else if (to != UINT32_MAX && to != VFIO_DEVICE_STATE_RUNNING_P2P)
		t->gathered = false;
}

static void trial_feed(struct trial *t, const struct input *in)
{
	struct outputs out = { .count = 0 };

	t->gathered |= all_in(t, VFIO_DEVICE_STATE_RUNNING_P2P);
	coordinator_step(&t->m.c, in, &out);
	for (unsigned int i = 0; i < out.count; i++) {
		check_output(t, &out.item[i]);
		note_output(&t->m, &out.item[i]);
	}
}

static bool is_to_fail(struct trial *t, const struct output *o)
{
	unsigned int n;

	if (o->op != WORK_SET || o->device != t->device)
		return false;
	n = t->sets++;
	return n == t->nth || (t->way == TWICE && n == t->nth + 1);
}

static void trial_answer(struct trial *t)
{
	const struct output *o = &t->m.queue[t->m.first++];
	uint32_t *real = &t->m.real[o->device];
	struct work_result r = { .op = o->op };
	struct input in = {
		.kind = INPUT_WORK_DONE, .device = o->device, .result = &r, .converged = true,
	};

	if (is_to_fail(t, o)) {
		t->failures++;
		r.error = -EIO;
		fail_set(&t->m, o, t->way == BREAKS);
	} else if (o->op == WORK_SET) {
		*real = *real == VFIO_DEVICE_STATE_ERROR ? *real : o->state;
		r.error = *real == o->state ? 0 : -EIO;
	} else if (o->op == WORK_RESET) {
		*real = VFIO_DEVICE_STATE_RUNNING;
	}
	r.state = *real;
	trial_feed(t, &in);
}

static void trial_drain(struct trial *t)
{
	while (t->m.first < t->m.last)
		trial_answer(t);
}

/* False when there was nothing left to fail. @ends_with: what the destination says at the end. */
static bool run_trial(unsigned int count, unsigned int device, unsigned int nth, enum way way,
		      enum message ends_with)
{
	struct trial t = { .device = device, .nth = nth, .way = way };
	uint32_t flags[VMM_DEVICES_MAX];

	snprintf(t.what, sizeof(t.what), "change %u of vf%u of %u %s, then message %d", nth, device,
		 count, way_names[way], ends_with);
	for (unsigned int i = 0; i < count; i++) {
		flags[i] = FLAGS_P2P_PRE_COPY;
		t.m.real[i] = VFIO_DEVICE_STATE_RUNNING;
	}
	coordinator_init(&t.m.c, policy_find("group"), false, false, flags, count);
	t.nth = UINT32_MAX - 1;
	trial_feed(&t, &(struct input){ .kind = INPUT_CONT });
	trial_drain(&t);
	t.nth = t.sets + nth;
	trial_feed(&t, &(struct input){ .kind = INPUT_MIGRATE });
	trial_feed(&t, &(struct input){ .kind = INPUT_MESSAGE, .message = MSG_READY });
	trial_drain(&t);
	if (coordinator_migrating(&t.m.c))
		trial_feed(&t, &(struct input){
			.kind = INPUT_MESSAGE, .message = ends_with, .text = "it broke",
		});
	trial_drain(&t);
	expect_true(&t, !coordinator_migrating(&t.m.c), "the migration has no end");
	if (t.m.c.status == STATUS_FAILED) {
		expect_true(&t, all_in(&t, VFIO_DEVICE_STATE_RUNNING), "not all are in RUNNING");
		expect_true(&t, t.m.c.runstate == RUN_RUNNING, "the machine does not run");
	} else {
		expect_true(&t, t.m.c.runstate == RUN_POSTMIGRATE, "it is neither nor");
	}
	return t.failures;
}

static void sweep(enum message ends_with, unsigned int want)
{
	static const unsigned int counts[] = { 1, 2, 4 };

	for (unsigned int i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		for (unsigned int device = 0; device < counts[i]; device++) {
			for (enum way way = 0; way < WAYS; way++) {
				unsigned int nth = 0;

				while (run_trial(counts[i], device, nth, way, ends_with))
					nth++;
				/* A sweep that finds nothing to fail would prove nothing. */
				assert_int_equal(nth, want);
			}
		}
	}
}

/* PRE_COPY, PRE_COPY_P2P, STOP_COPY, and STOP when it is completed. */
static void test_sweep_forth(void **state)
{
	(void)state;
	sweep(MSG_LOADED, 4);
}

/* The first three, and on the way back RUNNING_P2P and RUNNING. */
static void test_sweep_back(void **state)
{
	(void)state;
	sweep(MSG_FAILED, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_prepared),
		cmocka_unit_test(test_sweep_forth),
		cmocka_unit_test(test_sweep_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
