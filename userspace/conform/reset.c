// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reset, and several threads at once.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "conform/case.h"
#include "core/fsm.h"
#include "device/lab.h"
#include "device/state.h"

#define NR_STATES	(VFIO_DEVICE_STATE_PRE_COPY_P2P + 1)
#define STORM_NS	(400 * NSEC_PER_MSEC)
#define STORM_ROUNDS	20	/* of each thread, however long they take */
#define HOLD_US		"20000000"	/* then an arc that nobody ends has failed: ETIMEDOUT */

/* One reset in @state, by @reset. */
static void reset_in(struct conform *c, uint32_t state, void (*reset)(struct conform *c))
{
	int fd = dut_go(c, state);
	char when[64], byte = 0;

	reset(c);
	snprintf(when, sizeof(when), "after a reset in %s", device_state_name(state));
	require_state(c, VFIO_DEVICE_STATE_RUNNING, when);
	if (fd < 0)
		return;
	require(c, dut_read(c, fd, &byte, 1) <= 0 && dut_write(c, fd, &byte, 1) < 0,
		"%s its session lives on", when);
	dut_close_fd(c, fd);
}

static void reset_anywhere(struct conform *c, void (*reset)(struct conform *c))
{
	for (uint32_t state = 1; state < NR_STATES; state++)
		if (dut_offers(c, state))
			reset_in(c, state, reset);
}

static void from_every_state(struct conform *c)
{
	reset_anywhere(c, dut_reset);
}

static void hot_reset(struct conform *c)
{
	union {
		struct vfio_pci_hot_reset head;
		char bytes[sizeof(struct vfio_pci_hot_reset) + sizeof(int)];
	} arg = { .head = { .argsz = sizeof(arg) } };
	int group = c->dev->calls->group(c->dev), ret;

	if (group >= 0) {
		arg.head.count = 1;
		memcpy(arg.head.group_fds, &group, sizeof(group));
	}
	ret = dut_ioctl(c, DEVICE_SELF, VFIO_DEVICE_PCI_HOT_RESET, &arg);
	if (ret == -EINVAL || ret == -ENODEV || ret == -ENOTTY)
		conform_skip(c, "the function cannot be reset together with its slot");
	require_result(c, ret, 0, "VFIO_DEVICE_PCI_HOT_RESET");
}

static void hot_from_every_state(struct conform *c)
{
	reset_anywhere(c, hot_reset);
}

/* A SET in a thread of its own. */
struct setter {
	pthread_t thread;
	struct conform *c;
	uint32_t state;
	int ret;
};

static void *set_in_thread(void *arg)
{
	struct setter *s = arg;
	int fd;

	s->ret = dut_set(s->c, s->state, &fd);
	return NULL;
}

/* The lab holds the first arc of SET STOP, which is under way when this returns. */
static void hold_stop(struct conform *c, struct setter *s)
{
	uint32_t first = VFIO_DEVICE_STATE_STOP;
	char rule[128];

	miglab_fsm_next(c->flags, VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_STOP, &first);
	snprintf(rule, sizeof(rule), "arc=RUNNING>%s hold limit_us=" HOLD_US,
		 device_state_name(first));
	dut_lab(c, "rules", rule);
	*s = (struct setter){ .c = c, .state = VFIO_DEVICE_STATE_STOP };
	pthread_create(&s->thread, NULL, set_in_thread, s);
	dut_wait_held(c);
}

/* Nobody releases the arc: it ends by the reset, or at the limit of its hold. */
static void breaks_a_slow_arc(struct conform *c)
{
	struct setter s;

	hold_stop(c, &s);
	dut_reset(c);
	pthread_join(s.thread, NULL);
	require(c, s.ret != -ETIMEDOUT, "the reset waited for the arc, or the arc outlasted it");
	require(c, s.ret < 0, "an arc that a reset broke succeeded");
	require_state(c, VFIO_DEVICE_STATE_RUNNING, "after a reset during an arc");
}

