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

#include "busmaster.h"
#include "compat.h"
#include "pci.h"
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

static struct miglab_device *miglab_pci_device(struct vfio_device *vdev)
{
	return &pci_from_vfio(vdev)->m;
}

/* A reset of the function holds memory_lock for writing, or the device's lock. */
static void miglab_pci_commit_lock(struct miglab_device *m)
{
	down_read(&to_pci(m)->core.memory_lock);
}

static void miglab_pci_commit_unlock(struct miglab_device *m)
{
	up_read(&to_pci(m)->core.memory_lock);
}

static void use_choice(struct miglab_pci *pci, const struct miglab_pci_choice *choice)
{
	pci->choice = *choice;
	miglab_model_text(choice, pci->m.config.model);
}

static int miglab_pci_set_model(struct miglab_device *m, const char *text)
{
	struct miglab_pci *pci = to_pci(m);
	struct miglab_pci_choice choice;
	bool other;
	int ret;

	ret = miglab_model_parse(text, &choice) ?: miglab_model_fits(pci->core.pdev, &choice);
	if (ret)
		return ret;
	mutex_lock(&m->state_lock);
	other = choice.model != pci->choice.model;
	use_choice(pci, &choice);
	mutex_unlock(&m->state_lock);
	if (other)
		miglab_model_announce(pci->core.pdev, &choice);
	return 0;
}

static const struct miglab_ops miglab_pci_ops = {
	.mig = MIGLAB_MIGRATION_OPS,
	.device = miglab_pci_device,
	.commit_lock = miglab_pci_commit_lock,
	.commit_unlock = miglab_pci_commit_unlock,
	.state_changed = miglab_bus_master_update,
	.set_model = miglab_pci_set_model,
};

/* The model that the user wants, in a function that is enabled. */
static int open_model(struct miglab_pci *pci, const struct miglab_pci_choice *choice)
{
	const struct pci_dev *pdev = pci->core.pdev;
	struct miglab_identity id = {
		.vendor = pdev->vendor,
		.device = pdev->device,
		.subvendor = pdev->subsystem_vendor,
		.subdevice = pdev->subsystem_device,
		.model = choice->model->ops->model,
		.state_bytes = choice->model->state_bytes(&pci->m, choice),
	};
	int ret;

	pci->model = choice->model;
	pci->bars = 0;
	ret = pci->model->open ? pci->model->open(&pci->m, choice) : 0;
	if (ret)
		return ret;
	ret = miglab_migration_open(&pci->m, pci->model->ops, &id);
	if (ret && pci->model->close)
		pci->model->close(&pci->m);
	return ret;
}

static int miglab_open_device(struct vfio_device *vdev)
{
	struct miglab_pci *pci = pci_from_vfio(vdev);
	struct miglab_pci_choice choice;
	int bar, ret;

	mutex_lock(&pci->m.state_lock);
	choice = pci->choice;
	choice.state_bytes = pci->m.config.state_bytes;
	/* Nobody asks before the first open ends, and this is the first. */
	vdev->migration_flags = pci->m.config.flags;
	vdev->log_ops = choice.model->reports_dma ? MIGLAB_LOG_OPS : NULL;
	mutex_unlock(&pci->m.state_lock);

	ret = vfio_pci_core_enable(&pci->core);
	if (ret)
		return ret;
	ret = open_model(pci, &choice);
	if (ret) {
		vfio_pci_core_disable(&pci->core);
		return ret;
	}
	if (pci->model->reports_dma)
		miglab_dirty_open(&pci->m);
	vfio_pci_core_finish_enable(&pci->core);
	/* It has just found out which ones can be mapped as they are. */
	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if (pci->bars & BIT(bar) && !pci->model->mmap)
			pci->core.bar_mmap_supported[bar] = false;
	return 0;
}

static void miglab_close_device(struct vfio_device *vdev)
{
	struct miglab_pci *pci = pci_from_vfio(vdev);

	miglab_migration_close(&pci->m);
	/* The core switches bus mastering off for good when it closes. */
	mutex_lock(&pci->m.state_lock);
	pci->bus_master_off = false;
	mutex_unlock(&pci->m.state_lock);
	if (pci->model->close)
		pci->model->close(&pci->m);
	vfio_pci_core_close_device(vdev);
}

/* Is @pos in a BAR that is the model's? */
static bool claimed(struct miglab_pci *pci, loff_t pos)
{
	u64 index = VFIO_PCI_OFFSET_TO_INDEX(pos);

	return index < PCI_STD_NUM_BARS && pci->bars & BIT(index);
}

