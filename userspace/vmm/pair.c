// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/pair.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/log.h"
#include "device/discard.h"
#include "device/lab.h"
#include "device/uapi.h"
#include "qmp/client.h"
#include "vmm/coordinator.h"

#define SELF		"/proc/self/exe"
#define SLICE_NS	(50 * NSEC_PER_MSEC)	/* how long a signal or a dead child goes unseen */
#define ANSWER_NS	(10 * NSEC_PER_SEC)	/* for a command: a live machine answers at once */
#define PARTING_NS	(5 * NSEC_PER_SEC)	/* for children to go by themselves */
#define JUDGE_PARTING_NS (20 * NSEC_PER_SEC)	/* it may have to wait for an arc that is held */
#define NAME_MAX_BYTES	108			/* of a path below dir: as much as sun_path has */
#define ARGS_MAX	(16 + 2 * VMM_DEVICES_MAX)

/* One of the two machines. */
struct side {
	struct child child;
	const char *socket;
	struct qmp_client *client;
	char status[32];	/* of its migration, as last heard of; final once over */
};

struct pair {
	const struct pair_options *opt;
	uint64_t deadline_ns;
	char dir[64];
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
	signal(SIGPIPE, SIG_IGN);
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
	ret = add_arg(&args, SELF) ?: add_arg(&args, "run") ?: add_arg(&args, "--qmp") ?:
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

static int start_judge(struct pair *p, struct error *err)
{
	unsigned long long seconds = p->opt->timeout_ns / NSEC_PER_SEC + 1;
	struct args args = { 0 };
	int ret;

	ret = add_arg(&args, SELF) ?: add_arg(&args, "judge") ?: add_arg(&args, "--qmp") ?:
	      add_arg(&args, "unix:%s/%s", p->dir, p->source.socket) ?:
	      /* Without prepare events a hold would only end at its limit. */
	      add_arg(&args, p->opt->no_prepare ? "--release" : "--hold") ?:
	      add_arg(&args, "--expect=%u", p->opt->expect) ?:
	      add_arg(&args, "--timeout=%llu", seconds);
	for (unsigned int i = 0; !ret && i < p->opt->count; i++) {
		const char *w = where(p->opt->from[i]);

		ret = add_arg(&args, "--device") ?:
		      add_arg(&args, "vf%u=%.*s", i, (int)strcspn(w, ","), w);
	}
	if (ret) {
		free_args(&args);
		return error_set(err, ret, "no memory to start the judge");
	}
	return start_child(p, &p->judge, "judge", &args, true, err);
}

static int call(struct side *s, const char *command, struct json_object *args,
		struct json_object **ret, struct error *err)
{
	int code = qmp_client_call(s->client, command, args, clock_ns() + ANSWER_NS, ret, err);

