// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulated device through device/ops.h and device/lab.h only; the core's
 * headers serve to build hostile streams.
 */
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/stream.h"
#include "device/lab.h"
#include "device/ops.h"
#include "device/state.h"

#define HOLD "arc=PRE_COPY>PRE_COPY_P2P hold"

struct blob {
	uint8_t *data;
	size_t size;
};

static struct device *open_dev(const char *spec)
{
	struct device *dev;
	struct error err;

	if (device_open(spec, &dev, &err))
		fail_msg("%s: %s", spec, err.text);
	return dev;
}

static void go(struct device *dev, uint32_t state)
{
	struct error err;

	if (dev->ops->set_state(dev, state, &err))
		fail_msg("%s", err.text);
}

static uint32_t state_of(struct device *dev)
{
	struct error err;
	uint32_t state;

	assert_int_equal(dev->ops->get_state(dev, &state, &err), 0);
	return state;
}

static char *attribute(struct device *dev, const char *name)
{
	struct error err;
	char *text;

	if (dev->lab->ops->read(dev->lab, name, &text, &err))
		fail_msg("%s", err.text);
	return text;
}

static void assert_attribute(struct device *dev, const char *name, const char *expected)
{
	char *text = attribute(dev, name);

	assert_string_equal(text, expected);
	free(text);
}

static void set_attribute(struct device *dev, const char *name, const char *text)
{
	struct error err;

	if (dev->lab->ops->write(dev->lab, name, text, &err))
		fail_msg("%s", err.text);
}

static unsigned long long stat_of(struct device *dev, const char *key)
{
	char *text = attribute(dev, "stats"), *line;
	unsigned long long value;

	line = strstr(text, key);
	assert_non_null(line);
	assert_int_equal(sscanf(line + strlen(key), " %llu", &value), 1);
	free(text);
	return value;
}

static struct lab_arc *history(struct device *dev, size_t *ret_count)
{
	char *text = attribute(dev, "history");
	struct lab_arc *arcs;
	struct error err;

	if (lab_parse_history(text, &arcs, ret_count, &err))
		fail_msg("%s", err.text);
	free(text);
	return arcs;
}

/* Reads until read() has no bytes for now; returns what it said then. */
static ssize_t drain(struct device *dev, struct blob *blob, size_t chunk)
{
	ssize_t n;

	for (;;) {
		blob->data = realloc(blob->data, blob->size + chunk);
		assert_non_null(blob->data);
		n = dev->ops->read(dev, blob->data + blob->size, chunk);
		if (n <= 0)
			return n;
		blob->size += n;
	}
}

/* A whole stream, from RUNNING to STOP_COPY through the pre-copy states. */
static struct blob save(struct device *dev)
{
	struct blob blob = { 0 };

	go(dev, VFIO_DEVICE_STATE_PRE_COPY);
	assert_int_equal(drain(dev, &blob, 4000), -ENOMSG);
	go(dev, VFIO_DEVICE_STATE_PRE_COPY_P2P);
	go(dev, VFIO_DEVICE_STATE_STOP_COPY);
	assert_int_equal(drain(dev, &blob, 70000), 0);
	return blob;
}

static void feed(struct device *dev, const uint8_t *data, size_t size)
{
	while (size) {
		ssize_t n = dev->ops->write(dev, data, size);

		assert_true(n > 0);
		data += n;
		size -= n;
	}
}

static void load(struct device *dev, const struct blob *blob)
{
	go(dev, VFIO_DEVICE_STATE_RESUMING);
	feed(dev, blob->data, blob->size);
	go(dev, VFIO_DEVICE_STATE_STOP);
}

static bool same_attribute(struct device *a, struct device *b, const char *name)
{
	char *ta = attribute(a, name), *tb = attribute(b, name);
	bool same = !strcmp(ta, tb);

	free(ta);
	free(tb);
	return same;
}

/* The FSM of each profile, as uapi/linux/vfio.h has it: the next state on each path. */
static const uint32_t order[7] = { 1, 2, 5, 6, 7, 3, 4 };
static const struct profile {
	const char *name;
	uint32_t flags;
	/* to STP RUN RP2 PRC PP2 SCP RES; 0: refused */
	uint32_t next[7][7];
} profiles[] = {
	{ "full", 7, {
		/* STP */ { 1, 5, 5, 5, 5, 3, 4 },
		/* RUN */ { 5, 2, 5, 6, 5, 5, 5 },
		/* RP2 */ { 1, 2, 5, 2, 7, 1, 1 },
		/* PRC */ { 2, 2, 2, 6, 7, 7, 2 },
		/* PP2 */ { 5, 5, 5, 6, 7, 3, 5 },
		/* SCP */ { 1, 1, 1, 0, 0, 3, 1 },
		/* RES */ { 1, 1, 1, 1, 1, 1, 4 },
	} },
	{ "no-p2p", 5, {
		/* STP */ { 1, 2, 0, 2, 0, 3, 4 },
		/* RUN */ { 1, 2, 0, 6, 0, 1, 1 },
		/* RP2 */ { 0 },
		/* PRC */ { 2, 2, 0, 6, 0, 3, 2 },
		/* PP2 */ { 0 },
		/* SCP */ { 1, 1, 0, 0, 0, 3, 1 },
		/* RES */ { 1, 1, 0, 1, 0, 1, 4 },
	} },
	{ "no-precopy", 3, {
		/* STP */ { 1, 5, 5, 0, 0, 3, 4 },
		/* RUN */ { 5, 2, 5, 0, 0, 5, 5 },
		/* RP2 */ { 1, 2, 5, 0, 0, 1, 1 },
		/* PRC */ { 0 },
		/* PP2 */ { 0 },
		/* SCP */ { 1, 1, 1, 0, 0, 3, 1 },
		/* RES */ { 1, 1, 1, 0, 0, 1, 4 },
	} },
	{ "stop-copy", 1, {
		/* STP */ { 1, 2, 0, 0, 0, 3, 4 },
		/* RUN */ { 1, 2, 0, 0, 0, 1, 1 },
		/* RP2 */ { 0 },
		/* PRC */ { 0 },
		/* PP2 */ { 0 },
		/* SCP */ { 1, 1, 0, 0, 0, 3, 1 },
		/* RES */ { 1, 1, 0, 0, 0, 1, 4 },
	} },
};

static uint32_t next_of(const struct profile *profile, uint32_t from, uint32_t to)
{
	size_t row = 7, column = 7;

	for (size_t i = 0; i < 7; i++) {
		row = order[i] == from ? i : row;
		column = order[i] == to ? i : column;
	}
	return row < 7 && column < 7 ? profile->next[row][column] : 0;
}

static struct device *open_profile(const struct profile *profile)
{
	char spec[80];

	snprintf(spec, sizeof(spec), "emu:rules=,state_bytes=8K,profile=%s", profile->name);
	return open_dev(spec);
}

static void check_path(const struct profile *profile, struct device *dev, size_t skip,
		       uint32_t from, uint32_t to)
{
	size_t count, i;
	struct lab_arc *arcs = history(dev, &count);

	for (i = skip; from != to; i++) {
		uint32_t next = next_of(profile, from, to);

		assert_true(i < count);
		assert_int_equal(arcs[i].from, from);
		assert_int_equal(arcs[i].to, next);
		assert_int_equal(arcs[i].requested, to);
		assert_int_equal(arcs[i].result, 0);
		assert_int_equal(arcs[i].pid, getpid());
		assert_true(arcs[i].begin_ns <= arcs[i].end_ns);
		from = next;
	}
	assert_int_equal(i, count);
	free(arcs);
}

