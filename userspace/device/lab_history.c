// SPDX-License-Identifier: GPL-2.0-only
/*
 * The attribute `history` as numbers.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/lab.h"
#include "device/state.h"

static int parse_result(const char *word, int *ret_result)
{
	char end;

	if (!strcmp(word, "busy")) {
		*ret_result = 1;
		return 0;
	}
	return sscanf(word, "%d%c", ret_result, &end) == 1 && *ret_result <= 0 ? 0 : -EINVAL;
}

/* "seq from to requested t_begin_ns t_end_ns result rule pid", then blanks at most */
static int parse_line(const char *line, struct lab_arc *arc)
{
	char from[16], to[16], requested[16], result[16];
	int end = 0;

	if (sscanf(line,
		   "%" SCNu64 " %15s %15s %15s %" SCNu64 " %" SCNu64 " %15s %" SCNu32 " %" SCNd32
		   " %n",
		   &arc->seq, from, to, requested, &arc->begin_ns, &arc->end_ns, result,
		   &arc->rule, &arc->pid, &end) != 9 || line[end])
		return -EINVAL;
	if (device_state_parse(from, &arc->from) || device_state_parse(to, &arc->to) ||
	    device_state_parse(requested, &arc->requested))
		return -EINVAL;
	return parse_result(result, &arc->result);
}

static size_t count_lines(const char *text)
{
	size_t lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

/* The lines of @text, which is cut up, into @arcs, which has room. */
static int parse_lines(char *text, struct lab_arc *arcs, size_t *ret_count, struct error *err)
{
	size_t count = 0;

	for (char *line = text, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			return error_set(err, -EINVAL, "history: the line \"%s\" has no end", line);
		*end = '\0';
		if (parse_line(line, &arcs[count]))
			return error_set(err, -EINVAL, "history: line %zu is malformed: \"%s\"",
					 count + 1, line);
		count++;
	}
	*ret_count = count;
	return 0;
}

int lab_parse_history(const char *text, struct lab_arc **ret_arcs, size_t *ret_count,
		      struct error *err)
{
	struct lab_arc *arcs = calloc(count_lines(text) + 1, sizeof(*arcs));
	char *copy = strdup(text);
	int ret = -ENOMEM;

	if (!arcs || !copy)
		error_set(err, ret, "history: no memory for %zu lines", count_lines(text));
	else
		ret = parse_lines(copy, arcs, ret_count, err);
	free(copy);
	if (ret)
		free(arcs);
	else
		*ret_arcs = arcs;
	return ret;
}
