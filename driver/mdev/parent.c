// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parent of the mediated devices, /sys/devices/virtual/miglab_mdev/miglab_mdev, and the types
 * that it offers. mdev names a type after the parent's class: miglab_mdev-synthetic-full.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/module.h>

#include "mdev.h"

static const struct miglab_mdev_model *const models[] = {
	&miglab_mdev_synthetic,
	&miglab_mdev_edu,
	&miglab_mdev_mem,
};

#define NR_TYPES	(ARRAY_SIZE(models) * MIGLAB_NR_PROFILES)

static struct miglab_mdev_type types[NR_TYPES];
static struct mdev_type *type_list[NR_TYPES];
static const struct class *parent_class;
static struct device *parent_dev;
static struct mdev_parent parent;

static void make_types(void)
{
	struct miglab_mdev_type *t;
	size_t i;

	for (i = 0; i < NR_TYPES; i++) {
		t = &types[i];
		t->model = models[i / MIGLAB_NR_PROFILES];
		t->profile = miglab_profile_at(i % MIGLAB_NR_PROFILES);
		snprintf(t->name, sizeof(t->name), "%s-%s", t->model->ops->name, t->profile);
		t->type.sysfs_name = t->name;
		t->type.pretty_name = t->name;
		type_list[i] = &t->type;
	}
}

int miglab_parent_register(void)
{
	int ret;

	parent_class = class_create(KBUILD_MODNAME);
	if (IS_ERR(parent_class))
		return PTR_ERR(parent_class);
	parent_dev = device_create(parent_class, NULL, 0, NULL, KBUILD_MODNAME);
	if (IS_ERR(parent_dev)) {
		ret = PTR_ERR(parent_dev);
		goto out_class;
	}
	make_types();
	ret = mdev_register_parent(&parent, parent_dev, &miglab_mdev_driver, type_list, NR_TYPES);
	if (ret)
		goto out_device;
	return 0;

out_device:
	device_unregister(parent_dev);
out_class:
	class_destroy(parent_class);
	return ret;
}

void miglab_parent_unregister(void)
{
	mdev_unregister_parent(&parent);
	device_unregister(parent_dev);
	class_destroy(parent_class);
}
