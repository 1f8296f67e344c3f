/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the coordinator decides, as rows: inputs on the left, the events of the wire on
 * the right; and devices that answer as they are told.
 */
#ifndef MIGLAB_TESTS_UNIT_COORDINATOR_ROWS_H
#define MIGLAB_TESTS_UNIT_COORDINATOR_ROWS_H

#include "unit.h"

#include <errno.h>

#include "device/state.h"
#include "qmp/events.h"
#include "vmm/coordinator.h"

#define FLAGS_P2P_PRE_COPY \
	(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY)

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
	 * no command is left. prepared0, prepared1: vf0 or vf1 may begin.
	 * The rest are commands and messages.
	 */
	const char *script;
	const char *wire;	/* events only: V device state, M status, STOP, RESUME */
	const char *all;	/* NULL, or all outputs */
	const char *error;	/* NULL, or how coordinator.error ends up */
	enum runstate runstate;
	const char *policy;	/* NULL: qemu */
	bool prepare_all, await_prepared;
	bool memory;		/* the last device is none, but the memory; with the processors */
};

#define DOUBT "whether the destination runs is not known, so this machine stays stopped: cont " \
	"starts it when the destination does not run"

struct machine {
	struct coordinator c;
	struct output queue[512];	/* commands without an answer: [first, last) */
	unsigned int first, last;
	uint32_t real[VMM_DEVICES_MAX];	/* where each device is */
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
		[WORK_LOAD] = "load", [WORK_END] = "end", [WORK_STATE] = "state",
		[WORK_RESET] = "reset", [WORK_CPUS_RUN] = "cpus run",
		[WORK_CPUS_STOP] = "cpus stop",
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
		note(m, true, "V vf%u %s%s-prepare", o->device,
		     o->state == VFIO_DEVICE_STATE_PRE_COPY_P2P ? "" : "x-",
		     qmp_vfio_state_name(o->state));
		break;
	case OUTPUT_WITHDRAW:
		note(m, false, "withdraw");
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

/* Where it ends up, having failed: @dead for good, or as its command says. */
static void fail_set(struct machine *m, const struct output *o, bool dead)
{
	uint32_t *real = &m->real[o->device];

	if (dead)
		*real = VFIO_DEVICE_STATE_ERROR;
	else if (o->recover == VFIO_DEVICE_STATE_ERROR)
		*real = VFIO_DEVICE_STATE_RUNNING;
	else if (o->recover != WORK_STAY)
		*real = o->recover;
}

static void answer(struct machine *m, const char *how)
{
	const struct output *o = &m->queue[m->first++];
	bool dead = !strcmp(how, "dead"), failed = dead || !strcmp(how, "fail");
	struct work_result r = { .op = o->op };
	struct input in = {
		.kind = INPUT_WORK_DONE, .device = o->device, .result = &r,
		.converged = strcmp(how, "more"),
	};

	r.reinit = !strcmp(how, "reinit");
	r.initial = !strcmp(how, "initial");

	assert_true(m->first <= m->last);
	if (failed) {
		r.error = -EIO;
		snprintf(r.text.text, sizeof(r.text.text), "vf%u broke", o->device);
		if (dead || o->op == WORK_SET)
			fail_set(m, o, dead);
	} else if (o->op == WORK_SET) {
		m->real[o->device] = o->state;
	} else if (o->op == WORK_RESET) {
		m->real[o->device] = VFIO_DEVICE_STATE_RUNNING;
	}
	r.state = m->real[o->device];
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
		{ "prepared0", { .kind = INPUT_PREPARED, .device = 0 } },
		{ "prepared1", { .kind = INPUT_PREPARED, .device = 1 } },
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
	for (unsigned int i = 0; i < row->count; i++) {
		flags[i] = row->flags;
		m.real[i] = VFIO_DEVICE_STATE_RUNNING;
	}
	if (row->memory)
		flags[row->count - 1] = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_PRE_COPY |
					DEVICE_IS_MEMORY;
	coordinator_init(&m.c, policy_find(row->policy ? row->policy : "qemu"), row->no_prepare,
			 row->incoming, flags, row->count);
	m.c.with_pause = row->with_pause;
	m.c.with_ack = row->with_ack;
	m.c.prepare_all = row->prepare_all;
	m.c.await_prepared = row->await_prepared;
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

static void run_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		run_row(&rows[i]);
}

#define RUN_ROWS(rows) run_rows(rows, sizeof(rows) / sizeof((rows)[0]))

#endif