	return code ? error_prefix(err, code, "%s of the %s", command, s->child.name) : 0;
}

static uint64_t number(struct json_object *info, const char *name)
{
	return json_object_get_int64(json_object_object_get(info, name));
}

/* A member of what @command of @s answers; 0 when there is none. */
static uint64_t ask_number(struct side *s, const char *command, const char *name)
{
	struct json_object *answer;
	struct error err;
	uint64_t value;

	if (call(s, command, NULL, &answer, &err))
		return 0;
	value = number(answer, name);
	json_object_put(answer);
	return value;
}

/* Devices that are written faster than they are read are the reason that nobody thinks of. */
static int give_up(struct pair *p, struct error *err)
{
	unsigned long long seconds = p->opt->timeout_ns / NSEC_PER_SEC, expected = 0, limit = 0;

	if (!strcmp(p->source.status, "active")) {
		expected = ask_number(&p->source, "query-migrate", "expected-downtime");
		limit = expected ? ask_number(&p->source, "query-migrate-parameters",
					      "downtime-limit") : 0;
	}
	if (expected > limit)
		return error_set(err, -ETIMEDOUT,
				 "not done within %llu s: what is left would stop the machine for %llu ms, and the limit is %llu ms; see --downtime-limit and --timeout",
				 seconds, expected, limit);
	return error_set(err, -ETIMEDOUT, "not done within %llu s; see --timeout", seconds);
}

/* Time is up, someone wants an end, or a child is no more: no use in going on. */
static int check(struct pair *p, struct error *err)
{
	struct child *machines[] = { &p->source.child, &p->destination.child };

	for (unsigned int i = 0; i < 2; i++) {
		if (!child_ended(machines[i], 0))
			continue;
		return error_set(err, machines[i]->status == 2 ? -EINVAL : -ECHILD,
				 "the %s ended with status %d", machines[i]->name,
				 machines[i]->status);
	}
	if (interrupted)
		return error_set(err, -EINTR, "interrupted");
	if (clock_ns() > p->deadline_ns)
		return give_up(p, err);
	return 0;
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
	struct json_object *args = json_tokener_parse(on);

	return call(s, "migrate-set-capabilities", args, NULL, err);
}

static int limit_downtime(struct pair *p, struct error *err)
{
	struct json_object *args;

	if (p->opt->downtime_ms < 0)
		return 0;
	args = json_object_new_object();
	json_object_object_add(args, "downtime-limit",
			       json_object_new_int64(p->opt->downtime_ms));
	return call(&p->source, "migrate-set-parameters", args, NULL, err);
}

static bool over(const struct side *s)
{
	return !strcmp(s->status, "completed") || !strcmp(s->status, "failed");
}

/* Takes the events of @s that are here. */
static int take_events(struct pair *p, struct side *s, struct error *err)
{
	const struct pair_observer *observer = p->opt->observer;
	struct qmp_event event;
	int ret;

	while ((ret = qmp_client_event(s->client, 0, &event, err)) > 0) {
		if (observer)
			observer->event(observer->opaque, s == &p->destination, &event);
		if (!strcmp(event.name, "MIGRATION") && !over(s))
			snprintf(s->status, sizeof(s->status), "%s",
				 qmp_event_text(&event, "status"));
		qmp_event_release(&event);
	}
	return ret;
}

static struct json_object *uri_args(const struct pair *p)
{
	struct json_object *args = json_object_new_object();
	char uri[NAME_MAX_BYTES + 8];

