// SPDX-License-Identifier: GPL-2.0-only
/*
 * miglab_mdev: PCI functions that are software, with a migration interface, for tests. They need no
 * IOMMU and no hardware. Every arc can be slowed, held or made to fail.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include "compat.h"
#include "mdev.h"

#define MAX_INSTANCES	256

static char *rules = MIGLAB_RULES_DEFAULT;
module_param(rules, charp, 0444);
MODULE_PARM_DESC(rules, "Rules of new devices, separated by ';'");

static unsigned long long state_bytes = MIGLAB_STATE_BYTES_DEFAULT;

static int set_state_bytes(const char *text, const struct kernel_param *param)
{
	unsigned long long value;
	int ret;

	ret = kstrtoull(text, 0, &value);
	if (ret)
		return ret;
	if (!miglab_synthetic_size_ok(value)) {
		pr_err("parameter state_bytes: %llu is not a multiple of 4096 up to 1 GiB\n",
		       value);
		return -EINVAL;
	}
	WRITE_ONCE(state_bytes, value);
	return 0;
}

static const struct kernel_param_ops state_bytes_ops = {
	.set = set_state_bytes,
	.get = param_get_ullong,
};

module_param_cb(state_bytes, &state_bytes_ops, &state_bytes, 0644);
MODULE_PARM_DESC(state_bytes, "State of new synthetic devices: 4096 to 1 GiB, a multiple of 4096");

static unsigned long long dirty_bytes_per_sec;
module_param(dirty_bytes_per_sec, ullong, 0444);
MODULE_PARM_DESC(dirty_bytes_per_sec, "How fast new devices change their state");

static struct miglab_mdev *mdev_from_vfio(struct vfio_device *vdev)
{
	return container_of(vdev, struct miglab_mdev, vdev);
}

static struct miglab_device *miglab_mdev_device(struct vfio_device *vdev)
{
	return &mdev_from_vfio(vdev)->m;
}

/* There is no hardware: nothing is to be done beside what the model does. */
static const struct miglab_ops miglab_mdev_ops = {
	.mig = MIGLAB_MIGRATION_OPS,
	.device = miglab_mdev_device,
};

static int make_function(struct miglab_mdev *mdev)
{
	struct miglab_function_id id;
	int ret;

	mdev->model->identify(mdev, &id);
	ret = miglab_function_init(&mdev->f, &mdev->vdev, &id, mdev->model->bars, mdev);
	if (!ret)
		mdev->m.config.state_bytes = mdev->model->state_bytes(mdev);
	return ret;
}

/* What the device can do is that of its type, and is fixed from here on. */
static int miglab_mdev_init(struct vfio_device *vdev)
{
	const struct miglab_mdev_type *type = to_miglab_type(to_mdev_device(vdev->dev)->type);
	struct miglab_mdev *mdev = mdev_from_vfio(vdev);
	const struct miglab_params params = {
		.profile = type->profile,
		.rules = rules,
		.state_bytes = READ_ONCE(state_bytes),
		.dirty_bytes_per_sec = dirty_bytes_per_sec,
	};
	int ret;

	ret = miglab_device_init(&mdev->m, vdev, &miglab_mdev_ops, &params);
	if (ret)
		return ret;
	vdev->log_ops = MIGLAB_LOG_OPS;
	mdev->model = type->model;
	strscpy(mdev->m.config.model, mdev->model->ops->name, MIGLAB_MODEL_TEXT);
	ret = make_function(mdev);
	if (ret)
		goto out_device;
	ret = mdev->model->create ? mdev->model->create(mdev) : 0;
	if (ret)
		goto out_function;
	return 0;

out_function:
	miglab_function_destroy(&mdev->f);
out_device:
	miglab_device_destroy(&mdev->m);
	return ret;
}

static void miglab_mdev_release(struct vfio_device *vdev)
{
	struct miglab_mdev *mdev = mdev_from_vfio(vdev);

	if (mdev->model->destroy)
		mdev->model->destroy(mdev);
	miglab_function_destroy(&mdev->f);
	miglab_device_destroy(&mdev->m);
}

static int miglab_mdev_open(struct vfio_device *vdev)
{
	struct miglab_mdev *mdev = mdev_from_vfio(vdev);
	const struct miglab_identity id = {
		.vendor = mdev->f.id.vendor,
		.device = mdev->f.id.device,
		.subvendor = mdev->f.id.subvendor,
		.subdevice = mdev->f.id.subdevice,
		.model = mdev->model->ops->model,
		.state_bytes = mdev->m.config.state_bytes,
	};
	int ret;

	miglab_function_open(&mdev->f);
	if (mdev->model->open)
		mdev->model->open(mdev);
	ret = miglab_migration_open(&mdev->m, mdev->model->ops, &id);
	if (!ret)
		return 0;
	if (mdev->model->close)
		mdev->model->close(mdev);
	miglab_function_close(&mdev->f);
	return ret;
}

static void miglab_mdev_close(struct vfio_device *vdev)
{
	struct miglab_mdev *mdev = mdev_from_vfio(vdev);

	miglab_migration_close(&mdev->m);
	if (mdev->model->close)
		mdev->model->close(mdev);
	miglab_function_close(&mdev->f);
}

void miglab_mdev_reset(struct miglab_mdev *mdev)
{
	miglab_migration_reset_prepare(&mdev->m);
	miglab_function_reset(&mdev->f);
	miglab_migration_reset_done(&mdev->m);
}

