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

static void judge_ours(struct pci_function *f)
{
	char what[PCI_USE_SIZE];

	sysfs_read_line(f->profile, sizeof(f->profile), PCI_DEVICES "/%s/miglab/profile", f->bdf);
	sysfs_read_line(f->model, sizeof(f->model), PCI_DEVICES "/%s/miglab/model", f->bdf);
	sysfs_read_line(f->state, sizeof(f->state), PCI_DEVICES "/%s/miglab/state", f->bdf);
	if (pci_in_use(f->bdf, what))
		judge(f, MIGRATABLE_YES, "bound to " MIGLAB_DRIVER ", %s, %s; in use: %s",
		      f->profile, f->model, what);
	else
		judge(f, MIGRATABLE_YES, "bound to " MIGLAB_DRIVER ", %s, %s", f->profile,
		      f->model);
}

static void judge_function(struct pci_function *f)
{
	char vfio[SYSFS_NAME_SIZE];

	if (pci_is_bridge(f->bdf))
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

int list_functions(struct pci_function **ret_functions, size_t *ret_count, struct error *err)
{
	struct pci_function *functions;
	char **names;
	size_t count;
	int ret = sysfs_names(&names, &count, PCI_DEVICES);

	if (ret)
		return error_set(err, ret, "cannot read /sys/" PCI_DEVICES ": %s", strerror(-ret));
	functions = calloc(count + 1, sizeof(*functions));
	for (size_t i = 0; functions && i < count; i++)
		fill(&functions[i], names[i]);
	sysfs_names_free(names, count);
	if (!functions)
		return error_set(err, -ENOMEM, "no memory for %zu functions", count);
	*ret_functions = functions;
	*ret_count = count;
	return 0;
}

int list_function(const char *text, struct pci_function *ret_function, struct error *err)
{
	char bdf[PCI_BDF_SIZE];
	int ret = pci_find(text, bdf, err);

	if (ret)
		return ret;
	memset(ret_function, 0, sizeof(*ret_function));
	fill(ret_function, bdf);
	return 0;
}
