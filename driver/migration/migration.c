// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration state machine.
 *
 * The kernel's own table says which arcs a path has, from the flags of the profile;
 * arc_kinds says what each arc does.
 *
 * A SET claims the device by setting busy and walks it arc by arc with no lock held
 * while a rule waits. An arc takes effect in one step under the locks, in commit(),
 * and only if no reset came since the SET began: so a reset wins at once, waits for
 * nobody, and a failed arc leaves the device where it was.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/hrtimer.h>
#include <linux/sched/signal.h>

#include "device.h"
#include "trace.h"

/* What an arc does to the session. */
enum session_step {
	STEP_NOTHING,
	STEP_SAVE,		/* opens one, in pre-copy */
	STEP_SAVE_FINAL,	/* opens one, in stop-copy */
	STEP_FINALIZE,		/* takes the open one from pre-copy to stop-copy */
	STEP_RESUME,		/* opens one that loads */
	STEP_COMMIT,		/* ends it and makes what it loaded the device's state */
	STEP_END,		/* ends one that saved */
	STEP_BREAK,		/* ends whichever there is, if any */
};

struct arc_kind {
	bool exists;
	enum session_step step;
	bool stops;		/* the state has just become final: latch its fingerprint */
};

/* The arcs of all profiles: the last three are of those that lack P2P. */
static const struct arc_kind arc_kinds[MIGLAB_NR_STATES][MIGLAB_NR_STATES] = {
	[MIGLAB_RUNNING][MIGLAB_RUNNING_P2P] = { true, STEP_NOTHING, false },
	[MIGLAB_RUNNING_P2P][MIGLAB_RUNNING] = { true, STEP_NOTHING, false },
	[MIGLAB_RUNNING_P2P][MIGLAB_STOP] = { true, STEP_NOTHING, true },
	[MIGLAB_STOP][MIGLAB_RUNNING_P2P] = { true, STEP_NOTHING, false },
	[MIGLAB_STOP][MIGLAB_STOP_COPY] = { true, STEP_SAVE_FINAL, false },
	[MIGLAB_STOP_COPY][MIGLAB_STOP] = { true, STEP_END, false },
	[MIGLAB_STOP][MIGLAB_RESUMING] = { true, STEP_RESUME, false },
	[MIGLAB_RESUMING][MIGLAB_STOP] = { true, STEP_COMMIT, true },
	[MIGLAB_RUNNING][MIGLAB_PRE_COPY] = { true, STEP_SAVE, false },
	[MIGLAB_PRE_COPY][MIGLAB_RUNNING] = { true, STEP_END, false },
	[MIGLAB_PRE_COPY][MIGLAB_PRE_COPY_P2P] = { true, STEP_NOTHING, false },
	[MIGLAB_PRE_COPY_P2P][MIGLAB_PRE_COPY] = { true, STEP_NOTHING, false },
	[MIGLAB_RUNNING_P2P][MIGLAB_PRE_COPY_P2P] = { true, STEP_SAVE, false },
	[MIGLAB_PRE_COPY_P2P][MIGLAB_RUNNING_P2P] = { true, STEP_END, false },
	[MIGLAB_PRE_COPY_P2P][MIGLAB_STOP_COPY] = { true, STEP_FINALIZE, true },
	[MIGLAB_RUNNING][MIGLAB_STOP] = { true, STEP_NOTHING, true },
	[MIGLAB_STOP][MIGLAB_RUNNING] = { true, STEP_NOTHING, false },
	[MIGLAB_PRE_COPY][MIGLAB_STOP_COPY] = { true, STEP_FINALIZE, true },
};

/* What happens instead of an arc that a rule fails with then=ERROR. */
static const struct arc_kind breakdown = { true, STEP_BREAK, false };

static_assert((int)MIGLAB_NR_STATES == (int)VFIO_DEVICE_STATE_PRE_COPY_P2P + 1);

