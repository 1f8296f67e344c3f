// SPDX-License-Identifier: GPL-2.0-only
#include "witness/arcs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "device/uapi.h"
#include "witness/probes.h"

/* A thread within an ioctl that has taken an arc. */
struct walker {
	bool walks;
	struct witness_arc arc;
};

/* Which device an open file is, learnt from its first arc. */
struct opened {
	uint64_t file;
	char device[WITNESS_NAME_MAX];
};

struct arcs {
	arcs_fn fn;
	void *opaque;
	struct walker *walkers;
	size_t walker_count;
	struct opened *files;
	size_t file_count;
};

/* The fields of the return of the ioctl. */
struct ending {
	uint64_t file;
	uint32_t cmd, flags, state;
	int result;
};

#define GET_STATE	(VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE)
#define SET_STATE	(VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE)

/* What write(2) to trace_marker leaves: "..: tracing_mark_write: TEXT". */
#define MARK		": tracing_mark_write: " ARCS_MARK_TEXT

/* What every line has: "COMM-TID (TGID) [CPU] FLAGS SECONDS.MICROS: EVENT: (PLACE) FIELDS". */
struct line {
	char comm[WITNESS_COMM_MAX];
	pid_t tid, tgid;
	uint64_t ns;
	const char *fields;
};

struct arcs *arcs_new(arcs_fn fn, void *opaque)
{
	struct arcs *arcs = calloc(1, sizeof(*arcs));

	if (arcs) {
		arcs->fn = fn;
		arcs->opaque = opaque;
	}
	return arcs;
}

void arcs_free(struct arcs *arcs)
{
	if (!arcs)
		return;
	free(arcs->walkers);
	free(arcs->files);
	free(arcs);
}

/* --- one line -------------------------------------------------------------- */

/* The last @word in @line: a thread calls itself what it likes, and its name comes first. */
static const char *find_last(const char *line, const char *word)
{
	const char *at = NULL, *next = line;

	while ((next = strstr(next, word)))
		at = next++;
	return at;
}

/* Where ": EVENT: (" begins in @line. */
static const char *find_event(const char *line, const char *event)
{
	char mark[32];

	snprintf(mark, sizeof(mark), ": %s: (", event);
	return find_last(line, mark);
}

/* The beginning of the word that ends before @end, not before @start. */
static const char *word_before(const char *start, const char *end)
{
	while (end > start && end[-1] == ' ')
		end--;
	while (end > start && end[-1] != ' ')
		end--;
	return end;
}

/* "12.345678" before @end. */
static bool parse_time(const char *start, const char *end, const char **ret_at, uint64_t *ret_ns)
{
	const char *at = word_before(start, end);
	uint64_t seconds, micros;
	int len = 0;

	if (sscanf(at, "%" SCNu64 ".%6" SCNu64 "%n", &seconds, &micros, &len) != 2 ||
	    at + len != end)
		return false;
	*ret_at = at;
	*ret_ns = seconds * NSEC_PER_SEC + micros * NSEC_PER_USEC;
	return true;
}

/* "(  231)", "(-------)" or nothing, between the name and "[CPU]" at @cpu. */
static pid_t parse_tgid(const char *start, const char **end)
{
	const char *at = *end;
	pid_t tgid = 0;

	while (at > start && at[-1] == ' ')
		at--;
	if (at == start || at[-1] != ')')
		return 0;
	while (at > start && *at != '(')
		at--;
	sscanf(at, "( %d)", &tgid);
	*end = at;
	return tgid;
}

/* "     CPU 0/KVM-231   ", which ends at @end. */
static bool parse_thread(const char *start, const char *end, struct line *ret)
{
	const char *dash;
	size_t len;

	while (end > start && end[-1] == ' ')
		end--;
	for (dash = end; dash > start && *dash != '-'; dash--)
		;
	if (dash == start || sscanf(dash, "-%d", &ret->tid) != 1)
		return false;
	while (start < dash && *start == ' ')
		start++;
	len = dash - start;
	if (len >= sizeof(ret->comm))
		return false;
	memcpy(ret->comm, start, len);
	ret->comm[len] = '\0';
	return true;
}

static bool parse_line(const char *text, const char *event, struct line *ret)
{
	const char *at = find_event(text, event), *fields;

	if (!at)
		return false;
	fields = strstr(at, ") ");
	if (!fields || !parse_time(text, at, &at, &ret->ns))
		return false;
	at = word_before(text, at);		/* the flags */
	at = word_before(text, at);		/* "[CPU]" */
	if (*at != '[')
		return false;
	ret->fields = fields + 2;
	ret->tgid = parse_tgid(text, &at);
	return parse_thread(text, at, ret);
}

