// SPDX-License-Identifier: GPL-2.0-only
/* A function that does nothing: what migrates is a block of bytes, see core/synthetic.h. */
#include <linux/string.h>

#include "device.h"
#include "mdev_model.h"

/* There are no registers: as an address that nobody answers. */
static int synthetic_access(void *data, unsigned int bar, u64 offset, void *bytes, size_t len,
			    bool write)
{
	if (!write)
		memset(bytes, 0xff, len);
	return 0;
}

static const struct miglab_bar_ops synthetic_bars = {
	.access = synthetic_access,
	.reset = miglab_mdev_reset,
};

/* Interrupts can be set up, though it has no reason to raise one. */
static void synthetic_identify(u64 bytes, struct miglab_function_id *ret_id)
{
	*ret_id = (struct miglab_function_id){
		.vendor = 0x1234,
		.device = 0x11ea,
		.subvendor = 0x1af4,
		.subdevice = 0x1100,
		.class = 0xff0000,
		.intx = true,
		.msi = 1,
		.msix = 4,
		.msix_bar = 4,
		.bar[0] = { 4096, 0 },
		.bar[4] = { 4096, 0 },
	};
}

static u64 synthetic_state_bytes(u64 bytes)
{
	return bytes;
}

const struct miglab_mdev_model miglab_mdev_synthetic = {
	.ops = &miglab_model_synthetic,
	.bars = &synthetic_bars,
	.identify = synthetic_identify,
	.sized = miglab_synthetic_size_ok,
	.state_bytes = synthetic_state_bytes,
};
