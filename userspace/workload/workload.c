// SPDX-License-Identifier: GPL-2.0-only
#include "workload/workload.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "workload/kind.h"

/* A device that did not finish by then never will: a hang guard, and no measure of speed. */
#define PATIENCE_NS	(30 * NSEC_PER_SEC)
#define WAIT_MS		20	/* without an interrupt: registers are looked at again */

struct workload {
	const struct kind *kind;
	struct board board;
	struct guest guest;	/* the thread's, and others' while it stands */
	uint64_t since_ns;	/* when the guest last got on */
	pthread_t thread;
	bool started;

	pthread_mutex_t lock;	/* protects what follows; a leaf */
	pthread_cond_t changed;
	bool wanted, stepping, quit;
	struct workload_report report;
};

static const struct kind *find_kind(const char *name)
{
	static const struct kind *const kinds[] = {
		&kind_edu_dma, &kind_edu_p2p, &kind_bar_write,
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strcmp(kinds[i]->name, name))
			return kinds[i];
	}
	return NULL;
}

static int check(const char *name, const struct kind *kind, const struct memory *memory,
		 struct error *err)
{
	if (!kind)
		return error_set(err, -EINVAL,
				 "%s is no workload; there are edu-dma, edu-p2p and bar-write",
				 name);
	if (!memory || memory->size < WORKLOAD_MEMORY_MIN)
		return error_set(err, -EINVAL,
				 "%s keeps its state in memory; give --ram of at least %uK", name,
				 WORKLOAD_MEMORY_MIN >> 10);
	return 0;
}

int workload_new(const char *name, struct memory *memory, struct device *const *devices,
		 unsigned int count, struct workload **ret_workload, struct error *err)
{
	const struct kind *kind = find_kind(name);
	int ret = check(name, kind, memory, err);
	struct workload *w;

	if (ret)
		return ret;
	w = calloc(1, sizeof(*w));
	if (!w)
		return error_set(err, -ENOMEM, "no memory for a workload");
	w->kind = kind;
	w->report.kind = kind->name;
	w->board = (struct board){ .memory = memory, .irq = -1 };
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	w->board.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ret = w->board.wake < 0 ? error_set(err, -errno, "no event: %s", strerror(errno)) :
				  kind->wire(&w->board, devices, count, err);
	if (ret) {
		workload_free(w);
		return error_prefix(err, ret, "workload %s", name);
	}
	w->report.round = kind == &kind_bar_write ? w->board.bar_size / BOARD_SLOT : BOARD_SLOTS;
	*ret_workload = w;
	return 0;
}

/* Interrupts that came, whoever waits for them; they are the guest's from now on. */
static void take_interrupts(struct workload *w)
{
	struct guest *g = &w->guest;
	uint64_t count;

	if (w->board.irq < 0 || read(w->board.irq, &count, sizeof(count)) != sizeof(count))
		return;
	g->taken += count;
	memory_write(w->board.memory, 0, g, sizeof(*g));
}

static int check_interrupts(const struct guest *g, struct error *err)
{
	if (g->taken <= g->asked + g->spare)
		return 0;
	return error_set(err, -EBADMSG,
			 "operation %llu: %llu interrupts came where %llu were asked for",
			 (unsigned long long)g->operation, (unsigned long long)g->taken,
			 (unsigned long long)g->asked);
}

static void wait_for_device(struct workload *w)
{
	struct pollfd fds[] = {
		{ .fd = w->board.wake, .events = POLLIN },
		{ .fd = w->board.irq, .events = POLLIN },
	};

	poll(fds, 2, WAIT_MS);
}

