// SPDX-License-Identifier: GPL-2.0-only
#include "witness/probeset.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "witness/probes.h"

#define PREFIX		"miglab_"
/* How many threads may be within the ioctl at once and still be seen to return. */
#define THREADS_MAX	"1024"

struct probeset {
	int tracefs;		/* its root */
	int instance;		/* our directory below it, locked while we live; -1: none */
	int pipe;
	int marker;		/* trace_marker */
	char name[32];		/* of the instance, and of the group of the events */
};

/* Where tracefs may be mounted: Documentation/trace/ftrace.rst. */
static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

/* --- files of tracefs ------------------------------------------------------ */

static int write_at(int dir, const char *file, const char *text, int flags)
{
	int fd = openat(dir, file, O_WRONLY | O_CLOEXEC | flags), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* All of @file, freed by the caller; NULL: it cannot be read. */
static char *read_at(int dir, const char *file)
{
	int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	FILE *in = fd < 0 ? NULL : fdopen(fd, "r");
	char *text = NULL;
	size_t size = 0;

	if (!in)
		return NULL;
	if (getdelim(&text, &size, '\0', in) < 0) {
		free(text);
		text = NULL;
	}
	fclose(in);
	return text;
}

/* --- what the kernel has to have ------------------------------------------- */

static int open_tracefs(struct error *err)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int dir = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (dir < 0 && (errno == EACCES || errno == EPERM))
			return error_set(err, -EACCES, "%s cannot be read: run as root",
					 places[i]);
		if (dir >= 0 && !faccessat(dir, "instances", F_OK, 0))
			return dir;
		if (dir >= 0)
			close(dir);
	}
	return error_set(err, -ENOENT, "tracefs is not mounted: mount -t tracefs tracefs %s",
			 places[0]);
}

/* The events are not taken: which of the things that they need is missing? */
static int explain(int tracefs, const char *event, int ret, struct error *err)
{
	char *readme = read_at(tracefs, "README");
	bool fprobes = readme && strstr(readme, "f[:[<group>/]");

	free(readme);
	if (ret == -EACCES || ret == -EPERM)
		return error_set(err, -EACCES, "dynamic_events of tracefs cannot be written: run "
				 "as root%s", geteuid() ? "" : ", on a kernel without lockdown");
	if (!fprobes)
		return error_set(err, -ENOENT, "the kernel has no events on functions: it needs "
				 "CONFIG_FPROBE_EVENTS, which Linux 6.5 and newer have");
	if (access("/sys/kernel/btf/vmlinux", F_OK))
		return error_set(err, -ENOENT, "the kernel does not describe its functions: it "
				 "needs CONFIG_DEBUG_INFO_BTF");
	if (access("/sys/module/vfio", F_OK))
		return error_set(err, -ENOENT, "the module vfio is not loaded, so no device can "
				 "migrate: load the device's driver first");
	return error_set(err, -ENOENT, "the kernel refuses the event \"%s\" (%s): it needs "
			 "CONFIG_DEBUG_INFO_BTF_MODULES, and Linux 6.9 or newer", event,
			 strerror(-ret));
}

/* --- one set, of this process or of a dead one ----------------------------- */

static void remove_events(int tracefs, const char *name)
{
	static const char *const events[] = { PROBE_ARC, PROBE_END, PROBE_SENT };
	char text[64];

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		snprintf(text, sizeof(text), "-:%s/%s", name, events[i]);
		write_at(tracefs, "dynamic_events", text, O_APPEND);
	}
}

/* The instance first: as long as it records them, the events are in use. */
static void remove_set(int tracefs, const char *name)
{
	char path[NAME_MAX + 16];

	snprintf(path, sizeof(path), "instances/%s", name);
	unlinkat(tracefs, path, AT_REMOVEDIR);
	remove_events(tracefs, name);
}

