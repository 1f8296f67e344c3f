// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the device says that it can, and the state that an open finds.
 */
#include <stdio.h>

#include "conform/case.h"
#include "device/state.h"

static uint64_t flags_of(struct conform *c)
{
	struct vfio_device_feature_migration migration = { 0 };

	require_result(c, dut_feature(c, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION,
				      &migration, sizeof(migration)), 0, "GET MIGRATION");
	return migration.flags;
}

static void offers_stop_copy(struct conform *c)
{
	uint64_t flags = flags_of(c);

	require(c, flags & VFIO_MIGRATION_STOP_COPY, "flags 0x%llx lack STOP_COPY",
		(unsigned long long)flags);
}

static void defined_flags(struct conform *c)
{
	uint64_t flags = flags_of(c);

	require(c, flags & 1 && flags < 8, "flags 0x%llx are no set that is defined",
		(unsigned long long)flags);
}

static void constant_flags(struct conform *c)
{
	uint64_t flags = flags_of(c);

	dut_go(c, VFIO_DEVICE_STATE_STOP);
	require(c, flags_of(c) == flags, "the flags changed in STOP");
	dut_reset(c);
	require(c, flags_of(c) == flags, "the flags changed with a reset");
	dut_close(c);
	dut_open(c);
	require(c, flags_of(c) == flags, "the flags changed with the next open");
}

static void opens_running(struct conform *c)
{
	for (uint32_t state = 1; state <= VFIO_DEVICE_STATE_PRE_COPY_P2P; state++) {
		char when[64];

		if (!dut_offers(c, state))
			continue;
		dut_go(c, state);
		dut_close(c);
		dut_open(c);
		snprintf(when, sizeof(when), "opened after a close in %s",
			 device_state_name(state));
		require_state(c, VFIO_DEVICE_STATE_RUNNING, when);
	}
}

#define UAPI	"uapi/linux/vfio.h, struct vfio_device_feature_migration"

const struct conform_case capability_cases[] = {
	{ 10, "stop-copy", CLASS_SPEC, 0, 0, UAPI,
	  "A device that migrates offers STOP_COPY.", offers_stop_copy },
	{ 11, "defined-flags", CLASS_SPEC, 0, 0, UAPI,
	  "The flags are one of the sets that are defined: STOP_COPY with or without P2P, PRE_COPY.",
	  defined_flags },
	{ 12, "constant-flags", CLASS_ROB, 0, 0, UAPI,
	  "The flags do not change with state, reset or open.", constant_flags },
	{ 13, "opens-running", CLASS_SHOULD, 0, 0,
	  "uapi/linux/vfio.h, enum vfio_device_mig_state",
	  "The device is in RUNNING after every open, whatever state it was closed in.",
	  opens_running },
	{ }
};
