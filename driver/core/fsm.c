// SPDX-License-Identifier: GPL-2.0-only
#include "fsm.h"

/*
 * The first step from each state to each other on a device that has all of
 * them; what is absent is MIGLAB_ERROR, no path. The smaller flag sets follow
 * by walking on over the states that they lack, as uapi/linux/vfio.h says.
 */
static const u8 full_table[MIGLAB_NR_STATES][MIGLAB_NR_STATES] = {
	[MIGLAB_STOP] = {
		[MIGLAB_STOP] = MIGLAB_STOP,
		[MIGLAB_RUNNING] = MIGLAB_RUNNING_P2P,
		[MIGLAB_STOP_COPY] = MIGLAB_STOP_COPY,
		[MIGLAB_RESUMING] = MIGLAB_RESUMING,
		[MIGLAB_RUNNING_P2P] = MIGLAB_RUNNING_P2P,
		[MIGLAB_PRE_COPY] = MIGLAB_RUNNING_P2P,
		[MIGLAB_PRE_COPY_P2P] = MIGLAB_RUNNING_P2P,
	},
	[MIGLAB_RUNNING] = {
		[MIGLAB_STOP] = MIGLAB_RUNNING_P2P,
		[MIGLAB_RUNNING] = MIGLAB_RUNNING,
		[MIGLAB_STOP_COPY] = MIGLAB_RUNNING_P2P,
		[MIGLAB_RESUMING] = MIGLAB_RUNNING_P2P,
		[MIGLAB_RUNNING_P2P] = MIGLAB_RUNNING_P2P,
		[MIGLAB_PRE_COPY] = MIGLAB_PRE_COPY,
		[MIGLAB_PRE_COPY_P2P] = MIGLAB_RUNNING_P2P,
	},
	[MIGLAB_STOP_COPY] = {
		[MIGLAB_STOP] = MIGLAB_STOP,
		[MIGLAB_RUNNING] = MIGLAB_STOP,
		[MIGLAB_STOP_COPY] = MIGLAB_STOP_COPY,
		[MIGLAB_RESUMING] = MIGLAB_STOP,
		[MIGLAB_RUNNING_P2P] = MIGLAB_STOP,
	},
	[MIGLAB_RESUMING] = {
		[MIGLAB_STOP] = MIGLAB_STOP,
		[MIGLAB_RUNNING] = MIGLAB_STOP,
		[MIGLAB_STOP_COPY] = MIGLAB_STOP,
		[MIGLAB_RESUMING] = MIGLAB_RESUMING,
		[MIGLAB_RUNNING_P2P] = MIGLAB_STOP,
		[MIGLAB_PRE_COPY] = MIGLAB_STOP,
		[MIGLAB_PRE_COPY_P2P] = MIGLAB_STOP,
	},
	[MIGLAB_RUNNING_P2P] = {
		[MIGLAB_STOP] = MIGLAB_STOP,
		[MIGLAB_RUNNING] = MIGLAB_RUNNING,
		[MIGLAB_STOP_COPY] = MIGLAB_STOP,
		[MIGLAB_RESUMING] = MIGLAB_STOP,
		[MIGLAB_RUNNING_P2P] = MIGLAB_RUNNING_P2P,
		[MIGLAB_PRE_COPY] = MIGLAB_RUNNING,
		[MIGLAB_PRE_COPY_P2P] = MIGLAB_PRE_COPY_P2P,
	},
	[MIGLAB_PRE_COPY] = {
		[MIGLAB_STOP] = MIGLAB_RUNNING,
		[MIGLAB_RUNNING] = MIGLAB_RUNNING,
		[MIGLAB_STOP_COPY] = MIGLAB_PRE_COPY_P2P,
		[MIGLAB_RESUMING] = MIGLAB_RUNNING,
		[MIGLAB_RUNNING_P2P] = MIGLAB_RUNNING,
		[MIGLAB_PRE_COPY] = MIGLAB_PRE_COPY,
		[MIGLAB_PRE_COPY_P2P] = MIGLAB_PRE_COPY_P2P,
	},
	[MIGLAB_PRE_COPY_P2P] = {
		[MIGLAB_STOP] = MIGLAB_RUNNING_P2P,
		[MIGLAB_RUNNING] = MIGLAB_RUNNING_P2P,
		[MIGLAB_STOP_COPY] = MIGLAB_STOP_COPY,
		[MIGLAB_RESUMING] = MIGLAB_RUNNING_P2P,
		[MIGLAB_RUNNING_P2P] = MIGLAB_RUNNING_P2P,
		[MIGLAB_PRE_COPY] = MIGLAB_PRE_COPY,
		[MIGLAB_PRE_COPY_P2P] = MIGLAB_PRE_COPY_P2P,
	},
};

