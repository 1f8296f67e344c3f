// SPDX-License-Identifier: GPL-2.0-only
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/vfio.h>

#include "dma.h"
#include "mdev.h"

/* Bytes that are in one page of memory. A user who is being killed gets no further. */
static bool move_chunk(struct miglab_function *f, u64 iova, void *bytes, size_t len, bool write)
{
	struct miglab_mdev *mdev = container_of(f, struct miglab_mdev, f);
	int ret;

	if (fatal_signal_pending(current) || !miglab_function_is_master(f))
		return false;
	ret = vfio_dma_rw(f->vdev, iova, bytes, len, write);
	/* Also of what failed in the middle of the page. */
	if (write)
		miglab_log_written(&mdev->m.dirty, iova, len);
	return !ret;
}

/* By pages: one that is not mapped does not keep the others from being reached. */
static bool move(struct miglab_function *f, u64 iova, void *bytes, size_t len, bool write)
{
	bool all = true;
	size_t n;

	might_sleep();
	for (; len; iova += n, bytes += n, len -= n) {
		n = min_t(u64, len, PAGE_SIZE - offset_in_page(iova));
		if (move_chunk(f, iova, bytes, n, write))
			continue;
		all = false;
		if (!write)
			memset(bytes, 0, n);
	}
	return all;
}

bool miglab_dma_read(struct miglab_function *f, u64 iova, void *bytes, size_t len)
{
	return move(f, iova, bytes, len, false);
}

bool miglab_dma_write(struct miglab_function *f, u64 iova, const void *bytes, size_t len)
{
	return move(f, iova, (void *)bytes, len, true);
}
