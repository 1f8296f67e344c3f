/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a request must look like; what is wrong with it is said in QEMU's words.
 */
#ifndef MIGLAB_QMP_SCHEMA_H
#define MIGLAB_QMP_SCHEMA_H

#include <json-c/json.h>
#include <stdbool.h>

#include "qmp/server.h"

/* The parts of a request; they belong to the value that was parsed. */
struct qmp_request {
	const char *command;
	struct json_object *arguments;	/* NULL: none */
	struct json_object *id;		/* NULL: JSON's null, or none */
	bool has_id;
};

/**
 * qmp_request_parse() - {"execute": NAME, "arguments": {..}, "id": ANY}
 * @ret: also on failure holds the id, if there was one, for the answer
 *
 * Return: 0, or -EINVAL with @err.
 */
int qmp_request_parse(struct json_object *value, struct qmp_request *ret, struct qmp_error *err);

/*
 * @object against a schema like that of struct qmp_command; -EINVAL with @err, which
 * names a member with @prefix in front, at most 64 bytes.
 */
int qmp_check_members(const char *schema, const char *prefix, struct json_object *object,
		      struct qmp_error *err);

/* @args against the schema of struct qmp_command; -EINVAL with @err. */
int qmp_check_arguments(const char *schema, struct json_object *args, struct qmp_error *err);

#endif
