// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/pair.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/log.h"
#include "device/discard.h"
#include "device/lab.h"
#include "device/state.h"
#include "device/uapi.h"
#include "qmp/client.h"
#include "qmp/events.h"
#include "qmp/json.h"
#include "vmm/coordinator.h"
#include "vmm/side.h"

#define SELF		"/proc/self/exe"
#define SLICE_NS	(50 * NSEC_PER_MSEC)	/* how long a signal or a dead child goes unseen */
#define ENDING_NS	(10 * NSEC_PER_SEC)	/* for questions at the end, when time is up, too */
#define PARTING_NS	(5 * NSEC_PER_SEC)	/* for children to go by themselves */
#define JUDGE_PARTING_NS (20 * NSEC_PER_SEC)	/* it may have to wait for a held arc */
#define NAME_MAX_BYTES	108			/* of a path below dir: as much as sun_path has */
#define DIR_MAX_BYTES	64			/* leaves room for the names of sockets */
#define ARGS_MAX	(16 + 2 * VMM_DEVICES_MAX)
#define JUDGE_NA	77			/* status of a judge without anything to judge */

struct pair {
	const struct pair_options *opt;
	struct outcome *o;
	uint64_t begin_ns, deadline_ns;
	char dir[DIR_MAX_BYTES];
	struct side source, destination;
	struct child judge;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

/* Whatever ends us, children and files are cleared away first. */
static void catch_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGQUIT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void set_deadline(struct pair *p, uint64_t deadline_ns)
{
	p->deadline_ns = deadline_ns;
	p->source.deadline_ns = deadline_ns;
	p->destination.deadline_ns = deadline_ns;
}

static void path_of(const struct pair *p, const char *name, char *ret_path)
{
	snprintf(ret_path, NAME_MAX_BYTES, "%s/%s", p->dir, name);
}

/* The arguments of a child; the strings of add_arg() are its own. */
struct args {
	char *v[ARGS_MAX];
	unsigned int count;
};

static int add_arg(struct args *args, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int add_arg(struct args *args, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = vasprintf(&args->v[args->count], fmt, ap);
	va_end(ap);
	if (ret < 0) {
		args->v[args->count] = NULL;
		return -ENOMEM;
	}
	args->count++;
	return 0;
}

/* This program as another one, as talkative as we are. */
static int add_self(struct args *args, const char *command)
{
	int ret = add_arg(args, SELF);

	if (!ret && log_goes_out(LOG_LEVEL_INFO))
		ret = add_arg(args, "--verbose");
	return ret ?: add_arg(args, "%s", command);
}

static void free_args(struct args *args)
{
	for (unsigned int i = 0; i < args->count; i++)
		free(args->v[i]);
}

static int start_child(struct pair *p, struct child *child, const char *name, struct args *args,
		       bool with_output, struct error *err)
{
	char file[32], log[NAME_MAX_BYTES];
	int ret;

	snprintf(file, sizeof(file), "%s.log", name);
	path_of(p, file, log);
	ret = child_start(child, name, args->v, log, with_output, err);
	free_args(args);
	return ret;
}

static int start_side(struct pair *p, struct side *s, const char *name, const char *const *devices,
		      bool incoming, struct error *err)
{
	struct args args = { 0 };
	int ret;

	s->socket = name;
	ret = add_self(&args, "run") ?: add_arg(&args, "--qmp") ?:
	      add_arg(&args, "unix:%s/%s", p->dir, name) ?:
	      add_arg(&args, "--policy=%s", p->opt->policy);
	for (unsigned int i = 0; !ret && i < p->opt->count; i++)
		ret = add_arg(&args, "--device") ?: add_arg(&args, "%s,id=vf%u", devices[i], i);
	if (!ret && incoming)
		ret = add_arg(&args, "--incoming=defer");
	if (!ret && p->opt->no_prepare)
		ret = add_arg(&args, "--no-prepare");
	if (!ret && p->opt->ram)
		ret = add_arg(&args, "--ram=%s", p->opt->ram);
	if (!ret && p->opt->workload)
		ret = add_arg(&args, "--workload=%s", p->opt->workload);
	if (ret) {
		free_args(&args);
		return error_set(err, ret, "no memory to start the %s", name);
	}
	return start_child(p, &s->child, name, &args, false, err);
}

/* The BDF for vfio:BDF and BDF; what is emulated has its history in its own process. */
static const char *where(const char *device)
{
	return strncmp(device, "emu", 3) ? device : "emu";
}

/* By the flags of the sources, unless the user knows better: who has no such arc makes none. */
static int choose_judged(struct pair *p)
{
	bool any = false;

	for (unsigned int i = 0; i < p->opt->count; i++)
		any |= outcome_has_arc(&p->o->device[i]);
	for (unsigned int i = 0; i < p->opt->count; i++)
		p->o->device[i].judged = p->opt->expect >= 0 || !any ||
					 outcome_has_arc(&p->o->device[i]);
	return p->opt->expect >= 0 ? p->opt->expect : any;
}

static int start_judge(struct pair *p, struct error *err)
{
	unsigned long long seconds = p->opt->timeout_ns / NSEC_PER_SEC + 1;
	struct args args = { 0 };
	int ret;

	ret = add_self(&args, "judge") ?: add_arg(&args, "--qmp") ?:
	      add_arg(&args, "unix:%s/%s", p->dir, p->source.socket) ?:
	      /* Without prepare events a hold would only end at its limit. */
	      add_arg(&args, p->opt->no_prepare ? "--release" : "--hold") ?:
	      add_arg(&args, "--expect=%d", choose_judged(p)) ?:
	      add_arg(&args, "--timeout=%llu", seconds) ?:
	      (p->opt->json ? add_arg(&args, "--json") : 0);
	for (unsigned int i = 0; !ret && i < p->opt->count; i++) {
		const char *w = where(p->opt->from[i]);

		if (p->o->device[i].judged)
			ret = add_arg(&args, "--device") ?:
			      add_arg(&args, "vf%u=%.*s", i, (int)strcspn(w, ","), w);
	}
	if (ret) {
		free_args(&args);
		return error_set(err, ret, "no memory to start the judge");
	}
	return start_child(p, &p->judge, "judge", &args, true, err);
}

/* Devices that are written faster than they are read are the reason that nobody thinks of. */
static int give_up(struct pair *p, struct error *err)
{
	unsigned long long seconds = p->opt->timeout_ns / NSEC_PER_SEC, expected = 0, limit = 0;

	set_deadline(p, clock_ns() + ENDING_NS);
	if (!strcmp(p->o->machine[OUTCOME_SOURCE].migration, "active")) {
		expected = side_number(&p->source, "query-migrate", "expected-downtime");
		limit = expected ? side_number(&p->source, "query-migrate-parameters",
					       "downtime-limit") : 0;
	}
	if (expected > limit)
		return error_set(err, -ETIMEDOUT,
				 "not done within %llu s: what is left would stop the machine for %llu ms, and the limit is %llu ms; see --downtime-limit and --timeout",
				 seconds, expected, limit);
	return error_set(err, -ETIMEDOUT, "not done within %llu s; see --timeout", seconds);
}

/* A child that is no more, in its own words if it had any. */
static int blame(struct child *child, struct error *err)
{
	char words[400];

	child_last_words(child, words, sizeof(words));
	return error_set(err, child->status == 2 ? -EINVAL : -ECHILD,
			 "the %s ended with status %d%s%s", child->name, child->status,
			 *words ? ": " : "", words);
}

/* Someone wants an end, a child is no more, or time is up: no use in going on. */
static int check(struct pair *p, struct error *err)
{
	struct child *machines[] = { &p->source.child, &p->destination.child };

	if (interrupted)
		return error_set(err, -EINTR, "interrupted");
	for (unsigned int i = 0; i < 2; i++)
		if (child_ended(machines[i], 0))
			return blame(machines[i], err);
	if (clock_ns() > p->deadline_ns)
		return give_up(p, err);
	return 0;
}

/* A connection ended: the machine behind it is about to, and is the reason. */
static int blame_gone(struct pair *p, int code, struct error *err)
{
	struct child *machines[] = { &p->source.child, &p->destination.child };
	uint64_t until_ns = clock_ns() + PARTING_NS;

	while (clock_ns() < until_ns)
		for (unsigned int i = 0; i < 2; i++)
			if (child_ended(machines[i], clock_ns() + SLICE_NS))
				return blame(machines[i], err);
	return code;
}

static int connect_side(struct pair *p, struct side *s, struct error *err)
{
	char uri[NAME_MAX_BYTES + 8];
	struct error why;
	int ret;

	snprintf(uri, sizeof(uri), "unix:%s/%s", p->dir, s->socket);
	do {
		ret = check(p, err);
		if (ret)
			return ret;
	} while (qmp_client_connect(uri, clock_ns() + SLICE_NS, &s->client, &why));
	return 0;
}

/* And what says how much memory there is, and its checksum. */
static int enable_events(struct side *s, struct error *err)
{
	static const char on[] =
		"{\"capabilities\": [{\"capability\": \"events\", \"state\": true},"
		" {\"capability\": \"x-device-statistics\", \"state\": true}]}";

	return side_call(s, "migrate-set-capabilities", json_tokener_parse(on), NULL, err);
}

static int set_parameters(struct pair *p, struct error *err)
{
	struct json_object *args;

	if (p->opt->downtime_ms < 0 && !p->opt->bandwidth)
		return 0;
	args = json_object_new_object();
	if (p->opt->downtime_ms >= 0)
		json_add_int(args, "downtime-limit", p->opt->downtime_ms);
	if (p->opt->bandwidth)
		json_add_int(args, "avail-switchover-bandwidth", p->opt->bandwidth);
	return side_call(&p->source, "migrate-set-parameters", args, NULL, err);
}

static const char *heard(const struct pair *p, enum outcome_end end)
{
	return p->o->machine[end].migration;
}

static bool over(const struct pair *p, enum outcome_end end)
{
	const char *status = heard(p, end);

	return !strcmp(status, "completed") || !strcmp(status, "failed") ||
	       !strcmp(status, "cancelled");
}

static void note_event(struct pair *p, enum outcome_end end, const struct qmp_event *event)
{
	struct outcome_machine *m = &p->o->machine[end];
	unsigned int i;

	if (!strcmp(event->name, QMP_EVENT_MIGRATION) && !over(p, end))
		snprintf(m->migration, sizeof(m->migration), "%s",
			 qmp_event_text(event, "status"));
	if (!strcmp(event->name, QMP_EVENT_VFIO_MIGRATION) &&
	    !strcmp(qmp_event_text(event, "device-state"),
		    qmp_vfio_state_name(QMP_VFIO_PRE_COPY_P2P_PREPARE)) &&
	    sscanf(qmp_event_text(event, "device-id"), "vf%u", &i) == 1 && i < p->o->count)
		p->o->device[i].announced = true;
}

/* Takes the events of one side that are here. */
static int take_events(struct pair *p, enum outcome_end end, struct error *err)
{
	struct side *s = end == OUTCOME_SOURCE ? &p->source : &p->destination;
	const struct pair_observer *observer = p->opt->observer;
	struct qmp_event event;
	int ret;

	while ((ret = qmp_client_event(s->client, 0, &event, err)) > 0) {
		if (observer)
			observer->event(observer->opaque, end == OUTCOME_DESTINATION, &event);
		note_event(p, end, &event);
		qmp_event_release(&event);
	}
	return ret;
}

static int take_all_events(struct pair *p, struct error *err)
{
	return take_events(p, OUTCOME_SOURCE, err) ?: take_events(p, OUTCOME_DESTINATION, err);
}

static struct json_object *uri_args(const struct pair *p)
{
	struct json_object *args = json_object_new_object();
	char uri[NAME_MAX_BYTES + 8];

	snprintf(uri, sizeof(uri), "unix:%s/migration", p->dir);
	json_add_string(args, "uri", uri);
	return args;
}

static int begin(struct pair *p, struct error *err)
{
	/* What they said of their start has nothing to do with it. */
	int ret = take_all_events(p, err);
	struct json_object *incoming;

	if (ret)
		return ret;
	incoming = uri_args(p);
	json_add_bool(incoming, "exit-on-error", false);
	p->o->begun = true;
	p->begin_ns = clock_ns();
	if (p->opt->observer)
		p->opt->observer->begin(p->opt->observer->opaque);
	return side_call(&p->destination, "migrate-incoming", incoming, NULL, err) ?:
	       side_call(&p->source, "migrate", uri_args(p), NULL, err);
}

static bool both_over(const struct pair *p)
{
	return over(p, OUTCOME_SOURCE) && over(p, OUTCOME_DESTINATION);
}

/* To both, so that each event is stamped when it comes; then waits a moment for more. */
static int listen_to_both(struct pair *p, struct error *err)
{
	struct pollfd fds[] = {
		{ .fd = qmp_client_fd(p->source.client), .events = POLLIN },
		{ .fd = qmp_client_fd(p->destination.client), .events = POLLIN },
	};
	int ret = take_all_events(p, err);

	if (!ret && !both_over(p))
		poll(fds, 2, SLICE_NS / NSEC_PER_MSEC);
	return ret;
}

/* The destination of a source that gave up may never have heard of it. */
static int watch(struct pair *p, struct error *err)
{
	uint64_t until_ns = UINT64_MAX;
	int ret = 0;

	while (!ret && !both_over(p) && clock_ns() < until_ns) {
		ret = check(p, err) ?: listen_to_both(p, err);
		if (until_ns == UINT64_MAX && over(p, OUTCOME_SOURCE) &&
		    strcmp(heard(p, OUTCOME_SOURCE), "completed"))
			until_ns = clock_ns() + PARTING_NS;
	}
	return ret;
}

/* --- the judge ------------------------------------------------------------- */

/* More of what the judge writes: bytes, 0 at its end, -EAGAIN: nothing for now. */
static ssize_t hear_judge(struct pair *p, char *buf, size_t size)
{
	struct pollfd fd = { .fd = p->judge.out, .events = POLLIN };
	ssize_t n;

	if (poll(&fd, 1, SLICE_NS / NSEC_PER_MSEC) <= 0)
		return -EAGAIN;
	n = read(p->judge.out, buf, size);
	return n < 0 ? -EAGAIN : n;
}

/* The judge listens once it has written its first line. */
static int await_judge(struct pair *p, struct error *err)
{
	char c = 0;

	while (c != '\n') {
		int ret = check(p, err);

		if (ret)
			return ret;
		if (hear_judge(p, &c, 1))
			continue;
		child_ended(&p->judge, clock_ns() + PARTING_NS);
		return error_prefix(err, blame(&p->judge, err), "nobody would judge it");
	}
	return 0;
}

/* Until it writes no more. */
static int collect_lines(struct pair *p, FILE *lines, struct error *err)
{
	char buf[4096];
	ssize_t n;
	int ret = 0;

	while (!ret && (n = hear_judge(p, buf, sizeof(buf)))) {
		if (n > 0)
			fwrite(buf, 1, n, lines);
		else
			ret = check(p, err);
	}
	return ret;
}

static int take_verdict(struct pair *p, struct error *err)
{
	size_t size;
	FILE *lines = open_memstream(&p->o->judge_lines, &size);
	int ret;

	if (!lines)
		return error_set(err, -ENOMEM, "no memory for the verdict");
	p->o->judge = OUTCOME_JUDGE_NONE;
	ret = collect_lines(p, lines, err);
	fclose(lines);
	if (ret)
		return error_prefix(err, ret, "the judge did not end");
	if (!child_ended(&p->judge, clock_ns() + PARTING_NS))
		return error_set(err, -ETIMEDOUT, "the judge does not come to an end");
	if (p->judge.status > 1 && p->judge.status != JUDGE_NA)
		return blame(&p->judge, err);
	p->o->judge = p->judge.status == 0 ? OUTCOME_JUDGE_PASS :
		      p->judge.status == 1 ? OUTCOME_JUDGE_FAIL : OUTCOME_JUDGE_NA;
	return 0;
}

/* --- how it went ----------------------------------------------------------- */

/* Until the workload of @s is through with @rounds rounds and an operation more, or in error. */
static int await_workload(struct pair *p, struct side *s, unsigned int rounds, struct error *err)
{
	struct json_object *report;
	bool done = false;
	int ret = 0;

	while (!ret && !done) {
		ret = check(p, err) ?: side_call(s, "x-query-workload", NULL, &report, err);
		if (ret)
			return ret;
		done = json_arg(report, "error") ||
		       json_object_get_int64(json_object_object_get(report, "here")) >
		       rounds * json_object_get_int64(json_object_object_get(report, "round"));
		json_object_put(report);
		if (!done)
			poll(NULL, 0, SLICE_NS / NSEC_PER_MSEC);
	}
	return ret;
}

/* Of what moved, when all of it did. */
static int ask_arrived(struct pair *p, struct error *err)
{
	int ret = 0;

	side_ask_fingerprints(&p->source, OUTCOME_SOURCE, p->o);
	side_ask_fingerprints(&p->destination, OUTCOME_DESTINATION, p->o);
	if (p->opt->ram) {
		side_ask_memory(&p->source, OUTCOME_SOURCE, p->o);
		side_ask_memory(&p->destination, OUTCOME_DESTINATION, p->o);
	}
	if (p->opt->workload) {
		ret = await_workload(p, &p->destination, 1, err);
		side_ask_workload(&p->source, OUTCOME_SOURCE, p->o);
		side_ask_workload(&p->destination, OUTCOME_DESTINATION, p->o);
	}
	return ret;
}

/* Of what may be the reason that it did not. */
static int ask_failed(struct pair *p)
{
	side_ask_sizes(&p->source, OUTCOME_SOURCE, p->o);
	side_ask_sizes(&p->destination, OUTCOME_DESTINATION, p->o);
	return 0;
}

/* Time that is up at the very end of a migration is no reason not to ask how it went. */
static int ask_outcome(struct pair *p, struct error *err)
{
	bool completed = !strcmp(heard(p, OUTCOME_SOURCE), "completed") &&
			 !strcmp(heard(p, OUTCOME_DESTINATION), "completed");

	if (p->deadline_ns < clock_ns() + ENDING_NS)
		set_deadline(p, clock_ns() + ENDING_NS);
	return side_ask_migration(&p->source, OUTCOME_SOURCE, p->o, err) ?:
	       side_ask_migration(&p->destination, OUTCOME_DESTINATION, p->o, err) ?:
	       (completed ? ask_arrived(p, err) : ask_failed(p)) ?:
	       take_verdict(p, err);
}

static int rehearse(struct pair *p, struct error *err)
{
	int ret = start_side(p, &p->destination, "destination", p->opt->to, true, err) ?:
		  start_side(p, &p->source, "source", p->opt->from, false, err) ?:
		  connect_side(p, &p->source, err) ?:
		  connect_side(p, &p->destination, err) ?:
		  enable_events(&p->source, err) ?:
		  enable_events(&p->destination, err) ?:
		  set_parameters(p, err);

	if (ret)
		return ret;
	side_ask_flags(&p->source, p->o);
	return start_judge(p, err) ?:
	       await_judge(p, err) ?:
	       (p->opt->workload ? await_workload(p, &p->source, 0, err) : 0) ?:
	       begin(p, err) ?:
	       watch(p, err) ?:
	       ask_outcome(p, err);
}

/* Receipts that an observer wants shall not be late for our own reasons. */
static void hurry(void)
{
	const struct sched_param low = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &low))
		log_info("no real-time scheduling: %s", strerror(errno));
}

