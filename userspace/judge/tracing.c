// SPDX-License-Identifier: GPL-2.0-only
#include "judge/tracing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "witness/follow.h"

struct tracing {
	struct follow *follow;
	struct traced seen;
	uint64_t *marks;	/* when each was seen; 0: not so far */
	size_t mark_room;
};

static void note_mark(struct tracing *t, const struct witness_arc *mark)
{
	size_t number = mark->result, room = t->mark_room ? t->mark_room : 32;
	uint64_t *more;

	if (mark->result < 0)
		return;
	while (room <= number)
		room *= 2;
	if (room > t->mark_room) {
		more = realloc(t->marks, room * sizeof(*more));
		if (!more) {
			t->seen.short_of_memory = true;
			return;
		}
		memset(more + t->mark_room, 0, (room - t->mark_room) * sizeof(*more));
		t->marks = more;
		t->mark_room = room;
	}
	t->marks[number] = mark->end_ns;
}

static void on_news(void *opaque, enum arcs_news news, const struct witness_arc *arc)
{
	struct tracing *t = opaque;

	if (news == ARCS_MARK)
		note_mark(t, arc);
	else
		traced_news(&t->seen, news, arc);
}

int tracing_open(const char *const *names, size_t count, struct tracing **ret_tracing,
		 struct error *err)
{
	struct tracing *t = calloc(1, sizeof(*t));
	int ret;

	if (!t || traced_init(&t->seen, names, count)) {
		free(t);
		return error_set(err, -ENOMEM, "no memory for the trace");
	}
	ret = follow_open(&(struct probeset_options){ .sent = true }, on_news, t, &t->follow, err);
	if (ret) {
		tracing_close(t);
		return ret;
	}
	*ret_tracing = t;
	return 0;
}

void tracing_close(struct tracing *t)
{
	if (!t)
		return;
	follow_close(t->follow);
	traced_free(&t->seen);
	free(t->marks);
	free(t);
}

int tracing_fd(const struct tracing *t)
{
	return follow_fd(t->follow);
}

int tracing_patience(const struct tracing *t)
{
	return follow_patience(t->follow);
}

int tracing_take(struct tracing *t, bool all, struct error *err)
{
	int ret = all ? follow_catch_up(t->follow, err) : follow_take(t->follow, err);

	if (ret)
		return ret;
	if (t->seen.short_of_memory)
		return error_set(err, -ENOMEM, "no memory for the trace");
	if (t->seen.lost)
		return error_set(err, -EOVERFLOW, "the kernel's buffer overflowed and %u lines are "
				 "lost, so arcs may be missing: judge again", t->seen.lost);
	return 0;
}

const struct traced *tracing_seen(const struct tracing *t)
{
	return &t->seen;
}

void tracing_mark(struct tracing *t, unsigned int number)
{
	int ret = follow_mark(t->follow, number);

	if (ret)
		log_info("a receipt could not be written into the trace: %s", strerror(-ret));
}

uint64_t tracing_marked(const struct tracing *t, unsigned int number)
{
	return number < t->mark_room ? t->marks[number] : 0;
}
