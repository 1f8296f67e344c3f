// SPDX-License-Identifier: GPL-2.0-only
#include "conform/found.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/lab.h"
#include "device/ops.h"

int found_take(struct found *f, struct device *dev, struct error *err)
{
	char path[PATH_MAX];
	int ret;

	*f = (struct found){ .bdf = "" };
	if (!dev->lab || dev->calls->sysfs(dev, path, sizeof(path)))
		return 0;
	ret = dev->lab->ops->read(dev->lab, "rules", &f->rules, err);
	if (ret)
		return ret;
	snprintf(f->bdf, sizeof(f->bdf), "%.60s", strrchr(path, '/') + 1);
	settings_take(&f->settings, dev->lab);
	return 0;
}

static int put_back_rules(const struct found *f, struct lab *lab, struct error *err)
{
	char *now = NULL;
	int ret = lab->ops->read(lab, "rules", &now, err);

	if (!ret && strcmp(now, f->rules))
		ret = lab->ops->write(lab, "rules", f->rules, err);
	free(now);
	return ret;
}

static int put_back(struct found *f, struct error *err)
{
	struct lab *lab;
	int ret = lab_open_sysfs(f->bdf, &lab, err), other;

	if (ret)
		return ret;
	ret = put_back_rules(f, lab, err);
	other = settings_put_back(&f->settings, lab, ret ? NULL : err);
	lab->ops->close(lab);
	return ret ? ret : other;
}

int found_put_back(struct found *f, struct error *err)
{
	int ret = *f->bdf ? put_back(f, err) : 0;

	if (ret)
		error_prefix(err, ret, "%s is not as it was; its rules were \"%s\"", f->bdf,
			     f->rules);
	free(f->rules);
	*f = (struct found){ .bdf = "" };
	return ret;
}
