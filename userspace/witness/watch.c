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
#include "witness/follow.h"
#include "witness/lines.h"
#include "witness/recording.h"
#include "witness/totals.h"

struct watch {
	const struct watch_options *opt;
	FILE *out;
	struct follow *follow;
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

	if (news == ARCS_MARK || (news != ARCS_LOST && !is_watched(w, arc->device)))
		return;
	ret = totals_add(&w->totals, news, arc);
	if (ret && !w->error)
		w->error = ret;
	w->seen |= news == ARCS_BEGUN;
	lines_arc(w->out, w->opt->json, news, arc, w->wall_ns);
	if (w->recording.out)
		recording_add(&w->recording, news, arc);
}

/* How long poll(2) may wait, in ms; -1: for ever. */
static int patience(const struct watch *w, uint64_t deadline_ns)
{
	uint64_t now_ns = clock_ns(), left_ns;
	int settle_ms = follow_patience(w->follow);

	if (settle_ms >= 0 || !deadline_ns)
		return settle_ms;
	left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
	return left_ns < 1000 * NSEC_PER_SEC ? left_ns / NSEC_PER_MSEC + 1 : 1000000;
}

/* What came of telling the news: @ret, or the first error of a callback. */
static int told(struct watch *w, int ret, struct error *err)
{
	fflush(w->out);
	if (!ret && w->error)
		return error_set(err, w->error, "no memory for the sums");
	return ret;
}

static int watch_loop(struct watch *w, struct error *err)
{
	uint64_t deadline_ns = w->opt->timeout_ns ? clock_ns() + w->opt->timeout_ns : 0;
	struct pollfd fds[] = {
		{ .fd = follow_fd(w->follow), .events = POLLIN },
		{ .fd = w->opt->interrupt_fd, .events = POLLIN },
	};

	while (!deadline_ns || clock_ns() < deadline_ns) {
		int ret = poll(fds, 2, patience(w, deadline_ns));

		if (ret < 0 && errno != EINTR)
			return error_set(err, -errno, "poll: %s", strerror(errno));
		ret = told(w, follow_take(w->follow, err), err);
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
	int ret = told(w, follow_finish(w->follow, err), err);

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
	ret = follow_open(&(struct probeset_options){ .sent = false }, on_news, &w, &w.follow,
			  err);
	if (!ret) {
		fputs(opt->json ? "{\"event\":\"watching\"}\n" :
		      "watching; ends with Ctrl-C\n", out);
		fflush(out);
		ret = watch_loop(&w, err);
	}
	if (!ret)
		ret = finish(&w, err);
	ret = end_recording(&w, ret, err);
	follow_close(w.follow);
	totals_free(&w.totals);
	return ret;
}
