// SPDX-License-Identifier: GPL-2.0-only
#include "unit.h"

#include "core/fsm.h"
#include "core/prng.h"
#include "core/synthetic.h"

typedef unsigned __int128 u128;

#define PAGE_WORK	(4096ull * 1000000000ull)	/* bytes per second * ns for one page */

/* A device with a session that sees all of its changes. */
struct device {
	struct miglab_content content;
	struct miglab_synthetic model;
	struct miglab_precopy track;
	u64 *bitmap;
	u8 *bytes;
};

static struct miglab_identity identity(u64 state_bytes)
{
	return (struct miglab_identity){
		.model = MIGLAB_MODEL_SYNTHETIC, .vendor = 0x1af4, .device = 0x1100,
		.state_bytes = state_bytes,
	};
}

static void open_device(struct device *d, u64 pages, u64 seed)
{
	struct miglab_identity id = identity(pages * MIGLAB_PAGE);

	d->bytes = malloc(id.state_bytes);
	d->bitmap = malloc(miglab_precopy_bytes_needed(id.state_bytes));
	assert_non_null(d->bytes);
	assert_non_null(d->bitmap);
	d->content = (struct miglab_content){ .id = id, .bytes = d->bytes };
	miglab_synthetic_init(&d->model, &d->content, seed);
	miglab_precopy_start(&d->track, id.state_bytes, d->bitmap);
}

static void close_device(struct device *d)
{
	free(d->bytes);
	free(d->bitmap);
}

/* As if the initial pass had been read: from here on every change is dirty. */
static void pass_over(struct device *d)
{
	u64 offset;
	u32 len;

	while (miglab_precopy_next(&d->track, &offset, &len))
		;
}

static void forget_dirty(struct device *d)
{
	pass_over(d);
	assert_int_equal(d->track.dirty_pages, 0);
}

