// SPDX-License-Identifier: GPL-2.0-only
/* The model that fits any function, since it has nothing to do with it. */
#include <linux/export.h>
#include <linux/random.h>
#include <linux/timekeeping.h>

#include "device.h"

static void synthetic_fresh(struct miglab_image *image)
{
	miglab_synthetic_init(&image->synthetic, &image->content, get_random_u64());
}

static void synthetic_enter(struct miglab_device *m, struct miglab_image *image, u32 state)
{
	image->synthetic.rate = m->config.rate;
	miglab_synthetic_run(&image->synthetic, miglab_synthetic_active(state), ktime_get_ns());
}

static void synthetic_advance(struct miglab_device *m, struct miglab_image *image)
{
	miglab_synthetic_advance(&image->synthetic, image->tracked ? &image->track : NULL,
				 ktime_get_ns());
}

static u64 synthetic_next_ns(struct miglab_image *image)
{
	return miglab_synthetic_next_ns(&image->synthetic, ktime_get_ns());
}

const struct miglab_model_ops miglab_model_synthetic = {
	.name = "synthetic",
	.notice = "migrates a synthetic state, not the function's own",
	.model = MIGLAB_MODEL_SYNTHETIC,
	.fresh = synthetic_fresh,
	.enter = synthetic_enter,
	.advance = synthetic_advance,
	.next_ns = synthetic_next_ns,
};
EXPORT_SYMBOL_GPL(miglab_model_synthetic);
