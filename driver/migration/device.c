// SPDX-License-Identifier: GPL-2.0-only
/*
 * miglab: what miglab_vfio_pci and miglab_mdev have in common, and no driver by itself.
 */
#define pr_fmt(fmt) "miglab: " fmt

#include <linux/export.h>
#include <linux/module.h>

#define CREATE_TRACE_POINTS
#include "trace.h"

#include "device.h"

static int rules_check(const char *rules)
{
	struct miglab_rules_error err;
	struct miglab_ruleset *set;

	set = miglab_ruleset_parse(rules, strlen(rules), &err);
	if (PTR_ERR(set) == -ENOMEM)
		return -ENOMEM;
	if (IS_ERR(set)) {
		pr_err("parameter rules: line %u column %u: %s: \"%s\"\n", err.line, err.column,
		       err.what, err.value);
		return PTR_ERR(set);
	}
	kfree(set);
	return 0;
}

int miglab_params_check(const struct miglab_params *params)
{
	u32 flags;

	if (miglab_profile_parse(params->profile, strlen(params->profile), &flags)) {
		pr_err("parameter profile: no such profile: \"%s\"\n", params->profile);
		return -EINVAL;
	}
	if (!miglab_synthetic_size_ok(params->state_bytes)) {
		pr_err("parameter state_bytes: %llu is not a multiple of 4096 up to 1 GiB\n",
		       params->state_bytes);
		return -EINVAL;
	}
	return rules_check(params->rules);
}
EXPORT_SYMBOL_GPL(miglab_params_check);

static struct miglab_rulebook *rulebook_new(const char *name, const char *rules)
{
	struct miglab_rules_error err;
	struct miglab_ruleset *set;

	set = miglab_ruleset_parse(rules, strlen(rules), &err);
	if (IS_ERR(set))
		return ERR_CAST(set);
	return miglab_rulebook_new(name, set);
}

int miglab_device_init(struct miglab_device *m, struct vfio_device *vdev,
		       const struct miglab_ops *ops, const struct miglab_params *params)
{
	int ret;

	ret = miglab_profile_parse(params->profile, strlen(params->profile), &m->config.flags);
	if (ret)
		return ret;
	m->book = rulebook_new(dev_name(vdev->dev), params->rules);
	if (IS_ERR(m->book))
		return PTR_ERR(m->book);
	m->stats = miglab_stats_new();
	if (!m->stats) {
		miglab_rulebook_put(m->book);
		return -ENOMEM;
	}

	init_waitqueue_head(&m->wait);
	atomic_set(&m->permits, 0);
	miglab_dirtylog_init(&m->dirty);
	mutex_init(&m->reset_lock);
	mutex_init(&m->state_lock);
	m->state = MIGLAB_RUNNING;
	miglab_history_init(&m->history);
	m->config.state_bytes = params->state_bytes;
	m->config.rate = params->dirty_bytes_per_sec;
	m->ops = ops;
	m->vdev = vdev;
	vdev->migration_flags = m->config.flags;
	vdev->mig_ops = &ops->mig;
	return 0;
}
EXPORT_SYMBOL_GPL(miglab_device_init);

void miglab_device_destroy(struct miglab_device *m)
{
	miglab_stats_put(m->stats);
	miglab_rulebook_put(m->book);
	miglab_hold_destroy(&m->hold);
	mutex_destroy(&m->state_lock);
	mutex_destroy(&m->reset_lock);
	miglab_dirtylog_destroy(&m->dirty);
}
EXPORT_SYMBOL_GPL(miglab_device_destroy);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The miglab authors");
MODULE_DESCRIPTION("VFIO live migration for tests: what the drivers share");
MODULE_VERSION("0.1.0");
