// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "device/state.h"
#include "witness/recording.h"

#define VERSION	1

struct reading {
	unsigned int line;	/* that is being read, from 1 on */
	struct recorded *records;
	size_t count;
	bool ended;
};

/* How a record is written behind its first word. False: it is not. */
static bool parse_arc(const char *text, struct witness_arc *ret)
{
	char from[16], to[16], wanted[16], result[16];
	int tgid, len = 0;

	if (sscanf(text, "%63s %d %15s %15s %15s %15s %" SCNu64 " %" SCNu64 " %15s%n", ret->device,
		   &tgid, ret->comm, from, to, wanted, &ret->begin_ns, &ret->end_ns, result,
		   &len) != 9 || text[len] || ret->end_ns < ret->begin_ns)
		return false;
	ret->tgid = tgid;
	if (!strcmp(result, "unknown"))
		ret->result = WITNESS_UNKNOWN;
	else if (sscanf(result, "%d%n", &ret->result, &len) != 1 || result[len] || ret->result > 0)
		return false;
	return !device_state_parse(from, &ret->from) && !device_state_parse(to, &ret->to) &&
	       !device_state_parse(wanted, &ret->wanted);
}

static bool parse_state(const char *text, struct witness_arc *ret)
{
	char state[16];
	int len = 0;

	if (sscanf(text, "%63s %15s %" SCNu64 "%n", ret->device, state, &ret->end_ns, &len) != 3 ||
	    text[len] || device_state_parse(state, &ret->to))
		return false;
	ret->begin_ns = ret->end_ns;
	ret->from = ret->to;
	ret->wanted = ret->to;
	return true;
}

static bool parse_reset(const char *text, struct witness_arc *ret)
{
	int len = 0;

	if (sscanf(text, "%63s %" SCNu64 " %d%n", ret->device, &ret->end_ns, &ret->result,
		   &len) != 3 || text[len] || ret->result > 0)
		return false;
	ret->begin_ns = ret->end_ns;
	return !device_state_parse("RUNNING", &ret->to);
}

static bool parse_lost(const char *text, struct witness_arc *ret)
{
	int len = 0;

	return sscanf(text, "%d%n", &ret->result, &len) == 1 && !text[len] && ret->result > 0;
}

static const struct {
	const char *word;
	enum arcs_news news;
	bool (*parse)(const char *text, struct witness_arc *ret);
} kinds[] = {
	{ "arc ", ARCS_ENDED, parse_arc },
	{ "state ", ARCS_STATE, parse_state },
	{ "reset ", ARCS_RESET, parse_reset },
	{ "lost ", ARCS_LOST, parse_lost },
};

static int read_record(struct reading *r, const char *text, struct error *err)
{
	struct recorded *more = realloc(r->records, (r->count + 1) * sizeof(*more));

	if (!more)
		return error_set(err, -ENOMEM, "no memory for the recording");
	r->records = more;
	more += r->count;
	memset(more, 0, sizeof(*more));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t len = strlen(kinds[i].word);

		if (strncmp(text, kinds[i].word, len))
			continue;
		more->news = kinds[i].news;
		if (!kinds[i].parse(text + len, &more->arc))
			break;
		r->count++;
		return 0;
	}
	return error_set(err, -EINVAL, "line %u is no record: \"%.80s\"", r->line, text);
}

static int read_end(struct reading *r, const char *text, struct error *err)
{
	unsigned long records;
	int len = 0;

	if (sscanf(text, "end %lu%n", &records, &len) != 1 || text[len] || records != r->count)
		return error_set(err, -EINVAL, "line %u: \"%.80s\" behind %zu records", r->line,
				 text, r->count);
	r->ended = true;
	return 0;
}

static int read_head(const char *text, struct error *err)
{
	int version, len = 0;

	if (sscanf(text, "miglab recording %d%n", &version, &len) != 1 || text[len])
		return error_set(err, -EINVAL, "it is no recording of miglab watch: it begins with "
				 "\"%.80s\"", text);
	if (version != VERSION)
		return error_set(err, -EINVAL, "it is a recording of version %d, and %d is "
				 "understood", version, VERSION);
	return 0;
}

static int read_line(struct reading *r, const char *text, struct error *err)
{
	if (r->line == 1)
		return read_head(text, err);
	if (r->ended)
		return error_set(err, -EINVAL, "line %u comes behind the end", r->line);
	if (r->line == 2 && !strncmp(text, "kernel ", 7))
		return 0;
	if (!strncmp(text, "end ", 4))
		return read_end(r, text, err);
	return read_record(r, text, err);
}

int recording_read(FILE *in, struct recorded **ret, size_t *ret_count, struct error *err)
{
	struct reading r = { .line = 0 };
	char *text = NULL;
	size_t size = 0;
	int status = 0;
	ssize_t len;

	while (!status && (len = getline(&text, &size, in)) >= 0) {
		text[strcspn(text, "\n")] = '\0';
		r.line++;
		status = read_line(&r, text, err);
	}
	free(text);
	if (!status && !r.ended)
		status = error_set(err, -EINVAL, "it was cut short: there is no end behind line %u",
				   r.line);
	if (status) {
		free(r.records);
		return status;
	}
	*ret = r.records;
	*ret_count = r.count;
	return 0;
}
