// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/coordinator.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static struct output *emit(struct outputs *out, enum output_kind kind)
{
	struct output *o = &out->item[out->count];

	assert(out->count < COORDINATOR_OUTPUTS_MAX);
	out->count++;
	*o = (struct output){ .kind = kind };
	return o;
}

bool coordinator_migrating(const struct coordinator *c)
{
	return c->status == STATUS_SETUP || c->status == STATUS_ACTIVE ||
	       c->status == STATUS_DEVICE || c->status == STATUS_CANCELLING ||
	       c->status == STATUS_FAILING;
}

/* The first reason stays. What goes wrong outside a migration is for the log only. */
static void fail(struct coordinator *c, const char *text)
{
	if (!coordinator_migrating(c))
		return;
	if (!c->failed && c->status != STATUS_CANCELLING)
		error_set(&c->error, 0, "%s", text);
	c->failed = true;
}

/* A migration that is being cancelled ends as cancelled, and says nothing before. */
static void set_status(struct coordinator *c, enum migration_status status, struct outputs *out)
{
	if (c->status == STATUS_CANCELLING) {
		if (status != STATUS_FAILED)
			return;
		status = STATUS_CANCELLED;
	}
	c->status = status;
	emit(out, OUTPUT_STATUS)->status = status;
}

static void set_runstate(struct coordinator *c, enum runstate runstate)
{
	c->runstate = runstate;
	if (runstate == RUN_PAUSED || runstate == RUN_POSTMIGRATE)
		c->want_running = false;
}

static bool applies(const struct coordinator *c, enum condition when)
{
	switch (when) {
	case ALWAYS:
		return true;
	case WHEN_LIVE:
		return c->live;
	case WHEN_PAUSED:
		return !c->live;
	case WHEN_STOPPED:
		return c->stopped;
	case WHEN_RESUMED:
		return c->resumed;
	case WHEN_TAKING_OVER:
		return c->taking_over;
	case WHEN_WAITING:
		return !c->taking_over;
	}
	return false;
}

static const struct move *find_move(const struct coordinator *c, const struct move *moves,
				    unsigned int device)
{
	for (const struct move *m = moves; m->from; m++) {
		if ((m->from & 1u << c->device[device].state) &&
		    (m->needs & c->device[device].flags) == m->needs)
			return m;
	}
	return NULL;
}

static void post(struct coordinator *c, const struct step *s, unsigned int device,
		 struct outputs *out)
{
	const struct move *m = find_move(c, s->moves, device);
	struct output *o;

	if (!m || (s->arg == WORK_SET && m->to == c->device[device].state))
		return;
	if (m->announce && !c->no_prepare)
		emit(out, OUTPUT_PREPARE)->device = device;
	o = emit(out, OUTPUT_WORK);
	o->device = device;
	o->op = s->arg;
	o->state = m->to;
	o->recover = m->recover;
	c->pending++;
}

/*
 * Tells the workers that it is their turn. Changes of state are never called
 * off; moving data is, as soon as it is of no use any more.
 *
 * Return: true when the step is over.
 */
static bool work(struct coordinator *c, const struct step *s, struct outputs *out)
{
	bool halted = c->failed && !s->carry_on;

	while (c->next < c->count && !halted && !(s->serial && c->pending)) {
		unsigned int n = c->next++;

		post(c, s, s->reverse ? c->count - 1 - n : n, out);
	}
	if (halted && c->pending && s->arg != WORK_SET && !c->aborted) {
		emit(out, OUTPUT_ABORT);
		c->aborted = true;
	}
	return !c->pending;
}

static void tell(struct coordinator *c, enum message message, struct outputs *out)
{
	struct output *o = emit(out, OUTPUT_TELL);

	o->message = message;
	o->running = c->live && c->want_running;
	if (message == MSG_DONE)
		c->committed = true;
}

/* The peer has everything, and has not said that it gave up. */
static bool peer_may_run(const struct coordinator *c)
{
	return c->committed && !(c->received & 1u << MSG_FAILED);
}

static bool await(struct coordinator *c, enum message message)
{
	if (!(c->received & 1u << message))
		return c->failed;
	if (message == MSG_DONE)
		c->taking_over = c->peer_running && c->want_running;
	return true;
}