static void check_pair(const struct profile *profile, const struct blob *stream, uint32_t from,
		       uint32_t to)
{
	struct device *dev = open_profile(profile);
	const bool legal = next_of(profile, from, to);
	struct error err = { "" };
	size_t before;
	int ret;

	go(dev, from);
	if (from == VFIO_DEVICE_STATE_RESUMING && to != from)
		feed(dev, stream->data, stream->size);
	free(history(dev, &before));
	ret = dev->ops->set_state(dev, to, &err);
	assert_int_equal(ret, legal ? 0 : -EINVAL);
	assert_int_equal(state_of(dev), legal ? to : from);
	assert_true(legal == !err.text[0]);
	check_path(profile, dev, before, from, legal ? to : from);
	dev->ops->close(dev);
}

/* A whole stream of a device that need not know pre-copy. */
static struct blob save_stopped(struct device *dev)
{
	struct blob blob = { 0 };

	go(dev, VFIO_DEVICE_STATE_STOP_COPY);
	assert_int_equal(drain(dev, &blob, 70000), 0);
	return blob;
}

static void check_profile(const struct profile *profile)
{
	struct device *dev = open_profile(profile);
	struct blob stream = save_stopped(dev);
	char expected[32];

	assert_int_equal(dev->flags, profile->flags);
	snprintf(expected, sizeof(expected), "%s\n", profile->name);
	assert_attribute(dev, "profile", expected);
	for (size_t i = 0; i < 7; i++) {
		/* where no way leads to, none leads from */
		if (!next_of(profile, VFIO_DEVICE_STATE_RUNNING, order[i]))
			continue;
		for (size_t to = 0; to < 7; to++)
			check_pair(profile, &stream, order[i], order[to]);
		check_pair(profile, &stream, order[i], VFIO_DEVICE_STATE_ERROR);
		check_pair(profile, &stream, order[i], 8);
		check_pair(profile, &stream, order[i], UINT32_MAX);
	}
	free(stream.data);
	dev->ops->close(dev);
}

static void test_every_pair_follows_the_table(void **arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++)
		check_profile(&profiles[i]);
}

static void test_migration_restores_the_state(void **arg)
{
	struct device *src = open_dev("emu:rules=,dirty_bytes_per_sec=0,state_bytes=300K");
	struct device *dst = open_dev("emu:rules=,dirty_bytes_per_sec=0,state_bytes=300K");
	struct blob stream = save(src);

	(void)arg;
	go(dst, VFIO_DEVICE_STATE_STOP);
	assert_false(same_attribute(src, dst, "fingerprint"));
	load(dst, &stream);
	assert_true(same_attribute(src, dst, "fingerprint"));
	free(stream.data);
	src->ops->close(src);
	dst->ops->close(dst);
}

static void test_migration_of_a_changing_state(void **arg)
{
	struct device *src = open_dev("emu:rules=,dirty_bytes_per_sec=1G,state_bytes=1M");
	struct device *dst = open_dev("emu:rules=,state_bytes=1M");
	struct precopy_info info = { .initial_bytes = 1 };
	struct blob stream = { 0 };
	struct error err;
	uint8_t byte;

	(void)arg;
	go(src, VFIO_DEVICE_STATE_PRE_COPY);
	assert_int_equal(src->ops->precopy_info(src, &info, &err), 0);
	/* byte by byte for a while, so that the device's changes meet the initial pass */
	for (size_t i = 0; i < 3000; i++) {
		stream.data = realloc(stream.data, stream.size + 1);
		assert_int_equal(src->ops->read(src, &byte, 1), 1);
		stream.data[stream.size++] = byte;
	}
	while (info.initial_bytes) {
		stream.data = realloc(stream.data, stream.size + 10000);
		stream.size += src->ops->read(src, stream.data + stream.size, 10000);
		assert_int_equal(src->ops->precopy_info(src, &info, &err), 0);
	}
	/* at 1 GiB/s pages change within microseconds: the rest has something to send again */
	assert_int_equal(src->ops->wait(src, 10000), 1);
	assert_int_equal(src->ops->precopy_info(src, &info, &err), 0);
	assert_true(info.dirty_bytes > 0);
	go(src, VFIO_DEVICE_STATE_STOP_COPY);
	assert_int_equal(drain(src, &stream, 4096), 0);
	assert_true(stream.size > (1u << 20) + 4096);

	load(dst, &stream);
	assert_true(same_attribute(src, dst, "fingerprint"));
	assert_int_equal(stat_of(src, "bytes_read"), stream.size);
	assert_int_equal(stat_of(dst, "bytes_written"), stream.size);
	free(stream.data);
	src->ops->close(src);
	dst->ops->close(dst);
}

static void test_precopy_end_is_enomsg_and_final_end_is_zero(void **arg)
{
	struct device *dev = open_dev("emu:rules=,dirty_bytes_per_sec=0,state_bytes=64K");
	struct precopy_info info;
	struct blob stream = { 0 };
	struct error err;
	uint64_t initial;

	(void)arg;
	assert_int_equal(dev->ops->precopy_info(dev, &info, &err), -EBADF);
	go(dev, VFIO_DEVICE_STATE_PRE_COPY);
	assert_int_equal(dev->ops->precopy_info(dev, &info, &err), 0);
	assert_true(info.initial_bytes > 64 << 10);
	assert_int_equal(info.dirty_bytes, 0);
	initial = info.initial_bytes;
	assert_int_equal(dev->ops->wait(dev, 0), 1);
	assert_int_equal(drain(dev, &stream, 1000), -ENOMSG);
	assert_int_equal(stream.size, initial);
	assert_int_equal(dev->ops->precopy_info(dev, &info, &err), 0);
	assert_int_equal(info.initial_bytes, 0);
	assert_int_equal(info.dirty_bytes, 0);
	assert_int_equal(dev->ops->wait(dev, 0), 0);
	assert_int_equal(dev->ops->read(dev, &info, 0), 0);

	/* new work wakes the reader, from whichever thread it was ordered */
	set_attribute(dev, "dirty_bytes_per_sec", "1048576\n");
	assert_int_equal(dev->ops->wait(dev, 10000), 1);

	go(dev, VFIO_DEVICE_STATE_STOP_COPY);
	assert_int_equal(dev->ops->precopy_info(dev, &info, &err), -EINVAL);
	assert_int_equal(drain(dev, &stream, 1000), 0);
	assert_int_equal(dev->ops->wait(dev, 0), 1);
	assert_int_equal(dev->ops->read(dev, &info, sizeof(info)), 0);
	go(dev, VFIO_DEVICE_STATE_STOP);
	assert_int_equal(dev->ops->read(dev, &info, sizeof(info)), -EBADF);
	assert_int_equal(dev->ops->wait(dev, 0), -EBADF);
	free(stream.data);
	dev->ops->close(dev);
}