	snprintf(uri, sizeof(uri), "unix:%s/migration", p->dir);
	json_object_object_add(args, "uri", json_object_new_string(uri));
	return args;
}

static int begin(struct pair *p, struct error *err)
{
	/* What they said of their start has nothing to do with it. */
	int ret = take_events(p, &p->source, err) ?: take_events(p, &p->destination, err);
	struct json_object *incoming;

	if (ret)
		return ret;
	incoming = uri_args(p);
	json_object_object_add(incoming, "exit-on-error", json_object_new_boolean(false));
	if (p->opt->observer)
		p->opt->observer->begin(p->opt->observer->opaque);
	return call(&p->destination, "migrate-incoming", incoming, NULL, err) ?:
	       call(&p->source, "migrate", uri_args(p), NULL, err);
}

/* Of both, so that each is stamped when it comes; then waits a moment for more. */
static int listen_to_both(struct pair *p, struct error *err)
{
	struct pollfd fds[] = {
		{ .fd = qmp_client_fd(p->source.client), .events = POLLIN },
		{ .fd = qmp_client_fd(p->destination.client), .events = POLLIN },
	};
	int ret = take_events(p, &p->source, err) ?: take_events(p, &p->destination, err);

	if (!ret && !(over(&p->source) && over(&p->destination)))
		poll(fds, 2, SLICE_NS / NSEC_PER_MSEC);
	return ret;
}

/* The destination of a source that failed may never have heard of it. */
static int watch(struct pair *p, struct error *err)
{
	uint64_t until_ns = UINT64_MAX;
	int ret = 0;

	while (!ret && !(over(&p->source) && over(&p->destination)) && clock_ns() < until_ns) {
		ret = check(p, err) ?: listen_to_both(p, err);
		if (until_ns == UINT64_MAX && !strcmp(p->source.status, "failed"))
			until_ns = clock_ns() + PARTING_NS;
	}
	return ret;
}

/* The judge listens once it has written its first line. */
static int await_judge(struct pair *p, struct error *err)
{
	char c = 0;

	while (c != '\n') {
		if (read(p->judge.out, &c, 1) != 1)
			return error_set(err, -ECHILD, "the judge ended before it listened");
	}
	return 0;
}

/* A device's attribute as text for the caller to free; NULL when it has none. */
static char *attribute(struct side *s, unsigned int device, const char *name)
{
	struct json_object *args = json_object_new_object(), *answer, *text;
	char id[16], *copy = NULL;
	struct error err;

	snprintf(id, sizeof(id), "vf%u", device);
	json_object_object_add(args, "device", json_object_new_string(id));
	json_object_object_add(args, "attribute", json_object_new_string(name));
	if (call(s, "x-miglab-read", args, &answer, &err))
		return NULL;
	if (json_object_object_get_ex(answer, "text", &text) && text)
		copy = strdup(json_object_get_string(text));
	json_object_put(answer);
	return copy;
}

/* Of the last PRE_COPY -> PRE_COPY_P2P; 0 when there was none. */
static uint64_t quiesce_ns(struct side *s, unsigned int device)
{
	char *text = attribute(s, device, "history");
	struct lab_arc *arcs;
	uint64_t ns = 0;
	size_t count;

	if (text && !lab_parse_history(text, &arcs, &count, NULL)) {
		for (size_t i = 0; i < count; i++) {
			if (arcs[i].from == VFIO_DEVICE_STATE_PRE_COPY &&
			    arcs[i].to == VFIO_DEVICE_STATE_PRE_COPY_P2P && !arcs[i].result)
				ns = arcs[i].end_ns - arcs[i].begin_ns;
		}
		free(arcs);
	}
	free(text);
	return ns;
}

/* False when the state that arrived is another one than what was sent. */
static bool report_device(struct pair *p, unsigned int i, FILE *out)
{
	char *sent = attribute(&p->source, i, "fingerprint");
	char *arrived = attribute(&p->destination, i, "fingerprint");
	bool known = sent && arrived, equal = false;

	if (known) {
		sent[strcspn(sent, "\n")] = '\0';
		arrived[strcspn(arrived, "\n")] = '\0';
		/* Two states of which neither was looked at are not equal. */
		equal = strcmp(sent, "none") && !strcmp(sent, arrived);
	}
	fprintf(out, "vf%u %s -> %s  PRE_COPY -> PRE_COPY_P2P %.1f ms  ", i, p->opt->from[i],
		p->opt->to[i], (double)quiesce_ns(&p->source, i) / NSEC_PER_MSEC);
	if (!strcmp(p->opt->to[i], DISCARD))
		fprintf(out, "state thrown away: no fingerprints to compare\n");
	else if (!known)
		fprintf(out, "no fingerprints: not a driver of miglab's\n");
	else if (equal)
		fprintf(out, "fingerprints equal: %s\n", sent);
	else
		fprintf(out, "fingerprints differ: source %s, destination %s\n", sent, arrived);
	free(sent);
	free(arrived);
	return equal || !known;
}

/* 0, or 1 when one of the two says that the migration did not complete. */
static int report_migration(struct pair *p, FILE *out, struct error *err)
{
	struct side *sides[] = { &p->source, &p->destination };
	struct json_object *info;
	int ret, verdict = 0;

	for (unsigned int i = 0; i < 2; i++) {
		ret = call(sides[i], "query-migrate", NULL, &info, err);
		if (ret)
			return ret;
		if (strcmp(sides[i]->status, "completed")) {
			struct json_object *why = json_object_object_get(info, "error-desc");

			verdict = 1;
			fprintf(out, "%s: migration %s: %s\n", sides[i]->child.name,
				sides[i]->status,
				why ? json_object_get_string(why) : "it heard of no end");
		} else if (i == 0) {
			fprintf(out,
				"migration completed in %llu ms, downtime %llu ms, %llu bytes\n",
				(unsigned long long)number(info, "total-time"),
				(unsigned long long)number(info, "downtime"),
				(unsigned long long)number(json_object_object_get(info, "vfio"),
							   "transferred"));
		}
		json_object_put(info);
	}
	return verdict;
}

/* NULL: there is no such member, or @o is none. It lives as long as @o. */
static const char *text(struct json_object *o, const char *name)
{
	return json_object_get_string(json_object_object_get(o, name));
}

/* What @s says of its memory: the caller puts it. NULL: nothing. */
static struct json_object *ask_memory(struct side *s)
{
	struct json_object *info, *memory;
	struct error err;

