// SPDX-License-Identifier: GPL-2.0-only
#include "judge/remote.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "qmp/client.h"

#define CALL_NS	(5 * NSEC_PER_SEC)

struct remote {
	struct qmp_client *client;
	bool ended;
};

struct remote_lab {
	struct lab lab;
	struct remote *remote;
	char id[];
};

int remote_connect(const char *uri, uint64_t deadline_ns, struct remote **ret_remote,
		   struct error *err)
{
	struct remote *remote = calloc(1, sizeof(*remote));
	int ret;

	if (!remote)
		return error_set(err, -ENOMEM, "no memory for a connection");
	ret = qmp_client_connect(uri, deadline_ns, &remote->client, err);
	if (ret) {
		free(remote);
		return ret;
	}
	*ret_remote = remote;
	return 0;
}

void remote_free(struct remote *remote)
{
	if (!remote)
		return;
	qmp_client_free(remote->client);
	free(remote);
}

int remote_fd(const struct remote *remote)
{
	return remote->ended ? -1 : qmp_client_fd(remote->client);
}

void remote_drain(struct remote *remote)
{
	struct qmp_event event;
	struct error err;
	int ret;

	while ((ret = qmp_client_event(remote->client, 0, &event, &err)) > 0)
		qmp_event_release(&event);
	remote->ended = ret < 0;
}

static struct remote_lab *to_remote(struct lab *lab)
{
	return (struct remote_lab *)((char *)lab - offsetof(struct remote_lab, lab));
}

/* Events that come meanwhile are kept for whoever wants them, and here nobody does. */
static int call(struct remote *remote, const char *command, struct json_object *args,
		struct json_object **ret_answer, struct error *err)
{
	int ret = qmp_client_call(remote->client, command, args, clock_ns() + CALL_NS, ret_answer,
				  err);

	remote_drain(remote);
	return ret;
}

static struct json_object *arguments(const struct remote_lab *remote, const char *attribute)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "device", json_object_new_string(remote->id));
	json_object_object_add(args, "attribute", json_object_new_string(attribute));
	return args;
}

static void remote_close(struct lab *lab)
{
	free(to_remote(lab));
}

static int remote_read(struct lab *lab, const char *attribute, char **ret_text, struct error *err)
{
	struct remote_lab *remote = to_remote(lab);
	struct json_object *answer = NULL, *text;
	char *copy = NULL;
	int ret;

	ret = call(remote->remote, "x-miglab-read", arguments(remote, attribute), &answer, err);
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
	struct remote_lab *remote = to_remote(lab);
	struct json_object *args = arguments(remote, attribute);
	int ret;

	json_object_object_add(args, "text", json_object_new_string(text));
	ret = call(remote->remote, "x-miglab-write", args, NULL, err);
	return ret ? error_prefix(err, ret, "%s of %s", attribute, remote->id) : 0;
}

static const struct lab_ops remote_ops = {
	.close = remote_close,
	.read = remote_read,
	.write = remote_write,
};

int lab_open_remote(struct remote *remote, const char *id, struct lab **ret_lab,
		    struct error *err)
{
	struct remote_lab *lab = calloc(1, sizeof(*lab) + strlen(id) + 1);
	char *text;
	int ret;

	if (!lab)
		return error_set(err, -ENOMEM, "no memory for device %s", id);
	lab->lab.ops = &remote_ops;
	lab->lab.witness = "emulated (same process)";
	lab->remote = remote;
	strcpy(lab->id, id);
	ret = remote_read(&lab->lab, "state", &text, err);
	if (ret) {
		remote_close(&lab->lab);
		return ret == -EREMOTEIO ? -ENODEV : ret;
	}
	free(text);
	*ret_lab = &lab->lab;
	return 0;
}
