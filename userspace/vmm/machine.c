// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "device/lab.h"
#include "qmp/events.h"
#include "qmp/json.h"
#include "vmm/commands.h"
#include "vmm/savefile.h"

#define DOWNTIME_MS	300	/* QEMU's default */
#define PEER_TIMEOUT_MS	30000
#define ACK_MS		1000

static void on_heard(void *opaque, unsigned int device, uint64_t client, bool answered,
		     uint64_t elapsed_ns)
{
	struct machine *m = opaque;
	const char *id = m->config->device[device].id;

	if (!answered)
		log_warn("%s: client %llu did not answer within %llu ms (x-prepare-ack-timeout), and is not waited for again",
			 id, (unsigned long long)client, (unsigned long long)m->ack_ms);
	qmp_server_event(m->server, QMP_EVENT_PREPARE_ACK,
			 qmp_vfio_ack_data(id, client, answered, elapsed_ns / NSEC_PER_USEC));
}

static void on_ready(void *opaque, unsigned int device)
{
	machine_feed(opaque, &(struct input){ .kind = INPUT_PREPARED, .device = device });
}

static const struct acks_handler acks_handler = { .heard = on_heard, .ready = on_ready };

/* Takes @data over. @answered: somebody will answer it, by its number. */
static void send_vfio_event(struct machine *m, struct json_object *data, bool answered)
{
	m->event_seq++;
	if (m->capabilities.seq || answered)
		json_add_int(data, "x-seq", m->event_seq);
	if (m->capabilities.monotonic)
		json_add_int(data, "x-monotonic-ns", clock_ns());
	qmp_server_event(m->server, QMP_EVENT_VFIO_MIGRATION, data);
}

static void do_work(struct machine *m, const struct output *o)
{
	struct work work = {
		.op = o->op,
		.state = o->state,
		.recover = o->recover,
		.fd = channel_data(m->channel, o->device),
		.ack = m->coordinator.with_ack,
		.again = m->coordinator.again,
	};

	if (o->op == WORK_SET && o->device < m->config->count) {
		uint32_t from = m->coordinator.device[o->device].state;

		durations_begin(&m->durations, o->device, o->state, clock_ns());
		deadlines_begin(&m->deadlines, o->device, from, o->state,
				m->deadline_ms * NSEC_PER_MSEC);
	}
	worker_post(m->worker[o->device], &work);
}

static void do_vfio(struct machine *m, const struct output *o)
{
	const struct machine_device *d = &m->config->device[o->device];
	struct json_object *data;

	if (!d->events)
		return;
	data = qmp_vfio_migration_data(d->id, o->state);
	if (!data)
		return;
	if (m->capabilities.error)
		json_add_int(data, "x-errno", -o->error);
	if (m->capabilities.duration)
		json_add_int(data, "x-duration-us", o->ns / NSEC_PER_USEC);
	send_vfio_event(m, data, false);
}

static void do_prepare(struct machine *m, const struct output *o)
{
	const struct machine_device *d = &m->config->device[o->device];

	if (d->events)
		send_vfio_event(m, qmp_vfio_prepare_data(d->id, o->state),
				m->coordinator.await_prepared);
	if (!m->coordinator.await_prepared)
		return;
	/*
	 * Nobody can answer what was not announced, and without the memory to wait it does not
	 * wait; what it decides comes after all of these.
	 */
	if (!d->events || acks_begin(&m->acks, o->device, m->event_seq,
				     m->ack_ms * NSEC_PER_MSEC))
		on_ready(m, o->device);
}

/* Nobody who was to answer has broken a promise. */
static void do_withdraw(struct machine *m, const struct output *o)
{
	(void)o;
	acks_clear(&m->acks);
}

