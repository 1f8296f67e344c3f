// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "device/lab.h"
#include "qmp/json.h"
#include "vmm/handlers.h"
#include "vmm/machine.h"

/* QEMU's "channels", another way to write the same, is not had here. */
static const char *check_uri(struct json_object *args)
{
	if (json_object_object_get_ex(args, "channels", NULL))
		return "this machine takes no 'channels', give 'uri'";
	return json_arg(args, "uri") ? NULL : "need either 'uri' or 'channels' argument";
}

static int migrate(void *opaque, struct json_object *args, struct json_object **ret,
		   struct qmp_error *err)
{
	struct machine *m = opaque;
	const char *uri = json_arg(args, "uri");
	const char *refusal = check_uri(args) ?: coordinator_refuses(&m->coordinator,
								     INPUT_MIGRATE);
	struct error why;

	(void)ret;
	if (refusal)
		return qmp_fail(err, QMP_GENERIC_ERROR, "%s", refusal);
	if (machine_migrate(m, uri, &why))
		return qmp_fail(err, QMP_GENERIC_ERROR, "%s", why.text);
	return 0;
}

static int migrate_incoming(void *opaque, struct json_object *args, struct json_object **ret,
			    struct qmp_error *err)
{
	struct machine *m = opaque;
	const char *uri = json_arg(args, "uri");
	const char *refusal = check_uri(args) ?: coordinator_refuses(&m->coordinator,
								     INPUT_INCOMING);
	struct json_object *exit_on_error = json_object_object_get(args, "exit-on-error");
	struct error why;

	(void)ret;
	if (refusal)
		return qmp_fail(err, QMP_GENERIC_ERROR, "%s", refusal);
	m->exit_on_error = !exit_on_error || json_object_get_boolean(exit_on_error);
	if (machine_incoming(m, uri, &why))
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

/* The words that QEMU has for a migration's status, and this machine does not. */
static bool is_foreign_status(const char *name)
{
	static const char *const foreign[] = {
		"postcopy-device", "postcopy-active", "postcopy-paused", "postcopy-recover-setup",
		"postcopy-recover", "colo", "wait-unplug",
	};

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		if (!strcmp(foreign[i], name))
			return true;
	}
	return false;
}

static bool is_status(const char *name)
{
	for (enum migration_status s = STATUS_NONE; s <= STATUS_FAILED; s++) {
		if (!strcmp(status_name(s), name))
			return true;
	}
	return is_foreign_status(name);
}

static int migrate_continue(void *opaque, struct json_object *args, struct json_object **ret,
			    struct qmp_error *err)
{
	struct machine *m = opaque;
	const char *wanted = json_arg(args, "state"), *is = status_name(m->coordinator.status);

	(void)ret;
	if (!is_status(wanted))
		return qmp_fail(err, QMP_GENERIC_ERROR,
				"Parameter 'state' does not accept value '%s'", wanted);
	if (strcmp(wanted, is))
		return qmp_fail(err, QMP_GENERIC_ERROR, "Migration not in expected state: %s", is);
	machine_feed(m, &(struct input){ .kind = INPUT_CONTINUE });
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
	struct machine *m = opaque;
	const char *refusal = coordinator_refuses(&m->coordinator, INPUT_CONT);

	(void)args;
	(void)ret;
	if (refusal)
		return qmp_fail(err, QMP_GENERIC_ERROR, "%s", refusal);
	machine_feed(m, &(struct input){ .kind = INPUT_CONT });
	return 0;
}

static int quit(void *opaque, struct json_object *args, struct json_object **ret,
		struct qmp_error *err)
{
	struct machine *m = opaque;

	(void)args;
	(void)ret;
	(void)err;
	m->quit = true;
	loop_stop(m->loop, 0);
	return 0;
}

static int query_status(void *opaque, struct json_object *args, struct json_object **ret,
			struct qmp_error *err)
{
	const struct machine *m = opaque;

	(void)args;
	(void)err;
	*ret = json_object_new_object();
	json_add_string(*ret, "status", runstate_name(m->coordinator.runstate));
	json_add_bool(*ret, "running", m->coordinator.runstate == RUN_RUNNING);
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

static int prepare_ack(void *opaque, struct json_object *args, struct json_object **ret,
		       struct qmp_error *err)
{
	const char *id = json_arg(args, "device-id");
	struct machine *m = opaque;
	unsigned int device = 0;
	uint64_t seq;

	(void)ret;
	while (device < m->config->count && strcmp(m->config->device[device].id, id))
		device++;
	if (device == m->config->count)
		return qmp_fail(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", id);
	seq = json_object_get_int64(json_object_object_get(args, "x-seq"));
	if (!acks_answer(&m->acks, device, seq, qmp_server_client(m->server)))
		return qmp_fail(err, QMP_GENERIC_ERROR,
				"Device '%s' waits for no answer of this client to announcement %llu",
				id, (unsigned long long)seq);
	return 0;
}

static int lab_read(void *opaque, struct json_object *args, struct json_object **ret,
		    struct qmp_error *err)
{
	struct lab *lab = find_lab(opaque, json_arg(args, "device"), err);
	struct error why;
	char *text;