static void test_sizes(void **unused)
{
	static const struct {
		u64 state_bytes;
		bool ok;
	} rows[] = {
		{ 0, false }, { 1, false }, { 4095, false }, { 4096, true }, { 4097, false },
		{ 6144, false }, { 8192, true }, { 1 << 20, true }, { 1 << 30, true },
		{ (1 << 30) + 4096ull, false }, { 1ull << 32, false }, { ~0ull, false },
		{ ~0ull << 12, false },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(miglab_synthetic_size_ok(rows[i].state_bytes), rows[i].ok);
}

static void test_active_states(void **unused)
{
	(void)unused;
	for (u32 state = 0; state < 10; state++)
		assert_int_equal(miglab_synthetic_active(state),
				 state == MIGLAB_RUNNING || state == MIGLAB_PRE_COPY);
}

/* Values computed apart from this code. */
static void test_noise_is_reproducible(void **unused)
{
	static const u8 begin[] = {
		0x85, 0xfc, 0x08, 0xfb, 0x17, 0xd0, 0x9e, 0x59,
		0xa5, 0x0f, 0x54, 0x58, 0x84, 0xf0, 0x73, 0x2c,
	};
	struct device d;

	(void)unused;
	open_device(&d, 1, 1234567);
	assert_memory_equal(d.bytes, begin, sizeof(begin));
	assert_int_equal(miglab_content_fingerprint(&d.content), 0x5483d208);
	d.bytes[4095] ^= 1;
	assert_int_not_equal(miglab_content_fingerprint(&d.content), 0x5483d208);
	close_device(&d);
}

static void test_idle_devices_change_nothing(void **unused)
{
	struct device d;
	u32 before;

	(void)unused;
	open_device(&d, 16, 1);
	before = miglab_content_fingerprint(&d.content);

	/* Not running. */
	d.model.rate = 1 << 30;
	miglab_synthetic_advance(&d.model, NULL, 1ull << 40);
	assert_int_equal(miglab_content_fingerprint(&d.content), before);
	assert_true(miglab_synthetic_next_ns(&d.model, 0) == U64_MAX);

	/* Running at no rate. */
	d.model.rate = 0;
	miglab_synthetic_run(&d.model, true, 0);
	miglab_synthetic_advance(&d.model, NULL, 1ull << 40);
	assert_int_equal(miglab_content_fingerprint(&d.content), before);
	assert_true(miglab_synthetic_next_ns(&d.model, 0) == U64_MAX);

	/* Running, but time stands still or goes back. */
	d.model.rate = 1 << 30;
	miglab_synthetic_advance(&d.model, NULL, 1ull << 40);
	miglab_synthetic_advance(&d.model, NULL, 12);
	assert_int_equal(miglab_content_fingerprint(&d.content), before);
	assert_true(d.model.since_ns == 1ull << 40);
	close_device(&d);
}

/* Time spent idle is no time for work. */
static void test_pause(void **unused)
{
	struct device d;

	(void)unused;
	open_device(&d, 1024, 1);
	pass_over(&d);
	d.model.rate = 4096;			/* a page each second */
	miglab_synthetic_run(&d.model, true, 0);
	miglab_synthetic_advance(&d.model, &d.track, 900000000);
	miglab_synthetic_run(&d.model, false, 900000000);
	miglab_synthetic_advance(&d.model, &d.track, 50000000000);
	miglab_synthetic_run(&d.model, true, 50000000000);
	assert_int_equal(d.track.dirty_pages, 0);
	/* What was left of the work before the pause counts after it. */
	assert_int_equal(miglab_synthetic_next_ns(&d.model, 50000000000), 100000000);
	miglab_synthetic_advance(&d.model, &d.track, 50099999999);
	assert_int_equal(d.track.dirty_pages, 0);
	miglab_synthetic_advance(&d.model, &d.track, 50100000000);
	assert_int_equal(d.track.dirty_pages, 1);
	close_device(&d);
}

static const u64 rates[] = {
	1, 4095, 4096, 4097, 1000000, 1 << 20, 123456789, 1 << 30, 1ull << 40, 1ull << 63, ~0ull,
};

/* However time is cut, the pages that were due until now changed, not one more or less. */
static void test_long_run_rate_is_exact(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		u64 now = 0, changed = 0, seed = i;
		/* So that no step is long enough to change all pages. */
		u64 step_max = (u64)(200 * (u128)PAGE_WORK / rates[i]) + 1;
		struct device d;

		if (step_max == 1)
			continue;
		open_device(&d, 256, i);
		pass_over(&d);
		d.model.rate = rates[i];
		miglab_synthetic_run(&d.model, true, 0);
		for (u32 step = 0; step < 300; step++) {
			now += miglab_prng(&seed) % step_max;
			miglab_synthetic_advance(&d.model, &d.track, now);
			changed += d.track.dirty_pages;
			forget_dirty(&d);
		}
		assert_true(changed == (u64)((u128)now * rates[i] / PAGE_WORK));
		assert_true(changed > 0);
		close_device(&d);
	}
}

static void test_next_ns_is_when_the_next_page_changes(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		u64 now = 1000;
		struct device d;

		open_device(&d, 64, i);
		pass_over(&d);
		d.model.rate = rates[i];
		miglab_synthetic_run(&d.model, true, now);
		for (u32 step = 0; step < 50; step++) {
			u64 ns = miglab_synthetic_next_ns(&d.model, now);

			assert_true(ns > 0 && ns <= PAGE_WORK);
			miglab_synthetic_advance(&d.model, &d.track, now + ns - 1);
			assert_int_equal(d.track.dirty_pages, 0);
			now += ns;
			/* It is due now, though not done. */
			assert_int_equal(miglab_synthetic_next_ns(&d.model, now), 0);
			miglab_synthetic_advance(&d.model, &d.track, now);
			assert_true(d.track.dirty_pages >= 1);
			forget_dirty(&d);
		}
		close_device(&d);
	}
}

static u32 changed_words(const u8 *a, const u8 *b)
{
	u32 changed = 0;

	for (u32 at = 0; at < MIGLAB_PAGE; at += 8)
		changed += memcmp(a + at, b + at, 8) != 0;
	return changed;
}

