// SPDX-License-Identifier: GPL-2.0-only
#include "report/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "qmp/events.h"
#include "report/svg.h"
#include "report/text.h"
#include "report/trace.h"

static int write_text(const struct timeline *t, FILE *out)
{
	text_write(t, out);
	return 0;
}

static int write_svg(const struct timeline *t, FILE *out)
{
	svg_write(t, out);
	return 0;
}

static const struct {
	const char *name;
	int (*write)(const struct timeline *t, FILE *out);
} files[] = {
	{ "summary.txt", write_text },
	{ "timeline.svg", write_svg },
	{ "trace.json", trace_write },
};

#define NR_FILES	(sizeof(files) / sizeof(files[0]))

struct report {
	const char *dir;
	struct {
		FILE *out;
		char *path;	/* until it is complete it has a name of its own */
	} file[NR_FILES];
	struct timeline_input in;
	struct timeline_device *devices;
	struct timeline_mark *events;
	size_t event_room;
};

/* --- the directory --------------------------------------------------------- */

static int refuse(const struct report *r, const char *name, int code, struct error *err)
{
	/* Of the system, whatever its number: not of what the user wrote. */
	return error_set(err, code == EINVAL || code == ENODEV || code == ENAMETOOLONG ? -EIO :
			      -code, "--report: %s%s%s cannot be written: %s; name one that "
			 "can be written",
			 r->dir, *name ? "/" : "", name, strerror(code));
}

static int open_file(struct report *r, size_t i, struct error *err)
{
	struct stat st;
	mode_t mask;
	char *path;
	int fd;

	if (asprintf(&path, "%s/%s", r->dir, files[i].name) < 0)
		return error_set(err, -ENOMEM, "no memory for the report");
	fd = stat(path, &st) || !S_ISDIR(st.st_mode) ? 0 : -EISDIR;
	free(path);
	if (fd)
		return refuse(r, files[i].name, -fd, err);
	if (asprintf(&r->file[i].path, "%s/.%s.XXXXXX", r->dir, files[i].name) < 0) {
		r->file[i].path = NULL;
		return error_set(err, -ENOMEM, "no memory for the report");
	}
	fd = mkostemp(r->file[i].path, O_CLOEXEC);
	if (fd < 0) {
		fd = errno;
		free(r->file[i].path);
		r->file[i].path = NULL;
		return refuse(r, files[i].name, fd, err);
	}
	/* As open(2) would have made it; mkostemp(3) thinks of temporary files only. */
	mask = umask(0);
	umask(mask);
	fchmod(fd, 0666 & ~mask);
	r->file[i].out = fdopen(fd, "w");
	if (r->file[i].out)
		return 0;
	close(fd);
	return error_set(err, -ENOMEM, "no memory for the report");
}

/* With its parents. 0 or the errno. */
static int make_dirs(const char *dir)
{
	char *path = strdup(dir), *slash = path;
	int code = !path ? ENOMEM : *path ? 0 : ENOENT;

	while (!code && slash) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		if (mkdir(path, 0777) && errno != EEXIST)
			code = errno;
		if (slash)
			*slash = '/';
	}
	free(path);
	return code;
}

int report_open(const char *dir, uint64_t timeout_ns, struct report **ret, struct error *err)
{
	struct report *r = calloc(1, sizeof(*r));
	int code = 0;

	if (!r)
		return error_set(err, -ENOMEM, "no memory for the report");
	r->dir = dir;
	r->in.timeout_ns = timeout_ns;
	code = make_dirs(dir);
	if (code)
		code = refuse(r, "", code, err);
	for (size_t i = 0; !code && i < NR_FILES; i++)
		code = open_file(r, i, err);
	if (code) {
		report_free(r);
		return code;
	}
	*ret = r;
	return 0;
}

void report_free(struct report *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < NR_FILES; i++) {
		if (r->file[i].out)
			fclose(r->file[i].out);
		if (r->file[i].path)
			unlink(r->file[i].path);
		free(r->file[i].path);
	}
	for (size_t i = 0; i < r->in.device_count; i++) {
		free((char *)r->devices[i].id);
		free((void *)r->devices[i].arcs[TIMELINE_SOURCE]);
		free((void *)r->devices[i].arcs[TIMELINE_DESTINATION]);
	}
	free(r->devices);
	free(r->events);
	free(r);
}

/* --- collecting ------------------------------------------------------------ */

