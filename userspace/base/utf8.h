/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates.
 */
#ifndef MIGLAB_BASE_UTF8_H
#define MIGLAB_BASE_UTF8_H

#include <stdbool.h>

/* Between two bytes; all zero between two characters. */
struct utf8 {
	unsigned int left;	/* bytes that are missing of a sequence */
	unsigned char min, max;	/* the next one of them is in here */
};

/* May @c come next? After a false, @u is between two characters. */
bool utf8_next(struct utf8 *u, unsigned char c);

/* Puts '?' in the place of each byte of @text that is not UTF-8. */
void utf8_clean(char *text);

#endif
