// SPDX-License-Identifier: GPL-2.0-only
#include "judge/remote.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "qmp/client.h"

#define CALL_NS	(5 * NSEC_PER_SEC)

struct remote {
	struct lab lab;
	struct qmp_client *client;
	char id[];
};

static struct remote *to_remote(struct lab *lab)
{
	return (struct remote *)((char *)lab - offsetof(struct remote, lab));
}

static struct json_object *arguments(const struct remote *remote, const char *attribute)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "device", json_object_new_string(remote->id));
	json_object_object_add(args, "attribute", json_object_new_string(attribute));
	return args;
}

static void remote_close(struct lab *lab)
{
	struct remote *remote = to_remote(lab);

	qmp_client_free(remote->client);
	free(remote);
}

static int remote_read(struct lab *lab, const char *attribute, char **ret_text, struct error *err)
{
	struct remote *remote = to_remote(lab);
	struct json_object *answer = NULL, *text;
	char *copy = NULL;
	int ret;

	ret = qmp_client_call(remote->client, "x-miglab-read", arguments(remote, attribute),
			      clock_ns() + CALL_NS, &answer, err);
	if (ret)
		return error_prefix(err, ret, "%s of %s", attribute, remote->id);
	if (json_object_object_get_ex(answer, "text", &text) && text)
		copy = strdup(json_object_get_string(text));
	json_object_put(answer);
	if (!copy)
		return error_set(err, -EPROTO, "%s of %s: the VMM's answer has no \"text\"",
				 attribute, remote->id);
	*ret_text = copy;
	return 0;
}

static int remote_write(struct lab *lab, const char *attribute, const char *text,
			struct error *err)
{
	struct remote *remote = to_remote(lab);
	struct json_object *args = arguments(remote, attribute);
	int ret;

	json_object_object_add(args, "text", json_object_new_string(text));
	ret = qmp_client_call(remote->client, "x-miglab-write", args, clock_ns() + CALL_NS, NULL,
			      err);
	return ret ? error_prefix(err, ret, "%s of %s", attribute, remote->id) : 0;
}

static const struct lab_ops remote_ops = {
	.close = remote_close,
	.read = remote_read,
	.write = remote_write,
};

int lab_open_remote(const char *uri, const char *id, uint64_t deadline_ns, struct lab **ret_lab,
		    struct error *err)
{
	struct remote *remote = calloc(1, sizeof(*remote) + strlen(id) + 1);
	char *text;
	int ret;

	if (!remote)
		return error_set(err, -ENOMEM, "no memory for device %s", id);
	remote->lab.ops = &remote_ops;
	remote->lab.witness = "emulated (same process)";
	strcpy(remote->id, id);
	ret = qmp_client_connect(uri, deadline_ns, &remote->client, err);
	if (!ret) {
		ret = remote_read(&remote->lab, "state", &text, err);
		if (!ret)
			free(text);
	}
	if (ret) {
		remote_close(&remote->lab);
		return ret == -EREMOTEIO ? -ENODEV : ret;
	}
	*ret_lab = &remote->lab;
	return 0;
}
