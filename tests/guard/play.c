// SPDX-License-Identifier: GPL-2.0-only
/*
 * The player of the guard's story: a device is migrated while connections run, and their remote
 * end is cut off exactly while the device is deaf: from the moment that the driver holds the
 * transition to PRE_COPY_P2P, until the driver's history at the destination says RUNNING. The
 * events of the VMM have no part in that.
 *
 * Usage: play rdma|udp FROM TO [ROW..]
 *
 * FROM and TO are vfio:BDF, or emu. Every row unless some are named. TAP; exit status 0 all as
 * expected, 1 a row is not, 2 bad usage.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/child.h"
#include "base/clock.h"
#include "device/lab.h"
#include "device/uapi.h"
#include "judge/remote.h"
#include "qmp/client.h"

#define PATIENCE_NS	(300 * NSEC_PER_SEC)	/* only what fails takes so long */
#define CONNECTIONS	8
#define COUNT		"8"
#define SLOW	"arc=PRE_COPY>PRE_COPY_P2P hold limit_us=3600000000 delay_us=300000"
#define HELD	"PRE_COPY>PRE_COPY_P2P "
#define ARGS_MAX	16

static const struct row {
	const char *name, *what;
	const char *device;	/* more keys of the device, for the VMM */
	const char *option;	/* of the VMM, or NULL */
	unsigned int dead;	/* of the connections, afterwards */
} rows[] = {
	{ "silent", "without events", ",migration-events=off", NULL, CONNECTIONS },
	{ "late", "the event after the transition", "", "--no-prepare", CONNECTIONS },
	{ "prepare", "with pre-copy-p2p-prepare", "", NULL, 0 },
};

struct status {
	unsigned int alive, dead, former, moving;
	char why[96];
};

struct play {
	const struct row *row;
	const char *kind, *from, *to;
	char dir[32];
	struct child agent, guard, source, destination;
	struct qmp_client *source_qmp, *destination_qmp;
	struct lab *source_lab, *destination_lab;
	struct remote *source_remote, *destination_remote;	/* NULL: by sysfs */
	int agent_fd;
	uint64_t begin_ns;	/* of the migration: what is older is another row's */
	struct status during, after;
};

static const char *miglab(void)
{
	return getenv("MIGLAB") ?: "build/miglab";
}

/* --- programs -------------------------------------------------------------- */

static int start_program(struct play *p, struct child *child, const char *name, char *const *argv,
			 struct error *err)
{
	char log[64];

	snprintf(log, sizeof(log), "%s/%s.log", p->dir, name);
	return child_start(child, name, argv, log, true, err);
}

/* A program says in its first line that it is there. */
static int await_line(struct child *child, char *text, size_t size, struct error *err)
{
	size_t len = 0;

	while (len + 1 < size && read(child->out, text + len, 1) == 1 && text[len] != '\n')
		len++;
	text[len] = '\0';
	return len ? 0 : error_set(err, -ECHILD, "the %s said nothing", child->name);
}

static int start_agent(struct play *p, struct error *err)
{
	char *program = getenv("AGENT"), uri[64], text[64];
	char *argv[] = { program ? program : "build/tests/guard/agent", uri, COUNT,
			 (char *)p->kind, NULL };
	struct address address;
	int ret;

	snprintf(uri, sizeof(uri), "unix:%s/agent", p->dir);
	ret = start_program(p, &p->agent, "agent", argv, err) ?:
	      await_line(&p->agent, text, sizeof(text), err) ?: unix_address(uri, &address, err);
	if (ret)
		return ret;
	printf("# connections: %s\n", text);
	p->agent_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return connect(p->agent_fd, &address.any, address.len) ?
	       error_set(err, -errno, "the agent refuses: %s", strerror(errno)) : 0;
}