/* What of a history belongs to this migration. */
static void note_arc(struct pair *p, enum outcome_end end, unsigned int device,
		     const struct lab_arc *arc)
{
	struct outcome_device *d = &p->o->device[device];

	if (arc->begin_ns < p->begin_ns || !arc->end_ns)
		return;
	if (arc->result)
		snprintf(d->failed[end], sizeof(d->failed[end]), "%s -> %s failed: %s",
			 device_state_name(arc->from), device_state_name(arc->to),
			 device_strerror(-arc->result));
	if (end == OUTCOME_SOURCE && !arc->result && arc->from == VFIO_DEVICE_STATE_PRE_COPY &&
	    arc->to == VFIO_DEVICE_STATE_PRE_COPY_P2P) {
		d->quiesced = true;
		d->quiesce_ns = arc->end_ns - arc->begin_ns;
	}
}

static void take_history(struct pair *p, enum outcome_end end, unsigned int device)
{
	struct side *s = end == OUTCOME_SOURCE ? &p->source : &p->destination;
	const struct pair_observer *observer = p->opt->observer;
	char *text = side_attribute(s, device, "history");
	struct lab_arc *arcs;
	size_t count;

	if (text && observer)
		observer->history(observer->opaque, end == OUTCOME_DESTINATION, device, text);
	if (text && !lab_parse_history(text, &arcs, &count, NULL)) {
		for (size_t i = 0; i < count; i++)
			note_arc(p, end, device, &arcs[i]);
		free(arcs);
	}
	free(text);
}

