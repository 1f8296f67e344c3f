// SPDX-License-Identifier: GPL-2.0-only
#include "witness/recording.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "device/state.h"

void recording_begin(struct recording *r, FILE *out, uint64_t begin_ns, const char *kernel)
{
	*r = (struct recording){ .out = out, .begin_ns = begin_ns };
	fprintf(out, "miglab recording 1\nkernel %s\n", kernel);
}

/* A word, whatever the thread calls itself. */
static void print_word(FILE *out, const char *text)
{
	if (!*text)
		fputc('-', out);
	for (; *text; text++)
		fputc(isalnum((unsigned char)*text) || strchr("._-/", *text) ? *text : '_', out);
}

static uint64_t since(const struct recording *r, uint64_t ns)
{
	return ns - r->begin_ns;
}

static void add_arc(struct recording *r, const struct witness_arc *arc)
{
	fprintf(r->out, "arc %s %d ", arc->device, (int)(arc->tgid ? arc->tgid : arc->tid));
	print_word(r->out, arc->comm);
	fprintf(r->out, " %s %s %s %" PRIu64 " %" PRIu64, device_state_name(arc->from),
		device_state_name(arc->to), device_state_name(arc->wanted),
		since(r, arc->begin_ns), since(r, arc->end_ns));
	if (arc->result == WITNESS_UNKNOWN)
		fputs(" unknown\n", r->out);
	else
		fprintf(r->out, " %d\n", arc->result);
}

void recording_add(struct recording *r, enum arcs_news news, const struct witness_arc *arc)
{
	switch (news) {
	case ARCS_BEGUN:
	case ARCS_MARK:
	case ARCS_SENT:
		return;
	case ARCS_ENDED:
		add_arc(r, arc);
		break;
	case ARCS_STATE:
		fprintf(r->out, "state %s %s %" PRIu64 "\n", arc->device,
			device_state_name(arc->to), since(r, arc->end_ns));
		break;
	case ARCS_RESET:
		fprintf(r->out, "reset %s %" PRIu64 " %d\n", arc->device, since(r, arc->end_ns),
			arc->result);
		break;
	case ARCS_LOST:
		fprintf(r->out, "lost %d\n", arc->result);
		break;
	}
	r->records++;
}

void recording_end(struct recording *r)
{
	fprintf(r->out, "end %u\n", r->records);
}
