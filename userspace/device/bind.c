// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "device/bind.h"
#include "device/inuse.h"
#include "device/module.h"
#include "device/pci.h"

/* What a function had before it was bound: "none" and "(null)" where it had nothing. */
struct previous {
	char driver[SYSFS_NAME_SIZE];
	char override[SYSFS_NAME_SIZE];
};

static int remember(const char *bdf, const struct previous *p, struct error *err)
{
	char path[PATH_MAX], *slash;
	FILE *file;
	int ret = sysfs_run_path(path, sizeof(path), bdf);

	if (ret)
		return error_set(err, ret, "cannot remember the driver of %s: %s", bdf,
				 strerror(-ret));
	slash = strrchr(path, '/');
	*slash = '\0';
	mkdir(path, 0755);
	*slash = '/';
	file = fopen(path, "we");
	if (file)
		fprintf(file, "%s\n%s\n", p->driver, p->override);
	if (!file || fclose(file))
		return error_set(err, -EIO, "cannot remember the driver of %s in %s: %s", bdf, path,
				 sysfs_strerror(-errno));
	return 0;
}

/* Only when all is as it was: until then it is what a second unbind needs. */
static void forget(const char *bdf)
{
	char path[PATH_MAX];

	if (!sysfs_run_path(path, sizeof(path), bdf))
		unlink(path);
}

static bool is_remembered(const char *bdf)
{
	char path[PATH_MAX];

	return !sysfs_run_path(path, sizeof(path), bdf) && !access(path, F_OK);
}

/* What was remembered; "" as the driver when nothing was. */
static void recall(const char *bdf, struct previous *ret)
{
	struct previous p = { "", "(null)" };
	char path[PATH_MAX];
	FILE *file = NULL;

	if (!sysfs_run_path(path, sizeof(path), bdf))
		file = fopen(path, "re");
	if (file) {
		if (fscanf(file, "%63s %63s", p.driver, p.override) != 2)
			p = (struct previous){ "", "(null)" };
		fclose(file);
	}
	*ret = p;
}

/*
 * An override that is ours is left over from a module that was removed, and a function
 * without a driver may be one that did not get back to its own: what was before that is
 * what counts.
 */
static void get_previous(const char *bdf, struct previous *ret)
{
	struct previous p;

	if (sysfs_read_line(p.override, sizeof(p.override), PCI_DEVICES "/%s/driver_override", bdf))
		strcpy(p.override, "(null)");
	pci_driver(bdf, p.driver);
	if (!strcmp(p.override, MIGLAB_DRIVER))
		recall(bdf, &p);
	else if (!strcmp(p.driver, "none") && is_remembered(bdf))
		recall(bdf, &p);
	*ret = p;
}

static int set_override(const char *bdf, const char *driver, struct error *err)
{
	int ret = sysfs_write(strcmp(driver, "(null)") ? driver : "\n",
			      PCI_DEVICES "/%s/driver_override", bdf);

	return ret ? error_set(err, ret, "cannot set driver_override of %s: %s", bdf,
			       sysfs_strerror(ret)) : 0;
}

static int release_driver(const char *bdf, struct error *err)
{
	char driver[SYSFS_NAME_SIZE];
	int ret;

	pci_driver(bdf, driver);
	if (!strcmp(driver, "none"))
		return 0;
	ret = sysfs_write(bdf, PCI_DEVICES "/%s/driver/unbind", bdf);
	return ret ? error_set(err, ret, "cannot unbind %s from %s: %s", bdf, driver,
			       sysfs_strerror(ret)) : 0;
}

/* Lets the kernel find a driver, as driver_override says, and checks that it is @want. */
static int probe(const char *bdf, const char *want, struct error *err)
{
	char driver[SYSFS_NAME_SIZE];
	int ret = sysfs_write(bdf, "bus/pci/drivers_probe");

	pci_driver(bdf, driver);
	if (strcmp(driver, want))
		return error_set(err, ret ? ret : -EIO,
				 "%s did not bind to %s, its driver is %s (%s); the kernel log says why",
				 bdf, want, driver, strerror(ret ? -ret : EIO));
	return 0;
}

/* To @want, or, when that is "", to whatever driver the kernel finds, which may be none. */
static int reattach(const char *bdf, const char *want, struct error *err)
{
	int ret = *want ? sysfs_write(bdf, PCI_DRIVERS "/%s/bind", want) : -ENOENT;
	char driver[SYSFS_NAME_SIZE];

	if (ret)
		sysfs_write(bdf, "bus/pci/drivers_probe");
	pci_driver(bdf, driver);
	if (!*want || !strcmp(driver, want))
		return 0;
	return error_set(err, -EIO,
			 "%s did not go back to %s, its driver is %s (%s); "
			 "load %s and run miglab unbind %s again",
			 bdf, want, driver, sysfs_strerror(ret ? ret : -EIO), want, bdf);
}

