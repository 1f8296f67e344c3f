// SPDX-License-Identifier: GPL-2.0-only
#include "guard/guard.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "guard/agent.h"
#include "guard/output.h"
#include "guard/promise.h"
#include "qmp/client.h"
#include "qmp/events.h"

#define ANSWER_NS	(2 * NSEC_PER_SEC)	/* for a VMM to take an answer */
#define READ_NS		(2 * NSEC_PER_SEC)	/* at the end, for a reader to take the lines */
#define RETRY_NS	(100 * NSEC_PER_MSEC)	/* until an agent that is gone is asked again */
#define FDS_MAX		(GUARD_VMMS_MAX + GUARD_DEVICES_MAX + 2)

/* The connections of one device, and what is to become of them. */
struct ward {
	const char *id;
	struct guarded *agent;
	struct plan plan;
	enum plan_action asked;	/* of the agent, which has not answered yet */
	enum plan_action next;	/* to be asked once it has */
	char why[64], next_why[64];	/* "pre-copy-p2p-prepare", "running" or a reason */
	uint64_t asked_ns;
	uint64_t retry_ns;	/* ask for a suspension again; 0: no */
	bool off;		/* the agent said that the timeouts are */
	bool failing;		/* and that it is gone was said */
	bool waiting[GUARD_VMMS_MAX];	/* for an answer to its announcement */
	struct json_object *seq[GUARD_VMMS_MAX];	/* of that announcement, x-seq; or NULL */
};

struct guard {
	const struct guard_options *opt;
	struct output out;
	struct qmp_client *vmm[GUARD_VMMS_MAX];	/* NULL once it is gone */
	bool promised[GUARD_VMMS_MAX];		/* to answer its announcements */
	struct ward ward[GUARD_DEVICES_MAX];
	bool bad;		/* a suspension did not end as it should */
};