static void get_in_slow_arc(struct conform *c)
{
	uint32_t state;
	struct setter s;

	hold_stop(c, &s);
	state = dut_state(c);
	require(c, dut_offers(c, state), "GET during an arc says %u", state);
	require(c, state == VFIO_DEVICE_STATE_RUNNING || state == VFIO_DEVICE_STATE_RUNNING_P2P ||
		state == VFIO_DEVICE_STATE_STOP, "GET during RUNNING > STOP says %s",
		device_state_name(state));
	dut_lab(c, "release", "1");
	pthread_join(s.thread, NULL);
	require_result(c, s.ret, 0, "the SET that was held");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

/* Several threads, each with a numbered seed, until @stop. */
struct storm {
	pthread_t thread;
	struct conform *c;
	unsigned int seed;
	atomic_bool *stop;
	atomic_uint rounds;	/* that are done */
	atomic_int *fd;		/* a data_fd to play with, or NO_FD */
	char wrong[96];		/* what a thread saw that cannot be */
};

static void *storm_sets(void *arg)
{
	struct storm *s = arg;

	while (!*s->stop && !*s->wrong) {
		uint32_t state = rand_r(&s->seed) % (NR_STATES + 1);
		int fd, ret = dut_set(s->c, state, &fd);

		if (fd >= 0) {
			fd = atomic_exchange(s->fd, fd);
			if (fd >= 0)
				s->c->dev->calls->close(s->c->dev, fd);
		}
		if (ret > 0 || (!ret && !dut_offers(s->c, state)))
			snprintf(s->wrong, sizeof(s->wrong), "SET %u gave %d", state, ret);
		s->rounds++;
	}
	return NULL;
}

static void *storm_looks(void *arg)
{
	struct storm *s = arg;
	struct vfio_precopy_info info = { .argsz = sizeof(info) };
	uint8_t buf[512];

	while (!*s->stop && !*s->wrong) {
		struct vfio_device_feature_mig_state state = { 0 };
		int ret = dut_feature(s->c, VFIO_DEVICE_FEATURE_GET |
				      VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &state, sizeof(state));

		if (ret || (state.device_state && !dut_offers(s->c, state.device_state)))
			snprintf(s->wrong, sizeof(s->wrong), "GET gave %d, state %u", ret,
				 state.device_state);
		dut_read(s->c, *s->fd, buf, sizeof(buf));
		dut_write(s->c, *s->fd, buf, sizeof(buf));
		dut_info_raw(s->c, *s->fd, &info);
		s->rounds++;
	}
	return NULL;
}

static void *storm_resets(void *arg)
{
	struct storm *s = arg;

	while (!*s->stop && !*s->wrong) {
		int ret = dut_ioctl(s->c, DEVICE_SELF, VFIO_DEVICE_RESET, NULL);

		if (ret)
			snprintf(s->wrong, sizeof(s->wrong), "VFIO_DEVICE_RESET gave %d", ret);
		s->rounds++;
		usleep(2000);
	}
	return NULL;
}

/* Has each of the @n threads done its rounds, or has one seen what cannot be? */
static bool is_spent(struct storm *threads, size_t n)
{
	bool done = true;

	for (size_t i = 0; i < n; i++) {
		if (*threads[i].wrong)
			return true;
		done = done && threads[i].rounds >= STORM_ROUNDS;
	}
	return done;
}

/* Runs each of the @n functions in a thread until all have done their rounds. */
static void storm(struct conform *c, void *(*const *functions)(void *), size_t n)
{
	struct storm threads[8];
	atomic_bool stop = false;
	atomic_int fd = NO_FD;

	for (size_t i = 0; i < n; i++) {
		threads[i] = (struct storm){ .c = c, .seed = i + 1, .stop = &stop, .fd = &fd };
		pthread_create(&threads[i].thread, NULL, functions[i], &threads[i]);
	}
	usleep(STORM_NS / NSEC_PER_USEC);
	while (!is_spent(threads, n))
		usleep(1000);
	stop = true;
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i].thread, NULL);
	for (size_t i = 0; i < n; i++)
		require(c, !*threads[i].wrong, "%s", threads[i].wrong);
}

static void works_after(struct conform *c)
{
	dut_reset(c);
	require_state(c, VFIO_DEVICE_STATE_RUNNING, "after the storm and a reset");
	dut_save(c);
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void reset_storm(struct conform *c)
{
	void *(*const functions[])(void *) = { storm_sets, storm_looks, storm_looks, storm_resets };

	dut_reset(c);
	storm(c, functions, 4);
	works_after(c);
}

/* By the lab's record none of our arcs began before the last had ended, or elsewhere. */
static void require_one_after_another(struct conform *c)
{
	struct error err = { "" };
	struct lab_arc *arcs, *last = NULL;
	size_t count;

	if (lab_parse_history(dut_lab_text(c, "history"), &arcs, &count, &err))
		conform_fail(c, "%s", err.text);
	for (struct lab_arc *arc = arcs; arc < arcs + count; arc++) {
		if (arc->pid != getpid())
			continue;
		if (!last) {
			last = arc;
			continue;
		}
		require(c, last->end_ns && arc->begin_ns >= last->end_ns,
			"arc %llu began before arc %llu had ended", (unsigned long long)arc->seq,
			(unsigned long long)last->seq);
		require(c, arc->from == (last->result ? last->from : last->to),
			"arc %llu begins in %s, where arc %llu did not leave it",
			(unsigned long long)arc->seq, device_state_name(arc->from),
			(unsigned long long)last->seq);
		last = arc;
	}
	require(c, last, "its history has none of our arcs");
	free(arcs);
}

static void set_storm(struct conform *c)
{
	void *(*const functions[])(void *) = { storm_sets, storm_sets, storm_sets, storm_looks,
					       storm_looks };

	storm(c, functions, 5);
	if (c->dev->lab)
		require_one_after_another(c);
	works_after(c);
}

#define STATES	"uapi/linux/vfio.h, enum vfio_device_mig_state"
#define RESET	"uapi/linux/vfio.h, VFIO_DEVICE_RESET"

const struct conform_case reset_cases[] = {
	{ 81, "from-every-state", CLASS_SPEC, 0, 0, RESET,
	  "A reset leads from every state to RUNNING and ends the session.", from_every_state },
	{ 82, "hot-reset", CLASS_SPEC, NEEDS_KERNEL, 0,
	  "uapi/linux/vfio.h, VFIO_DEVICE_PCI_HOT_RESET",
	  "So does a reset of the slot.", hot_from_every_state },
	{ 83, "breaks-a-slow-arc", CLASS_ROB, NEEDS_LAB, 0, RESET,
	  "A reset does not wait for a slow arc of another thread, and ends it.",
	  breaks_a_slow_arc },
	{ 84, "reset-storm", CLASS_ROB, BLOCKED_ARC, 0, RESET,
	  "Resets between SETs, reads, writes and queries of other threads hang nothing.",
	  reset_storm },
	{ 85, "set-storm", CLASS_ROB, BLOCKED_ARC, 0, STATES,
	  "SETs of many threads end one after another, each with an answer that makes sense.",
	  set_storm },
	{ 86, "get-in-slow-arc", CLASS_SPEC, NEEDS_LAB, 0, STATES,
	  "GET during an arc says where it begins, ends or passes, or waits.", get_in_slow_arc },
	{ }
};
