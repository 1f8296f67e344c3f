// SPDX-License-Identifier: GPL-2.0-only
/* Capabilities and parameters of migrations; what is wrong with them is said in QEMU's words. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "qmp/json.h"
#include "qmp/schema.h"
#include "vmm/handlers.h"
#include "vmm/machine.h"

#define DOWNTIME_MS_MAX	2000000	/* QEMU's limit */
/* A few times the interval of the peer's signs of life, which a busy machine delays. */
#define TIMEOUT_MS_MIN	1000
#define TIMEOUT_MS_MAX	86400000
#define ACK_MS_MAX	60000

static const struct {
	const char *name;
	size_t offset;		/* of a bool in struct capabilities */
} names[] = {
	{ "events", offsetof(struct capabilities, events) },
	{ "return-path", offsetof(struct capabilities, return_path) },
	{ "pause-before-switchover", offsetof(struct capabilities, pause) },
	{ "switchover-ack", offsetof(struct capabilities, ack) },
	{ "x-device-statistics", offsetof(struct capabilities, statistics) },
	{ "x-prepare-all", offsetof(struct capabilities, prepare_all) },
	{ "x-prepare-ack", offsetof(struct capabilities, prepare_ack) },
	{ "x-errno", offsetof(struct capabilities, error) },
	{ "x-duration-us", offsetof(struct capabilities, duration) },
	{ "x-seq", offsetof(struct capabilities, seq) },
	{ "x-monotonic-ns", offsetof(struct capabilities, monotonic) },
};

#define NAMES (sizeof(names) / sizeof(names[0]))

static bool *find_capability(struct capabilities *caps, const char *name)
{
	for (size_t i = 0; i < NAMES; i++) {
		if (!strcmp(names[i].name, name))
			return (bool *)((char *)caps + names[i].offset);
	}
	return NULL;
}

/* One element of the list. */
static int set_capability(struct capabilities *caps, struct json_object *entry, size_t index,
			  struct qmp_error *err)
{
	char where[64];
	const char *name;
	bool *flag;

	snprintf(where, sizeof(where), "capabilities[%zu]", index);
	if (!json_object_is_type(entry, json_type_object))
		return qmp_fail(err, QMP_GENERIC_ERROR,
				"Invalid parameter type for '%s', expected: object", where);
	strcat(where, ".");
	if (qmp_check_members("capability:s,state:b", where, entry, err))
		return -EINVAL;
	name = json_arg(entry, "capability");
	flag = find_capability(caps, name);
	if (!flag)
		return qmp_fail(err, QMP_GENERIC_ERROR,
				"Parameter 'capability' does not accept value '%s'", name);
	*flag = json_object_get_boolean(json_object_object_get(entry, "state"));
	return 0;
}

/* x-prepare-ack is a promise of each client for itself; the others are the machine's. */
static struct capabilities seen_by_client(const struct machine *m)
{
	struct capabilities caps = m->capabilities;

	caps.prepare_ack = acks_subscribed(&m->acks, qmp_server_client(m->server));
	return caps;
}

static void promise(struct machine *m, bool on)
{
	uint64_t client = qmp_server_client(m->server);

	if (on)
		acks_subscribe(&m->acks, client);
	else
		acks_unsubscribe(&m->acks, client);
}

/* All of the list, or nothing of it. */
int set_capabilities(void *opaque, struct json_object *args, struct json_object **ret,
		     struct qmp_error *err)
{
	struct json_object *list = json_object_object_get(args, "capabilities");
	struct machine *m = opaque;
	struct capabilities caps = seen_by_client(m);

	(void)ret;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		if (set_capability(&caps, json_object_array_get_idx(list, i), i, err))
			return -EINVAL;
	}
	if (coordinator_migrating(&m->coordinator) && m->coordinator.dialogue.outgoing)
		return qmp_fail(err, QMP_GENERIC_ERROR, "There's a migration process in progress");
	if (caps.ack && !caps.return_path)
		return qmp_fail(err, QMP_GENERIC_ERROR,
				"Capability 'switchover-ack' requires capability 'return-path'");
	promise(m, caps.prepare_ack);
	machine_set_capabilities(m, &caps);
	return 0;
}

int query_capabilities(void *opaque, struct json_object *args, struct json_object **ret,
		       struct qmp_error *err)
{
	struct capabilities caps = seen_by_client(opaque);

	(void)args;
	(void)err;
	*ret = json_object_new_array();
	for (size_t i = 0; i < NAMES; i++) {
		struct json_object *entry = json_object_new_object();

		json_add_bool(entry, "state", *find_capability(&caps, names[i].name));
		json_add_string(entry, "capability", names[i].name);
		json_object_array_add(*ret, entry);
	}
	return 0;
}