static void test_data_size_holds(void **arg)
{
	struct device *dev = open_dev("emu:rules=,dirty_bytes_per_sec=0,state_bytes=1M");
	struct blob stream = { 0 };
	uint64_t whole, rest;
	struct error err;

	(void)arg;
	assert_int_equal(dev->ops->data_size(dev, &whole, &err), 0);
	go(dev, VFIO_DEVICE_STATE_STOP_COPY);
	assert_int_equal(drain(dev, &stream, 5000), 0);
	assert_true(stream.size <= whole);
	assert_int_equal(dev->ops->data_size(dev, &rest, &err), 0);
	assert_int_equal(rest, 0);
	free(stream.data);
	dev->ops->close(dev);
}

static void test_one_session_from_precopy_to_stop_copy(void **arg)
{
	struct device *src = open_dev("emu:rules=,dirty_bytes_per_sec=0");
	struct device *dst = open_dev("emu:rules=");
	struct blob stream = { .data = malloc(100), .size = 100 };

	(void)arg;
	go(src, VFIO_DEVICE_STATE_PRE_COPY);
	assert_int_equal(src->ops->read(src, stream.data, 100), MIGLAB_HEADER_BYTES);
	stream.size = MIGLAB_HEADER_BYTES;
	/* back and forth: no arc of these may lose or repeat a byte */
	go(src, VFIO_DEVICE_STATE_PRE_COPY_P2P);
	stream.data = realloc(stream.data, stream.size + 10);
	assert_int_equal(src->ops->read(src, stream.data + stream.size, 10), 10);
	stream.size += 10;
	go(src, VFIO_DEVICE_STATE_PRE_COPY);
	go(src, VFIO_DEVICE_STATE_STOP_COPY);
	assert_int_equal(stat_of(src, "sessions_live"), 1);
	assert_int_equal(drain(src, &stream, 65536), 0);
	load(dst, &stream);
	assert_true(same_attribute(src, dst, "fingerprint"));
	free(stream.data);
	src->ops->close(src);
	dst->ops->close(dst);
}

static void test_a_closed_session_stays_closed(void **arg)
{
	struct device *dev = open_dev("emu:rules=");
	uint8_t byte;

	(void)arg;
	dev->ops->end_session(dev);
	go(dev, VFIO_DEVICE_STATE_PRE_COPY);
	dev->ops->end_session(dev);
	assert_int_equal(dev->ops->read(dev, &byte, 1), -EBADF);
	go(dev, VFIO_DEVICE_STATE_STOP_COPY);
	assert_int_equal(dev->ops->read(dev, &byte, 1), -EBADF);
	go(dev, VFIO_DEVICE_STATE_RUNNING);
	go(dev, VFIO_DEVICE_STATE_PRE_COPY);
	assert_int_equal(dev->ops->read(dev, &byte, 1), 1);
	assert_int_equal(dev->ops->write(dev, &byte, 1), -EBADF);
	dev->ops->close(dev);
}

/* One byte of the state is wrong, and the end record agrees. */
static void test_a_corrupt_page_changes_the_fingerprint_only(void **arg)
{
	struct device *src = open_dev("emu:rules=,dirty_bytes_per_sec=0,state_bytes=64K");
	struct device *dst = open_dev("emu:rules=,state_bytes=64K");
	struct blob stream = save(src);
	uint8_t *pages = stream.data + MIGLAB_HEADER_BYTES + MIGLAB_PAGES_BYTES;
	uint8_t *end = stream.data + stream.size - MIGLAB_END_BYTES;

	(void)arg;
	pages[5000] ^= 1;
	miglab_stream_put_end(end, 1, ~crc32c(~0u, pages, 65536));
	load(dst, &stream);
	assert_false(same_attribute(src, dst, "fingerprint"));
	pages[5000] ^= 1;
	miglab_stream_put_end(end, 1, ~crc32c(~0u, pages, 65536));
	load(dst, &stream);
	assert_true(same_attribute(src, dst, "fingerprint"));
	free(stream.data);
	src->ops->close(src);
	dst->ops->close(dst);
}

static void assert_stuck_until_reset(struct device *dev)
{
	struct error err;

	assert_int_equal(dev->ops->set_state(dev, VFIO_DEVICE_STATE_STOP, &err), -EINVAL);
	assert_int_equal(dev->ops->set_state(dev, VFIO_DEVICE_STATE_RUNNING, &err), -EINVAL);
	assert_int_equal(state_of(dev), VFIO_DEVICE_STATE_RESUMING);
	assert_int_equal(dev->ops->reset(dev, &err), 0);
	assert_int_equal(state_of(dev), VFIO_DEVICE_STATE_RUNNING);
	assert_attribute(dev, "fingerprint", "none\n");
	assert_int_equal(stat_of(dev, "sessions_live"), 0);
	assert_int_equal(stat_of(dev, "images_live"), 1);
}

static void test_a_truncated_stream_is_refused(void **arg)
{
	struct device *src = open_dev("emu:rules=,dirty_bytes_per_sec=0,state_bytes=8K");
	struct device *dst = open_dev("emu:rules=,dirty_bytes_per_sec=0,state_bytes=8K");
	struct blob stream = save(src);

	(void)arg;
	for (size_t size = 0; size < stream.size; size += 7) {
		go(dst, VFIO_DEVICE_STATE_RESUMING);
		feed(dst, stream.data, size);
		assert_stuck_until_reset(dst);
	}
	load(dst, &stream);
	assert_true(same_attribute(src, dst, "fingerprint"));
	free(stream.data);
	src->ops->close(src);
	dst->ops->close(dst);
}

static void test_a_bad_stream_is_refused_for_good(void **arg)
{
	struct device *src = open_dev("emu:rules=,dirty_bytes_per_sec=0,state_bytes=8K");
	struct device *dst = open_dev("emu:rules=,state_bytes=8K");
	struct device *other = open_dev("emu:rules=,state_bytes=12K");
	struct blob stream = save(src);
	struct error err;

	(void)arg;
	go(other, VFIO_DEVICE_STATE_RESUMING);
	assert_int_equal(other->ops->write(other, stream.data, stream.size), -EINVAL);
	assert_stuck_until_reset(other);

	stream.data[MIGLAB_HEADER_BYTES + MIGLAB_PAGES_BYTES] ^= 1;
	go(dst, VFIO_DEVICE_STATE_RESUMING);
	assert_int_equal(dst->ops->write(dst, stream.data, stream.size), stream.size);
	assert_int_equal(dst->ops->set_state(dst, VFIO_DEVICE_STATE_STOP, &err), -EINVAL);
	assert_int_equal(dst->ops->write(dst, stream.data, 1), -EINVAL);
	assert_int_equal(dst->ops->read(dst, stream.data, 1), -EBADF);
	assert_stuck_until_reset(dst);
	free(stream.data);
	src->ops->close(src);
	dst->ops->close(dst);
	other->ops->close(other);
}

struct setter {
	struct device *dev;
	uint32_t state;
	int ret;
	pthread_t thread;
};

static void *setter_main(void *opaque)
{
	struct setter *s = opaque;
	struct error err;

	s->ret = s->dev->ops->set_state(s->dev, s->state, &err);
	return NULL;
}

