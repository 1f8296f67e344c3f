// SPDX-License-Identifier: GPL-2.0-only
/* x-query-devices: what the devices are capable of, and where they are. */
#include "device/uapi.h"
#include "qmp/events.h"
#include "qmp/json.h"
#include "vmm/handlers.h"
#include "vmm/machine.h"

static struct json_object *flags_json(uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} names[] = {
		{ VFIO_MIGRATION_STOP_COPY, "stop-copy" },
		{ VFIO_MIGRATION_P2P, "p2p" },
		{ VFIO_MIGRATION_PRE_COPY, "pre-copy" },
	};
	struct json_object *list = json_object_new_array();

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (flags & names[i].flag)
			json_object_array_add(list, json_object_new_string(names[i].name));
	}
	return list;
}

int query_devices(void *opaque, struct json_object *args, struct json_object **ret,
		  struct qmp_error *err)
{
	const struct machine *m = opaque;

	(void)args;
	(void)err;
	*ret = json_object_new_array();
	for (unsigned int i = 0; i < m->config->count; i++) {
		struct json_object *o = json_object_new_object();
		uint32_t state = m->coordinator.device[i].state;

		json_add_string(o, "device-id", m->config->device[i].id);
		json_object_object_add(o, "flags", flags_json(m->coordinator.device[i].flags));
		json_add_string(o, "state", qmp_vfio_state_name(state) ?: "error");
		json_add_bool(o, "busy", m->coordinator.device[i].busy);
		json_object_array_add(*ret, o);
	}
	return 0;
}
