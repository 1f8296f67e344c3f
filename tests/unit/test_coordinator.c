// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the coordinator decides, as rows: inputs on the left, the events of the
 * wire on the right. The events are those of QEMU 11.1 except where a row says so.
 */
#include "unit.h"

#include <errno.h>

#include "device/state.h"
#include "qmp/events.h"
#include "vmm/coordinator.h"

#define FLAGS_P2P_PRE_COPY (VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY)

struct row {
	const char *name;
	uint32_t flags;		/* of each device */
	unsigned int count;
	bool incoming, no_prepare, with_pause, with_ack;
	/*
	 * Inputs, separated by blanks. ok, fail, dead: the oldest command is
	 * answered with success, an error after which the device is where it
	 * recovers to, an error after which even its reset failed. more: the pass
	 * ended with too much left. reinit: the device has initial bytes again.
	 * initial: the source says that all initial bytes were sent. all: ok until
	 * no command is left. The rest are commands and messages.
	 */
	const char *script;
	const char *wire;	/* events only: V device state, M status, STOP, RESUME */
	const char *all;	/* NULL, or all outputs */
	const char *error;	/* NULL, or how coordinator.error ends up */
	enum runstate runstate;
};

#define DOUBT "whether the destination runs is not known, so this machine stays stopped: cont " \
	"starts it when the destination does not run"

struct machine {
	struct coordinator c;
	struct output queue[256];	/* commands without an answer: [first, last) */
	unsigned int first, last;
	char wire[4096], all[8192];
};

__attribute__((format(printf, 3, 4)))
static void note(struct machine *m, bool wire, const char *fmt, ...)
{
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (int i = 0; i < 2; i++) {
		char *to = i ? m->wire : m->all;

		if (i && !wire)
			continue;
		if (*to)
			strcat(to, ", ");
		strcat(to, text);
	}
}

static void note_work(struct machine *m, const struct output *o)
{
	static const char *const names[] = {
		[WORK_PASS] = "pass", [WORK_INFO] = "info", [WORK_SAVE] = "save",
		[WORK_LOAD] = "load", [WORK_END] = "end",
	};

	if (o->op == WORK_SET)
		note(m, false, "set vf%u %s", o->device, device_state_name(o->state));
	else
		note(m, false, "%s%s vf%u", names[o->op],
		     o->op == WORK_SAVE && m->c.again ? " again" : "", o->device);
	m->queue[m->last++] = *o;
}

static void note_output(struct machine *m, const struct output *o)
{
	static const char *const messages[] = { "ready", "done", "loaded", "failed", "ack" };

	switch (o->kind) {
	case OUTPUT_WORK:
		note_work(m, o);
		break;
	case OUTPUT_VFIO:
		note(m, true, "V vf%u %s", o->device, qmp_vfio_state_name(o->state));
		break;
	case OUTPUT_PREPARE:
		note(m, true, "V vf%u %s", o->device,
		     qmp_vfio_state_name(QMP_VFIO_PRE_COPY_P2P_PREPARE));
		break;
	case OUTPUT_STATUS:
		note(m, true, "M %s", status_name(o->status));
		break;
	case OUTPUT_STOP:
		note(m, true, "STOP");
		break;
	case OUTPUT_RESUME:
		note(m, true, "RESUME");
		break;
	case OUTPUT_TELL:
		note(m, false, "tell %s%s", messages[o->message],
		     o->message == MSG_DONE && !o->running ? " paused" : "");
		break;
	case OUTPUT_ABORT:
		note(m, false, "abort");
		break;
	case OUTPUT_CLOSE:
		note(m, false, "close");
		break;
	}
}

static void feed(struct machine *m, const struct input *in)
{
	struct outputs out = { .count = 0 };

	coordinator_step(&m->c, in, &out);
	for (unsigned int i = 0; i < out.count; i++)
		note_output(m, &out.item[i]);
}

static void answer(struct machine *m, const char *how)
{
	const struct output *o = &m->queue[m->first++];
	struct work_result r = { .op = o->op, .state = o->state };
	struct input in = {
		.kind = INPUT_WORK_DONE, .device = o->device, .result = &r,
		.converged = strcmp(how, "more"),
	};

	r.reinit = !strcmp(how, "reinit");
	r.initial = !strcmp(how, "initial");

	assert_true(m->first <= m->last);
	if (!strcmp(how, "fail") || !strcmp(how, "dead")) {
		r.error = -EIO;
		snprintf(r.text.text, sizeof(r.text.text), "vf%u broke", o->device);
		r.state = o->recover ? o->recover : VFIO_DEVICE_STATE_RUNNING;
	}
	if (!strcmp(how, "dead"))
		r.state = VFIO_DEVICE_STATE_ERROR;
	feed(m, &in);
}