	if (call(s, "query-migrate", NULL, &info, &err))
		return NULL;
	memory = json_object_get(json_object_object_get(info, "x-memory"));
	json_object_put(info);
	return memory;
}

/* False when what arrived is not what was sent, or nobody compared it. */
static bool report_memory(struct pair *p, FILE *out)
{
	struct json_object *source = ask_memory(&p->source);
	struct json_object *destination = ask_memory(&p->destination);
	const char *sent = text(source, "checksum"), *arrived = text(destination, "checksum");
	bool equal = sent && arrived && !strcmp(sent, arrived);

	fprintf(out, "memory of %s bytes, %s pages in %s bytes moved  ",
		text(source, "size") ?: "?", text(source, "pages") ?: "?",
		text(source, "transferred") ?: "?");
	if (equal)
		fprintf(out, "checksums equal: %s\n", sent);
	else
		fprintf(out, "checksums differ: source %s, destination %s\n", sent ?: "none",
			arrived ?: "none");
	json_object_put(source);
	json_object_put(destination);
	return equal;
}

/* What @s says of its workload: the caller puts it. */
static int ask_workload(struct side *s, struct json_object **ret, struct error *err)
{
	return call(s, "x-query-workload", NULL, ret, err);
}

/* Until it is through with @rounds rounds and an operation more, or found something wrong. */
static int await_workload(struct pair *p, struct side *s, unsigned int rounds, struct error *err)
{
	struct json_object *report;
	bool done = false;
	int ret = 0;

	while (!ret && !done) {
		ret = check(p, err) ?: ask_workload(s, &report, err);
		if (ret)
			return ret;
		done = text(report, "error") ||
		       number(report, "here") > rounds * number(report, "round");
		json_object_put(report);
		if (!done)
			poll(NULL, 0, SLICE_NS / NSEC_PER_MSEC);
	}
	return ret;
}

/* False when one of the two sides found something wrong. */
static bool report_workload(struct pair *p, FILE *out)
{
	struct side *sides[] = { &p->source, &p->destination };
	bool good = true;
	struct error err;

	for (unsigned int i = 0; i < 2; i++) {
		struct json_object *report;
		const char *why;

		if (ask_workload(sides[i], &report, &err)) {
			fprintf(out, "workload: %s\n", err.text);
			return false;
		}
		why = text(report, "error");
		good &= !why;
		fprintf(out,
			"workload %s  %s: %llu operations, %llu of them here, %llu interrupts: %s\n",
			p->opt->workload, sides[i]->child.name,
			(unsigned long long)number(report, "operations"),
			(unsigned long long)number(report, "here"),
			(unsigned long long)number(report, "interrupts"),
			why ? why : "each once, and with the right bytes");
		json_object_put(report);
	}
	return good;
}

static int report_judge(struct pair *p, FILE *out, struct error *err)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(p->judge.out, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, n, out);
	if (!child_ended(&p->judge, clock_ns() + PARTING_NS))
		return error_set(err, -ETIMEDOUT, "the judge does not come to an end");
	if (p->judge.status > 1)
		return error_set(err, -ECHILD, "the judge ended with status %d", p->judge.status);
	return p->judge.status;
}