/* One arc on its way. */
struct arc_run {
	u32 from, to;
	u32 gen;			/* reset_gen when the SET began */
	struct miglab_arc *entry;	/* in the history */
	struct miglab_plan plan;
	struct pid *leased_to;		/* the lease's owner, a reference; NULL: not under one */
	u64 lease_us;			/* the lease's limit */
	u32 leases_ended;		/* when the arc began */
	bool released;			/* by its number: no rule holds it either */
	struct miglab_session *opened;	/* by this arc; ours until commit() */
	struct miglab_image *loaded;	/* by the session that this arc ends; ours likewise */
	struct file *file;		/* for the user */
	bool breaks;			/* the rule that failed it wants the device in ERROR */
};

int miglab_wait_cut_short(struct miglab_device *m, u32 gen)
{
	return READ_ONCE(m->reset_gen) == gen ? 0 : -EIO;
}
EXPORT_SYMBOL_GPL(miglab_wait_cut_short);

/* May @run, which is held, go on? Permits are for rules. */
static bool may_go_on(struct miglab_device *m, const struct arc_run *run)
{
	if (READ_ONCE(m->hold.released))
		return true;
	if (run->leased_to)
		return miglab_hold_is_over(m, run->leased_to, run->leases_ended);
	return atomic_dec_if_positive(&m->permits) >= 0;
}

/* When to look again, @until at the latest: nobody wakes us when a lease's owner dies. */
static ktime_t next_look(const struct arc_run *held, ktime_t until)
{
	ktime_t soon;

	if (!held || !held->leased_to)
		return until;
	soon = ktime_add_us(ktime_get(), MIGLAB_LEASE_POLL_US);
	return ktime_before(soon, until) ? soon : until;
}

/* Who waits, and so what ends it early. Both are killable. */
enum wait_kind {
	WAIT_MODEL,	/* for time to pass; remove() lets it, since the user may still finish */
	WAIT_RULE,	/* the same, but remove() ends what a rule does; may be hours: freezable */
};

/*
 * Waits for @us at most; for an arc that is @held, until it may go on. Returns 0 when it may,
 * -ETIMEDOUT when the time is over, else why the wait was cut short.
 */
static int timed_wait(struct miglab_device *m, u32 gen, u64 us, enum wait_kind kind,
		      const struct arc_run *held)
{
	int state = kind == WAIT_MODEL ? TASK_KILLABLE : TASK_KILLABLE | TASK_FREEZABLE;
	ktime_t until = ktime_add_us(ktime_get(), us), look;
	DEFINE_WAIT(wait);
	int ret;

	for (;;) {
		prepare_to_wait(&m->wait, &wait, state);
		ret = miglab_wait_cut_short(m, gen);
		if (kind != WAIT_MODEL && READ_ONCE(m->closing))
			ret = -ENODEV;
		if (ret)
			break;
		if (held && may_go_on(m, held))
			break;
		ret = ktime_before(ktime_get(), until) ? 0 : -ETIMEDOUT;
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		if (ret)
			break;
		look = next_look(held, until);
		schedule_hrtimeout(&look, HRTIMER_MODE_ABS);
	}
	finish_wait(&m->wait, &wait);
	return ret;
}

int miglab_pause(struct miglab_device *m, u32 gen, u64 us)
{
	int ret = timed_wait(m, gen, us, WAIT_MODEL, NULL);

	return ret == -ETIMEDOUT ? 0 : ret;
}
EXPORT_SYMBOL_GPL(miglab_pause);

static int rule_pause(struct miglab_device *m, u32 gen, u64 us)
{
	int ret = us ? timed_wait(m, gen, us, WAIT_RULE, NULL) : 0;

	return ret == -ETIMEDOUT ? 0 : ret;
}

int miglab_obey(struct miglab_device *m, enum miglab_op op, struct miglab_plan *ret_plan)
{
	int ret;

	*ret_plan = miglab_rulebook_op(m->book, op);
	ret = rule_pause(m, READ_ONCE(m->reset_gen), ret_plan->delay_us);
	return ret ?: ret_plan->error;
}
EXPORT_SYMBOL_GPL(miglab_obey);

static u32 current_state(struct miglab_device *m)
{
	u32 state;

	mutex_lock(&m->state_lock);
	state = m->state;
	mutex_unlock(&m->state_lock);
	return state;
}

