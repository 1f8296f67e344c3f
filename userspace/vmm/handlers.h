/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Handlers of QMP verbs that have a file of their own, for the table in commands.c.
 * The type is that of struct qmp_command, @opaque is a struct machine.
 */
#ifndef MIGLAB_VMM_HANDLERS_H
#define MIGLAB_VMM_HANDLERS_H

#include "qmp/server.h"

/* info.c */
int query_migrate(void *opaque, struct json_object *args, struct json_object **ret,
		  struct qmp_error *err);

/* statistics.c: what of query-migrate is not of QEMU, for each device and in sum. */
struct machine;
void add_statistics(const struct machine *m, struct json_object *info);

/* inventory.c */
int query_devices(void *opaque, struct json_object *args, struct json_object **ret,
		  struct qmp_error *err);

/* settings.c */
int set_capabilities(void *opaque, struct json_object *args, struct json_object **ret,
		     struct qmp_error *err);
int query_capabilities(void *opaque, struct json_object *args, struct json_object **ret,
		       struct qmp_error *err);
int set_parameters(void *opaque, struct json_object *args, struct json_object **ret,
		   struct qmp_error *err);
int query_parameters(void *opaque, struct json_object *args, struct json_object **ret,
		     struct qmp_error *err);

/* objects.c */
int list_device_properties(void *opaque, struct json_object *args, struct json_object **ret,
			   struct qmp_error *err);
int qom_get(void *opaque, struct json_object *args, struct json_object **ret,
	    struct qmp_error *err);
int qom_set(void *opaque, struct json_object *args, struct json_object **ret,
	    struct qmp_error *err);

#endif
