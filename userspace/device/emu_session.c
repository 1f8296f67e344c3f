// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data session of an emulated device: what the kernel's data_fd is to a
 * real one.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "device/emu.h"

static struct emu *to_emu(struct device *dev)
{
	return (struct emu *)dev;
}

static void session_free(struct emu_session *s)
{
	if (!s)
		return;
	free(s->bitmap);
	free(s->incoming.bytes);
	free(s);
}

/* What a rule for op=save makes of a session that has just begun. */
static void session_spoil(struct emu *e, struct emu_session *s)
{
	struct miglab_plan plan = emu_plan(e, MIGLAB_OP_SAVE);

	miglab_precopy_spoil(&s->track,
			     plan.faults & MIGLAB_FAULT_CORRUPT ? plan.corrupt : U64_MAX,
			     plan.faults & MIGLAB_FAULT_TRUNCATE ? plan.truncate : U64_MAX);
	s->final_delay_us = plan.delay_us;
}

/* Who waits for data is woken when the arc or the reset is done, of which this is a part. */
static void session_install(struct emu *e, struct emu_session *s)
{
	struct emu_session *old;

	pthread_mutex_lock(&e->lock);
	old = e->session;
	e->session = s;
	pthread_mutex_unlock(&e->lock);
	session_free(old);
}

int emu_session_begin(struct emu *e, bool resuming)
{
	const u64 bytes = e->content.id.state_bytes;
	struct emu_session *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->id = ++e->sessions;
	s->open = true;
	s->resuming = resuming;
	if (resuming)
		s->incoming.bytes = calloc(1, bytes);
	else
		s->bitmap = malloc(miglab_precopy_bytes_needed(bytes));
	if (!(resuming ? s->incoming.bytes : s->bitmap)) {
		session_free(s);
		return -ENOMEM;
	}
	if (resuming) {
		s->incoming.id = e->content.id;
		miglab_decoder_init(&s->decoder, &e->content.id, s->incoming.bytes);
	} else {
		miglab_precopy_start(&s->track, bytes, s->bitmap);
		session_spoil(e, s);
	}
	session_install(e, s);
	return 0;
}

int emu_session_commit(struct emu *e)
{
	struct emu_session *s = e->session;
	u8 *old = e->content.bytes;
	int ret = miglab_content_loaded(&s->incoming, &s->decoder);

	if (ret)
		return ret;
	e->content.fingerprint = s->incoming.fingerprint;
	e->content.bytes = s->incoming.bytes;
	s->incoming.bytes = old;
	return 0;
}

void emu_session_end(struct emu *e)
{
	session_install(e, NULL);
}

void emu_advance(struct emu *e, u64 now_ns)
{
	struct emu_session *s = e->session;

	miglab_synthetic_advance(&e->model, s && !s->resuming ? &s->track : NULL, now_ns);
	pthread_mutex_lock(&e->lock);
	e->model.rate = e->rate;
	pthread_mutex_unlock(&e->lock);
}

/* Session @id when the user may use it in this direction; model_lock is held. */
static struct emu_session *session_of(struct emu *e, u64 id, bool resuming)
{
	struct emu_session *s = e->session;

	return s && s->open && (!id || s->id == id) && s->resuming == resuming ? s : NULL;
}

static void count(struct emu *e, u64 *counter, u64 bytes)
{
	pthread_mutex_lock(&e->lock);
	*counter += bytes;
	pthread_mutex_unlock(&e->lock);
}

/* A read or write of *@size bytes begins: waits, fails and is cut as a rule wants. */
static int begin_io(struct emu *e, enum miglab_op op, size_t *size)
{
	struct miglab_plan plan;
	int ret;

	if (!*size)
		return 0;
	ret = emu_obey(e, op, &plan);
	if (plan.faults & MIGLAB_FAULT_SHORT && *size > plan.size)
		*size = plan.size;
	return ret;
}