uint64_t arcs_line_ns(const char *line)
{
	const char *at = find_event(line, PROBE_ARC);
	uint64_t ns = 0;

	if (!at)
		at = find_event(line, PROBE_END);
	if (!at)
		at = find_event(line, PROBE_SENT);
	if (!at)
		at = find_last(line, MARK);
	if (at && !parse_time(line, at, &at, &ns))
		ns = 0;
	return ns;
}

/* --- arcs ------------------------------------------------------------------ */

static void tell(struct arcs *arcs, enum arcs_news news, const struct witness_arc *arc)
{
	arcs->fn(arcs->opaque, news, arc);
}

static struct walker *find_walker(struct arcs *arcs, pid_t tid)
{
	for (size_t i = 0; i < arcs->walker_count; i++)
		if (arcs->walkers[i].walks && arcs->walkers[i].arc.tid == tid)
			return &arcs->walkers[i];
	return NULL;
}

/* A place for a thread that begins to walk. NULL: no memory. */
static struct walker *new_walker(struct arcs *arcs)
{
	struct walker *more;

	for (size_t i = 0; i < arcs->walker_count; i++)
		if (!arcs->walkers[i].walks)
			return &arcs->walkers[i];
	more = realloc(arcs->walkers, (arcs->walker_count + 1) * sizeof(*more));
	if (!more)
		return NULL;
	arcs->walkers = more;
	return &more[arcs->walker_count++];
}

static void end_arc(struct arcs *arcs, struct walker *walker, uint64_t ns, int result)
{
	walker->walks = false;
	walker->arc.end_ns = ns;
	walker->arc.result = result;
	tell(arcs, ARCS_ENDED, &walker->arc);
}

/* The fields of the event "arc". */
static bool parse_arc(const char *fields, struct witness_arc *ret, int *ret_error)
{
	int len = 0;

	return sscanf(fields, "dev=\"%63[^\"]\" cur=%" SCNu32 " new=%" SCNu32 " next=%" SCNu32
		      " ret=%d%n", ret->device, &ret->from, &ret->wanted, &ret->to, ret_error,
		      &len) == 5 && !fields[len];
}

/* The helper has answered: the driver goes on with the next arc of its path. */
static int on_arc(struct arcs *arcs, const struct line *line)
{
	struct walker *walker = find_walker(arcs, line->tid);
	struct witness_arc arc = {
		.tid = line->tid, .tgid = line->tgid, .begin_ns = line->ns,
		.result = WITNESS_IN_PROGRESS,
	};
	int error;

	if (!parse_arc(line->fields, &arc, &error))
		return -EBADMSG;
	memcpy(arc.comm, line->comm, sizeof(arc.comm));
	if (walker) {
		/* On the same path the device is now where the last arc led to. */
		bool goes_on = !strcmp(walker->arc.device, arc.device) &&
			       walker->arc.to == arc.from && walker->arc.wanted == arc.wanted;

		end_arc(arcs, walker, arc.begin_ns, goes_on ? 0 : WITNESS_UNKNOWN);
	}
	/* No path, or none is needed: no arc. */
	if (error || arc.to == arc.from)
		return 0;
	walker = new_walker(arcs);
	if (!walker)
		return -ENOMEM;
	walker->walks = true;
	walker->arc = arc;
	tell(arcs, ARCS_BEGUN, &arc);
	return 0;
}

