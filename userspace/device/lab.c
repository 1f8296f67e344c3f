// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lab of a device of the kernel's: /sys/bus/pci/devices/BDF/miglab/, or of a mediated device
 * /sys/bus/mdev/devices/UUID/miglab/.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device/lab.h"
#include "device/pci.h"

struct sysfs_lab {
	struct lab lab;		/* first: the ops' argument */
	char name[SYSFS_NAME_SIZE];
};

/* The path of an attribute, and what it takes for "%s/%s". */
#define ATTRIBUTE	"%s/%s/miglab/%s"
#define WHERE(s)	pci_or_mdev((s)->name), (s)->name

static int fail(const struct sysfs_lab *s, int code, const char *verb, const char *attribute,
		struct error *err)
{
	return error_set(err, code, "cannot %s attribute %s of %s: %s", verb, attribute, s->name,
			 sysfs_strerror(code));
}

static int lab_read(struct lab *lab, const char *attribute, char **ret_text, struct error *err)
{
	struct sysfs_lab *s = (struct sysfs_lab *)lab;
	int ret = sysfs_read(ret_text, ATTRIBUTE, WHERE(s), attribute);

	return ret ? fail(s, ret, "read", attribute, err) : 0;
}

/* What the module says about rules that it refused, if they are what was refused. */
static int explain_rules(struct sysfs_lab *s, int code, struct error *err)
{
	char line[256];

	if (sysfs_read_line(line, sizeof(line), ATTRIBUTE, WHERE(s), "rules_error"))
		return fail(s, code, "write", "rules", err);
	return lab_rules_refused(line, err);
}

int lab_refuse_hold(int code, const char *text, const char *in_force, struct error *err)
{
	int len = (int)strcspn(in_force, "\n");
	const char *pid = strstr(in_force, "pid=");

	if (code == -EBUSY && pid)
		return error_set(err, code,
				 "process %d holds its transitions (%.*s), and only one can at a time: end that one first",
				 atoi(pid + 4), len, in_force);
	return error_set(err, code,
			 "hold: \"%.*s\" is not FROM>TO limit_us=N with one transition and 1 to 3600000000 us, nor \"none\"",
			 (int)strcspn(text, "\n"), text);
}

/* What is in force says why the lease was refused. */
static int explain_hold(struct sysfs_lab *s, int code, const char *text, struct error *err)
{
	char line[128] = "";

	if (sysfs_read_line(line, sizeof(line), ATTRIBUTE, WHERE(s), "hold"))
		return fail(s, code, "write", "hold", err);
	return error_prefix(err, lab_refuse_hold(code, text, line, err), "%s", s->name);
}

static int lab_write(struct lab *lab, const char *attribute, const char *text, struct error *err)
{
	struct sysfs_lab *s = (struct sysfs_lab *)lab;
	int ret = sysfs_write(text, ATTRIBUTE, WHERE(s), attribute);

	if (ret == -EINVAL && !strcmp(attribute, "rules"))
		return explain_rules(s, ret, err);
	if ((ret == -EINVAL || ret == -EBUSY) && !strcmp(attribute, "hold"))
		return explain_hold(s, ret, text, err);
	return ret ? fail(s, ret, "write", attribute, err) : 0;
}

static void lab_close(struct lab *lab)
{
	free(lab);
}

static const struct lab_ops sysfs_lab_ops = {
	.close = lab_close,
	.read = lab_read,
	.write = lab_write,
};

/* It is somebody else's. */
static int refuse(const char *name, struct error *err)
{
	char driver[SYSFS_NAME_SIZE];

	pci_driver(name, driver);
	if (pci_is_mdev(name))
		return error_set(err, -ENXIO,
				 "%s is not made by " MIGLAB_MDEV ", its driver is %s; "
				 "`miglab create` makes one", name, driver);
	return error_set(err, -ENXIO,
			 "%s is not bound to " MIGLAB_DRIVER ", its driver is %s; "
			 "run: miglab bind %s", name, driver, name);
}

int lab_open_sysfs(const char *text, struct lab **ret_lab, struct error *err)
{
	char name[SYSFS_NAME_SIZE];
	struct sysfs_lab *s;
	int ret = pci_or_mdev_find(text, name, err);

	if (ret)
		return ret;
	if (!sysfs_exists("%s/%s/miglab", pci_or_mdev(name), name))
		return refuse(name, err);
	s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, -ENOMEM, "%s: no memory for its lab", name);
	s->lab.ops = &sysfs_lab_ops;
	s->lab.witness = "kernel";
	strcpy(s->name, name);
	*ret_lab = &s->lab;
	return 0;
}
