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

#define ARGS_MAX	128
#define SEQUENCE_MAX	4096

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

struct vmm_plan {
	enum vmm_kind kind;
	const char *dir;	/* for sockets and logs */
	const char *role;	/* "source", "destination" */
	const char *const *bdfs;	/* of vf0, vf1, .. */
	size_t devices;
	bool incoming;
	int cpu;
};

struct vmm {
	const char *role;
	pid_t pid;
	struct qmp_client *client;
	char log[256];
	char judge_uri[256];	/* a QMP socket for the judge */
	char sequence[SEQUENCE_MAX];	/* events so far: "M:setup V:vf0 pre-copy .." */
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

/* Asks it to quit, waits five seconds, kills it; a zeroed one is allowed. */
void vmm_stop(struct vmm *vmm);

/* Waits until @deadline_ns, then kills: the status as waitpid() gives it. */
int reap(pid_t pid, uint64_t deadline_ns);

#endif