static void play(struct machine *m, const char *word)
{
	static const struct { const char *word; struct input in; } inputs[] = {
		{ "migrate", { .kind = INPUT_MIGRATE } },
		{ "incoming", { .kind = INPUT_INCOMING } },
		{ "cancel", { .kind = INPUT_CANCEL } },
		{ "stop", { .kind = INPUT_STOP } },
		{ "cont", { .kind = INPUT_CONT } },
		{ "continue", { .kind = INPUT_CONTINUE } },
		{ "ack", { .kind = INPUT_MESSAGE, .message = MSG_ACK } },
		{ "ready", { .kind = INPUT_MESSAGE, .message = MSG_READY } },
		{ "done", { .kind = INPUT_MESSAGE, .message = MSG_DONE, .running = true } },
		{ "done-paused", { .kind = INPUT_MESSAGE, .message = MSG_DONE } },
		{ "loaded", { .kind = INPUT_MESSAGE, .message = MSG_LOADED } },
		{ "failed", { .kind = INPUT_MESSAGE, .message = MSG_FAILED, .text = "it broke" } },
		{ "lost", { .kind = INPUT_LOST, .text = "gone" } },
		{ "silent", { .kind = INPUT_SILENT, .text = "said nothing" } },
	};

	if (!strcmp(word, "all")) {
		while (m->first < m->last)
			answer(m, "ok");
		return;
	}
	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
		if (!strcmp(inputs[i].word, word)) {
			feed(m, &inputs[i].in);
			return;
		}
	}
	answer(m, word);
}

/* @want may be NULL: anything. */
static void expect(const struct row *row, const char *got, const char *want)
{
	if (want && strcmp(got, want))
		fail_msg("%s:\n got: %s\nwant: %s", row->name, got, want);
}

