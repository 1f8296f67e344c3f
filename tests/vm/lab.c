// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/fsm.h"
#include "lab.h"

#define FUNCTIONS_MAX	32
#define DESCRIPTORS_MAX	1024
#define INTERRUPTS_MAX	2

static struct device *opened[FUNCTIONS_MAX];

const char *function(unsigned int index)
{
	static char names[FUNCTIONS_MAX][40];	/* a UUID is the longest */
	const char *list = getenv("MIGLAB_DEVICES");
	unsigned int n;
	int used;

	assert_non_null(list);
	assert_true(index < FUNCTIONS_MAX);
	for (n = 0; n <= index; n++, list += used)
		assert_int_equal(sscanf(list, " %39s%n", names[index], &used), 1);
	return names[index];
}

struct device *open_function(unsigned int index)
{
	struct error err = { "" };
	struct device *dev;
	char spec[64];

	snprintf(spec, sizeof(spec), "vfio:%s", function(index));
	if (device_open(spec, &dev, &err) < 0)
		fail_msg("%s", err.text);
	assert_non_null(dev->lab);
	opened[index] = dev;
	set_attribute(dev, "rules", "\n");
	return dev;
}

void configure(unsigned int index, const char *name, const char *value)
{
	struct error err = { "" };
	struct lab *lab;

	if (lab_open_sysfs(function(index), &lab, &err) ||
	    lab->ops->write(lab, name, value, &err))
		fail_msg("%s", err.text);
	lab->ops->close(lab);
}

struct device *open_profile(unsigned int index, const char *profile)
{
	struct device *dev;

	configure(index, "profile", profile);
	dev = open_function(index);
	configure(index, "profile", "full");
	return dev;
}

void close_function(struct device *dev)
{
	unsigned int i;

	for (i = 0; i < FUNCTIONS_MAX; i++)
		if (opened[i] == dev)
			opened[i] = NULL;
	dev->ops->close(dev);
}

int close_functions(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < FUNCTIONS_MAX; i++)
		if (opened[i])
			close_function(opened[i]);
	return 0;
}

char *attribute(struct device *dev, const char *name)
{
	struct error err = { "" };
	char *text;

	if (dev->lab->ops->read(dev->lab, name, &text, &err) < 0)
		fail_msg("%s", err.text);
	return text;
}

void set_attribute(struct device *dev, const char *name, const char *text)
{
	struct error err = { "" };

	if (dev->lab->ops->write(dev->lab, name, text, &err) < 0)
		fail_msg("%s", err.text);
}

