// SPDX-License-Identifier: GPL-2.0-only
/* query-migrate: which members there are depends on the status and the side, as in QEMU. */
#include <netdb.h>

#include "base/address.h"
#include "base/clock.h"
#include "qmp/json.h"
#include "vmm/framing.h"
#include "vmm/handlers.h"
#include "vmm/machine.h"

static uint64_t ms(uint64_t from_ns, uint64_t to_ns)
{
	return (to_ns - from_ns) / NSEC_PER_MSEC;
}

static void add_times(const struct machine *m, struct json_object *info)
{
	bool over = m->coordinator.status == STATUS_COMPLETED;

	json_add_int(info, "total-time", ms(m->begin_ns, over ? m->end_ns : clock_ns()));
	json_add_int(info, "setup-time", ms(m->begin_ns, m->active_ns));
	if (over)
		json_add_int(info, "downtime", ms(m->stop_ns, m->end_ns));
	else
		json_add_int(info, "expected-downtime",
			     progress_downtime_ms(&m->progress, m->downtime_ms, m->bandwidth));
}

/* QEMU counts in "transferred" all bytes that it sent, those of devices included. */
static struct json_object *ram(const struct machine *m, uint64_t sent)
{
	static const char *const zeros[] = {
		"dirty-pages-rate", "postcopy-requests", "multifd-bytes", "pages-per-second",
		"postcopy-bytes", "dirty-sync-missed-zero-copy",
	};
	const struct ram_stats *s = &m->progress.ram;
	uint64_t until_ns = m->coordinator.status == STATUS_COMPLETED ? m->end_ns : clock_ns();
	uint64_t ns = until_ns - m->begin_ns;
	struct json_object *o = json_object_new_object();

	for (unsigned int i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++)
		json_add_int(o, zeros[i], 0);
	json_add_int(o, "transferred", sent);
	json_add_int(o, "remaining", s->remaining);
	json_add_int(o, "total", s->total);
	json_add_int(o, "duplicate", s->duplicate);
	json_add_int(o, "normal", s->normal);
	json_add_int(o, "normal-bytes", s->normal * FRAME_PAGE);
	json_add_int(o, "dirty-sync-count", s->syncs);
	json_add_int(o, "precopy-bytes", s->precopy);
	json_add_int(o, "downtime-bytes", s->precopy ? s->transferred - s->precopy : 0);
	json_add_int(o, "page-size", FRAME_PAGE);
	json_object_object_add(o, "mbps",
			       json_object_new_double(ns ? sent * 8 * 1000.0 / (double)ns : 0));
	return o;
}

static void add_amounts(const struct machine *m, struct json_object *info)
{
	struct json_object *vfio = json_object_new_object();
	uint64_t sent = progress_transferred(&m->progress);
	uint64_t memory = m->config->memory ? m->progress.device[m->config->count].bytes : 0;

	json_add_int(vfio, "transferred", sent - memory);
	json_object_object_add(info, "vfio", vfio);
	json_object_object_add(info, "ram", ram(m, sent));
	if (m->coordinator.status != STATUS_COMPLETED)
		json_add_int(info, "remaining", progress_remaining(&m->progress));
}

static void add_blocker(const struct machine *m, struct json_object *info)
{
	const char *why = coordinator_blocked(&m->coordinator);
	struct json_object *list;

	if (!why)
		return;
	list = json_object_new_array();
	json_object_array_add(list, json_object_new_string(why));
	json_object_object_add(info, "blocked-reasons", list);
}

/* Where a destination listens, for as long as it does. */
static void add_address(const struct machine *m, struct json_object *info)
{
	char host[INET6_ADDRSTRLEN], port[8];
	struct json_object *list, *entry;
	struct address address;
	struct error why;

	if (!m->uri || !coordinator_migrating(&m->coordinator) ||
	    socket_address(m->uri, &address, &why))
		return;
	list = json_object_new_array();
	entry = json_object_new_object();
	if (address.any.sa_family == AF_UNIX) {
		json_add_string(entry, "type", "unix");
		json_add_string(entry, "path", address.un.sun_path);
	} else if (!getnameinfo(&address.any, address.len, host, sizeof(host), port, sizeof(port),
				NI_NUMERICHOST | NI_NUMERICSERV)) {
		json_add_string(entry, "type", "inet");
		json_add_string(entry, "host", host);
		json_add_string(entry, "port", port);
	}
	json_object_array_add(list, entry);
	json_object_object_add(info, "socket-address", list);
}

static bool has_amounts(enum migration_status status)
{
	switch (status) {
	case STATUS_ACTIVE:
	case STATUS_PRE_SWITCHOVER:
	case STATUS_DEVICE:
	case STATUS_COMPLETED:
	case STATUS_CANCELLING:
	case STATUS_FAILING:
		return true;
	default:
		return false;
	}
}

int query_migrate(void *opaque, struct json_object *args, struct json_object **ret,
		  struct qmp_error *err)
{
	const struct machine *m = opaque;
	const struct coordinator *c = &m->coordinator;
	struct json_object *info = json_object_new_object();

	(void)args;
	(void)err;
	*ret = info;
	add_blocker(m, info);
	if (c->status == STATUS_NONE)
		return 0;
	json_add_string(info, "status", status_name(c->status));
	if (!c->dialogue.outgoing) {
		add_address(m, info);
	} else if (has_amounts(c->status) && m->active_ns) {
		add_times(m, info);
		add_amounts(m, info);
	}
	if (m->capabilities.statistics)
		add_statistics(m, info);
	if (c->status == STATUS_FAILING || c->status == STATUS_FAILED)
		json_add_string(info, "error-desc", c->error.text);
	return 0;
}
