// SPDX-License-Identifier: GPL-2.0-only
#include "guard/promise.h"

#include <errno.h>
#include <string.h>

#define CAPABILITY	"x-prepare-ack"
#define COMMAND		"x-prepare-ack"
#define SUFFIX		"-prepare"
#define PROMISE \
	"{\"capabilities\": [{\"capability\": \"" CAPABILITY "\", \"state\": true}]}"

static bool has_capability(struct json_object *list)
{
	size_t i;

	if (!json_object_is_type(list, json_type_array))
		return false;
	for (i = 0; i < json_object_array_length(list); i++) {
		struct json_object *name, *entry = json_object_array_get_idx(list, i);

		if (json_object_object_get_ex(entry, "capability", &name) &&
		    json_object_is_type(name, json_type_string) &&
		    !strcmp(json_object_get_string(name), CAPABILITY))
			return true;
	}
	return false;
}

int guard_promise(struct qmp_client *vmm, uint64_t deadline_ns, bool *ret_promised,
		  struct error *err)
{
	struct json_object *list;
	bool has;
	int ret;

	ret = qmp_client_call(vmm, "query-migrate-capabilities", NULL, deadline_ns, &list, err);
	if (!ret) {
		has = has_capability(list);
		json_object_put(list);
		ret = !has ? -EREMOTEIO :
		      qmp_client_call(vmm, "migrate-set-capabilities", json_tokener_parse(PROMISE),
				      deadline_ns, NULL, err);
	}
	if (ret && ret != -EREMOTEIO)
		return ret;
	*ret_promised = !ret;
	return 0;
}

bool guard_is_announcement(const char *state)
{
	size_t len = strlen(state);

	return len > strlen(SUFFIX) && !strcmp(state + len - strlen(SUFFIX), SUFFIX);
}

int guard_answer(struct qmp_client *vmm, const char *id, struct json_object *seq,
		 uint64_t deadline_ns, struct error *err)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "device-id", json_object_new_string(id));
	json_object_object_add(args, "x-seq", json_object_get(seq));
	return qmp_client_call(vmm, COMMAND, args, deadline_ns, NULL, err);
}
