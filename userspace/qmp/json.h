/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What handlers of commands do with JSON objects all the time.
 */
#ifndef MIGLAB_QMP_JSON_H
#define MIGLAB_QMP_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/* An optional string argument: NULL when it is not there. Lives as long as @args. */
static inline const char *json_arg(struct json_object *args, const char *name)
{
	return json_object_get_string(json_object_object_get(args, name));
}

static inline void json_add_string(struct json_object *object, const char *name, const char *value)
{
	json_object_object_add(object, name, json_object_new_string(value));
}

static inline void json_add_int(struct json_object *object, const char *name, uint64_t value)
{
	json_object_object_add(object, name, json_object_new_int64(value));
}

static inline void json_add_bool(struct json_object *object, const char *name, bool value)
{
	json_object_object_add(object, name, json_object_new_boolean(value));
}

#endif
