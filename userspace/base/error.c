// SPDX-License-Identifier: GPL-2.0-only
#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* A text that did not fit ends in "..." and not in the middle of a UTF-8 sequence. */
static void shorten(struct error *err)
{
	size_t end = sizeof(err->text) - sizeof("...");

	while (end && ((unsigned char)err->text[end] & 0xc0) == 0x80)
		end--;
	strcpy(err->text + end, "...");
}

int error_vset(struct error *err, int code, const char *fmt, va_list args)
{
	if (err && vsnprintf(err->text, sizeof(err->text), fmt, args) >= (int)sizeof(err->text))
		shorten(err);
	return code;
}

int error_set(struct error *err, int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	error_vset(err, code, fmt, args);
	va_end(args);
	return code;
}

int error_prefix(struct error *err, int code, const char *fmt, ...)
{
	struct error what, old;
	va_list args;

	if (!err)
		return code;

	va_start(args, fmt);
	error_vset(&what, code, fmt, args);
	va_end(args);

	old = *err;
	return error_set(err, code, "%s: %s", what.text, old.text);
}
