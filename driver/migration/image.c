// SPDX-License-Identifier: GPL-2.0-only
#include <linux/err.h>
#include <linux/export.h>
#include <linux/vmalloc.h>

#include "image.h"
#include "model.h"

/* Too large a state fails the open quietly: no warning, and nobody else is killed for it. */
#define BYTES_GFP	(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

/* A miglab_fetch_fn whose @opaque is an image of which a session is being served. */
static int image_fetch(void *opaque, u64 offset, u32 len)
{
	struct miglab_image *image = opaque;

	return image->model->fetch(image->device, image, offset, len);
}

struct miglab_image *miglab_image_new(const struct miglab_model_ops *model,
				      const struct miglab_identity *id, struct miglab_stats *stats)
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
	image->sums_memory = kvmalloc(miglab_sums_bytes_needed(id->state_bytes),
				      GFP_KERNEL_ACCOUNT);
	if (!image->sums_memory)
		goto free_bitmap;

	kref_init(&image->kref);
	mutex_init(&image->lock);
	image->model = model;
	image->content = (struct miglab_content){
		.id = *id,
		.bytes = bytes,
		.fetch = model->fetch ? image_fetch : NULL,
		.opaque = image,
		.sums = &image->sums,
	};
	miglab_sums_init(&image->sums, id->state_bytes, image->sums_memory);
	if (model->fresh)
		model->fresh(image);
	image->stats = miglab_stats_get(stats);
	miglab_stats_add(stats, MIGLAB_IMAGES_LIVE, 1);
	return image;

free_bitmap:
	kvfree(image->bitmap);
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
	kvfree(image->sums_memory);
	kvfree(image->bitmap);
	vfree(image->content.bytes);
	kfree(image);
}

struct miglab_image *miglab_image_get(struct miglab_image *image)
{
	kref_get(&image->kref);
	return image;
}
EXPORT_SYMBOL_GPL(miglab_image_get);

void miglab_image_put(struct miglab_image *image)
{
	kref_put(&image->kref, image_free);
}
EXPORT_SYMBOL_GPL(miglab_image_put);

void miglab_image_renew(struct miglab_image *image)
{
	lockdep_assert_held(&image->lock);
	if (image->model->fresh)
		image->model->fresh(image);
	else
		memset(image->content.bytes, 0, image->content.id.state_bytes);
	image->tracked = false;
}

void miglab_image_advance(struct miglab_image *image)
{
	lockdep_assert_held(&image->lock);
	if (image->device && image->model->advance)
		image->model->advance(image->device, image);
}

int miglab_image_freeze(struct miglab_image *image)
{
	lockdep_assert_held(&image->lock);
	if (!image->device || !image->model->freeze)
		return 0;
	return image->model->freeze(image->device, image);
}

u64 miglab_image_next_ns(struct miglab_image *image)
{
	lockdep_assert_held(&image->lock);
	return image->model->next_ns ? image->model->next_ns(image) : U64_MAX;
}

int miglab_image_check(const struct miglab_image *image)
{
	lockdep_assert_held(&image->lock);
	return image->model->check ? image->model->check(image) : 0;
}

void miglab_image_orphan(struct miglab_image *image)
{
	mutex_lock(&image->lock);
	image->device = NULL;
	mutex_unlock(&image->lock);
}

void miglab_image_track(struct miglab_image *image)
{
	lockdep_assert_held(&image->lock);
	miglab_precopy_start(&image->track, image->content.id.state_bytes, image->bitmap);
	image->tracked = true;
}