/* Is there a process that holds the lock of the instance @name? */
static bool is_held(int tracefs, const char *name)
{
	char path[NAME_MAX + 16];
	bool held;
	int dir;

	snprintf(path, sizeof(path), "instances/%s", name);
	dir = openat(tracefs, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return false;
	held = flock(dir, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;
	close(dir);
	return held;
}

static void remove_stale_instances(int tracefs, int instances)
{
	DIR *list = fdopendir(dup(instances));
	struct dirent *entry;

	while (list && (entry = readdir(list)))
		if (!strncmp(entry->d_name, PREFIX, strlen(PREFIX)) &&
		    !is_held(tracefs, entry->d_name))
			remove_set(tracefs, entry->d_name);
	if (list)
		closedir(list);
}

/* Events whose instance is gone: "f:GROUP/EVENT FUNCTION .." */
static void remove_stale_events(int tracefs)
{
	char *text = read_at(tracefs, "dynamic_events"), *rest = text, *line, name[32];

	while (rest && (line = strsep(&rest, "\n")))
		if (sscanf(line, "f%*[0-9:]%31[^/]", name) == 1 &&
		    !strncmp(name, PREFIX, strlen(PREFIX)) && !is_held(tracefs, name))
			remove_events(tracefs, name);
	free(text);
}

/* --- setting up ------------------------------------------------------------ */

static int make_event(struct probeset *set, const char *event, const char *of, struct error *err)
{
	static const char *const kinds[] = { "f" THREADS_MAX, "f" };
	char text[256];
	int ret = -EINVAL;

	/* A kernel without a bound of its own does not take one. */
	for (size_t i = 0; ret == -EINVAL && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(text, sizeof(text), "%s:%s/%s %s", kinds[i], set->name, event, of);
		ret = write_at(set->tracefs, "dynamic_events", text, O_APPEND);
	}
	return ret ? explain(set->tracefs, of, ret, err) : 0;
}

static int configure(struct probeset *set, struct error *err)
{
	char filter[64], enable[64];
	const struct {
		const char *file, *text;
	} settings[] = {
		{ "trace_clock", "mono" },		/* of everything else here */
		{ "buffer_size_kb", "512" },		/* for each processor: thousands of arcs */
		{ "buffer_percent", "0" },		/* a single line wakes who waits */
		{ "options/record-tgid", "1" },
		{ filter, PROBE_END_FILTER },
		{ enable, "1" },
	};

	snprintf(filter, sizeof(filter), "events/%s/%s/filter", set->name, PROBE_END);
	snprintf(enable, sizeof(enable), "events/%s/enable", set->name);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		int ret = write_at(set->instance, settings[i].file, settings[i].text, 0);

		if (ret)
			return error_set(err, ret, "the trace instance %s does not take \"%s\" in "
					 "%s: %s", set->name, settings[i].text, settings[i].file,
					 strerror(-ret));
	}
	set->pipe = openat(set->instance, "trace_pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (set->pipe < 0)
		return error_set(err, -errno, "trace_pipe of %s: %s", set->name, strerror(errno));
	set->marker = openat(set->instance, "trace_marker", O_WRONLY | O_CLOEXEC);
	if (set->marker < 0)
		return error_set(err, -errno, "trace_marker of %s: %s", set->name,
				 strerror(errno));
	return 0;
}

/* A name that is free: our own number, and another one if that is a set of another namespace. */
static int make_instance(struct probeset *set, struct error *err)
{
	char path[64];
	int ret = -EEXIST;

	for (unsigned int i = 0; ret == -EEXIST && i < 1000; i++) {
		snprintf(set->name, sizeof(set->name), PREFIX "%d_%u", (int)getpid(), i);
		snprintf(path, sizeof(path), "instances/%s", set->name);
		ret = mkdirat(set->tracefs, path, 0700) ? -errno : 0;
	}
	if (ret)
		return error_set(err, ret, "a trace instance cannot be made: %s%s", strerror(-ret),
				 geteuid() ? "; run as root" : "");
	set->instance = openat(set->tracefs, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (set->instance < 0 || flock(set->instance, LOCK_EX | LOCK_NB))
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

/* Not every kernel has a function of that name and shape; without it receipts have to do. */
static void make_sent(struct probeset *set)
{
	char filter[64], remove[64];
	struct error why;
	int ret = make_event(set, PROBE_SENT, PROBE_SENT_OF, &why);

	snprintf(filter, sizeof(filter), "events/%s/%s/filter", set->name, PROBE_SENT);
	snprintf(remove, sizeof(remove), "-:%s/%s", set->name, PROBE_SENT);
	if (!ret) {
		ret = write_at(set->instance, filter, PROBE_SENT_FILTER, 0);
		/* Everything that anybody writes would fill the buffer. */
		if (ret)
			write_at(set->tracefs, "dynamic_events", remove, O_APPEND);
	}
	if (ret)
		log_info("the kernel does not record what VMMs announce: %s", strerror(-ret));
}

static int set_up(struct probeset *set, const struct probeset_options *opt, struct error *err)
{
	int ret = make_instance(set, err);

	if (!ret)
		ret = make_event(set, PROBE_ARC, PROBE_ARC_OF, err);
	if (!ret)
		ret = make_event(set, PROBE_END, PROBE_END_OF, err);
	if (!ret && opt->sent)
		make_sent(set);
	return ret ? ret : configure(set, err);
}

int probeset_open(const struct probeset_options *opt, struct probeset **ret_set,
		  struct error *err)
{
	struct probeset *set = calloc(1, sizeof(*set));
	int instances, ret;

	if (!set)
		return error_set(err, -ENOMEM, "no memory");
	set->instance = -1;
	set->pipe = -1;
	set->marker = -1;
	set->tracefs = open_tracefs(err);
	if (set->tracefs < 0) {
		ret = set->tracefs;
		free(set);
		return ret;
	}
	/* Held while setting up: a set that is half made is nobody's prey. */
	instances = openat(set->tracefs, "instances", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (instances < 0 || flock(instances, LOCK_EX)) {
		ret = error_set(err, -errno, "instances of tracefs: %s", strerror(errno));
	} else {
		remove_stale_instances(set->tracefs, instances);
		remove_stale_events(set->tracefs);
		ret = set_up(set, opt, err);
	}
	if (ret) {
		probeset_close(set);
		set = NULL;
	}
	if (instances >= 0)
		close(instances);
	*ret_set = set;
	return ret;
}

void probeset_close(struct probeset *set)
{
	if (!set)
		return;
	if (set->pipe >= 0)
		close(set->pipe);
	if (set->marker >= 0)
		close(set->marker);
	/* rmdir(2) of an instance that is open is refused. */
	if (set->instance >= 0)
		close(set->instance);
	if (set->name[0])
		remove_set(set->tracefs, set->name);
	close(set->tracefs);
	free(set);
}

int probeset_mark(const struct probeset *set, const char *text, int number)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%s%d\n", text, number);

	return write(set->marker, line, len) < 0 ? -errno : 0;
}

int probeset_fd(const struct probeset *set)
{
	return set->pipe;
}
