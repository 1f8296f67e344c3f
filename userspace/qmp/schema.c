// SPDX-License-Identifier: GPL-2.0-only
#include "qmp/schema.h"

#include <stdio.h>
#include <string.h>

/* json-c keeps "a\u0000b"; as a C string it would pass for "a". */
static bool is_string(struct json_object *value)
{
	return json_object_is_type(value, json_type_string) &&
	       strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value);
}

static bool is_bool(struct json_object *value)
{
	return json_object_is_type(value, json_type_boolean);
}

/* Beyond 2^63 - 1 json-c's int64 saturates; QEMU takes such a number for none. */
static bool is_int(struct json_object *value)
{
	return json_object_is_type(value, json_type_int) &&
	       (json_object_get_int64(value) < 0 || json_object_get_uint64(value) <= INT64_MAX);
}

static bool is_array(struct json_object *value)
{
	return json_object_is_type(value, json_type_array);
}

static bool is_object(struct json_object *value)
{
	return json_object_is_type(value, json_type_object);
}

static bool is_anything(struct json_object *value)
{
	(void)value;
	return true;
}

static const struct type {
	char letter;
	bool (*is)(struct json_object *value);
	const char *complaint;
} types[] = {
	{ 's', is_string, "Invalid parameter type for '%s', expected: string" },
	{ 'b', is_bool, "Invalid parameter type for '%s', expected: boolean" },
	{ 'i', is_int, "Invalid parameter type for '%s', expected: integer" },
	{ 'u', is_int, "Parameter '%s' expects uint64" },
	{ 'a', is_array, "Invalid parameter type for '%s', expected: array" },
	{ '*', is_anything, NULL },
	{ 'o', is_object, "Invalid parameter type for '%s', expected: object" },
};

static int check_member(const char *name, struct json_object *value, struct qmp_request *ret,
			struct qmp_error *err)
{
	if (!strcmp(name, "id")) {
		ret->id = value;
		ret->has_id = true;
	} else if (!strcmp(name, "execute")) {
		if (!is_string(value))
			return qmp_fail(err, QMP_GENERIC_ERROR,
					"QMP input member 'execute' must be a string");
		ret->command = json_object_get_string(value);
	} else if (!strcmp(name, "arguments")) {
		if (!is_object(value))
			return qmp_fail(err, QMP_GENERIC_ERROR,
					"QMP input member 'arguments' must be an object");
		ret->arguments = value;
	} else {
		return qmp_fail(err, QMP_GENERIC_ERROR, "QMP input member '%s' is unexpected",
				name);
	}
	return 0;
}

int qmp_request_parse(struct json_object *value, struct qmp_request *ret, struct qmp_error *err)
{
	int bad = 0;

	*ret = (struct qmp_request){ 0 };
	if (!is_object(value))
		return qmp_fail(err, QMP_GENERIC_ERROR, "QMP input must be a JSON object");

	/* To the end in any case, since the id may come last. The first complaint is the answer. */
	json_object_object_foreach(value, name, member)
		bad = check_member(name, member, ret, bad ? NULL : err) ?: bad;
	if (bad)
		return bad;

	if (!ret->command)
		return qmp_fail(err, QMP_GENERIC_ERROR, "QMP input lacks member 'execute'");
	return 0;
}

/* One entry "name:t" or "?name:t" of a schema. */
struct parameter {
	char name[64];
	bool optional;
	const struct type *type;
};

/* The entry at @schema; returns where the next one is, NULL behind the last. */
static const char *parameter_next(const char *schema, struct parameter *ret)
{
	size_t len, i;

	if (!*schema)
		return NULL;

	ret->optional = *schema == '?';
	schema += ret->optional;
	len = strcspn(schema, ":");
	memcpy(ret->name, schema, len);
	ret->name[len] = '\0';

	for (i = 0; types[i].letter != schema[len + 1]; i++)
		;
	ret->type = &types[i];

	schema += len + 2;
	return *schema ? schema + 1 : schema;
}

static bool schema_has(const char *schema, const char *name)
{
	struct parameter parameter;

	while ((schema = parameter_next(schema, &parameter)))
		if (!strcmp(parameter.name, name))
			return true;
	return false;
}

/* @prefix and @name, into @ret_path, which has 256 bytes: enough for names of a schema. */
static const char *path_of(const char *prefix, const char *name, char *ret_path)
{
	snprintf(ret_path, 256, "%s%s", prefix, name);
	return ret_path;
}

int qmp_check_members(const char *schema, const char *prefix, struct json_object *object,
		      struct qmp_error *err)
{
	struct parameter parameter;
	struct json_object *value;
	const char *next = schema;
	char path[256];

	while ((next = parameter_next(next, &parameter))) {
		if (!json_object_object_get_ex(object, parameter.name, &value)) {
			if (parameter.optional)
				continue;
			return qmp_fail(err, QMP_GENERIC_ERROR, "Parameter '%s' is missing",
					path_of(prefix, parameter.name, path));
		}
		if (!parameter.type->is(value))
			return qmp_fail(err, QMP_GENERIC_ERROR, parameter.type->complaint,
					path_of(prefix, parameter.name, path));
	}

	json_object_object_foreach(object, name, member) {
		(void)member;
		if (!schema_has(schema, name))
			return qmp_fail(err, QMP_GENERIC_ERROR, "Parameter '%s%s' is unexpected",
					prefix, name);
	}
	return 0;
}

int qmp_check_arguments(const char *schema, struct json_object *args, struct qmp_error *err)
{
	return qmp_check_members(schema, "", args, err);
}
