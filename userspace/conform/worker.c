// SPDX-License-Identifier: GPL-2.0-only
#include "conform/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "conform/interrupt.h"
#include "conform/watch.h"

#define TICK_MS		20
#define TICK_MAX_NS	(5 * TICK_MS * NSEC_PER_MSEC)
#define KILLED_GRACE_S	5

/*
 * Time as we have it: a machine that has none for us has none for the worker. Looks at the
 * clock at least every TICK_MS, and counts no more of a longer while.
 */
static uint64_t passed_ns(uint64_t *last_ns)
{
	const uint64_t now_ns = clock_ns(), passed = now_ns - *last_ns;

	*last_ns = now_ns;
	return passed < TICK_MAX_NS ? passed : TICK_MAX_NS;
}

static uint64_t cpu_ns(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used))
		return 0;
	return used.tv_sec * NSEC_PER_SEC + used.tv_nsec;
}

static bool is_broken_off(const struct worker *w)
{
	return interrupt_count() > (w->finish ? 1u : 0u);
}

/* Reads what it tells until it ends, hangs or is to be broken off. */
static enum worker_end attend(struct worker *w, pid_t pid, int in, const struct pulse *pulse)
{
	uint64_t last_ns = clock_ns();
	struct watch watch;
	size_t used = 0;

	watch_begin(&watch, pulse, w->limit_s);
	for (;;) {
		struct pollfd pfd = { .fd = in, .events = POLLIN };
		ssize_t n = 1;

		if (is_broken_off(w))
			return WORKER_INTERRUPTED;
		if (watch_hangs(&watch, passed_ns(&last_ns), cpu_ns(pid), w->why))
			return WORKER_HUNG;
		if (poll(&pfd, 1, TICK_MS) < 1)
			continue;
		n = read(in, w->told + used, sizeof(w->told) - 1 - used);
		if (n <= 0)
			return WORKER_ENDED;
		used += n;
		w->told[used] = '\0';
	}
}

static bool reap(struct worker *w, pid_t pid, unsigned int grace_s)
{
	uint64_t last_ns = clock_ns(), waited_ns = 0;

	while (waitpid(pid, &w->status, WNOHANG) != pid) {
		if (waited_ns >= grace_s * NSEC_PER_SEC)
			return false;
		usleep(1000);
		waited_ns += passed_ns(&last_ns);
	}
	return true;
}

static void __attribute__((noreturn)) become(const struct worker *w, pid_t parent, int out,
					     struct pulse *pulse)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	interrupt_ignore();
	pulse->pid = getpid();
	w->run(w->arg, out, pulse);
	_exit(0);
}

static int start(const struct worker *w, struct pulse *pulse, pid_t *ret_pid, int *ret_in)
{
	const pid_t parent = getpid();
	int pipes[2];

	fflush(stdout);
	if (pipe(pipes))
		return -errno;
	*ret_pid = fork();
	if (!*ret_pid) {
		close(pipes[0]);
		become(w, parent, pipes[1], pulse);
	}
	close(pipes[1]);
	*ret_in = pipes[0];
	if (*ret_pid > 0)
		return 0;
	close(pipes[0]);
	return -EAGAIN;
}

int worker_run(struct worker *w)
{
	const uint64_t begin_ns = clock_ns();
	struct pulse *pulse = mmap(NULL, sizeof(*pulse), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const unsigned int grace_s = w->limit_s > KILLED_GRACE_S ? w->limit_s : KILLED_GRACE_S;
	int ret, in = -1;
	pid_t pid = -1;

	w->told[0] = w->why[0] = '\0';
	w->status = 0;
	if (pulse == MAP_FAILED)
		return -ENOMEM;
	ret = start(w, pulse, &pid, &in);
	if (!ret) {
		w->end = attend(w, pid, in, pulse);
		close(in);
		if (w->end != WORKER_ENDED)
			kill(pid, SIGKILL);
		w->stuck = !reap(w, pid, grace_s);
		if (w->stuck && w->end == WORKER_ENDED) {	/* it has told, and does not go */
			kill(pid, SIGKILL);
			w->stuck = !reap(w, pid, KILLED_GRACE_S);
		}
		w->ns = clock_ns() - begin_ns;
	}
	munmap(pulse, sizeof(*pulse));
	return ret;
}