static void ask_end(struct pair *p, enum outcome_end end)
{
	struct side *s = end == OUTCOME_SOURCE ? &p->source : &p->destination;
	struct outcome_machine *m = &p->o->machine[end];
	struct error err;

	if (s->client)
		side_ask_states(s, end, p->o);
	for (unsigned int i = 0; s->client && p->o->begun && i < p->o->count; i++)
		take_history(p, end, i);
	/* What came before the answers. */
	if (s->client)
		take_events(p, end, &err);
	if (!m->answered && child_ended(&s->child, 0))
		snprintf(m->gone, sizeof(m->gone), "ended with status %d", s->child.status);
}

/* However it ended, and as long as they live. */
static void ask_both_ends(struct pair *p)
{
	set_deadline(p, clock_ns() + ENDING_NS);
	ask_end(p, OUTCOME_SOURCE);
	ask_end(p, OUTCOME_DESTINATION);
}

/* --- the end --------------------------------------------------------------- */

/* Asked, not killed: it says what it has seen, and gives up what it holds. */
static void part_judge(struct pair *p)
{
	if (p->judge.pid) {
		kill(p->judge.pid, SIGTERM);
		kill(p->judge.pid, SIGCONT);	/* one that was stopped could not */
	}
	child_ended(&p->judge, clock_ns() + JUDGE_PARTING_NS);
	child_end(&p->judge);
}

