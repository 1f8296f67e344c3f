// SPDX-License-Identifier: GPL-2.0-only
#include "judge/hold.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TESTED	"arc=PRE_COPY>PRE_COPY_P2P"
#define HOLD	" hold limit_us=5000000"

/* Is @word one of the blank-separated words of the @len bytes at @text? */
static bool has_word(const char *text, size_t len, const char *word)
{
	const char *end = text + len;

	while (text < end) {
		size_t n = strcspn(text, " \t");

		if (n > (size_t)(end - text))
			n = end - text;
		if (n == strlen(word) && !memcmp(text, word, n))
			return true;
		text += n + 1;
	}
	return false;
}

char *hold_rules(const char *text)
{
	char *held = NULL;
	size_t size;
	FILE *out = open_memstream(&held, &size);

	if (!out)
		return NULL;
	while (*text) {
		size_t rule = strcspn(text, "#;\n");
		/* A comment goes to the end of its line, any ';' included. */
		size_t rest = text[rule] == '#' ? strcspn(text + rule, "\n") : 0;

		fprintf(out, "%.*s", (int)rule, text);
		if (has_word(text, rule, TESTED) && !has_word(text, rule, "hold"))
			fputs(HOLD, out);
		text += rule;
		if (text[rest])
			rest++;
		fprintf(out, "%.*s", (int)rest, text);
		text += rest;
	}
	fprintf(out, "\n%s%s\n", TESTED, HOLD);
	if (fclose(out)) {
		free(held);
		return NULL;
	}
	return held;
}