/* The final state may be slow to come: once. model_lock is held, but not while it waits. */
static void await_final(struct emu *e, u64 id)
{
	struct emu_session *s = session_of(e, id, false);
	u64 delay_us;

	if (!s || !s->final_delay_us || e->state != MIGLAB_STOP_COPY)
		return;
	delay_us = s->final_delay_us;
	s->final_delay_us = 0;
	pthread_mutex_unlock(&e->model_lock);
	/* A reset ends the wait, and the session. */
	emu_delay(e, delay_us);
	pthread_mutex_lock(&e->model_lock);
}

static ssize_t session_read(struct emu *e, struct emu_session *s, u8 *buf, size_t size)
{
	const bool final = e->state == MIGLAB_STOP_COPY;
	size_t done, n;
	const u8 *at;

	if (s->out.taken == s->out.size) {
		emu_advance(e, clock_ns());
		if (!miglab_content_stage(&e->content, &s->track, final, &s->out))
			return final ? 0 : -ENOMSG;
	}
	for (done = 0; done < size && s->out.taken < s->out.size; done += n) {
		n = miglab_content_next(&e->content, &s->out, &at);
		if (n > size - done)
			n = size - done;
		memcpy(buf + done, at, n);
		s->out.taken += n;
	}
	miglab_precopy_read(&s->track, done);
	return done;
}

ssize_t emu_session_read(struct emu *e, u64 id, void *buf, size_t size)
{
	struct emu_session *s;
	ssize_t ret = begin_io(e, MIGLAB_OP_READ, &size);

	if (ret)
		return ret;
	ret = -EBADF;
	pthread_mutex_lock(&e->model_lock);
	await_final(e, id);
	s = session_of(e, id, false);
	if (s)
		ret = size ? session_read(e, s, buf, size) : 0;
	if (ret > 0)
		count(e, &e->stats.bytes_read, ret);
	pthread_mutex_unlock(&e->model_lock);
	return ret;
}

static ssize_t session_write(struct emu_session *s, const u8 *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		u8 *at;
		ssize_t room = miglab_decoder_want(&s->decoder, &at);
		int ret;

		if (room < 0)
			return room;
		if ((size_t)room > size - done)
			room = size - done;
		memcpy(at, buf + done, room);
		ret = miglab_decoder_got(&s->decoder, room);
		if (ret)
			return ret;
		done += room;
	}
	return done;
}

ssize_t emu_session_write(struct emu *e, u64 id, const void *buf, size_t size)
{
	struct emu_session *s;
	ssize_t ret = begin_io(e, MIGLAB_OP_WRITE, &size);

	if (ret)
		return ret;
	ret = -EBADF;
	pthread_mutex_lock(&e->model_lock);
	s = session_of(e, id, true);
	if (s)
		ret = session_write(s, buf, size);
	if (ret > 0)
		count(e, &e->stats.bytes_written, ret);
	pthread_mutex_unlock(&e->model_lock);
	return ret;
}

/*
 * Has read() something to say? model_lock is held. When it has not, *ret_next_ns
 * is the time at which it will, U64_MAX for never.
 */
static int session_readable(struct emu *e, u64 id, u64 now_ns, u64 *ret_next_ns)
{
	struct emu_session *s = session_of(e, id, false);
	u64 initial, dirty, next;

	if (!s)
		return -EBADF;
	if (e->state == MIGLAB_STOP_COPY)
		return 1;
	emu_advance(e, now_ns);
	miglab_precopy_info(&s->track, &initial, &dirty);
	if (initial || dirty)
		return 1;
	next = miglab_synthetic_next_ns(&e->model, now_ns);
	*ret_next_ns = next == U64_MAX ? U64_MAX : now_ns + next;
	return 0;
}

/* Is a sleeper to sleep on, though there is something to read? */
static bool loses_wakeup(struct emu *e)
{
	return emu_plan(e, MIGLAB_OP_POLL).faults & MIGLAB_FAULT_DROP;
}