static void begin_hold(struct miglab_device *m, const struct arc_run *run)
{
	mutex_lock(&m->state_lock);
	m->held = run->entry;
	m->hold.leased = !!run->leased_to;
	WRITE_ONCE(m->hold.released, false);
	mutex_unlock(&m->state_lock);
	miglab_held_changed(m);
}

/* Who was told that the arc is released was told so for good. */
static void end_hold(struct miglab_device *m, struct arc_run *run)
{
	mutex_lock(&m->state_lock);
	m->held = NULL;
	run->released = m->hold.released;
	mutex_unlock(&m->state_lock);
	miglab_held_changed(m);
}

static int arc_hold(struct miglab_device *m, struct arc_run *run, u64 limit_us)
{
	int ret;

	miglab_stats_add(m->stats, MIGLAB_HOLDS, 1);
	trace_miglab_hold(m->book->name, run->entry);
	begin_hold(m, run);
	ret = timed_wait(m, run->gen, limit_us, WAIT_RULE, run);
	end_hold(m, run);
	return ret == -ETIMEDOUT && run->released ? 0 : ret;
}

/* The rules are asked what shall happen. */
static void arc_plan(struct miglab_device *m, struct arc_run *run)
{
	lockdep_assert_held(&m->state_lock);
	run->plan = miglab_rulebook_arc(m->book, run->from, run->to);
	run->entry->rule = run->plan.rule;
}

/* Under a lease the arc is held first, and the rules do not know of it until it goes on. */
static int arc_obey_lease(struct miglab_device *m, struct arc_run *run)
{
	int ret;

	if (!run->leased_to)
		return 0;
	ret = arc_hold(m, run, run->lease_us);
	put_pid(run->leased_to);
	run->leased_to = NULL;
	if (ret)
		return ret;
	mutex_lock(&m->state_lock);
	arc_plan(m, run);
	mutex_unlock(&m->state_lock);
	return 0;
}

/* Does what the rule says. */
static int arc_obey(struct miglab_device *m, struct arc_run *run)
{
	const struct miglab_plan *plan = &run->plan;
	int ret = 0;

	if (plan->hold && !run->released)
		ret = arc_hold(m, run, plan->limit_us);
	if (!ret)
		ret = rule_pause(m, run->gen, plan->delay_us);
	if (ret)
		return ret;
	run->breaks = plan->faults & MIGLAB_FAULT_ERROR;
	return plan->error;
}

/* Does what the lease and the rules say, of the arc and of the load that it may be. */
static int arc_obey_all(struct miglab_device *m, struct arc_run *run, enum session_step step)
{
	struct miglab_plan load;
	int ret;

	ret = arc_obey_lease(m, run) ?: arc_obey(m, run);
	if (ret || step != STEP_COMMIT)
		return ret;
	load = miglab_rulebook_op(m->book, MIGLAB_OP_LOAD);
	if (!load.rule)
		return 0;
	run->plan = load;
	return arc_obey(m, run);
}

static int open_session(struct miglab_device *m, struct arc_run *run, struct miglab_image *image,
			enum miglab_phase phase)
{
	run->opened = miglab_session_new(image, phase, m->vdev, m->book, &run->file);
	return PTR_ERR_OR_ZERO(run->opened);
}

static int open_resuming(struct miglab_device *m, struct arc_run *run)
{
	struct miglab_image *image;
	int ret;

	image = miglab_image_new(m->model, &m->image->content.id, m->stats);
	if (IS_ERR(image))
		return PTR_ERR(image);
	ret = open_session(m, run, image, MIGLAB_PHASE_RESUMING);
	miglab_image_put(image);
	return ret;
}

/* Takes the image out of the session that loads, if its stream is whole. */
static int seal_session(struct miglab_device *m, struct arc_run *run)
{
	struct miglab_session *s = NULL;
	int ret;

	mutex_lock(&m->state_lock);
	if (m->session)
		s = miglab_session_get(m->session);
	mutex_unlock(&m->state_lock);
	if (!s)
		return -EIO;
	ret = miglab_session_seal(s, &run->loaded);
	miglab_session_put(s);
	return ret;
}

