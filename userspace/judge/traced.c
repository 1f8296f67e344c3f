// SPDX-License-Identifier: GPL-2.0-only
#include "judge/traced.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "device/state.h"
#include "device/uapi.h"

int traced_init(struct traced *t, const char *const *names, size_t count)
{
	*t = (struct traced){ .device_count = count };
	t->devices = calloc(count, sizeof(*t->devices));
	if (!t->devices)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		t->devices[i].name = names[i];
	return 0;
}

void traced_free(struct traced *t)
{
	for (size_t i = 0; t->devices && i < t->device_count; i++)
		free(t->devices[i].arcs);
	free(t->devices);
	free(t->asked);
	free(t->sent);
}

/* Room for one more in an array of @size bytes each; false: no memory. */
static bool make_room(void **array, size_t count, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : 32;
	void *grown;

	if (count < *room)
		return true;
	grown = realloc(*array, more * size);
	if (!grown)
		return false;
	*array = grown;
	*room = more;
	return true;
}

static void begin_arc(struct traced *t, struct traced_device *dev, const struct witness_arc *arc)
{
	if (!make_room((void **)&dev->arcs, dev->count, &dev->room, sizeof(*dev->arcs))) {
		t->short_of_memory = true;
		return;
	}
	dev->arcs[dev->count] = (struct lab_arc){
		.seq = dev->count + 1, .from = arc->from, .to = arc->to, .requested = arc->wanted,
		.begin_ns = arc->begin_ns, .result = 1, .pid = arc->tgid,
	};
	dev->count++;
}

/* The arc that began last; NULL: none has. */
static struct lab_arc *last_arc(const struct traced_device *dev)
{
	return dev->count ? &dev->arcs[dev->count - 1] : NULL;
}

/* A device makes one arc at a time. */
static void end_arc(struct traced_device *dev, const struct witness_arc *arc)
{
	struct lab_arc *last = last_arc(dev);

	if (!last || last->end_ns || last->from != arc->from || last->to != arc->to)
		return;
	last->end_ns = arc->end_ns;
	last->result = arc->result;
}

static void add_asked(struct traced *t, size_t device, enum contract_what what,
		      const struct witness_arc *arc)
{
	if (!make_room((void **)&t->asked, t->asked_count, &t->asked_room, sizeof(*t->asked))) {
		t->short_of_memory = true;
		return;
	}
	t->asked[t->asked_count++] = (struct contract_record){
		.what = what, .device = device, .ns = arc->end_ns, .to = arc->to,
		.result = what == CONTRACT_RESET ? arc->result : 0,
	};
}

static void add_sent(struct traced *t, const struct witness_arc *arc)
{
	struct traced_sent *sent;

	if (!make_room((void **)&t->sent, t->sent_count, &t->sent_room, sizeof(*t->sent))) {
		t->short_of_memory = true;
		return;
	}
	sent = &t->sent[t->sent_count++];
	*sent = (struct traced_sent){ .ns = arc->end_ns, .pid = arc->tgid };
	memcpy(sent->id, arc->device, sizeof(sent->id));
}

uint64_t traced_sent(const struct traced *t, const char *id, int32_t pid, uint64_t ns)
{
	uint64_t last_ns = 0;

	for (size_t i = 0; i < t->sent_count; i++) {
		const struct traced_sent *s = &t->sent[i];

		if (!strcmp(s->id, id) && s->ns <= ns && (!pid || !s->pid || s->pid == pid))
			last_ns = s->ns;
	}
	return last_ns;
}

void traced_news(struct traced *t, enum arcs_news news, const struct witness_arc *arc)
{
	size_t i;

	if (news == ARCS_SENT) {
		add_sent(t, arc);
		return;
	}
	if (news == ARCS_LOST)
		t->lost += arc->result;
	for (i = 0; i < t->device_count && strcmp(t->devices[i].name, arc->device); i++)
		;
	if (i == t->device_count)
		return;
	if (news == ARCS_BEGUN)
		begin_arc(t, &t->devices[i], arc);
	if (news == ARCS_ENDED)
		end_arc(&t->devices[i], arc);
	if (news == ARCS_STATE)
		add_asked(t, i, CONTRACT_KNOWN, arc);
	if (news == ARCS_RESET)
		add_asked(t, i, CONTRACT_RESET, arc);
}

bool traced_state(const struct traced *t, size_t i, uint32_t *ret_state)
{
	const struct lab_arc *last = last_arc(&t->devices[i]);
	uint64_t ns = last ? last->end_ns : 0;
	bool known = last && !last->result;

	if (last && !last->end_ns)
		return false;
	if (known)
		*ret_state = last->to;
	for (size_t n = 0; n < t->asked_count; n++) {
		const struct contract_record *r = &t->asked[n];

		if (r->device != i || r->ns < ns)
			continue;
		known = !r->result;
		if (known)
			*ret_state = r->to;
	}
	return known;
}

/* --- two witnesses --------------------------------------------------------- */

/* The next arc from *@at on that is to be compared; NULL: there is none. */
static const struct lab_arc *next_arc(const struct lab_arc **at, const struct lab_arc *end,
				      uint64_t since_ns, uint64_t until_ns)
{
	while (*at < end) {
		const struct lab_arc *arc = (*at)++;

		if (arc->begin_ns >= since_ns && arc->end_ns && arc->end_ns <= until_ns)
			return arc;
	}
	return NULL;
}

static bool is_same(const struct lab_arc *a, const struct lab_arc *b)
{
	return a->from == b->from && a->to == b->to && a->requested == b->requested &&
	       a->result == b->result && (!a->pid || !b->pid || a->pid == b->pid);
}

/* The trace has microseconds, cut off. */
static bool is_within(const struct lab_arc *history, const struct lab_arc *trace)
{
	return trace->begin_ns <= history->begin_ns &&
	       history->end_ns < trace->end_ns + NSEC_PER_USEC;
}

static bool differ(char why[AGREE_TEXT_MAX], const char *what, const struct lab_arc *arc)
{
	snprintf(why, AGREE_TEXT_MAX, "%s %s -> %s", what, device_state_name(arc->from),
		 device_state_name(arc->to));
	return false;
}

bool traced_agrees(const struct lab_arc *history, size_t history_count,
		   const struct lab_arc *trace, size_t trace_count, uint64_t since_ns,
		   uint64_t until_ns, char why[AGREE_TEXT_MAX])
{
	const struct lab_arc *h = history, *t = trace;

	for (;;) {
		const struct lab_arc *mine = next_arc(&h, history + history_count, since_ns,
						      UINT64_MAX);
		const struct lab_arc *theirs = next_arc(&t, trace + trace_count, since_ns,
							mine ? UINT64_MAX : until_ns);

		if (!mine && !theirs)
			return true;
		if (!mine)
			return differ(why, "the history lacks", theirs);
		if (!theirs)
			return differ(why, "the trace lacks", mine);
		if (!is_same(mine, theirs))
			return differ(why, "the trace has another arc than the history's", mine);
		if (!is_within(mine, theirs))
			return differ(why, "the trace has another time than the history for",
				      mine);
	}
}