/* Does the present step; false when it has to wait for an input. */
static bool perform(struct coordinator *c, const struct step *s, struct outputs *out)
{
	switch (s->kind) {
	case STEP_STATUS:
		set_status(c, s->arg, out);
		break;
	case STEP_RUNSTATE:
		set_runstate(c, s->arg);
		break;
	case STEP_STOP:
		c->stopped = true;
		emit(out, OUTPUT_STOP);
		break;
	case STEP_RESUME:
		c->resumed = true;
		c->runstate = RUN_RUNNING;
		emit(out, OUTPUT_RESUME);
		break;
	case STEP_TELL:
		tell(c, s->arg, out);
		break;
	case STEP_AWAIT:
		return await(c, s->arg);
	case STEP_WORK:
		return work(c, s, out);
	case STEP_CLOSE:
		emit(out, OUTPUT_CLOSE);
		break;
	case STEP_CHECK:
	case STEP_END:
		break;
	}
	return true;
}

static void begin(struct coordinator *c, const struct step *program, const struct step *undo)
{
	c->at = program;
	c->undo = undo;
	c->next = 0;
	c->draining = c->aborted = false;
	c->live = c->runstate == RUN_RUNNING;
	c->stopped = c->resumed = c->taking_over = false;
}

/* Idle: does the machine do what stop and cont asked for, does a migration wait? */
static bool pick(struct coordinator *c)
{
	bool idle = c->runstate == RUN_PRELAUNCH || c->runstate == RUN_PAUSED ||
		    c->runstate == RUN_POSTMIGRATE;

	if (c->runstate == RUN_RUNNING && !c->want_running) {
		begin(c, c->policy->stop, NULL);
	} else if (idle && c->want_running) {
		begin(c, c->policy->start, NULL);
	} else if (c->queued) {
		begin(c, c->queued, c->queued_undo);
		c->queued = NULL;
	}
	return c->at;
}

/* From step to step, until one has to wait or nothing is left to do. */
static void advance(struct coordinator *c, struct outputs *out)
{
	while (c->at || pick(c)) {
		const struct step *s = c->at;

		if (applies(c, s->when) && !perform(c, s, out))
			return;
		c->next = 0;
		c->draining = c->aborted = false;
		if (s->kind == STEP_END)
			c->at = NULL;
		else if (s->kind == STEP_CHECK && c->failed)
			c->at = peer_may_run(c) ? c->policy->source_doubt : c->undo;
		else
			c->at++;
	}
}

static void queue(struct coordinator *c, enum input_kind command, struct outputs *out)
{
	if (coordinator_refuses(c, command))
		return;
	c->outgoing = command == INPUT_MIGRATE;
	c->queued = c->outgoing ? c->policy->source : c->policy->incoming;
	c->queued_undo = c->outgoing ? c->policy->source_undo : c->policy->incoming_undo;
	c->received = 0;
	c->failed = c->committed = c->peer_running = false;
	c->error = (struct error){ 0 };
	set_status(c, STATUS_SETUP, out);
}

static void cancel(struct coordinator *c, struct outputs *out)
{
	if (!c->outgoing || !coordinator_migrating(c) || c->failed || c->committed)
		return;
	set_status(c, STATUS_CANCELLING, out);
	c->failed = true;
	error_set(&c->error, 0, "the migration was cancelled");
}

static void state_done(struct coordinator *c, unsigned int device, const struct work_result *r,
		       struct outputs *out)
{
	struct output *o;

	c->device[device].state = r->state;
	if (r->state == VFIO_DEVICE_STATE_ERROR)
		return;
	o = emit(out, OUTPUT_VFIO);
	o->device = device;
	o->state = r->state;
}

/* A machine that is to stop has no downtime to keep short. */
static void pass_done(struct coordinator *c, const struct input *in, struct outputs *out)
{
	c->draining |= in->converged || !c->want_running || c->failed;
	if (!c->draining)
		post(c, c->at, in->device, out);
}

static void work_done(struct coordinator *c, const struct input *in, struct outputs *out)
{
	const struct work_result *r = in->result;

	c->pending--;
	if (r->error)
		fail(c, r->text.text);
	if (r->op == WORK_SET)
		state_done(c, in->device, r, out);
	else if (r->op == WORK_PASS)
		pass_done(c, in, out);
}

