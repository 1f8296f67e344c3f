// SPDX-License-Identifier: GPL-2.0-only
/*
 * miglab_vfio_pci: a VFIO variant driver that gives any PCI function a migration
 * interface, for tests. Every arc of it can be slowed, held or made to fail.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/vfio_pci_core.h>

#define CREATE_TRACE_POINTS
#include "trace.h"

#include "busmaster.h"
#include "compat.h"
#include "device.h"
#include "reach.h"

static char *profile = "full";
module_param(profile, charp, 0444);
MODULE_PARM_DESC(profile, "What new devices can do: full, no-p2p, no-precopy, stop-copy");

static char *model = "synthetic";
module_param(model, charp, 0444);
MODULE_PARM_DESC(model, "What new devices migrate: synthetic, edu, bar, bar:N");

static char *rules = MIGLAB_RULES_DEFAULT;
module_param(rules, charp, 0444);
MODULE_PARM_DESC(rules, "Rules of new devices, separated by ';'");

static unsigned long long state_bytes = MIGLAB_STATE_BYTES_DEFAULT;
module_param(state_bytes, ullong, 0444);
MODULE_PARM_DESC(state_bytes, "State of new devices: 4096 to 1 GiB, a multiple of 4096");

static unsigned long long dirty_bytes_per_sec;
module_param(dirty_bytes_per_sec, ullong, 0444);
MODULE_PARM_DESC(dirty_bytes_per_sec, "How fast new devices change their state");

static int miglab_open_device(struct vfio_device *vdev)
{
	struct miglab_device *m = miglab_from_vfio(vdev);
	int bar, ret;

	ret = vfio_pci_core_enable(&m->core);
	if (ret)
		return ret;
	ret = miglab_migration_open(m);
	if (ret) {
		vfio_pci_core_disable(&m->core);
		return ret;
	}
	if (m->model->reports_dma)
		miglab_dirty_open(m);
	vfio_pci_core_finish_enable(&m->core);
	/* It has just found out which ones can be mapped as they are. */
	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if (m->bars & BIT(bar) && !m->model->mmap)
			m->core.bar_mmap_supported[bar] = false;
	return 0;
}

static void miglab_close_device(struct vfio_device *vdev)
{
	miglab_migration_close(miglab_from_vfio(vdev));
	vfio_pci_core_close_device(vdev);
}

/* Is @pos in a BAR that is the model's? */
static bool claimed(struct miglab_device *m, loff_t pos)
{
	u64 index = VFIO_PCI_OFFSET_TO_INDEX(pos);

	return index < PCI_STD_NUM_BARS && m->bars & BIT(index);
}

static ssize_t model_rw(struct miglab_device *m, char __user *buf, size_t count, loff_t *ppos,
			bool write)
{
	struct device *dev = &m->core.pdev->dev;
	ssize_t done;

	if (pm_runtime_resume_and_get(dev))
		return -EIO;
	done = m->model->rw(m, buf, count, ppos, write);
	pm_runtime_put(dev);
	return done;
}

static ssize_t miglab_read(struct vfio_device *vdev, char __user *buf, size_t count,
			   loff_t *ppos)
{
	struct miglab_device *m = miglab_from_vfio(vdev);

	if (claimed(m, *ppos))
		return model_rw(m, buf, count, ppos, false);
	return miglab_bus_master_read(vdev, buf, count, ppos);
}

static ssize_t miglab_write(struct vfio_device *vdev, const char __user *buf, size_t count,
			    loff_t *ppos)
{
	struct miglab_device *m = miglab_from_vfio(vdev);

	if (claimed(m, *ppos))
		return model_rw(m, (char __user *)buf, count, ppos, true);
	return miglab_bus_master_write(vdev, buf, count, ppos);
}

static int miglab_mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	struct miglab_device *m = miglab_from_vfio(vdev);

	if (m->model->mmap && claimed(m, (loff_t)vma->vm_pgoff << PAGE_SHIFT))
		return m->model->mmap(m, vma);
	return vfio_pci_core_mmap(vdev, vma);
}

/* VFIO_DEVICE_RESET may fail by rule; then nothing is reset. Hot resets may not. */
static int before_reset(struct miglab_device *m)
{
	struct miglab_plan plan;

	return miglab_obey(m, MIGLAB_OP_RESET, &plan);
}

static long miglab_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg)
{
	struct miglab_device *m = miglab_from_vfio(vdev);
	int ret = 0;

	if (cmd == VFIO_DEVICE_RESET)
		ret = before_reset(m);
	/* One would write behind a model's back, and its offset is read again by the core. */
	else if (cmd == VFIO_DEVICE_IOEVENTFD && m->bars)
		ret = -ENOTTY;
	return ret ?: vfio_pci_core_ioctl(vdev, cmd, arg);
}

/* The book of a new device, with the rules of the module's parameter. */
static struct miglab_rulebook *rulebook_new(struct device *dev)
{
	struct miglab_rules_error err;
	struct miglab_ruleset *set;

	set = miglab_ruleset_parse(rules, strlen(rules), &err);
	if (IS_ERR(set))
		return ERR_CAST(set);
	return miglab_rulebook_new(dev_name(dev), set);
}

