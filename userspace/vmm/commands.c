// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "device/lab.h"
#include "vmm/machine.h"

#define DOWNTIME_MS_MAX	2000000	/* QEMU's limit */
/* A few times the interval of the peer's signs of life, which a busy machine delays. */
#define TIMEOUT_MS_MIN	1000
#define TIMEOUT_MS_MAX	86400000

static const char *string_arg(struct json_object *args, const char *name)
{
	return json_object_get_string(json_object_object_get(args, name));
}

static void add_string(struct json_object *object, const char *name, const char *value)
{
	json_object_object_add(object, name, json_object_new_string(value));
}

static void add_int(struct json_object *object, const char *name, uint64_t value)
{
	json_object_object_add(object, name, json_object_new_int64(value));
}

static void add_bool(struct json_object *object, const char *name, bool value)
{
	json_object_object_add(object, name, json_object_new_boolean(value));
}

static int migrate(void *opaque, struct json_object *args, struct json_object **ret,
		   struct qmp_error *err)
{
	struct machine *m = opaque;
	const char *refusal = coordinator_refuses(&m->coordinator, INPUT_MIGRATE);
	struct error why;

	(void)ret;
	if (refusal)
		return qmp_fail(err, QMP_GENERIC_ERROR, "%s", refusal);
	if (machine_migrate(m, string_arg(args, "uri"), &why))
		return qmp_fail(err, QMP_GENERIC_ERROR, "%s", why.text);
	return 0;
}

static int migrate_incoming(void *opaque, struct json_object *args, struct json_object **ret,
			    struct qmp_error *err)
{
	struct machine *m = opaque;
	const char *refusal = coordinator_refuses(&m->coordinator, INPUT_INCOMING);
	struct json_object *exit_on_error = json_object_object_get(args, "exit-on-error");
	struct error why;

	(void)ret;
	if (refusal)
		return qmp_fail(err, QMP_GENERIC_ERROR, "%s", refusal);
	m->exit_on_error = !exit_on_error || json_object_get_boolean(exit_on_error);
	if (machine_incoming(m, string_arg(args, "uri"), &why))
		return qmp_fail(err, QMP_GENERIC_ERROR, "%s", why.text);
	return 0;
}

static int migrate_cancel(void *opaque, struct json_object *args, struct json_object **ret,
			  struct qmp_error *err)
{
	(void)args;
	(void)ret;
	(void)err;
	machine_feed(opaque, &(struct input){ .kind = INPUT_CANCEL });
	return 0;
}

static int stop(void *opaque, struct json_object *args, struct json_object **ret,
		struct qmp_error *err)
{
	(void)args;
	(void)ret;
	(void)err;
	machine_feed(opaque, &(struct input){ .kind = INPUT_STOP });
	return 0;
}

static int cont(void *opaque, struct json_object *args, struct json_object **ret,
		struct qmp_error *err)
{
	(void)args;
	(void)ret;
	(void)err;
	machine_feed(opaque, &(struct input){ .kind = INPUT_CONT });
	return 0;
}

static int quit(void *opaque, struct json_object *args, struct json_object **ret,
		struct qmp_error *err)
{
	struct machine *m = opaque;

	(void)args;
	(void)ret;
	(void)err;
	loop_stop(m->loop, 0);
	return 0;
}

static void add_times(const struct machine *m, struct json_object *info)
{
	bool over = !coordinator_migrating(&m->coordinator);
	uint64_t until_ns = over ? m->end_ns : clock_ns();

	add_int(info, "total-time", (until_ns - m->begin_ns) / NSEC_PER_MSEC);
	if (m->coordinator.status == STATUS_COMPLETED && m->stop_ns)
		add_int(info, "downtime", (m->end_ns - m->stop_ns) / NSEC_PER_MSEC);
}

static void add_amounts(const struct machine *m, struct json_object *info)
{
	struct json_object *vfio = json_object_new_object();

	add_int(vfio, "transferred", progress_transferred(&m->progress));
	json_object_object_add(info, "vfio", vfio);
	add_int(info, "remaining", progress_remaining(&m->progress));
}

/* Which members are there depends on the status and the side, as in QEMU. */
static int query_migrate(void *opaque, struct json_object *args, struct json_object **ret,
			 struct qmp_error *err)
{
	const struct machine *m = opaque;
	const struct coordinator *c = &m->coordinator;
	bool amounts = c->status == STATUS_ACTIVE || c->status == STATUS_DEVICE ||
		       c->status == STATUS_COMPLETED;
	struct json_object *info = json_object_new_object();

