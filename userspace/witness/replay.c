// SPDX-License-Identifier: GPL-2.0-only
#include "witness/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "device/state.h"

#define RULES_MAX	64	/* driver/core/rules.h */
#define STATES		8

/* What all arcs of one kind took. */
struct kind {
	unsigned int seen;	/* also those that failed */
	unsigned int done, failed;
	uint64_t least_us, most_us;
};

struct replay {
	const char *device;
	struct kind kinds[STATES][STATES];
	FILE *out;
	unsigned int rules;
};

static bool is_arc_of(const struct recorded *record, const char *device)
{
	return record->news == ARCS_ENDED && !strcmp(record->arc.device, device);
}

/* The device that is meant, if one is. */
static int choose(const struct recorded *records, size_t count, const char **device,
		  struct error *err)
{
	const char *wanted = *device, *first = NULL;

	for (size_t i = 0; i < count; i++) {
		const char *name = records[i].arc.device;

		if (records[i].news != ARCS_ENDED || (wanted && strcmp(wanted, name)))
			continue;
		if (first && strcmp(first, name))
			return error_set(err, -ENOENT, "the recording has arcs of %s, %s and "
					 "perhaps more: say which", first, name);
		first = name;
	}
	if (!first)
		return wanted ? error_set(err, -ENOENT, "the recording has no arc of %s", wanted) :
		       error_set(err, -ENOENT, "the recording has no arc");
	*device = first;
	return 0;
}

static uint64_t took_us(const struct witness_arc *arc)
{
	return (arc->end_ns - arc->begin_ns) / NSEC_PER_USEC;
}

static void print_arc(struct replay *r, uint32_t from, uint32_t to)
{
	fprintf(r->out, "arc=%s>%s", device_state_name(from), device_state_name(to));
	r->rules++;
}

/*
 * A failure comes before the rule that all others have. Those before it take the tries
 * that they are about, so it does not see these: it counts without them.
 */
static void print_failure(struct replay *r, const struct witness_arc *arc)
{
	struct kind *kind = &r->kinds[arc->from][arc->to];

	print_arc(r, arc->from, arc->to);
	fprintf(r->out, " errno=%d nth=%u delay_us=%" PRIu64 "\n", -arc->result,
		kind->seen - kind->failed, took_us(arc));
	kind->failed++;
}

static void take_time(struct kind *kind, uint64_t us)
{
	if (!kind->done || us < kind->least_us)
		kind->least_us = us;
	if (!kind->done || us > kind->most_us)
		kind->most_us = us;
	kind->done++;
}

static void print_kinds(struct replay *r)
{
	for (uint32_t from = 0; from < STATES; from++)
		for (uint32_t to = 0; to < STATES; to++) {
			const struct kind *kind = &r->kinds[from][to];

			if (!kind->done)
				continue;
			print_arc(r, from, to);
			fprintf(r->out, " delay_us=%" PRIu64, kind->least_us);
			if (kind->most_us > kind->least_us)
				fprintf(r->out, " jitter_us=%" PRIu64,
					kind->most_us - kind->least_us);
			fputc('\n', r->out);
		}
}

int replay_rules(const struct recorded *records, size_t count, const char *device,
		 char **ret_rules, struct error *err)
{
	struct replay r = { .rules = 0 };
	size_t size;
	int ret;

	ret = choose(records, count, &device, err);
	if (ret)
		return ret;
	r.out = open_memstream(ret_rules, &size);
	if (!r.out)
		return error_set(err, -ENOMEM, "no memory for the rules");
	for (size_t i = 0; i < count; i++) {
		const struct witness_arc *arc = &records[i].arc;
		struct kind *kind = &r.kinds[arc->from % STATES][arc->to % STATES];

		if (!is_arc_of(&records[i], device))
			continue;
		kind->seen++;
		if (arc->result < 0)
			print_failure(&r, arc);
		else if (!arc->result)
			take_time(kind, took_us(arc));
	}
	print_kinds(&r);
	if (fclose(r.out) || r.rules > RULES_MAX) {
		ret = r.rules > RULES_MAX ?
		      error_set(err, -E2BIG, "%s has %u kinds of arcs and failures, and a device "
				"takes %d rules", device, r.rules, RULES_MAX) :
		      error_set(err, -ENOMEM, "no memory for the rules");
		free(*ret_rules);
	}
	return ret;
}
