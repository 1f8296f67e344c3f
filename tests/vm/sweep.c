// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory and copies to and from the user fail, in the first place of an operation
 * where they can, then in the second, until the operation meets no failure any more.
 * After each the migration goes on, and nothing is left behind.
 *
 * Needs a kernel with FAULT_INJECTION: the debug kernel of the lab.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fsm.h"
#include "device/bind.h"
#include "device/pci.h"
#include "depart.h"
#include "lab.h"

#define POINTS_MAX	5000	/* an operation with as many never ends */
#define CODE_MAX	4096	/* a function's size is not known */

/* The code whose callees, however deep, a fault strikes, or spares. */
struct range {
	unsigned long first, last;
};

static const struct range everywhere = { 0, ULONG_MAX }, nowhere = { 0, 0 };

/* From the first function to the last whose name begins with @prefix, in @module or the kernel. */
static struct range functions(const char *prefix, const char *module)
{
	struct range r = { ULONG_MAX, 0 };
	char line[512], name[256], owner[64], type;
	FILE *f = fopen("/proc/kallsyms", "r");
	unsigned long at;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		owner[0] = '\0';
		if (sscanf(line, "%lx %c %255s [%63[^]]", &at, &type, name, owner) < 3 ||
		    (type | 0x20) != 't' || strncmp(name, prefix, strlen(prefix)) ||
		    strcmp(owner, module))
			continue;
		r.first = at < r.first ? at : r.first;
		r.last = at + CODE_MAX > r.last ? at + CODE_MAX : r.last;
	}
	fclose(f);
	if (!r.last)
		fail_msg("no function is called %s.. in \"%s\"", prefix, module);
	return r;
}

/* The code of the driver, what the drivers share, and what was loaded in between. */
static struct range driver_code(void)
{
	struct range shared = functions("", "miglab"), own = functions("", MIGLAB_DRIVER);

	return (struct range){
		.first = shared.first < own.first ? shared.first : own.first,
		.last = shared.last > own.last ? shared.last : own.last,
	};
}

static void set_knob(const char *kind, const char *name, unsigned long value)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kind, name);
	f = fopen(path, "w");
	if (!f || fprintf(f, "%#lx", value) < 0 || fclose(f))
		fail_msg("cannot set %s: is this the debug kernel?", path);
}

static const char *const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };

static void faults_strike(struct range hit, struct range spared)
{
	for (size_t i = 0; i < 3; i++) {
		set_knob(kinds[i], "require-start", hit.first);
		set_knob(kinds[i], "require-end", hit.last);
		set_knob(kinds[i], "reject-start", spared.first);
		set_knob(kinds[i], "reject-end", spared.last);
	}
}

/*
 * Below the driver, but not where the kernel's own code is known not to survive it, as of
 * Linux 7.3: ACPI's interpreter, from its dispatcher to its utilities, uses what it has freed...
 */
static void faults_spare_acpi(void)
{
	const struct range spared = {
		functions("acpi_ds_", "").first, functions("acpi_ut_", "").last,
	};

	faults_strike(driver_code(), spared);
}

/* ... and vfio_create_group() warns. */
static void faults_spare_groups(void)
{
	faults_strike(driver_code(), functions("vfio_create_group", ""));
}

/* Whatever is allocated may fail, and without a word. */
static int faults_begin(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++)
		set_knob(kinds[i], "verbose", 0);
	for (size_t i = 0; i < 2; i++)
		set_knob(kinds[i], "ignore-gfp-wait", 0);
	set_knob("fail_page_alloc", "ignore-gfp-highmem", 0);
	set_knob("fail_page_alloc", "min-order", 0);
	return 0;
}

static int fail_nth = -1;	/* this thread's */

/* The @nth place from now on where this thread can fail, fails. */
static void fault_arm(unsigned int nth)
{
	if (fail_nth < 0)
		fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth < 0)
		fail_msg("no /proc/thread-self/fail-nth: the kernel has no FAULT_INJECTION");
	if (dprintf(fail_nth, "%u", nth) < 0)
		fail_msg("fail-nth does not take %u", nth);
}