static int seconds(uint64_t ns)
{
	return ns / NSEC_PER_SEC;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* --- VMMs that wait -------------------------------------------------------- */

static void answer(struct guard *g, unsigned int vmm, const char *id, struct json_object *seq)
{
	struct error err;

	if (g->vmm[vmm] && guard_answer(g->vmm[vmm], id, seq, clock_ns() + ANSWER_NS, &err))
		log_info("guard: %s: %s takes no answer: %s", id, g->opt->qmp[vmm], err.text);
}

/* The VMM waits for an answer to its announcement @seq, and no longer for an older one. */
static void begin_waiting(struct ward *w, unsigned int vmm, struct json_object *seq)
{
	json_object_put(w->seq[vmm]);
	w->seq[vmm] = json_object_get(seq);
	w->waiting[vmm] = true;
}

static void end_waiting(struct ward *w, unsigned int vmm)
{
	json_object_put(w->seq[vmm]);
	w->seq[vmm] = NULL;
	w->waiting[vmm] = false;
}

static void answer_all(struct guard *g, struct ward *w)
{
	for (unsigned int i = 0; i < g->opt->vmm_count; i++) {
		if (w->waiting[i])
			answer(g, i, w->id, w->seq[i]);
		end_waiting(w, i);
	}
}

/* --- what is done ---------------------------------------------------------- */

/* What is not heeded is not answered. An agent that is gone comes back as its own restoration. */
static void failed(struct guard *g, struct ward *w, int code, const struct error *err)
{
	g->bad |= w->off || w->asked != PLAN_NOTHING || w->plan.suspended;
	if (!w->failing)
		log_error("guard: %s: %s", w->id, err->text);
	w->failing = true;
	w->asked = PLAN_NOTHING;
	w->off = w->off && code == -EREMOTEIO;
	for (unsigned int i = 0; i < g->opt->vmm_count; i++)
		end_waiting(w, i);
	w->retry_ns = code == -EREMOTEIO ? 0 : clock_ns() + RETRY_NS;
}

static void ask(struct guard *g, struct ward *w, enum plan_action action, const char *why)
{
	const struct guard_ops *ops = w->agent->ops;
	struct error err;
	int ret;

	snprintf(w->why, sizeof(w->why), "%s", why);
	w->asked = action;
	w->asked_ns = clock_ns();
	w->retry_ns = 0;
	ret = action == PLAN_SUSPEND ? ops->suspend(w->agent, &err) :
				       ops->restore(w->agent, &err);
	if (ret)
		failed(g, w, ret, &err);
}

/* @why is "pre-copy-p2p-prepare", "running" or a reason. An agent is asked one thing at a time. */
static void act(struct guard *g, struct ward *w, enum plan_action action, const char *why)
{
	if (action == PLAN_NOTHING)
		return;
	if (w->asked == PLAN_NOTHING) {
		ask(g, w, action, why);
		return;
	}
	w->next = action == w->asked ? PLAN_NOTHING : action;
	snprintf(w->next_why, sizeof(w->next_why), "%s", why);
}

static void done(struct guard *g, struct ward *w, unsigned int count)
{
	w->off = w->asked == PLAN_SUSPEND;
	output_line(&g->out, "%s: %s: %s the timeouts of %u connection%s in %.2f ms", w->id, w->why,
		    w->off ? "suspended" : "restored", count, plural(count),
		    (double)(clock_ns() - w->asked_ns) / NSEC_PER_MSEC);
	w->asked = PLAN_NOTHING;
	w->failing = false;
	if (w->off)
		answer_all(g, w);
}

/* What the agent says, and what comes after it. */
static void hear(struct guard *g, struct ward *w)
{
	enum plan_action next = w->next;
	unsigned int count;
	struct error err;
	int ret = w->agent->ops->take(w->agent, &count, &err);

	if (ret > 0)
		done(g, w, count);
	else if (ret)
		failed(g, w, ret, &err);
	if (w->asked != PLAN_NOTHING)
		return;
	w->next = PLAN_NOTHING;
	if (next != PLAN_NOTHING)
		ask(g, w, next, w->next_why);
	else if (!w->plan.suspended)
		w->retry_ns = 0;
	else if (w->retry_ns && clock_ns() >= w->retry_ns)
		ask(g, w, PLAN_SUSPEND, "the agent is back");
}

static void hear_all(struct guard *g)
{
	for (size_t i = 0; i < g->opt->device_count; i++)
		hear(g, &g->ward[i]);
}

/* For @why the suspensions end whose time is up at @now_ns. */
static void end_suspensions(struct guard *g, uint64_t now_ns, const char *why)
{
	for (size_t i = 0; i < g->opt->device_count; i++) {
		enum plan_action action = plan_time(&g->ward[i].plan, now_ns);

		g->bad |= action != PLAN_NOTHING;
		act(g, &g->ward[i], action, why);
	}
}

/* --- what is heard --------------------------------------------------------- */

/* Who announces waits until the timeouts are off, when they are to be. */
static void heed(struct guard *g, struct ward *w, unsigned int vmm, const char *state,
		 struct json_object *seq)
{
	if (!w->plan.suspended || w->off) {
		answer(g, vmm, w->id, seq);
		return;
	}
	begin_waiting(w, vmm, seq);
	if (w->asked == PLAN_NOTHING)
		ask(g, w, PLAN_SUSPEND, state);
}

static struct ward *find_ward(struct guard *g, const char *id)
{
	for (size_t i = 0; i < g->opt->device_count; i++)
		if (!strcmp(g->ward[i].id, id))
			return &g->ward[i];
	return NULL;
}

static void take_event(struct guard *g, unsigned int vmm, const struct qmp_event *event)
{
	const char *id = qmp_event_text(event, "device-id");
	const char *state = qmp_event_text(event, "device-state");
	struct ward *w = find_ward(g, id);
	bool announced = g->promised[vmm] && guard_is_announcement(state);
	struct json_object *seq = json_object_object_get(event->data, "x-seq");

	if (strcmp(event->name, QMP_EVENT_VFIO_MIGRATION))
		return;
	if (w)
		act(g, w, plan_event(&w->plan, &g->opt->plan, vmm, state, clock_ns()), state);
	if (w && announced)
		heed(g, w, vmm, state, seq);
	else if (announced)
		answer(g, vmm, id, seq);	/* a device of others: not for us to wait for */
}

/* Who quits when nothing is suspended did so as it should. */
static void lose(struct guard *g, unsigned int vmm, const char *why)
{
	bool suspended = false;

	qmp_client_free(g->vmm[vmm]);
	g->vmm[vmm] = NULL;
	for (size_t i = 0; i < g->opt->device_count; i++) {
		suspended |= g->ward[i].plan.suspended;
		end_waiting(&g->ward[i], vmm);
	}
	if (!suspended) {
		output_line(&g->out, "%s has ended", g->opt->qmp[vmm]);
		return;
	}
	output_line(&g->out, "%s is gone: %s", g->opt->qmp[vmm], why);
	for (size_t i = 0; i < g->opt->device_count; i++)
		if (plan_vanished(&g->ward[i].plan, &g->opt->plan, clock_ns()))
			output_line(&g->out, "%s: its timeouts stay suspended for %d s more",
				    g->ward[i].id, seconds(g->opt->plan.grace_ns));
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

/* One round. */
static void listen_to_all(struct guard *g)
{
	for (unsigned int i = 0; i < g->opt->vmm_count; i++)
		drain(g, i);
	for (size_t i = 0; i < g->opt->device_count; i++)
		act(g, &g->ward[i], plan_settle(&g->ward[i].plan), "running");
}

/* --- waiting --------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When the clock has something to do. */
static uint64_t deadline_of(const struct ward *w)
{
	uint64_t ns = earlier(plan_deadline(&w->plan), w->agent->ops->deadline(w->agent));

	return w->retry_ns ? earlier(ns, w->retry_ns) : ns;
}

static int wait_ms(const struct guard *g)
{
	uint64_t deadline_ns = UINT64_MAX, now = clock_ns(), ms;

	for (size_t i = 0; i < g->opt->device_count; i++)
		deadline_ns = earlier(deadline_ns, deadline_of(&g->ward[i]));
	if (deadline_ns == UINT64_MAX)
		return -1;
	ms = deadline_ns > now ? (deadline_ns - now) / NSEC_PER_MSEC + 1 : 0;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Is there a VMM to listen to, or something that the clock or an agent has to end? */
static bool has_work(const struct guard *g)
{
	for (size_t i = 0; i < g->opt->vmm_count; i++)
		if (g->vmm[i])
			return true;
	return wait_ms(g) >= 0;
}

static size_t agent_fds(const struct guard *g, struct pollfd *fds)
{
	for (size_t i = 0; i < g->opt->device_count; i++)
		fds[i] = (struct pollfd){
			.fd = g->ward[i].agent->ops->fd(g->ward[i].agent), .events = POLLIN,
		};
	return g->opt->device_count;
}

/* Until something happens; 1 when @interrupt_fd did. */
static int wait_for_all(struct guard *g, int interrupt_fd, struct error *err)
{
	struct pollfd fds[FDS_MAX] = {
		{ .fd = interrupt_fd, .events = POLLIN },
		{ .fd = g->out.len ? g->out.fd : -1, .events = POLLOUT },
	};
	size_t count = 2 + agent_fds(g, fds + 2);

	for (size_t i = 0; i < g->opt->vmm_count; i++)
		fds[count++] = (struct pollfd){
			.fd = g->vmm[i] ? qmp_client_fd(g->vmm[i]) : -1, .events = POLLIN,
		};
	if (poll(fds, count, wait_ms(g)) < 0 && errno != EINTR)
		return error_set(err, -errno, "poll: %s", strerror(errno));
	return fds[0].revents != 0;
}

/* Serves until there is no work, or @interrupt_fd is readable. */
static int serve(struct guard *g, int interrupt_fd, struct error *err)
{
	int ret = 0;

	while (!ret) {
		listen_to_all(g);
		hear_all(g);
		end_suspensions(g, clock_ns(), "no event said that it runs again, time is up");
		output_flush(&g->out);
		if (!has_work(g))
			return 0;
		ret = wait_for_all(g, interrupt_fd, err);
	}
	return ret < 0 ? ret : 0;
}

/* Each agent has its own time to answer, all of them at once. */
static void restore_all(struct guard *g)
{
	bool asked = true;

	end_suspensions(g, UINT64_MAX, "the guard ends");
	while (asked) {
		struct pollfd fds[GUARD_DEVICES_MAX];

		hear_all(g);
		asked = false;
		for (size_t i = 0; i < g->opt->device_count; i++)
			asked |= g->ward[i].asked != PLAN_NOTHING;
		if (asked)
			poll(fds, agent_fds(g, fds), wait_ms(g));
	}
}

static int open_all(struct guard *g, struct error *err)
{
	uint64_t deadline_ns = clock_ns() + g->opt->connect_ns;
	int ret = 0;

	for (size_t i = 0; !ret && i < g->opt->device_count; i++) {
		g->ward[i].id = g->opt->devices[i].id;
		ret = guard_open_agent(g->opt->devices[i].agent, deadline_ns, g->opt->answer_ns,
				       &g->ward[i].agent, err);
	}
	for (size_t i = 0; !ret && i < g->opt->vmm_count; i++)
		ret = qmp_client_connect(g->opt->qmp[i], deadline_ns, &g->vmm[i], err) ?:
		      guard_promise(g->vmm[i], deadline_ns, &g->promised[i], err);
	return ret;
}

static void close_all(struct guard *g)
{
	for (size_t i = 0; i < g->opt->vmm_count; i++)
		qmp_client_free(g->vmm[i]);
	for (size_t i = 0; i < g->opt->device_count; i++) {
		for (unsigned int vmm = 0; vmm < g->opt->vmm_count; vmm++)
			end_waiting(&g->ward[i], vmm);
		if (g->ward[i].agent)
			g->ward[i].agent->ops->close(g->ward[i].agent);
	}
	free(g);
}

/* What it ends with: a worse status stays. */
static int finish(struct guard *g, struct error *err)
{
	int ret;

	restore_all(g);
	ret = output_finish(&g->out, clock_ns() + READ_NS);
	if (ret)
		return error_set(err, ret, "what was done cannot be told: %s",
				 ret == -EAGAIN ? "nobody reads it" : strerror(-ret));
	return g->bad;
}

static int guard(struct guard *g, struct error *err)
{
	const struct guard_options *opt = g->opt;
	int interrupt_fd = opt->watch_interrupts ? opt->watch_interrupts() : -1;
	int ret, end;

	output_line(&g->out, "guarding %zu device%s of %zu VMM%s", opt->device_count,
		    plural(opt->device_count), opt->vmm_count, plural(opt->vmm_count));
	ret = serve(g, interrupt_fd, err);
	end = finish(g, ret ? NULL : err);
	if (interrupt_fd >= 0)
		close(interrupt_fd);
	return ret ?: end;
}

int guard_run(const struct guard_options *opt, int out, struct error *err)
{
	const struct sched_param low = { .sched_priority = 1 };
	struct guard *g = calloc(1, sizeof(*g));
	int ret;

	if (!g)
		return error_set(err, -ENOMEM, "no memory for the guard");
	g->opt = opt;
	g->out.fd = out;
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &low))
		log_info("no real-time scheduling for the guard: %s", strerror(errno));
	ret = open_all(g, err) ?: guard(g, err);
	close_all(g);
	return ret;
}
