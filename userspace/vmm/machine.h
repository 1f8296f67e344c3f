/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine that consists of devices: what `miglab run` is. It carries out what
 * its coordinator decides, in the loop's thread, and never waits.
 */
#ifndef MIGLAB_VMM_MACHINE_H
#define MIGLAB_VMM_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "device/memory.h"
#include "device/ops.h"
#include "qmp/server.h"
#include "vmm/acks.h"
#include "vmm/channel.h"
#include "vmm/coordinator.h"
#include "vmm/deadlines.h"
#include "vmm/durations.h"
#include "vmm/mover.h"
#include "vmm/progress.h"
#include "vmm/ram_mover.h"
#include "vmm/worker.h"

struct machine_device {
	char *id;		/* "vf0"; 1 to HELLO_ID_MAX bytes */
	struct device *device;
	uint64_t size;		/* of a stop-copy, as its driver guessed at first; 0: not known */
	bool events;		/* VFIO_MIGRATION events of this device */
};

struct machine_config {
	const struct policy *policy;
	bool no_prepare;
	const char *qmp;	/* where the QMP server listens */
	bool paused;		/* stands until cont, a destination after the migration too */
	const char *incoming;	/* NULL: run; "defer": wait for migrate-incoming; or its URI */
	struct machine_device *device;	/* @count of them, open; they outlive the machine */
	unsigned int count;		/* 1 to VMM_DEVICES_MAX */
	struct memory *memory;		/* mapped for all of them; NULL: none. Then one less */
	struct workload *workload;	/* on that memory and these devices; NULL: none */
};

struct capabilities {
	bool events;		/* MIGRATION events */
	bool return_path;	/* there always is one */
	bool pause, ack;	/* pause-before-switchover, switchover-ack */
	bool statistics;	/* x-device-statistics */
	bool prepare_all;	/* x-prepare-all */
	bool prepare_ack;	/* x-prepare-ack; not here, but in struct acks for each client */
	bool error, duration, seq, monotonic;	/* members of VFIO_MIGRATION */
};

struct machine {
	struct loop *loop;
	struct qmp_server *server;
	const struct machine_config *config;
	struct coordinator coordinator;
	struct worker_pool *pool;
	/* Of each device, and behind them of the memory. */
	struct worker *worker[VMM_DEVICES_MAX];
	const char *ids[VMM_DEVICES_MAX];
	struct mover mover[VMM_DEVICES_MAX];
	struct device *devices[VMM_DEVICES_MAX];
	struct ram_mover ram;
	struct channel *channel;

	char *uri;			/* of the migration that is or was */
	struct loop_timer *connecting;	/* it will be connected to soon */
	struct progress progress;
	struct durations durations;
	struct deadlines deadlines;
	struct acks acks;
	uint64_t event_seq;		/* of the last VFIO_MIGRATION */
	uint64_t begin_ns, active_ns;	/* migrate, status active; 0 before */
	uint64_t stop_ns, end_ns;	/* switchover, final status */

	struct capabilities capabilities;
	uint64_t downtime_ms;		/* parameter "downtime-limit" */
	uint64_t bandwidth;		/* "avail-switchover-bandwidth", bytes/s; 0: measured */
	uint64_t peer_timeout_ms;	/* "x-peer-timeout": see machine_set_peer_timeout() */
	uint64_t deadline_ms;		/* "x-transition-deadline"; 0: none was set */
	uint64_t ack_ms;		/* "x-prepare-ack-timeout" */
	bool cancel_late;		/* "x-cancel-late": who misses it ends the migration */
	bool exit_on_error;		/* of migrate-incoming */
	bool quit;			/* the command was given */
};

/* Listens for QMP clients and starts. @config outlives the machine. */
int machine_new(struct loop *loop, const struct machine_config *config,
		struct machine **ret_machine, struct error *err);

/*
 * False when a worker is still in a call of its device, and the machine can only be
 * left by ending the process. The connections last as long: the peer must not take
 * us for gone, and run, while a device of ours may be running. NULL is allowed.
 */
bool machine_free(struct machine *m);

/* Event SHUTDOWN: the process ends, by quit or a signal. */
void machine_say_shutdown(struct machine *m);

/* The rest is for the QMP commands. */

/* One input for the coordinator, and all that follows from it. */
void machine_feed(struct machine *m, const struct input *input);

/* Connects soon: whoever asked is answered first, and hears of a failure by events. */
int machine_migrate(struct machine *m, const char *uri, struct error *err);
int machine_incoming(struct machine *m, const char *uri, struct error *err);

/* Not while a migration to somewhere else is under way. */
void machine_set_capabilities(struct machine *m, const struct capabilities *capabilities);

/* How long the peer of a migration, this one too, may be silent; 0: for ever. */
void machine_set_peer_timeout(struct machine *m, uint64_t timeout_ms);

#endif
