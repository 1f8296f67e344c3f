// SPDX-License-Identifier: GPL-2.0-only
#include "report/results.h"

#include <errno.h>
#include <string.h>

int report_format_find(const char *name, const struct report_format **ret, struct error *err)
{
	static const struct report_format *const formats[] = { &ktap_format, &junit_format };

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(formats[i]->name, name))
			continue;
		*ret = formats[i];
		return 0;
	}
	return error_set(err, -EINVAL, "--format %s: give ktap or junit", name);
}