int emu_session_wait(struct emu *e, u64 id, int timeout_ms)
{
	const u64 begin = clock_ns();
	const u64 deadline = timeout_ms < 0 ? U64_MAX : begin + timeout_ms * NSEC_PER_MSEC;
	bool slept = false;

	for (;;) {
		u64 now = clock_ns(), next = U64_MAX;
		int ret;

		pthread_mutex_lock(&e->model_lock);
		ret = session_readable(e, id, now, &next);
		if (ret > 0 && slept && now < deadline && loses_wakeup(e)) {
			ret = 0;
			next = U64_MAX;
		}
		/* taken before the other is dropped, so that no wakeup is lost in between */
		pthread_mutex_lock(&e->lock);
		pthread_mutex_unlock(&e->model_lock);
		if (!ret && now < deadline && e->rate == e->model.rate) {
			emu_wait_changed(e, next < deadline ? next : deadline);
			slept = true;
		}
		pthread_mutex_unlock(&e->lock);
		if (ret || now >= deadline)
			return ret;
	}
}

/* The figures of a session in pre-copy, as @faults want them; model_lock is held. */
static struct precopy_info session_info(struct emu *e, struct emu_session *s, u32 faults)
{
	struct precopy_info info = { .reinit = faults & MIGLAB_FAULT_REINIT };

	emu_advance(e, clock_ns());
	if (info.reinit)
		miglab_precopy_reinit(&s->track);
	miglab_precopy_info(&s->track, &info.initial_bytes, &info.dirty_bytes);
	if (faults & MIGLAB_FAULT_GARBAGE)
		info.initial_bytes = info.dirty_bytes = UINT64_MAX;
	return info;
}

int emu_session_info(struct emu *e, u64 id, struct precopy_info *ret_info, struct error *err)
{
	struct miglab_plan plan;
	struct emu_session *s;
	int ret = emu_obey(e, MIGLAB_OP_PRECOPY_INFO, &plan);

	if (ret)
		return error_set(err, ret, "%s: cannot get its pre-copy figures: %s", e->dev.name,
				 strerror(-ret));
	pthread_mutex_lock(&e->model_lock);
	s = session_of(e, id, false);
	if (!s) {
		ret = error_set(err, -EBADF, "%s: no saving session is open", e->dev.name);
	} else if (e->state == MIGLAB_STOP_COPY) {
		ret = error_set(err, -EINVAL, "%s: precopy_info is for PRE_COPY, not for STOP_COPY",
				e->dev.name);
	} else {
		*ret_info = session_info(e, s, plan.faults);
	}
	pthread_mutex_unlock(&e->model_lock);
	return ret;
}

int emu_data_size(struct device *dev, uint64_t *ret_bytes, struct error *err)
{
	struct emu *e = to_emu(dev);
	struct miglab_plan plan;
	u64 bytes;
	int ret = emu_obey(e, MIGLAB_OP_DATA_SIZE, &plan);

	if (ret)
		return error_set(err, ret, "%s: cannot get the size of its data: %s", dev->name,
				 strerror(-ret));
	if (plan.faults & MIGLAB_FAULT_VALUE) {
		*ret_bytes = plan.size;
		return 0;
	}
	pthread_mutex_lock(&e->model_lock);
	if (e->session && !e->session->resuming)
		bytes = miglab_precopy_remaining(&e->session->track);
	else
		bytes = miglab_content_stream_bytes(e->content.id.state_bytes);
	pthread_mutex_unlock(&e->model_lock);
	*ret_bytes = bytes;
	return 0;
}

void emu_session_close(struct emu *e, u64 id)
{
	pthread_mutex_lock(&e->model_lock);
	if (e->session && (!id || e->session->id == id))
		e->session->open = false;
	pthread_mutex_unlock(&e->model_lock);
}

ssize_t emu_read(struct device *dev, void *buf, size_t size)
{
	return emu_session_read(to_emu(dev), 0, buf, size);
}

ssize_t emu_write(struct device *dev, const void *buf, size_t size)
{
	return emu_session_write(to_emu(dev), 0, buf, size);
}

int emu_wait(struct device *dev, int timeout_ms)
{
	return emu_session_wait(to_emu(dev), 0, timeout_ms);
}

int emu_precopy_info(struct device *dev, struct precopy_info *ret_info, struct error *err)
{
	return emu_session_info(to_emu(dev), 0, ret_info, err);
}

void emu_end_session(struct device *dev)
{
	emu_session_close(to_emu(dev), 0);
}
