// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "device/create.h"
#include "device/inuse.h"
#include "device/module.h"
#include "device/pci.h"

#define PARENT	"class/mdev_bus/" MIGLAB_MDEV
#define TYPES	PARENT "/mdev_supported_types"
#define PREFIX	MIGLAB_MDEV "-"

/* Is @name, of a type, that of @model with some profile? */
static bool is_of_model(const char *name, const char *model)
{
	size_t len = strlen(model);

	return !strncmp(name, PREFIX, strlen(PREFIX)) &&
	       !strncmp(name + strlen(PREFIX), model, len) && name[strlen(PREFIX) + len] == '-';
}

/* Appends @word to the words in @list, once. */
static void add_word(char *list, size_t size, const char *word)
{
	const char *at = strstr(list, word);
	size_t used = strlen(list), len = strlen(word);

	if (at && (at == list || at[-1] == ' ') && (at[len] == ',' || !at[len]))
		return;
	snprintf(list + used, size - used, "%s%s", used ? ", " : "", word);
}

/* There is no type of that name: says what there is instead. */
static int no_such_type(const char *model, const char *profile, struct error *err)
{
	char models[256] = "", profiles[256] = "", word[SYSFS_NAME_SIZE], **names;
	size_t count;
	int ret = sysfs_names(&names, &count, TYPES);

	if (ret)
		return error_set(err, ret, "cannot read /sys/" TYPES ": %s", sysfs_strerror(ret));
	for (size_t i = 0; i < count; i++) {
		const char *name = names[i] + strlen(PREFIX);

		if (strncmp(names[i], PREFIX, strlen(PREFIX)))
			continue;
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(name, "-"), name);
		add_word(models, sizeof(models), word);
		if (is_of_model(names[i], model))
			add_word(profiles, sizeof(profiles), name + strlen(model) + 1);
	}
	sysfs_names_free(names, count);
	if (*profiles)
		return error_set(err, -EINVAL, "there is no profile \"%s\" of %s; there are %s",
				 profile, model, profiles);
	return error_set(err, -EINVAL, "there is no model \"%s\"; there are %s", model, models);
}

static int random_uuid(char ret_uuid[SYSFS_NAME_SIZE], struct error *err)
{
	FILE *file = fopen("/proc/sys/kernel/random/uuid", "re");
	bool read = file && fscanf(file, "%63s", ret_uuid) == 1;

	if (file)
		fclose(file);
	return read ? 0 : error_set(err, -EIO, "cannot make a UUID; give one with --uuid");
}

static int parse_uuid(const char *text, char ret_uuid[SYSFS_NAME_SIZE], struct error *err)
{
	if (!pci_or_mdev_parse(text, ret_uuid, NULL) && pci_is_mdev(ret_uuid))
		return 0;
	return error_set(err, -EINVAL,
			 "\"%s\" is not a UUID; write it like 6d69676c-6162-4000-8000-000000000001",
			 text);
}

/* A part of a file's name: no path. */
static bool is_word(const char *text)
{
	return *text && !strpbrk(text, "/\n") && strlen(text) < SYSFS_NAME_SIZE;
}

int create_function(const char *model, const char *profile, const char *wanted,
		    char ret_uuid[SYSFS_NAME_SIZE], struct error *err)
{
	char uuid[SYSFS_NAME_SIZE];
	int ret;

	ret = wanted ? parse_uuid(wanted, uuid, err) : random_uuid(uuid, err);
	if (!ret)
		ret = module_load(MIGLAB_MDEV, PARENT, err);
	if (ret)
		return ret;
	if (!is_word(model) || !is_word(profile) ||
	    !sysfs_exists(TYPES "/" PREFIX "%s-%s", model, profile))
		return no_such_type(model, profile, err);
	ret = sysfs_write(uuid, TYPES "/" PREFIX "%s-%s/create", model, profile);
	if (ret == -EEXIST)
		return error_set(err, ret,
				 "there is a mediated device %s already; give another --uuid, or "
				 "run: miglab remove %s", uuid, uuid);
	if (ret == -EUSERS)
		return error_set(err, ret, "there are as many functions as " MIGLAB_MDEV
				 " makes; remove one: `miglab list` shows them");
	if (ret)
		return error_set(err, ret, "cannot create %s: %s; the kernel log says why", uuid,
				 sysfs_strerror(ret));
	strcpy(ret_uuid, uuid);
	return 0;
}

int remove_function(const char *text, struct error *err)
{
	char name[SYSFS_NAME_SIZE], driver[SYSFS_NAME_SIZE];
	int ret = parse_uuid(text, name, err) ?: pci_or_mdev_find(name, name, err);

	if (ret)
		return ret;
	pci_driver(name, driver);
	if (strcmp(driver, MIGLAB_MDEV))
		return error_set(err, -EINVAL, "%s is not made by " MIGLAB_MDEV
				 ", its driver is %s", name, driver);
	ret = pci_check_unused(name, err);
	if (ret)
		return ret;
	ret = sysfs_write("1", MDEV_DEVICES "/%s/remove", name);
	return ret ? error_set(err, ret, "cannot remove %s: %s", name, sysfs_strerror(ret)) : 0;
}
