// SPDX-License-Identifier: GPL-2.0-only
#include "report/xml.h"

#include <string.h>

static const char *const entities[128] = {
	['&'] = "&amp;",
	['<'] = "&lt;",
	['>'] = "&gt;",
	['"'] = "&quot;",
};

void xml_put(FILE *out, const char *text)
{
	for (; *text && strcmp(text, "\n"); text++) {
		unsigned char byte = *text;

		if (byte < 128 && entities[byte])
			fputs(entities[byte], out);
		else
			fputc(byte < ' ' && byte != '\n' ? '?' : byte, out);
	}
}
