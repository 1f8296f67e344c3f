// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/policy.h"

#include <stddef.h>
#include <string.h>

#include "vmm/program.h"

const struct policy *policy_find(const char *name)
{
	static const struct policy *const policies[] = {
		&policy_qemu, &policy_group, &policy_cloud_hypervisor,
	};

	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		if (!strcmp(policies[i]->name, name))
			return policies[i];
	}
	return NULL;
}

const struct move *policy_move(const struct move *moves, uint32_t state, uint32_t flags)
{
	for (const struct move *m = moves; m->from; m++) {
		if ((m->from & 1u << state) && (m->needs & flags) == m->needs)
			return m;
	}
	return NULL;
}

const char *runstate_name(enum runstate state)
{
	static const char *const names[] = {
		[RUN_PRELAUNCH] = "prelaunch",
		[RUN_INMIGRATE] = "inmigrate",
		[RUN_RUNNING] = "running",
		[RUN_PAUSED] = "paused",
		[RUN_FINISH_MIGRATE] = "finish-migrate",
		[RUN_POSTMIGRATE] = "postmigrate",
	};

	return names[state];
}

const char *status_name(enum migration_status status)
{
	static const char *const names[] = {
		[STATUS_NONE] = "none",
		[STATUS_SETUP] = "setup",
		[STATUS_ACTIVE] = "active",
		[STATUS_PRE_SWITCHOVER] = "pre-switchover",
		[STATUS_DEVICE] = "device",
		[STATUS_COMPLETED] = "completed",
		[STATUS_CANCELLING] = "cancelling",
		[STATUS_CANCELLED] = "cancelled",
		[STATUS_FAILING] = "failing",
		[STATUS_FAILED] = "failed",
	};

	return names[status];
}