/* All that can fail, and nothing that shows for good: settle() follows. */
static int arc_prepare(struct miglab_device *m, struct arc_run *run, enum session_step step)
{
	int ret = 0;

	if (m->model->prepare)
		ret = m->model->prepare(m, run->from, run->to, run->gen);
	if (ret)
		return ret;
	switch (step) {
	case STEP_SAVE:
		return open_session(m, run, m->image, MIGLAB_PHASE_PRECOPY);
	case STEP_SAVE_FINAL:
		return open_session(m, run, m->image, MIGLAB_PHASE_STOPCOPY);
	case STEP_RESUME:
		return open_resuming(m, run);
	case STEP_COMMIT:
		ret = seal_session(m, run);
		if (!ret && m->model->restore)
			ret = m->model->restore(m, run->loaded, run->gen);
		return ret;
	default:
		return 0;
	}
}

/* The session leaves the device; to be dropped by the caller without the lock. */
static struct miglab_session *detach_session(struct miglab_device *m)
{
	struct miglab_session *s = m->session;

	lockdep_assert_held(&m->state_lock);
	m->session = NULL;
	if (s)
		miglab_session_kill(s);
	return s;
}

static void state_changed(struct miglab_device *m)
{
	lockdep_assert_held(&m->state_lock);
	if (m->ops->state_changed)
		m->ops->state_changed(m);
}

/* The device's new state and session. Returns the session that ended, if any. */
static struct miglab_session *apply_locked(struct miglab_device *m, struct arc_run *run,
					   enum session_step step)
{
	struct miglab_session *ended = NULL;

	lockdep_assert_held(&m->state_lock);
	WRITE_ONCE(m->state, run->to);
	state_changed(m);
	if (step == STEP_END || step == STEP_COMMIT || step == STEP_BREAK)
		ended = detach_session(m);
	if (run->opened) {
		m->session = run->opened;
		run->opened = NULL;
	}
	if (run->loaded) {
		run->loaded->device = m;
		swap(m->image, run->loaded);
	}
	if (step == STEP_FINALIZE)
		miglab_session_finalize(m->session);
	else if (m->session)
		miglab_session_nudge(m->session);
	return ended;
}

/* The model learns of the device's state and pace. */
static void model_enter(struct miglab_device *m, struct miglab_image *image)
{
	lockdep_assert_held(&image->lock);
	lockdep_assert_held(&m->state_lock);
	if (m->model->enter)
		m->model->enter(m, image, m->state);
}

/* The state has become final; @loaded: a stream brought it, and its fingerprint is known. */
static int stop_image(struct miglab_device *m, struct miglab_image *image, bool loaded)
{
	int ret = miglab_image_freeze(image);

	/* A checksum of all of it takes long. */
	if (!ret && (!loaded || image->altered))
		image->content.fingerprint = miglab_content_fingerprint(&image->content);
	return ret;
}

/* The arc takes effect, unless a reset came. */
static int arc_commit(struct miglab_device *m, struct arc_run *run, const struct arc_kind *kind)
{
	struct miglab_image *image = run->loaded ?: m->image;
	struct miglab_session *ended = NULL;
	int ret = 0;

	mutex_lock(&image->lock);
	miglab_image_advance(image);
	if (kind->stops)
		ret = stop_image(m, image, run->loaded);
	if (ret)
		goto unlock_image;

	if (m->ops->commit_lock)
		m->ops->commit_lock(m);
	mutex_lock(&m->state_lock);
	ret = m->reset_gen == run->gen ? 0 : -EIO;
	if (!ret) {
		ended = apply_locked(m, run, kind->step);
		model_enter(m, image);
		if (kind->step == STEP_SAVE || kind->step == STEP_SAVE_FINAL)
			miglab_session_begin(m->session, image);
		else if (kind->step == STEP_END || kind->step == STEP_BREAK)
			image->tracked = false;
		if (kind->stops) {
			m->fingerprint = image->content.fingerprint;
			m->fingerprinted = true;
		}
	}
	mutex_unlock(&m->state_lock);
	if (m->ops->commit_unlock)
		m->ops->commit_unlock(m);
unlock_image:
	mutex_unlock(&image->lock);

	if (ended)
		miglab_session_drop(ended);
	return ret;
}

