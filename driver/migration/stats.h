/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device's counters. They outlive the device, since a data_fd does and its
 * memory is counted here.
 */
#ifndef MIGLAB_STATS_H
#define MIGLAB_STATS_H

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/slab.h>

/* What is counted; the attribute "stats" names each in lower case. */
enum miglab_stat {
	MIGLAB_SESSIONS_LIVE,	/* data_fd objects that exist */
	MIGLAB_IMAGES_LIVE,	/* images of a device's state that exist */
	MIGLAB_ARCS,		/* arcs that ended */
	MIGLAB_ARCS_FAILED,	/* ... with an error */
	MIGLAB_HOLDS,		/* holds that began */
	MIGLAB_RESETS,		/* resets seen, also the one that an open does */
	MIGLAB_BYTES_READ,	/* from data_fds */
	MIGLAB_BYTES_WRITTEN,	/* to data_fds */
	MIGLAB_DMA_DONE,	/* transfers of a model that does DMA */
	MIGLAB_DMA_FAILED,	/* ... that did not reach all of the memory */
	MIGLAB_DMA_HELD,	/* commands for one that waited for the device to run again */
	MIGLAB_DMA_REFUSED,	/* ... that were dropped, since they left the device's ranges */
	MIGLAB_DMA_CORRECTED,	/* bytes of a shadow that were not what the function had */
	MIGLAB_NR_STATS,
};

struct miglab_stats {
	struct kref kref;
	atomic64_t value[MIGLAB_NR_STATS];
};

/* A set of zeroes with one reference, or NULL. */
static inline struct miglab_stats *miglab_stats_new(void)
{
	struct miglab_stats *stats = kzalloc(sizeof(*stats), GFP_KERNEL);

	if (stats)
		kref_init(&stats->kref);
	return stats;
}

static inline struct miglab_stats *miglab_stats_get(struct miglab_stats *stats)
{
	kref_get(&stats->kref);
	return stats;
}

static inline void miglab_stats_free(struct kref *kref)
{
	kfree(container_of(kref, struct miglab_stats, kref));
}

static inline void miglab_stats_put(struct miglab_stats *stats)
{
	kref_put(&stats->kref, miglab_stats_free);
}

static inline void miglab_stats_add(struct miglab_stats *stats, enum miglab_stat which, s64 n)
{
	atomic64_add(n, &stats->value[which]);
}

#endif