/* Starts a SET that the rules hold, and returns once it is held. */
static void start_held(struct setter *s)
{
	const uint64_t deadline = clock_ns() + 200 * NSEC_PER_SEC;
	bool held = false;

	assert_int_equal(pthread_create(&s->thread, NULL, setter_main, s), 0);
	while (!held) {
		char *text = attribute(s->dev, "held");

		held = strcmp(text, "none\n");
		free(text);
		assert_true(clock_ns() < deadline);
		usleep(1000);
	}
}

static int join(struct setter *s)
{
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	return s->ret;
}

static void test_hold_then_release(void **arg)
{
	struct device *dev = open_dev("emu:rules=" HOLD);
	struct setter s = { .dev = dev, .state = VFIO_DEVICE_STATE_STOP_COPY };
	struct lab_arc *arcs;
	size_t count;

	(void)arg;
	go(dev, VFIO_DEVICE_STATE_PRE_COPY);
	start_held(&s);
	assert_attribute(dev, "held", "PRE_COPY>PRE_COPY_P2P seq=2 rule=1\n");
	assert_attribute(dev, "state", "PRE_COPY\n");
	assert_int_equal(state_of(dev), VFIO_DEVICE_STATE_PRE_COPY);
	arcs = history(dev, &count);
	assert_int_equal(count, 2);
	assert_int_equal(arcs[1].result, 1);
	assert_int_equal(arcs[1].end_ns, 0);
	assert_int_equal(arcs[1].rule, 1);
	assert_int_equal(arcs[1].requested, VFIO_DEVICE_STATE_STOP_COPY);
	free(arcs);

	set_attribute(dev, "release", "1\n");
	assert_int_equal(join(&s), 0);
	assert_attribute(dev, "held", "none\n");
	assert_attribute(dev, "release", "0\n");
	arcs = history(dev, &count);
	assert_int_equal(count, 3);
	assert_int_equal(arcs[1].result, 0);
	assert_true(arcs[1].end_ns > arcs[1].begin_ns);
	free(arcs);
	dev->ops->close(dev);
}

static void test_release_then_hold(void **arg)
{
	struct device *dev = open_dev("emu:rules=" HOLD);

	(void)arg;
	set_attribute(dev, "release", "2");
	go(dev, VFIO_DEVICE_STATE_PRE_COPY);
	go(dev, VFIO_DEVICE_STATE_PRE_COPY_P2P);
	go(dev, VFIO_DEVICE_STATE_PRE_COPY);
	go(dev, VFIO_DEVICE_STATE_PRE_COPY_P2P);
	assert_attribute(dev, "release", "0\n");
	dev->ops->close(dev);
}

static void test_hold_has_a_limit(void **arg)
{
	struct device *dev = open_dev("emu:rules=" HOLD " limit_us=2000");
	struct lab_arc *arcs;
	struct error err;
	size_t count;

	(void)arg;
	go(dev, VFIO_DEVICE_STATE_PRE_COPY);
	assert_int_equal(dev->ops->set_state(dev, VFIO_DEVICE_STATE_PRE_COPY_P2P, &err),
			 -ETIMEDOUT);
	assert_non_null(strstr(err.text, "PRE_COPY to PRE_COPY_P2P"));
	assert_int_equal(state_of(dev), VFIO_DEVICE_STATE_PRE_COPY);
	arcs = history(dev, &count);
	assert_int_equal(arcs[1].result, -ETIMEDOUT);
	assert_true(arcs[1].end_ns - arcs[1].begin_ns >= 2000 * NSEC_PER_USEC);
	free(arcs);
	assert_int_equal(stat_of(dev, "arcs_failed"), 1);
	dev->ops->close(dev);
}

static void test_reset_aborts_a_held_arc(void **arg)
{
	struct device *dev = open_dev("emu:rules=" HOLD);
	struct setter s = { .dev = dev, .state = VFIO_DEVICE_STATE_STOP_COPY };
	struct lab_arc *arcs;
	struct error err;
	uint8_t byte;
	size_t count;

	(void)arg;
	go(dev, VFIO_DEVICE_STATE_PRE_COPY);
	start_held(&s);
	assert_int_equal(dev->ops->reset(dev, &err), 0);
	assert_int_equal(state_of(dev), VFIO_DEVICE_STATE_RUNNING);
	assert_int_equal(join(&s), -EIO);
	assert_int_equal(state_of(dev), VFIO_DEVICE_STATE_RUNNING);
	assert_int_equal(dev->ops->read(dev, &byte, 1), -EBADF);
	assert_attribute(dev, "held", "none\n");
	arcs = history(dev, &count);
	assert_int_equal(count, 2);
	assert_int_equal(arcs[1].result, -EIO);
	free(arcs);
	assert_int_equal(stat_of(dev, "sessions_live"), 0);
	assert_int_equal(stat_of(dev, "resets"), 1);
	dev->ops->close(dev);
}

static void test_delay_takes_its_time(void **arg)
{
	struct device *dev = open_dev("emu:rules=arc=RUNNING>PRE_COPY delay_us=5000");
	struct lab_arc *arcs;
	size_t count;

	(void)arg;
	go(dev, VFIO_DEVICE_STATE_PRE_COPY);
	arcs = history(dev, &count);
	assert_true(arcs[0].end_ns - arcs[0].begin_ns >= 5000 * NSEC_PER_USEC);
	free(arcs);
	dev->ops->close(dev);
}

static void test_default_rules_slow_the_p2p_arc(void **arg)
{
	struct device *dev = open_dev("emu");

	(void)arg;
	assert_attribute(dev, "rules", "arc=PRE_COPY>PRE_COPY_P2P delay_us=300000\n");
	assert_attribute(dev, "state_bytes", "1048576\n");
	assert_attribute(dev, "profile", "full\n");
	assert_attribute(dev, "model", "synthetic\n");
	assert_attribute(dev, "state", "RUNNING\n");
	assert_int_equal(dev->flags, 7);
	assert_string_equal(dev->name, "emu");
	assert_string_equal(dev->lab->witness, "emulated (same process)");
	dev->ops->close(dev);
}

static void test_a_failed_arc_leaves_the_session(void **arg)
{
	struct device *src = open_dev("emu:dirty_bytes_per_sec=0,"
				      "rules=arc=PRE_COPY_P2P>STOP_COPY errno=EBUSY times=1");
	struct device *dst = open_dev("emu:rules=");
	struct blob stream = { 0 };
	struct error err;

	(void)arg;
	go(src, VFIO_DEVICE_STATE_PRE_COPY);
	assert_int_equal(src->ops->set_state(src, VFIO_DEVICE_STATE_STOP_COPY, &err), -EBUSY);
	assert_int_equal(state_of(src), VFIO_DEVICE_STATE_PRE_COPY_P2P);
	assert_int_equal(drain(src, &stream, 65536), -ENOMSG);
	go(src, VFIO_DEVICE_STATE_STOP_COPY);
	assert_int_equal(drain(src, &stream, 65536), 0);
	load(dst, &stream);
	assert_true(same_attribute(src, dst, "fingerprint"));
	free(stream.data);
	src->ops->close(src);
	dst->ops->close(dst);
}