static ssize_t model_rw(struct miglab_pci *pci, char __user *buf, size_t count, loff_t *ppos,
			bool write)
{
	struct device *dev = &pci->core.pdev->dev;
	ssize_t done;

	if (pm_runtime_resume_and_get(dev))
		return -EIO;
	done = pci->model->rw(&pci->m, buf, count, ppos, write);
	pm_runtime_put(dev);
	return done;
}

static ssize_t miglab_read(struct vfio_device *vdev, char __user *buf, size_t count,
			   loff_t *ppos)
{
	struct miglab_pci *pci = pci_from_vfio(vdev);

	if (claimed(pci, *ppos))
		return model_rw(pci, buf, count, ppos, false);
	return miglab_bus_master_read(vdev, buf, count, ppos);
}

static ssize_t miglab_write(struct vfio_device *vdev, const char __user *buf, size_t count,
			    loff_t *ppos)
{
	struct miglab_pci *pci = pci_from_vfio(vdev);

	if (claimed(pci, *ppos))
		return model_rw(pci, (char __user *)buf, count, ppos, true);
	return miglab_bus_master_write(vdev, buf, count, ppos);
}

static int miglab_mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	struct miglab_pci *pci = pci_from_vfio(vdev);

	if (pci->model->mmap && claimed(pci, (loff_t)vma->vm_pgoff << PAGE_SHIFT))
		return pci->model->mmap(&pci->m, vma);
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
	else if (cmd == VFIO_DEVICE_IOEVENTFD && to_pci(m)->bars)
		ret = -ENOTTY;
	return ret ?: vfio_pci_core_ioctl(vdev, cmd, arg);
}

static struct miglab_params params(void)
{
	return (struct miglab_params){
		.profile = profile,
		.rules = rules,
		.state_bytes = state_bytes,
		.dirty_bytes_per_sec = dirty_bytes_per_sec,
	};
}

static int miglab_init_dev(struct vfio_device *vdev)
{
	const struct miglab_params wanted = params();
	struct miglab_pci *pci = pci_from_vfio(vdev);
	struct miglab_pci_choice choice;
	int ret;

	ret = miglab_model_parse(model, &choice) ?:
	      miglab_model_fits(to_pci_dev(vdev->dev), &choice);
	if (ret)
		return ret;
	ret = miglab_device_init(&pci->m, vdev, &miglab_pci_ops, &wanted);
	if (ret)
		return ret;
	use_choice(pci, &choice);
	ret = vfio_pci_core_init_dev(vdev);
	if (ret) {
		miglab_device_destroy(&pci->m);
		return ret;
	}
	miglab_dirty_init(&pci->dirty);
	mutex_init(&pci->attach_lock);
	return 0;
}

static void miglab_release_dev(struct vfio_device *vdev)
{
	struct miglab_pci *pci = pci_from_vfio(vdev);

	vfio_pci_core_release_dev(vdev);
	miglab_device_destroy(&pci->m);
	mutex_destroy(&pci->attach_lock);
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
	struct miglab_pci *pci;
	int ret;

	/* So drvdata, which the core wants to be its own, is the vfio_device as well. */
	static_assert(offsetof(struct vfio_pci_core_device, vdev) == 0);

	pci = vfio_alloc_device(miglab_pci, core.vdev, &pdev->dev, &miglab_vfio_ops);
	if (IS_ERR(pci))
		return PTR_ERR(pci);
	dev_set_drvdata(&pdev->dev, &pci->core);
	ret = vfio_pci_core_register_device(&pci->core);
	if (ret) {
		vfio_put_device(&pci->core.vdev);
		return ret;
	}
	miglab_model_announce(pdev, &pci->choice);
	return 0;
}

/* The attributes are gone by now: nobody could release a hold that users wait for. */
static void miglab_remove(struct pci_dev *pdev)
{
	struct miglab_pci *pci = pci_from_dev(&pdev->dev);

	miglab_migration_abort(&pci->m);
	vfio_pci_core_unregister_device(&pci->core);
	vfio_put_device(&pci->core.vdev);
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

static int __init miglab_module_init(void)
{
	const struct miglab_params wanted = params();
	struct miglab_pci_choice choice;
	int ret;

	ret = miglab_params_check(&wanted);
	if (ret)
		return ret;
	if (miglab_model_parse(model, &choice)) {
		pr_err("parameter model: no such model: \"%s\"\n", model);
		return -EINVAL;
	}
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
