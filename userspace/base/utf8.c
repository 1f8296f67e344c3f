// SPDX-License-Identifier: GPL-2.0-only
#include "base/utf8.h"

/* The table of RFC 3629, section 4. */
bool utf8_next(struct utf8 *u, unsigned char c)
{
	if (u->left) {
		bool ok = c >= u->min && c <= u->max;

		u->left = ok ? u->left - 1 : 0;
		u->min = 0x80;
		u->max = 0xbf;
		return ok;
	}
	if (c < 0x80)
		return true;
	if (c < 0xc2 || c > 0xf4)
		return false;

	u->left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	u->min = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	u->max = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	return true;
}

/* How many bytes the character at @text has; 0: it is none. */
static int character(const char *text)
{
	struct utf8 u = { 0 };
	int n = 0;

	do {
		if (!utf8_next(&u, (unsigned char)text[n++]))
			return 0;
	} while (u.left);
	return n;
}

void utf8_clean(char *text)
{
	while (*text) {
		int n = character(text);

		if (!n)
			*text = '?';
		text += n ? n : 1;
	}
}