static void test_a_hundred_migrations_leave_nothing(void **arg)
{
	struct device *a = open_dev("emu:rules=,state_bytes=16K");
	struct device *b = open_dev("emu:rules=,state_bytes=16K");

	(void)arg;
	for (size_t i = 0; i < 100; i++) {
		struct device *src = i % 2 ? b : a, *dst = i % 2 ? a : b;
		struct blob stream = save(src);

		load(dst, &stream);
		assert_true(same_attribute(src, dst, "fingerprint"));
		go(dst, VFIO_DEVICE_STATE_RUNNING);
		go(src, VFIO_DEVICE_STATE_STOP);
		free(stream.data);
	}
	assert_int_equal(stat_of(a, "sessions_live"), 0);
	assert_int_equal(stat_of(b, "sessions_live"), 0);
	assert_int_equal(stat_of(a, "images_live"), 1);
	assert_int_equal(stat_of(b, "images_live"), 1);
	assert_int_equal(stat_of(a, "bytes_read"), stat_of(b, "bytes_written"));
	assert_int_equal(stat_of(a, "arcs_failed"), 0);
	a->ops->close(a);
	b->ops->close(b);
}

static void test_refused_rules_change_nothing(void **arg)
{
	struct device *dev = open_dev("emu:rules=" HOLD);
	struct error err;

	(void)arg;
	assert_attribute(dev, "rules_error", "none\n");
	assert_int_equal(dev->lab->ops->write(dev->lab, "rules",
					      HOLD "\narc=PRE_COPY>RUNNING errno=EWRONG", &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, "line 2 column 22: unknown errno: \"errno=EWRONG\"; "
			       "it is a number, or one of EPERM, "));
	assert_attribute(dev, "rules_error",
			 "line 2 column 22: unknown errno: \"errno=EWRONG\"\n");
	assert_attribute(dev, "rules", HOLD "\n");
	set_attribute(dev, "release", "1");
	go(dev, VFIO_DEVICE_STATE_PRE_COPY_P2P);

	set_attribute(dev, "rules", "\n");
	assert_attribute(dev, "rules", "\n");
	assert_attribute(dev, "rules_error", "none\n");
	dev->ops->close(dev);
}

static void test_attributes_that_cannot_be(void **arg)
{
	struct device *dev = open_dev("emu:rules=");
	const struct lab_ops *ops = dev->lab->ops;
	struct error err;
	char *text;

	(void)arg;
	assert_int_equal(ops->read(dev->lab, "colour", &text, &err), -ENOENT);
	assert_string_equal(err.text, "emu:rules= has no attribute \"colour\"");
	assert_int_equal(ops->write(dev->lab, "colour", "1", &err), -ENOENT);
	assert_int_equal(ops->write(dev->lab, "state", "STOP", &err), -EACCES);
	assert_int_equal(ops->write(dev->lab, "release", "-1", &err), -EINVAL);
	assert_string_equal(err.text, "release: \"-1\" is not a number, nor seq=N");
	assert_int_equal(ops->write(dev->lab, "release", "1000001", &err), -EINVAL);
	assert_string_equal(err.text, "release: more than 1000000 permits");
	assert_int_equal(ops->write(dev->lab, "dirty_bytes_per_sec", "1x", &err), -EINVAL);
	dev->ops->close(dev);
}

static void test_seed_decides_the_state(void **arg)
{
	static const char *const specs[] = { "emu:rules=,seed=5,dirty_bytes_per_sec=0",
					     "emu:rules=,seed=5,dirty_bytes_per_sec=0",
					     "emu:rules=,dirty_bytes_per_sec=0" };
	struct device *dev[3];

	(void)arg;
	for (size_t i = 0; i < 3; i++) {
		dev[i] = open_dev(specs[i]);
		assert_attribute(dev[i], "fingerprint", "none\n");
		go(dev[i], VFIO_DEVICE_STATE_STOP);
	}
	assert_true(same_attribute(dev[0], dev[1], "fingerprint"));
	assert_false(same_attribute(dev[0], dev[2], "fingerprint"));
	for (size_t i = 0; i < 3; i++)
		dev[i]->ops->close(dev[i]);
}

static void set_rules(struct device *dev, const char *text)
{
	set_attribute(dev, "rules", text);
}

static int try_state(struct device *dev, uint32_t state)
{
	struct error err;

	return dev->ops->set_state(dev, state, &err);
}

static struct precopy_info info_of(struct device *dev)
{
	struct precopy_info info;
	struct error err;

	if (dev->ops->precopy_info(dev, &info, &err))
		fail_msg("%s", err.text);
	return info;
}

/* From wherever it is: saves the device's state and loads it again. */
static void assert_usable(struct device *dev)
{
	struct blob stream;
	char *before;

	set_rules(dev, "");
	go(dev, VFIO_DEVICE_STATE_RUNNING);
	stream = save_stopped(dev);
	before = attribute(dev, "fingerprint");
	load(dev, &stream);
	assert_attribute(dev, "fingerprint", before);
	go(dev, VFIO_DEVICE_STATE_RUNNING);
	assert_int_equal(stat_of(dev, "sessions_live"), 0);
	free(before);
	free(stream.data);
}

static void assert_broken(struct device *dev)
{
	struct error err;
	uint8_t byte;

	assert_attribute(dev, "state", "ERROR\n");
	assert_int_equal(state_of(dev), VFIO_DEVICE_STATE_ERROR);
	for (uint32_t state = 0; state < 9; state++)
		assert_int_equal(try_state(dev, state), -EIO);
	assert_int_equal(stat_of(dev, "sessions_live"), 0);
	assert_true(dev->ops->read(dev, &byte, 1) < 0);
	assert_true(dev->ops->write(dev, &byte, 1) < 0);
	assert_int_equal(dev->ops->reset(dev, &err), 0);
	assert_int_equal(state_of(dev), VFIO_DEVICE_STATE_RUNNING);
}

/* One arc that fails with @ending, "" or " then=ERROR", once; @from may need a stream first. */
static void check_failing_arc(const struct profile *profile, uint32_t from, uint32_t to,
			      const char *ending)
{
	struct device *dev = open_profile(profile);
	struct blob stream = save_stopped(dev);
	char rule[100];

	go(dev, VFIO_DEVICE_STATE_RUNNING);
	go(dev, from);
	if (from == VFIO_DEVICE_STATE_RESUMING)
		feed(dev, stream.data, stream.size);
	snprintf(rule, sizeof(rule), "arc=%s>%s errno=EBUSY times=1%s", device_state_name(from),
		 device_state_name(to), ending);
	set_rules(dev, rule);
	assert_int_equal(try_state(dev, to), -EBUSY);
	if (ending[0]) {
		assert_broken(dev);
	} else {
		assert_int_equal(state_of(dev), from);
		go(dev, to);
		if (to == VFIO_DEVICE_STATE_RESUMING)
			feed(dev, stream.data, stream.size);
	}
	assert_usable(dev);
	free(stream.data);
	dev->ops->close(dev);
}

static void test_every_arc_fails_and_recovers(void **arg)
{
	size_t arcs = 0;

	(void)arg;
	for (size_t p = 0; p < sizeof(profiles) / sizeof(profiles[0]); p++) {
		for (uint32_t from = 1; from < 8; from++) {
			for (uint32_t to = 1; to < 8; to++) {
				if (from == to || next_of(&profiles[p], from, to) != to)
					continue;
				check_failing_arc(&profiles[p], from, to, "");
				check_failing_arc(&profiles[p], from, to, " then=ERROR");
				arcs++;
			}
		}
	}
	assert_int_equal(arcs, 15 + 9 + 8 + 6);
}

