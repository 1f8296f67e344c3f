// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/framing.h"

/* QEMU's rule: a letter, then letters, digits and "-._". */
static bool id_ok(const char *id)
{
	if (!isalpha((unsigned char)*id) || strlen(id) > HELLO_ID_MAX)
		return false;
	for (; *id; id++) {
		if (!isalnum((unsigned char)*id) && !strchr("-._", *id))
			return false;
	}
	return true;
}

static int set_id(struct machine_device *d, const char *value, struct error *err)
{
	if (!id_ok(value))
		return error_set(err, -EINVAL,
				 "id=%s: an id is a letter, then letters, digits, '-', '.' or '_', at most %d",
				 value, HELLO_ID_MAX);
	if (d->id)
		return error_set(err, -EINVAL, "two ids, %s and %s; give one", d->id, value);
	d->id = strdup(value);
	return d->id ? 0 : error_set(err, -ENOMEM, "no memory for a device");
}

static int set_events(struct machine_device *d, const char *value, struct error *err)
{
	d->events = !strcmp(value, "on");
	if (!d->events && strcmp(value, "off"))
		return error_set(err, -EINVAL, "migration-events=%s must be on or off", value);
	return 0;
}

static const struct {
	const char *key;
	int (*set)(struct machine_device *d, const char *value, struct error *err);
} keys[] = {
	{ "id=", set_id },
	{ "migration-events=", set_events },
};

/* Blanks are part of values only; "emu, id=vf0" has none. */
static int check_blank(const char *part, struct error *err)
{
	return *part != ' ' ? 0 : error_set(err, -EINVAL,
					    "there is a blank before \"%s\"; write keys without",
					    part + strspn(part, " "));
}

/* 1 when @part was one of our own keys, 0 when it is not. */
static int take_key(struct machine_device *d, const char *part, struct error *err)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t len = strlen(keys[i].key);

		if (!strncmp(part, keys[i].key, len))
			return keys[i].set(d, part + len, err) ?: 1;
	}
	return 0;
}

/* Takes our keys out of @arg, which is writable; what stays in it is DEV. */
static int split(char *arg, struct machine_device *d, struct error *err)
{
	char *end = arg + strcspn(arg, ","), *next = end;

	while (*next) {
		char *part = next + 1;
		char *stop = part + strcspn(part, ","), saved = *stop;
		int ret;

		*stop = '\0';
		ret = check_blank(part, err) ?: take_key(d, part, err);
		*stop = saved;
		if (ret < 0)
			return ret;
		if (!ret) {
			memmove(end, next, stop - next);
			end += stop - next;
		}
		next = stop;
	}
	*end = '\0';
	return 0;
}

int machine_device_open(const char *arg, struct machine_device *ret_device, struct error *err)
{
	struct machine_device d = { .events = true };
	char *spec = strdup(arg);
	struct error why;
	int ret;

	if (!spec)
		return error_set(err, -ENOMEM, "no memory for a device");
	ret = split(spec, &d, err);
	if (!ret && !d.id)
		ret = error_set(err, -EINVAL, "--device %s has no id; append ,id=ID", arg);
	if (!ret)
		ret = device_open(spec, &d.device, err);
	free(spec);
	if (ret) {
		free(d.id);
		return ret;
	}
	if (d.device->ops->data_size(d.device, &d.size, &why))
		d.size = 0;
	*ret_device = d;
	return 0;
}

void machine_device_close(struct machine_device *d)
{
	if (d->device)
		d->device->ops->close(d->device);
	free(d->id);
}
