// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulated device: the same arcs, rules and record as miglab_vfio_pci, in
 * this process.
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "device/emu.h"
#include "device/open.h"

static struct emu *to_emu(struct device *dev)
{
	return (struct emu *)dev;
}

void emu_wait_changed(struct emu *e, u64 deadline_ns)
{
	struct timespec until = {
		.tv_sec = deadline_ns / NSEC_PER_SEC,
		.tv_nsec = deadline_ns % NSEC_PER_SEC,
	};

	if (deadline_ns == U64_MAX)
		pthread_cond_wait(&e->changed, &e->lock);
	else
		pthread_cond_timedwait(&e->changed, &e->lock, &until);
}

/* Consumes a permit, if there is one. */
static bool take_permit(struct emu *e)
{
	if (!e->permits)
		return false;
	e->permits--;
	return true;
}

/*
 * Holds @arc, by a rule or, @leased, under the lease; e->lock is held. 0 when it may go on,
 * -EIO when a reset came, -ETIMEDOUT at the limit.
 */
static int hold_arc(struct emu *e, const struct miglab_arc *arc, u64 limit_us, bool leased,
		    u64 gen)
{
	const u64 deadline = clock_ns() + limit_us * NSEC_PER_USEC;
	const u32 ended = e->lease.ended;
	int ret = 0;

	e->stats.holds++;
	e->held = arc;
	e->leased = leased;
	e->released = false;
	while (e->reset_gen == gen && !e->released &&
	       !(leased ? e->lease.ended != ended : take_permit(e))) {
		if (clock_ns() >= deadline) {
			ret = -ETIMEDOUT;
			break;
		}
		emu_wait_changed(e, deadline);
	}
	e->held = NULL;
	return e->reset_gen == gen ? ret : -EIO;
}

/*
 * Waits as @plan says; e->lock is held. -EIO when a reset came, -ETIMEDOUT at the hold's limit.
 * What was released by its number no rule holds either.
 */
static int wait_for_plan(struct emu *e, const struct miglab_plan *plan,
			 const struct miglab_arc *arc, u64 gen, bool released)
{
	u64 deadline;
	int ret = 0;

	if (plan->hold && !released)
		ret = hold_arc(e, arc, plan->limit_us, false, gen);
	deadline = clock_ns() + plan->delay_us * NSEC_PER_USEC;
	while (!ret && e->reset_gen == gen && clock_ns() < deadline)
		emu_wait_changed(e, deadline);
	if (!ret && e->reset_gen != gen)
		ret = -EIO;
	return ret;
}

struct miglab_plan emu_plan(struct emu *e, enum miglab_op op)
{
	struct miglab_plan plan = { 0 };

	if (!(atomic_load_explicit(&e->rule_ops, memory_order_relaxed) & (1u << op)))
		return plan;
	pthread_mutex_lock(&e->lock);
	plan = miglab_rules_match_op(&e->rules, op);
	pthread_mutex_unlock(&e->lock);
	return plan;
}

int emu_delay(struct emu *e, u64 us)
{
	const struct miglab_plan plan = { .delay_us = us };
	int ret;

	pthread_mutex_lock(&e->lock);
	ret = wait_for_plan(e, &plan, NULL, e->reset_gen, false);
	pthread_mutex_unlock(&e->lock);
	return ret;
}

int emu_obey(struct emu *e, enum miglab_op op, struct miglab_plan *ret_plan)
{
	int ret;

	*ret_plan = emu_plan(e, op);
	ret = ret_plan->delay_us ? emu_delay(e, ret_plan->delay_us) : 0;
	return ret ? ret : ret_plan->error;
}

static bool is_stopped(u32 state)
{
	return state == MIGLAB_STOP || state == MIGLAB_STOP_COPY;
}

static void latch_fingerprint(struct emu *e, bool loaded)
{
	if (!loaded)
		e->content.fingerprint = miglab_content_fingerprint(&e->content);
	pthread_mutex_lock(&e->lock);
	e->fingerprint = e->content.fingerprint;
	e->latched = true;
	pthread_mutex_unlock(&e->lock);
}

/* What the arc does to the model and the session; model_lock is held. */
static int act(struct emu *e, u32 from, u32 to)
{
	const bool was_saving = miglab_state_is_saving(from);
	const bool saving = miglab_state_is_saving(to);
	const u64 now = clock_ns();
	int ret = 0;

	emu_advance(e, now);
	emu_memory_advance(e, now);
	if (from == MIGLAB_RESUMING)
		ret = emu_session_commit(e);
	else if (to == MIGLAB_RESUMING || (saving && !was_saving))
		ret = emu_session_begin(e, to == MIGLAB_RESUMING);
	if (ret)
		return ret;

	miglab_synthetic_run(&e->model, miglab_synthetic_active(to), now);
	if (is_stopped(to) && !is_stopped(from))
		latch_fingerprint(e, from == MIGLAB_RESUMING);
	if (from == MIGLAB_RESUMING || (was_saving && !saving))
		emu_session_end(e);
	return 0;
}