static void run_row(const struct row *row)
{
	uint32_t flags[VMM_DEVICES_MAX];
	char script[512], *save, *word;
	struct machine m;

	memset(&m, 0, sizeof(m));
	for (unsigned int i = 0; i < row->count; i++)
		flags[i] = row->flags;
	coordinator_init(&m.c, policy_find("qemu"), row->no_prepare, row->incoming, flags,
			 row->count);
	m.c.with_pause = row->with_pause;
	m.c.with_ack = row->with_ack;
	snprintf(script, sizeof(script), "%s", row->script);
	for (word = strtok_r(script, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		/* The boot is in a row of its own. */
		if (!strcmp(word, "|"))
			*m.wire = *m.all = '\0';
		else
			play(&m, word);
	}
	expect(row, m.wire, row->wire);
	expect(row, m.all, row->all);
	expect(row, m.c.error.text, row->error);
	assert_int_equal(m.c.runstate, row->runstate);
	assert_int_equal(m.first, m.last);
	assert_int_equal(m.c.pending, 0);
}

#define BOOT	"cont all | "
#define START	BOOT "migrate ready "

static const struct row source_rows[] = {
	{ "boot", 7, 1, .script = "cont all", .runstate = RUN_RUNNING,
	  .wire = "RESUME, V vf0 running-p2p, V vf0 running" },
	{ "boot of a device without P2P that runs already", 5, 1, .script = "cont all",
	  .runstate = RUN_RUNNING, .wire = "RESUME" },
	{ "success", 7, 1, .script = START "all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M completed, V vf0 stop",
	  .all = "M setup, set vf0 PRE_COPY, V vf0 pre-copy, M active, pass vf0, "
		 "V vf0 pre-copy-p2p-prepare, set vf0 PRE_COPY_P2P, V vf0 pre-copy-p2p, "
		 "set vf0 STOP_COPY, V vf0 stop-copy, STOP, M device, save vf0, tell done, "
		 "M completed, set vf0 STOP, V vf0 stop, close" },
	{ "success without prepare", 7, 1, .no_prepare = true, .script = START "all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, "
		  "M device, M completed, V vf0 stop" },
	{ "success of three: stop backward, the rest forward", 7, 3,
	  .script = START "all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, V vf2 pre-copy, M active, "
		  "V vf2 pre-copy-p2p-prepare, V vf2 pre-copy-p2p, "
		  "V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf2 stop-copy, V vf1 stop-copy, V vf0 stop-copy, STOP, M device, "
		  "M completed, V vf0 stop, V vf1 stop, V vf2 stop" },
	{ "success without P2P", 5, 1, .script = START "all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 stop-copy, STOP, M device, "
		  "M completed, V vf0 stop" },
	{ "success without PRE_COPY", 3, 1, .script = START "all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, M active, V vf0 running-p2p, V vf0 stop, STOP, M device, "
		  "V vf0 stop-copy, M completed, V vf0 stop" },
	{ "success with STOP_COPY alone", 1, 1, .script = START "all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, M active, V vf0 stop, STOP, M device, V vf0 stop-copy, M completed, "
		  "V vf0 stop" },
	{ "passes go on until the rest is small, then until the last one is back", 7, 2,
	  .script = START "ok ok more more ok ok all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf1 stop-copy, V vf0 stop-copy, STOP, M device, M completed, "
		  "V vf0 stop, V vf1 stop",
	  .all = "M setup, set vf0 PRE_COPY, V vf0 pre-copy, set vf1 PRE_COPY, V vf1 pre-copy, "
		 "M active, pass vf0, pass vf1, pass vf0, pass vf1, "
		 "V vf1 pre-copy-p2p-prepare, set vf1 PRE_COPY_P2P, V vf1 pre-copy-p2p, "
		 "V vf0 pre-copy-p2p-prepare, set vf0 PRE_COPY_P2P, V vf0 pre-copy-p2p, "
		 "set vf1 STOP_COPY, V vf1 stop-copy, set vf0 STOP_COPY, V vf0 stop-copy, STOP, "
		 "M device, save vf0, save vf1, tell done, M completed, "
		 "set vf0 STOP, V vf0 stop, set vf1 STOP, V vf1 stop, close" },
	{ "paused before", 7, 1, .script = BOOT "stop all migrate ready all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "V vf0 running-p2p, V vf0 stop, STOP, M setup, M active, M device, "
		  "V vf0 stop-copy, M completed, V vf0 stop" },
	{ "never run, as with -S", 7, 1, .script = "migrate ready all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, M device, V vf0 stop-copy, M completed, "
		  "V vf0 stop" },
	/* QEMU goes on when what is left fits into the downtime, which here nobody waits for. */
	{ "stop in pre-copy", 7, 1, .script = START "ok more stop more all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M completed, V vf0 stop",
	  .all = "M setup, set vf0 PRE_COPY, V vf0 pre-copy, M active, pass vf0, pass vf0, "
		 "V vf0 pre-copy-p2p-prepare, set vf0 PRE_COPY_P2P, V vf0 pre-copy-p2p, "
		 "set vf0 STOP_COPY, V vf0 stop-copy, STOP, M device, save vf0, tell done paused, "
		 "M completed, set vf0 STOP, V vf0 stop, close" },
	/* In QEMU it fails behind the last stop-copy. */
	{ "stop and cont in pre-copy", 7, 1,
	  .script = START "ok more stop more cont all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, RESUME, V vf0 running-p2p, "
		  "V vf0 running, V vf0 running-p2p, V vf0 stop, STOP, M device, V vf0 stop-copy, "
		  "M completed, V vf0 stop",
	  .all = "M setup, set vf0 PRE_COPY, V vf0 pre-copy, M active, pass vf0, pass vf0, "
		 "V vf0 pre-copy-p2p-prepare, set vf0 PRE_COPY_P2P, V vf0 pre-copy-p2p, "
		 "set vf0 STOP_COPY, V vf0 stop-copy, STOP, RESUME, set vf0 RUNNING_P2P, "
		 "V vf0 running-p2p, set vf0 RUNNING, V vf0 running, set vf0 RUNNING_P2P, "
		 "V vf0 running-p2p, set vf0 STOP, V vf0 stop, STOP, M device, set vf0 STOP_COPY, "
		 "V vf0 stop-copy, save again vf0, tell done, M completed, set vf0 STOP, V vf0 stop, "
		 "close" },
	{ "stop, cont and stop", 7, 1,
	  .script = START "ok more stop more cont ok ok stop all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, RESUME, V vf0 running-p2p, "
		  "V vf0 running, V vf0 running-p2p, V vf0 stop, STOP, M device, V vf0 stop-copy, "
		  "M completed, V vf0 stop" },
	{ "paused before, cont in pre-copy's place", 7, 1, .runstate = RUN_POSTMIGRATE,
	  .script = BOOT "stop all migrate cont ready all loaded all",
	  .wire = "V vf0 running-p2p, V vf0 stop, STOP, M setup, M active, RESUME, "
		  "V vf0 running-p2p, V vf0 running, V vf0 running-p2p, V vf0 stop, STOP, M device, "
		  "V vf0 stop-copy, M completed, V vf0 stop" },
	{ "pause-before-switchover", 7, 2, .with_pause = true,
	  .script = START "all continue all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf1 stop-copy, V vf0 stop-copy, STOP, M pre-switchover, M device, "
		  "M completed, V vf0 stop, V vf1 stop" },
	{ "it waits for migrate-continue", 7, 1, .with_pause = true, .script = START "all",
	  .runstate = RUN_FINISH_MIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M pre-switchover" },
	{ "an early migrate-continue is for nothing", 7, 1, .with_pause = true,
	  .script = START "continue all", .runstate = RUN_FINISH_MIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M pre-switchover" },
	{ "migrate while the boot is still under way", 7, 1,
	  .script = "cont migrate ready all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "RESUME, M setup, V vf0 running-p2p, V vf0 running, V vf0 pre-copy, M active, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, "
		  "M completed, V vf0 stop" },
};

static const struct row ack_rows[] = {
	{ "the switchover waits for each device's acknowledgment", 7, 2, .with_ack = true,
	  .script = START "ok ok ok ok ack ok ok ack ok ok all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf1 stop-copy, V vf0 stop-copy, STOP, M device, M completed, "
		  "V vf0 stop, V vf1 stop",
	  .all = "M setup, set vf0 PRE_COPY, V vf0 pre-copy, set vf1 PRE_COPY, V vf1 pre-copy, "
		 "M active, pass vf0, pass vf1, pass vf0, pass vf1, pass vf0, pass vf1, "
		 "V vf1 pre-copy-p2p-prepare, set vf1 PRE_COPY_P2P, V vf1 pre-copy-p2p, "
		 "V vf0 pre-copy-p2p-prepare, set vf0 PRE_COPY_P2P, V vf0 pre-copy-p2p, "
		 "info vf0, info vf1, "
		 "set vf1 STOP_COPY, V vf1 stop-copy, set vf0 STOP_COPY, V vf0 stop-copy, STOP, "
		 "M device, save vf0, save vf1, tell done, M completed, "
		 "set vf0 STOP, V vf0 stop, set vf1 STOP, V vf1 stop, close" },
	{ "another one is due for each REINIT", 7, 1, .with_ack = true,
	  .script = START "ok ok ack reinit ok ok ack all loaded all", .runstate = RUN_POSTMIGRATE,
	  .all = "M setup, set vf0 PRE_COPY, V vf0 pre-copy, M active, pass vf0, pass vf0, "
		 "pass vf0, pass vf0, pass vf0, "
		 "V vf0 pre-copy-p2p-prepare, set vf0 PRE_COPY_P2P, V vf0 pre-copy-p2p, "
		 "info vf0, set vf0 STOP_COPY, V vf0 stop-copy, STOP, M device, save vf0, tell done, "
		 "M completed, set vf0 STOP, V vf0 stop, close" },
	{ "REINIT when the machine stands already", 7, 1, .with_ack = true,
	  .script = START "ok ack ok ok reinit all", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M failing, V vf0 running, "
		  "RESUME, V vf0 running-p2p, V vf0 running, M failed",
	  .error = "Switchover ACK was requested by 1 devices during switchover" },
	{ "a machine that is stopped waits for none", 7, 1, .with_ack = true,
	  .script = START "ok ok stop all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M completed, V vf0 stop" },
	{ "devices without PRE_COPY ask for none", 3, 1, .with_ack = true,
	  .script = START "all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, M active, V vf0 running-p2p, V vf0 stop, STOP, M device, "
		  "V vf0 stop-copy, M completed, V vf0 stop" },
	{ "an acknowledgment that nobody asked for", 7, 1, .script = START "ok ack all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, M failing, V vf0 running, M failed",
	  .error = "the peer sent a message out of turn" },
	{ "the destination acknowledges each", 7, 2, true, .with_ack = true,
	  .script = "incoming ready ok ok initial ok initial ok done all", .runstate = RUN_RUNNING,
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, V vf0 resuming, "
		 "set vf1 RESUMING, V vf1 resuming, load vf0, load vf1, tell ack, load vf0, "
		 "tell ack, load vf0, RESUME, set vf0 RUNNING_P2P, V vf0 running-p2p, "
		 "set vf1 RUNNING_P2P, V vf1 running-p2p, set vf0 RUNNING, V vf0 running, "
		 "set vf1 RUNNING, V vf1 running, tell loaded, M completed, close" },
	{ "the source dies while it is acknowledged", 7, 1, true, .with_ack = true,
	  .script = "incoming ready ok lost initial all", .runstate = RUN_INMIGRATE,
	  .wire = "M setup, M active, V vf0 resuming, M failed", .error = "gone" },
};

static const struct row cancel_rows[] = {
	{ "cancel in setup", 7, 1, .script = BOOT "migrate cancel", .runstate = RUN_RUNNING,
	  .wire = "M setup, M cancelling, M cancelled" },
	{ "cancel in pre-copy", 7, 1, .script = START "ok cancel more all", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, M cancelling, V vf0 running, M cancelled",
	  .all = "M setup, set vf0 PRE_COPY, V vf0 pre-copy, M active, pass vf0, M cancelling, "
		 "abort, tell failed, close, set vf0 RUNNING, V vf0 running, M cancelled",
	  .error = "the migration was cancelled" },
	{ "cancel between two devices' PRE_COPY", 7, 2, .script = START "cancel ok ok all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, M cancelling, V vf0 pre-copy, V vf1 pre-copy, V vf1 running, "
		  "V vf0 running, M cancelled" },
	{ "cancel after stop, two devices", 7, 2,
	  .script = START "ok ok ok ok ok ok ok ok cancel all", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf1 stop-copy, V vf0 stop-copy, STOP, M device, M cancelling, "
		  "V vf1 running, V vf0 running, RESUME, V vf0 running-p2p, V vf1 running-p2p, "
		  "V vf0 running, V vf1 running, M cancelled" },
	{ "cancel in pre-switchover", 7, 2, .with_pause = true, .script = START "all cancel all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf1 stop-copy, V vf0 stop-copy, STOP, M pre-switchover, M cancelling, "
		  "V vf1 running, V vf0 running, RESUME, V vf0 running-p2p, V vf1 running-p2p, "
		  "V vf0 running, V vf1 running, M cancelled" },
	/* In QEMU the device then runs in a machine that stands. */
	{ "cancel in pre-switchover of a machine that was paused", 7, 1, .with_pause = true,
	  .script = BOOT "stop all migrate ready all | cancel all", .runstate = RUN_PAUSED,
	  .wire = "M cancelling, M cancelled" },
	{ "stop in pre-copy, then cancel when it stands", 7, 1, .with_pause = true,
	  .script = START "ok stop ok all cancel all", .runstate = RUN_PAUSED,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M pre-switchover, M cancelling, "
		  "V vf0 stop, M cancelled" },
	{ "cancel while stop is carried out in pre-copy", 7, 1,
	  .script = START "ok stop ok cancel all", .runstate = RUN_PAUSED,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, M cancelling, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, V vf0 stop, M cancelled" },
	{ "cancel in mid-switchover waits for the stop", 7, 1, .script = START "ok ok cancel all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, M cancelling, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, V vf0 running, RESUME, "
		  "V vf0 running-p2p, V vf0 running, M cancelled" },
	{ "cancel when the destination may run is too late", 7, 1,
	  .script = START "all cancel loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M completed, V vf0 stop" },
	{ "a second migration after a cancelled one", 7, 1,
	  .script = START "ok cancel all migrate ready all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, M cancelling, V vf0 running, M cancelled, "
		  "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M completed, V vf0 stop" },
	{ "stop in pre-copy, then cancel: it stays stopped", 7, 1,
	  .script = START "ok stop cancel all", .runstate = RUN_PAUSED,
	  .wire = "M setup, V vf0 pre-copy, M active, M cancelling, V vf0 running, M cancelled, "
		  "V vf0 running-p2p, V vf0 stop, STOP" },
};

static const struct row failure_rows[] = {
	{ "no connection", 7, 1, .script = BOOT "migrate lost", .runstate = RUN_RUNNING,
	  .wire = "M setup, M failing, M failed", .error = "gone" },
	{ "PRE_COPY fails", 7, 1, .script = START "fail", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 running, M active, M failing, M failed", .error = "vf0 broke" },
	{ "PRE_COPY of the second fails, the third is not begun", 7, 3,
	  .script = START "ok fail all", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, V vf1 running, M active, M failing, V vf0 running, "
		  "M failed" },
	{ "PRE_COPY_P2P fails", 7, 1, .script = START "ok ok fail all", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, V vf0 running, "
		  "V vf0 stop, STOP, M device, M failing, V vf0 running, RESUME, V vf0 running-p2p, "
		  "V vf0 running, M failed", .error = "vf0 broke" },
	{ "PRE_COPY_P2P fails and the reset too", 7, 2, .script = START "ok ok ok ok dead all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, V vf1 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, "
		  "M failing, V vf0 running, RESUME, V vf0 running-p2p, V vf0 running, M failed" },
	{ "STOP_COPY fails", 7, 1, .script = START "ok ok ok fail all", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 running, STOP, M device, M failing, RESUME, "
		  "V vf0 running-p2p, V vf0 running, M failed", .error = "vf0 broke" },
	{ "PRE_COPY_P2P fails with pause-before-switchover", 7, 1, .with_pause = true,
	  .script = START "ok ok fail all", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, V vf0 running, "
		  "V vf0 stop, STOP, M pre-switchover, M device, M failing, V vf0 running, RESUME, "
		  "V vf0 running-p2p, V vf0 running, M failed", .error = "vf0 broke" },
	{ "PRE_COPY_P2P of the first of two to stop fails", 7, 2,
	  .script = START "ok ok ok ok fail all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, V vf1 pre-copy-p2p-prepare, "
		  "V vf1 running, V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, V vf1 stop, "
		  "V vf0 stop-copy, STOP, M device, M failing, V vf1 running, V vf0 running, RESUME, "
		  "V vf0 running-p2p, V vf1 running-p2p, V vf0 running, V vf1 running, M failed",
	  .error = "vf1 broke" },
	{ "STOP_COPY of a device without PRE_COPY fails", 3, 1, .script = START "ok ok fail all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 running-p2p, V vf0 stop, STOP, M device, V vf0 stop, "
		  "M failing, V vf0 running, RESUME, V vf0 running-p2p, V vf0 running, M failed" },
	{ "the destination dies in pre-switchover", 7, 1, .with_pause = true,
	  .script = START "all lost all", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M pre-switchover, M device, M failing, "
		  "V vf0 running, RESUME, V vf0 running-p2p, V vf0 running, M failed" },
	{ "STOP fails after completion", 7, 1, .script = START "ok ok ok ok ok loaded fail",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M completed, V vf0 running",
	  .error = "" },
	{ "the destination dies in pre-copy", 7, 1, .script = START "ok more lost fail all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, M failing, V vf0 running, M failed",
	  .error = "gone" },
	{ "the destination dies while the arc is under way", 7, 1, .script = START "ok ok lost all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M failing, V vf0 running, "
		  "RESUME, V vf0 running-p2p, V vf0 running, M failed", .error = "gone" },
	{ "the destination does not get ready", 7, 1, .script = "cont all migrate silent all",
	  .runstate = RUN_RUNNING, .wire = NULL,
	  .error = "the destination, which was to get ready, said nothing" },
	{ "the destination is silent in pre-copy", 7, 1, .script = START "ok silent fail all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, M failing, V vf0 running, M failed",
	  .error = "the destination, which was to take the devices' state, said nothing" },
	/* It may run: nobody tells it that it failed, and this machine stays where it is. */
	{ "the destination is silent at the end", 7, 1, .script = START "all silent all",
	  .runstate = RUN_PAUSED, .all = NULL,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M failing, V vf0 stop, "
		  "M failed",
	  .error = "the destination, which was to take over, said nothing; " DOUBT },
	{ "the destination dies at the end", 7, 1, .script = START "all lost all cont all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M failing, V vf0 stop, "
		  "M failed, RESUME, V vf0 running-p2p, V vf0 running", .error = "gone; " DOUBT },
	{ "the destination gives up and dies", 7, 1, .script = START "all failed lost all",
	  .runstate = RUN_RUNNING, .error = "it broke" },
	{ "who waits for the end is not started by an earlier cont", 7, 1,
	  .script = START "all cont lost all", .runstate = RUN_PAUSED, .error = "gone; " DOUBT },
	{ "the destination loses the state", 7, 2, .script = START "all failed all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf1 stop-copy, V vf0 stop-copy, STOP, M device, M failing, "
		  "V vf1 running, V vf0 running, RESUME, V vf0 running-p2p, V vf1 running-p2p, "
		  "V vf0 running, V vf1 running, M failed", .error = "it broke" },
	{ "loaded before there was anything to load", 7, 1, .script = START "ok loaded all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, M failing, V vf0 running, M failed",
	  .error = "the peer sent a message out of turn" },
};

static const struct row destination_rows[] = {
	{ "success", 7, 1, true, .script = "incoming ready all done all", .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 resuming, RESUME, V vf0 running-p2p, V vf0 running, "
		  "M completed",
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, V vf0 resuming, load vf0, "
		 "RESUME, set vf0 RUNNING_P2P, V vf0 running-p2p, set vf0 RUNNING, V vf0 running, "
		 "tell loaded, M completed, close" },
	{ "success of two", 7, 2, true, .script = "incoming ready all done all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 resuming, V vf1 resuming, RESUME, V vf0 running-p2p, "
		  "V vf1 running-p2p, V vf0 running, V vf1 running, M completed" },
	{ "the source was paused", 7, 1, true, .script = "incoming ready all done-paused cont all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 resuming, V vf0 stop, M completed, RESUME, "
		  "V vf0 running-p2p, V vf0 running" },
	{ "stopped while it waits", 7, 1, true, .script = "incoming stop ready all done all",
	  .runstate = RUN_PAUSED,
	  .wire = "M setup, M active, V vf0 resuming, V vf0 stop, M completed" },
	{ "paused, and the state is refused on the way out of RESUMING", 7, 2, true,
	  .script = "incoming ready ok ok ok ok done-paused fail all", .runstate = RUN_INMIGRATE,
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, V vf0 resuming, "
		 "set vf1 RESUMING, V vf1 resuming, load vf0, load vf1, set vf0 STOP, "
		 "V vf0 running, set vf1 STOP, V vf1 stop, tell failed, close, M failed",
	  .error = "vf0 broke" },
	{ "cancel is for the source", 7, 1, true,
	  .script = "incoming ready ok ok done cancel all", .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 resuming, RESUME, V vf0 running-p2p, V vf0 running, "
		  "M completed" },
	{ "ready twice", 7, 1, true, .script = "incoming ready ready all",
	  .runstate = RUN_INMIGRATE,
	  .wire = "M setup, M active, V vf0 resuming, M failed",
	  .error = "the peer sent a message out of turn" },
	{ "done before it is ready", 7, 1, true, .script = "incoming done",
	  .runstate = RUN_INMIGRATE, .wire = "M setup, M failed",
	  .error = "the peer sent a message out of turn" },
	{ "the source is another one", 7, 1, true, .script = "incoming lost",
	  .runstate = RUN_INMIGRATE, .wire = "M setup, M failed", .error = "gone" },
	{ "RESUMING fails", 7, 1, true, .script = "incoming ready fail", .runstate = RUN_INMIGRATE,
	  .wire = "M setup, M active, V vf0 running, M failed",
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, V vf0 running, tell failed, "
		 "close, M failed" },
	{ "RESUMING of the first of two fails", 7, 2, true, .script = "incoming ready fail",
	  .runstate = RUN_INMIGRATE, .wire = "M setup, M active, V vf0 running, M failed" },
	{ "the source gives up between two devices' RESUMING", 7, 2, true,
	  .script = "incoming ready failed ok ok all", .runstate = RUN_INMIGRATE,
	  .wire = "M setup, M active, V vf0 resuming, V vf1 resuming, M failed",
	  .error = "it broke" },
	{ "a truncated stream", 7, 2, true, .script = "incoming ready ok ok fail fail all",
	  .runstate = RUN_INMIGRATE,
	  .wire = "M setup, M active, V vf0 resuming, V vf1 resuming, M failed",
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, V vf0 resuming, "
		 "set vf1 RESUMING, V vf1 resuming, load vf0, load vf1, abort, end vf0, end vf1, "
		 "tell failed, close, M failed", .error = "vf0 broke" },
	{ "the source dies", 7, 1, true, .script = "incoming ready ok lost fail all",
	  .runstate = RUN_INMIGRATE, .wire = "M setup, M active, V vf0 resuming, M failed",
	  .error = "gone" },
	/* QEMU says completed here, on both sides. */
	{ "the state is refused on the way out of RESUMING", 7, 2, true,
	  .script = "incoming ready ok ok ok ok done fail all", .runstate = RUN_INMIGRATE,
	  .wire = "M setup, M active, V vf0 resuming, V vf1 resuming, RESUME, V vf0 running, "
		  "V vf1 running-p2p, V vf0 running-p2p, V vf1 stop, V vf0 stop, STOP, M failed",
	  .error = "vf0 broke" },
	/* The source runs on when it is told, so it is told when nothing runs here. */
	{ "running fails: the source is told last", 7, 1, true,
	  .script = "incoming ready ok ok done ok fail all", .runstate = RUN_INMIGRATE,
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, V vf0 resuming, load vf0, "
		 "RESUME, set vf0 RUNNING_P2P, V vf0 running-p2p, set vf0 RUNNING, V vf0 running, "
		 "set vf0 RUNNING_P2P, V vf0 running-p2p, set vf0 STOP, V vf0 stop, STOP, "
		 "tell failed, close, M failed", .error = "vf0 broke" },
	{ "the source dies when it is all there", 7, 1, true,
	  .script = "incoming ready ok ok done lost all", .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 resuming, RESUME, V vf0 running-p2p, V vf0 running, "
		  "M completed", .error = "" },
	{ "the source is silent when it is all there", 7, 1, true,
	  .script = "incoming ready ok ok done silent lost all", .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 resuming, RESUME, V vf0 running-p2p, V vf0 running, "
		  "M completed", .error = "" },
	{ "the source does not connect everything", 7, 1, true, .script = "incoming silent lost",
	  .runstate = RUN_INMIGRATE, .wire = "M setup, M failed",
	  .error = "the source, which was to connect all its devices, said nothing" },
	{ "the source is silent in the middle", 7, 1, true,
	  .script = "incoming ready ok silent fail all", .runstate = RUN_INMIGRATE,
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, V vf0 resuming, load vf0, "
		 "abort, end vf0, tell failed, close, M failed",
	  .error = "the source, which was to send the devices' state, said nothing" },
	{ "the source does not say that it is done", 7, 1, true,
	  .script = "incoming ready ok ok silent all", .runstate = RUN_INMIGRATE,
	  .wire = "M setup, M active, V vf0 resuming, M failed",
	  .error = "the source, which was to say that it sent everything, said nothing" },
};

static void run_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		run_row(&rows[i]);
}

#define RUN_ROWS(rows) run_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static void test_source(void **state)
{
	(void)state;
	RUN_ROWS(source_rows);
}

static void test_ack(void **state)
{
	(void)state;
	RUN_ROWS(ack_rows);
}

static void test_cancel(void **state)
{
	(void)state;
	RUN_ROWS(cancel_rows);
}

static void test_failure(void **state)
{
	(void)state;
	RUN_ROWS(failure_rows);
}

static void test_destination(void **state)
{
	(void)state;
	RUN_ROWS(destination_rows);
}

static void test_recover(void **state)
{
	static const uint32_t flags[] = { FLAGS_P2P_PRE_COPY };
	struct outputs out = { .count = 0 };
	struct coordinator c;

	(void)state;
	coordinator_init(&c, policy_find("qemu"), false, true, flags, 1);
	coordinator_step(&c, &(struct input){ .kind = INPUT_INCOMING }, &out);
	out.count = 0;
	coordinator_step(&c, &(struct input){ .kind = INPUT_MESSAGE, .message = MSG_READY }, &out);
	assert_int_equal(out.item[out.count - 1].kind, OUTPUT_WORK);
	assert_int_equal(out.item[out.count - 1].state, VFIO_DEVICE_STATE_RESUMING);
	assert_int_equal(out.item[out.count - 1].recover, VFIO_DEVICE_STATE_RUNNING);
}

static void test_refusals(void **state)
{
	static const uint32_t without_p2p[] = { VFIO_MIGRATION_STOP_COPY,
						VFIO_MIGRATION_STOP_COPY };
	struct outputs out = { .count = 0 };
	struct coordinator c;

	(void)state;
	coordinator_init(&c, policy_find("qemu"), false, false, without_p2p, 2);
	assert_string_equal(coordinator_refuses(&c, INPUT_MIGRATE),
			    "Multiple VFIO devices migration is supported only if all of them "
			    "support P2P migration");
	assert_non_null(coordinator_refuses(&c, INPUT_INCOMING));
	coordinator_init(&c, policy_find("qemu"), false, false, without_p2p, 1);
	assert_null(coordinator_refuses(&c, INPUT_MIGRATE));
	coordinator_step(&c, &(struct input){ .kind = INPUT_MIGRATE }, &out);
	assert_string_equal(coordinator_refuses(&c, INPUT_MIGRATE),
			    "There's a migration process in progress");
	assert_null(coordinator_refuses(&c, INPUT_CONT));
	c.runstate = RUN_FINISH_MIGRATE;
	assert_string_equal(coordinator_refuses(&c, INPUT_CONT), "Migration is not finalized yet");
	c.runstate = RUN_RUNNING;
	c.status = STATUS_FAILED;
	c.device[0].state = VFIO_DEVICE_STATE_ERROR;
	assert_string_equal(coordinator_refuses(&c, INPUT_MIGRATE),
			    "A device is in state ERROR and cannot be migrated");
	coordinator_init(&c, policy_find("qemu"), false, true, without_p2p, 1);
	assert_string_equal(coordinator_refuses(&c, INPUT_MIGRATE),
			    "Guest is waiting for an incoming migration");
	assert_null(coordinator_refuses(&c, INPUT_INCOMING));
	coordinator_step(&c, &(struct input){ .kind = INPUT_INCOMING }, &out);
	assert_non_null(coordinator_refuses(&c, INPUT_INCOMING));
}

static void test_policies(void **state)
{
	(void)state;
	assert_non_null(policy_find("qemu"));
	assert_null(policy_find("group"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_ack),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_destination),
		cmocka_unit_test(test_recover),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
