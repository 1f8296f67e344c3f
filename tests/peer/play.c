// SPDX-License-Identifier: GPL-2.0-only
/*
 * The player of the peer tier: in the virtual test host it migrates real devices from one VMM to
 * another, lets miglab judge say what it saw, and compares that with what the row expects.
 *
 * Usage: play [--list | ROW..]
 *
 * Every row unless some are named. The functions in $MIGLAB_DEVICES are bound to miglab_vfio_pci;
 * the first half are sources, the second destinations. $MIGLAB is the program, build/miglab unless
 * it is set. TAP; exit status 0 all as expected, 1 a row is not, 2 bad usage, 3 could not run.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attribute.h"
#include "base/clock.h"
#include "judged.h"
#include "order.h"
#include "tracing.h"
#include "vmm.h"

#define ROWS		(sizeof(rows) / sizeof(rows[0]))
#define FUNCTIONS_MAX	32
#define MIGRATION_NS	(300 * NSEC_PER_SEC)

#define SLOW	"arc=PRE_COPY>PRE_COPY_P2P delay_us=300000"
#define HELD	"arc=PRE_COPY>PRE_COPY_P2P hold limit_us=3600000000 delay_us=300000"

/*
 * The source and the judge share a processor, and the judge outranks it: it wakes inside the VMM's
 * write of the event, so that its receipt needs no luck to come before the arc.
 */
#define SOURCE_CPU	1
#define OTHER_CPU	0

struct row {
	const char *name;
	enum vmm_kind source, destination;
	size_t devices;
	bool hold;
	const char *verdict;	/* of each device; BEFORE: or HELD, where the arc is held */
	const char *policy;	/* of miglab run; "group" announces all before the first ioctl */
};

static const struct row rows[] = {
	{ "qemu-10.0", QEMU_10, QEMU_10, 1, false, "MISSING", NULL },
	{ "qemu-11.1", QEMU_11, QEMU_11, 1, false, "BEFORE", NULL },
	{ "qemu-11.1-held", QEMU_11, QEMU_11, 1, true, "BEFORE", NULL },
	{ "qemu-11.1-four", QEMU_11, QEMU_11, 4, false, "BEFORE", NULL },
	{ "qemu-11.1-four-held", QEMU_11, QEMU_11, 4, true, "BEFORE", NULL },
	{ "miglab", MIGLAB, MIGLAB, 1, false, "BEFORE", NULL },
	{ "miglab-held", MIGLAB, MIGLAB, 1, true, "BEFORE", NULL },
	{ "miglab-four", MIGLAB, MIGLAB, 4, false, "BEFORE", NULL },
	{ "miglab-four-held", MIGLAB, MIGLAB, 4, true, "BEFORE", NULL },
	{ "miglab-group-four-held", MIGLAB, MIGLAB, 4, true, "BEFORE", "group" },
	{ "miglab-group-eight", MIGLAB, MIGLAB, 8, false, "BEFORE", "group" },
	{ "miglab-no-prepare", MIGLAB_NO_PREPARE, MIGLAB, 1, false, "MISSING", NULL },
};

/* The functions, as $MIGLAB_DEVICES names them. */
struct functions {
	const char *bdf[FUNCTIONS_MAX];
	size_t count;
};

/* A row as it is played. */
struct play {
	const struct row *row;
	const char *const *sources, *const *destinations;
	const char *dir;
	struct vmm source, destination;
	struct judged judged;
	char *trace;
	double lead_us;
};

static int start(struct play *p, struct error *err)
{
	const struct vmm_plan source = {
		.kind = p->row->source, .dir = p->dir, .role = "source", .bdfs = p->sources,
		.devices = p->row->devices, .policy = p->row->policy, .cpu = SOURCE_CPU,
	};
	const struct vmm_plan destination = {
		.kind = p->row->destination, .dir = p->dir, .role = "destination",
		.bdfs = p->destinations, .devices = p->row->devices, .policy = p->row->policy,
		.incoming = true, .cpu = OTHER_CPU,
	};
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < p->row->devices; i++)
		ret = attribute_write(p->sources[i], "rules", p->row->hold ? HELD : SLOW, err);
	if (!ret)
		ret = vmm_start(&p->destination, &destination, err);
	if (!ret)
		ret = vmm_start(&p->source, &source, err);
	return ret;
}