/* The device fails for good: no session is left, and only a reset leads out. */
static void break_down(struct emu *e)
{
	const u64 now = clock_ns();

	emu_advance(e, now);
	emu_memory_advance(e, now);
	miglab_synthetic_run(&e->model, false, now);
	emu_session_end(e);
}

/*
 * Acts unless a reset came, then makes the result known. When the arc failed with
 * @breaks, the device goes to ERROR.
 */
static int finish_arc(struct emu *e, struct miglab_arc *arc, int ret, bool breaks, u64 gen)
{
	u32 state;

	pthread_mutex_lock(&e->model_lock);
	pthread_mutex_lock(&e->lock);
	state = e->state;
	/* A reset may also have begun before this arc and ended within it. */
	if (e->reset_gen != gen || state != arc->from) {
		ret = ret ? ret : -EIO;
		breaks = false;
	}
	pthread_mutex_unlock(&e->lock);
	if (!ret) {
		ret = act(e, arc->from, arc->to);
		state = ret ? state : arc->to;
	} else if (breaks) {
		break_down(e);
		state = MIGLAB_ERROR;
	}

	pthread_mutex_lock(&e->lock);
	e->stats.arcs++;
	e->stats.arcs_failed += ret != 0;
	e->state = state;
	arc->end_ns = clock_ns();
	arc->result = ret;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
	pthread_mutex_unlock(&e->model_lock);
	return ret;
}

static int take_arc(struct emu *e, u32 from, u32 to, u32 requested, u64 gen)
{
	struct miglab_plan plan = { 0 };
	bool breaks, released = false;
	struct miglab_arc *arc;
	int ret = 0;

	pthread_mutex_lock(&e->lock);
	arc = miglab_history_begin(&e->history, from, to, requested, getpid(), clock_ns());
	/* The rules do not know of an arc until its lease lets it go on. */
	if (miglab_lease_holds(&e->lease, from, to)) {
		ret = hold_arc(e, arc, e->lease.limit_us, true, gen);
		released = e->released;
	}
	if (!ret) {
		plan = miglab_rules_match(&e->rules, from, to);
		arc->rule = plan.rule;
		ret = wait_for_plan(e, &plan, arc, gen, released);
	}
	if (!ret && !plan.error && from == MIGLAB_RESUMING) {
		plan = miglab_rules_match_op(&e->rules, MIGLAB_OP_LOAD);
		arc->rule = plan.rule ? plan.rule : arc->rule;
		ret = wait_for_plan(e, &plan, arc, gen, true);
	}
	pthread_mutex_unlock(&e->lock);
	breaks = !ret && plan.faults & MIGLAB_FAULT_ERROR;
	return finish_arc(e, arc, ret ? ret : plan.error, breaks, gen);
}

int emu_set_state(struct device *dev, uint32_t want, struct error *err)
{
	struct emu *e = to_emu(dev);
	u32 cur, next;
	u64 gen;
	int ret;

	pthread_mutex_lock(&e->lock);
	cur = e->state;
	gen = e->reset_gen;
	pthread_mutex_unlock(&e->lock);

	if (cur == MIGLAB_ERROR)
		return error_set(err, -EIO, "%s: it is in ERROR, which only a reset leaves",
				 dev->name);
	while (cur != want) {
		ret = miglab_fsm_next(dev->flags, cur, want, &next);
		if (ret)
			return error_set(err, ret, "%s: there is no way from %s to %s (state %u)",
					 dev->name, miglab_state_name(cur),
					 miglab_state_name(want), want);
		ret = take_arc(e, cur, next, want, gen);
		if (ret)
			return error_set(err, ret, "%s: %s to %s failed: %s", dev->name,
					 miglab_state_name(cur), miglab_state_name(next),
					 strerror(-ret));
		cur = next;
	}
	return 0;
}

static int emu_get_state(struct device *dev, uint32_t *ret_state, struct error *err)
{
	struct emu *e = to_emu(dev);

	(void)err;
	pthread_mutex_lock(&e->lock);
	*ret_state = e->state;
	pthread_mutex_unlock(&e->lock);
	return 0;
}