	(void)args;
	(void)err;
	*ret = info;
	if (c->status == STATUS_NONE)
		return 0;
	add_string(info, "status", status_name(c->status));
	if (m->uri && amounts) {
		add_times(m, info);
		add_amounts(m, info);
	}
	if (c->status == STATUS_FAILING || c->status == STATUS_FAILED)
		add_string(info, "error-desc", c->error.text);
	return 0;
}

static int query_status(void *opaque, struct json_object *args, struct json_object **ret,
			struct qmp_error *err)
{
	const struct machine *m = opaque;

	(void)args;
	(void)err;
	*ret = json_object_new_object();
	add_string(*ret, "status", runstate_name(m->coordinator.runstate));
	add_bool(*ret, "running", m->coordinator.runstate == RUN_RUNNING);
	return 0;
}

static const struct {
	const char *name;
	size_t offset;		/* of a bool in struct machine */
} capabilities[] = {
	{ "events", offsetof(struct machine, migration_events) },
	{ "return-path", offsetof(struct machine, return_path) },
};

#define CAPABILITIES (sizeof(capabilities) / sizeof(capabilities[0]))

static bool *find_capability(struct machine *m, const char *name)
{
	for (size_t i = 0; i < CAPABILITIES; i++) {
		if (!strcmp(capabilities[i].name, name))
			return (bool *)((char *)m + capabilities[i].offset);
	}
	return NULL;
}

/* One element of the list; without @apply it is checked only. */
static int set_capability(struct machine *m, struct json_object *entry, size_t index, bool apply,
			  struct qmp_error *err)
{
	struct json_object *name, *state;
	bool *flag;

	if (!json_object_object_get_ex(entry, "capability", &name) ||
	    !json_object_is_type(name, json_type_string))
		return qmp_fail(err, QMP_GENERIC_ERROR,
				"Parameter 'capabilities[%zu].capability' is missing", index);
	if (!json_object_object_get_ex(entry, "state", &state) ||
	    !json_object_is_type(state, json_type_boolean))
		return qmp_fail(err, QMP_GENERIC_ERROR,
				"Parameter 'capabilities[%zu].state' is missing", index);
	flag = find_capability(m, json_object_get_string(name));
	if (!flag)
		return qmp_fail(err, QMP_GENERIC_ERROR,
				"Parameter 'capabilities[%zu].capability' does not accept value '%s'",
				index, json_object_get_string(name));
	if (apply)
		*flag = json_object_get_boolean(state);
	return 0;
}

static int set_capabilities(void *opaque, struct json_object *args, struct json_object **ret,
			    struct qmp_error *err)
{
	struct json_object *list = json_object_object_get(args, "capabilities");
	struct machine *m = opaque;
	size_t count = json_object_array_length(list);

	(void)ret;
	if (coordinator_migrating(&m->coordinator))
		return qmp_fail(err, QMP_GENERIC_ERROR, "There's a migration process in progress");
	/* All of the list, or nothing of it. */
	for (size_t i = 0; i < 2 * count; i++) {
		size_t index = i % count;
		int code = set_capability(m, json_object_array_get_idx(list, index), index,
					  i >= count, err);

		if (code)
			return code;
	}
	return 0;
}

static int query_capabilities(void *opaque, struct json_object *args, struct json_object **ret,
			      struct qmp_error *err)
{
	struct machine *m = opaque;

	(void)args;
	(void)err;
	*ret = json_object_new_array();
	for (size_t i = 0; i < CAPABILITIES; i++) {
		struct json_object *entry = json_object_new_object();

		add_bool(entry, "state", *find_capability(m, capabilities[i].name));
		add_string(entry, "capability", capabilities[i].name);
		json_object_array_add(*ret, entry);
	}
	return 0;
}

static int set_parameters(void *opaque, struct json_object *args, struct json_object **ret,
			  struct qmp_error *err)
{
	struct json_object *downtime = json_object_object_get(args, "downtime-limit");
	struct json_object *bandwidth = json_object_object_get(args, "avail-switchover-bandwidth");
	struct json_object *timeout = json_object_object_get(args, "x-peer-timeout");
	int64_t ms = json_object_get_int64(downtime), rate = json_object_get_int64(bandwidth);
	int64_t silence = json_object_get_int64(timeout);
	struct machine *m = opaque;

