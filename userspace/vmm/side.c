// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/side.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "device/uapi.h"
#include "qmp/client.h"
#include "qmp/json.h"

#define ANSWER_NS	(10 * NSEC_PER_SEC)	/* for a command: a live machine answers at once */

int side_call(struct side *s, const char *command, struct json_object *args,
	      struct json_object **ret, struct error *err)
{
	uint64_t until_ns = clock_ns() + ANSWER_NS;
	int code;

	if (until_ns > s->deadline_ns)
		until_ns = s->deadline_ns;
	if (s->mute || !s->client) {
		json_object_put(args);
		code = error_set(err, -ETIMEDOUT, "it does not answer");
	} else {
		code = qmp_client_call(s->client, command, args, until_ns, ret, err);
		s->mute = code == -ETIMEDOUT;
	}
	return code ? error_prefix(err, code, "%s of the %s", command, s->child.name) : 0;
}

static uint64_t number(struct json_object *info, const char *name)
{
	return json_object_get_int64(json_object_object_get(info, name));
}

uint64_t side_number(struct side *s, const char *command, const char *name)
{
	struct json_object *answer;
	struct error err;
	uint64_t value;

	if (side_call(s, command, NULL, &answer, &err))
		return 0;
	value = number(answer, name);
	json_object_put(answer);
	return value;
}

char *side_attribute(struct side *s, unsigned int device, const char *name)
{
	struct json_object *args = json_object_new_object(), *answer;
	char id[16], *copy = NULL;
	struct error err;

	snprintf(id, sizeof(id), "vf%u", device);
	json_add_string(args, "device", id);
	json_add_string(args, "attribute", name);
	if (side_call(s, "x-miglab-read", args, &answer, &err))
		return NULL;
	if (json_arg(answer, "text"))
		copy = strdup(json_arg(answer, "text"));
	json_object_put(answer);
	return copy;
}

/* Its first line; "" when there is none. */
static void copy_attribute(struct side *s, unsigned int device, const char *name, char *ret_text,
			   size_t size)
{
	char *text = side_attribute(s, device, name);

	if (text) {
		text[strcspn(text, "\n")] = '\0';
		snprintf(ret_text, size, "%s", text);
	}
	free(text);
}

static void copy_text(struct json_object *object, const char *name, char *ret_text, size_t size)
{
	const char *text = json_arg(object, name);

	if (text)
		snprintf(ret_text, size, "%s", text);
}

/* --- devices --------------------------------------------------------------- */

/* What @s says of its devices, in their order; NULL when it does not. */
static struct json_object *ask_devices(struct side *s, const struct outcome *o)
{
	struct json_object *list;
	struct error err;

	if (side_call(s, "x-query-devices", NULL, &list, &err))
		return NULL;
	if (json_object_is_type(list, json_type_array) &&
	    json_object_array_length(list) == o->count)
		return list;
	json_object_put(list);
	return NULL;
}

static uint32_t parse_flags(struct json_object *list)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(list, i));

		flags |= !strcmp(name, "pre-copy") ? VFIO_MIGRATION_PRE_COPY :
			 !strcmp(name, "p2p") ? VFIO_MIGRATION_P2P : VFIO_MIGRATION_STOP_COPY;
	}
	return flags;
}

void side_ask_flags(struct side *s, struct outcome *o)
{
	struct json_object *list = ask_devices(s, o);

	for (unsigned int i = 0; list && i < o->count; i++) {
		struct json_object *entry = json_object_array_get_idx(list, i);
		struct outcome_device *d = &o->device[i];

		d->flags = parse_flags(json_object_object_get(entry, "flags"));
		d->known = true;
		copy_attribute(s, i, "profile", d->profile, sizeof(d->profile));
	}
	json_object_put(list);
}

void side_ask_fingerprints(struct side *s, enum outcome_end end, struct outcome *o)
{
	for (unsigned int i = 0; i < o->count; i++)
		copy_attribute(s, i, "fingerprint", o->device[i].fingerprint[end],
			       sizeof(o->device[i].fingerprint[end]));
}

void side_ask_sizes(struct side *s, enum outcome_end end, struct outcome *o)
{
	for (unsigned int i = 0; i < o->count; i++)
		copy_attribute(s, i, "state_bytes", o->device[i].state_bytes[end],
			       sizeof(o->device[i].state_bytes[end]));
}

/* "pre-copy-p2p" of QMP to "PRE_COPY_P2P" of the uAPI. */
static void spell_state(char *state)
{
	for (; *state; state++)
		*state = *state == '-' ? '_' : toupper((unsigned char)*state);
}

void side_ask_states(struct side *s, enum outcome_end end, struct outcome *o)
{
	struct outcome_machine *m = &o->machine[end];
	struct json_object *info, *list;
	struct error err;

	if (side_call(s, "query-status", NULL, &info, &err))
		return;
	m->answered = true;
	m->running = json_object_get_boolean(json_object_object_get(info, "running"));
	copy_text(info, "status", m->runstate, sizeof(m->runstate));
	json_object_put(info);
	list = ask_devices(s, o);
	for (unsigned int i = 0; list && i < o->count; i++) {
		struct json_object *entry = json_object_array_get_idx(list, i);
		struct outcome_device *d = &o->device[i];

		copy_text(entry, "state", d->state[end], sizeof(d->state[end]));
		spell_state(d->state[end]);
		d->busy[end] = json_object_get_boolean(json_object_object_get(entry, "busy"));
	}
	json_object_put(list);
}

/* --- the machine ----------------------------------------------------------- */

int side_ask_migration(struct side *s, enum outcome_end end, struct outcome *o,
		       struct error *err)
{
	struct json_object *info;
	int ret = side_call(s, "query-migrate", NULL, &info, err);

	if (ret)
		return ret;
	copy_text(info, "error-desc", o->machine[end].why, sizeof(o->machine[end].why));
	if (end == OUTCOME_SOURCE) {
		o->total_ms = number(info, "total-time");
		o->downtime_ms = number(info, "downtime");
		o->bytes = number(json_object_object_get(info, "vfio"), "transferred");
	}
	json_object_put(info);
	return 0;
}

void side_ask_memory(struct side *s, enum outcome_end end, struct outcome *o)
{
	struct outcome_memory *m = &o->memory;
	struct json_object *info, *memory;
	struct error err;

	m->there = true;
	if (side_call(s, "query-migrate", NULL, &info, &err))
		return;
	memory = json_object_object_get(info, "x-memory");
	if (end == OUTCOME_SOURCE) {
		m->size = number(memory, "size");
		m->pages = number(memory, "pages");
		m->transferred = number(memory, "transferred");
	}
	copy_text(memory, "checksum", m->checksum[end], sizeof(m->checksum[end]));
	json_object_put(info);
}

void side_ask_workload(struct side *s, enum outcome_end end, struct outcome *o)
{
	struct outcome_workload *w = &o->workload;
	struct json_object *info;
	struct error err;

	if (side_call(s, "x-query-workload", NULL, &info, &err)) {
		snprintf(w->error[end], sizeof(w->error[end]), "%s", err.text);
		return;
	}
	w->told[end] = true;
	w->operations[end] = number(info, "operations");
	w->here[end] = number(info, "here");
	w->interrupts[end] = number(info, "interrupts");
	copy_text(info, "error", w->error[end], sizeof(w->error[end]));
	json_object_put(info);
}