/* The state that a device has after reset number @e->stats.resets; model_lock is held. */
static void fill_model(struct emu *e)
{
	miglab_synthetic_init(&e->model, &e->content, e->seed + e->stats.resets);
	pthread_mutex_lock(&e->lock);
	e->model.rate = e->rate;
	pthread_mutex_unlock(&e->lock);
	miglab_synthetic_run(&e->model, true, clock_ns());
}

int emu_reset(struct device *dev, struct error *err)
{
	struct emu *e = to_emu(dev);
	struct miglab_plan plan;
	int ret = emu_obey(e, MIGLAB_OP_RESET, &plan);

	if (ret)
		return error_set(err, ret, "%s: cannot be reset: %s", dev->name, strerror(-ret));
	/* An arc that is on its way fails from now on. One that waits is woken in the end. */
	pthread_mutex_lock(&e->lock);
	e->reset_gen++;
	e->stats.resets++;
	pthread_mutex_unlock(&e->lock);

	pthread_mutex_lock(&e->model_lock);
	emu_memory_advance(e, clock_ns());
	emu_session_end(e);
	fill_model(e);
	pthread_mutex_lock(&e->lock);
	e->state = MIGLAB_RUNNING;
	e->latched = false;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
	pthread_mutex_unlock(&e->model_lock);
	return 0;
}

static void emu_close(struct device *dev)
{
	struct emu *e = to_emu(dev);

	emu_session_end(e);
	free(e->memory.written);
	free(e->content.bytes);
	free(e->dev.name);
	pthread_cond_destroy(&e->changed);
	pthread_mutex_destroy(&e->set_lock);
	pthread_mutex_destroy(&e->lock);
	pthread_mutex_destroy(&e->model_lock);
	free(e);
}

static const struct device_ops emu_ops = {
	.close = emu_close,
	.set_state = emu_set_state,
	.get_state = emu_get_state,
	.data_size = emu_data_size,
	.precopy_info = emu_precopy_info,
	.read = emu_read,
	.write = emu_write,
	.wait = emu_wait,
	.end_session = emu_end_session,
	.reset = emu_reset,
	.map = emu_map,
	.track = emu_track,
	.dirty = emu_dirty,
	.untrack = emu_untrack,
};

static void init_locks(struct emu *e)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&e->model_lock, NULL);
	pthread_mutex_init(&e->lock, NULL);
	pthread_mutex_init(&e->set_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&e->changed, &attr);
	pthread_condattr_destroy(&attr);
}

/* All that can fail, but the rules; what it allocated emu_close() frees. */
static int alloc_emu(const char *name, u64 state_bytes, struct emu **ret_emu)
{
	struct emu *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->dev.name = strdup(name);
	e->content.bytes = malloc(state_bytes);
	if (!e->dev.name || !e->content.bytes) {
		free(e->dev.name);
		free(e->content.bytes);
		free(e);
		return -ENOMEM;
	}
	*ret_emu = e;
	return 0;
}

int emu_open(const char *spec, struct device **ret_dev, struct error *err)
{
	struct emu_spec wanted;
	struct emu *e;
	int ret = emu_spec_parse(spec, &wanted, err);

	if (ret)
		return ret;
	ret = alloc_emu(spec, wanted.state_bytes, &e);
	if (ret)
		return error_set(err, ret, "emu: no memory for a state of %llu bytes",
				 (unsigned long long)wanted.state_bytes);
	init_locks(e);
	e->dev.ops = &emu_ops;
	e->calls = emu_calls;
	e->dev.calls = &e->calls;
	e->dev.flags = wanted.flags;
	e->dev.lab = &e->lab;
	e->lab.ops = &emu_lab_ops;
	e->lab.witness = "emulated (same process)";
	e->state = MIGLAB_RUNNING;
	e->seed = wanted.seed;
	e->rate = wanted.dirty_bytes_per_sec;
	e->memory.rate = wanted.dma_bytes_per_sec;
	e->memory.misses = wanted.dma_log_misses;
	e->content.id.model = MIGLAB_MODEL_SYNTHETIC;
	e->content.id.state_bytes = wanted.state_bytes;
	miglab_history_init(&e->history);
	ret = emu_rules_set(e, wanted.rules, err);
	if (ret) {
		emu_close(&e->dev);
		return error_prefix(err, ret, "emu: rules=");
	}
	fill_model(e);
	if (*wanted.mutant)
		ret = emu_mutate(e, wanted.mutant, err);
	if (ret) {
		emu_close(&e->dev);
		return ret;
	}
	*ret_dev = &e->dev;
	return 0;
}
