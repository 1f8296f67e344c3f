// SPDX-License-Identifier: GPL-2.0-only
#include "qmp/events.h"

#include <stdio.h>
#include <stdlib.h>

#include "qmp/json.h"

static const char *const state_names[] = {
	[QMP_VFIO_STOP] = "stop",
	[QMP_VFIO_RUNNING] = "running",
	[QMP_VFIO_STOP_COPY] = "stop-copy",
	[QMP_VFIO_RESUMING] = "resuming",
	[QMP_VFIO_RUNNING_P2P] = "running-p2p",
	[QMP_VFIO_PRE_COPY] = "pre-copy",
	[QMP_VFIO_PRE_COPY_P2P] = "pre-copy-p2p",
	[QMP_VFIO_PRE_COPY_P2P_PREPARE] = "pre-copy-p2p-prepare",
};

const char *qmp_vfio_state_name(unsigned int state)
{
	return state < sizeof(state_names) / sizeof(state_names[0]) ? state_names[state] : NULL;
}

/* Where -device ...,id=ID puts a device in QEMU's object tree; NULL: no memory. */
static struct json_object *qom_path(const char *device_id)
{
	struct json_object *path;
	char *text;

	if (asprintf(&text, "/machine/peripheral/%s", device_id) < 0)
		return NULL;
	path = json_object_new_string(text);
	free(text);
	return path;
}

struct json_object *qmp_vfio_migration_data(const char *device_id, unsigned int state)
{
	const char *name = qmp_vfio_state_name(state);
	struct json_object *data;

	if (!name)
		return NULL;

	data = json_object_new_object();
	json_object_object_add(data, "device-id", json_object_new_string(device_id));
	json_object_object_add(data, "qom-path", qom_path(device_id));
	json_object_object_add(data, "device-state", json_object_new_string(name));
	return data;
}

struct json_object *qmp_vfio_prepare_data(const char *device_id, unsigned int state)
{
	struct json_object *data;
	char name[64];

	if (state == QMP_VFIO_PRE_COPY_P2P)
		return qmp_vfio_migration_data(device_id, QMP_VFIO_PRE_COPY_P2P_PREPARE);
	data = qmp_vfio_migration_data(device_id, state);
	snprintf(name, sizeof(name), "x-%s-prepare", qmp_vfio_state_name(state));
	if (data)
		json_add_string(data, "device-state", name);
	return data;
}

struct json_object *qmp_vfio_ack_data(const char *device_id, uint64_t client, bool answered,
				      uint64_t elapsed_us)
{
	struct json_object *data = json_object_new_object();

	json_add_string(data, "device-id", device_id);
	json_object_object_add(data, "qom-path", qom_path(device_id));
	json_add_int(data, "client", client);
	json_add_bool(data, "answered", answered);
	json_add_int(data, "elapsed-us", elapsed_us);
	return data;
}

struct json_object *qmp_vfio_late_data(const char *device_id, unsigned int state,
				       unsigned int requested, uint64_t elapsed_us)
{
	struct json_object *data = json_object_new_object();

	json_add_string(data, "device-id", device_id);
	json_object_object_add(data, "qom-path", qom_path(device_id));
	json_add_string(data, "device-state", qmp_vfio_state_name(state) ?: "error");
	json_add_string(data, "requested-state", qmp_vfio_state_name(requested) ?: "error");
	json_add_int(data, "elapsed-us", elapsed_us);
	return data;
}

struct json_object *qmp_migration_data(const char *status)
{
	struct json_object *data = json_object_new_object();

	json_object_object_add(data, "status", json_object_new_string(status));
	return data;
}

struct json_object *qmp_shutdown_data(bool by_quit)
{
	struct json_object *data = json_object_new_object();

	json_add_bool(data, "guest", false);
	json_add_string(data, "reason", by_quit ? "host-qmp-quit" : "host-signal");
	return data;
}
