// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"

int cmd_number(const char *name, const char *text, long min, long max, long *ret,
	       struct error *err)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < min || value > max)
		return error_set(err, -EINVAL, "%s \"%s\": give a number from %ld to %ld", name,
				 text, min, max);
	*ret = value;
	return 0;
}

int cmd_size(const char *name, const char *text, uint64_t *ret, struct error *err)
{
	static const char units[] = "KMG";
	const char *unit;
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *text < '0' || *text > '9')
		goto malformed;
	unit = *end ? strchr(units, *end) : NULL;
	if (unit && __builtin_mul_overflow(value, 1ull << 10 * (unit - units + 1), &value))
		goto malformed;
	if (unit ? end[1] : *end)
		goto malformed;
	*ret = value;
	return 0;

malformed:
	return error_set(err, -EINVAL, "%s \"%s\": give a number of bytes, or one with K, M or G",
			 name, text);
}