/* A function without a driver: the way out of an error, and of unbind. */
static int give_back(const char *bdf, const struct previous *p, struct error *err)
{
	int ret = set_override(bdf, p->override, err);

	if (!ret && strcmp(p->driver, "none"))
		ret = reattach(bdf, p->driver, err);
	if (ret)
		return ret;
	forget(bdf);
	log_info("%s is back with %s", bdf,
		 *p->driver ? p->driver : "the driver that the kernel finds");
	return 0;
}

/* @known: what can be written, for who wrote something else */
static int set_attribute(const char *bdf, const char *attribute, const char *value,
			 const char *known, struct error *err)
{
	int ret;

	if (!value)
		return 0;
	ret = sysfs_write(value, PCI_DEVICES "/%s/miglab/%s", bdf, attribute);
	if (ret == -EINVAL)
		return error_set(err, ret, "%s does not take %s \"%s\"; there are %s", bdf,
				 attribute, value, known);
	return ret ? error_set(err, ret, "%s does not take %s \"%s\": %s", bdf, attribute, value,
			       sysfs_strerror(ret)) : 0;
}

static int set_attributes(const char *bdf, const char *profile, const char *model,
			  struct error *err)
{
	int ret = set_attribute(bdf, "profile", profile, "full, no-p2p, no-precopy and stop-copy",
				err);

	if (!ret)
		ret = set_attribute(bdf, "model", model, "synthetic, edu, bar and bar:N", err);
	if (ret == -ENODEV)
		return error_set(err, ret,
				 "%s does not take model \"%s\": the kernel log (dmesg) says why",
				 bdf, model);
	return ret;
}

/* Of a function that is bound: who has it open would not get what is asked for here. */
static int change_attributes(const char *bdf, const char *profile, const char *model,
			     struct error *err)
{
	int ret = profile || model ? pci_check_unused(bdf, err) : 0;

	return ret ? ret : set_attributes(bdf, profile, model, err);
}

static int check_bindable(const char *bdf, struct error *err)
{
	char group[SYSFS_NAME_SIZE];
	int ret;

	if (pci_is_bridge(bdf))
		return error_set(err, -EINVAL,
				 "%s is a PCI bridge, which no VFIO driver takes; bind a function behind it",
				 bdf);
	ret = pci_iommu_group(bdf, group, err);
	return ret ? ret : pci_check_unused(bdf, err);
}

static int take(const char *bdf, const char *profile, const char *model, struct error *err)
{
	int ret = set_override(bdf, MIGLAB_DRIVER, err);

	if (!ret)
		ret = release_driver(bdf, err);
	if (!ret)
		ret = probe(bdf, MIGLAB_DRIVER, err);
	return ret ? ret : set_attributes(bdf, profile, model, err);
}

int bind_function(const char *text, const char *profile, const char *model, struct error *err)
{
	char bdf[PCI_BDF_SIZE], driver[SYSFS_NAME_SIZE];
	struct previous previous;
	struct error back;
	int ret = pci_find(text, bdf, err);

	if (ret)
		return ret;
	pci_driver(bdf, driver);
	if (!strcmp(driver, MIGLAB_DRIVER))
		return change_attributes(bdf, profile, model, err);
	ret = check_bindable(bdf, err);
	if (!ret)
		ret = module_load(MIGLAB_DRIVER, PCI_DRIVERS "/" MIGLAB_DRIVER, err);
	if (ret)
		return ret;
	get_previous(bdf, &previous);
	ret = remember(bdf, &previous, err);
	if (ret)
		return ret;
	ret = take(bdf, profile, model, err);
	if (!ret)
		log_info("%s is taken from %s", bdf, previous.driver);
	else if (release_driver(bdf, &back) || give_back(bdf, &previous, &back))
		log_warn("%s", back.text);
	return ret;
}

int unbind_function(const char *text, struct error *err)
{
	char bdf[PCI_BDF_SIZE], driver[SYSFS_NAME_SIZE], override[SYSFS_NAME_SIZE] = "";
	struct previous previous;
	int ret = pci_find(text, bdf, err);

	if (ret)
		return ret;
	pci_driver(bdf, driver);
	sysfs_read_line(override, sizeof(override), PCI_DEVICES "/%s/driver_override", bdf);
	/*
	 * Without its driver but with our override, the module was removed; with what is
	 * remembered, an earlier unbind got only so far.
	 */
	if (strcmp(strcmp(driver, "none") ? driver : override, MIGLAB_DRIVER) &&
	    (strcmp(driver, "none") || !is_remembered(bdf)))
		return error_set(err, -EINVAL,
				 "%s is not bound to " MIGLAB_DRIVER ", its driver is %s", bdf,
				 driver);
	ret = pci_check_unused(bdf, err);
	if (!ret)
		ret = release_driver(bdf, err);
	if (ret)
		return ret;
	recall(bdf, &previous);
	return give_back(bdf, &previous, err);
}
