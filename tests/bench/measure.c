// SPDX-License-Identifier: GPL-2.0-only
/*
 * Usage: measure transitions qemu-11.1|qemu|group N	functions of $MIGLAB_DEVICES, 300 ms
 *        measure transitions emulated N			emulated devices, 100 ms
 *        measure control module|emulated N		query-migrate, idle and held
 *        measure stop-copy qemu-11.1|group|emulated BYTES	the state of one device
 *        measure memory few|many			passes of pre-copy, emulated
 *
 * One migration each, the policy being "group" where none is named. Prints lines "section row
 * column value", separated by tabs, for table. $MIGLAB is the program, build/miglab unless it
 * is set; $TMPDIR is for sockets. Exit status: 0, 2 bad usage, 3 could not measure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "migration.h"
#include "sampler.h"

#define QUIESCE		VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_PRE_COPY_P2P
#define RULE		"arc=PRE_COPY>PRE_COPY_P2P "
#define MODULE_MS	300
#define EMULATED_MS	100
#define ASKED		500	/* questions of each kind */
#define PASSES_BYTES	"16M"
#define MANY_PASSES	64

struct subject {
	const char *name;
	enum vmm_kind kind;
	const char *policy;
};

static const struct subject subjects[] = {
	{ "qemu-11.1", QEMU_11, NULL },
	{ "qemu", MIGLAB, "qemu" },
	{ "group", MIGLAB, "group" },
	{ "module", MIGLAB, "group" },
	{ "emulated", MIGLAB, "group" },
};

static double ms(uint64_t from_ns, uint64_t to_ns)
{
	return ((double)to_ns - (double)from_ns) / NSEC_PER_MSEC;
}

/* --- transitions ------------------------------------------------------------------ */

struct prepares {
	size_t count, before;	/* of them, before any arc began */
	uint64_t first_ns, last_ns;
};

static struct prepares find_prepares(const struct vmm *vmm, uint64_t first_arc_ns)
{
	struct prepares p = { .count = 0 };
	char *words = strdup(vmm->sequence), *save = NULL, *word;
	size_t i = 0;

	for (word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save), i++) {
		if (!strstr(word, ":pre-copy-p2p-prepare"))
			continue;
		if (!p.count++)
			p.first_ns = vmm->at_ns[i];
		p.last_ns = vmm->at_ns[i];
		p.before += vmm->at_ns[i] < first_arc_ns;
	}
	free(words);
	return p;
}

static void tell_transitions(struct migration *m, const struct sampler *asked, const char *section,
			     const char *column, double delay_ms)
{
	struct span quiet = migration_span(m, SOURCE, QUIESCE);
	struct prepares p = find_prepares(&m->vmm[SOURCE], quiet.first_begin_ns);
	double blackout = ms(quiet.first_begin_ns, quiet.last_end_ns), median, p99;
	const struct { const char *what; double value; } lines[] = {
		{ "last prepare, ms", ms(p.first_ns, p.last_ns) },
		{ "prepared before", (double)p.before },
		{ "blackout, ms", blackout },
		{ "blackout, delays", blackout / delay_ms },
		{ "downtime, ms", (double)migrate_number(m->second, NULL, "downtime") },
	};
	char row[64];

	/* Our client outranks no emulated device: what it has first is chance. */
	for (size_t i = m->setup->emulated ? 2 : 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(row, sizeof(row), "%zu: %s", m->setup->devices, lines[i].what);
		figure(section, row, column, lines[i].value);
	}
	if (!sample_latency(asked->samples, asked->count, quiet.first_begin_ns, quiet.last_end_ns,
			    &median, &p99))
		return;
	snprintf(row, sizeof(row), "%zu: answer, median ms", m->setup->devices);
	figure(section, row, column, median);
	snprintf(row, sizeof(row), "%zu: answer, p99 ms", m->setup->devices);
	figure(section, row, column, p99);
}