#define NAME(state) .name = state, .len = sizeof(state) - 1

static const struct {
	const char *name;
	size_t len;
	u32 needs;		/* the flags that a device with this state has */
} states[MIGLAB_NR_STATES] = {
	[MIGLAB_ERROR] = { NAME("ERROR"), 0 },
	[MIGLAB_STOP] = { NAME("STOP"), MIGLAB_FLAG_STOP_COPY },
	[MIGLAB_RUNNING] = { NAME("RUNNING"), MIGLAB_FLAG_STOP_COPY },
	[MIGLAB_STOP_COPY] = { NAME("STOP_COPY"), MIGLAB_FLAG_STOP_COPY },
	[MIGLAB_RESUMING] = { NAME("RESUMING"), MIGLAB_FLAG_STOP_COPY },
	[MIGLAB_RUNNING_P2P] = { NAME("RUNNING_P2P"), MIGLAB_FLAG_STOP_COPY | MIGLAB_FLAG_P2P },
	[MIGLAB_PRE_COPY] = { NAME("PRE_COPY"), MIGLAB_FLAG_STOP_COPY | MIGLAB_FLAG_PRE_COPY },
	[MIGLAB_PRE_COPY_P2P] = { NAME("PRE_COPY_P2P"), MIGLAB_FLAGS_FULL },
};

static const struct {
	const char *name;
	size_t len;
	u32 flags;
} profiles[] = {
	{ NAME("full"), MIGLAB_FLAGS_FULL },
	{ NAME("no-p2p"), MIGLAB_FLAG_STOP_COPY | MIGLAB_FLAG_PRE_COPY },
	{ NAME("no-precopy"), MIGLAB_FLAG_STOP_COPY | MIGLAB_FLAG_P2P },
	{ NAME("stop-copy"), MIGLAB_FLAG_STOP_COPY },
};

static_assert(ARRAY_SIZE(profiles) == MIGLAB_NR_PROFILES, "MIGLAB_NR_PROFILES");

int miglab_fsm_next(u32 flags, u32 cur, u32 want, u32 *ret_next)
{
	u32 next;

	if (!miglab_state_supported(flags, cur) || !miglab_state_supported(flags, want))
		return -EINVAL;

	/* No path leads to ERROR or out of it: the table has neither. */
	next = full_table[cur][want];
	while (!miglab_state_supported(flags, next))
		next = full_table[next][want];
	if (next == MIGLAB_ERROR)
		return -EINVAL;

	*ret_next = next;
	return 0;
}

bool miglab_state_supported(u32 flags, u32 state)
{
	return state < MIGLAB_NR_STATES && (states[state].needs & flags) == states[state].needs;
}

bool miglab_state_is_saving(u32 state)
{
	return state == MIGLAB_PRE_COPY || state == MIGLAB_PRE_COPY_P2P ||
	       state == MIGLAB_STOP_COPY;
}

const char *miglab_state_name(u32 state)
{
	return state < MIGLAB_NR_STATES ? states[state].name : "?";
}

int miglab_state_parse(const char *name, size_t len, u32 *ret_state)
{
	u32 i;

	for (i = 0; i < MIGLAB_NR_STATES; i++) {
		if (len == states[i].len && !memcmp(name, states[i].name, len)) {
			*ret_state = i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *miglab_profile_name(u32 flags)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(profiles); i++)
		if (flags == profiles[i].flags)
			return profiles[i].name;
	return "?";
}
EXPORT_SYMBOL_GPL(miglab_profile_name);

const char *miglab_profile_at(unsigned int i)
{
	return profiles[i].name;
}
EXPORT_SYMBOL_GPL(miglab_profile_at);

int miglab_profile_parse(const char *name, size_t len, u32 *ret_flags)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(profiles); i++) {
		if (len == profiles[i].len && !memcmp(name, profiles[i].name, len)) {
			*ret_flags = profiles[i].flags;
			return 0;
		}
	}
	return -EINVAL;
}
EXPORT_SYMBOL_GPL(miglab_profile_parse);
