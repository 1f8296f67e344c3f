// SPDX-License-Identifier: GPL-2.0-only
#include "recording.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const side_names[] = { "source", "destination" };

/* The first word in which two sequences differ. */
static int first_difference(const char *a, const char *b, const char *what, const char *side,
			    struct error *err)
{
	size_t i = 0, word = 0;

	for (i = 0; a[i] && a[i] == b[i]; i++)
		if (a[i] == ' ')
			word = i;
	if (!a[i] && !b[i])
		return 0;
	if ((!a[i] && b[i] == ' ') || (!b[i] && a[i] == ' '))
		word = i;
	return error_set(err, 1, "%s of the %s:%.*s instead of%.*s", what, side,
			 b[word] ? (int)strcspn(b + word + 1, " ") + 1 : 8,
			 b[word] ? b + word : " nothing",
			 a[word] ? (int)strcspn(a + word + 1, " ") + 1 : 8,
			 a[word] ? a + word : " nothing");
}

/* What ours must be: @other if there is one, which must not be QEMU's, else what QEMU's is. */
static int compare(const char *qemu, const char *other, const char *ours, const char *what,
		   const char *side, struct error *err)
{
	struct error ignored;
	int ret = first_difference(other ? other : qemu, ours, what, side, err);

	if (!ret && other && !first_difference(qemu, other, "", "", &ignored))
		ret = error_set(err, 1, "the %s of the %s do not differ from QEMU's any more", what,
				side);
	return ret;
}

int recording_compare(const struct scenario *scenario, const struct recording *qemu,
		      const struct recording *ours, struct error *err)
{
	size_t i;
	int ret;

	for (i = 0; i < SIDES; i++) {
		ret = compare(qemu->events[i], scenario->ours[i], ours->events[i], "events",
			      side_names[i], err);
		if (!ret)
			ret = compare(qemu->arcs[i], scenario->ours_arcs[i], ours->arcs[i], "arcs",
				      side_names[i], err);
		if (ret)
			return ret;
	}
	return 0;
}

/* The start of word @index, its blank included, or NULL. */
static char *find_word(char *text, size_t index)
{
	char *at = strchr(text, ' ');

	while (at && index--)
		at = strchr(at + 1, ' ');
	return at;
}

int recording_swap(struct recording *recording, enum side side, size_t first)
{
	char swapped[SEQUENCE_MAX];
	char *a = find_word(recording->events[side], first);
	char *b = a ? strchr(a + 1, ' ') : NULL;
	size_t length;

	if (!b)
		return -ENOENT;
	length = strcspn(b + 1, " ") + 1;
	snprintf(swapped, sizeof(swapped), "%.*s%.*s", (int)length, b, (int)(b - a), a);
	memcpy(a, swapped, length + (size_t)(b - a));
	return 0;
}
