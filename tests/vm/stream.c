// SPDX-License-Identifier: GPL-2.0-only
/*
 * A migration restores the state: sessions, their ends, and streams that are
 * not what they should be.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/fsm.h"
#include "core/stream.h"
#include "lab.h"

static unsigned char stream[STREAM_MAX];

static void assert_fingerprints(struct device *a, struct device *b, bool equal)
{
	char *fa = attribute(a, "fingerprint");
	char *fb = attribute(b, "fingerprint");

	assert_string_not_equal(fa, "none\n");
	assert_string_not_equal(fb, "none\n");
	if (equal)
		assert_string_equal(fa, fb);
	else
		assert_string_not_equal(fa, fb);
	free(fa);
	free(fb);
}

/* Reads the initial pass, which ends however fast the device changes behind it. */
static size_t save_initial(struct device *dev)
{
	struct precopy_info info;
	struct error err = { "" };
	size_t have = 0;
	ssize_t n;

	for (;;) {
		assert_int_equal(dev->ops->precopy_info(dev, &info, &err), 0);
		if (!info.initial_bytes)
			return have;
		n = dev->ops->read(dev, stream + have, info.initial_bytes);
		assert_true(n > 0);
		have += (size_t)n;
	}
}

/* Saves @dev as a migration does: the initial pass in pre-copy, then the rest. */
static size_t save(struct device *dev)
{
	ssize_t end;
	size_t n;

	go(dev, MIGLAB_PRE_COPY);
	n = save_initial(dev);
	go(dev, MIGLAB_PRE_COPY_P2P);
	go(dev, MIGLAB_STOP_COPY);
	n += drain(dev, stream + n, sizeof(stream) - n, &end);
	assert_int_equal(end, 0);
	assert_int_equal(dev->ops->read(dev, stream + n, 1), 0);
	return n;
}

static void a_migration_restores_the_state(void **state)
{
	struct device *src = open_function(0);
	struct device *dst = open_function(1);
	static const size_t pieces[] = { STREAM_MAX, 65536, 4097, 61 };
	size_t i, size;

	(void)state;
	set_attribute(src, "dirty_bytes_per_sec", "67108864");
	go(dst, MIGLAB_STOP);
	go(src, MIGLAB_STOP);
	assert_fingerprints(src, dst, false);
	go(src, MIGLAB_RUNNING);
	for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		size = save(src);
		go(dst, MIGLAB_RESUMING);
		assert_int_equal(load(dst, stream, size, pieces[i]), 0);
		go(dst, MIGLAB_RUNNING);
		assert_fingerprints(src, dst, true);
		go(src, MIGLAB_RUNNING);
	}
	set_attribute(src, "dirty_bytes_per_sec", "0");
}

/* Changes one byte of a page, which is the 101st of the state. */
static void corrupt_page(size_t size)
{
	assert_true(size > MIGLAB_HEADER_BYTES + MIGLAB_PAGES_BYTES + MIGLAB_PAGE);
	stream[MIGLAB_HEADER_BYTES + MIGLAB_PAGES_BYTES + 100] ^= 1;
}

/* The end record says what the stream of @size bytes, each page sent once, adds up to. */
static void put_end_right(size_t size)
{
	size_t at = MIGLAB_HEADER_BYTES, end = size - MIGLAB_END_BYTES;
	uint32_t crc = ~0u, records = 0, len;
	struct miglab_rec head;

	for (; at < end; at += MIGLAB_PAGES_BYTES + len, records++) {
		memcpy(&head, stream + at, sizeof(head));
		len = le32_to_cpu(head.length) - (uint32_t)sizeof(struct miglab_pages_payload);
		crc = crc32c(crc, stream + at + MIGLAB_PAGES_BYTES, len);
	}
	assert_int_equal(at, end);
	miglab_stream_put_end(stream + end, records, ~crc);
}

static void a_corrupted_page_with_the_end_put_right_fails_the_fingerprint_only(void **state)
{
	struct device *src = open_function(0);
	struct device *dst = open_function(1);
	size_t size;

	(void)state;
	size = save(src);
	corrupt_page(size);
	put_end_right(size);
	go(dst, MIGLAB_RESUMING);
	assert_int_equal(load(dst, stream, size, 65536), 0);
	go(dst, MIGLAB_RUNNING);
	assert_fingerprints(src, dst, false);
}

