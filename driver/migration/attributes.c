// SPDX-License-Identifier: GPL-2.0-only
/*
 * The per-device sysfs group "miglab". Root writes, everybody reads.
 *
 * profile, model, state_bytes	rw, in force from the next open of the device on; ro if fixed
 * dirty_bytes_per_sec, rules	rw, in force at once
 * hold				rw, in force while the process that wrote it lives: see hold.h
 * release			rw, a write adds permits, a read shows what is left
 * state, held, history, stats, fingerprint, rules_error	ro
 */
#include <linux/device.h>
#include <linux/export.h>
#include <linux/kstrtox.h>
#include <linux/math64.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "compat.h"
#include "device.h"

#define GROUP_NAME	"miglab"
#define PERMITS_MAX	1000000		/* enough for anyone, far from overflow */

static ssize_t profile_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	u32 flags = READ_ONCE(miglab_from_dev(dev)->config.flags);

	return sysfs_emit(buf, "%s\n", miglab_profile_name(flags));
}

static ssize_t profile_store(struct device *dev, struct device_attribute *attr, const char *buf,
			     size_t len)
{
	struct miglab_device *m = miglab_from_dev(dev);
	size_t name_len = len && buf[len - 1] == '\n' ? len - 1 : len;
	u32 flags;
	int ret;

	ret = miglab_profile_parse(buf, name_len, &flags);
	if (ret)
		return ret;
	mutex_lock(&m->state_lock);
	WRITE_ONCE(m->config.flags, flags);
	mutex_unlock(&m->state_lock);
	return len;
}
static DEVICE_ATTR_RW(profile);

static ssize_t model_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct miglab_device *m = miglab_from_dev(dev);
	ssize_t len;

	mutex_lock(&m->state_lock);
	len = sysfs_emit(buf, "%s\n", m->config.model);
	mutex_unlock(&m->state_lock);
	return len;
}

static ssize_t model_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t len)
{
	struct miglab_device *m = miglab_from_dev(dev);
	int ret;

	ret = m->ops->set_model(m, buf);
	return ret ?: len;
}
static DEVICE_ATTR_RW(model);

static ssize_t state_bytes_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(miglab_from_dev(dev)->config.state_bytes));
}

static ssize_t state_bytes_store(struct device *dev, struct device_attribute *attr,
				 const char *buf, size_t len)
{
	struct miglab_device *m = miglab_from_dev(dev);
	u64 bytes;
	int ret;

	ret = kstrtou64(buf, 10, &bytes);
	if (ret)
		return ret;
	if (!miglab_synthetic_size_ok(bytes))
		return -EINVAL;
	mutex_lock(&m->state_lock);
	WRITE_ONCE(m->config.state_bytes, bytes);
	mutex_unlock(&m->state_lock);
	return len;
}
static DEVICE_ATTR_RW(state_bytes);

static ssize_t dirty_bytes_per_sec_show(struct device *dev, struct device_attribute *attr,
					char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(miglab_from_dev(dev)->config.rate));
}

static ssize_t dirty_bytes_per_sec_store(struct device *dev, struct device_attribute *attr,
					 const char *buf, size_t len)
{
	u64 rate;
	int ret;

	ret = kstrtou64(buf, 10, &rate);
	if (ret)
		return ret;
	miglab_migration_set_rate(miglab_from_dev(dev), rate);
	return len;
}
static DEVICE_ATTR_RW(dirty_bytes_per_sec);

static ssize_t rules_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return miglab_rulebook_emit(miglab_from_dev(dev)->book, buf);
}

/* A write is a whole set: if any part is bad, the set in force stays. */
static ssize_t rules_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t len)
{
	struct miglab_device *m = miglab_from_dev(dev);
	struct miglab_rules_error err = { .what = "too long" };
	struct miglab_ruleset *set;
	int ret;

	set = miglab_ruleset_parse(buf, len, &err);
	ret = PTR_ERR_OR_ZERO(set);
	if (ret == -ENOMEM)
		return ret;
	mutex_lock(&m->state_lock);
	m->rules_error[0] = '\0';
	if (ret)
		scnprintf(m->rules_error, sizeof(m->rules_error),
			  "line %u column %u: %s: \"%s\"", err.line, err.column, err.what,
			  err.value);
	else
		miglab_rulebook_replace(m->book, set);
	mutex_unlock(&m->state_lock);
	return ret ? -EINVAL : len;
}
static DEVICE_ATTR_RW(rules);

