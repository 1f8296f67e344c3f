// SPDX-License-Identifier: GPL-2.0-only
#include "report/xml.h"

#include <string.h>

void xml_put(FILE *out, const char *text)
{
	for (; *text && strcmp(text, "\n"); text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc((unsigned char)*text < ' ' && *text != '\n' ? '?' : *text, out);
		}
	}
}