static void measure_transitions(const struct subject *subject, const char *number)
{
	bool emulated = !strcmp(subject->name, "emulated");
	unsigned int delay_ms = emulated ? EMULATED_MS : MODULE_MS;
	static struct sampler asked;
	static struct migration m;
	char rules[128], dev[160];
	const struct setup setup = {
		.kind = subject->kind, .policy = subject->policy,
		.emulated = emulated ? dev : NULL, .devices = strtoul(number, NULL, 10),
		.rules = rules,
	};

	snprintf(rules, sizeof(rules), RULE "delay_us=%u", delay_ms * 1000);
	snprintf(dev, sizeof(dev), "emu:rules=%s", rules);
	migration_start(&m, &setup);
	sampler_start(&asked, m.second);
	migration_begin(&m);
	migration_finish(&m);
	sampler_stop(&asked);
	tell_transitions(&m, &asked, emulated ? "emulated" : "transitions", subject->name,
			 delay_ms);
	migration_end(&m);
}

/* --- control ------------------------------------------------------------------------ */

static void await_all_held(struct migration *m)
{
	uint64_t deadline_ns = clock_ns() + GUARD_NS;

	for (size_t i = 0; i < m->setup->devices; i++) {
		bool none;

		do {
			char *held = migration_read(m, SOURCE, i, "held");

			none = !strncmp(held, "none", 4);
			free(held);
			if (clock_ns() > deadline_ns)
				die("vf%zu is not held", i);
			usleep(1000);
		} while (none);
	}
}

static void ask(struct migration *m, const char *row, const char *column)
{
	static struct sample samples[ASKED];
	double median, p99;
	char name[64];

	for (size_t i = 0; i < ASKED; i++)
		samples[i] = sample_take(m->second);
	sample_latency(samples, ASKED, 0, UINT64_MAX, &median, &p99);
	snprintf(name, sizeof(name), "%s, median ms", row);
	figure("control", name, column, median);
	snprintf(name, sizeof(name), "%s, p99 ms", row);
	figure("control", name, column, p99);
}

static void measure_control(const struct subject *subject, const char *number)
{
	static const char held[] = RULE "hold limit_us=600000000";
	bool emulated = !strcmp(subject->name, "emulated");
	static struct migration m;
	const struct setup setup = {
		.kind = subject->kind, .policy = subject->policy, .rules = held,
		.emulated = emulated ? "emu:rules=" RULE "hold limit_us=600000000" : NULL,
		.devices = strtoul(number, NULL, 10),
	};
	char row[64];

	snprintf(row, sizeof(row), "%s %s", number, subject->name);
	migration_start(&m, &setup);
	ask(&m, row, "idle");
	migration_begin(&m);
	await_all_held(&m);
	ask(&m, row, "held");
	for (size_t i = 0; i < setup.devices; i++)
		migration_write(&m, SOURCE, i, "release", "1");
	migration_finish(&m);
	migration_end(&m);
}

/* --- the state ------------------------------------------------------------------------ */

/* The most memory that the process had, in MiB. */
static double peak_mib(pid_t pid)
{
	char path[64], line[256];
	unsigned long kib = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	in = fopen(path, "re");
	while (in && fgets(line, sizeof(line), in))
		sscanf(line, "VmHWM: %lu", &kib);
	if (!in || !kib)
		die("%s does not tell VmHWM", path);
	fclose(in);
	return (double)kib / 1024;
}

