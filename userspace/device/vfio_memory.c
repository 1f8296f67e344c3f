// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory for a VFIO device: mapped in its container or its address space, and
 * what it writes as the device itself records it, or the container does.
 *
 * A container that knows of no pages in particular says that all were written; so is it
 * where nobody can be asked, as with iommufd and a device without a record.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "device/memory.h"
#include "device/vfio.h"

static struct vfio *to_vfio(struct device *dev)
{
	return (struct vfio *)dev;
}

static int map_container(struct vfio *v, uint64_t iova, void *host, uint64_t length)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)host,
		.iova = iova,
		.size = length,
	};

	return ioctl(v->files.container, VFIO_IOMMU_MAP_DMA, &map) ? -errno : 0;
}

static int map_ioas(struct vfio *v, uint64_t iova, void *host, uint64_t length)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_READABLE,
		.ioas_id = v->files.ioas,
		.user_va = (uintptr_t)host,
		.length = length,
		.iova = iova,
	};

	return ioctl(v->files.iommufd, IOMMU_IOAS_MAP, &map) ? -errno : 0;
}

int vfio_map(struct device *dev, uint64_t iova, void *host, uint64_t length, struct error *err)
{
	struct vfio *v = to_vfio(dev);
	int ret = v->files.container >= 0 ? map_container(v, iova, host, length) :
					    map_ioas(v, iova, host, length);

	if (ret)
		return error_set(err, ret,
				 "%s: cannot map %llu bytes at its address %#llx: %s%s", dev->name,
				 (unsigned long long)length, (unsigned long long)iova,
				 strerror(-ret),
				 ret == -ENOMEM ? "; see ulimit -l for what it may lock" : "");
	return 0;
}

/* The device's own record, which not every kernel can report even where it can be started. */
static int report_device(struct vfio *v, uint64_t *bitmap)
{
	struct vfio_device_feature_dma_logging_report report = {
		.iova = v->tracked_iova,
		.length = v->tracked_length,
		.page_size = MEMORY_PAGE,
		.bitmap = (uintptr_t)bitmap,
	};

	return vfio_feature(v, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
			    &report, sizeof(report));
}

static int stop_device(struct vfio *v)
{
	char none = 0;

	return vfio_feature(v, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP,
			    &none, 0);
}

/* Reports once to see whether it can; what that says is written before anybody asked. */
static int start_device(struct vfio *v)
{
	struct vfio_device_feature_dma_logging_range range = {
		.iova = v->tracked_iova, .length = v->tracked_length,
	};
	struct vfio_device_feature_dma_logging_control control = {
		.page_size = MEMORY_PAGE, .num_ranges = 1, .ranges = (uintptr_t)&range,
	};
	uint64_t *bitmap = calloc(memory_bitmap_words(v->tracked_length), sizeof(*bitmap));
	int ret = -ENOMEM;

	if (bitmap)
		ret = vfio_feature(v, VFIO_DEVICE_FEATURE_SET |
				   VFIO_DEVICE_FEATURE_DMA_LOGGING_START, &control,
				   sizeof(control));
	if (!ret) {
		ret = report_device(v, bitmap);
		if (ret)
			stop_device(v);
	}
	free(bitmap);
	return ret;
}

static int control_container(struct vfio *v, uint32_t flag)
{
	struct vfio_iommu_type1_dirty_bitmap control = {
		.argsz = sizeof(control), .flags = flag,
	};

	if (v->files.container < 0)
		return -EOPNOTSUPP;
	return ioctl(v->files.container, VFIO_IOMMU_DIRTY_PAGES, &control) ? -errno : 0;
}

static int report_container(struct vfio *v, uint64_t *bitmap)
{
	struct {
		struct vfio_iommu_type1_dirty_bitmap head;
		struct vfio_iommu_type1_dirty_bitmap_get get;
	} report = {
		.head = {
			.argsz = sizeof(report),
			.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
		},
		.get = {
			.iova = v->tracked_iova,
			.size = v->tracked_length,
			.bitmap = {
				.pgsize = MEMORY_PAGE,
				.size = memory_bitmap_words(v->tracked_length) * sizeof(*bitmap),
				.data = (void *)bitmap,
			},
		},
	};

	return ioctl(v->files.container, VFIO_IOMMU_DIRTY_PAGES, &report) ? -errno : 0;
}

int vfio_track(struct device *dev, uint64_t iova, uint64_t length, struct error *err)
{
	struct vfio *v = to_vfio(dev);

	(void)err;
	v->tracked_iova = iova;
	v->tracked_length = length;
	if (!start_device(v))
		v->tracker = TRACKER_DEVICE;
	else if (!control_container(v, VFIO_IOMMU_DIRTY_PAGES_FLAG_START))
		v->tracker = TRACKER_CONTAINER;
	else
		v->tracker = TRACKER_NOBODY;
	return 0;
}

static void set_all(uint64_t *bitmap, uint64_t length)
{
	for (uint64_t page = 0; page < length / MEMORY_PAGE; page++)
		bitmap[page / 64] |= 1ull << page % 64;
}

/* The kernel sets bits and clears none, but for a container's, which it overwrites. */
static int ask_container(struct vfio *v, uint64_t *bitmap)
{
	size_t words = memory_bitmap_words(v->tracked_length);
	uint64_t *own = calloc(words, sizeof(*own));
	int ret = own ? report_container(v, own) : -ENOMEM;

	for (size_t i = 0; !ret && i < words; i++)
		bitmap[i] |= own[i];
	free(own);
	return ret;
}

int vfio_dirty(struct device *dev, uint64_t *bitmap, struct error *err)
{
	struct vfio *v = to_vfio(dev);
	int ret = 0;

	if (v->tracker == TRACKER_DEVICE)
		ret = report_device(v, bitmap);
	else if (v->tracker == TRACKER_CONTAINER)
		ret = ask_container(v, bitmap);
	else
		set_all(bitmap, v->tracked_length);
	if (ret)
		return error_set(err, ret, "%s: cannot ask which pages it wrote: %s", dev->name,
				 strerror(-ret));
	return 0;
}

void vfio_untrack(struct device *dev)
{
	struct vfio *v = to_vfio(dev);

	if (v->tracker == TRACKER_DEVICE)
		stop_device(v);
	else if (v->tracker == TRACKER_CONTAINER)
		control_container(v, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP);
	v->tracker = TRACKER_NONE;
}