static int miglab_init_dev(struct vfio_device *vdev)
{
	struct miglab_device *m = miglab_from_vfio(vdev);
	int ret;

	init_waitqueue_head(&m->wait);
	atomic_set(&m->permits, 0);
	miglab_dirty_init(&m->dirty);
	mutex_init(&m->attach_lock);
	mutex_init(&m->reset_lock);
	mutex_init(&m->state_lock);
	m->state = MIGLAB_RUNNING;
	miglab_history_init(&m->history);
	m->config = (struct miglab_config){
		.state_bytes = state_bytes,
		.rate = dirty_bytes_per_sec,
	};
	ret = miglab_profile_parse(profile, strlen(profile), &m->config.flags);
	if (ret)
		return ret;
	ret = miglab_model_parse(model, &m->config) ?:
	      miglab_model_fits(to_pci_dev(vdev->dev), &m->config);
	if (ret)
		return ret;
	vdev->migration_flags = m->config.flags;
	vdev->mig_ops = &miglab_migration_ops;

	m->book = rulebook_new(vdev->dev);
	if (IS_ERR(m->book))
		return PTR_ERR(m->book);
	ret = -ENOMEM;
	m->stats = miglab_stats_new();
	if (!m->stats)
		goto put_book;
	ret = vfio_pci_core_init_dev(vdev);
	if (ret)
		goto put_stats;
	return 0;

put_stats:
	miglab_stats_put(m->stats);
put_book:
	miglab_rulebook_put(m->book);
	return ret;
}

static void miglab_release_dev(struct vfio_device *vdev)
{
	struct miglab_device *m = miglab_from_vfio(vdev);

	vfio_pci_core_release_dev(vdev);
	miglab_stats_put(m->stats);
	miglab_rulebook_put(m->book);
	miglab_hold_destroy(&m->hold);
	mutex_destroy(&m->state_lock);
	mutex_destroy(&m->reset_lock);
	mutex_destroy(&m->attach_lock);
	miglab_dirty_destroy(&m->dirty);
}

static const struct vfio_device_ops miglab_vfio_ops = {
	.name = KBUILD_MODNAME,
	.init = miglab_init_dev,
	.release = miglab_release_dev,
	.open_device = miglab_open_device,
	.close_device = miglab_close_device,
	.ioctl = miglab_ioctl,
	.device_feature = vfio_pci_core_ioctl_feature,
	.read = miglab_read,
	.write = miglab_write,
	.mmap = miglab_mmap,
	.request = vfio_pci_core_request,
	.match = vfio_pci_core_match,
	.dma_unmap = miglab_dirty_unmap,
	.bind_iommufd = miglab_bind_iommufd,
	.unbind_iommufd = miglab_unbind_iommufd,
	.attach_ioas = miglab_attach_ioas,
	.detach_ioas = miglab_detach_ioas,
	COMPAT_REGION_INFO_OPS
	COMPAT_MATCH_OPS
};

static int miglab_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct miglab_device *m;
	int ret;

	m = vfio_alloc_device(miglab_device, core.vdev, &pdev->dev, &miglab_vfio_ops);
	if (IS_ERR(m))
		return PTR_ERR(m);
	dev_set_drvdata(&pdev->dev, &m->core);
	ret = vfio_pci_core_register_device(&m->core);
	if (ret) {
		vfio_put_device(&m->core.vdev);
		return ret;
	}
	miglab_model_announce(pdev, &m->config);
	return 0;
}

/* The attributes are gone by now: nobody could release a hold that users wait for. */
static void miglab_remove(struct pci_dev *pdev)
{
	struct miglab_device *m = miglab_from_dev(&pdev->dev);

	miglab_migration_abort(m);
	vfio_pci_core_unregister_device(&m->core);
	vfio_put_device(&m->core.vdev);
}

static void miglab_reset_prepare(struct pci_dev *pdev)
{
	miglab_migration_reset_prepare(miglab_from_dev(&pdev->dev));
}

static void miglab_reset_done(struct pci_dev *pdev)
{
	miglab_migration_reset_done(miglab_from_dev(&pdev->dev));
}

static const struct pci_error_handlers miglab_err_handlers = {
	.reset_prepare = miglab_reset_prepare,
	.reset_done = miglab_reset_done,
	.error_detected = vfio_pci_core_aer_err_detected,
};

/*
 * With driver_override the PCI core binds any function, in this table or not; without
 * it none, since all entries are for overrides only. What the entries add is the
 * module's alias, by which management layers look for a variant driver: it must be
 * short, and name test devices of QEMU only (edu and pci-testdev).
 */
static const struct pci_device_id miglab_ids[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(0x1234, 0x11e8) },
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(0x1b36, 0x0005) },
	{ }
};
MODULE_DEVICE_TABLE(pci, miglab_ids);

static struct pci_driver miglab_driver = {
	.name = KBUILD_MODNAME,
	.id_table = miglab_ids,
	.probe = miglab_probe,
	.remove = miglab_remove,
	.err_handler = &miglab_err_handlers,
	.dev_groups = miglab_groups,
	.driver_managed_dma = true,
};

static int rules_check(void)
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

static int __init miglab_module_init(void)
{
	struct miglab_config config;
	u32 flags;
	int ret;

	if (miglab_profile_parse(profile, strlen(profile), &flags)) {
		pr_err("parameter profile: no such profile: \"%s\"\n", profile);
		return -EINVAL;
	}
	if (miglab_model_parse(model, &config)) {
		pr_err("parameter model: no such model: \"%s\"\n", model);
		return -EINVAL;
	}
	if (!miglab_synthetic_size_ok(state_bytes)) {
		pr_err("parameter state_bytes: %llu is not a multiple of 4096 up to 1 GiB\n",
		       state_bytes);
		return -EINVAL;
	}
	ret = rules_check();
	if (ret)
		return ret;
	return pci_register_driver(&miglab_driver);
}
module_init(miglab_module_init);

static void __exit miglab_module_exit(void)
{
	pci_unregister_driver(&miglab_driver);
}
module_exit(miglab_module_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The miglab authors");
MODULE_DESCRIPTION("VFIO live migration for any PCI function, for tests");
MODULE_VERSION("0.1.0");