/* From the source's arrival in STOP_COPY until the destination leaves RESUMING. */
static void measure_stop_copy(const struct subject *subject, const char *bytes)
{
	bool emulated = !strcmp(subject->name, "emulated");
	static struct migration m;
	char dev[64], row[64];
	const struct setup setup = {
		.kind = subject->kind, .policy = subject->policy, .devices = 1,
		.emulated = emulated ? dev : NULL, .profile = "no-precopy", .state_bytes = bytes,
	};
	double mib = (double)strtoull(bytes, NULL, 10) / (1 << 20), took_ms;

	snprintf(dev, sizeof(dev), "emu:profile=no-precopy,state_bytes=%s", bytes);
	migration_start(&m, &setup);
	migration_begin(&m);
	migration_finish(&m);
	took_ms = ms(migration_span(&m, SOURCE, VFIO_DEVICE_STATE_STOP,
				    VFIO_DEVICE_STATE_STOP_COPY).last_end_ns,
		     migration_span(&m, DESTINATION, VFIO_DEVICE_STATE_RESUMING,
				    VFIO_DEVICE_STATE_STOP).first_begin_ns);
	snprintf(row, sizeof(row), "%.0f MiB", mib);
	if (emulated) {
		figure("state", row, "MiB/s", mib / took_ms * 1000);
		figure("state", row, "source / state", peak_mib(m.vmm[SOURCE].pid) / mib);
		figure("state", row, "destination / state", peak_mib(m.vmm[DESTINATION].pid) / mib);
	} else {
		figure("stop-copy", row, subject->name, mib / took_ms * 1000);
	}
	migration_end(&m);
}

/* The device changes faster than it can be sent, until so much was sent. */
static void measure_memory(const char *passes)
{
	bool many = !strcmp(passes, "many");
	const struct setup setup = {
		.kind = MIGLAB, .policy = "group", .devices = 1,
		.emulated = "emu:state_bytes=" PASSES_BYTES ",dirty_bytes_per_sec=4G",
	};
	int64_t enough = (int64_t)(many ? MANY_PASSES : 1) << 24;
	static struct migration m;
	struct error err;

	migration_start(&m, &setup);
	if (vmm_call(&m.vmm[SOURCE], "migrate-set-parameters", VMM_ENDLESS, &err))
		die("%s", err.text);
	migration_begin(&m);
	while (migrate_number(m.second, "vfio", "transferred") < enough)
		usleep(1000);
	if (vmm_call(&m.vmm[SOURCE], "migrate-set-parameters", VMM_CONVERGES, &err))
		die("%s", err.text);
	migration_finish(&m);
	figure("memory", "sent, MiB", passes,
	       (double)migrate_number(m.second, "vfio", "transferred") / (1 << 20));
	figure("memory", "source's peak, MiB", passes, peak_mib(m.vmm[SOURCE].pid));
	figure("memory", "destination's peak, MiB", passes, peak_mib(m.vmm[DESTINATION].pid));
	migration_end(&m);
}

static const struct {
	const char *name;
	const char *subjects;	/* of which each may be measured */
	void (*measure)(const struct subject *subject, const char *number);
} experiments[] = {
	{ "transitions", "qemu-11.1 qemu group emulated", measure_transitions },
	{ "control", "module emulated", measure_control },
	{ "stop-copy", "qemu-11.1 group emulated", measure_stop_copy },
};

static bool has_word(const char *words, const char *word)
{
	size_t length = strlen(word);
	const char *at = words;

	while ((at = strstr(at, word))) {
		if ((at == words || at[-1] == ' ') && (!at[length] || at[length] == ' '))
			return true;
		at += length;
	}
	return false;
}

/* false: there is no such experiment. */
static bool measure(const char *name, const char *who, const char *number)
{
	for (size_t e = 0; e < sizeof(experiments) / sizeof(experiments[0]); e++) {
		if (strcmp(experiments[e].name, name) || !has_word(experiments[e].subjects, who))
			continue;
		for (size_t s = 0; s < sizeof(subjects) / sizeof(subjects[0]); s++)
			if (!strcmp(subjects[s].name, who)) {
				experiments[e].measure(&subjects[s], number);
				return true;
			}
	}
	return false;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strtoull(argv[3], NULL, 10) && measure(argv[1], argv[2], argv[3]))
		return 0;
	if (argc == 3 && !strcmp(argv[1], "memory") &&
	    (!strcmp(argv[2], "few") || !strcmp(argv[2], "many"))) {
		measure_memory(argv[2]);
		return 0;
	}
	fprintf(stderr, "measure: bad usage; the head of its source says what there is\n");
	return 2;
}