int report_device(struct report *r, const char *from, const char *to)
{
	size_t i = r->in.device_count;
	struct timeline_device *more = realloc(r->devices, (i + 1) * sizeof(*more));
	char *id;

	if (!more)
		return -ENOMEM;
	r->devices = more;
	r->in.devices = more;
	if (asprintf(&id, "vf%zu", i) < 0)
		return -ENOMEM;
	more[i] = (struct timeline_device){
		.id = id,
		.name = { [TIMELINE_SOURCE] = from, [TIMELINE_DESTINATION] = to },
	};
	r->in.device_count++;
	return 0;
}

void report_begin(struct report *r)
{
	r->in.begin_ns = clock_ns();
}

static int find_device(const struct report *r, const char *id)
{
	for (size_t i = 0; i < r->in.device_count; i++)
		if (!strcmp(r->devices[i].id, id))
			return i;
	return TIMELINE_MACHINE;
}

/* Without memory the report lacks an event, and the migration goes on. */
static void add_event(struct report *r, const struct timeline_mark *mark)
{
	if (r->in.event_count == r->event_room) {
		size_t room = r->event_room ? 2 * r->event_room : 64;
		void *more = realloc(r->events, room * sizeof(*r->events));

		if (!more)
			return;
		r->events = more;
		r->in.events = more;
		r->event_room = room;
	}
	r->events[r->in.event_count++] = *mark;
	/* Of those that were sent before the histories were read, and read after them. */
	if (r->in.end_ns && mark->ns > r->in.end_ns)
		r->in.end_ns = mark->ns;
}

void report_event(struct report *r, enum timeline_side side, const struct qmp_event *event)
{
	struct timeline_mark mark = {
		.lane = TIMELINE_MACHINE, .side = side, .kind = TIMELINE_RUN,
		.ns = event->received_ns,
	};
	const char *text = event->name;

	if (!strcmp(event->name, QMP_EVENT_VFIO_MIGRATION)) {
		text = qmp_event_text(event, "device-state");
		mark.lane = find_device(r, qmp_event_text(event, "device-id"));
		mark.kind = strcmp(text, qmp_vfio_state_name(QMP_VFIO_PRE_COPY_P2P_PREPARE)) ?
			    TIMELINE_STATE : TIMELINE_PREPARE;
	} else if (!strcmp(event->name, QMP_EVENT_MIGRATION)) {
		text = qmp_event_text(event, "status");
		mark.kind = TIMELINE_STATUS;
	} else if (strcmp(event->name, QMP_EVENT_STOP) && strcmp(event->name, QMP_EVENT_RESUME)) {
		return;
	}
	snprintf(mark.text, sizeof(mark.text), "%s", text);
	add_event(r, &mark);
}

void report_history(struct report *r, enum timeline_side side, unsigned int index,
		    const char *text)
{
	struct timeline_device *dev = &r->devices[index];
	struct lab_arc *arcs;
	size_t count;

	if (lab_parse_history(text, &arcs, &count, NULL))
		return;
	free((void *)dev->arcs[side]);
	dev->arcs[side] = arcs;
	dev->count[side] = count;
	r->in.end_ns = clock_ns();
}

/* --- writing --------------------------------------------------------------- */

static int finish_file(struct report *r, size_t i, const struct timeline *t)
{
	int ret = files[i].write(t, r->file[i].out);
	char *path;

	if (ret)
		return ret;
	if (fflush(r->file[i].out))
		return -errno;
	if (asprintf(&path, "%s/%s", r->dir, files[i].name) < 0)
		return -ENOMEM;
	ret = rename(r->file[i].path, path) ? -errno : 0;
	free(path);
	if (ret)
		return ret;
	free(r->file[i].path);
	r->file[i].path = NULL;
	return 0;
}

int report_write(struct report *r, const char *verdict, const char *text, struct error *err)
{
	struct timeline t;
	int ret;

	if (!r->in.begin_ns)
		return 0;
	if (!r->in.end_ns)
		r->in.end_ns = clock_ns();
	r->in.verdict = verdict;
	r->in.text = text;
	ret = timeline_build(&r->in, &t);
	if (ret)
		return error_set(err, ret, "no memory for the report");
	for (size_t i = 0; !ret && i < NR_FILES; i++) {
		ret = finish_file(r, i, &t);
		if (ret)
			error_set(err, ret, "--report: %s/%s cannot be written: %s", r->dir,
				  files[i].name, strerror(-ret));
	}
	timeline_free(&t);
	return ret;
}