static void part(struct side *s)
{
	struct error err;
	bool asked = s->client && !side_call(s, "quit", NULL, NULL, &err);

	qmp_client_free(s->client);
	s->client = NULL;
	child_ended(&s->child, asked ? clock_ns() + PARTING_NS : 0);
	child_end(&s->child);
}

static void print_logs(const struct pair *p)
{
	child_print_log(&p->destination.child);
	child_print_log(&p->source.child);
}

static void tidy(struct pair *p)
{
	static const char *const names[] = {
		"source", "source.log", "destination", "destination.log", "judge.log", "migration",
	};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[NAME_MAX_BYTES];

		path_of(p, names[i], path);
		unlink(path);
	}
	rmdir(p->dir);
}

/*
 * The path is short enough for the names of sockets below it, and has our number in it: what
 * is left of a process that is no more can be told from what is in use.
 */
static int make_dir(char dir[DIR_MAX_BYTES], struct error *err)
{
	const char *parent = getenv("TMPDIR");
	int n = snprintf(dir, DIR_MAX_BYTES, "%s/miglab-%d-XXXXXX",
			 parent && *parent ? parent : "/tmp", (int)getpid());

	if (n >= DIR_MAX_BYTES)
		return error_set(err, -ENAMETOOLONG,
				 "TMPDIR=%s is too long for the path of a socket", parent);
	if (!mkdtemp(dir))
		return error_set(err, -errno, "cannot make the directory %s: %s", dir,
				 strerror(errno));
	return 0;
}

