// SPDX-License-Identifier: GPL-2.0-only
#include "witness/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "witness/arcs.h"
#include "witness/lines.h"
#include "witness/order.h"
#include "witness/probeset.h"
#include "witness/recording.h"
#include "witness/totals.h"

/* How long a line waits for an older one of another processor (order.h). */
#define SETTLE_NS	(20 * NSEC_PER_MSEC)

struct watch {
	const struct watch_options *opt;
	FILE *out;
	struct probeset *set;
	struct order *order;
	struct arcs *arcs;
	struct totals totals;
	struct recording recording;	/* out NULL: none */
	uint64_t wall_ns;		/* CLOCK_REALTIME less CLOCK_MONOTONIC when it began */
	int error;			/* the first -errno of a callback */
	bool seen;			/* an arc of a device that is watched */
};

static bool is_watched(const struct watch *w, const char *device)
{
	for (size_t i = 0; i < w->opt->device_count; i++)
		if (!strcmp(w->opt->devices[i], device))
			return true;
	return !w->opt->device_count;
}

static void on_news(void *opaque, enum arcs_news news, const struct witness_arc *arc)
{
	struct watch *w = opaque;
	int ret;

	if (news != ARCS_LOST && !is_watched(w, arc->device))
		return;
	ret = totals_add(&w->totals, news, arc);
	if (ret && !w->error)
		w->error = ret;
	w->seen |= news == ARCS_BEGUN;
	lines_arc(w->out, w->opt->json, news, arc, w->wall_ns);
	if (w->recording.out)
		recording_add(&w->recording, news, arc);
}

/* Takes the lines that are older than @ns. */
static int take_lines(struct watch *w, uint64_t ns, struct error *err)
{
	char *line;

	while ((line = order_take(w->order, ns))) {
		int ret = arcs_line(w->arcs, line);

		if (ret)
			error_set(err, ret, "the trace has a line that is not understood: %s",
				  line);
		free(line);
		if (ret)
			return ret;
	}
	fflush(w->out);
	return w->error ? error_set(err, w->error, "no memory for the sums") : 0;
}

/* Reads what there is, and takes what can no longer be preceded. */
static int read_lines(struct watch *w, struct error *err)
{
	char buffer[65536];
	uint64_t now_ns;
	ssize_t len;

	for (;;) {
		now_ns = clock_ns();
		len = read(probeset_fd(w->set), buffer, sizeof(buffer));
		if (len <= 0)
			break;
		if (order_feed(w->order, buffer, len))
			return error_set(err, -ENOMEM, "no memory for the trace");
	}
	if (len < 0 && errno != EAGAIN && errno != EINTR)
		return error_set(err, -errno, "the trace cannot be read: %s", strerror(errno));
	return take_lines(w, now_ns > SETTLE_NS ? now_ns - SETTLE_NS : 0, err);
}

/* How long poll(2) may wait, in ms; -1: for ever. */
static int patience(const struct watch *w, uint64_t deadline_ns)
{
	uint64_t now_ns = clock_ns(), left_ns;

	if (order_has_line(w->order))
		return SETTLE_NS / NSEC_PER_MSEC;
	if (!deadline_ns)
		return -1;
	left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
	return left_ns < 1000 * NSEC_PER_SEC ? left_ns / NSEC_PER_MSEC + 1 : 1000000;
}

static int watch_loop(struct watch *w, struct error *err)
{
	uint64_t deadline_ns = w->opt->timeout_ns ? clock_ns() + w->opt->timeout_ns : 0;
	struct pollfd fds[] = {
		{ .fd = probeset_fd(w->set), .events = POLLIN },
		{ .fd = w->opt->interrupt_fd, .events = POLLIN },
	};

	while (!deadline_ns || clock_ns() < deadline_ns) {
		int ret = poll(fds, 2, patience(w, deadline_ns));

		if (ret < 0 && errno != EINTR)
			return error_set(err, -errno, "poll: %s", strerror(errno));
		ret = read_lines(w, err);
		if (ret)
			return ret;
		/* Who pipes us into head(1) has seen enough. */
		if ((ret >= 0 && fds[1].revents) || ferror(w->out))
			break;
	}
	return 0;
}

/* What is left in the buffer when the watch ends. */
static int finish(struct watch *w, struct error *err)
{
	int ret = read_lines(w, err);

	if (!ret)
		ret = take_lines(w, UINT64_MAX, err);
	if (ret)
		return ret;
	lines_totals(w->out, w->opt->json, &w->totals, clock_ns());
	if (w->recording.out)
		recording_end(&w->recording);
	if (w->totals.lost)
		return 1;
	return w->seen ? 0 : 77;
}

static uint64_t wall_offset(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec - clock_ns();
}

static int begin_recording(struct watch *w, struct error *err)
{
	struct utsname kernel;
	FILE *out;
	int fd;

	if (!w->opt->record)
		return 0;
	fd = open(w->opt->record, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out)
		return error_set(err, -EIO, "--record %s: %s", w->opt->record, strerror(errno));
	recording_begin(&w->recording, out, clock_ns(), uname(&kernel) ? "?" : kernel.release);
	return 0;
}

static int end_recording(struct watch *w, int status, struct error *err)
{
	bool failed;

	if (!w->recording.out)
		return status;
	failed = ferror(w->recording.out);
	if (fclose(w->recording.out))
		failed = true;
	if (status < 0 || !failed)
		return status;
	return error_set(err, -EIO, "--record %s: it could not be written whole", w->opt->record);
}

int watch_run(const struct watch_options *opt, FILE *out, struct error *err)
{
	struct watch w = { .opt = opt, .out = out, .wall_ns = wall_offset() };
	int ret;

	ret = begin_recording(&w, err);
	if (ret)
		return ret;
	w.order = order_new();
	w.arcs = arcs_new(on_news, &w);
	ret = w.order && w.arcs ? probeset_open(&w.set, err) :
	      error_set(err, -ENOMEM, "no memory");
	if (!ret) {
		fputs(opt->json ? "{\"event\":\"watching\"}\n" :
		      "watching; ends with Ctrl-C\n", out);
		fflush(out);
		ret = watch_loop(&w, err);
	}
	if (!ret)
		ret = finish(&w, err);
	ret = end_recording(&w, ret, err);
	probeset_close(w.set);
	arcs_free(w.arcs);
	order_free(w.order);
	totals_free(&w.totals);
	return ret;
}