void go(struct device *dev, uint32_t state)
{
	struct error err = { "" };

	if (dev->ops->set_state(dev, state, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(state_of(dev), state);
}

int try_state(struct device *dev, uint32_t state)
{
	struct error err;

	return dev->ops->set_state(dev, state, &err);
}

uint32_t state_of(struct device *dev)
{
	struct error err = { "" };
	uint32_t state;

	if (dev->ops->get_state(dev, &state, &err) < 0)
		fail_msg("%s", err.text);
	return state;
}

uint64_t stat_of(struct device *dev, const char *key)
{
	char *text = attribute(dev, "stats");
	char *line = strstr(text, key);
	unsigned long long value;

	assert_non_null(line);
	assert_int_equal(sscanf(line + strlen(key), " %llu", &value), 1);
	free(text);
	return value;
}

uint64_t last_seq(struct device *dev)
{
	char *text = attribute(dev, "history");
	struct error err = { "" };
	struct lab_arc *arcs;
	uint64_t seq;
	size_t count;

	if (lab_parse_history(text, &arcs, &count, &err) < 0)
		fail_msg("%s", err.text);
	seq = count ? arcs[count - 1].seq : 0;
	free(arcs);
	free(text);
	return seq;
}

void wait_held(struct lab *lab)
{
	uint64_t deadline = clock_ns() + PATIENCE_NS;
	struct error err = { "" };
	bool held = false;
	char *text;

	while (!held) {
		if (lab->ops->read(lab, "held", &text, &err) < 0)
			fail_msg("%s", err.text);
		held = strcmp(text, "none\n") != 0;
		free(text);
		if (!held && clock_ns() > deadline)
			fail_msg("no arc is held");
		if (!held)
			sched_yield();
	}
}

struct vfio_region_info region(int fd, unsigned int index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	assert_int_equal(ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &info), 0);
	return info;
}

void wire_interrupts(int fd, uint32_t index, const int *events, unsigned int count)
{
	union {
		struct vfio_irq_set set;
		char bytes[sizeof(struct vfio_irq_set) + INTERRUPTS_MAX * sizeof(int)];
	} arg = { .set = {
		.argsz = sizeof(arg.bytes),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
		.count = count,
	} };

	assert_true(count <= INTERRUPTS_MAX);
	memcpy(arg.set.data, events, count * sizeof(int));
	assert_int_equal(ioctl(fd, VFIO_DEVICE_SET_IRQS, &arg), 0);
}

size_t drain(struct device *dev, void *buf, size_t size, ssize_t *ret_end)
{
	size_t have = 0;
	ssize_t n;

	while ((n = dev->ops->read(dev, (char *)buf + have, size - have)) > 0) {
		have += (size_t)n;
		assert_true(have < size);
	}
	*ret_end = n;
	return have;
}

int load(struct device *dev, const void *stream, size_t size, size_t piece)
{
	size_t done = 0;

	while (done < size) {
		size_t n = size - done < piece ? size - done : piece;
		ssize_t written = dev->ops->write(dev, (const char *)stream + done, n);

		if (written < 0)
			return (int)written;
		done += (size_t)written;
	}
	return 0;
}

void move_state(struct device *src, struct device *dst)
{
	static unsigned char stream[STREAM_MAX];
	char *from, *to;
	size_t n = 0;
	ssize_t end;

	if (miglab_state_supported(src->flags, MIGLAB_PRE_COPY)) {
		go(src, MIGLAB_PRE_COPY);
		n = drain(src, stream, sizeof(stream), &end);
	}
	go(src, MIGLAB_STOP_COPY);
	n += drain(src, stream + n, sizeof(stream) - n, &end);
	assert_int_equal(end, 0);
	go(dst, MIGLAB_RESUMING);
	assert_int_equal(load(dst, stream, n, sizeof(stream)), 0);
	go(dst, MIGLAB_RUNNING);
	go(src, MIGLAB_STOP);
	from = attribute(src, "fingerprint");
	to = attribute(dst, "fingerprint");
	assert_string_not_equal(from, "none\n");
	assert_string_equal(from, to);
	free(from);
	free(to);
}

/* A device that was opened by its character device is called by that one's name. */
static bool is_kind(const char *link, const char *kind)
{
	return !strcmp(link, kind) ||
	       (!strcmp(kind, DEVICE_FD) && !strncmp(link, "/dev/vfio/devices/", 18));
}

int find_descriptor(const char *kind, int other)
{
	char path[32], link[64];
	ssize_t n;
	int fd;

	for (fd = 0; fd < DESCRIPTORS_MAX; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, link, sizeof(link) - 1);
		if (n < 0 || fd == other)
			continue;
		link[n] = '\0';
		if (is_kind(link, kind))
			return fd;
	}
	fail_msg("no descriptor is a %s", kind);
	return -1;
}

static void *setter_main(void *opaque)
{
	struct setter *s = opaque;
	struct error err;

	s->result = s->dev->ops->set_state(s->dev, s->state, &err);
	return NULL;
}

void setter_start(struct setter *s, struct device *dev, uint32_t state)
{
	s->dev = dev;
	s->state = state;
	assert_int_equal(pthread_create(&s->thread, NULL, setter_main, s), 0);
}

int setter_join(struct setter *s)
{
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	return s->result;
}

pid_t fork_child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		setenv("CMOCKA_TEST_ABORT", "1", 1);
	return pid;
}

void kill_child(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
