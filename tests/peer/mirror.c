// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays each scenario twice in the virtual test host, by QEMU 11.1 and by miglab run on the same
 * functions, and compares what was seen.
 *
 * Usage: mirror [--list | --quick | ROW..]
 *
 * Every row unless some are named; --quick plays the few that each check plays. The functions in
 * $MIGLAB_DEVICES are bound to miglab_vfio_pci. TAP, with the table as comments; exit status 0 all
 * as QEMU or with the difference that the row explains, 1 not so, 2 bad usage, 3 could not run,
 * 77 skipped because QEMU 11 is not here.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attribute.h"
#include "base/clock.h"
#include "player.h"
#include "recording.h"
#include "scenario.h"
#include "vmm.h"

struct tally {
	int number, bad;
};

static void say(struct tally *tally, bool good, const char *name, const char *text)
{
	tally->number++;
	tally->bad |= !good;
	printf("%sok %d - %s: %s\n", good ? "" : "not ", tally->number, name, text);
}

static void print_side(const char *what, const char *qemu, const char *ours, const char *other)
{
	if (!strcmp(qemu, ours)) {
		printf("#   %-12s equal      %s\n", what, qemu);
		return;
	}
	printf("#   %-12s %s QEMU: %s\n", what, other ? "deliberate" : "DIFFERENT ", qemu);
	printf("#   %-12s            ours: %s\n", "", ours);
}

/* The row's part of the table. */
static void print_row(const struct scenario *s, const struct recording *qemu,
		      const struct recording *ours)
{
	print_side("source", qemu->events[SOURCE], ours->events[SOURCE], s->ours[SOURCE]);
	print_side("destination", qemu->events[DESTINATION], ours->events[DESTINATION],
		   s->ours[DESTINATION]);
	print_side("source arcs", qemu->arcs[SOURCE], ours->arcs[SOURCE], s->ours_arcs[SOURCE]);
	print_side("dest. arcs", qemu->arcs[DESTINATION], ours->arcs[DESTINATION],
		   s->ours_arcs[DESTINATION]);
	if (s->from)
		printf("#   from %s to %s: QEMU %.0f ms, ours %.0f ms\n", s->from, s->to,
		       qemu->measured_ms, ours->measured_ms);
	if (s->why)
		printf("#   why: %s\n", s->why);
}

static void play_row(struct tally *tally, const struct scenario *s,
		     const struct functions *functions, const char *dir)
{
	struct recording qemu = { 0 }, ours = { 0 };
	uint64_t begin_ns = clock_ns();
	struct error err = { "" };
	int ret = play(s, QEMU_11, functions, dir, &qemu, &err);

	if (ret)
		error_prefix(&err, ret, "QEMU");
	else
		ret = play(s, MIGLAB, functions, dir, &ours, &err);
	printf("# %s, %.1f s\n", s->name, (double)(clock_ns() - begin_ns) / NSEC_PER_SEC);
	print_row(s, &qemu, &ours);
	if (!ret)
		ret = recording_compare(s, &qemu, &ours, &err);
	say(tally, !ret, s->name, ret ? err.text : s->why ? "deliberate difference" : "equal");
}

/* What both controls break, and nothing before it. */
#define BROKEN	"events of the source: V:vf0:pre-copy-p2p instead of V:vf0:pre-copy-p2p-prepare"

/* Must be found different for that reason and no other. */
static void control(struct tally *tally, const char *name, const struct scenario *s,
		    const struct recording *a, const struct recording *b)
{
	struct error err = { "" };
	int ret = recording_compare(s, a, b, &err);

	say(tally, ret == 1 && !strcmp(err.text, BROKEN), name,
	    ret == 1 ? err.text : "the comparison sees no difference");
}

/* The comparison can fail: a lost event, and two in the other order. */
static void play_controls(struct tally *tally, const struct functions *functions, const char *dir)
{
	const struct scenario *s = &scenarios[0];
	struct recording qemu, ours;
	struct error err = { "" };
	int ret = play(s, QEMU_11, functions, dir, &qemu, &err);

	if (!ret)
		ret = play(s, MIGLAB_NO_PREPARE, functions, dir, &ours, &err);
	if (ret) {
		say(tally, false, "controls", err.text);
		return;
	}
	control(tally, "control: --no-prepare is found", s, &qemu, &ours);
	ours = qemu;
	if (recording_compare(s, &qemu, &ours, &err) || recording_swap(&ours, SOURCE, 3))
		say(tally, false, "controls", "a recording differs from itself, or is too short");
	else
		control(tally, "control: two events in the other order are found", s, &qemu, &ours);
}

static bool qemu_is_here(void)
{
	FILE *in = popen("qemu-system-x86_64 --version 2>/dev/null", "re");
	int major = 0;

	if (!in)
		return false;
	if (fscanf(in, "QEMU emulator version %d", &major) != 1)
		major = 0;
	pclose(in);
	return major >= 11;
}

static int find_functions(struct functions *ret)
{
	char *names = getenv("MIGLAB_DEVICES"), *save = NULL, *name;
	size_t i = 0;

	for (name = names ? strtok_r(names, " ", &save) : NULL;
	     name && i < SIDES * SCENARIO_DEVICES; name = strtok_r(NULL, " ", &save), i++)
		ret->bdf[i / SCENARIO_DEVICES][i % SCENARIO_DEVICES] = name;
	return i == SIDES * SCENARIO_DEVICES ? 0 : -ENODEV;
}

/* For whoever uses the functions next. */
static void restore(const struct functions *functions)
{
	struct error ignored;
	size_t i;

	for (i = 0; i < SIDES * SCENARIO_DEVICES; i++) {
		const char *bdf = functions->bdf[i / SCENARIO_DEVICES][i % SCENARIO_DEVICES];

		attribute_write(bdf, "profile", "full", &ignored);
		attribute_write(bdf, "dirty_bytes_per_sec", "0", &ignored);
		attribute_write(bdf, "rules", "\n", &ignored);
	}
}

static bool is_wanted(const struct scenario *s, int argc, char **argv)
{
	int i;

	if (argc == 2 && !strcmp(argv[1], "--quick"))
		return s->quick;
	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], s->name))
			return true;
	return argc < 2;
}

static int usage_error(int argc, char **argv)
{
	const struct scenario *s;
	int i;

	for (i = 1; i < argc; i++) {
		for (s = scenarios; s->name && strcmp(s->name, argv[i]); s++)
			;
		if (!s->name && strcmp(argv[i], "--quick")) {
			fprintf(stderr, "mirror: there is no row %s; see mirror --list\n", argv[i]);
			return 2;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/miglab-mirror-XXXXXX";
	struct functions functions;
	struct tally tally = { 0 };
	const struct scenario *s;

	if (argc == 2 && !strcmp(argv[1], "--list")) {
		for (s = scenarios; s->name; s++)
			puts(s->name);
		return 0;
	}
	if (usage_error(argc, argv))
		return 2;
	if (find_functions(&functions) || !mkdtemp(dir)) {
		fprintf(stderr, "mirror: fewer than %d functions in MIGLAB_DEVICES, or no /tmp\n",
			SIDES * SCENARIO_DEVICES);
		return 3;
	}
	if (!qemu_is_here()) {
		puts("ok 1 - scenarios # SKIP qemu-system-x86_64 is not QEMU 11 or newer\n1..1");
		return 77;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (s = scenarios; s->name; s++)
		if (is_wanted(s, argc, argv))
			play_row(&tally, s, &functions, dir);
	play_controls(&tally, &functions, dir);
	restore(&functions);
	printf("1..%d\n", tally.number);
	return tally.bad;
}