	(void)ret;
	if (ms < 0 || ms > DOWNTIME_MS_MAX)
		return qmp_fail(err, QMP_GENERIC_ERROR,
				"Parameter 'downtime-limit' expects an integer in the range of 0 to %d ms",
				DOWNTIME_MS_MAX);
	if (rate < 0)
		return qmp_fail(err, QMP_GENERIC_ERROR,
				"Parameter 'avail-switchover-bandwidth' expects a size in bytes");
	if (silence && (silence < TIMEOUT_MS_MIN || silence > TIMEOUT_MS_MAX))
		return qmp_fail(err, QMP_GENERIC_ERROR,
				"Parameter 'x-peer-timeout' expects 0 for none, or an integer in the range of %d to %d ms",
				TIMEOUT_MS_MIN, TIMEOUT_MS_MAX);
	if (downtime)
		m->downtime_ms = ms;
	if (bandwidth)
		m->bandwidth = rate;
	if (timeout)
		machine_set_peer_timeout(m, silence);
	return 0;
}

static int query_parameters(void *opaque, struct json_object *args, struct json_object **ret,
			    struct qmp_error *err)
{
	const struct machine *m = opaque;

	(void)args;
	(void)err;
	*ret = json_object_new_object();
	add_int(*ret, "downtime-limit", m->downtime_ms);
	add_int(*ret, "avail-switchover-bandwidth", m->bandwidth);
	add_int(*ret, "x-peer-timeout", m->peer_timeout_ms);
	return 0;
}

static struct lab *find_lab(struct machine *m, const char *id, struct qmp_error *err)
{
	for (unsigned int i = 0; i < m->config->count; i++) {
		const struct machine_device *d = &m->config->device[i];

		if (strcmp(d->id, id))
			continue;
		if (!d->device->lab)
			qmp_fail(err, QMP_GENERIC_ERROR,
				 "Device '%s' (%s) has no attributes: its driver is not miglab's",
				 id, d->device->name);
		return d->device->lab;
	}
	qmp_fail(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", id);
	return NULL;
}

static int lab_read(void *opaque, struct json_object *args, struct json_object **ret,
		    struct qmp_error *err)
{
	struct lab *lab = find_lab(opaque, string_arg(args, "device"), err);
	struct error why;
	char *text;

	if (!lab)
		return -ENODEV;
	if (lab->ops->read(lab, string_arg(args, "attribute"), &text, &why))
		return qmp_fail(err, QMP_GENERIC_ERROR, "%s", why.text);
	*ret = json_object_new_object();
	utf8_clean(text);
	add_string(*ret, "text", text);
	free(text);
	return 0;
}

static int lab_write(void *opaque, struct json_object *args, struct json_object **ret,
		     struct qmp_error *err)
{
	struct lab *lab = find_lab(opaque, string_arg(args, "device"), err);
	struct error why;

	(void)ret;
	if (!lab)
		return -ENODEV;
	if (lab->ops->write(lab, string_arg(args, "attribute"), string_arg(args, "text"), &why))
		return qmp_fail(err, QMP_GENERIC_ERROR, "%s", why.text);
	return 0;
}

const struct qmp_command machine_commands[] = {
	{ "migrate", "uri:s,?detach:b", migrate,
	  "Migrate to uri, which is unix:PATH, tcp:HOST:PORT or file:PATH" },
	{ "migrate-incoming", "uri:s,?exit-on-error:b", migrate_incoming,
	  "Wait for a migration; a machine that was started with --incoming defer" },
	{ "migrate_cancel", "", migrate_cancel,
	  "Give the outgoing migration up, unless the destination may run already" },
	{ "query-migrate", "", query_migrate, "Status, times and amounts of the migration" },
	{ "query-status", "", query_status, "The run state" },
	{ "migrate-set-capabilities", "capabilities:a", set_capabilities,
	  "Switch the capabilities events and return-path" },
	{ "query-migrate-capabilities", "", query_capabilities, "The capabilities" },
	{ "migrate-set-parameters",
	  "?downtime-limit:i,?avail-switchover-bandwidth:i,?x-peer-timeout:i",
	  set_parameters, "Set the parameters; ms, bytes per second, ms" },
	{ "query-migrate-parameters", "", query_parameters, "The parameters" },
	{ "stop", "", stop, "Stop the machine" },
	{ "cont", "", cont, "Start the machine" },
	{ "quit", "", quit, "End the program" },
	{ "x-miglab-read", "device:s,attribute:s", lab_read, "Read a device's attribute" },
	{ "x-miglab-write", "device:s,attribute:s,text:s", lab_write,
	  "Write a device's attribute" },
	{ NULL, NULL, NULL, NULL },
};