/* Has it failed? Then no more will. These calls can be struck themselves. */
static bool fault_disarm(void)
{
	char left[16] = "";
	bool fired = pread(fail_nth, left, sizeof(left) - 1, 0) > 0 && !atoi(left);

	while (pwrite(fail_nth, "0", 1, 0) < 0)
		;
	return fired;
}

/* What a sweep counts. */
struct sweep {
	const char *name;
	unsigned int points;	/* where something failed */
	unsigned int told;	/* of these, after which the operation failed */
};

/* Calls @take with a failure in place number s->points + 1; *ret_fired: was there such a place? */
static int strike(struct sweep *s, int (*take)(void *opaque), void *opaque, bool *ret_fired)
{
	int ret;

	assert_true(s->points < POINTS_MAX);
	fault_arm(s->points + 1);
	ret = take(opaque);
	*ret_fired = fault_disarm();
	if (!*ret_fired) {
		assert_int_equal(ret, 0);
		return ret;
	}
	s->points++;
	s->told += ret != 0;
	return ret;
}

/* Without a failure that was told nothing was tried. */
static void sweep_report(const struct sweep *s)
{
	printf("# %s: %u places fail, %u are told\n", s->name, s->points, s->told);
}

/* --- a migration from function 0 to function 1 --- */

struct migration {
	struct device *src, *dst;
	unsigned char stream[STREAM_MAX];
	size_t size, fed;
};

static int set(struct device *dev, uint32_t state)
{
	struct error err;

	return dev->ops->set_state(dev, state, &err);
}

static int pre_copy(void *opaque)
{
	return set(((struct migration *)opaque)->src, MIGLAB_PRE_COPY);
}

static int pre_copy_p2p(void *opaque)
{
	return set(((struct migration *)opaque)->src, MIGLAB_PRE_COPY_P2P);
}

static int stop_copy(void *opaque)
{
	return set(((struct migration *)opaque)->src, MIGLAB_STOP_COPY);
}

static int resuming(void *opaque)
{
	return set(((struct migration *)opaque)->dst, MIGLAB_RESUMING);
}

static int running(void *opaque)
{
	return set(((struct migration *)opaque)->dst, MIGLAB_RUNNING);
}

static int stop(void *opaque)
{
	return set(((struct migration *)opaque)->src, MIGLAB_STOP);
}

static int precopy_info(void *opaque)
{
	struct device *dev = ((struct migration *)opaque)->src;
	struct precopy_info info;
	struct error err;

	return dev->ops->precopy_info(dev, &info, &err);
}

static int data_size(void *opaque)
{
	struct device *dev = ((struct migration *)opaque)->src;
	struct error err;
	uint64_t size;

	return dev->ops->data_size(dev, &size, &err);
}