static void do_status(struct machine *m, const struct output *o)
{
	if (o->status == STATUS_SETUP) {
		m->begin_ns = clock_ns();
		m->active_ns = m->stop_ns = 0;
		m->progress = (struct progress){ 0 };
		for (unsigned int i = 0; i < m->config->count; i++)
			m->progress.device[i].size = m->config->device[i].size;
	}
	if (o->status == STATUS_ACTIVE)
		m->active_ns = clock_ns();
	if (!coordinator_migrating(&m->coordinator))
		m->end_ns = clock_ns();
	log_info("run: migration: %s", status_name(o->status));
	if (m->capabilities.events)
		qmp_server_event(m->server, QMP_EVENT_MIGRATION,
				 qmp_migration_data(status_name(o->status)));
}

static void do_stop(struct machine *m, const struct output *o)
{
	(void)o;
	qmp_server_event(m->server, QMP_EVENT_STOP, NULL);
}

static void do_resume(struct machine *m, const struct output *o)
{
	(void)o;
	qmp_server_event(m->server, QMP_EVENT_RESUME, NULL);
}

static void do_tell(struct machine *m, const struct output *o)
{
	channel_tell(m->channel, o->message, o->running, m->coordinator.error.text);
}

static void do_abort(struct machine *m, const struct output *o)
{
	(void)o;
	channel_shut(m->channel);
}

static void do_close(struct machine *m, const struct output *o)
{
	(void)o;
	loop_cancel(m->connecting);
	m->connecting = NULL;
	channel_close(m->channel);
}

static void carry_out(struct machine *m, const struct output *o)
{
	static void (*const actions[])(struct machine *m, const struct output *o) = {
		[OUTPUT_WORK] = do_work,
		[OUTPUT_VFIO] = do_vfio,
		[OUTPUT_PREPARE] = do_prepare,
		[OUTPUT_WITHDRAW] = do_withdraw,
		[OUTPUT_STATUS] = do_status,
		[OUTPUT_STOP] = do_stop,
		[OUTPUT_RESUME] = do_resume,
		[OUTPUT_TELL] = do_tell,
		[OUTPUT_ABORT] = do_abort,
		[OUTPUT_CLOSE] = do_close,
	};

	actions[o->kind](m, o);
}

void machine_feed(struct machine *m, const struct input *input)
{
	struct coordinator *c = &m->coordinator;
	enum runstate before = c->runstate;
	struct outputs out;

	acks_purge(&m->acks, m->server);
	c->await_prepared = acks_wanted(&m->acks);
	out.count = 0;
	coordinator_step(c, input, &out);
	if (c->runstate == RUN_FINISH_MIGRATE && before != RUN_FINISH_MIGRATE)
		m->stop_ns = clock_ns();
	for (unsigned int i = 0; i < out.count; i++)
		carry_out(m, &out.item[i]);
	if (c->runstate == RUN_INMIGRATE && c->status == STATUS_FAILED && m->exit_on_error) {
		log_error("incoming migration failed: %s", c->error.text);
		loop_stop(m->loop, 1);
	}
}

/* The device is in its ioctl still, and nobody else notices. */
static void on_late(void *opaque, unsigned int device, uint32_t from, uint32_t to,
		    uint64_t elapsed_ns)
{
	struct machine *m = opaque;
	const char *id = m->config->device[device].id;

	log_warn("%s: on the way to %s for %llu ms (x-transition-deadline)", id,
		 qmp_vfio_state_name(to), (unsigned long long)(elapsed_ns / NSEC_PER_MSEC));
	qmp_server_event(m->server, QMP_EVENT_VFIO_LATE,
			 qmp_vfio_late_data(id, from, to, elapsed_ns / NSEC_PER_USEC));
	if (m->cancel_late)
		machine_feed(m, &(struct input){ .kind = INPUT_CANCEL });
}

static void on_message(void *opaque, enum message message, bool running, const char *text)
{
	struct input in = {
		.kind = INPUT_MESSAGE, .message = message, .running = running, .text = text,
	};

	machine_feed(opaque, &in);
}

static void on_lost(void *opaque, const char *text)
{
	machine_feed(opaque, &(struct input){ .kind = INPUT_LOST, .text = text });
}