/* What the arc made and did not hand over. */
static void arc_clean_up(struct arc_run *run, int result)
{
	if (run->loaded) {
		miglab_image_orphan(run->loaded);
		miglab_image_put(run->loaded);
	}
	if (!IS_ERR_OR_NULL(run->opened)) {
		miglab_session_kill(run->opened);
		miglab_session_drop(run->opened);
	}
	if (result && run->file) {
		fput(run->file);
		run->file = NULL;
	}
}

/* A reset wiped the device's state: makes a new one before the next arc looks at it. */
static void restore_lost_state(struct miglab_device *m)
{
	bool lost;

	mutex_lock(&m->state_lock);
	lost = m->state_lost;
	m->state_lost = false;
	mutex_unlock(&m->state_lock);
	if (!lost)
		return;

	mutex_lock(&m->image->lock);
	miglab_image_renew(m->image);
	mutex_lock(&m->state_lock);
	model_enter(m, m->image);
	mutex_unlock(&m->state_lock);
	mutex_unlock(&m->image->lock);
}

/* The record of the arc, made before any rule acts. */
static int arc_begin(struct miglab_device *m, struct arc_run *run, u32 requested)
{
	int ret;

	mutex_lock(&m->state_lock);
	ret = m->reset_gen == run->gen ? 0 : -EIO;
	if (!ret) {
		run->entry = miglab_history_begin(&m->history, run->from, run->to, requested,
						  task_tgid_nr(current), ktime_get_ns());
		run->leased_to = miglab_hold_owner(m, run->from, run->to);
		run->lease_us = m->hold.lease.limit_us;
		run->leases_ended = m->hold.lease.ended;
		if (!run->leased_to)
			arc_plan(m, run);
	}
	mutex_unlock(&m->state_lock);
	if (!ret)
		trace_miglab_arc_begin(m->book->name, run->entry);
	return ret;
}

static void arc_end(struct miglab_device *m, struct arc_run *run, int result)
{
	mutex_lock(&m->state_lock);
	run->entry->end_ns = ktime_get_ns();
	run->entry->result = result;
	run->entry->rule = run->plan.rule;
	mutex_unlock(&m->state_lock);
	trace_miglab_arc_end(m->book->name, run->entry);
	dev_dbg(m->vdev->dev, "%s > %s: %d\n", miglab_state_name(run->from),
		miglab_state_name(run->to), result);

	miglab_stats_add(m->stats, MIGLAB_ARCS, 1);
	if (result)
		miglab_stats_add(m->stats, MIGLAB_ARCS_FAILED, 1);
}

/* Instead of the arc that has just failed: nothing is left, and only a reset leads out. */
static void arc_break(struct miglab_device *m, struct arc_run *run)
{
	run->to = MIGLAB_ERROR;
	/* Only a reset can be in the way, and that is the stronger one. */
	arc_commit(m, run, &breakdown);
}

/* One arc. The caller has claimed the device. */
static int arc_take(struct miglab_device *m, struct arc_run *run, u32 requested)
{
	const struct arc_kind *kind = &arc_kinds[run->from][run->to];
	int ret;

	if (WARN_ON_ONCE(!kind->exists))
		return -EINVAL;
	ret = arc_begin(m, run, requested);
	if (ret)
		return ret;
	ret = arc_obey_all(m, run, kind->step);
	if (ret && run->breaks)
		arc_break(m, run);
	if (!ret) {
		restore_lost_state(m);
		ret = arc_prepare(m, run, kind->step);
	}
	if (!ret)
		ret = arc_commit(m, run, kind);
	if (m->model->settle)
		m->model->settle(m, current_state(m));
	arc_clean_up(run, ret);
	arc_end(m, run, ret);
	return ret;
}