/* Everybody listens when the migration begins. */
static int begin(struct play *p, struct error *err)
{
	char uri[256];
	int ret;

	snprintf(uri, sizeof(uri), "unix:%s/migration", p->dir);
	ret = vmm_command(&p->destination, "migrate-incoming", uri, err);
	if (!ret)
		ret = judged_start(&p->judged, p->source.judge_uri, p->sources, p->row->devices,
				   p->row->hold, SOURCE_CPU, err);
	if (!ret)
		ret = tracing_start(p->source.pid, err);
	return ret ? ret : vmm_command(&p->source, "migrate", uri, err);
}

static int migrate(struct play *p, struct error *err)
{
	uint64_t deadline_ns = clock_ns() + MIGRATION_NS;
	struct error why;
	int ret = begin(p, err);

	if (!ret)
		ret = vmm_wait(&p->source, deadline_ns, err);
	if (!ret)
		ret = vmm_wait(&p->destination, deadline_ns, err);
	if (!ret)
		ret = judged_finish(&p->judged, err);
	if (!ret)
		return tracing_stop(&p->trace, err);
	/* What the judge saw up to here helps to understand what happened. */
	judged_interrupt(&p->judged);
	if (p->judged.pid > 0)
		judged_finish(&p->judged, &why);
	return ret;
}

/* The clocks may tell, or not; the hold proves it then. */
static bool is_verdict(const struct row *row, const char *verdict)
{
	return !strcmp(verdict, row->verdict) ||
	       (row->hold && !strcmp(row->verdict, "BEFORE") && !strcmp(verdict, "HELD"));
}

static int check_verdicts(const struct play *p, struct error *err)
{
	int status = strcmp(p->row->verdict, "BEFORE") != 0;
	bool by_clock = true;
	size_t i;

	if (p->judged.status != status)
		return error_set(err, 1, "the judge ended with status %d instead of %d",
				 p->judged.status, status);
	if (p->judged.count != p->row->devices)
		return error_set(err, 1, "%zu verdicts for %zu devices", p->judged.count,
				 p->row->devices);
	for (i = 0; i < p->judged.count; i++) {
		if (!is_verdict(p->row, p->judged.verdict[i]))
			return error_set(err, 1, "%s instead of %s", p->judged.verdict[i],
					 p->row->verdict);
		by_clock &= strcmp(p->judged.verdict[i], "HELD") != 0;
	}
	if (strcmp(p->judged.result, status ? "FAIL" : by_clock ? "PASS" : "HELD"))
		return error_set(err, 1, "it comes to %s", p->judged.result);
	for (i = 0; i < p->judged.count; i++)
		if (p->judged.by_hold[i] != p->row->hold)
			return error_set(err, 1, "the proof by hold %s",
					 p->row->hold ? "did not run" : "ran without a hold");
	return 0;
}

/* The proof must succeed where the event comes first, and fail where it does not come. */
static int check_order(struct play *p, struct error *err)
{
	struct error why = { "" };
	int ret = order_check(p->trace, p->judged.claims, p->judged.claim_count, false,
			      &p->lead_us, &why);
	int expected = strcmp(p->row->verdict, "BEFORE") != 0;

	if (ret == expected) {
		if (ret)
			printf("# order: not proven, as it should be: %s\n", why.text);
		else
			printf("# order: proven, written at least %.0f us before the ioctl\n",
			       p->lead_us);
		return 0;
	}
	return error_set(err, 1, "order: %s",
			 ret ? why.text : "proven although no event announced the arc");
}

/*
 * Are all devices announced before the first goes? With the policy "group" they are; with QEMU, and
 * as QEMU does it, they must not seem to be.
 */
static int check_together(const struct play *p, struct error *err)
{
	struct error why = { "" };
	bool expected = p->row->policy && !strcmp(p->row->policy, "group");
	int ret;

	if (p->row->devices < 2)
		return 0;
	ret = order_check(p->trace, p->judged.claims, p->judged.claim_count, true, NULL, &why);
	if (!ret == expected) {
		printf("# order: %s\n",
		       expected ? "all announced before the first ioctl" : why.text);
		return 0;
	}
	return error_set(err, 1, "order: %s",
			 ret ? why.text : "all announced before the first ioctl, which is not so");
}