static int start_vmm(struct play *p, struct child *child, const char *name, const char *device,
		     const char *incoming, struct qmp_client **ret_client, struct error *err)
{
	char uri[64], dev[128];
	char *argv[ARGS_MAX] = { (char *)miglab(), "run", "--qmp", uri, "--device", dev };
	unsigned int argc = 6;
	int ret;

	snprintf(uri, sizeof(uri), "unix:%s/%s", p->dir, name);
	snprintf(dev, sizeof(dev), "%s,id=vf0%s", device, p->row->device);
	if (p->row->option)
		argv[argc++] = (char *)p->row->option;
	argv[argc] = (char *)incoming;
	ret = start_program(p, child, name, argv, err);
	return ret ?: qmp_client_connect(uri, clock_ns() + PATIENCE_NS, ret_client, err);
}

static int start_guard(struct play *p, struct error *err)
{
	char source[64], destination[64], device[64], text[64];
	char *argv[] = { (char *)miglab(), "guard", "--qmp", source, "--qmp", destination,
			 "--device", device, NULL };

	snprintf(source, sizeof(source), "unix:%s/source", p->dir);
	snprintf(destination, sizeof(destination), "unix:%s/destination", p->dir);
	snprintf(device, sizeof(device), "vf0=unix:%s/agent", p->dir);
	return start_program(p, &p->guard, "guard", argv, err) ?:
	       await_line(&p->guard, text, sizeof(text), err);
}

/* --- the agent ------------------------------------------------------------- */

static int ask_agent(struct play *p, const char *word, char *line, size_t size, struct error *err)
{
	ssize_t n = -1;

	if (send(p->agent_fd, word, strlen(word), MSG_NOSIGNAL) > 0)
		n = read(p->agent_fd, line, size - 1);
	if (n <= 0)
		return error_set(err, -EPIPE, "the agent is gone");
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return strncmp(line, "ok", 2) ? error_set(err, -EREMOTEIO, "agent: %s", line) : 0;
}

static int tell_agent(struct play *p, const char *word, struct error *err)
{
	char line[256];

	return ask_agent(p, word, line, sizeof(line), err);
}

static int get_status(struct play *p, struct status *s, struct error *err)
{
	char line[256];
	int ret = ask_agent(p, "status\n", line, sizeof(line), err);

	if (!ret && sscanf(line, "ok %u %u %u %u %95[^\n]", &s->alive, &s->dead, &s->former,
			   &s->moving, s->why) != 5)
		ret = error_set(err, -EPROTO, "the agent's status is \"%s\"", line);
	return ret;
}

/* Until @is, or too long. */
static int await_status(struct play *p, bool (*is)(const struct play *p, const struct status *s),
			struct status *s, struct error *err)
{
	uint64_t until_ns = clock_ns() + PATIENCE_NS;
	int ret;

	while (!(ret = get_status(p, s, err)) && !is(p, s)) {
		if (clock_ns() > until_ns)
			return error_set(err, -ETIMEDOUT, "%u connections live, %u of these move, "
					 "and %u of all have their timeouts", s->alive, s->moving,
					 s->former);
		poll(NULL, 0, 1);
	}
	return ret;
}

/* All that live move on, and all have the timeouts that they began with. */
static bool is_settled(const struct play *p, const struct status *s)
{
	(void)p;
	return s->moving == s->alive && s->former == CONNECTIONS;
}

static bool is_suspended(const struct play *p, const struct status *s)
{
	(void)p;
	return s->former == 0;
}

static bool is_dead(const struct play *p, const struct status *s)
{
	(void)p;
	return s->dead == CONNECTIONS;
}

/* --- the device ------------------------------------------------------------ */

static int open_lab(struct play *p, const char *device, const char *name,
		    struct remote **ret_remote, struct lab **ret_lab, struct error *err)
{
	char uri[64];

	if (!strncmp(device, "vfio:", 5))
		return lab_open_sysfs(device + 5, ret_lab, err);
	snprintf(uri, sizeof(uri), "unix:%s/%s", p->dir, name);
	return remote_connect(uri, clock_ns() + PATIENCE_NS, ret_remote, err) ?:
	       lab_open_remote(*ret_remote, "vf0", ret_lab, err);
}

static bool is_held(const struct play *p, const char *text)
{
	(void)p;
	return !strncmp(text, HELD, strlen(HELD));
}