/* Waits until no other SET walks, then claims the device for this one. */
static int claim(struct miglab_device *m, u32 *ret_gen)
{
	bool mine;

	do {
		if (wait_event_state(m->wait, !READ_ONCE(m->busy),
				     (TASK_KILLABLE | TASK_FREEZABLE)))
			return -EINTR;
		mutex_lock(&m->state_lock);
		mine = !m->busy;
		if (mine) {
			WRITE_ONCE(m->busy, true);
			*ret_gen = m->reset_gen;
		}
		mutex_unlock(&m->state_lock);
	} while (!mine);
	return 0;
}

static void unclaim(struct miglab_device *m)
{
	mutex_lock(&m->state_lock);
	WRITE_ONCE(m->busy, false);
	mutex_unlock(&m->state_lock);
	wake_up_all(&m->wait);
}

/*
 * The kernel's table warns about ERROR, which only a reset leaves. Before mainline a26b499b757c it
 * never returned for the one arc that the uAPI blocks, with either end: so it is not asked.
 */
static int next_state(struct miglab_device *m, u32 from, u32 want, u32 *ret_to)
{
	enum vfio_device_mig_state to;
	int ret;

	if (from == MIGLAB_ERROR)
		return -EIO;
	if (from == MIGLAB_STOP_COPY && (want == MIGLAB_PRE_COPY || want == MIGLAB_PRE_COPY_P2P))
		return -EINVAL;
	ret = vfio_mig_get_next_state(m->vdev, from, want, &to);
	if (!ret)
		*ret_to = to;
	return ret;
}

struct file *miglab_set_state(struct vfio_device *vdev, enum vfio_device_mig_state want)
{
	struct miglab_device *m = miglab_from_vfio(vdev);
	struct file *file = NULL;
	u32 gen;
	int ret;

	ret = claim(m, &gen);
	if (ret)
		return ERR_PTR(ret);
	/* A reset after the last arc takes nothing back: so the file ends the walk as well. */
	while (!ret && !file) {
		struct arc_run run = { .from = current_state(m), .gen = gen };

		/* next_state() refuses each way out of ERROR, and that to ERROR too. */
		if (run.from == want && run.from != MIGLAB_ERROR)
			break;
		ret = next_state(m, run.from, want, &run.to);
		if (!ret)
			ret = arc_take(m, &run, want);
		file = run.file;
		/* The kernel's table has no path that goes on from there. */
		if (WARN_ON_ONCE(file && run.to != want)) {
			fput(file);
			ret = -EINVAL;
		}
	}
	unclaim(m);
	if (ret)
		dev_dbg(m->vdev->dev, "SET %u failed: %d\n", want, ret);
	return ret ? ERR_PTR(ret) : file;
}
EXPORT_SYMBOL_GPL(miglab_set_state);

int miglab_get_state(struct vfio_device *vdev, enum vfio_device_mig_state *ret_state)
{
	*ret_state = current_state(miglab_from_vfio(vdev));
	return 0;
}
EXPORT_SYMBOL_GPL(miglab_get_state);

/* What a saving session has left, which may be nothing, else a whole stream. */
int miglab_get_data_size(struct vfio_device *vdev, unsigned long *ret_size)
{
	struct miglab_device *m = miglab_from_vfio(vdev);
	struct miglab_session *s = NULL;
	struct miglab_plan plan;
	u64 size;
	int ret;

	ret = miglab_obey(m, MIGLAB_OP_DATA_SIZE, &plan);
	if (ret)
		return ret;
	if (plan.faults & MIGLAB_FAULT_VALUE) {
		*ret_size = min_t(u64, plan.size, ULONG_MAX);
		return 0;
	}

	mutex_lock(&m->state_lock);
	size = miglab_content_stream_bytes(m->image->content.id.state_bytes);
	if (m->session && miglab_state_is_saving(m->state))
		s = miglab_session_get(m->session);
	mutex_unlock(&m->state_lock);
	if (s) {
		size = miglab_session_remaining(s);
		miglab_session_put(s);
	}
	*ret_size = min_t(u64, size, ULONG_MAX);
	return 0;
}
EXPORT_SYMBOL_GPL(miglab_get_data_size);

