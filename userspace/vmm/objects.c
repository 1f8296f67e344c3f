// SPDX-License-Identifier: GPL-2.0-only
/* The devices as QEMU's object model shows them: as vfio-pci, with the one property there is. */
#include <errno.h>
#include <string.h>

#include "qmp/json.h"
#include "vmm/handlers.h"
#include "vmm/machine.h"

#define TYPE		"vfio-pci"
#define PROPERTY	"migration-events"
#define PERIPHERAL	"/machine/peripheral/"

int list_device_properties(void *opaque, struct json_object *args, struct json_object **ret,
			   struct qmp_error *err)
{
	const char *name = json_arg(args, "typename");
	struct json_object *entry;

	(void)opaque;
	if (strcmp(name, TYPE))
		return qmp_fail(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", name);
	entry = json_object_new_object();
	json_add_string(entry, "name", PROPERTY);
	json_add_string(entry, "type", "bool");
	json_add_string(entry, "description",
			"Emit VFIO migration QAPI event when a VFIO device changes its migration state. For management applications");
	json_add_bool(entry, "default-value", true);
	*ret = json_object_new_array();
	json_object_array_add(*ret, entry);
	return 0;
}

/* By its whole path or, as in QEMU, the end of it; NULL when @property is not one of the device. */
static const struct machine_device *find(const struct machine *m, struct json_object *args,
					 struct qmp_error *err)
{
	const char *path = json_arg(args, "path"), *property = json_arg(args, "property");
	const char *id = strncmp(path, PERIPHERAL, strlen(PERIPHERAL)) ? path :
									 path + strlen(PERIPHERAL);

	for (unsigned int i = 0; i < m->config->count; i++) {
		const struct machine_device *d = &m->config->device[i];

		if (strcmp(d->id, id))
			continue;
		if (!strcmp(property, PROPERTY))
			return d;
		qmp_fail(err, QMP_GENERIC_ERROR, "Property '" TYPE ".%s' not found", property);
		return NULL;
	}
	qmp_fail(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", path);
	return NULL;
}

int qom_get(void *opaque, struct json_object *args, struct json_object **ret,
	    struct qmp_error *err)
{
	const struct machine_device *d = find(opaque, args, err);

	if (!d)
		return -ENODEV;
	*ret = json_object_new_boolean(d->events);
	return 0;
}

/* Devices are realized when the machine begins, and properties are not for changing then. */
int qom_set(void *opaque, struct json_object *args, struct json_object **ret,
	    struct qmp_error *err)
{
	const struct machine_device *d = find(opaque, args, err);

	(void)ret;
	if (!d)
		return -ENODEV;
	return qmp_fail(err, QMP_GENERIC_ERROR,
			"Attempt to set property '" PROPERTY "' on device '%s' (type '" TYPE
			"') after it was realized", d->id);
}
