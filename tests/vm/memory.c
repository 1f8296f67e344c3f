// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory that a device's state takes is that of the memory cgroup of who opened the
 * device, and of who loads it: it is charged there, limited there, and given back.
 */
#include <errno.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/fsm.h"
#include "device/sysfs.h"
#include "lab.h"

#define CGROUPS		"fs/cgroup"
#define CGROUP		CGROUPS "/miglab-rows"
#define STATE_BYTES	(32u << 20)
/* Kernel stacks, records, and what a processor has not told yet. */
#define SLACK		(8u << 20)
#define TOO_LITTLE	"16777216"

/* The state of both functions, from their next open on. */
static void resize(const char *bytes)
{
	configure(0, "state_bytes", bytes);
	configure(1, "state_bytes", bytes);
}

static int setup_cgroup(void **state)
{
	(void)state;
	assert_int_equal(mount("none", "/sys/" CGROUPS, "cgroup2", 0, NULL), 0);
	assert_int_equal(sysfs_write("+memory", CGROUPS "/cgroup.subtree_control"), 0);
	assert_int_equal(mkdir("/sys/" CGROUP, 0755), 0);
	resize("33554432");
	return 0;
}

static int teardown_cgroup(void **state)
{
	(void)state;
	resize("1048576");
	return rmdir("/sys/" CGROUP) || umount("/sys/" CGROUPS);
}

/* A value of the cgroup's file that has "KEY VALUE" in each line. */
static unsigned long long cgroup_value(const char *file, const char *key)
{
	char path[64], name[64];
	unsigned long long value;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/" CGROUP "/%s", file);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fscanf(f, "%63s %llu", name, &value) == 2) {
		if (strcmp(name, key))
			continue;
		fclose(f);
		return value;
	}
	fail_msg("%s has no %s", path, key);
	return 0;
}

/* A state is in such memory; slabs are not, which the kernel keeps for as long as it likes. */
static unsigned long long vmalloc_bytes(void)
{
	return cgroup_value("memory.stat", "vmalloc");
}

/*
 * What was got for an allocation that failed is given back by a work item, and what others free is
 * in the cgroup's figures only when the kernel has summed them up.
 */
static void wait_given_back(void)
{
	uint64_t deadline = clock_ns() + PATIENCE_NS;

	while (vmalloc_bytes() > SLACK) {
		assert_true(clock_ns() < deadline);
		sched_yield();
	}
}

static void allow(const char *bytes)
{
	assert_int_equal(sysfs_write(bytes, CGROUP "/memory.max"), 0);
}

/* Moves @src's state to @dst piece by piece, up to RESUMING. */
static void pump(struct device *src, struct device *dst)
{
	static unsigned char piece[1u << 20];
	ssize_t n;

	go(src, MIGLAB_STOP_COPY);
	go(dst, MIGLAB_RESUMING);
	while ((n = src->ops->read(src, piece, sizeof(piece))) > 0)
		assert_int_equal(load(dst, piece, (size_t)n, sizeof(piece)), 0);
	assert_int_equal(n, 0);
}

/* What a child does in the cgroup; it then stops, and is not done until it is killed. */
struct work {
	void (*run)(struct device *src, struct device *dst);
	struct device *src, *dst;
};

static pid_t stop_after(const struct work *work, const char *cgroup)
{
	pid_t pid = fork_child();
	int status;

	if (!pid) {
		assert_int_equal(sysfs_write("0", "%s/cgroup.procs", cgroup), 0);
		work->run(work->src, work->dst);
		raise(SIGSTOP);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	return pid;
}

/* The same by who is charged elsewhere takes nothing from the cgroup. */
static void a_load_is_charged_to_its_writer(void **state)
{
	struct work work = { pump, open_function(0), open_function(1) };
	struct error err = { "" };

	(void)state;
	kill_child(stop_after(&work, CGROUPS));
	assert_int_equal(state_of(work.dst), MIGLAB_RESUMING);
	assert_in_range(vmalloc_bytes(), 0, SLACK);
	assert_int_equal(work.dst->ops->reset(work.dst, &err), 0);
	go(work.src, MIGLAB_RUNNING);

	kill_child(stop_after(&work, CGROUP));
	assert_in_range(vmalloc_bytes(), STATE_BYTES, STATE_BYTES + SLACK);
	close_function(work.dst);
	wait_given_back();
}

static int try_open(void)
{
	struct device *dev;
	struct error err;
	char spec[32];

	snprintf(spec, sizeof(spec), "vfio:%s", function(0));
	return device_open(spec, &dev, &err);
}

static void open_in_vain(struct device *src, struct device *dst)
{
	(void)src;
	(void)dst;
	assert_int_equal(try_open(), -ENOMEM);
}

static void open_well(struct device *src, struct device *dst)
{
	(void)src;
	(void)dst;
	assert_int_equal(try_open(), 0);
}

static void an_open_beyond_the_memory_of_its_cgroup_fails(void **state)
{
	struct work in_vain = { open_in_vain, NULL, NULL }, well = { open_well, NULL, NULL };
	pid_t pid;

	(void)state;
	allow(TOO_LITTLE);
	kill_child(stop_after(&in_vain, CGROUP));
	allow("max");
	pid = stop_after(&well, CGROUP);
	assert_in_range(vmalloc_bytes(), STATE_BYTES, STATE_BYTES + SLACK);
	kill_child(pid);
	wait_given_back();
	assert_int_equal(cgroup_value("memory.events", "oom_kill"), 0);
}

static void load_in_vain(struct device *src, struct device *dst)
{
	(void)src;
	assert_int_equal(try_state(dst, MIGLAB_RESUMING), -ENOMEM);
	assert_int_equal(state_of(dst), MIGLAB_STOP);
}

static void load_well(struct device *src, struct device *dst)
{
	char *from, *to;

	pump(src, dst);
	go(dst, MIGLAB_RUNNING);
	from = attribute(src, "fingerprint");
	to = attribute(dst, "fingerprint");
	assert_string_equal(from, to);
}

static void a_load_beyond_the_memory_of_its_cgroup_fails(void **state)
{
	struct device *src = open_function(0), *dst = open_function(1);
	struct work in_vain = { load_in_vain, src, dst }, well = { load_well, src, dst };

	(void)state;
	allow(TOO_LITTLE);
	kill_child(stop_after(&in_vain, CGROUP));
	wait_given_back();
	allow("max");
	kill_child(stop_after(&well, CGROUP));
	assert_int_equal(cgroup_value("memory.events", "oom_kill"), 0);
}

int memory_rows(void)
{
	const struct CMUnitTest rows[] = {
		row(a_load_is_charged_to_its_writer),
		row(an_open_beyond_the_memory_of_its_cgroup_fails),
		row(a_load_beyond_the_memory_of_its_cgroup_fails),
	};

	return cmocka_run_group_tests_name("memory", rows, setup_cgroup, teardown_cgroup);
}