struct parameters {
	int64_t downtime_ms, bandwidth, peer_timeout_ms, deadline_ms, ack_ms;
	bool cancel_late;
};

/* What @args has not stays as it is in @p. */
static void take_parameters(struct parameters *p, struct json_object *args)
{
	struct { const char *name; int64_t *value; } ints[] = {
		{ "downtime-limit", &p->downtime_ms },
		{ "avail-switchover-bandwidth", &p->bandwidth },
		{ "x-peer-timeout", &p->peer_timeout_ms },
		{ "x-transition-deadline", &p->deadline_ms },
		{ "x-prepare-ack-timeout", &p->ack_ms },
	};
	struct json_object *value;

	for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
		if (json_object_object_get_ex(args, ints[i].name, &value))
			*ints[i].value = json_object_get_int64(value);
	}
	if (json_object_object_get_ex(args, "x-cancel-late", &value))
		p->cancel_late = json_object_get_boolean(value);
}

static int check_parameters(const struct parameters *p, struct json_object *args,
			    struct qmp_error *err)
{
	bool deadline = json_object_object_get_ex(args, "x-transition-deadline", NULL);

	if (p->downtime_ms < 0 || p->downtime_ms > DOWNTIME_MS_MAX)
		return qmp_fail(err, QMP_GENERIC_ERROR,
				"Option downtime-limit expects an integer in the range of 0 to (2000 * 1000) ms");
	if (p->bandwidth < 0)
		return qmp_fail(err, QMP_GENERIC_ERROR,
				"Parameter 'avail-switchover-bandwidth' expects a size in bytes");
	if (p->peer_timeout_ms &&
	    (p->peer_timeout_ms < TIMEOUT_MS_MIN || p->peer_timeout_ms > TIMEOUT_MS_MAX))
		return qmp_fail(err, QMP_GENERIC_ERROR,
				"Parameter 'x-peer-timeout' expects 0 for none, or an integer in the range of %d to %d ms",
				TIMEOUT_MS_MIN, TIMEOUT_MS_MAX);
	/* 0, none at all, is for the beginning only. */
	if (deadline && (p->deadline_ms < 1 || p->deadline_ms > TIMEOUT_MS_MAX))
		return qmp_fail(err, QMP_GENERIC_ERROR,
				"Parameter 'x-transition-deadline' expects an integer in the range of 1 to %d ms",
				TIMEOUT_MS_MAX);
	if (p->ack_ms < 1 || p->ack_ms > ACK_MS_MAX)
		return qmp_fail(err, QMP_GENERIC_ERROR,
				"Parameter 'x-prepare-ack-timeout' expects an integer in the range of 1 to %d ms",
				ACK_MS_MAX);
	return 0;
}

/* All of them, or none. */
int set_parameters(void *opaque, struct json_object *args, struct json_object **ret,
		   struct qmp_error *err)
{
	struct machine *m = opaque;
	struct parameters p = {
		.downtime_ms = m->downtime_ms, .bandwidth = m->bandwidth,
		.peer_timeout_ms = m->peer_timeout_ms, .deadline_ms = m->deadline_ms,
		.ack_ms = m->ack_ms, .cancel_late = m->cancel_late,
	};

	(void)ret;
	take_parameters(&p, args);
	if (check_parameters(&p, args, err))
		return -EINVAL;
	m->downtime_ms = p.downtime_ms;
	m->bandwidth = p.bandwidth;
	m->deadline_ms = p.deadline_ms;
	m->ack_ms = p.ack_ms;
	m->cancel_late = p.cancel_late;
	if ((uint64_t)p.peer_timeout_ms != m->peer_timeout_ms)
		machine_set_peer_timeout(m, p.peer_timeout_ms);
	return 0;
}

int query_parameters(void *opaque, struct json_object *args, struct json_object **ret,
		     struct qmp_error *err)
{
	const struct machine *m = opaque;

	(void)args;
	(void)err;
	*ret = json_object_new_object();
	json_add_int(*ret, "downtime-limit", m->downtime_ms);
	json_add_int(*ret, "avail-switchover-bandwidth", m->bandwidth);
	json_add_int(*ret, "x-peer-timeout", m->peer_timeout_ms);
	json_add_int(*ret, "x-prepare-ack-timeout", m->ack_ms);
	if (m->deadline_ms)
		json_add_int(*ret, "x-transition-deadline", m->deadline_ms);
	json_add_bool(*ret, "x-cancel-late", m->cancel_late);
	return 0;
}