/* Back in service. The destination's device was taken out of RUNNING for the migration. */
static bool has_resumed(const struct play *p, const char *text)
{
	struct lab_arc *arcs;
	bool running = false;
	size_t count;

	if (lab_parse_history(text, &arcs, &count, NULL))
		return false;
	for (size_t i = 0; i < count; i++)
		running |= arcs[i].begin_ns > p->begin_ns && !arcs[i].result &&
			   arcs[i].to == VFIO_DEVICE_STATE_RUNNING;
	free(arcs);
	return running;
}

static int await_attribute(const struct play *p, struct lab *lab, const char *name,
			   bool (*is)(const struct play *p, const char *text), struct error *err)
{
	uint64_t until_ns = clock_ns() + PATIENCE_NS;
	bool done = false;

	while (!done) {
		char *text;
		int ret = lab->ops->read(lab, name, &text, err);

		if (ret)
			return ret;
		done = is(p, text);
		free(text);
		if (!done && clock_ns() > until_ns)
			return error_set(err, -ETIMEDOUT, "%s does not say what it should", name);
		if (!done)
			poll(NULL, 0, 1);
	}
	return 0;
}

static int command(struct qmp_client *client, const char *name, const char *dir, struct error *err)
{
	struct json_object *args = NULL;
	char uri[64];

	if (dir) {
		args = json_object_new_object();
		snprintf(uri, sizeof(uri), "unix:%s/migration", dir);
		json_object_object_add(args, "uri", json_object_new_string(uri));
	}
	return qmp_client_call(client, name, args, clock_ns() + PATIENCE_NS, NULL, err);
}

/* --- a row ----------------------------------------------------------------- */

static int start(struct play *p, struct error *err)
{
	return start_agent(p, err) ?:
	       start_vmm(p, &p->source, "source", p->from, NULL, &p->source_qmp, err) ?:
	       start_vmm(p, &p->destination, "destination", p->to, "--incoming=defer",
			 &p->destination_qmp, err) ?:
	       start_guard(p, err) ?:
	       open_lab(p, p->from, "source", &p->source_remote, &p->source_lab, err) ?:
	       open_lab(p, p->to, "destination", &p->destination_remote, &p->destination_lab,
			err) ?:
	       p->source_lab->ops->write(p->source_lab, "rules", SLOW, err) ?:
	       await_status(p, is_settled, &p->after, err);
}

/*
 * The stand-in runs in a process, which may be kept from running for longer than its
 * connections live. The transition is held, so it waits with the cut for what is to
 * come before it; a guard that does not act, never gets there.
 */
static int await_guard(struct play *p, struct error *err)
{
	bool wait = !strcmp(p->kind, "udp") && !p->row->dead;

	return wait ? await_status(p, is_suspended, &p->during, err) : 0;
}

/* And with the end of the transition for those that are to die in it. */
static int await_deaths(struct play *p, struct error *err)
{
	bool wait = !strcmp(p->kind, "udp") && p->row->dead;

	return wait ? await_status(p, is_dead, &p->during, err) : 0;
}

/* Timeouts that are back are in force: the survivors do not survive the next cut. */
static int prove_restored(struct play *p, struct error *err)
{
	struct status s;

	if (p->row->dead)
		return 0;
	return tell_agent(p, "cut\n", err) ?: await_status(p, is_dead, &s, err) ?:
	       tell_agent(p, "join\n", err);
}

/* The cut follows the driver, at both ends. */
static int migrate(struct play *p, struct error *err)
{
	p->begin_ns = clock_ns();
	return command(p->destination_qmp, "migrate-incoming", p->dir, err) ?:
	       command(p->source_qmp, "migrate", p->dir, err) ?:
	       await_attribute(p, p->source_lab, "held", is_held, err) ?:
	       await_guard(p, err) ?:
	       tell_agent(p, "cut\n", err) ?:
	       await_deaths(p, err) ?:
	       p->source_lab->ops->write(p->source_lab, "release", "1", err) ?:
	       await_attribute(p, p->destination_lab, "history", has_resumed, err) ?:
	       get_status(p, &p->during, err) ?:
	       tell_agent(p, "join\n", err) ?:
	       await_status(p, is_settled, &p->after, err) ?:
	       prove_restored(p, err);
}