static ssize_t rules_error_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct miglab_device *m = miglab_from_dev(dev);
	ssize_t len;

	mutex_lock(&m->state_lock);
	len = sysfs_emit(buf, "%s\n", m->rules_error[0] ? m->rules_error : "none");
	mutex_unlock(&m->state_lock);
	return len;
}
static DEVICE_ATTR_RO(rules_error);

static ssize_t release_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", atomic_read(&miglab_from_dev(dev)->permits));
}

static int add_permits(struct miglab_device *m, u64 permits)
{
	int old;

	if (permits > PERMITS_MAX)
		return -EINVAL;
	old = atomic_read(&m->permits);
	do {
		if (old > (int)(PERMITS_MAX - permits))
			return -EINVAL;
	} while (!atomic_try_cmpxchg(&m->permits, &old, old + (int)permits));
	wake_up_all(&m->wait);
	return 0;
}

static ssize_t release_store(struct device *dev, struct device_attribute *attr, const char *buf,
			     size_t len)
{
	struct miglab_device *m = miglab_from_dev(dev);
	struct miglab_release release;
	int ret;

	ret = miglab_release_parse(buf, len, &release);
	if (ret)
		return ret;
	ret = release.by_seq ? miglab_hold_release(m, release.number) :
	      add_permits(m, release.number);
	return ret ?: len;
}
static DEVICE_ATTR_RW(release);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", miglab_state_name(READ_ONCE(miglab_from_dev(dev)->state)));
}
static DEVICE_ATTR_RO(state);

static ssize_t held_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct miglab_device *m = miglab_from_dev(dev);
	char rule[12] = "lease";
	ssize_t len;

	mutex_lock(&m->state_lock);
	if (m->held && !m->hold.leased)
		scnprintf(rule, sizeof(rule), "%u", m->held->rule);
	if (m->held)
		len = sysfs_emit(buf, "%s>%s seq=%llu rule=%s\n", miglab_state_name(m->held->from),
				 miglab_state_name(m->held->to), m->held->seq, rule);
	else
		len = sysfs_emit(buf, "none\n");
	mutex_unlock(&m->state_lock);
	return len;
}
static DEVICE_ATTR_RO(held);

void miglab_held_changed(struct miglab_device *m)
{
	sysfs_notify(&m->vdev->dev->kobj, GROUP_NAME, "held");
}

static const char *const stat_keys[MIGLAB_NR_STATS] = {
	[MIGLAB_SESSIONS_LIVE] = "sessions_live",
	[MIGLAB_IMAGES_LIVE] = "images_live",
	[MIGLAB_ARCS] = "arcs",
	[MIGLAB_ARCS_FAILED] = "arcs_failed",
	[MIGLAB_HOLDS] = "holds",
	[MIGLAB_RESETS] = "resets",
	[MIGLAB_BYTES_READ] = "bytes_read",
	[MIGLAB_BYTES_WRITTEN] = "bytes_written",
	[MIGLAB_DMA_DONE] = "dma_done",
	[MIGLAB_DMA_FAILED] = "dma_failed",
	[MIGLAB_DMA_HELD] = "dma_held",
	[MIGLAB_DMA_REFUSED] = "dma_refused",
	[MIGLAB_DMA_CORRECTED] = "dma_corrected",
};

static ssize_t stats_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct miglab_device *m = miglab_from_dev(dev);
	ssize_t len = 0;
	size_t i;

	for (i = 0; i < MIGLAB_NR_STATS; i++)
		len += sysfs_emit_at(buf, len, "%s %lld\n", stat_keys[i],
				     atomic64_read(&m->stats->value[i]));
	len += sysfs_emit_at(buf, len, "rules_acted %llu\n", miglab_rulebook_acted(m->book));
	return len;
}
static DEVICE_ATTR_RO(stats);

static ssize_t fingerprint_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct miglab_device *m = miglab_from_dev(dev);
	ssize_t len;

	mutex_lock(&m->state_lock);
	if (m->fingerprinted)
		len = sysfs_emit(buf, "crc32c:%08x\n", m->fingerprint);
	else
		len = sysfs_emit(buf, "none\n");
	mutex_unlock(&m->state_lock);
	return len;
}
static DEVICE_ATTR_RO(fingerprint);

/* One line, filled up with blanks so that all have MIGLAB_HISTORY_LINE bytes. */
static void history_line(char *line, const struct miglab_arc *arc)
{
	char result[12] = "busy";
	int len;

	if (arc->result != MIGLAB_IN_PROGRESS)
		scnprintf(result, sizeof(result), "%d", arc->result);
	len = scnprintf(line, MIGLAB_HISTORY_LINE, MIGLAB_HISTORY_FMT, arc->seq,
			miglab_state_name(arc->from), miglab_state_name(arc->to),
			miglab_state_name(arc->requested), arc->begin_ns, arc->end_ns, result,
			arc->rule, arc->pid);
	memset(line + len - 1, ' ', MIGLAB_HISTORY_LINE - len);
	line[MIGLAB_HISTORY_LINE - 1] = '\n';
}

