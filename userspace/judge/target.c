// SPDX-License-Identifier: GPL-2.0-only
#include "judge/target.h"

#include <string.h>

bool target_is_emulated(const struct witness_target *target)
{
	return !strcmp(target->where, "emu");
}

int target_find(const struct witness_target *targets, size_t count, const char *id)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(targets[i].id, id))
			return i;
	return -1;
}
