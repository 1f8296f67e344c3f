// SPDX-License-Identifier: GPL-2.0-only
#include "vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define START_NS	(300 * NSEC_PER_SEC)
#define CALL_NS		(300 * NSEC_PER_SEC)
#define END_NS		(300 * NSEC_PER_SEC)	/* of one that closed its socket */
#define QUIT_NS		(5 * NSEC_PER_SEC)	/* of one that nothing is asked of any more */

void args_add(struct args *args, const char *fmt, ...)
{
	va_list ap;

	if (args->count == ARGS_MAX)
		abort();
	va_start(ap, fmt);
	if (vasprintf(&args->v[args->count++], fmt, ap) < 0)
		abort();
	va_end(ap);
}

void args_free(struct args *args)
{
	while (args->count)
		free(args->v[--args->count]);
}

pid_t spawn(const struct args *args, int cpu, int out, int err_fd)
{
	pid_t pid = fork();
	cpu_set_t set;

	if (pid)
		return pid < 0 ? -errno : pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	dup2(out, STDOUT_FILENO);
	dup2(err_fd, STDERR_FILENO);
	execvp(args->v[0], args->v);
	dprintf(STDERR_FILENO, "%s: %s\n", args->v[0], strerror(errno));
	_exit(127);
}

int reap(pid_t pid, uint64_t deadline_ns)
{
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (clock_ns() >= deadline_ns)
			kill(pid, SIGKILL);
		poll(NULL, 0, 10);
	}
	return status;
}

/* What QEMU calls the function: an address, or the UUID of a mediated device. */
static void function_args(struct args *args, size_t i, const char *name)
{
	const char *how = strchr(name, ':') ? "host=" : "sysfsdev=/sys/bus/mdev/devices/";

	args_add(args, "-device");
	args_add(args, "vfio-pci,id=vf%zu,%s%s,migration-events=on,enable-migration=on,"
		 "x-pre-copy-dirty-page-tracking=off", i, how, name);
}

/* QEMU's monitor has one client, so the judge gets one of its own. */
static void qemu_args(struct args *args, const struct vmm_plan *plan)
{
	static const char *const machine[] = {
		"-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35",
		"-accel", "tcg", "-m", "32M",
	};
	size_t i;

	args_add(args, plan->kind == QEMU_10 ? "qemu-10.0" : "qemu-system-x86_64");
	for (i = 0; i < sizeof(machine) / sizeof(machine[0]); i++)
		args_add(args, "%s", machine[i]);
	for (i = 0; i < plan->devices; i++)
		function_args(args, i, plan->bdfs[i]);
	args_add(args, "-qmp");
	args_add(args, "unix:%s/%s.qmp,server=on,wait=off", plan->dir, plan->role);
	args_add(args, "-qmp");
	args_add(args, "unix:%s/%s.judge,server=on,wait=off", plan->dir, plan->role);
	if (plan->incoming) {
		args_add(args, "-incoming");
		args_add(args, "defer");
	}
	if (plan->paused)
		args_add(args, "-S");
}

static void miglab_args(struct args *args, const struct vmm_plan *plan)
{
	const char *program = getenv("MIGLAB");
	size_t i;

	args_add(args, "%s", program ? program : "build/miglab");
	args_add(args, "run");
	for (i = 0; i < plan->devices; i++) {
		args_add(args, "--device");
		if (plan->emulated)
			args_add(args, "%s,id=vf%zu", plan->emulated, i);
		else
			args_add(args, "vfio:%s,id=vf%zu", plan->bdfs[i], i);
	}
	if (plan->policy) {
		args_add(args, "--policy");
		args_add(args, "%s", plan->policy);
	}
	args_add(args, "--qmp");
	args_add(args, "unix:%s/%s.qmp", plan->dir, plan->role);
	if (plan->incoming) {
		args_add(args, "--incoming");
		args_add(args, "defer");
	}
	if (plan->paused)
		args_add(args, "--paused");
	if (plan->kind == MIGLAB_NO_PREPARE)
		args_add(args, "--no-prepare");
}

static void add_all(struct args *args, const char *const *more)
{
	for (; more && *more; more++)
		args_add(args, "%s", *more);
}