static void name_devices(const struct pair_options *opt, struct outcome *o)
{
	o->count = opt->count;
	o->workload.kind = opt->workload;
	for (unsigned int i = 0; i < opt->count; i++) {
		o->device[i].dev[OUTCOME_SOURCE] = opt->from[i];
		o->device[i].dev[OUTCOME_DESTINATION] = opt->to[i];
		o->device[i].thrown_away = !strcmp(opt->to[i], DISCARD);
	}
}

int pair_migrate(const struct pair_options *opt, struct outcome *o, struct error *err)
{
	struct pair p = {
		.opt = opt, .o = o,
		.source.child.out = -1, .destination.child.out = -1, .judge.out = -1,
	};
	int ret;

	name_devices(opt, o);
	set_deadline(&p, clock_ns() + opt->timeout_ns);
	ret = make_dir(p.dir, err);
	if (ret) {
		o->error = *err;
		return ret;
	}
	catch_signals();
	if (opt->observer)
		hurry();
	ret = rehearse(&p, err);
	if (ret == -EPIPE)
		ret = blame_gone(&p, ret, err);
	if (ret)
		o->error = *err;
	ask_both_ends(&p);
	/* What they say of being ended in the middle of it is of no interest. */
	if (ret)
		print_logs(&p);
	part_judge(&p);
	part(&p.source);
	part(&p.destination);
	if (!ret)
		print_logs(&p);
	child_print_log(&p.judge);
	tidy(&p);
	return ret;
}
