// SPDX-License-Identifier: GPL-2.0-only
/*
 * The function that does nothing, with a state that is large or small as its user likes. It has
 * interrupts, so that its user can set them up, and no registers.
 */
#include <linux/pci_ids.h>

#include "mdev.h"

/* QEMU's vendor, whose ids nobody registers; no driver claims this one. */
#define VENDOR		0x1234
#define DEVICE		0x6d73

#define VECTORS		4

static void synthetic_identify(struct miglab_mdev *mdev, struct miglab_function_id *ret_id)
{
	*ret_id = (struct miglab_function_id){
		.vendor = VENDOR,
		.device = DEVICE,
		.subvendor = VENDOR,
		.subdevice = DEVICE,
		.class = PCI_CLASS_OTHERS << 8,
		.msix = VECTORS,
		.msix_bar = 0,
		.bar[0].bytes = 2 * MIGLAB_MSIX_PBA,
	};
}

static u64 synthetic_state_bytes(const struct miglab_mdev *mdev)
{
	return mdev->m.config.state_bytes;
}

static void synthetic_reset(void *data)
{
	miglab_mdev_reset(data);
}

static const struct miglab_bar_ops synthetic_bars = {
	.reset = synthetic_reset,
};

const struct miglab_mdev_model miglab_mdev_synthetic = {
	.ops = &miglab_model_synthetic,
	.bars = &synthetic_bars,
	.identify = synthetic_identify,
	.state_bytes = synthetic_state_bytes,
};
