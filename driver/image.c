// SPDX-License-Identifier: GPL-2.0-only
#include <linux/err.h>
#include <linux/random.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#include "image.h"

/* Too large a state fails the open quietly: no warning, and nobody else is killed for it. */
#define BYTES_GFP	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

struct miglab_image *miglab_image_new(const struct miglab_identity *id, struct miglab_stats *stats)
{
	struct miglab_image *image;
	u8 *bytes;

	image = kzalloc(sizeof(*image), GFP_KERNEL_ACCOUNT);
	if (!image)
		return ERR_PTR(-ENOMEM);
	bytes = __vmalloc(id->state_bytes, BYTES_GFP);
	if (!bytes)
		goto free_image;
	image->bitmap = kvmalloc(miglab_precopy_bytes_needed(id->state_bytes), GFP_KERNEL_ACCOUNT);
	if (!image->bitmap)
		goto free_bytes;

	kref_init(&image->kref);
	mutex_init(&image->lock);
	miglab_synthetic_init(&image->model, id, bytes, get_random_u64());
	image->stats = miglab_stats_get(stats);
	miglab_stats_add(stats, MIGLAB_IMAGES_LIVE, 1);
	return image;

free_bytes:
	vfree(bytes);
free_image:
	kfree(image);
	return ERR_PTR(-ENOMEM);
}

static void image_free(struct kref *kref)
{
	struct miglab_image *image = container_of(kref, struct miglab_image, kref);

	miglab_stats_add(image->stats, MIGLAB_IMAGES_LIVE, -1);
	miglab_stats_put(image->stats);
	mutex_destroy(&image->lock);
	kvfree(image->bitmap);
	vfree(image->model.bytes);
	kfree(image);
}

struct miglab_image *miglab_image_get(struct miglab_image *image)
{
	kref_get(&image->kref);
	return image;
}

void miglab_image_put(struct miglab_image *image)
{
	kref_put(&image->kref, image_free);
}

void miglab_image_scramble(struct miglab_image *image)
{
	struct miglab_identity id = image->model.id;
	u64 rate = image->model.rate;

	lockdep_assert_held(&image->lock);
	miglab_synthetic_init(&image->model, &id, image->model.bytes, get_random_u64());
	image->model.rate = rate;
	image->tracked = false;
}

void miglab_image_advance(struct miglab_image *image)
{
	lockdep_assert_held(&image->lock);
	miglab_synthetic_advance(&image->model, image->tracked ? &image->track : NULL,
				 ktime_get_ns());
}

void miglab_image_track(struct miglab_image *image)
{
	lockdep_assert_held(&image->lock);
	miglab_precopy_start(&image->track, image->model.id.state_bytes, image->bitmap);
	image->tracked = true;
}