static int report(struct pair *p, FILE *out, struct error *err)
{
	int migrated, judged;
	bool equal = true;

	migrated = report_migration(p, out, err);
	if (migrated < 0)
		return migrated;
	for (unsigned int i = 0; !migrated && i < p->opt->count; i++)
		equal &= report_device(p, i, out);
	if (!migrated && p->opt->ram)
		equal &= report_memory(p, out);
	if (!migrated && p->opt->workload) {
		judged = await_workload(p, &p->destination, 1, err);
		if (judged)
			return judged;
		equal &= report_workload(p, out);
	}
	judged = report_judge(p, out, err);
	return judged < 0 ? judged : migrated || !equal || judged;
}

static int rehearse(struct pair *p, FILE *out, struct error *err)
{
	return start_side(p, &p->destination, "destination", p->opt->to, true, err) ?:
	       start_side(p, &p->source, "source", p->opt->from, false, err) ?:
	       connect_side(p, &p->source, err) ?:
	       connect_side(p, &p->destination, err) ?:
	       enable_events(&p->source, err) ?:
	       enable_events(&p->destination, err) ?:
	       limit_downtime(p, err) ?:
	       start_judge(p, err) ?:
	       await_judge(p, err) ?:
	       (p->opt->workload ? await_workload(p, &p->source, 0, err) : 0) ?:
	       begin(p, err) ?:
	       watch(p, err) ?:
	       report(p, out, err);
}

/* Receipts that an observer wants shall not be late for our own reasons. */
static void hurry(void)
{
	const struct sched_param low = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &low))
		log_info("no real-time scheduling: %s", strerror(errno));
}

/* However it ended, and as long as they live. */
static void observe_end(struct pair *p)
{
	const struct pair_observer *observer = p->opt->observer;
	struct side *sides[] = { &p->source, &p->destination };
	struct error err;

	for (unsigned int s = 0; observer && s < 2; s++) {
		for (unsigned int i = 0; sides[s]->client && i < p->opt->count; i++) {
			char *text = attribute(sides[s], i, "history");

			if (text)
				observer->history(observer->opaque, s, i, text);
			free(text);
		}
		/* What came before the answers. */
		if (sides[s]->client)
			take_events(p, sides[s], &err);
	}
}

/* Asked, not killed: it says what it has seen, and gives up what it holds. */
static void part_judge(struct pair *p)
{
	if (p->judge.pid)
		kill(p->judge.pid, SIGTERM);
	child_ended(&p->judge, clock_ns() + JUDGE_PARTING_NS);
	child_end(&p->judge);
}

static void part(struct side *s)
{
	struct error err;

	if (s->client)
		call(s, "quit", NULL, NULL, &err);
	qmp_client_free(s->client);
	child_ended(&s->child, s->client ? clock_ns() + PARTING_NS : 0);
	child_end(&s->child);
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

/* The path is short enough for the names of sockets below it. */
static int make_dir(char dir[64], struct error *err)
{
	const char *parent = getenv("TMPDIR");
	int n = snprintf(dir, 64, "%s/miglab-XXXXXX", parent && *parent ? parent : "/tmp");

	if (n >= 64)
		return error_set(err, -ENAMETOOLONG,
				 "TMPDIR=%s is too long for the path of a socket", parent);
	if (!mkdtemp(dir))
		return error_set(err, -errno, "cannot make the directory %s: %s", dir,
				 strerror(errno));
	return 0;
}

int pair_migrate(const struct pair_options *opt, FILE *out, struct error *err)
{
	struct pair p = {
		.opt = opt,
		.deadline_ns = clock_ns() + opt->timeout_ns,
		.source.child.out = -1, .destination.child.out = -1, .judge.out = -1,
	};
	int ret;

	ret = make_dir(p.dir, err);
	if (ret)
		return ret;
	catch_signals();
	if (opt->observer)
		hurry();
	ret = rehearse(&p, out, err);
	observe_end(&p);
	part_judge(&p);
	part(&p.source);
	part(&p.destination);
	if (fflush(out) && ret >= 0)
		ret = error_set(err, -errno, "the result cannot be written: %s", strerror(errno));
	child_print_log(&p.destination.child);
	child_print_log(&p.source.child);
	child_print_log(&p.judge);
	tidy(&p);
	return ret;
}