static void test_op_read(void **arg)
{
	struct device *dev = open_dev("emu:rules=op=read short=3 nth=2;op=read errno=EIO nth=2,"
				      "state_bytes=8K");
	struct blob stream = { .data = malloc(100) };

	(void)arg;
	assert_non_null(stream.data);
	go(dev, VFIO_DEVICE_STATE_STOP_COPY);
	/* The second rule counts what the first one leaves: reads 1 and 3. */
	stream.size = dev->ops->read(dev, stream.data, 10);
	assert_int_equal(stream.size, 10);
	assert_int_equal(dev->ops->read(dev, stream.data + 10, 10), 3);
	assert_int_equal(dev->ops->read(dev, stream.data + 13, 10), -EIO);
	stream.size += 3;
	assert_int_equal(drain(dev, &stream, 5000), 0);
	/* Nothing is lost but time. */
	go(dev, VFIO_DEVICE_STATE_STOP);
	load(dev, &stream);
	free(stream.data);
	dev->ops->close(dev);
}

static void test_op_write(void **arg)
{
	struct device *dev = open_dev("emu:rules=,state_bytes=8K");
	struct blob stream = save_stopped(dev);

	(void)arg;
	set_rules(dev, "op=write errno=ENOSPC times=1;op=write short=5");
	go(dev, VFIO_DEVICE_STATE_RESUMING);
	assert_int_equal(dev->ops->write(dev, stream.data, stream.size), -ENOSPC);
	assert_int_equal(dev->ops->write(dev, stream.data, stream.size), 5);
	assert_int_equal(dev->ops->write(dev, stream.data + 5, 2), 2);
	feed(dev, stream.data + 7, stream.size - 7);
	go(dev, VFIO_DEVICE_STATE_STOP);
	free(stream.data);
	dev->ops->close(dev);
}

static void test_op_precopy_info(void **arg)
{
	struct device *dev = open_dev("emu:rules=,state_bytes=8K");
	struct blob stream = { 0 };
	struct precopy_info info;
	uint64_t whole;
	struct error err;

	(void)arg;
	go(dev, VFIO_DEVICE_STATE_PRE_COPY);
	whole = info_of(dev).initial_bytes;
	set_rules(dev, "op=precopy_info errno=EBUSY times=1;op=precopy_info garbage times=1");
	assert_int_equal(dev->ops->precopy_info(dev, &info, &err), -EBUSY);
	info = info_of(dev);
	assert_true(info.initial_bytes == UINT64_MAX && info.dirty_bytes == UINT64_MAX);
	assert_int_equal(info_of(dev).initial_bytes, whole);

	assert_int_equal(drain(dev, &stream, 5000), -ENOMSG);
	assert_false(info_of(dev).reinit);
	set_rules(dev, "op=precopy_info reinit times=1");
	info = info_of(dev);
	assert_true(info.reinit);
	assert_int_equal(info.initial_bytes, whole - MIGLAB_HEADER_BYTES);
	assert_int_equal(info.dirty_bytes, 0);
	assert_false(info_of(dev).reinit);
	assert_int_equal(drain(dev, &stream, 5000), -ENOMSG);
	go(dev, VFIO_DEVICE_STATE_STOP_COPY);
	assert_int_equal(drain(dev, &stream, 5000), 0);
	go(dev, VFIO_DEVICE_STATE_STOP);
	load(dev, &stream);
	free(stream.data);
	dev->ops->close(dev);
}

static void test_op_data_size(void **arg)
{
	struct device *dev = open_dev("emu:rules=op=data_size errno=EIO nth=1;"
				      "op=data_size value=0 nth=1,state_bytes=8K");
	uint64_t size;
	struct error err;

	(void)arg;
	assert_int_equal(dev->ops->data_size(dev, &size, &err), -EIO);
	assert_int_equal(dev->ops->data_size(dev, &size, &err), 0);
	assert_int_equal(size, 0);
	assert_int_equal(dev->ops->data_size(dev, &size, &err), 0);
	assert_true(size > 8192);
	dev->ops->close(dev);
}

/* The twin of each fault is the same device's next session. */
static void test_op_save(void **arg)
{
	struct device *src = open_dev("emu:rules=op=save corrupt=4100 times=1,state_bytes=8K");
	struct device *dst = open_dev("emu:rules=,state_bytes=8K");
	struct blob stream = save_stopped(src);

	(void)arg;
	load(dst, &stream);
	assert_false(same_attribute(src, dst, "fingerprint"));
	free(stream.data);
	go(src, VFIO_DEVICE_STATE_STOP);
	stream = save_stopped(src);
	load(dst, &stream);
	assert_true(same_attribute(src, dst, "fingerprint"));
	free(stream.data);

	go(src, VFIO_DEVICE_STATE_STOP);
	set_rules(src, "op=save truncate=100 times=1");
	stream = save_stopped(src);
	assert_int_equal(stream.size, 100);
	go(dst, VFIO_DEVICE_STATE_RESUMING);
	feed(dst, stream.data, stream.size);
	assert_stuck_until_reset(dst);
	free(stream.data);
	go(src, VFIO_DEVICE_STATE_RUNNING);
	stream = save(src);
	load(dst, &stream);
	assert_true(same_attribute(src, dst, "fingerprint"));
	free(stream.data);
	src->ops->close(src);
	dst->ops->close(dst);
}

/* The delay is the final state's: before the first read in STOP_COPY, once. */
/* Once: a hundred such delays would be ten seconds. */
static void test_op_save_delay(void **arg)
{
	struct device *dev = open_dev("emu:rules=op=save delay_us=100000,state_bytes=8K");
	uint64_t begin;
	uint8_t byte;

	(void)arg;
	go(dev, VFIO_DEVICE_STATE_STOP_COPY);
	begin = clock_ns();
	assert_int_equal(dev->ops->read(dev, &byte, 1), 1);
	assert_true(clock_ns() - begin >= 100 * NSEC_PER_MSEC);
	begin = clock_ns();
	for (int i = 0; i < 100; i++)
		assert_int_equal(dev->ops->read(dev, &byte, 1), 1);
	assert_true(clock_ns() - begin < 10 * NSEC_PER_SEC);
	dev->ops->close(dev);
}

/* No bytes are no operation. */
static void test_op_read_of_nothing(void **arg)
{
	struct device *dev = open_dev("emu:rules=op=read errno=EIO times=1,state_bytes=8K");
	uint8_t byte;

	(void)arg;
	go(dev, VFIO_DEVICE_STATE_STOP_COPY);
	assert_int_equal(dev->ops->read(dev, &byte, 0), 0);
	assert_int_equal(dev->ops->read(dev, &byte, 1), -EIO);
	assert_int_equal(dev->ops->read(dev, &byte, 1), 1);
	dev->ops->close(dev);
}