/* One step, and the wait behind it. */
static int go_on(struct workload *w, struct error *err)
{
	int ret;

	take_interrupts(w);
	ret = check_interrupts(&w->guest, err) ?: w->kind->step(&w->board, &w->guest, err);
	if (ret == STEP_DONE)
		w->since_ns = clock_ns();
	if (ret != STEP_WAIT)
		return ret;
	if (clock_ns() - w->since_ns > PATIENCE_NS)
		return error_set(err, -ETIMEDOUT,
				 "operation %llu: phase %llu did not end, with %llu of %llu interrupts",
				 (unsigned long long)w->guest.operation,
				 (unsigned long long)w->guest.phase,
				 (unsigned long long)w->guest.taken,
				 (unsigned long long)w->guest.asked);
	wait_for_device(w);
	return 0;
}

/* With the lock held. */
static void publish(struct workload *w, int ret, const struct error *err)
{
	struct workload_report *r = &w->report;

	r->here += w->guest.operation - r->operations;
	r->operations = w->guest.operation;
	r->interrupts = w->guest.taken;
	if (ret < 0) {
		r->error = *err;
		log_warn("workload %s: %s", w->kind->name, err->text);
	}
}

static void *workload_main(void *opaque)
{
	struct workload *w = opaque;

	pthread_mutex_lock(&w->lock);
	while (!w->quit) {
		struct error err;
		int ret;

		if (!w->wanted || *w->report.error.text) {
			pthread_cond_wait(&w->changed, &w->lock);
			continue;
		}
		w->stepping = true;
		pthread_mutex_unlock(&w->lock);
		ret = go_on(w, &err);
		pthread_mutex_lock(&w->lock);
		w->stepping = false;
		publish(w, ret, &err);
		pthread_cond_broadcast(&w->changed);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Signals are for the control thread. */
static int start_thread(struct workload *w)
{
	sigset_t all, old;
	int ret;

	if (w->started)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = -pthread_create(&w->thread, NULL, workload_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	w->started = !ret;
	return ret;
}

/*
 * What is in memory counts, for it may have come from somewhere else. A device whose interrupt
 * was not acknowledged when it was stopped may raise it again when it goes on: an edge that got
 * lost with the old machine would be missed for ever. What was done is told by its status.
 */
static void wake_guest(struct workload *w)
{
	memcpy(&w->guest, w->board.memory->bytes, sizeof(w->guest));
	if (w->guest.magic != w->kind->magic)
		w->guest = (struct guest){ .magic = w->kind->magic };
	w->guest.spare = w->guest.phase != 0;
	w->since_ns = clock_ns();
	w->report.operations = w->guest.operation;
	w->report.here = 0;
}

int workload_run(struct workload *w)
{
	pthread_mutex_lock(&w->lock);
	if (!w->wanted)
		wake_guest(w);
	w->wanted = w->report.running = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return start_thread(w);
}

void workload_pause(struct workload *w)
{
	const uint64_t one = 1;
	uint64_t count;
	ssize_t n;

	pthread_mutex_lock(&w->lock);
	w->wanted = w->report.running = false;
	n = write(w->board.wake, &one, sizeof(one));
	while (w->stepping)
		pthread_cond_wait(&w->changed, &w->lock);
	n = read(w->board.wake, &count, sizeof(count));
	(void)n;
	pthread_mutex_unlock(&w->lock);
}

void workload_settle(struct workload *w)
{
	pthread_mutex_lock(&w->lock);
	/* The guest looks at them when it goes on; one that never ran has none. */
	if (w->guest.magic)
		take_interrupts(w);
	w->report.interrupts = w->guest.taken;
	pthread_mutex_unlock(&w->lock);
}

void workload_report(struct workload *w, struct workload_report *ret_report)
{
	pthread_mutex_lock(&w->lock);
	*ret_report = w->report;
	pthread_mutex_unlock(&w->lock);
}

void workload_free(struct workload *w)
{
	if (!w)
		return;
	if (w->started) {
		workload_pause(w);
		pthread_mutex_lock(&w->lock);
		w->quit = true;
		pthread_cond_broadcast(&w->changed);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
	}
	board_close(&w->board);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
