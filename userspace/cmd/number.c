// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "cmd/cmd.h"

int cmd_number(const char *name, const char *text, long min, long max, long *ret,
	       struct error *err)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < min || value > max)
		return error_set(err, -EINVAL, "%s %s: give a number from %ld to %ld", name, text,
				 min, max);
	*ret = value;
	return 0;
}
