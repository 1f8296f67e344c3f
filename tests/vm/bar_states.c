// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model bar and what else a device goes through: states, resets, memory that is
 * switched off, and functions and streams that do not fit.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bar.h"
#include "core/fsm.h"
#include "depart.h"
#include "device/sysfs.h"

static void *write_one(void *opaque)
{
	(void)opaque;
	src.map[5] += 1;
	return NULL;
}

static void a_write_wakes_who_polls(void **state)
{
	pthread_t thread;

	(void)state;
	begin();
	assert_int_equal(src.dev->ops->wait(src.dev, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_one, NULL), 0);
	assert_int_equal(src.dev->ops->wait(src.dev, PATIENCE_MS), 1);
	pthread_join(thread, NULL);
	pump(NULL);
	assert_int_equal(src.dev->ops->wait(src.dev, 0), 0);
}

/* The state is what was there when the device stopped; later writes are the user's fault. */
static void a_stopped_device_keeps_what_it_stopped_with(void **state)
{
	unsigned char before;

	(void)state;
	fill(&src, 11);
	begin();
	go(src.dev, MIGLAB_STOP_COPY);
	before = src.map[100];
	src.map[100] += 1;
	src.map[src.info.size - 1] += 1;
	pump(NULL);
	go(dst.dev, MIGLAB_STOP);
	assert_true(same_fingerprints());
	assert_int_equal(dst.map[100], before);
	go(src.dev, MIGLAB_STOP);
	go(src.dev, MIGLAB_RUNNING);
	go(dst.dev, MIGLAB_RUNNING);
	/* It is in the memory all the same, and goes with the next migration. */
	begin();
	end();
	assert_moved();
	assert_int_equal(dst.map[100], (unsigned char)(before + 1));
}

static void a_session_begins_with_everything(void **state)
{
	(void)state;
	fill(&src, 12);
	begin();
	src.map[0] += 1;
	go(src.dev, MIGLAB_RUNNING);
	src.map[10 * PAGE] += 1;
	reset_memory(&dst);
	begin();
	end();
	assert_moved();
}

/* A reset ends the session and the marks, but memory is memory: it keeps what it has. */
static void a_reset_leaves_the_memory(void **state)
{
	unsigned char *before = malloc(src.info.size);

	(void)state;
	assert_non_null(before);
	fill(&src, 13);
	memcpy(before, src.map, src.info.size);
	begin();
	write_one(NULL);
	before[5] += 1;
	reset_memory(&src);
	assert_int_equal(state_of(src.dev), MIGLAB_RUNNING);
	assert_memory_equal(src.map, before, src.info.size);
	free(before);
	src.map[6 * PAGE] += 1;
	reset_memory(&dst);
	begin();
	src.map[7 * PAGE] += 1;
	assert_int_equal(dirty_bytes(), PAGE);
	end();
	assert_moved();
}

/* What has come does not reach the memory before all of it has. */
static void a_load_that_is_given_up_changes_nothing(void **state)
{
	unsigned char *before = malloc(dst.info.size);

	(void)state;
	assert_non_null(before);
	fill(&src, 14);
	fill(&dst, 15);
	memcpy(before, dst.map, dst.info.size);
	begin();
	assert_int_equal(try_state(dst.dev, MIGLAB_STOP), -EINVAL);
	reset_memory(&dst);
	assert_memory_equal(dst.map, before, dst.info.size);
	free(before);
}

static void touch(struct memory *m)
{
	*(volatile unsigned char *)m->map = 1;
}

