// SPDX-License-Identifier: GPL-2.0-only
#include "attribute.h"

#include <string.h>

#include "device/lab.h"

int attribute_read(const char *bdf, const char *name, char **ret_text, struct error *err)
{
	struct lab *lab;
	int ret = lab_open_sysfs(bdf, &lab, err);

	if (ret)
		return ret;
	ret = lab->ops->read(lab, name, ret_text, err);
	lab->ops->close(lab);
	return ret;
}

int attribute_read_line(const char *bdf, const char *name, char **ret_text, struct error *err)
{
	char *text;
	int ret = attribute_read(bdf, name, &text, err);

	if (ret)
		return ret;
	text[strcspn(text, "\n")] = '\0';
	*ret_text = text;
	return 0;
}

int attribute_write(const char *bdf, const char *name, const char *text, struct error *err)
{
	struct lab *lab;
	int ret = lab_open_sysfs(bdf, &lab, err);

	if (ret)
		return ret;
	ret = lab->ops->write(lab, name, text, err);
	lab->ops->close(lab);
	return ret;
}
