/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VFIO_DEVICE_FEATURE_DMA_LOGGING: what a device wrote to memory by DMA, as it says itself. Only
 * where the kernel can report it: elsewhere nobody could read it, and who starts it would fail.
 */
#ifndef MIGLAB_DIRTYLOG_H
#define MIGLAB_DIRTYLOG_H

#include <linux/mutex.h>
#include <linux/types.h>

struct miglab_log;
struct vfio_log_ops;

struct miglab_dirtylog {
	/* Guards log. The innermost; held over page faults of the user's bitmap. */
	struct mutex lock;
	struct miglab_log *log;		/* NULL: it is off */
};

static inline void miglab_dirtylog_init(struct miglab_dirtylog *dirty)
{
	mutex_init(&dirty->lock);
}

/* The device is closed: the log is off. */
static inline void miglab_dirtylog_destroy(struct miglab_dirtylog *dirty)
{
	mutex_destroy(&dirty->lock);
}

#if IS_ENABLED(CONFIG_IOMMUFD_DRIVER)
#define MIGLAB_LOG_OPS	(&miglab_log_ops)
extern const struct vfio_log_ops miglab_log_ops;

/*
 * The device wrote @len bytes at @iova, and they have landed. No lock is held, since the user's
 * bitmap may be faulted in by who reads the log. May sleep.
 */
void miglab_log_written(struct miglab_dirtylog *dirty, u64 iova, u64 len);

/* The log is off from now on, whether it was on or not. May sleep. */
void miglab_log_stop(struct miglab_dirtylog *dirty);
#else
#define MIGLAB_LOG_OPS	NULL

static inline void miglab_log_written(struct miglab_dirtylog *dirty, u64 iova, u64 len)
{
}

static inline void miglab_log_stop(struct miglab_dirtylog *dirty)
{
}
#endif

#endif