int miglab_migration_open(struct miglab_device *m, const struct miglab_model_ops *model,
			  const struct miglab_identity *id)
{
	struct miglab_image *image;

	image = miglab_image_new(model, id, m->stats);
	if (IS_ERR(image))
		return PTR_ERR(image);
	image->device = m;

	mutex_lock(&m->reset_lock);
	m->model = model;
	mutex_unlock(&m->reset_lock);
	mutex_lock(&image->lock);
	mutex_lock(&m->state_lock);
	m->image = image;
	WRITE_ONCE(m->state, MIGLAB_RUNNING);
	m->state_lost = false;
	m->fingerprinted = false;
	model_enter(m, image);
	mutex_unlock(&m->state_lock);
	mutex_unlock(&image->lock);
	return 0;
}
EXPORT_SYMBOL_GPL(miglab_migration_open);

void miglab_migration_close(struct miglab_device *m)
{
	struct miglab_session *s;
	struct miglab_image *image;

	mutex_lock(&m->state_lock);
	s = detach_session(m);
	image = m->image;
	m->image = NULL;
	WRITE_ONCE(m->state, MIGLAB_RUNNING);
	mutex_unlock(&m->state_lock);

	if (s)
		miglab_session_drop(s);
	/* Whoever still reads a data_fd uses the model under the image's lock. */
	miglab_image_orphan(image);
	mutex_lock(&m->reset_lock);
	m->model = NULL;
	mutex_unlock(&m->reset_lock);
	/* The core does not stop it when the device is closed. */
	miglab_log_stop(&m->dirty);
	miglab_image_put(image);
}
EXPORT_SYMBOL_GPL(miglab_migration_close);

void miglab_migration_reset_prepare(struct miglab_device *m)
{
	mutex_lock(&m->state_lock);
	WRITE_ONCE(m->reset_gen, m->reset_gen + 1);
	mutex_unlock(&m->state_lock);
	wake_up_all(&m->wait);
}
EXPORT_SYMBOL_GPL(miglab_migration_reset_prepare);

void miglab_migration_reset_done(struct miglab_device *m)
{
	struct miglab_session *s;

	mutex_lock(&m->reset_lock);
	if (m->model && m->model->reset)
		m->model->reset(m);
	mutex_unlock(&m->reset_lock);

	mutex_lock(&m->state_lock);
	WRITE_ONCE(m->reset_gen, m->reset_gen + 1);
	WRITE_ONCE(m->state, MIGLAB_RUNNING);
	m->state_lost = true;
	state_changed(m);
	s = detach_session(m);
	mutex_unlock(&m->state_lock);
	wake_up_all(&m->wait);

	if (s)
		miglab_session_drop(s);
	miglab_stats_add(m->stats, MIGLAB_RESETS, 1);
}
EXPORT_SYMBOL_GPL(miglab_migration_reset_done);

void miglab_migration_abort(struct miglab_device *m)
{
	/* First: whoever is woken and tries again must find no rule. */
	miglab_rulebook_close(m->book);
	mutex_lock(&m->state_lock);
	WRITE_ONCE(m->closing, true);
	mutex_unlock(&m->state_lock);
	wake_up_all(&m->wait);
}
EXPORT_SYMBOL_GPL(miglab_migration_abort);

void miglab_migration_nudge(struct miglab_device *m)
{
	mutex_lock(&m->state_lock);
	if (m->session)
		miglab_session_nudge(m->session);
	mutex_unlock(&m->state_lock);
}
EXPORT_SYMBOL_GPL(miglab_migration_nudge);

void miglab_migration_set_rate(struct miglab_device *m, u64 rate)
{
	struct miglab_image *image = NULL;

	mutex_lock(&m->state_lock);
	WRITE_ONCE(m->config.rate, rate);
	if (m->image)
		image = miglab_image_get(m->image);
	mutex_unlock(&m->state_lock);
	if (!image)
		return;

	mutex_lock(&image->lock);
	miglab_image_advance(image);
	mutex_lock(&m->state_lock);
	if (m->image == image)
		model_enter(m, image);
	if (m->session)
		miglab_session_nudge(m->session);
	mutex_unlock(&m->state_lock);
	mutex_unlock(&image->lock);
	miglab_image_put(image);
}