static int learn_file(struct arcs *arcs, uint64_t file, const char *device)
{
	struct opened *more;
	size_t i;

	for (i = 0; i < arcs->file_count && arcs->files[i].file != file; i++)
		;
	if (i == arcs->file_count) {
		more = realloc(arcs->files, (i + 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		arcs->files = more;
		arcs->file_count++;
		more[i].file = file;
	}
	snprintf(arcs->files[i].device, sizeof(arcs->files[i].device), "%s", device);
	return 0;
}

static const char *find_device(const struct arcs *arcs, uint64_t file)
{
	for (size_t i = 0; i < arcs->file_count; i++)
		if (arcs->files[i].file == file)
			return arcs->files[i].device;
	return NULL;
}

/* A file that has not made an arc so far is of no device that we know. */
static void tell_of_file(struct arcs *arcs, enum arcs_news news, const struct line *line,
			 const struct ending *end, uint32_t state)
{
	const char *device = find_device(arcs, end->file);
	struct witness_arc arc = {
		.tid = line->tid, .tgid = line->tgid, .begin_ns = line->ns, .end_ns = line->ns,
		.from = state, .to = state, .wanted = state, .result = end->result,
	};

	if (!device)
		return;
	snprintf(arc.device, sizeof(arc.device), "%s", device);
	memcpy(arc.comm, line->comm, sizeof(arc.comm));
	tell(arcs, news, &arc);
}

/* The number behind @key, such as " ret=", in the notation of @fmt; 0 for a "(fault)". */
static bool field(const char *fields, const char *key, const char *fmt, void *ret)
{
	const char *at = strstr(fields, key);

	return at && sscanf(at + strlen(key), fmt, ret) == 1;
}

/* The fields of the event "end". A VFIO_DEVICE_RESET has no argument that could be read. */
static bool parse_end(const char *fields, struct ending *ret)
{
	if (!field(fields, "file=", "%" SCNx64, &ret->file) ||
	    !field(fields, " cmd=", "%" SCNx32, &ret->cmd) ||
	    !field(fields, " ret=", "%d", &ret->result))
		return false;
	return ret->cmd != VFIO_DEVICE_FEATURE ||
	       (field(fields, " flags=", "%" SCNx32, &ret->flags) &&
		field(fields, " state=", "%" SCNu32, &ret->state));
}

/* The ioctl has returned: so the last arc of its path is over, if it took one. */
static int on_end(struct arcs *arcs, const struct line *line)
{
	struct walker *walker = find_walker(arcs, line->tid);
	struct ending end = { .file = 0 };
	int ret;

	if (!parse_end(line->fields, &end))
		return -EBADMSG;
	if (end.cmd == VFIO_DEVICE_RESET)
		tell_of_file(arcs, ARCS_RESET, line, &end, VFIO_DEVICE_STATE_RUNNING);
	if (end.cmd == VFIO_DEVICE_FEATURE && !end.result &&
	    (end.flags == GET_STATE || (end.flags == SET_STATE && !walker)))
		tell_of_file(arcs, ARCS_STATE, line, &end, end.state);
	if (end.cmd != VFIO_DEVICE_FEATURE || !walker)
		return 0;
	ret = learn_file(arcs, end.file, walker->arc.device);
	end_arc(arcs, walker, line->ns, end.result);
	return ret;
}

/* The value of "device-id" in the JSON text of the event "sent"; "" when there is none. */
static void parse_id(const char *fields, char ret_id[WITNESS_NAME_MAX])
{
	const char *at = strstr(fields, "\"device-id\"");

	if (!at || sscanf(at, "\"device-id\" : \"%63[^\"]\"", ret_id) != 1)
		ret_id[0] = '\0';
}

static int on_sent(struct arcs *arcs, const struct line *line)
{
	struct witness_arc arc = {
		.tid = line->tid, .tgid = line->tgid, .begin_ns = line->ns, .end_ns = line->ns,
	};

	parse_id(line->fields, arc.device);
	memcpy(arc.comm, line->comm, sizeof(arc.comm));
	if (arc.device[0])
		tell(arcs, ARCS_SENT, &arc);
	return 0;
}

/* Somebody's mark; false for a line that is none. */
static bool on_mark(struct arcs *arcs, const char *text)
{
	struct witness_arc mark = { .begin_ns = arcs_line_ns(text) };
	const char *at = find_last(text, MARK);

	if (!at || sscanf(at + strlen(MARK), "%d", &mark.result) != 1)
		return false;
	mark.end_ns = mark.begin_ns;
	tell(arcs, ARCS_MARK, &mark);
	return true;
}

int arcs_line(struct arcs *arcs, const char *text)
{
	static const struct {
		const char *event;
		int (*on)(struct arcs *arcs, const struct line *line);
	} events[] = {
		{ PROBE_ARC, on_arc },
		{ PROBE_END, on_end },
		{ PROBE_SENT, on_sent },
	};
	struct witness_arc lost = { .result = 0 };
	struct line line;

	if (sscanf(text, "CPU:%*d [LOST %d EVENTS]", &lost.result) == 1) {
		tell(arcs, ARCS_LOST, &lost);
		return 0;
	}
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (!find_event(text, events[i].event))
			continue;
		return parse_line(text, events[i].event, &line) ? events[i].on(arcs, &line) :
		       -EBADMSG;
	}
	on_mark(arcs, text);
	return 0;
}

void arcs_unfinished(struct arcs *arcs)
{
	for (size_t i = 0; i < arcs->walker_count; i++)
		if (arcs->walkers[i].walks)
			tell(arcs, ARCS_BEGUN, &arcs->walkers[i].arc);
}
