// SPDX-License-Identifier: GPL-2.0-only
#include "judge/vmm_device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "device/pci.h"
#include "device/sysfs.h"

/* What the VMM says of a device of it, as qmp_client_call(); the caller owns @ret. */
static int get_property(struct qmp_client *client, const char *id, const char *property,
			uint64_t deadline_ns, struct json_object **ret, struct error *err)
{
	struct json_object *args = json_object_new_object();
	char path[320];

	snprintf(path, sizeof(path), "/machine/peripheral/%s", id);
	json_object_object_add(args, "path", json_object_new_string(path));
	json_object_object_add(args, "property", json_object_new_string(property));
	return qmp_client_call(client, "qom-get", args, deadline_ns, ret, err);
}

/* Will the VMM say anything of the device? One that cannot be asked is believed. */
static int check_events(struct qmp_client *client, const char *qmp, const char *id,
			uint64_t deadline_ns, struct error *err)
{
	struct json_object *value = NULL;
	bool off;
	int ret;

	ret = get_property(client, id, "migration-events", deadline_ns, &value, err);
	if (ret == -ENODEV)
		return error_set(err, ret, "the VMM at %s has no device %s: give the id of the "
				 "VMM's own", qmp, id);
	if (ret == -EREMOTEIO) {
		log_info("%s: the VMM does not say whether it sends events: %s", id, err->text);
		return 0;
	}
	if (ret)
		return ret;
	off = json_object_is_type(value, json_type_boolean) && !json_object_get_boolean(value);
	json_object_put(value);
	return off ? error_set(err, -EOPNOTSUPP, "the VMM sends no events of %s: start it with "
			       "migration-events=on for this device", id) : 0;
}

/* QEMU knows which function a device is, and of a mediated one the path that it has in sysfs. */
static int check_function(struct qmp_client *client, const struct witness_target *target,
			  uint64_t deadline_ns, struct error *err)
{
	char mine[SYSFS_NAME_SIZE] = "", theirs[SYSFS_NAME_SIZE];
	struct json_object *value = NULL;
	const char *text, *name;
	int ret;

	pci_or_mdev_parse(target->where, mine, NULL);
	ret = get_property(client, target->id, pci_is_mdev(mine) ? "sysfsdev" : "host", deadline_ns,
			   &value, err);
	if (ret)
		return ret == -EREMOTEIO ? 0 : ret;
	text = json_object_get_string(value);
	name = text ? strrchr(text, '/') : NULL;
	name = name ? name + 1 : text;
	if (*mine && name && !pci_or_mdev_parse(name, theirs, NULL) && strcmp(mine, theirs))
		ret = error_set(err, -EINVAL, "%s of the VMM is the function %s and not %s: give "
				"--device %s=%s", target->id, theirs, mine, target->id, theirs);
	json_object_put(value);
	return ret;
}

int vmm_check_device(struct qmp_client *client, const char *qmp,
		     const struct witness_target *target, uint64_t deadline_ns, struct error *err)
{
	int ret = check_events(client, qmp, target->id, deadline_ns, err);

	if (ret || target_is_emulated(target))
		return ret;
	return check_function(client, target, deadline_ns, err);
}
