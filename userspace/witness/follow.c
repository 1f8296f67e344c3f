// SPDX-License-Identifier: GPL-2.0-only
#include "witness/follow.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "witness/order.h"

#define SETTLE_NS	(FOLLOW_SETTLE_MS * NSEC_PER_MSEC)

struct follow {
	struct probeset *set;
	struct order *order;
	struct arcs *arcs;
};

int follow_open(const struct probeset_options *opt, arcs_fn fn, void *opaque,
		struct follow **ret_follow, struct error *err)
{
	struct follow *f = calloc(1, sizeof(*f));
	int ret;

	if (!f)
		return error_set(err, -ENOMEM, "no memory");
	f->order = order_new();
	f->arcs = arcs_new(fn, opaque);
	ret = f->order && f->arcs ? probeset_open(opt, &f->set, err) :
	      error_set(err, -ENOMEM, "no memory");
	if (ret) {
		follow_close(f);
		return ret;
	}
	*ret_follow = f;
	return 0;
}

void follow_close(struct follow *f)
{
	if (!f)
		return;
	probeset_close(f->set);
	arcs_free(f->arcs);
	order_free(f->order);
	free(f);
}

int follow_fd(const struct follow *f)
{
	return probeset_fd(f->set);
}

int follow_patience(const struct follow *f)
{
	return order_has_line(f->order) ? FOLLOW_SETTLE_MS : -1;
}

/* Takes the lines that are older than @ns. */
static int take_lines(struct follow *f, uint64_t ns, struct error *err)
{
	char *line;

	while ((line = order_take(f->order, ns))) {
		int ret = arcs_line(f->arcs, line);

		if (ret)
			error_set(err, ret, "the trace has a line that is not understood: %s",
				  line);
		free(line);
		if (ret)
			return ret;
	}
	return 0;
}

/* Reads what there is; *ret_ns is when the last read(2) began. */
static int read_lines(struct follow *f, uint64_t *ret_ns, struct error *err)
{
	char buffer[65536];
	ssize_t len;

	for (;;) {
		*ret_ns = clock_ns();
		len = read(probeset_fd(f->set), buffer, sizeof(buffer));
		if (len <= 0)
			break;
		if (order_feed(f->order, buffer, len))
			return error_set(err, -ENOMEM, "no memory for the trace");
	}
	if (len < 0 && errno != EAGAIN && errno != EINTR)
		return error_set(err, -errno, "the trace cannot be read: %s", strerror(errno));
	return 0;
}

int follow_take(struct follow *f, struct error *err)
{
	uint64_t ns;
	int ret = read_lines(f, &ns, err);

	return ret ? ret : take_lines(f, ns > SETTLE_NS ? ns - SETTLE_NS : 0, err);
}

int follow_catch_up(struct follow *f, struct error *err)
{
	uint64_t ns;
	int ret;

	poll(NULL, 0, FOLLOW_SETTLE_MS + 1);
	ret = read_lines(f, &ns, err);
	return ret ? ret : take_lines(f, ns - SETTLE_NS, err);
}

int follow_finish(struct follow *f, struct error *err)
{
	uint64_t ns;
	int ret = read_lines(f, &ns, err);

	return ret ? ret : take_lines(f, UINT64_MAX, err);
}

int follow_mark(struct follow *f, int number)
{
	return probeset_mark(f->set, ARCS_MARK_TEXT, number);
}