static void assert_recovers(struct device *dst, size_t size)
{
	struct error err = { "" };

	if (dst->ops->reset(dst, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(state_of(dst), MIGLAB_RUNNING);
	go(dst, MIGLAB_RESUMING);
	assert_int_equal(load(dst, stream, size, 65536), 0);
	go(dst, MIGLAB_RUNNING);
}

/* Damage of a page shows when all is there: at the arc, and for good. */
static void a_corrupted_page_is_refused(void **state)
{
	struct device *src = open_function(0);
	struct device *dst = open_function(1);
	struct error err;
	size_t size;

	(void)state;
	size = save(src);
	corrupt_page(size);
	go(dst, MIGLAB_RESUMING);
	assert_int_equal(load(dst, stream, size, 65536), 0);
	assert_int_equal(dst->ops->set_state(dst, MIGLAB_STOP, &err), -EINVAL);
	assert_int_equal(state_of(dst), MIGLAB_RESUMING);
	assert_int_equal(dst->ops->write(dst, stream, 1), -EINVAL);
	assert_int_equal(dst->ops->set_state(dst, MIGLAB_STOP, &err), -EINVAL);
	assert_int_equal(state_of(dst), MIGLAB_RESUMING);
	corrupt_page(size);
	assert_recovers(dst, size);
	assert_fingerprints(src, dst, true);
}

/* Any other damage shows when the record is there. */
static void a_corrupted_record_is_refused(void **state)
{
	unsigned char *at = stream + MIGLAB_HEADER_BYTES + sizeof(struct miglab_rec) + 1;
	struct device *src = open_function(0);
	struct device *dst = open_function(1);
	struct error err;
	size_t size;

	(void)state;
	size = save(src);
	*at ^= 0x10;
	go(dst, MIGLAB_RESUMING);
	assert_int_equal(load(dst, stream, size, 65536), -EINVAL);
	assert_int_equal(dst->ops->write(dst, stream, 1), -EINVAL);
	assert_true(dst->ops->set_state(dst, MIGLAB_STOP, &err) < 0);
	assert_int_equal(state_of(dst), MIGLAB_RESUMING);
	*at ^= 0x10;
	assert_recovers(dst, size);
	assert_fingerprints(src, dst, true);
}

static void a_truncated_stream_is_refused(void **state)
{
	struct device *src = open_function(0);
	struct device *dst = open_function(1);
	struct error err;
	size_t size, cuts[5], i;

	(void)state;
	size = save(src);
	cuts[0] = 0;
	cuts[1] = MIGLAB_HEADER_BYTES;
	cuts[2] = size / 2;
	cuts[3] = size - MIGLAB_END_BYTES;
	cuts[4] = size - 1;
	for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		go(dst, MIGLAB_RESUMING);
		assert_int_equal(load(dst, stream, cuts[i], 65536), 0);
		assert_int_equal(dst->ops->set_state(dst, MIGLAB_STOP, &err), -EINVAL);
		assert_int_equal(state_of(dst), MIGLAB_RESUMING);
		/* The rest may still come. */
		assert_int_equal(load(dst, stream + cuts[i], size - cuts[i], 65536), 0);
		go(dst, MIGLAB_STOP);
		assert_fingerprints(src, dst, true);
	}
}

static void the_precopy_figures_tell_the_truth(void **state)
{
	struct device *dev = open_function(0);
	struct precopy_info info, later;
	struct error err = { "" };
	uint64_t promised;
	ssize_t n, end;

	(void)state;
	assert_int_equal(dev->ops->precopy_info(dev, &info, &err), -EBADF);
	go(dev, MIGLAB_PRE_COPY);
	assert_int_equal(dev->ops->precopy_info(dev, &info, &err), 0);
	assert_true(info.initial_bytes > 0);
	assert_int_equal(info.dirty_bytes, 0);
	promised = info.initial_bytes;

	n = dev->ops->read(dev, stream, 1000);
	assert_int_equal(n, 1000);
	assert_int_equal(dev->ops->precopy_info(dev, &later, &err), 0);
	assert_int_equal(later.initial_bytes, promised - 1000);

	assert_int_equal(drain(dev, stream, sizeof(stream), &end), promised - 1000);
	assert_int_equal(end, -ENOMSG);
	assert_int_equal(dev->ops->wait(dev, 0), 0);

	set_attribute(dev, "dirty_bytes_per_sec", "1048576");
	assert_int_equal(dev->ops->wait(dev, 10000), 1);
	assert_int_equal(dev->ops->precopy_info(dev, &later, &err), 0);
	assert_true(later.dirty_bytes > 0);
	assert_true(drain(dev, stream, sizeof(stream), &end) >= later.dirty_bytes);
	set_attribute(dev, "dirty_bytes_per_sec", "0");

	go(dev, MIGLAB_STOP_COPY);
	assert_int_equal(dev->ops->precopy_info(dev, &later, &err), -EINVAL);
	assert_int_equal(dev->ops->wait(dev, 0), 1);
}

static void the_data_size_covers_what_a_stop_copy_reads(void **state)
{
	struct device *dev = open_function(0);
	struct error err = { "" };
	uint64_t before, during;
	ssize_t end;

	(void)state;
	assert_int_equal(dev->ops->data_size(dev, &before, &err), 0);
	go(dev, MIGLAB_STOP_COPY);
	assert_int_equal(dev->ops->data_size(dev, &during, &err), 0);
	assert_true(during <= before);
	assert_true(drain(dev, stream, sizeof(stream), &end) <= during);
	assert_int_equal(end, 0);
	assert_int_equal(dev->ops->data_size(dev, &during, &err), 0);
	assert_int_equal(during, 0);
}

int stream_rows(void)
{
	const struct CMUnitTest rows[] = {
		row(a_migration_restores_the_state),
		row(a_corrupted_page_with_the_end_put_right_fails_the_fingerprint_only),
		row(a_corrupted_page_is_refused),
		row(a_corrupted_record_is_refused),
		row(a_truncated_stream_is_refused),
		row(the_precopy_figures_tell_the_truth),
		row(the_data_size_covers_what_a_stop_copy_reads),
	};

	return cmocka_run_group_tests_name("stream", rows, NULL, NULL);
}
