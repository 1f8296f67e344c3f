// SPDX-License-Identifier: GPL-2.0-only
#include "guard/guard.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "guard/agent.h"
#include "guard/promise.h"
#include "qmp/client.h"
#include "qmp/events.h"

#define ANSWER_NS	(2 * NSEC_PER_SEC)	/* for a VMM to take an answer */

struct guard {
	const struct guard_options *opt;
	FILE *out;
	struct qmp_client *vmm[GUARD_VMMS_MAX];		/* NULL once it is gone */
	bool promised[GUARD_VMMS_MAX];			/* to answer its announcements */
	struct guarded *connections[GUARD_DEVICES_MAX];
	struct plan plan[GUARD_DEVICES_MAX];
	bool bad;		/* a suspension did not end as it should */
};

static int seconds(uint64_t ns)
{
	return ns / NSEC_PER_SEC;
}

/* --- what is done ---------------------------------------------------------- */

/* Does it, and says so: @why is "pre-copy-p2p-prepare", "running" or a reason. False: it failed. */
static bool act(struct guard *g, size_t i, enum plan_action action, const char *why)
{
	struct guarded *c = g->connections[i];
	const char *id = g->opt->devices[i].id;
	uint64_t begin_ns = clock_ns();
	unsigned int count;
	struct error err;
	int ret;

	if (action == PLAN_NOTHING)
		return true;
	ret = action == PLAN_SUSPEND ? c->ops->suspend(c, &count, &err) :
	      c->ops->restore(c, &count, &err);
	if (ret) {
		log_error("guard: %s: %s", id, err.text);
		g->bad = true;
		return false;
	}
	fprintf(g->out, "%s: %s: %s %u connections in %.2f ms\n", id, why,
		action == PLAN_SUSPEND ? "suspended the timeouts of" : "restored the timeouts of",
		count, (double)(clock_ns() - begin_ns) / NSEC_PER_MSEC);
	fflush(g->out);
	return true;
}

static void check_time(struct guard *g)
{
	for (size_t i = 0; i < g->opt->device_count; i++) {
		enum plan_action action = plan_time(&g->plan[i], clock_ns());

		if (action == PLAN_NOTHING)
			continue;
		g->bad = true;
		act(g, i, action, "no event said that it runs again, time is up");
	}
}

static void restore_all(struct guard *g)
{
	for (size_t i = 0; i < g->opt->device_count; i++) {
		enum plan_action action = plan_time(&g->plan[i], UINT64_MAX);

		if (action == PLAN_NOTHING)
			continue;
		g->bad = true;
		act(g, i, action, "the guard ends");
	}
}

/* --- what is heard --------------------------------------------------------- */

/* What is not heeded is not answered; a device of others is none of ours to wait for. */
static void answer(struct guard *g, unsigned int vmm, const char *id, struct json_object *seq)
{
	struct error err;

	if (guard_answer(g->vmm[vmm], id, seq, clock_ns() + ANSWER_NS, &err))
		log_info("guard: %s: %s takes no answer: %s", id, g->opt->qmp[vmm], err.text);
}

static void take_event(struct guard *g, unsigned int vmm, const struct qmp_event *event)
{
	const char *id = qmp_event_text(event, "device-id");
	const char *state = qmp_event_text(event, "device-state");
	bool heeded = true;

	if (strcmp(event->name, QMP_EVENT_VFIO_MIGRATION))
		return;
	for (size_t i = 0; i < g->opt->device_count; i++)
		if (!strcmp(g->opt->devices[i].id, id))
			heeded = act(g, i, plan_event(&g->plan[i], &g->opt->plan, vmm, state,
						      clock_ns()), state);
	if (heeded && g->promised[vmm] && guard_is_announcement(state))
		answer(g, vmm, id, json_object_object_get(event->data, "x-seq"));
}

static void lose(struct guard *g, unsigned int vmm, const char *why)
{
	qmp_client_free(g->vmm[vmm]);
	g->vmm[vmm] = NULL;
	fprintf(g->out, "%s is gone: %s\n", g->opt->qmp[vmm], why);
	for (size_t i = 0; i < g->opt->device_count; i++)
		if (plan_vanished(&g->plan[i], &g->opt->plan, clock_ns()))
			fprintf(g->out, "%s: its timeouts stay suspended for %d s more\n",
				g->opt->devices[i].id, seconds(g->opt->plan.grace_ns));
	fflush(g->out);
}