static void on_silent(void *opaque)
{
	struct machine *m = opaque;
	struct error err;

	error_set(&err, 0, "said nothing for %llu ms (x-peer-timeout)",
		  (unsigned long long)m->peer_timeout_ms);
	machine_feed(m, &(struct input){ .kind = INPUT_SILENT, .text = err.text });
}

static const struct channel_handler channel_handler = {
	.message = on_message,
	.lost = on_lost,
	.silent = on_silent,
};

/*
 * What the peer said before it closed a device's connection is the better
 * reason for the worker's failure, so it is heard first.
 */
static void on_wake(void *opaque)
{
	struct machine *m = opaque;
	struct work_result result;
	unsigned int device;

	while (worker_pool_take(m->pool, &device, &result)) {
		struct input in = { .kind = INPUT_WORK_DONE, .device = device, .result = &result };

		channel_poll(m->channel);
		progress_add(&m->progress, device, &result);
		durations_end(&m->durations, device, &result);
		deadlines_end(&m->deadlines, device);
		in.converged = progress_converged(&m->progress, &m->coordinator, m->downtime_ms,
						  m->bandwidth);
		/* Once a migration is lost, what else breaks is its consequence. */
		if (result.error && !(coordinator_migrating(&m->coordinator) &&
				      m->coordinator.failed))
			log_warn("%s", result.text.text);
		machine_feed(m, &in);
	}
}

static void on_connect(void *opaque)
{
	struct machine *m = opaque;
	struct error err;

	m->connecting = NULL;
	if (channel_connect(m->channel, m->uri, &err))
		on_lost(m, err.text);
}

static int remember(struct machine *m, const char *uri, struct error *err)
{
	char *copy = strdup(uri);

	if (!copy)
		return error_set(err, -ENOMEM, "no memory to migrate");
	free(m->uri);
	m->uri = copy;
	return 0;
}

int machine_migrate(struct machine *m, const char *uri, struct error *err)
{
	int ret = channel_check_uri(uri, err);

	if (!ret && m->capabilities.ack && savefile_path(uri))
		ret = error_set(err, -EINVAL,
				"switchover-ack is for a destination that answers, and '%s' is a file: switch it off",
				uri);
	if (!ret)
		ret = remember(m, uri, err);
	if (ret)
		return ret;
	m->connecting = loop_at(m->loop, clock_ns(), on_connect, m);
	if (!m->connecting)
		return error_set(err, -ENOMEM, "no memory to migrate");
	machine_feed(m, &(struct input){ .kind = INPUT_MIGRATE });
	return 0;
}

int machine_incoming(struct machine *m, const char *uri, struct error *err)
{
	int ret = remember(m, uri, err) ?: channel_listen(m->channel, uri, err);

	if (!ret)
		machine_feed(m, &(struct input){ .kind = INPUT_INCOMING });
	return ret;
}

void machine_set_capabilities(struct machine *m, const struct capabilities *capabilities)
{
	m->capabilities = *capabilities;
	m->coordinator.with_pause = capabilities->pause;
	m->coordinator.with_ack = capabilities->ack;
	m->coordinator.prepare_all = capabilities->prepare_all;
}

void machine_set_peer_timeout(struct machine *m, uint64_t timeout_ms)
{
	m->peer_timeout_ms = timeout_ms;
	channel_set_timeout(m->channel, timeout_ms * NSEC_PER_MSEC);
}

/* What a client leased of an emulated device ends with its connection. */
static void on_leave(void *opaque, uint64_t client)
{
	const struct machine *m = opaque;

	for (unsigned int i = 0; i < m->config->count; i++) {
		struct lab *lab = m->config->device[i].device->lab;

		if (lab && lab->ops->gone)
			lab->ops->gone(lab, client);
	}
}

static int start_device(struct machine *m, unsigned int i)
{
	const struct machine_device *d = &m->config->device[i];
	int ret = mover_init(&m->mover[i], d->device, d->id);

	m->ids[i] = d->id;
	m->devices[i] = d->device;
	return ret ? ret : worker_new(m->pool, mover_do, &m->mover[i], i, &m->worker[i]);
}