/* What a child that does this dies of; 0 if it lives. */
static int killed_by(void (*act)(struct memory *m), struct memory *m)
{
	pid_t pid = fork_child();
	int status;

	if (!pid) {
		signal(SIGBUS, SIG_DFL);
		act(m);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* Who switched the memory off reaches it no more; it moves all the same. */
static void memory_that_is_switched_off_moves(void **state)
{
	uint16_t command = command_of(&src);
	unsigned char byte = 0;

	(void)state;
	assert_true(command & PCI_COMMAND_MEMORY);
	fill(&src, 16);
	fill(&dst, 17);
	assert_int_equal(killed_by(touch, &src), 0);
	set_command(&src, command & ~PCI_COMMAND_MEMORY);
	set_command(&dst, command & ~PCI_COMMAND_MEMORY);
	assert_int_equal(killed_by(touch, &src), SIGBUS);
	assert_int_equal(pread(src.fd, &byte, 1, (off_t)src.info.offset), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(pwrite(src.fd, &byte, 1, (off_t)src.info.offset), -1);
	assert_int_equal(errno, EIO);
	begin();
	end();
	assert_true(same_fingerprints());
	assert_int_equal(killed_by(touch, &dst), SIGBUS);
	set_command(&src, command);
	set_command(&dst, command);
	assert_moved();
}

/* Its user may finish what he began: that the driver wants to go ends rules only. */
static void a_load_ends_though_the_driver_leaves(void **state)
{
	struct device *to = open_function(0), *from;
	int event = request_event();
	struct departure d;
	size_t size = 64u << 20;
	char *stream = malloc(size);
	ssize_t end;

	(void)state;
	assert_non_null(stream);
	from = open_function(1);
	go(from, MIGLAB_STOP_COPY);
	size = drain(from, stream, size, &end);
	assert_int_equal(end, 0);
	go(to, MIGLAB_RESUMING);
	assert_int_equal(load(to, stream, size, size), 0);
	free(stream);
	depart_unbind(&d);
	departure_start(&d);
	await_request(event);
	assert_int_equal(try_state(to, MIGLAB_STOP), 0);
	assert_int_equal(try_state(to, MIGLAB_RUNNING), 0);
	close_function(to);
	departure_end(&d);
	bind_again(0);
	configure(0, "model", "bar");
}

/* --- what does not fit --- */

/* What a function says to a model: 0 or a negative errno. */
static int try_model(const char *bdf, const char *model)
{
	return sysfs_write(model, "bus/pci/devices/%s/miglab/model", bdf);
}

static void a_bar_that_does_not_fit_is_refused(void **state)
{
	static const struct {
		const char *model;
		int result;
	} tries[] = {
		{ "bar:0", -ENODEV },	/* registers */
		{ "bar:1", -ENODEV },	/* ports, or nothing */
		{ "bar:3", -ENODEV },	/* the upper half of BAR 2 */
		{ "bar:5", -ENODEV },	/* nothing */
		{ "bar:6", -EINVAL },
		{ "bar:-1", -EINVAL },
		{ "bar:", -EINVAL },
		{ "bar:2x", -EINVAL },
		{ "synthetic:2", -EINVAL },
		{ "ba", -EINVAL },
		{ "bar:2", 0 },
		{ "bar", 0 },
	};
	struct lab *lab;
	struct error err;
	char *text;
	size_t i;

	(void)state;
	assert_int_equal(lab_open_sysfs(function(0), &lab, &err), 0);
	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		assert_int_equal(try_model(function(0), "bar:2"), 0);
		if (try_model(function(0), tries[i].model) != tries[i].result)
			fail_msg("%s", tries[i].model);
		assert_int_equal(lab->ops->read(lab, "model", &text, &err), 0);
		assert_memory_equal(text, tries[i].result ? "bar:2" : tries[i].model,
				    strlen(text) - 1);
		free(text);
	}
	lab->ops->close(lab);
}

/* A function that has registers only; the script binds one. */
static void a_function_without_memory_is_refused(void **state)
{
	const char *bdf = getenv("MIGLAB_WITHOUT_MEMORY");

	(void)state;
	if (!bdf)
		skip();
	assert_int_equal(try_model(bdf, "bar"), -ENODEV);
	assert_int_equal(try_model(bdf, "bar:0"), -ENODEV);
	assert_int_equal(try_model(bdf, "synthetic"), 0);
}

/* The head of a stream for this function, but for what the row makes of it. */
static struct miglab_identity identity(void)
{
	struct miglab_identity id = { .model = MIGLAB_MODEL_BAR, .state_bytes = src.info.size };
	uint16_t ids[2];
	off_t config = (off_t)region(src.fd, VFIO_PCI_CONFIG_REGION_INDEX).offset;

	assert_int_equal(pread(src.fd, ids, 4, config), 4);
	id.vendor = ids[0];
	id.device = ids[1];
	assert_int_equal(pread(src.fd, ids, 4, config + PCI_SUBSYSTEM_VENDOR_ID), 4);
	id.subvendor = ids[0];
	id.subdevice = ids[1];
	return id;
}

static int try_header(const struct miglab_identity *id)
{
	unsigned char head[MIGLAB_HEADER_BYTES];
	int ret;

	assert_int_equal(miglab_stream_put_header(head, id), sizeof(head));
	go(dst.dev, MIGLAB_RESUMING);
	ret = load(dst.dev, head, sizeof(head), sizeof(head));
	reset_memory(&dst);
	return ret;
}

static void a_stream_of_another_kind_is_refused(void **state)
{
	struct miglab_identity good = identity(), bad = good;

	(void)state;
	assert_int_equal(try_header(&good), 0);
	bad.model = MIGLAB_MODEL_SYNTHETIC;
	assert_int_equal(try_header(&bad), -EINVAL);
	bad = good;
	bad.state_bytes /= 2;
	assert_int_equal(try_header(&bad), -EINVAL);
	bad = good;
	bad.device++;
	assert_int_equal(try_header(&bad), -EINVAL);
}

int bar_states_rows(void)
{
	const struct CMUnitTest rows[] = {
		bar_row(a_write_wakes_who_polls),
		bar_row(a_stopped_device_keeps_what_it_stopped_with),
		bar_row(a_session_begins_with_everything),
		bar_row(a_reset_leaves_the_memory),
		bar_row(a_load_that_is_given_up_changes_nothing),
		bar_row(memory_that_is_switched_off_moves),
		row(a_load_ends_though_the_driver_leaves),
		cmocka_unit_test(a_bar_that_does_not_fit_is_refused),
		cmocka_unit_test(a_function_without_memory_is_refused),
		bar_row(a_stream_of_another_kind_is_refused),
	};

	return cmocka_run_group_tests_name("bar states", rows, NULL, NULL);
}