/* It may fail by rule; then nothing is reset. */
static int ioctl_reset(struct miglab_mdev *mdev)
{
	struct miglab_plan plan;
	int ret;

	ret = miglab_obey(&mdev->m, MIGLAB_OP_RESET, &plan);
	if (!ret)
		miglab_mdev_reset(mdev);
	return ret;
}

static long miglab_mdev_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg)
{
	struct miglab_mdev *mdev = mdev_from_vfio(vdev);

	if (cmd == VFIO_DEVICE_RESET)
		return ioctl_reset(mdev);
	return miglab_function_ioctl(&mdev->f, cmd, arg);
}

static int __maybe_unused miglab_mdev_region_info(struct vfio_device *vdev,
						  struct vfio_region_info *info,
						  struct vfio_info_cap *caps)
{
	return miglab_function_region_info(&mdev_from_vfio(vdev)->f, info);
}

static ssize_t miglab_mdev_read(struct vfio_device *vdev, char __user *buf, size_t count,
				loff_t *ppos)
{
	return miglab_function_rw(&mdev_from_vfio(vdev)->f, buf, count, ppos, false);
}

static ssize_t miglab_mdev_write(struct vfio_device *vdev, const char __user *buf, size_t count,
				 loff_t *ppos)
{
	return miglab_function_rw(&mdev_from_vfio(vdev)->f, (char __user *)buf, count, ppos,
				  true);
}

static int miglab_mdev_mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	return miglab_function_mmap(&mdev_from_vfio(vdev)->f, vma);
}

/* The device is to be removed and is in use: its user is asked, again and again. */
static void miglab_mdev_request(struct vfio_device *vdev, unsigned int count)
{
	if (miglab_function_request(&mdev_from_vfio(vdev)->f))
		dev_dbg(vdev->dev, "its user is asked to give it back: %u\n", count);
	else if (!count)
		dev_notice(vdev->dev, "is in use by somebody who cannot be asked to give it back\n");
}

static const struct vfio_device_ops miglab_mdev_vfio_ops = {
	.name = KBUILD_MODNAME,
	.init = miglab_mdev_init,
	.release = miglab_mdev_release,
	.open_device = miglab_mdev_open,
	.close_device = miglab_mdev_close,
	.ioctl = miglab_mdev_ioctl,
	COMPAT_MDEV_REGION_INFO_OPS
	.read = miglab_mdev_read,
	.write = miglab_mdev_write,
	.mmap = miglab_mdev_mmap,
	.request = miglab_mdev_request,
	.bind_iommufd = vfio_iommufd_emulated_bind,
	.unbind_iommufd = vfio_iommufd_emulated_unbind,
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,
	.detach_ioas = vfio_iommufd_emulated_detach_ioas,
};

static int miglab_mdev_probe(struct mdev_device *dev)
{
	struct miglab_mdev *mdev;
	int ret;

	mdev = vfio_alloc_device(miglab_mdev, vdev, &dev->dev, &miglab_mdev_vfio_ops);
	if (IS_ERR(mdev))
		return PTR_ERR(mdev);
	dev_set_drvdata(&dev->dev, &mdev->vdev);
	ret = vfio_register_emulated_iommu_dev(&mdev->vdev);
	if (ret) {
		vfio_put_device(&mdev->vdev);
		return ret;
	}
	dev_info(&dev->dev, "for tests only: %s\n", mdev->model->ops->notice);
	return 0;
}

/* The attributes are gone by now: nobody could release a hold that users wait for. */
static void miglab_mdev_remove(struct mdev_device *dev)
{
	struct miglab_mdev *mdev = mdev_from_vfio(dev_get_drvdata(&dev->dev));

	miglab_migration_abort(&mdev->m);
	vfio_unregister_group_dev(&mdev->vdev);
	vfio_put_device(&mdev->vdev);
}

static ssize_t show_description(struct mdev_type *mtype, char *buf)
{
	const struct miglab_mdev_type *type = to_miglab_type(mtype);

	return sysfs_emit(buf, "for tests: %s; profile %s\n", type->model->ops->notice,
			  type->profile);
}

struct mdev_driver miglab_mdev_driver = {
	.device_api = VFIO_DEVICE_API_PCI_STRING,
	.max_instances = MAX_INSTANCES,
	.probe = miglab_mdev_probe,
	.remove = miglab_mdev_remove,
	.show_description = show_description,
	.driver = {
		.name = KBUILD_MODNAME,
		.owner = THIS_MODULE,
		.mod_name = KBUILD_MODNAME,
		.dev_groups = miglab_groups,
	},
};

static int __init miglab_mdev_module_init(void)
{
	const struct miglab_params params = {
		.profile = "full",
		.rules = rules,
		.state_bytes = state_bytes,
		.dirty_bytes_per_sec = dirty_bytes_per_sec,
	};
	int ret;

	ret = miglab_params_check(&params);
	if (ret)
		return ret;
	ret = mdev_register_driver(&miglab_mdev_driver);
	if (ret)
		return ret;
	ret = miglab_parent_register();
	if (ret)
		mdev_unregister_driver(&miglab_mdev_driver);
	return ret;
}
module_init(miglab_mdev_module_init);

static void __exit miglab_mdev_module_exit(void)
{
	miglab_parent_unregister();
	mdev_unregister_driver(&miglab_mdev_driver);
}
module_exit(miglab_mdev_module_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The miglab authors");
MODULE_DESCRIPTION("PCI functions that are software, for tests of VFIO live migration");
MODULE_VERSION("0.1.0");