/* The VMMs end, so the guard does. */
static int finish(struct play *p, struct error *err)
{
	char text[2048];
	size_t len = 0;
	ssize_t n;
	int ret = command(p->source_qmp, "quit", NULL, err) ?:
		  command(p->destination_qmp, "quit", NULL, err);

	while (!ret && len < sizeof(text) - 1 &&
	       (n = read(p->guard.out, text + len, sizeof(text) - 1 - len)) > 0)
		len += n;
	text[len] = '\0';
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		printf("# guard: %s\n", line);
	if (!ret && !child_ended(&p->guard, clock_ns() + PATIENCE_NS))
		ret = error_set(err, -ETIMEDOUT, "the guard does not end");
	return ret ?: p->guard.status ?
	       error_set(err, -ECHILD, "the guard ended with status %d", p->guard.status) : 0;
}

static int judge(const struct play *p, struct error *err)
{
	if (p->after.dead != p->row->dead)
		return error_set(err, -EINVAL, "%u connections are dead and not %u",
				 p->after.dead, p->row->dead);
	if (p->during.dead != p->row->dead)
		return error_set(err, -EINVAL, "%u connections died after the device was back",
				 p->after.dead - p->during.dead);
	return 0;
}

static void clear(struct play *p)
{
	struct child *children[] = { &p->guard, &p->source, &p->destination, &p->agent };
	static const char *const files[] = {
		"agent", "agent.log", "guard.log", "source", "source.log", "destination",
		"destination.log", "migration",
	};

	for (unsigned int i = 0; i < 4; i++) {
		child_ended(children[i], i && i < 3 ? clock_ns() + NSEC_PER_SEC : 0);
		child_print_log(children[i]);
		child_end(children[i]);
	}
	if (p->source_lab)
		p->source_lab->ops->close(p->source_lab);
	if (p->destination_lab)
		p->destination_lab->ops->close(p->destination_lab);
	remote_free(p->source_remote);
	remote_free(p->destination_remote);
	qmp_client_free(p->source_qmp);
	qmp_client_free(p->destination_qmp);
	if (p->agent_fd >= 0)
		close(p->agent_fd);
	for (unsigned int i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/%s", p->dir, files[i]);
		unlink(path);
	}
	rmdir(p->dir);
}

static bool play_row(const struct row *row, char **argv)
{
	struct play p = {
		.row = row, .kind = argv[1], .from = argv[2], .to = argv[3],
		.dir = "/tmp/miglab-guard-XXXXXX", .agent_fd = -1,
		.agent.out = -1, .guard.out = -1, .source.out = -1, .destination.out = -1,
	};
	struct error err;
	int ret;

	printf("# == %s\n", row->what);
	ret = mkdtemp(p.dir) ? 0 : error_set(&err, -errno, "%s: %s", p.dir, strerror(errno));
	ret = ret ?: start(&p, &err) ?: migrate(&p, &err) ?: finish(&p, &err) ?: judge(&p, &err);
	if (ret)
		printf("# %s\n", err.text);
	else
		printf("# verdict: %s: %u of %u connections dead%s%s; timeouts as before%s\n",
		       row->what, p.after.dead, CONNECTIONS, p.after.dead ? ", " : "",
		       p.after.dead ? p.after.why : "",
		       p.after.dead ? "" : ", and in force: the next cut kills");
	clear(&p);
	return !ret;
}

static bool is_named(const char *name, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	unsigned int played = 0, bad = 0;

	if (argc < 4) {
		fprintf(stderr, "usage: play rdma|udp FROM TO [ROW..]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool good;

		if (!is_named(rows[i].name, argv + 4))
			continue;
		good = play_row(&rows[i], argv);
		bad += !good;
		printf("%s %u - guard/%s/%s\n", good ? "ok" : "not ok", ++played, argv[1],
		       rows[i].name);
	}
	return bad || !played;
}
