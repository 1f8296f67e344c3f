// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "conform/walk.h"
#include "core/fsm.h"
#include "device/state.h"
#include "device/uapi.h"

void walk_begin(struct walk_model *m, uint32_t flags, bool faults, size_t whole)
{
	*m = (struct walk_model){
		.flags = flags, .faults = faults, .whole = whole,
		.state = VFIO_DEVICE_STATE_RUNNING,
	};
}

/* Takes one arc; false when it has to fail. */
static bool take_arc(struct walk_model *m, uint32_t next)
{
	const bool saves = device_state_is_saving(m->state);

	if (m->state == VFIO_DEVICE_STATE_RESUMING && m->fed != m->whole)
		return false;
	if (m->session && (m->state == VFIO_DEVICE_STATE_RESUMING ||
			   (saves && !device_state_is_saving(next)))) {
		m->session = false;
		m->ended = true;
	}
	m->state = next;
	return true;
}

/* Where a failed SET may have left the device: on the rest of the way. */
static bool may_be_at(struct walk_model *m, uint32_t want, uint32_t value)
{
	while (m->state != value) {
		uint32_t next;

		if (m->state == want || miglab_fsm_next(m->flags, m->state, want, &next) ||
		    !take_arc(m, next))
			return false;
	}
	return true;
}

static const char *after_failure(struct walk_model *m, uint32_t want, uint32_t value)
{
	if (value == VFIO_DEVICE_STATE_ERROR) {
		m->state = value;
		m->ended = m->ended || m->session;
		m->session = false;
		return NULL;
	}
	return may_be_at(m, want, value) ? NULL : "the old state, one on the way, or ERROR";
}

static const char *explain_set(struct walk_model *m, uint32_t want, long long result,
			       uint32_t value, bool new_fd)
{
	const uint32_t from = m->state;
	bool begins;
	uint32_t next;

	if (new_fd && result)
		return "no data_fd with a failure";
	if (from == VFIO_DEVICE_STATE_ERROR)
		return result < 0 && value == from ? NULL : "a failure, and ERROR";
	if (want != from && miglab_fsm_next(m->flags, from, want, &next))
		return result == -EINVAL && value == from ? NULL : "EINVAL, and the old state";
	if (result < 0 && m->faults)
		return after_failure(m, want, value);
	while (m->state != want) {
		miglab_fsm_next(m->flags, m->state, want, &next);
		if (!take_arc(m, next))
			return result < 0 ? after_failure(m, want, value) :
					    "a failure: the stream is not whole";
	}
	if (result)
		return "success";
	if (value != want)
		return "the state that was asked for";
	begins = from != want && (want == VFIO_DEVICE_STATE_RESUMING ||
				  (device_state_is_saving(want) && !device_state_is_saving(from)));
	if (begins != new_fd)
		return begins ? "a data_fd" : "no data_fd";
	if (begins) {
		m->session = true;
		m->ended = m->final = false;
		m->fed = 0;
	}
	return NULL;
}

static const char *explain_read(struct walk_model *m, uint32_t size, long long result)
{
	const bool saves = m->session && device_state_is_saving(m->state);

	if (!size && !result)
		return NULL;
	if (result > (long long)size)
		return "no more than asked for";
	if (m->faults && result < 0)
		return NULL;
	if (!saves)
		return result <= 0 ? NULL : "no data: no session saves";
	if (m->state != VFIO_DEVICE_STATE_STOP_COPY)
		return result > 0 || result == -ENOMSG ? NULL : "data or ENOMSG";
	if (m->final)
		return result ? "0: the stream has ended" : NULL;
	m->final = !result;
	return result >= 0 ? NULL : "data or 0";
}

static const char *explain_write(struct walk_model *m, uint32_t size, long long result)
{
	if ((!size && !result) || (m->faults && result < 0))
		return NULL;
	if (!m->session || m->state != VFIO_DEVICE_STATE_RESUMING)
		return result < 0 ? NULL : "a failure: no session resumes";
	if (result < 0 || result > (long long)size || (size && !result))
		return "progress";
	m->fed += result;
	return NULL;
}

const char *walk_explain(struct walk_model *m, const struct walk_step *step, long long result,
			 uint32_t value, bool new_fd)
{
	bool precopy;

	switch (step->call) {
	case WALK_SET:
		return explain_set(m, step->arg, result, value, new_fd);
	case WALK_GET:
		if (result)
			return "success";
		return value == m->state ? NULL : "the state as it was left";
	case WALK_READ:
		return explain_read(m, step->arg, result);
	case WALK_WRITE:
		return explain_write(m, step->arg, result);
	case WALK_INFO:
		precopy = m->session && (m->state == VFIO_DEVICE_STATE_PRE_COPY ||
					 m->state == VFIO_DEVICE_STATE_PRE_COPY_P2P);
		if (m->faults && result < 0)
			return NULL;
		return !result == precopy ? NULL : precopy ? "the figures" : "a failure";
	case WALK_SIZE:
		return result && !m->faults ? "an answer" : NULL;
	case WALK_RESET:
		if (result && m->faults)
			return NULL;
		if (result)
			return "success";
		walk_begin(m, m->flags, m->faults, m->whole);
		return NULL;
	default:
		return "no such step";
	}
}
