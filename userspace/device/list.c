// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/inuse.h"
#include "device/list.h"

static void __attribute__((format(printf, 3, 4)))
judge(struct pci_function *f, enum migratable migratable, const char *why, ...)
{
	va_list args;

	f->migratable = migratable;
	va_start(args, why);
	vsnprintf(f->why, sizeof(f->why), why, args);
	va_end(args);
}

/* It can be had: at once, or when nobody uses it any more. */
static void judge_others(struct pci_function *f)
{
	char what[PCI_USE_SIZE];

	if (pci_in_use(f->bdf, what))
		judge(f, MIGRATABLE_NO, "in the hands of %s and in use: %s", f->driver, what);
	else
		judge(f, MIGRATABLE_NO, "in the hands of %s; run: miglab bind %s", f->driver,
		      f->bdf);
}

/* The attribute of one of our devices. */
static void read_ours(const struct pci_function *f, const char *attribute,
		      char ret_line[SYSFS_NAME_SIZE])
{
	sysfs_read_line(ret_line, SYSFS_NAME_SIZE, "%s/%s/miglab/%s", pci_or_mdev(f->bdf), f->bdf,
			attribute);
}

static void judge_ours(struct pci_function *f)
{
	const char *how = pci_is_mdev(f->bdf) ? "made by" : "bound to";
	char what[PCI_USE_SIZE];

	read_ours(f, "profile", f->profile);
	read_ours(f, "model", f->model);
	read_ours(f, "state", f->state);
	if (pci_in_use(f->bdf, what))
		judge(f, MIGRATABLE_YES, "%s %s, %s, %s; in use: %s", how, f->driver, f->profile,
		      f->model, what);
	else
		judge(f, MIGRATABLE_YES, "%s %s, %s, %s", how, f->driver, f->profile, f->model);
}

static void judge_mdev(struct pci_function *f)
{
	if (!strcmp(f->driver, MIGLAB_MDEV))
		judge_ours(f);
	else
		judge(f, MIGRATABLE_UNKNOWN, "%s decides when it is opened", f->driver);
}

static void judge_function(struct pci_function *f)
{
	char vfio[SYSFS_NAME_SIZE];

	if (pci_is_mdev(f->bdf))
		judge_mdev(f);
	else if (pci_is_bridge(f->bdf))
		judge(f, MIGRATABLE_NO, "a bridge");
	else if (!strcmp(f->group, "none"))
		judge(f, MIGRATABLE_NO, "no IOMMU group; boot with intel_iommu=on or amd_iommu=on");
	else if (!strcmp(f->driver, MIGLAB_DRIVER))
		judge_ours(f);
	else if (!strcmp(f->driver, "vfio-pci"))
		judge(f, MIGRATABLE_NO, "vfio-pci has no migration; run: miglab bind %s", f->bdf);
	else if (!pci_vfio_name(f->bdf, vfio))
		judge(f, MIGRATABLE_UNKNOWN, "%s decides when it is opened", f->driver);
	else if (!strcmp(f->driver, "none"))
		judge(f, MIGRATABLE_NO, "no driver; run: miglab bind %s", f->bdf);
	else
		judge_others(f);
}

static void fill(struct pci_function *f, const char *bdf)
{
	snprintf(f->bdf, sizeof(f->bdf), "%s", bdf);
	sysfs_read_number(&f->vendor, PCI_DEVICES "/%s/vendor", bdf);
	sysfs_read_number(&f->device, PCI_DEVICES "/%s/device", bdf);
	sysfs_read_number(&f->class, PCI_DEVICES "/%s/class", bdf);
	pci_driver(bdf, f->driver);
	if (pci_iommu_group(bdf, f->group, NULL))
		strcpy(f->group, "none");
	judge_function(f);
}

/* Appends the devices in @at, below the root of sysfs; *functions grows. */
static int append(const char *at, struct pci_function **functions, size_t *total, struct error *err)
{
	struct pci_function *more;
	char **names;
	size_t count;
	int ret = sysfs_names(&names, &count, "%s", at);

	if (ret)
		return error_set(err, ret, "cannot read /sys/%s: %s", at, strerror(-ret));
	more = realloc(*functions, (*total + count + 1) * sizeof(*more));
	if (more) {
		*functions = more;
		memset(more + *total, 0, (count + 1) * sizeof(*more));
	}
	for (size_t i = 0; more && i < count; i++)
		fill(&more[(*total)++], names[i]);
	sysfs_names_free(names, count);
	return more ? 0 : error_set(err, -ENOMEM, "no memory for %zu functions", *total + count);
}

int list_functions(struct pci_function **ret_functions, size_t *ret_count, struct error *err)
{
	struct pci_function *functions = NULL;
	size_t count = 0;
	int ret = append(PCI_DEVICES, &functions, &count, err);

	/* Without the module mdev there is no such bus. */
	if (!ret && sysfs_exists(MDEV_DEVICES))
		ret = append(MDEV_DEVICES, &functions, &count, err);
	if (ret) {
		free(functions);
		return ret;
	}
	*ret_functions = functions;
	*ret_count = count;
	return 0;
}

int list_function(const char *text, struct pci_function *ret_function, struct error *err)
{
	char bdf[SYSFS_NAME_SIZE];
	int ret = pci_or_mdev_find(text, bdf, err);

	if (ret)
		return ret;
	memset(ret_function, 0, sizeof(*ret_function));
	fill(ret_function, bdf);
	return 0;
}
