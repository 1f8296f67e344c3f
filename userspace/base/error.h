/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sentence that travels beside an error code.
 */
#ifndef MIGLAB_BASE_ERROR_H
#define MIGLAB_BASE_ERROR_H

#include <stdarg.h>

/*
 * What was wrong, with the value, and what to do: one sentence without a final
 * newline. Plain storage, so that reporting an error cannot fail.
 */
struct error {
	char text[512];
};

/*
 * Fills @err (may be NULL) and returns @code, so that a function can end with
 * `return error_set(err, -EINVAL, "...", ...);`. The callee that detects the
 * error sets it; it is untouched on success; the caller decides what to do.
 */
int error_set(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int error_vset(struct error *err, int code, const char *fmt, va_list args)
	__attribute__((format(printf, 3, 0)));

/* Puts "what: " in front of the text, for a caller that knows more; returns @code. */
int error_prefix(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