static int check_fingerprints(const struct play *p, struct error *err)
{
	size_t i;

	for (i = 0; i < p->row->devices; i++) {
		char *a, *b;
		int ret = attribute_read_line(p->sources[i], "fingerprint", &a, err);

		if (ret)
			return ret;
		ret = attribute_read_line(p->destinations[i], "fingerprint", &b, err);
		if (ret) {
			free(a);
			return ret;
		}
		if (strcmp(a, b) || !strcmp(a, "none"))
			ret = error_set(err, 1, "vf%zu: the fingerprint is %s at the source and %s "
					"at the destination", i, a, b);
		free(a);
		free(b);
		if (ret)
			return ret;
	}
	return 0;
}

static void tell(const struct play *p, bool failed)
{
	size_t i;

	printf("# source:%s\n# destination:%s\n", p->source.sequence, p->destination.sequence);
	for (i = 0; i < p->judged.count; i++)
		printf("# judge: %s\n", p->judged.text[i]);
	if (!failed)
		return;
	print_log(p->source.log);
	print_log(p->destination.log);
}

static void finish(struct play *p)
{
	judged_free(&p->judged);
	vmm_stop(&p->source);
	vmm_stop(&p->destination);
	free(p->trace);
}

/* 0 when the row went as expected. */
static int play_row(const struct row *row, const struct functions *functions, const char *dir,
		    struct error *err)
{
	struct play p = {
		.row = row,
		.sources = functions->bdf,
		.destinations = functions->bdf + functions->count / 2,
		.dir = dir,
	};
	int ret;

	if (2 * row->devices > functions->count)
		return error_set(err, -ENODEV, "%zu functions in MIGLAB_DEVICES, %zu needed",
				 functions->count, 2 * row->devices);
	ret = start(&p, err);
	if (!ret)
		ret = migrate(&p, err);
	if (!ret)
		ret = check_verdicts(&p, err);
	if (!ret)
		ret = check_fingerprints(&p, err);
	if (!ret)
		ret = check_order(&p, err);
	if (!ret)
		ret = check_together(&p, err);
	tell(&p, ret != 0);
	finish(&p);
	return ret;
}

static bool is_wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc < 2;
}

static int list(void)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		puts(rows[i].name);
	return 0;
}

static int find_functions(struct functions *ret)
{
	char *names = getenv("MIGLAB_DEVICES"), *save = NULL, *name;

	for (name = names ? strtok_r(names, " ", &save) : NULL; name;
	     name = strtok_r(NULL, " ", &save)) {
		if (ret->count == FUNCTIONS_MAX)
			break;
		ret->bdf[ret->count++] = name;
	}
	return ret->count ? 0 : -ENODEV;
}

static int usage_error(int argc, char **argv)
{
	size_t r;
	int i;

	for (i = 1; i < argc; i++) {
		for (r = 0; r < ROWS && strcmp(rows[r].name, argv[i]); r++)
			;
		if (r == ROWS) {
			fprintf(stderr, "play: there is no row %s; see play --list\n", argv[i]);
			return 2;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct functions functions = { .count = 0 };
	char dir[] = "/tmp/miglab-peer-XXXXXX";
	struct error err = { "" };
	int number = 0, bad = 0;
	size_t i;

	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list();
	if (usage_error(argc, argv))
		return 2;
	if (find_functions(&functions) || !mkdtemp(dir)) {
		fprintf(stderr, "play: MIGLAB_DEVICES is not set, or /tmp is not writable\n");
		return 3;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < ROWS; i++) {
		if (!is_wanted(rows[i].name, argc, argv))
			continue;
		if (play_row(&rows[i], &functions, dir, &err)) {
			printf("not ok %d - %s: %s\n", ++number, rows[i].name, err.text);
			bad = 1;
		} else {
			printf("ok %d - %s: %s\n", ++number, rows[i].name, rows[i].verdict);
		}
	}
	printf("1..%d\n", number);
	return bad;
}