/*
 * Which arcs @file shows: from the one that was the oldest when it was last read from its
 * beginning, so that an arc that begins between two read()s moves nothing. Who is not known, since
 * many others have read meanwhile, begins with the oldest one now; who never reads the beginning
 * may be taken for a file that was closed.
 */
static struct miglab_history_view *history_view(struct miglab_device *m, const struct file *file,
						bool anew)
{
	const struct miglab_arc *oldest = miglab_history_from(&m->history, 0);
	struct miglab_history_view *view = m->views;

	lockdep_assert_held(&m->state_lock);
	while (view < m->views + MIGLAB_HISTORY_VIEWS && view->file != file)
		view++;
	if (view < m->views + MIGLAB_HISTORY_VIEWS && !anew)
		return view;
	if (view == m->views + MIGLAB_HISTORY_VIEWS)
		view = &m->views[m->next_view++ % MIGLAB_HISTORY_VIEWS];
	view->file = file;
	view->first = oldest ? oldest->seq : 1;
	return view;
}

/* The arc of line @index; if that is overwritten already, the oldest, in its place from now on. */
static const struct miglab_arc *history_line_arc(struct miglab_device *m,
						 struct miglab_history_view *view, u64 index)
{
	const struct miglab_arc *arc = miglab_history_from(&m->history, view->first + index);

	if (arc)
		view->first = arc->seq - index;
	return arc;
}

/*
 * Lines of one size, and only whole ones where the buffer allows: so no read that
 * begins where the last one ended sees one line in two versions.
 */
static ssize_t history_read(struct file *file, struct kobject *kobj,
			    compat_bin_read_const struct bin_attribute *attr, char *buf,
			    loff_t pos, size_t count)
{
	struct miglab_device *m = miglab_from_dev(kobj_to_dev(kobj));
	char line[MIGLAB_HISTORY_LINE];
	struct miglab_history_view *view;
	const struct miglab_arc *arc;
	size_t n, done = 0;
	u32 skip;
	u64 index = div_u64_rem(pos, MIGLAB_HISTORY_LINE, &skip);

	mutex_lock(&m->state_lock);
	view = history_view(m, file, !pos);
	arc = history_line_arc(m, view, index);
	while (arc && done < count) {
		n = min(MIGLAB_HISTORY_LINE - skip, count - done);
		if (done && n < MIGLAB_HISTORY_LINE)
			break;
		history_line(line, arc);
		memcpy(buf + done, line + skip, n);
		done += n;
		skip = 0;
		arc = miglab_history_from(&m->history, arc->seq + 1);
	}
	mutex_unlock(&m->state_lock);
	return done;
}

static compat_bin_attrs_const struct bin_attribute bin_attr_history = {
	.attr = { .name = "history", .mode = 0444 },
	.read = history_read,
};

static struct attribute *miglab_attrs[] = {
	&dev_attr_profile.attr,
	&dev_attr_model.attr,
	&dev_attr_state_bytes.attr,
	&dev_attr_dirty_bytes_per_sec.attr,
	&dev_attr_rules.attr,
	&dev_attr_rules_error.attr,
	&dev_attr_hold.attr,
	&dev_attr_release.attr,
	&dev_attr_state.attr,
	&dev_attr_held.attr,
	&dev_attr_stats.attr,
	&dev_attr_fingerprint.attr,
	NULL
};

static compat_bin_attrs_const struct bin_attribute *compat_bin_attrs_const miglab_bin_attrs[] = {
	&bin_attr_history,
	NULL
};

/* What the device is may be fixed. */
static umode_t miglab_is_visible(struct kobject *kobj, struct attribute *attr, int n)
{
	if (attr != &dev_attr_profile.attr && attr != &dev_attr_model.attr &&
	    attr != &dev_attr_state_bytes.attr)
		return attr->mode;
	return miglab_from_dev(kobj_to_dev(kobj))->ops->set_model ? attr->mode : 0444;
}

static const struct attribute_group miglab_group = {
	.name = GROUP_NAME,
	.is_visible = miglab_is_visible,
	.attrs = miglab_attrs,
	.bin_attrs = miglab_bin_attrs,
};

const struct attribute_group *miglab_groups[] = {
	&miglab_group,
	NULL
};
EXPORT_SYMBOL_GPL(miglab_groups);
