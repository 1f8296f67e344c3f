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
	       c->status == STATUS_PRE_SWITCHOVER || c->status == STATUS_DEVICE ||
	       c->status == STATUS_CANCELLING || c->status == STATUS_FAILING;
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
	if (runstate == RUN_FINISH_MIGRATE)
		c->before = c->runstate;
	else
		c->live = runstate == RUN_RUNNING;
	c->runstate = runstate;
	if (runstate == RUN_PAUSED || runstate == RUN_POSTMIGRATE)
		c->want_running = false;
}

static bool applies(const struct coordinator *c, unsigned int when)
{
	unsigned int holds = (c->live ? WHEN_LIVE : WHEN_PAUSED) |
			     (c->taking_over ? WHEN_TAKING_OVER : WHEN_WAITING) |
			     (c->stopped ? WHEN_STOPPED : 0) | (c->resumed ? WHEN_RESUMED : 0) |
			     (c->with_pause ? WITH_PAUSE : 0) | (c->with_ack ? WITH_ACK : 0) |
			     (c->scattered ? WHEN_SCATTERED : 0);

	return !(when & ~holds);
}

/* Where the step takes the device; NULL when it leaves it alone. */
static const struct move *choose(const struct coordinator *c, const struct step *s,
				 unsigned int device)
{
	const struct move *m = policy_move(s->moves, c->device[device].state,
					   c->device[device].flags);

	return m && s->arg == WORK_SET && m->to == c->device[device].state ? NULL : m;
}

static void announce(struct coordinator *c, const struct step *s, unsigned int device,
		     struct outputs *out)
{
	const struct move *m = choose(c, s, device);
	struct output *o;

	if (!m || c->no_prepare || c->device[device].flags & DEVICE_IS_MEMORY ||
	    !(m->announce || (c->prepare_all && s->arg == WORK_SET)))
		return;
	o = emit(out, OUTPUT_PREPARE);
	o->device = device;
	o->state = m->to;
	if (c->await_prepared)
		c->unprepared |= 1ull << device;
}

static void post(struct coordinator *c, const struct step *s, unsigned int device,
		 struct outputs *out)
{
	const struct move *m = choose(c, s, device);
	struct output *o;

	if (!m || c->device[device].busy)
		return;
	o = emit(out, OUTPUT_WORK);
	o->device = device;
	o->op = s->arg;
	o->state = m->to;
	o->recover = s->stay ? WORK_STAY : m->recover;
	c->device[device].busy = true;
	c->pending++;
	c->scattered |= s->arg == WORK_SET && c->runstate == RUN_FINISH_MIGRATE;
}

/* The @n-th device of the step. */
static unsigned int nth(const struct coordinator *c, const struct step *s, unsigned int n)
{
	return s->reverse ? c->count - 1 - n : n;
}

/*
 * The devices up to @end are next: announces them, and tells their workers when all
 * that was announced may begin.
 *
 * Return: false when it may not yet.
 */
static bool begin_devices(struct coordinator *c, const struct step *s, unsigned int end,
			  struct outputs *out)
{
	for (unsigned int n = c->next; n < end && !c->announced; n++)
		announce(c, s, nth(c, s, n), out);
	c->announced = true;
	if (c->unprepared)
		return false;
	for (; c->next < end; c->next++)
		post(c, s, nth(c, s, c->next), out);
	c->announced = false;
	return true;
}

/*
 * Tells the workers that it is their turn. Changes of state are never called off,
 * and one after the other end early only when one of them failed: what else fails
 * is heard of after them, as in QEMU. Moving data ends as soon as it is of no use any more.
 *
 * Return: true when the step is over.
 */