static int start_process(struct vmm *vmm, const struct vmm_plan *plan)
{
	struct args args = { .count = 0 };
	int log = open(vmm->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	pid_t pid;

	if (log < 0)
		return -errno;
	if (plan->kind == QEMU_11 || plan->kind == QEMU_10)
		qemu_args(&args, plan);
	else
		miglab_args(&args, plan);
	add_all(&args, plan->more);
	pid = spawn(&args, plan->cpu, log, log);
	args_free(&args);
	close(log);
	if (pid < 0)
		return pid;
	vmm->pid = pid;
	return 0;
}

int vmm_call(struct vmm *vmm, const char *command, const char *json, struct error *err)
{
	int ret = qmp_client_call(vmm->client, command, json ? json_tokener_parse(json) : NULL,
				  clock_ns() + CALL_NS, NULL, err);

	return ret ? error_prefix(err, ret, "%s: %s", vmm->role, command) : 0;
}

static int prepare(struct vmm *vmm, const char *more, struct error *err)
{
	char json[512], *name, *save = NULL, *names = strdup(more ? more : "");
	size_t used;
	int ret;

	used = snprintf(json, sizeof(json),
			"{\"capabilities\": [{\"capability\": \"events\", \"state\": true}");
	for (name = strtok_r(names, ",", &save); name; name = strtok_r(NULL, ",", &save))
		used += snprintf(json + used, sizeof(json) - used,
				 ", {\"capability\": \"%s\", \"state\": true}", name);
	snprintf(json + used, sizeof(json) - used, "]}");
	free(names);
	ret = vmm_call(vmm, "migrate-set-capabilities", json, err);
	return ret ? ret : vmm_call(vmm, "migrate-set-parameters", VMM_CONVERGES, err);
}

/* Until it listens, it ends, or time is up. */
static int connect_to(struct vmm *vmm, const char *uri, struct error *err)
{
	uint64_t deadline_ns = clock_ns() + START_NS;
	int ret;

	do {
		ret = qmp_client_connect(uri, clock_ns() + NSEC_PER_SEC, &vmm->client, err);
		if (ret && waitpid(vmm->pid, NULL, WNOHANG) == vmm->pid) {
			vmm->pid = 0;
			return error_set(err, -ECHILD, "it ended before it listened");
		}
	} while (ret && clock_ns() < deadline_ns);
	return ret;
}

int vmm_start(struct vmm *vmm, const struct vmm_plan *plan, struct error *err)
{
	bool qemu = plan->kind == QEMU_11 || plan->kind == QEMU_10;
	char uri[256];
	int ret;

	*vmm = (struct vmm){ .role = plan->role };
	snprintf(vmm->log, sizeof(vmm->log), "%s/%s.log", plan->dir, plan->role);
	snprintf(uri, sizeof(uri), "unix:%s/%s.qmp", plan->dir, plan->role);
	snprintf(vmm->judge_uri, sizeof(vmm->judge_uri), "unix:%s/%s.%s", plan->dir, plan->role,
		 qemu ? "judge" : "qmp");
	ret = start_process(vmm, plan);
	if (ret)
		return error_set(err, ret, "%s: %s", plan->role, strerror(-ret));
	ret = connect_to(vmm, uri, err);
	if (ret)
		return error_prefix(err, ret, "%s", plan->role);
	return prepare(vmm, plan->capabilities, err);
}

int vmm_command(struct vmm *vmm, const char *command, const char *uri, struct error *err)
{
	char json[512];

	snprintf(json, sizeof(json), "{\"uri\": \"%s\"}", uri ? uri : "");
	return vmm_call(vmm, command, uri ? json : NULL, err);
}

static const char *text_of(struct json_object *data, const char *key)
{
	struct json_object *value;

	return data && json_object_object_get_ex(data, key, &value) ?
	       json_object_get_string(value) : "";
}

static void add_word(struct vmm *vmm, uint64_t at_ns, const char *fmt, va_list ap)
{
	size_t used = strlen(vmm->sequence);
	int n;

	n = vsnprintf(vmm->sequence + used + 1, sizeof(vmm->sequence) - used - 1, fmt, ap);
	if (n < 0 || used + n + 2 > sizeof(vmm->sequence) || vmm->count == EVENTS_MAX)
		abort();
	vmm->sequence[used] = ' ';
	vmm->at_ns[vmm->count++] = at_ns;
}

static void note_at(struct vmm *vmm, uint64_t at_ns, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void note_at(struct vmm *vmm, uint64_t at_ns, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_word(vmm, at_ns, fmt, ap);
	va_end(ap);
}

void vmm_note(struct vmm *vmm, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_word(vmm, clock_ns(), fmt, ap);
	va_end(ap);
}

void vmm_forget(struct vmm *vmm)
{
	vmm->sequence[0] = '\0';
	vmm->count = vmm->awaited = 0;
}

/* Adds what is worth reading of an event; the passes of a migration come in thousands. */
static void note(struct vmm *vmm, const struct qmp_event *event)
{
	if (!strcmp(event->name, "VFIO_MIGRATION"))
		note_at(vmm, event->received_ns, "V:%s:%s", text_of(event->data, "device-id"),
			text_of(event->data, "device-state"));
	else if (!strcmp(event->name, "MIGRATION"))
		note_at(vmm, event->received_ns, "M:%s", text_of(event->data, "status"));
	else if (!strcmp(event->name, "STOP") || !strcmp(event->name, "RESUME"))
		note_at(vmm, event->received_ns, "%s", event->name);
}

/* 1: goes on; else as vmm_wait(). */
static int result_of(const struct vmm *vmm, const struct qmp_event *event, struct error *err)
{
	const char *status = text_of(event->data, "status");

	if (strcmp(event->name, "MIGRATION"))
		return 1;
	if (!strcmp(status, "completed"))
		return 0;
	if (strcmp(status, "failed") && strcmp(status, "cancelled"))
		return 1;
	return error_set(err, -ECANCELED, "%s: the migration %s", vmm->role, status);
}

int vmm_wait(struct vmm *vmm, uint64_t deadline_ns, struct error *err)
{
	struct qmp_event event;
	int ret;

	do {
		ret = qmp_client_event(vmm->client, deadline_ns, &event, err);
		if (ret < 0)
			return error_prefix(err, ret, "%s", vmm->role);
		if (!ret)
			return error_set(err, -ETIMEDOUT, "%s: the migration does not end",
					 vmm->role);
		note(vmm, &event);
		ret = result_of(vmm, &event, err);
		qmp_event_release(&event);
	} while (ret > 0);
	return ret;
}

/* Adds how the process ended to the sequence. */
static void note_end(struct vmm *vmm)
{
	int status;

	if (!vmm->pid)
		return;
	status = reap(vmm->pid, clock_ns() + END_NS);
	vmm->pid = 0;
	if (WIFSIGNALED(status))
		vmm_note(vmm, "signal:%d", WTERMSIG(status));
	else
		vmm_note(vmm, "exit:%d", WEXITSTATUS(status));
}

/* Is the event among those not awaited yet? Goes over it if it is. */
static bool has_come(struct vmm *vmm, const char *event)
{
	size_t length = strlen(event);
	char *at = vmm->sequence + vmm->awaited;

	while ((at = strstr(at, event))) {
		if (at > vmm->sequence && at[-1] == ' ' && (!at[length] || at[length] == ' ')) {
			vmm->awaited = at + length - vmm->sequence;
			return true;
		}
		at += length;
	}
	return false;
}

/* The next event or the end goes into the sequence; -ETIMEDOUT when neither comes. */
static int take_event(struct vmm *vmm, uint64_t deadline_ns, struct error *err)
{
	struct qmp_event event;
	int ret = qmp_client_event(vmm->client, deadline_ns, &event, err);

	if (!ret)
		return -ETIMEDOUT;
	if (ret == -EPIPE || ret == -EPROTO)
		note_end(vmm);
	else if (ret < 0)
		return error_prefix(err, ret, "%s", vmm->role);
	if (ret < 0)
		return 0;
	note(vmm, &event);
	qmp_event_release(&event);
	return 0;
}

int vmm_await(struct vmm *vmm, const char *wanted, uint64_t deadline_ns, struct error *err)
{
	while (!has_come(vmm, wanted)) {
		int ret = vmm->pid ? take_event(vmm, deadline_ns, err) : -ENOENT;

		if (ret == -ENOENT)
			return error_set(err, ret, "%s: it ended without %s", vmm->role, wanted);
		if (ret)
			return error_set(err, ret, "%s: %s does not come", vmm->role, wanted);
	}
	return 0;
}

void vmm_drain(struct vmm *vmm)
{
	struct error ignored;

	while (vmm->client && vmm->pid && !take_event(vmm, 0, &ignored))
		;
}

void vmm_stop(struct vmm *vmm)
{
	uint64_t deadline_ns = clock_ns() + QUIT_NS;
	struct error err;

	if (vmm->client)
		qmp_client_call(vmm->client, "quit", NULL, deadline_ns, NULL, &err);
	qmp_client_free(vmm->client);
	if (vmm->pid > 0)
		reap(vmm->pid, deadline_ns);
	vmm->client = NULL;
	vmm->pid = 0;
}

void print_log(const char *path)
{
	char line[512];
	FILE *in = fopen(path, "re");

	while (in && fgets(line, sizeof(line), in))
		if (!strstr(line, ": warning: "))
			printf("# %s: %s%s", strrchr(path, '/') + 1, line,
			       strchr(line, '\n') ? "" : "\n");
	if (in)
		fclose(in);
}