static int start_memory(struct machine *m)
{
	unsigned int count = m->config->count;
	int ret = ram_mover_init(&m->ram, m->config->memory, m->devices, count,
				 m->config->workload);

	m->ids[count] = HELLO_MEMORY;
	return ret ? ret : worker_new(m->pool, ram_mover_do, &m->ram, count, &m->worker[count]);
}

static int start_workers(struct machine *m)
{
	int ret = worker_pool_new(m->loop, &m->pool);

	for (unsigned int i = 0; !ret && i < m->config->count; i++)
		ret = start_device(m, i);
	if (!ret && m->config->memory)
		ret = start_memory(m);
	if (!ret)
		ret = channel_new(m->loop, m->ids, m->coordinator.count,
				  m->config->memory ? m->config->memory->size : 0,
				  &channel_handler, m, &m->channel);
	if (!ret)
		machine_set_peer_timeout(m, PEER_TIMEOUT_MS);
	return ret;
}

static void init_coordinator(struct machine *m)
{
	const struct machine_config *config = m->config;
	uint32_t flags[VMM_DEVICES_MAX];

	for (unsigned int i = 0; i < config->count; i++)
		flags[i] = config->device[i].device->flags;
	if (config->memory)
		flags[config->count] = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_PRE_COPY |
				       DEVICE_IS_MEMORY;
	coordinator_init(&m->coordinator, config->policy, config->no_prepare, config->incoming,
			 flags, config->count + !!config->memory);
}

static int start(struct machine *m, struct error *err)
{
	const char *incoming = m->config->incoming;

	if (m->config->paused)
		machine_feed(m, &(struct input){ .kind = INPUT_STOP });
	else if (!incoming)
		machine_feed(m, &(struct input){ .kind = INPUT_CONT });
	if (!incoming || !strcmp(incoming, "defer"))
		return 0;
	if (channel_check_uri(incoming, err))
		return error_prefix(err, -EINVAL,
				    "--incoming takes defer, unix:PATH, tcp:HOST:PORT or file:PATH");
	return machine_incoming(m, incoming, err);
}

int machine_new(struct loop *loop, const struct machine_config *config,
		struct machine **ret_machine, struct error *err)
{
	struct machine *m = calloc(1, sizeof(*m));
	int ret;

	if (!m)
		return error_set(err, -ENOMEM, "no memory for a machine");
	m->loop = loop;
	m->config = config;
	m->downtime_ms = DOWNTIME_MS;
	m->ack_ms = ACK_MS;
	m->exit_on_error = true;
	init_coordinator(m);
	deadlines_init(&m->deadlines, loop, on_late, m);
	acks_init(&m->acks, loop, &acks_handler, m);
	loop_on_wake(loop, on_wake, m);
	ret = start_workers(m);
	if (ret)
		error_set(err, ret, "cannot start the devices' threads: %s", strerror(-ret));
	if (!ret)
		ret = qmp_server_new(loop, config->qmp, machine_commands, m, &m->server, err);
	if (!ret) {
		qmp_server_on_leave(m->server, on_leave);
		ret = start(m, err);
	}
	if (ret) {
		machine_free(m);
		return ret;
	}
	*ret_machine = m;
	return 0;
}

void machine_say_shutdown(struct machine *m)
{
	qmp_server_event(m->server, QMP_EVENT_SHUTDOWN, qmp_shutdown_data(m->quit));
}

bool machine_free(struct machine *m)
{
	if (!m)
		return true;
	qmp_server_free(m->server);
	deadlines_clear(&m->deadlines);
	acks_clear(&m->acks);
	if (m->coordinator.pending) {
		channel_leave(m->channel);
		return false;
	}
	channel_free(m->channel);
	for (unsigned int i = 0; i < m->coordinator.count; i++)
		worker_free(m->worker[i]);
	for (unsigned int i = 0; i < m->config->count; i++)
		mover_fini(&m->mover[i]);
	ram_mover_fini(&m->ram);
	worker_pool_free(m->pool);
	free(m->uri);
	free(m);
	return true;
}