/* Each marked page differs in one word, the others in none; none is changed twice in a call. */
static void test_marks_are_the_changes(void **unused)
{
	static const u64 sizes[] = { 1, 2, 63, 64, 100, 768 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (u64 due = 0; due <= sizes[i]; due += 1 + sizes[i] / 7) {
			u8 *before = malloc(sizes[i] * MIGLAB_PAGE);
			struct device d;

			assert_non_null(before);
			open_device(&d, sizes[i], due);
			pass_over(&d);
			memcpy(before, d.bytes, sizes[i] * MIGLAB_PAGE);
			d.model.rate = 4096;
			miglab_synthetic_run(&d.model, true, 0);
			miglab_synthetic_advance(&d.model, &d.track, due * 1000000000);
			assert_int_equal(d.track.dirty_pages, due);
			for (u64 page = 0; page < sizes[i]; page++)
				assert_int_equal(changed_words(before + page * MIGLAB_PAGE,
							       d.bytes + page * MIGLAB_PAGE),
						 d.bitmap[page / 64] >> page % 64 & 1);
			close_device(&d);
			free(before);
		}
	}
}

static void test_a_long_absence_changes_each_page_once(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		struct device d;

		open_device(&d, 256, i);
		pass_over(&d);
		d.model.rate = rates[i];
		miglab_synthetic_run(&d.model, true, 0);
		miglab_synthetic_advance(&d.model, &d.track, U64_MAX);
		assert_int_equal(d.track.dirty_pages, 256);
		close_device(&d);
	}
}

/* Over time no page is spared. */
static void test_every_page_gets_its_turn(void **unused)
{
	struct device d;
	u64 now = 0;

	(void)unused;
	open_device(&d, 100, 5);
	pass_over(&d);
	d.model.rate = 4096;
	miglab_synthetic_run(&d.model, true, 0);
	while (d.track.dirty_pages < 100) {
		now += 1000000000;
		assert_true(now < 5000ull * 1000000000);
		miglab_synthetic_advance(&d.model, &d.track, now);
	}
	/* Pages at random meet again long before all were met. */
	assert_true(now > 150ull * 1000000000);
	close_device(&d);
}

static void test_stage_order(void **unused)
{
	static const u64 sizes[] = {
		MIGLAB_HEADER_BYTES, MIGLAB_RECORD_MAX, MIGLAB_PAGES_BYTES + MIGLAB_PAGE,
	};
	struct miglab_outgoing out;
	struct device d;
	u64 total = 0;

	(void)unused;
	open_device(&d, 17, 3);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(miglab_content_stage(&d.content, &d.track, false, &out), 1);
		assert_int_equal(out.size, sizes[i]);
		assert_int_equal(out.taken, 0);
		total += out.size;
	}
	/* Nothing for now is not the end. */
	assert_int_equal(miglab_content_stage(&d.content, &d.track, false, &out), 0);
	assert_int_equal(miglab_content_stage(&d.content, &d.track, true, &out), 1);
	assert_int_equal(out.size, MIGLAB_END_BYTES);
	total += out.size;
	assert_int_equal(miglab_content_stage(&d.content, &d.track, true, &out), 0);
	assert_int_equal(miglab_content_stage(&d.content, &d.track, false, &out), 0);
	assert_int_equal(total, miglab_content_stream_bytes(17 * MIGLAB_PAGE));
	close_device(&d);
}

/* A miglab_fetch_fn that fails if @opaque says so. */
static int fetch_or_not(void *opaque, u64 offset, u32 len)
{
	(void)offset;
	(void)len;
	return *(int *)opaque;
}

/* The size of the next record, or the error. */
static s64 stage(struct device *d, bool final, struct miglab_outgoing *out)
{
	int ret = miglab_content_stage(&d->content, &d->track, final, out);

	return ret == 1 ? (s64)out->size : ret;
}

