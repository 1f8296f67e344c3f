/* SPDX-License-Identifier: GPL-2.0-only */
/* A VMM as a process, spoken to over QMP: unmodified QEMU, or miglab run. */
#ifndef TESTS_PEER_VMM_H
#define TESTS_PEER_VMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "qmp/client.h"

#define ARGS_MAX	192
#define SEQUENCE_MAX	16384
#define EVENTS_MAX	1024

/* The arguments of a program. */
struct args {
	char *v[ARGS_MAX + 1];	/* ended by NULL */
	int count;
};

void args_add(struct args *args, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void args_free(struct args *args);

/*
 * Starts a program on processor @cpu (any, where there is none of that number), with stdout on
 * @out and stderr on @err_fd. It dies with its parent. Its pid, or negative errno.
 */
pid_t spawn(const struct args *args, int cpu, int out, int err_fd);

enum vmm_kind { QEMU_11, QEMU_10, MIGLAB, MIGLAB_NO_PREPARE };

/* What migrate-set-parameters is told: an idle guest's own measurement need not converge. */
#define VMM_CONVERGES	"{\"avail-switchover-bandwidth\": 1000000000, \"downtime-limit\": 10000}"
#define VMM_ENDLESS	"{\"avail-switchover-bandwidth\": 1000, \"downtime-limit\": 1}"

struct vmm_plan {
	enum vmm_kind kind;
	const char *dir;	/* for sockets and logs */
	const char *role;	/* "source", "destination" */
	const char *const *bdfs;	/* of vf0, vf1, .. */
	const char *emulated;	/* DEV of each of them instead; may be NULL, and is with QEMU */
	const char *policy;	/* of miglab run; may be NULL */
	size_t devices;
	bool incoming;
	bool paused;		/* it does not run until it is told to */
	const char *capabilities;	/* beside "events", separated by commas; may be NULL */
	int cpu;
	const char *const *more;	/* further arguments, ended by NULL; may be NULL */
};

struct vmm {
	const char *role;
	pid_t pid;
	struct qmp_client *client;
	char log[256];
	char judge_uri[256];	/* a QMP socket for the judge, or another client */
	char sequence[SEQUENCE_MAX];	/* events so far: " M:setup V:vf0:pre-copy .." */
	uint64_t at_ns[EVENTS_MAX];	/* when each was received, CLOCK_MONOTONIC */
	size_t count;		/* of events */
	size_t awaited;		/* of these, the bytes that vmm_await() has gone over */
};

/* Starts it, connects, and enables what a migration needs. 0 or negative errno. */
int vmm_start(struct vmm *vmm, const struct vmm_plan *plan, struct error *err);

/* One command that has "uri" for an argument, or none. */
int vmm_command(struct vmm *vmm, const char *command, const char *uri, struct error *err);

/*
 * Collects events until MIGRATION says completed (0), failed or cancelled (-ECANCELED), the VMM
 * ends (-EPIPE) or time is up (-ETIMEDOUT).
 */
int vmm_wait(struct vmm *vmm, uint64_t deadline_ns, struct error *err);

/* Any command, with its arguments as JSON or NULL. */
int vmm_call(struct vmm *vmm, const char *command, const char *json, struct error *err);

/*
 * Until an event as it stands in the sequence has come, of those that were not awaited
 * yet: "V:vf0:pre-copy". The end of the process is one, too: "signal:9", "exit:0".
 * -ENOENT when it ended otherwise, -ETIMEDOUT.
 */
int vmm_await(struct vmm *vmm, const char *event, uint64_t deadline_ns, struct error *err);

/* Takes the events that are there already. */
void vmm_drain(struct vmm *vmm);

/* Adds a word of the player's own to the sequence. */
void vmm_note(struct vmm *vmm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Forgets the sequence. */
void vmm_forget(struct vmm *vmm);

/* Asks it to quit, waits five seconds, kills it; a zeroed one is allowed. */
void vmm_stop(struct vmm *vmm);

/* A log, or another file, on stdout as comments of TAP; without warnings. */
void print_log(const char *path);

/* Waits until @deadline_ns, then kills: the status as waitpid() gives it. */
int reap(pid_t pid, uint64_t deadline_ns);

#endif