/* The record names the rule of the arc, unless one of op=load had its say as well. */
static void test_history_of_a_load(void **arg)
{
	static const struct { const char *rules; uint32_t rule; } rows[] = {
		{ "op=read errno=EIO nth=9\narc=RESUMING>STOP delay_us=1", 2 },
		{ "arc=RESUMING>STOP delay_us=1\nop=load delay_us=1", 2 },
		{ "op=load delay_us=1\narc=RESUMING>STOP delay_us=1", 1 },
	};
	struct device *dev = open_dev("emu:rules=,state_bytes=8K");
	struct blob stream = save_stopped(dev);

	(void)arg;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lab_arc *arcs;
		size_t count;

		go(dev, VFIO_DEVICE_STATE_RESUMING);
		feed(dev, stream.data, stream.size);
		set_rules(dev, rows[i].rules);
		go(dev, VFIO_DEVICE_STATE_STOP);
		arcs = history(dev, &count);
		assert_int_equal(arcs[count - 1].rule, rows[i].rule);
		free(arcs);
		set_rules(dev, "");
	}
	free(stream.data);
	dev->ops->close(dev);
}

/* A hold that nobody released fails the arc by itself; what the rule would do then is not done. */
static void test_a_hold_that_ends_breaks_nothing(void **arg)
{
	struct device *dev = open_dev("emu:state_bytes=8K,rules=arc=RUNNING>RUNNING_P2P hold "
				      "limit_us=1000 errno=EIO then=ERROR");

	(void)arg;
	assert_int_equal(try_state(dev, VFIO_DEVICE_STATE_RUNNING_P2P), -ETIMEDOUT);
	assert_int_equal(state_of(dev), VFIO_DEVICE_STATE_RUNNING);
	dev->ops->close(dev);
}

/* Of configuration space one register can be written; work waits for a state that may do it. */
static void test_registers_and_work(void **arg)
{
	struct device *dev = open_dev("emu:state_bytes=8K");
	const off_t config = (off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40;
	uint8_t byte = 0xaa, now;

	(void)arg;
	assert_int_equal(dev->calls->pwrite(dev, DEVICE_SELF, &byte, 1, config), 1);
	assert_int_equal(dev->calls->pread(dev, DEVICE_SELF, &now, 1, config), 1);
	assert_int_equal(now, 0);
	assert_int_equal(dev->calls->pread(dev, DEVICE_SELF, &now, 1, config + 256), -EINVAL);
	assert_int_equal(dev->calls->dma_wait(dev, 0), 0);
	go(dev, VFIO_DEVICE_STATE_STOP);
	assert_int_equal(dev->calls->dma(dev, 0, 4096), 0);
	assert_int_equal(dev->calls->dma_wait(dev, 0), -ETIMEDOUT);
	dev->ops->close(dev);
}

static void test_op_load(void **arg)
{
	struct device *dev = open_dev("emu:rules=,state_bytes=8K");
	struct blob stream = save_stopped(dev);

	(void)arg;
	go(dev, VFIO_DEVICE_STATE_RESUMING);
	feed(dev, stream.data, stream.size);
	set_rules(dev, "op=load errno=ENOMEM times=1");
	assert_int_equal(try_state(dev, VFIO_DEVICE_STATE_STOP), -ENOMEM);
	assert_int_equal(state_of(dev), VFIO_DEVICE_STATE_RESUMING);
	go(dev, VFIO_DEVICE_STATE_STOP);

	go(dev, VFIO_DEVICE_STATE_RESUMING);
	feed(dev, stream.data, stream.size);
	set_rules(dev, "op=load errno=EBADMSG then=ERROR");
	assert_int_equal(try_state(dev, VFIO_DEVICE_STATE_STOP), -EBADMSG);
	assert_broken(dev);
	assert_usable(dev);
	free(stream.data);
	dev->ops->close(dev);
}

static void test_op_reset(void **arg)
{
	struct device *dev = open_dev("emu:rules=op=reset errno=EIO times=1,state_bytes=8K");
	struct error err;
	uint8_t byte;

	(void)arg;
	go(dev, VFIO_DEVICE_STATE_PRE_COPY);
	assert_int_equal(dev->ops->reset(dev, &err), -EIO);
	assert_non_null(strstr(err.text, "cannot be reset"));
	/* nothing was */
	assert_int_equal(state_of(dev), VFIO_DEVICE_STATE_PRE_COPY);
	assert_int_equal(dev->ops->read(dev, &byte, 1), 1);
	assert_int_equal(stat_of(dev, "resets"), 0);
	assert_int_equal(dev->ops->reset(dev, &err), 0);
	assert_int_equal(state_of(dev), VFIO_DEVICE_STATE_RUNNING);
	dev->ops->close(dev);
}

/* A thread that waits for data, or that reads. */
struct sleeper {
	struct device *dev;
	bool reads;
	int timeout_ms, ret;
	uint64_t slept_ns;
	atomic_int tid;
	pthread_t thread;
};

static void *sleeper_main(void *opaque)
{
	struct sleeper *s = opaque;
	uint64_t begin = clock_ns();
	uint8_t byte;

	atomic_store(&s->tid, gettid());
	if (s->reads)
		s->ret = s->dev->ops->read(s->dev, &byte, 1);
	else
		s->ret = s->dev->ops->wait(s->dev, s->timeout_ms);
	s->slept_ns = clock_ns() - begin;
	return NULL;
}

static bool is_asleep(pid_t tid)
{
	char path[64], state = '?';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "r");
	if (f && fscanf(f, "%*d %*s %c", &state) != 1)
		state = '?';
	if (f)
		fclose(f);
	return state == 'S';
}

/* Returns once the thread sleeps. */
static void sleeper_start(struct sleeper *s)
{
	const uint64_t deadline = clock_ns() + 200 * NSEC_PER_SEC;

	assert_int_equal(pthread_create(&s->thread, NULL, sleeper_main, s), 0);
	while (!atomic_load(&s->tid) || !is_asleep(atomic_load(&s->tid))) {
		assert_true(clock_ns() < deadline);
		sched_yield();
	}
}

static void test_a_reset_ends_a_delayed_read(void **arg)
{
	struct device *dev = open_dev("emu:rules=op=read delay_us=3600000000,state_bytes=8K");
	struct sleeper s = { .dev = dev, .reads = true };
	struct error err;

	(void)arg;
	go(dev, VFIO_DEVICE_STATE_PRE_COPY);
	sleeper_start(&s);
	assert_int_equal(dev->ops->reset(dev, &err), 0);
	assert_int_equal(pthread_join(s.thread, NULL), 0);
	assert_int_equal(s.ret, -EIO);
	dev->ops->close(dev);
}

/* Sleeps for data that do not come, until @end is done with the device; returns what it is told. */
static int sleep_until(void (*end)(struct device *dev))
{
	struct device *dev = open_dev("emu:state_bytes=8K");
	struct sleeper s = { .dev = dev, .timeout_ms = 60000 };
	uint8_t buf[4096];

	go(dev, VFIO_DEVICE_STATE_PRE_COPY);
	while (dev->ops->read(dev, buf, sizeof(buf)) > 0)
		;
	sleeper_start(&s);
	end(dev);
	assert_int_equal(pthread_join(s.thread, NULL), 0);
	dev->ops->close(dev);
	return s.ret;
}

static void reset_it(struct device *dev)
{
	struct error err;

	assert_int_equal(dev->ops->reset(dev, &err), 0);
}

static void cancel_it(struct device *dev)
{
	go(dev, VFIO_DEVICE_STATE_RUNNING);
}

