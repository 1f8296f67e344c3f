// SPDX-License-Identifier: GPL-2.0-only
#include "base/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

struct loop_source {
	struct loop_source *next;
	int fd;			/* -1: removed, freed after the round */
	short events;
	loop_fn fn;
	void *opaque;
};

struct loop_timer {
	struct loop_timer *next;
	struct loop_timer **link;	/* what points at this one */
	uint64_t deadline_ns;
	loop_timer_fn fn;
	void *opaque;
};

struct loop {
	struct loop_source *sources;
	struct loop_timer *timers;	/* by deadline; equal ones in order of arrival */

	/* As many as sources, so that a round allocates nothing. */
	struct pollfd *fds;
	size_t capacity;
	size_t count;

	int wake_fd;
	loop_timer_fn wake_fn;
	void *wake_opaque;

	bool stopped;
	int status;
};

static void on_wake(void *opaque, int fd, short revents)
{
	struct loop *loop = opaque;
	uint64_t count;

	(void)revents;
	if (read(fd, &count, sizeof(count)) == sizeof(count) && loop->wake_fn)
		loop->wake_fn(loop->wake_opaque);
}

int loop_new(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int ret;

	if (!loop)
		return -ENOMEM;

	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->wake_fd < 0) {
		ret = -errno;
		goto out_free;
	}
	if (!loop_add(loop, loop->wake_fd, POLLIN, on_wake, loop)) {
		ret = -ENOMEM;
		goto out_close;
	}
	*ret_loop = loop;
	return 0;

out_close:
	close(loop->wake_fd);
out_free:
	free(loop->fds);
	free(loop);
	return ret;
}

void loop_free(struct loop *loop)
{
	struct loop_source *source;

	if (!loop)
		return;

	while (loop->timers)
		loop_cancel(loop->timers);
	while ((source = loop->sources)) {
		loop->sources = source->next;
		free(source);
	}
	close(loop->wake_fd);
	free(loop->fds);
	free(loop);
}

struct loop_source *loop_add(struct loop *loop, int fd, short events, loop_fn fn, void *opaque)
{
	struct loop_source *source = malloc(sizeof(*source));

	if (!source)
		return NULL;

	if (loop->count == loop->capacity) {
		size_t capacity = loop->capacity ? 2 * loop->capacity : 8;
		struct pollfd *fds = reallocarray(loop->fds, capacity, sizeof(*fds));

		if (!fds) {
			free(source);
			return NULL;
		}
		loop->fds = fds;
		loop->capacity = capacity;
	}

	/* In front: a round that is under way does not see it. */
	*source = (struct loop_source){ loop->sources, fd, events, fn, opaque };
	loop->sources = source;
	loop->count++;
	return source;
}

void loop_events(struct loop_source *source, short events)
{
	source->events = events;
}

void loop_remove(struct loop_source *source)
{
	if (source)
		source->fd = -1;
}

static void free_removed(struct loop *loop)
{
	struct loop_source **link = &loop->sources;
	struct loop_source *source;

	while ((source = *link)) {
		if (source->fd >= 0) {
			link = &source->next;
			continue;
		}
		*link = source->next;
		loop->count--;
		free(source);
	}
}

static void timer_link(struct loop_timer **link, struct loop_timer *timer)
{
	timer->link = link;
	timer->next = *link;
	if (timer->next)
		timer->next->link = &timer->next;
	*link = timer;
}

static void timer_unlink(struct loop_timer *timer)
{
	*timer->link = timer->next;
	if (timer->next)
		timer->next->link = timer->link;
}

struct loop_timer *loop_at(struct loop *loop, uint64_t deadline_ns, loop_timer_fn fn, void *opaque)
{
	struct loop_timer *timer = malloc(sizeof(*timer));
	struct loop_timer **link = &loop->timers;
	uint64_t now = clock_ns();

	if (!timer)
		return NULL;

	/* No timer goes in front of one that is already due: none starves. */
	if (deadline_ns < now)
		deadline_ns = now;
	*timer = (struct loop_timer){ .deadline_ns = deadline_ns, .fn = fn, .opaque = opaque };
	while (*link && (*link)->deadline_ns <= deadline_ns)
		link = &(*link)->next;
	timer_link(link, timer);
	return timer;
}

void loop_cancel(struct loop_timer *timer)
{
	if (!timer)
		return;
	timer_unlink(timer);
	free(timer);
}

void loop_on_wake(struct loop *loop, loop_timer_fn fn, void *opaque)
{
	loop->wake_fn = fn;
	loop->wake_opaque = opaque;
}

void loop_wake(struct loop *loop)
{
	int saved = errno;
	uint64_t one = 1;
	ssize_t done = write(loop->wake_fd, &one, sizeof(one));

	/* Full means that 2^64 - 2 wakes are pending: it will wake. */
	(void)done;
	errno = saved;
}

/* Waits for the first timer at most. Returns -errno when poll(2) fails. */
static int wait_round(struct loop *loop)
{
	struct timespec timeout = { 0 };
	struct loop_source *source;
	nfds_t n = 0;

	for (source = loop->sources; source; source = source->next)
		loop->fds[n++] = (struct pollfd){ .fd = source->fd, .events = source->events };

	if (loop->timers) {
		uint64_t now = clock_ns(), deadline = loop->timers->deadline_ns;
		uint64_t left = deadline > now ? deadline - now : 0;

		timeout.tv_sec = (time_t)(left / NSEC_PER_SEC);
		timeout.tv_nsec = (long)(left % NSEC_PER_SEC);
	}

	if (ppoll(loop->fds, n, loop->timers ? &timeout : NULL, NULL) >= 0)
		return 0;
	if (errno != EINTR)
		return -errno;

	while (n)
		loop->fds[--n].revents = 0;
	return 0;
}

/* A source may go, its memory stays until the end of the round; new ones are in front of @first. */
static void serve_sources(struct loop *loop, struct loop_source *first)
{
	struct loop_source *source;
	size_t i = 0;

	for (source = first; source && !loop->stopped; source = source->next, i++)
		if (source->fd >= 0 && loop->fds[i].revents)
			source->fn(source->opaque, source->fd, loop->fds[i].revents);
}

static void serve_timers(struct loop *loop)
{
	uint64_t now = clock_ns();

	while (!loop->stopped && loop->timers && loop->timers->deadline_ns <= now) {
		struct loop_timer *timer = loop->timers;
		loop_timer_fn fn = timer->fn;
		void *opaque = timer->opaque;

		loop_cancel(timer);
		fn(opaque);
	}
}

int loop_run(struct loop *loop)
{
	int ret;

	while (!loop->stopped) {
		free_removed(loop);
		ret = wait_round(loop);
		if (ret)
			return ret;
		serve_sources(loop, loop->sources);
		serve_timers(loop);
	}

	loop->stopped = false;
	return loop->status;
}

void loop_stop(struct loop *loop, int status)
{
	loop->stopped = true;
	loop->status = status;
}