static bool work(struct coordinator *c, const struct step *s, struct outputs *out)
{
	bool over = s->arg == WORK_SET && s->serial ? c->broke : c->failed;
	bool halted = over && !s->carry_on;

	while (c->next < c->count && !halted && !(s->serial && c->pending)) {
		if (!begin_devices(c, s, s->serial ? c->next + 1 : c->count, out))
			return false;
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
		c->dialogue.committed = true;
}

static bool await(struct coordinator *c, enum message message)
{
	if (!dialogue_heard(&c->dialogue, message))
		return c->failed;
	if (message == MSG_DONE)
		c->taking_over = c->dialogue.peer_running && c->want_running;
	return true;
}

/* A device that has initial bytes again would make the downtime longer than was promised. */
static void check_acks(struct coordinator *c)
{
	struct error err;

	if (!c->acks)
		return;
	error_set(&err, 0, "Switchover ACK was requested by %u devices during switchover",
		  c->acks);
	fail(c, err.text);
}

/* What a machine that starts had sent before is void, and no switchover waits for it. */
static void resume(struct coordinator *c, struct outputs *out)
{
	c->resumed = c->again = true;
	c->acks = 0;
	set_runstate(c, RUN_RUNNING);
	emit(out, OUTPUT_RESUME);
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
	case STEP_RESTORE:
		if (c->runstate == RUN_FINISH_MIGRATE)
			c->runstate = c->before;
		break;
	case STEP_STOP:
		c->stopped = c->runstate == RUN_FINISH_MIGRATE;
		emit(out, OUTPUT_STOP);
		break;
	case STEP_RESUME:
		resume(c, out);
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
	case STEP_PAUSE:
		return c->continued || c->failed;
	case STEP_ACKED:
		check_acks(c);
		break;
	case STEP_SETTLE:
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
	c->aborted = c->broke = false;
	c->live = c->runstate == RUN_RUNNING;
	c->stopped = c->resumed = c->again = c->taking_over = c->continued = c->scattered = false;
}

/* What makes the machine do what stop and cont asked for; NULL when it does. */
static const struct step *turn(const struct coordinator *c)
{
	bool stands = c->runstate == RUN_PRELAUNCH || c->runstate == RUN_PAUSED ||
		      c->runstate == RUN_POSTMIGRATE;

	if (c->runstate == RUN_RUNNING && !c->want_running)
		return c->policy->stop;
	return stands && c->want_running ? c->policy->start : NULL;
}

static bool pick(struct coordinator *c)
{
	const struct step *program = turn(c);

	if (program) {
		begin(c, program, NULL);
	} else if (c->queued) {
		begin(c, c->queued, c->queued_undo);
		c->queued = NULL;
	}
	return c->at;
}

/* Which step comes after @s. */
static const struct step *successor(struct coordinator *c, const struct step *s)
{
	const struct step *next = s + 1;

	switch (s->kind) {
	case STEP_END:
		next = c->back;
		c->back = NULL;
		break;
	case STEP_CHECK:
		if (c->failed)
			next = dialogue_peer_may_run(&c->dialogue) ?
				c->policy->source_doubt : c->undo;
		break;
	case STEP_SETTLE:
		if (!c->failed && turn(c)) {
			next = turn(c);
			c->back = s;
		}
		break;
	default:
		break;
	}
	return next;
}

/* From step to step, until one has to wait or nothing is left to do. */
static void advance(struct coordinator *c, struct outputs *out)
{
	while (c->at || pick(c)) {
		const struct step *s = c->at;

		if (applies(c, s->when) && !perform(c, s, out))
			return;
		if (c->unprepared)
			emit(out, OUTPUT_WITHDRAW);
		c->next = 0;
		c->unprepared = 0;
		c->aborted = c->broke = c->announced = false;
		c->at = successor(c, s);
	}
}

static void queue(struct coordinator *c, enum input_kind command, struct outputs *out)
{
	bool outgoing = command == INPUT_MIGRATE;

	if (coordinator_refuses(c, command))
		return;
	c->dialogue = (struct dialogue){ .outgoing = outgoing, .with_ack = c->with_ack };
	c->queued = outgoing ? c->policy->source : c->policy->incoming;
	c->queued_undo = outgoing ? c->policy->source_undo : c->policy->incoming_undo;
	c->acks = 0;
	c->failed = false;
	c->error = (struct error){ 0 };
	set_status(c, STATUS_SETUP, out);
}

static void cancel(struct coordinator *c, struct outputs *out)
{
	if (!c->dialogue.outgoing || !coordinator_migrating(c) || c->failed ||
	    c->dialogue.committed)
		return;
	set_status(c, STATUS_CANCELLING, out);
	c->failed = true;
	error_set(&c->error, 0, "the migration was cancelled");
}

/* A device that was only asked where it is has news when it is somewhere else. */
static void state_done(struct coordinator *c, unsigned int device, const struct work_result *r,
		       struct outputs *out)
{
	uint32_t before = c->device[device].state;
	struct output *o;

	c->scattered |= r->error || r->op == WORK_RESET;
	c->device[device].state = r->state;
	if (c->device[device].flags & DEVICE_IS_MEMORY)
		return;
	if (r->state == VFIO_DEVICE_STATE_ERROR || (r->op != WORK_SET && r->state == before))
		return;
	if (r->state == VFIO_DEVICE_STATE_PRE_COPY && before != r->state)
		c->acks += c->with_ack;
	o = emit(out, OUTPUT_VFIO);
	o->device = device;
	o->state = r->state;
	o->error = r->error;
	o->ns = r->return_ns - r->enter_ns;
}

/*
 * A machine that stands, or is to stop, has no downtime to keep short. What the last
 * answer says counts: cont may have come since, or a device have initial bytes again,
 * and then those that are through with their passes go on, too.
 */
static void pass_done(struct coordinator *c, const struct input *in)
{
	bool short_enough = in->converged && !c->acks;

	if (!short_enough && c->live && c->want_running && !c->failed)
		c->next = 0;
}

static void load_done(struct coordinator *c, const struct input *in, struct outputs *out)
{
	if (!in->result->initial || c->failed)
		return;
	tell(c, MSG_ACK, out);
	post(c, c->at, in->device, out);
}

static void work_done(struct coordinator *c, const struct input *in, struct outputs *out)
{
	const struct work_result *r = in->result;

	c->pending--;
	c->device[in->device].busy = false;
	if (r->error) {
		c->broke = true;
		fail(c, r->text.text);
	}
	c->acks += r->reinit;
	if (r->op == WORK_SET || r->op == WORK_STATE || r->op == WORK_RESET)
		state_done(c, in->device, r, out);
	else if (r->op == WORK_PASS)
		pass_done(c, in);
	else if (r->op == WORK_LOAD)
		load_done(c, in, out);
}

static void message(struct coordinator *c, const struct input *in)
{
	if (!dialogue_take(&c->dialogue, in->message, in->running))
		fail(c, "the peer sent a message out of turn");
	else if (in->message == MSG_FAILED)
		fail(c, in->text);
	else if (in->message == MSG_ACK && c->acks)
		c->acks--;
}

/*
 * The way to the peer is gone. A source that has told us MSG_DONE stays stopped
 * without our word: there is no need for it any more.
 */
static void lose(struct coordinator *c, const char *text)
{
	struct error err;

	if (dialogue_heard(&c->dialogue, MSG_DONE))
		return;
	error_set(&err, 0, "%s", text);
	if (dialogue_peer_may_run(&c->dialogue))
		error_set(&err, 0,
			  "%s; whether the destination runs is not known, so this machine stays stopped: cont starts it when the destination does not run",
			  text);
	fail(c, err.text);
}

static void miss(struct coordinator *c, const char *text)
{
	const struct dialogue *d = &c->dialogue;
	bool awaiting = c->at && c->at->kind == STEP_AWAIT;
	struct error err;

	error_set(&err, 0, "the %s, which was to %s, %s", dialogue_peer(d),
		  awaiting ? dialogue_duty(d, c->at->arg) : dialogue_work(d), text);
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
	case INPUT_CONTINUE:
		c->continued = c->at && c->at->kind == STEP_PAUSE;
		break;
	case INPUT_PREPARED:
		c->unprepared &= ~(1ull << in->device);
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