static void test_what_was_not_fetched_is_still_to_send(void **unused)
{
	u8 end[MIGLAB_END_BYTES];
	struct miglab_outgoing out;
	struct device d;
	u64 before;
	int error;

	(void)unused;
	open_device(&d, 17, 3);
	d.content.fetch = fetch_or_not;
	d.content.opaque = &error;
	error = -EIO;
	assert_int_equal(stage(&d, false, &out), MIGLAB_HEADER_BYTES);
	before = miglab_precopy_remaining(&d.track) - d.track.unread;
	assert_int_equal(stage(&d, false, &out), -EIO);
	assert_int_equal(miglab_precopy_remaining(&d.track) - d.track.unread, before);
	error = 0;
	assert_int_equal(stage(&d, false, &out), MIGLAB_RECORD_MAX);

	/* The same with pages that became dirty, two of them in a row. */
	assert_int_equal(stage(&d, false, &out), MIGLAB_PAGES_BYTES + MIGLAB_PAGE);
	miglab_precopy_mark(&d.track, 4);
	miglab_precopy_mark(&d.track, 5);
	error = -EIO;
	assert_int_equal(stage(&d, true, &out), -EIO);
	error = 0;
	assert_int_equal(stage(&d, true, &out), MIGLAB_PAGES_BYTES + 2 * MIGLAB_PAGE);
	/* And the end counts no record that never was. */
	assert_int_equal(stage(&d, true, &out), MIGLAB_END_BYTES);
	assert_int_equal(miglab_stream_put_end(end, 3, d.content.fingerprint), MIGLAB_END_BYTES);
	assert_memory_equal(out.head, end, MIGLAB_END_BYTES);
	close_device(&d);
}

/* A session in flight: one staged record, read in pieces into a decoder. */
struct flight {
	struct device from;
	struct miglab_content to;
	struct miglab_decoder decoder;
	struct miglab_outgoing out;
};

/* Reads up to @n bytes as a user would; returns how many there were. */
static u64 read_some(struct flight *f, u64 n, bool final)
{
	u64 done = 0;

	while (done < n) {
		ssize_t want;
		const u8 *at;
		size_t chunk;
		u8 *to;

		if (f->out.taken == f->out.size &&
		    !miglab_content_stage(&f->from.content, &f->from.track, final, &f->out))
			break;
		want = miglab_decoder_want(&f->decoder, &to);
		assert_true(want > 0);
		chunk = miglab_content_next(&f->from.content, &f->out, &at);
		assert_true(chunk && chunk <= f->out.size - f->out.taken);
		chunk = chunk < n - done ? chunk : n - done;
		chunk = chunk < (size_t)want ? chunk : (size_t)want;
		memcpy(to, at, chunk);
		assert_int_equal(miglab_decoder_got(&f->decoder, chunk), 0);
		miglab_precopy_read(&f->from.track, chunk);
		f->out.taken += chunk;
		done += chunk;
	}
	return done;
}

static void take_off(struct flight *f, u64 pages, u64 seed)
{
	struct miglab_identity id = identity(pages * MIGLAB_PAGE);
	u8 *bytes = calloc(1, id.state_bytes);

	assert_non_null(bytes);
	open_device(&f->from, pages, seed);
	f->to = (struct miglab_content){ .id = id, .bytes = bytes };
	miglab_decoder_init(&f->decoder, &id, bytes);
	f->out = (struct miglab_outgoing){ .size = 0 };
}

/* The source's state is final. */
static void stop(struct flight *f)
{
	f->from.content.fingerprint = miglab_content_fingerprint(&f->from.content);
}

static void land(struct flight *f)
{
	close_device(&f->from);
	free(f->to.bytes);
}

