// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/pci.h"

#define UUID_LEN	36

/* Exactly @min to @max hexadecimal digits, then @end; moves *at behind it. */
static bool take_hex(const char **at, size_t min, size_t max, char end, unsigned long limit,
		     unsigned long *ret)
{
	size_t n = 0;

	while (isxdigit((unsigned char)(*at)[n]))
		n++;
	if (n < min || n > max || (*at)[n] != end)
		return false;
	*ret = strtoul(*at, NULL, 16);
	*at += n + (end != '\0');
	return *ret <= limit;
}

int pci_parse_bdf(const char *text, char ret_bdf[PCI_BDF_SIZE], struct error *err)
{
	const char *at = strncmp(text, "vfio:", 5) ? text : text + 5, *colon = strchr(at, ':');
	unsigned long domain = 0, bus, slot, function;

	if (colon && strchr(colon + 1, ':') && !take_hex(&at, 4, 6, ':', 0xffffff, &domain))
		goto malformed;
	if (!take_hex(&at, 2, 2, ':', 0xff, &bus) || !take_hex(&at, 2, 2, '.', 0x1f, &slot) ||
	    !take_hex(&at, 1, 1, '\0', 7, &function))
		goto malformed;
	snprintf(ret_bdf, PCI_BDF_SIZE, "%04lx:%02lx:%02lx.%lx", domain, bus, slot, function);
	return 0;

malformed:
	return error_set(err, -EINVAL,
			 "\"%s\" is not the address of a PCI function; write it like 0000:01:00.0 or 01:00.0",
			 text);
}

int pci_find(const char *text, char ret_bdf[PCI_BDF_SIZE], struct error *err)
{
	char bdf[PCI_BDF_SIZE];
	int ret = pci_parse_bdf(text, bdf, err);

	if (ret)
		return ret;
	if (!sysfs_exists(PCI_DEVICES "/%s", bdf))
		return error_set(err, -ENODEV,
				 "there is no PCI function %s; `miglab list` shows those that are",
				 bdf);
	strcpy(ret_bdf, bdf);
	return 0;
}

/* Any UUID, in lower case as the kernel has it. */
static bool parse_uuid(const char *text, char ret_uuid[SYSFS_NAME_SIZE])
{
	static const char shape[UUID_LEN + 1] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (strlen(text) != UUID_LEN)
		return false;
	for (size_t i = 0; i < UUID_LEN; i++)
		if (shape[i] == '-' ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	for (size_t i = 0; i <= UUID_LEN; i++)
		ret_uuid[i] = (char)tolower((unsigned char)text[i]);
	return true;
}

int pci_or_mdev_parse(const char *text, char ret_name[SYSFS_NAME_SIZE], struct error *err)
{
	const char *at = strncmp(text, "vfio:", 5) ? text : text + 5;
	bool mdev = !strncmp(at, "mdev=", 5);

	if (parse_uuid(mdev ? at + 5 : at, ret_name))
		return 0;
	if (mdev)
		return error_set(err, -EINVAL,
				 "\"%s\" is not the UUID of a mediated device; `miglab list` shows those that are",
				 at + 5);
	return pci_parse_bdf(text, ret_name, err);
}

int pci_or_mdev_find(const char *text, char ret_name[SYSFS_NAME_SIZE], struct error *err)
{
	char name[SYSFS_NAME_SIZE];
	int ret = pci_or_mdev_parse(text, name, err);

	if (ret)
		return ret;
	if (!pci_is_mdev(name))
		return pci_find(name, ret_name, err);
	if (!sysfs_exists(MDEV_DEVICES "/%s", name))
		return error_set(err, -ENODEV,
				 "there is no mediated device %s; `miglab list` shows those that are, "
				 "and `miglab create` makes one", name);
	strcpy(ret_name, name);
	return 0;
}

bool pci_is_mdev(const char *name)
{
	return strlen(name) == UUID_LEN && name[8] == '-';
}

const char *pci_or_mdev(const char *name)
{
	return pci_is_mdev(name) ? MDEV_DEVICES : PCI_DEVICES;
}

void pci_driver(const char *bdf, char ret_name[SYSFS_NAME_SIZE])
{
	if (sysfs_link_name(ret_name, SYSFS_NAME_SIZE, "%s/%s/driver", pci_or_mdev(bdf), bdf))
		strcpy(ret_name, "none");
}

bool pci_is_bridge(const char *bdf)
{
	unsigned long class;

	return !sysfs_read_number(&class, PCI_DEVICES "/%s/class", bdf) && class >> 16 == 0x06;
}

int pci_iommu_group(const char *bdf, char ret_group[SYSFS_NAME_SIZE], struct error *err)
{
	if (sysfs_link_name(ret_group, SYSFS_NAME_SIZE, "%s/%s/iommu_group", pci_or_mdev(bdf), bdf))
		return error_set(err, -ENXIO,
				 "%s has no IOMMU group; switch the IOMMU on in the firmware and boot with intel_iommu=on or amd_iommu=on",
				 bdf);
	return 0;
}

int pci_vfio_name(const char *bdf, char ret_name[SYSFS_NAME_SIZE])
{
	char **names;
	size_t count;
	int ret = sysfs_names(&names, &count, "%s/%s/vfio-dev", pci_or_mdev(bdf), bdf);

	if (ret)
		return ret == -ENOENT ? -ENODEV : ret;
	if (count)
		snprintf(ret_name, SYSFS_NAME_SIZE, "%s", names[0]);
	sysfs_names_free(names, count);
	return count ? 0 : -ENODEV;
}