static void stop_it(struct device *dev)
{
	go(dev, VFIO_DEVICE_STATE_STOP_COPY);
}

static void test_what_ends_a_wait_for_data(void **arg)
{
	(void)arg;
	assert_int_equal(sleep_until(reset_it), -EBADF);
	assert_int_equal(sleep_until(cancel_it), -EBADF);
	assert_int_equal(sleep_until(stop_it), 1);
}

/* Sleeps for data, which come once it sleeps; returns how long that was. */
static uint64_t sleep_for_data(struct device *dev, int timeout_ms)
{
	struct sleeper s = { .dev = dev, .timeout_ms = timeout_ms };

	set_attribute(dev, "dirty_bytes_per_sec", "0");
	sleeper_start(&s);
	set_attribute(dev, "dirty_bytes_per_sec", "1000000000");
	assert_int_equal(pthread_join(s.thread, NULL), 0);
	assert_int_equal(s.ret, 1);
	return s.slept_ns;
}

static void test_op_poll(void **arg)
{
	struct device *dev = open_dev("emu:rules=,state_bytes=8K");
	struct blob stream = { 0 };

	(void)arg;
	go(dev, VFIO_DEVICE_STATE_PRE_COPY);
	assert_int_equal(drain(dev, &stream, 5000), -ENOMSG);
	/* without the rule it ends, though it has no limit */
	sleep_for_data(dev, -1);
	set_attribute(dev, "dirty_bytes_per_sec", "0");
	while (dev->ops->wait(dev, 0))
		drain(dev, &stream, 5000);
	set_rules(dev, "op=poll drop");
	assert_true(sleep_for_data(dev, 300) >= 300 * NSEC_PER_MSEC);
	free(stream.data);
	dev->ops->close(dev);
}

static void test_bad_specs_have_their_sentence(void **arg)
{
	static const struct { const char *spec, *sentence; } rows[] = {
		{ "", "\"\" is no device; write vfio:BDF, emu[:key=value,..] or discard" },
		{ "emux", "\"emux\" is no device; write emu or emu:key=value,.." },
		{ "emu,state_bytes=1000", "emu: state_bytes=1000 must be a multiple of 4096, "
		  "from 4096 to 1073741824" },
		{ "emu:", "emu: unknown key \"\"; known are state_bytes, dirty_bytes_per_sec, "
		  "dma_bytes_per_sec, dma_log_misses, profile, rules, seed, mutant" },
		{ "emu:colour=1", "emu: unknown key \"colour\"; known are state_bytes, "
		  "dirty_bytes_per_sec, dma_bytes_per_sec, dma_log_misses, profile, rules, "
		  "seed, mutant" },
		{ "emu:seed=1,", "emu: unknown key \"\"; known are state_bytes, "
		  "dirty_bytes_per_sec, dma_bytes_per_sec, dma_log_misses, profile, rules, "
		  "seed, mutant" },
		{ "emu:seed", "emu: seed needs a value: seed=.." },
		{ "emu:seed=", "emu: seed= is not a number; write digits and at most one of K, "
		  "M, G" },
		{ "emu:seed=-1", "emu: seed=-1 is not a number; write digits and at most one of "
		  "K, M, G" },
		{ "emu:seed=K", "emu: seed=K is not a number; write digits and at most one of "
		  "K, M, G" },
		{ "emu:seed=18446744073709551616", "emu: seed=18446744073709551616 is not a "
		  "number; "
		  "write digits and at most one of K, M, G" },
		{ "emu:state_bytes=1MB", "emu: state_bytes=1MB is not a number; write digits "
		  "and at "
		  "most one of K, M, G" },
		{ "emu:state_bytes=1000", "emu: state_bytes=1000 must be a multiple of 4096, "
		  "from 4096 "
		  "to 1073741824" },
		{ "emu:state_bytes=2G", "emu: state_bytes=2G must be a multiple of 4096, from "
		  "4096 to "
		  "1073741824" },
		{ "emu:state_bytes=0", "emu: state_bytes=0 must be a multiple of 4096, from "
		  "4096 to "
		  "1073741824" },
		{ "emu:profile=", "emu: there is no profile \"\"; write full, no-p2p, no-precopy "
		  "or stop-copy" },
		{ "emu:profile=half", "emu: there is no profile \"half\"; write full, no-p2p, "
		  "no-precopy or stop-copy" },
		{ "emu:rules=arc=STOP>NOWHERE hold", "emu: rules=: line 1 column 1: unknown state: "
		  "\"arc=STOP>NOWHERE\"; the states are STOP, RUNNING, STOP_COPY, RESUMING, "
		  "RUNNING_P2P, PRE_COPY, PRE_COPY_P2P" },
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct device *dev = NULL;
		struct error err;

		assert_int_equal(device_open(rows[i].spec, &dev, &err), -EINVAL);
		assert_string_equal(err.text, rows[i].sentence);
		assert_null(dev);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair_follows_the_table),
		cmocka_unit_test(test_migration_restores_the_state),
		cmocka_unit_test(test_migration_of_a_changing_state),
		cmocka_unit_test(test_precopy_end_is_enomsg_and_final_end_is_zero),
		cmocka_unit_test(test_data_size_holds),
		cmocka_unit_test(test_one_session_from_precopy_to_stop_copy),
		cmocka_unit_test(test_a_closed_session_stays_closed),
		cmocka_unit_test(test_a_corrupt_page_changes_the_fingerprint_only),
		cmocka_unit_test(test_a_truncated_stream_is_refused),
		cmocka_unit_test(test_a_bad_stream_is_refused_for_good),
		cmocka_unit_test(test_hold_then_release),
		cmocka_unit_test(test_release_then_hold),
		cmocka_unit_test(test_hold_has_a_limit),
		cmocka_unit_test(test_reset_aborts_a_held_arc),
		cmocka_unit_test(test_delay_takes_its_time),
		cmocka_unit_test(test_default_rules_slow_the_p2p_arc),
		cmocka_unit_test(test_a_failed_arc_leaves_the_session),
		cmocka_unit_test(test_a_hundred_migrations_leave_nothing),
		cmocka_unit_test(test_refused_rules_change_nothing),
		cmocka_unit_test(test_attributes_that_cannot_be),
		cmocka_unit_test(test_seed_decides_the_state),
		cmocka_unit_test(test_every_arc_fails_and_recovers),
		cmocka_unit_test(test_op_read),
		cmocka_unit_test(test_op_write),
		cmocka_unit_test(test_op_precopy_info),
		cmocka_unit_test(test_op_data_size),
		cmocka_unit_test(test_op_save),
		cmocka_unit_test(test_op_save_delay),
		cmocka_unit_test(test_op_read_of_nothing),
		cmocka_unit_test(test_history_of_a_load),
		cmocka_unit_test(test_a_hold_that_ends_breaks_nothing),
		cmocka_unit_test(test_registers_and_work),
		cmocka_unit_test(test_op_load),
		cmocka_unit_test(test_op_reset),
		cmocka_unit_test(test_a_reset_ends_a_delayed_read),
		cmocka_unit_test(test_what_ends_a_wait_for_data),
		cmocka_unit_test(test_op_poll),
		cmocka_unit_test(test_bad_specs_have_their_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