/* Whatever happens in which order, the destination ends with the source's bytes. */
static void fly(struct flight *f, u64 pages, u64 seed)
{
	u64 now = 0, remaining, bytes = pages * MIGLAB_PAGE;

	take_off(f, pages, seed);
	f->from.model.rate = miglab_prng(&seed) % (bytes * 4);
	miglab_synthetic_run(&f->from.model, true, now);
	for (u32 step = (u32)(miglab_prng(&seed) % 60); step; step--) {
		now += miglab_prng(&seed) % 400000000;
		if (miglab_prng(&seed) % 2)
			miglab_synthetic_advance(&f->from.model, &f->from.track, now);
		read_some(f, miglab_prng(&seed) % (bytes / 8 + 100), false);
	}
	miglab_synthetic_advance(&f->from.model, &f->from.track, now);
	miglab_synthetic_run(&f->from.model, false, now);

	stop(f);
	remaining = miglab_precopy_remaining(&f->from.track);
	assert_true(read_some(f, U64_MAX, true) <= remaining);
	assert_int_equal(miglab_content_loaded(&f->to, &f->decoder), 0);
	assert_int_equal(f->to.fingerprint, f->from.content.fingerprint);
	assert_memory_equal(f->to.bytes, f->from.bytes, bytes);
	land(f);
}

static void test_any_interleaving_arrives(void **unused)
{
	static const u64 sizes[] = { 1, 2, 15, 16, 17, 64, 65, 200, 768 };
	struct flight *f = malloc(sizeof(*f));

	(void)unused;
	assert_non_null(f);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		for (u64 seed = 1; seed <= (sizes[i] < 100 ? 200 : 20); seed++)
			fly(f, sizes[i], seed);
	free(f);
}

/* Stream and end record agree, but one byte is wrong, however often its page is sent. */
static void test_corrupt(void **unused)
{
	static const u64 bytes[] = { 0, 1, 4095, 4096, 65535, 65536, 17 * 4096 - 1 };
	struct flight *f = malloc(sizeof(*f));

	(void)unused;
	assert_non_null(f);
	for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
		take_off(f, 17, i);
		miglab_precopy_spoil(&f->from.track, bytes[i], U64_MAX);
		read_some(f, U64_MAX, false);
		miglab_precopy_mark(&f->from.track, bytes[i] / MIGLAB_PAGE);
		stop(f);
		read_some(f, U64_MAX, true);
		assert_int_equal(miglab_content_loaded(&f->to, &f->decoder), 0);
		assert_int_not_equal(f->to.fingerprint, f->from.content.fingerprint);
		for (u64 at = 0; at < 17 * MIGLAB_PAGE; at++)
			assert_int_equal(f->to.bytes[at] ^ f->from.bytes[at],
					 at == bytes[i] ? 0xff : 0);
		land(f);
	}
	/* Beyond the state there is nothing to spoil. */
	take_off(f, 17, 1);
	miglab_precopy_spoil(&f->from.track, 17 * MIGLAB_PAGE, U64_MAX);
	stop(f);
	read_some(f, U64_MAX, true);
	assert_int_equal(miglab_content_loaded(&f->to, &f->decoder), 0);
	assert_memory_equal(f->to.bytes, f->from.bytes, 17 * MIGLAB_PAGE);
	land(f);
	free(f);
}

static void test_truncate(void **unused)
{
	const u64 whole = miglab_content_stream_bytes(MIGLAB_PAGE);
	struct flight *f = malloc(sizeof(*f));

	(void)unused;
	assert_non_null(f);
	for (u64 end = 0; end <= whole + 1; end++) {
		take_off(f, 1, end);
		miglab_precopy_spoil(&f->from.track, U64_MAX, end);
		stop(f);
		assert_int_equal(read_some(f, U64_MAX, true), end < whole ? end : whole);
		assert_int_equal(miglab_content_loaded(&f->to, &f->decoder),
				 end < whole ? -EINVAL : 0);
		land(f);
	}
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_active_states),
		cmocka_unit_test(test_noise_is_reproducible),
		cmocka_unit_test(test_idle_devices_change_nothing),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_long_run_rate_is_exact),
		cmocka_unit_test(test_next_ns_is_when_the_next_page_changes),
		cmocka_unit_test(test_marks_are_the_changes),
		cmocka_unit_test(test_a_long_absence_changes_each_page_once),
		cmocka_unit_test(test_every_page_gets_its_turn),
		cmocka_unit_test(test_stage_order),
		cmocka_unit_test(test_what_was_not_fetched_is_still_to_send),
		cmocka_unit_test(test_any_interleaving_arrives),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_truncate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