static void drain(struct guard *g, unsigned int vmm)
{
	struct qmp_event event;
	struct error err;
	int ret = 0;

	while (g->vmm[vmm] && (ret = qmp_client_event(g->vmm[vmm], 0, &event, &err)) > 0) {
		take_event(g, vmm, &event);
		qmp_event_release(&event);
	}
	if (ret < 0)
		lose(g, vmm, err.text);
}

/* Twice: what precedes a `running` of the first round is there in the second at the latest. */
static void listen_to_all(struct guard *g)
{
	for (int round = 0; round < 2; round++)
		for (unsigned int i = 0; i < g->opt->vmm_count; i++)
			drain(g, i);
	for (size_t i = 0; i < g->opt->device_count; i++)
		act(g, i, plan_settle(&g->plan[i]), "running");
}

/* --- waiting --------------------------------------------------------------- */

static int wait_ms(const struct guard *g)
{
	uint64_t deadline_ns = UINT64_MAX, now = clock_ns(), ms;

	for (size_t i = 0; i < g->opt->device_count; i++)
		if (plan_deadline(&g->plan[i]) < deadline_ns)
			deadline_ns = plan_deadline(&g->plan[i]);
	if (deadline_ns == UINT64_MAX)
		return -1;
	ms = deadline_ns > now ? (deadline_ns - now) / NSEC_PER_MSEC + 1 : 0;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Is there a VMM to listen to, or something that the clock has to end? */
static bool has_work(const struct guard *g)
{
	for (size_t i = 0; i < g->opt->vmm_count; i++)
		if (g->vmm[i])
			return true;
	return wait_ms(g) >= 0;
}

/* Serves until there is no work, or @interrupt_fd is readable. */
static int serve(struct guard *g, int interrupt_fd, struct error *err)
{
	struct pollfd fds[GUARD_VMMS_MAX + 1];

	for (;;) {
		listen_to_all(g);
		check_time(g);
		if (!has_work(g))
			return 0;
		for (size_t i = 0; i < g->opt->vmm_count; i++)
			fds[i] = (struct pollfd){
				.fd = g->vmm[i] ? qmp_client_fd(g->vmm[i]) : -1, .events = POLLIN,
			};
		fds[g->opt->vmm_count] = (struct pollfd){ .fd = interrupt_fd, .events = POLLIN };
		if (poll(fds, g->opt->vmm_count + 1, wait_ms(g)) < 0 && errno != EINTR)
			return error_set(err, -errno, "poll: %s", strerror(errno));
		if (fds[g->opt->vmm_count].revents)
			return 0;
	}
}

static int open_all(struct guard *g, struct error *err)
{
	uint64_t deadline_ns = clock_ns() + g->opt->connect_ns;
	int ret = 0;

	for (size_t i = 0; !ret && i < g->opt->device_count; i++)
		ret = guard_open_agent(g->opt->devices[i].agent, &g->connections[i], err);
	for (size_t i = 0; !ret && i < g->opt->vmm_count; i++)
		ret = qmp_client_connect(g->opt->qmp[i], deadline_ns, &g->vmm[i], err) ?:
		      guard_promise(g->vmm[i], deadline_ns, &g->promised[i], err);
	return ret;
}

static void close_all(struct guard *g)
{
	for (size_t i = 0; i < g->opt->vmm_count; i++)
		qmp_client_free(g->vmm[i]);
	for (size_t i = 0; i < g->opt->device_count; i++)
		if (g->connections[i])
			g->connections[i]->ops->close(g->connections[i]);
	free(g);
}

int guard_run(const struct guard_options *opt, FILE *out, struct error *err)
{
	const struct sched_param low = { .sched_priority = 1 };
	struct guard *g = calloc(1, sizeof(*g));
	int ret, interrupt_fd = -1;

	if (!g)
		return error_set(err, -ENOMEM, "no memory for the guard");
	g->opt = opt;
	g->out = out;
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &low))
		log_info("no real-time scheduling for the guard: %s", strerror(errno));
	ret = open_all(g, err);
	if (!ret) {
		interrupt_fd = opt->watch_interrupts ? opt->watch_interrupts() : -1;
		fprintf(out, "guarding %zu devices of %zu VMMs\n", opt->device_count,
			opt->vmm_count);
		fflush(out);
		ret = serve(g, interrupt_fd, err);
	}
	restore_all(g);
	ret = ret ?: g->bad;
	close_all(g);
	if (interrupt_fd >= 0)
		close(interrupt_fd);
	return ret;
}