/* May the peer say so now? What comes too early must not count later. */
static bool in_turn(const struct coordinator *c, enum message message)
{
	switch (message) {
	case MSG_READY:
		return !(c->received & 1u << MSG_READY);
	case MSG_DONE:
		return !c->outgoing && c->received == 1u << MSG_READY;
	case MSG_LOADED:
		return c->committed && c->received == 1u << MSG_READY;
	case MSG_FAILED:
		return true;
	}
	return false;
}

static void message(struct coordinator *c, const struct input *in)
{
	if (!in_turn(c, in->message))
		fail(c, "the peer sent a message out of turn");
	else
		c->received |= 1u << in->message;
	if (in->message == MSG_FAILED)
		fail(c, in->text);
	if (in->message == MSG_DONE)
		c->peer_running = in->running;
}

/*
 * The way to the peer is gone. A source that has told us MSG_DONE stays stopped
 * without our word: there is no need for it any more.
 */
static void lose(struct coordinator *c, const char *text)
{
	struct error err;

	if (c->received & 1u << MSG_DONE)
		return;
	error_set(&err, 0, "%s", text);
	if (peer_may_run(c))
		error_set(&err, 0,
			  "%s; whether the destination runs is not known, so this machine stays stopped: cont starts it when the destination does not run",
			  text);
	fail(c, err.text);
}

/* What the present step wants of the peer. */
static const char *duty(const struct coordinator *c)
{
	static const char *const duties[][2] = {
		[MSG_READY] = { "connect all its devices", "get ready" },
		[MSG_DONE] = { "say that it sent everything", "" },
		[MSG_LOADED] = { "", "take over" },
	};

	if (c->at && c->at->kind == STEP_AWAIT)
		return duties[c->at->arg][c->outgoing];
	return c->outgoing ? "take the devices' state" : "send the devices' state";
}

static void miss(struct coordinator *c, const char *text)
{
	struct error err;

	error_set(&err, 0, "the %s, which was to %s, %s",
		  c->outgoing ? "destination" : "source", duty(c), text);
	lose(c, err.text);
}

void coordinator_step(struct coordinator *c, const struct input *in, struct outputs *out)
{
	switch (in->kind) {
	case INPUT_MIGRATE:
	case INPUT_INCOMING:
		queue(c, in->kind, out);
		break;
	case INPUT_CANCEL:
		cancel(c, out);
		break;
	case INPUT_STOP:
		c->want_running = false;
		break;
	case INPUT_CONT:
		c->want_running = true;
		break;
	case INPUT_WORK_DONE:
		work_done(c, in, out);
		break;
	case INPUT_MESSAGE:
		message(c, in);
		break;
	case INPUT_LOST:
		lose(c, in->text);
		break;
	case INPUT_SILENT:
		miss(c, in->text);
		break;
	}
	advance(c, out);
}

const char *coordinator_refuses(const struct coordinator *c, enum input_kind command)
{
	if (command == INPUT_INCOMING) {
		if (c->runstate != RUN_INMIGRATE)
			return "'-incoming' was not specified on the command line";
		return c->status == STATUS_NONE ? NULL :
						  "The incoming migration has already been started";
	}
	if (c->runstate == RUN_INMIGRATE)
		return "Guest is waiting for an incoming migration";
	if (coordinator_migrating(c))
		return "There's a migration process in progress";
	if (c->runstate == RUN_POSTMIGRATE)
		return "Can't migrate the vm that was paused due to previous migration";
	for (unsigned int i = 0; i < c->count; i++) {
		/* Its state is lost, and the destination would wait for it for ever. */
		if (c->device[i].state == VFIO_DEVICE_STATE_ERROR)
			return "A device is in state ERROR and cannot be migrated";
		if (c->count > 1 && !(c->device[i].flags & VFIO_MIGRATION_P2P))
			return "Multiple VFIO devices migration is supported only if all of "
			       "them support P2P migration";
	}
	return NULL;
}

void coordinator_init(struct coordinator *c, const struct policy *policy, bool no_prepare,
		      bool incoming, const uint32_t *flags, unsigned int count)
{
	*c = (struct coordinator){
		.policy = policy,
		.no_prepare = no_prepare,
		.count = count,
		.runstate = incoming ? RUN_INMIGRATE : RUN_PRELAUNCH,
		.want_running = incoming,
	};
	for (unsigned int i = 0; i < count; i++) {
		c->device[i].flags = flags[i];
		c->device[i].state = VFIO_DEVICE_STATE_RUNNING;
	}
}