/* To the end, or to the end for now, from where the last read left off. */
static int read_on(void *opaque)
{
	struct migration *m = opaque;
	ssize_t n;

	do {
		n = m->src->ops->read(m->src, m->stream + m->size, sizeof(m->stream) - m->size);
		m->size += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	return n == -ENOMSG ? 0 : (int)n;
}

static int write_on(void *opaque)
{
	struct migration *m = opaque;
	ssize_t n = 0;

	while (m->fed < m->size && n >= 0) {
		n = m->dst->ops->write(m->dst, m->stream + m->fed, m->size - m->fed);
		m->fed += n > 0 ? (size_t)n : 0;
	}
	return n < 0 ? (int)n : 0;
}

static int end_session(void *opaque)
{
	struct device *dev = ((struct migration *)opaque)->src;

	dev->ops->end_session(dev);
	return 0;
}

static const struct step {
	const char *name;
	int (*take)(void *opaque);
	bool may_fail;		/* and is seen to do so */
} steps[] = {
	{ "SET PRE_COPY", pre_copy, true },
	{ "GET_PRECOPY_INFO", precopy_info, true },
	{ "read in PRE_COPY", read_on, true },
	{ "SET PRE_COPY_P2P", pre_copy_p2p, true },
	{ "data size", data_size, true },
	{ "SET STOP_COPY", stop_copy, true },
	{ "read in STOP_COPY", read_on, true },
	{ "SET RESUMING", resuming, true },
	{ "write", write_on, true },
	{ "SET RUNNING from RESUMING", running, true },
	{ "SET STOP from STOP_COPY", stop, true },
	{ "close", end_session, false },
};

#define NR_STEPS (sizeof(steps) / sizeof(steps[0]))

static void back_to_running(struct device *dev)
{
	struct error err = { "" };

	dev->ops->end_session(dev);
	if (state_of(dev) == MIGLAB_RESUMING && dev->ops->reset(dev, &err))
		fail_msg("%s", err.text);
	go(dev, MIGLAB_RUNNING);
	assert_int_equal(stat_of(dev, "sessions_live"), 0);
	assert_int_equal(stat_of(dev, "images_live"), 1);
}

static void begin(struct migration *m)
{
	back_to_running(m->src);
	back_to_running(m->dst);
	m->size = 0;
	m->fed = 0;
}

static void take_steps(struct migration *m, size_t first, size_t behind)
{
	for (size_t i = first; i < behind; i++)
		if (steps[i].take(m))
			fail_msg("%s fails without a fault", steps[i].name);
}

static void assert_equal_states(struct migration *m)
{
	char *from = attribute(m->src, "fingerprint"), *to = attribute(m->dst, "fingerprint");

	assert_string_not_equal(from, "none\n");
	assert_string_equal(from, to);
	free(from);
	free(to);
}

/*
 * A SET that fails stays in its way's last state that it reached, and if that is the end
 * its session is lost: the migration is begun anew. Else it goes on where it was.
 */
static void migrate_with_a_fault(struct migration *m, size_t at, struct sweep *s, bool *ret_fired)
{
	uint32_t src, dst;
	int ret;

	begin(m);
	take_steps(m, 0, at);
	src = state_of(m->src);
	dst = state_of(m->dst);
	ret = strike(s, steps[at].take, m, ret_fired);
	if (ret && ret != -ENOMEM && ret != -EFAULT)
		fail_msg("%s with a fault in place %u: %s", s->name, s->points, strerror(-ret));
	if (ret && (state_of(m->src) != src || state_of(m->dst) != dst)) {
		begin(m);
		take_steps(m, 0, at);
	}
	take_steps(m, ret ? at : at + 1, NR_STEPS);
	assert_equal_states(m);
}

static void each_step_of_a_migration_may_fail_anywhere(void **state)
{
	static struct migration m;
	size_t i;

	(void)state;
	faults_strike(everywhere, nowhere);
	configure(0, "state_bytes", "65536");
	configure(1, "state_bytes", "65536");
	m.src = open_function(0);
	m.dst = open_function(1);
	configure(0, "state_bytes", "1048576");
	configure(1, "state_bytes", "1048576");
	for (i = 0; i < NR_STEPS; i++) {
		struct sweep s = { .name = steps[i].name };
		bool fired;

		do {
			migrate_with_a_fault(&m, i, &s, &fired);
		} while (fired);
		sweep_report(&s);
		assert_int_equal(s.told > 0, steps[i].may_fail);
	}
	back_to_running(m.src);
	back_to_running(m.dst);
}

/* --- what is done to a device otherwise --- */

struct opening {
	char spec[48];
	struct device *dev;	/* NULL: it failed */
};

static int open_it(void *opaque)
{
	struct opening *o = opaque;
	struct error err;
	int ret = device_open(o->spec, &o->dev, &err);

	if (ret) {
		assert_true(strlen(err.text) > 0);
		o->dev = NULL;
	}
	return ret;
}

static int lowest_descriptor(void)
{
	int fd = dup(STDIN_FILENO);

	close(fd);
	return fd;
}

/* The close is not struck: the kernel's own release of the DMA ownership warns, as of Linux 7.3. */
static void opened(const char *via)
{
	struct sweep s = { .name = via };
	struct opening o;
	bool fired;
	int fd;

	snprintf(o.spec, sizeof(o.spec), "vfio:%s,via=%s", function(0), via);
	faults_spare_acpi();
	fault_arm(0);
	fd = lowest_descriptor();
	do {
		strike(&s, open_it, &o, &fired);
		if (o.dev)
			o.dev->ops->close(o.dev);
		assert_int_equal(lowest_descriptor(), fd);
	} while (fired);
	sweep_report(&s);
	assert_true(s.told > 0);
	move_state(open_function(0), open_function(1));
}

static void an_open_by_group_may_fail_anywhere(void **state)
{
	(void)state;
	opened("group");
}

static void an_open_by_cdev_may_fail_anywhere(void **state)
{
	(void)state;
	opened("cdev");
}

static int write_rules(void *opaque)
{
	struct device *dev = opaque;
	struct error err;

	return dev->lab->ops->write(dev->lab, "rules", "op=read errno=EIO", &err);
}

static int reset(void *opaque)
{
	struct device *dev = opaque;
	struct error err;

	return dev->ops->reset(dev, &err);
}

/* The rules in force are the old ones or the new ones. */
static void rules_may_fail_anywhere(void **state)
{
	struct sweep s = { .name = "a write of rules" };
	struct device *dev = open_function(0);
	bool fired;
	char *text;
	int ret;

	(void)state;
	faults_strike(everywhere, nowhere);
	do {
		set_attribute(dev, "rules", "\n");
		ret = strike(&s, write_rules, dev, &fired);
		text = attribute(dev, "rules");
		assert_string_equal(text, ret ? "\n" : "op=read errno=EIO\n");
		free(text);
	} while (fired);
	sweep_report(&s);
	assert_true(s.told > 0);
}

static void a_reset_meets_no_failure(void **state)
{
	struct sweep s = { .name = "a reset" };
	struct device *dev = open_function(0);
	bool fired;

	(void)state;
	faults_spare_acpi();
	do {
		go(dev, MIGLAB_PRE_COPY);
		assert_int_equal(strike(&s, reset, dev, &fired), 0);
		assert_int_equal(state_of(dev), MIGLAB_RUNNING);
	} while (fired);
	sweep_report(&s);
	move_state(dev, open_function(1));
}

static int bind_driver(void *opaque)
{
	return sysfs_write(opaque, PCI_DRIVERS "/" MIGLAB_DRIVER "/bind");
}

static void a_bind_may_fail_anywhere(void **state)
{
	char bdf[SYSFS_NAME_SIZE], driver[SYSFS_NAME_SIZE];
	struct sweep s = { .name = "a bind" };
	struct departure d;
	bool fired;

	(void)state;
	faults_spare_groups();
	snprintf(bdf, sizeof(bdf), "%s", function(0));
	do {
		pci_driver(bdf, driver);
		if (strcmp(driver, "none")) {
			depart_unbind(&d);
			departure_start(&d);
			departure_end(&d);
		}
		strike(&s, bind_driver, bdf, &fired);
	} while (fired);
	sweep_report(&s);
	assert_true(s.told > 0);
	bind_again(0);
	move_state(open_function(0), open_function(1));
}

int sweep_rows(void)
{
	const struct CMUnitTest rows[] = {
		row(each_step_of_a_migration_may_fail_anywhere),
		row(an_open_by_group_may_fail_anywhere),
		row(an_open_by_cdev_may_fail_anywhere),
		row(rules_may_fail_anywhere),
		row(a_reset_meets_no_failure),
		row(a_bind_may_fail_anywhere),
	};

	return cmocka_run_group_tests_name("sweep", rows, faults_begin, NULL);
}