	if (!lab)
		return -ENODEV;
	if (lab->ops->read(lab, json_arg(args, "attribute"), &text, &why))
		return qmp_fail(err, QMP_GENERIC_ERROR, "%s", why.text);
	*ret = json_object_new_object();
	utf8_clean(text);
	json_add_string(*ret, "text", text);
	free(text);
	return 0;
}

/* On behalf of the client, to whom an emulated device's hold belongs then. */
static int write_attribute(const struct machine *m, struct lab *lab, const char *name,
			   const char *text, struct error *err)
{
	const struct lab_writer writer = {
		.connection = qmp_server_client(m->server),
		.pid = qmp_server_client_pid(m->server),
	};

	if (lab->ops->write_for)
		return lab->ops->write_for(lab, &writer, name, text, err);
	/* The kernel would take it for ours, and keep it as long as we live. */
	if (!strcmp(name, "hold"))
		return error_set(err, -EOPNOTSUPP,
				 "the hold of a PCI function belongs to the process that writes it: write to miglab/hold in sysfs");
	return lab->ops->write(lab, name, text, err);
}

static int lab_write(void *opaque, struct json_object *args, struct json_object **ret,
		     struct qmp_error *err)
{
	struct machine *m = opaque;
	struct lab *lab = find_lab(m, json_arg(args, "device"), err);
	struct error why;

	(void)ret;
	if (!lab)
		return -ENODEV;
	if (write_attribute(m, lab, json_arg(args, "attribute"), json_arg(args, "text"), &why))
		return qmp_fail(err, QMP_GENERIC_ERROR, "%s", why.text);
	return 0;
}

static int query_workload(void *opaque, struct json_object *args, struct json_object **ret,
			  struct qmp_error *err)
{
	const struct machine *m = opaque;
	struct workload_report report;

	(void)args;
	if (!m->config->workload)
		return qmp_fail(err, QMP_GENERIC_ERROR, "the machine has no workload");
	workload_report(m->config->workload, &report);
	*ret = json_object_new_object();
	json_add_string(*ret, "kind", report.kind);
	json_add_bool(*ret, "running", report.running);
	json_add_int(*ret, "operations", report.operations);
	json_add_int(*ret, "here", report.here);
	json_add_int(*ret, "interrupts", report.interrupts);
	json_add_int(*ret, "round", report.round);
	if (*report.error.text)
		json_add_string(*ret, "error", report.error.text);
	return 0;
}

const struct qmp_command machine_commands[] = {
	{ "migrate", "?uri:s,?channels:*,?detach:b", migrate,
	  "Migrate to uri, which is unix:PATH, tcp:HOST:PORT or file:PATH" },
	{ "migrate-incoming", "?uri:s,?channels:*,?exit-on-error:b", migrate_incoming,
	  "Wait for a migration; a machine that was started with --incoming defer" },
	{ "migrate_cancel", "", migrate_cancel,
	  "Give the outgoing migration up, unless the destination may run already" },
	{ "migrate-continue", "state:s", migrate_continue,
	  "Go on from state, which is pre-switchover" },
	{ "query-migrate", "", query_migrate, "Status, times and amounts of the migration" },
	{ "query-status", "", query_status, "The run state" },
	{ "migrate-set-capabilities", "capabilities:a", set_capabilities,
	  "Switch events, return-path, pause-before-switchover, switchover-ack and our own" },
	{ "query-migrate-capabilities", "", query_capabilities, "The capabilities" },
	{ "migrate-set-parameters",
	  "?downtime-limit:u,?avail-switchover-bandwidth:u,?x-peer-timeout:i,"
	  "?x-transition-deadline:i,?x-cancel-late:b,?x-prepare-ack-timeout:i",
	  set_parameters, "Set the parameters; ms, bytes per second" },
	{ "query-migrate-parameters", "", query_parameters, "The parameters" },
	{ "stop", "", stop, "Stop the machine" },
	{ "cont", "", cont, "Start the machine" },
	{ "quit", "", quit, "End the program" },
	{ "device-list-properties", "typename:s", list_device_properties,
	  "The properties of vfio-pci" },
	{ "qom-get", "path:s,property:s", qom_get, "Read a device's property" },
	{ "qom-set", "path:s,property:s,value:*", qom_set, "Refused, as QEMU does" },
	{ "x-prepare-ack", "device-id:s,x-seq:i", prepare_ack,
	  "Answer the announcement of a device: it may begin" },
	{ "x-query-devices", "", query_devices, "What the devices can do, and their states" },
	{ "x-query-workload", "", query_workload, "What the workload has done, and found" },
	{ "x-miglab-read", "device:s,attribute:s", lab_read, "Read a device's attribute" },
	{ "x-miglab-write", "device:s,attribute:s,text:s", lab_write,
	  "Write a device's attribute" },
	{ NULL, NULL, NULL, NULL },
};
