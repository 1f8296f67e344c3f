// SPDX-License-Identifier: GPL-2.0-only
#include "unit.h"

#include "core/precopy.h"
#include "core/prng.h"
#include "core/stream.h"

#define PAGES_LIMIT	400u

/* A session without bytes: its records' sizes, and a second opinion on what is dirty. */
struct session {
	struct miglab_precopy p;
	u64 bitmap[(PAGES_LIMIT + 63) / 64];
	bool dirty[PAGES_LIMIT];	/* changed since it was last claimed */
	bool sent[PAGES_LIMIT];
	bool in_initial;		/* the record that is staged */
};

static void start(struct session *s, u64 pages)
{
	memset(s, 0, sizeof(*s));
	/* Whatever was in the memory before. */
	memset(s->bitmap, 0xff, sizeof(s->bitmap));
	assert_true(miglab_precopy_bytes_needed(pages * MIGLAB_PAGE) <= sizeof(s->bitmap));
	miglab_precopy_start(&s->p, pages * MIGLAB_PAGE, s->bitmap);
}

/* A copy that can be played to its end without the original noticing. */
static struct session *clone(const struct session *s)
{
	static struct session copy;

	copy = *s;
	copy.p.dirty = copy.bitmap;
	return &copy;
}

static void mark(struct session *s, u64 page)
{
	miglab_precopy_mark(&s->p, page);
	s->dirty[page] = s->sent[page];
}

/* The pages of a claim were new or dirty, each of them, and are clean now. */
static void check_claim(struct session *s, u64 offset, u32 len, bool initial)
{
	assert_int_equal(offset % MIGLAB_PAGE, 0);
	assert_int_equal(len % MIGLAB_PAGE, 0);
	assert_true(len > 0 && len <= MIGLAB_PAGES_MAX);
	for (u64 page = offset / MIGLAB_PAGE; page < (offset + len) / MIGLAB_PAGE; page++) {
		assert_true(page < s->p.pages);
		assert_true(initial ? !s->sent[page] : s->dirty[page]);
		s->sent[page] = true;
		s->dirty[page] = false;
	}
}

/* Stages the next record as the device models do; false: nothing to send. */
static bool stage(struct session *s, bool final)
{
	bool initial = s->p.cursor < s->p.pages;
	u64 offset;
	u32 len;

	if (!s->p.left)
		return false;
	s->in_initial = initial;
	if (!s->p.header) {
		s->p.header = true;
		miglab_precopy_staged(&s->p, MIGLAB_HEADER_BYTES, true);
	} else if (miglab_precopy_next(&s->p, &offset, &len)) {
		check_claim(s, offset, len, initial);
		miglab_precopy_staged(&s->p, MIGLAB_PAGES_BYTES + len, initial);
	} else if (final && !s->p.end) {
		s->p.end = true;
		miglab_precopy_staged(&s->p, MIGLAB_END_BYTES, false);
	} else {
		return false;
	}
	return true;
}

/* Up to @n bytes of one record. */
static u64 read_once(struct session *s, u64 n, bool final)
{
	if (!s->p.unread && !stage(s, final))
		return 0;
	n = n < s->p.unread ? n : s->p.unread;
	miglab_precopy_read(&s->p, n);
	return n;
}

static u64 drain(struct session *s, bool final)
{
	u64 n, total = 0;

	while ((n = read_once(s, U64_MAX, final)))
		total += n;
	return total;
}

static u64 initial_of(const struct session *s)
{
	u64 initial, dirty;

	miglab_precopy_info(&s->p, &initial, &dirty);
	return initial;
}

static u64 dirty_of(const struct session *s)
{
	u64 initial, dirty;

	miglab_precopy_info(&s->p, &initial, &dirty);
	return dirty;
}

static const u64 sizes[] = { 1, 2, 15, 16, 17, 32, 63, 64, 65, 128, 130, PAGES_LIMIT };

static void test_bytes_needed(void **unused)
{
	(void)unused;
	assert_int_equal(miglab_precopy_bytes_needed(MIGLAB_PAGE), 8);
	assert_int_equal(miglab_precopy_bytes_needed(64 * MIGLAB_PAGE), 8);
	assert_int_equal(miglab_precopy_bytes_needed(65 * MIGLAB_PAGE), 16);
	assert_int_equal(miglab_precopy_bytes_needed(1 << 30), 32768);
}

/* uapi: initial_bytes is all that there is at first, and dirty_bytes is 0. */
static void test_first_figures(void **unused)
{
	static const struct {
		u64 pages, initial;
	} rows[] = {
		{ 1, 48 + 24 + 4096 },
		{ 16, 48 + 24 + 65536 },
		{ 17, 48 + 2 * 24 + 17 * 4096 },
		{ 256, 48 + 16 * 24 + (1 << 20) },
	};
	struct session s;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		start(&s, rows[i].pages);
		assert_int_equal(initial_of(&s), rows[i].initial);
		assert_int_equal(dirty_of(&s), 0);
		assert_int_equal(miglab_precopy_remaining(&s.p),
				 rows[i].initial + MIGLAB_END_BYTES);
	}
}

/* uapi: initial_bytes falls by what is read, to 0, and is then empty for now. */
static void test_initial_pass(void **unused)
{
	struct session s;
	u64 seed = 1;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 promised, n;

		start(&s, sizes[i]);
		promised = initial_of(&s);
		while ((n = read_once(&s, 1 + miglab_prng(&seed) % 30000, false))) {
			assert_int_equal(initial_of(&s), promised - n);
			assert_int_equal(dirty_of(&s), 0);
			promised -= n;
		}
		assert_int_equal(promised, 0);
		for (u64 page = 0; page < sizes[i]; page++)
			assert_true(s.sent[page]);
		assert_int_equal(miglab_precopy_remaining(&s.p), MIGLAB_END_BYTES);
		assert_int_equal(drain(&s, true), MIGLAB_END_BYTES);
		assert_int_equal(miglab_precopy_remaining(&s.p), 0);
	}
}

static void test_mark(void **unused)
{
	struct session s;

	(void)unused;
	start(&s, 40);
	/* Ahead of the walk a change costs nothing. */
	mark(&s, 0);
	mark(&s, 39);
	assert_int_equal(dirty_of(&s), 0);
	read_once(&s, U64_MAX, false);
	read_once(&s, U64_MAX, false);
	mark(&s, 16);
	assert_int_equal(dirty_of(&s), 0);
	/* Behind it a page is dirty, once however often it changes. */
	mark(&s, 15);
	mark(&s, 15);
	mark(&s, 3);
	assert_int_equal(dirty_of(&s), 2 * MIGLAB_PAGE);
	/* A number that is no page is none. */
	miglab_precopy_mark(&s.p, 40);
	miglab_precopy_mark(&s.p, U64_MAX);
	assert_int_equal(dirty_of(&s), 2 * MIGLAB_PAGE);
}

/* What changed after it was staged goes out again, though the old bytes are unread. */
static void test_dirty_behind_an_unread_record(void **unused)
{
	struct session s;
	u64 initial;

	(void)unused;
	start(&s, 16);
	read_once(&s, U64_MAX, false);
	assert_int_equal(read_once(&s, 1, false), 1);	/* stages all 16 pages */
	initial = initial_of(&s);
	assert_int_equal(initial, MIGLAB_RECORD_MAX - 1);
	mark(&s, 7);
	assert_int_equal(initial_of(&s), initial);
	assert_int_equal(dirty_of(&s), MIGLAB_PAGE);
	assert_int_equal(miglab_precopy_remaining(&s.p),
			 initial + MIGLAB_PAGE + MIGLAB_PAGES_BYTES + MIGLAB_END_BYTES);

	read_once(&s, U64_MAX, false);
	assert_int_equal(initial_of(&s), 0);
	assert_int_equal(read_once(&s, 1, false), 1);	/* stages page 7 again */
	assert_int_equal(dirty_of(&s), MIGLAB_PAGE + MIGLAB_PAGES_BYTES - 1);
	mark(&s, 7);
	assert_int_equal(dirty_of(&s), 2 * MIGLAB_PAGE + MIGLAB_PAGES_BYTES - 1);
	drain(&s, false);
	assert_int_equal(dirty_of(&s), 0);
}

static void test_runs(void **unused)
{
	static const struct {
		u64 first, pages, claims;
	} rows[] = {
		{ 0, 1, 1 }, { 0, 16, 1 }, { 0, 17, 2 }, { 5, 16, 1 }, { 60, 8, 1 },
		{ 63, 2, 1 }, { 64, 33, 3 }, { 129, 1, 1 }, { 0, 130, 9 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct session s;
		u64 records;

		start(&s, 130);
		drain(&s, false);
		records = s.p.records;
		for (u64 page = 0; page < rows[i].pages; page++)
			mark(&s, rows[i].first + page);
		assert_int_equal(drain(&s, false), rows[i].pages * MIGLAB_PAGE +
				 rows[i].claims * MIGLAB_PAGES_BYTES);
		assert_int_equal(s.p.records - records, rows[i].claims);
	}
}

/* A page that is dirty again and again does not keep another from its turn. */
static void test_fair(void **unused)
{
	struct session s;
	u64 offset;
	u32 len;

	(void)unused;
	start(&s, 130);
	drain(&s, false);
	mark(&s, 0);
	mark(&s, 100);
	assert_true(miglab_precopy_next(&s.p, &offset, &len));
	assert_int_equal(offset, 0);
	mark(&s, 0);
	assert_true(miglab_precopy_next(&s.p, &offset, &len));
	assert_int_equal(offset, 100 * MIGLAB_PAGE);
	assert_true(miglab_precopy_next(&s.p, &offset, &len));
	assert_int_equal(offset, 0);
	assert_false(miglab_precopy_next(&s.p, &offset, &len));
}

/* uapi: with REINIT initial_bytes may jump up, and dirty_bytes is 0 again. */
static void reinit(struct session *s)
{
	u64 unread = s->p.unread, header = s->p.header ? 0 : MIGLAB_HEADER_BYTES;
	u64 records = (s->p.pages + 15) / 16;

	miglab_precopy_reinit(&s->p);
	memset(s->sent, 0, sizeof(s->sent));
	memset(s->dirty, 0, sizeof(s->dirty));
	assert_int_equal(dirty_of(s), 0);
	assert_int_equal(initial_of(s), unread + header + s->p.pages * MIGLAB_PAGE +
			 records * MIGLAB_PAGES_BYTES);
}

static void test_reinit(void **unused)
{
	struct session s;

	(void)unused;
	start(&s, 40);
	drain(&s, false);
	mark(&s, 7);
	mark(&s, 9);
	assert_int_equal(read_once(&s, 1, false), 1);	/* stages page 7 */
	reinit(&s);
	assert_int_equal(drain(&s, false), MIGLAB_PAGES_BYTES + MIGLAB_PAGE - 1 +
			 40 * MIGLAB_PAGE + 3 * MIGLAB_PAGES_BYTES);
	assert_int_equal(initial_of(&s) + dirty_of(&s), 0);
	/* The header was sent, and is not sent again. */
	assert_int_equal(drain(&s, true), MIGLAB_END_BYTES);
}

/* The stream ends where it is told to, and no figure promises more. */
static void test_truncate(void **unused)
{
	const u64 whole = MIGLAB_HEADER_BYTES + 17 * MIGLAB_PAGE + 2 * MIGLAB_PAGES_BYTES;
	static const u64 ends[] = { 0, 1, 47, 48, 49, 72, 65000, 69728, 100000 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		const bool early = ends[i] <= whole;
		u64 end = early ? ends[i] : whole;
		struct session s;

		start(&s, 17);
		miglab_precopy_spoil(&s.p, U64_MAX, ends[i]);
		assert_int_equal(initial_of(&s), end);
		assert_int_equal(drain(&s, false), end);
		assert_int_equal(initial_of(&s), 0);
		mark(&s, 0);
		assert_int_equal(dirty_of(&s), early ? 0 : MIGLAB_PAGE);
		if (early) {
			assert_int_equal(miglab_precopy_remaining(&s.p), 0);
			assert_int_equal(drain(&s, true), 0);
		}
	}
}

/* The figures against what a reader would then really get. */
static void check_promises(const struct session *s)
{
	u64 initial = initial_of(s), dirty = dirty_of(s);
	u64 total, remaining = miglab_precopy_remaining(&s->p);
	bool quiet = !s->p.dirty_pages;

	total = drain(clone(s), false);
	assert_true(total >= initial + dirty);
	assert_int_equal(total == 0, initial + dirty == 0);
	if (quiet)
		assert_int_equal(total, initial + dirty);

	total = drain(clone(s), true);
	assert_true(total <= remaining);
	if (quiet)
		assert_int_equal(total, remaining);
}

static void check_everything_was_sent(const struct session *s)
{
	for (u64 page = 0; page < s->p.pages; page++) {
		assert_true(s->sent[page]);
		assert_false(s->dirty[page]);
	}
	assert_int_equal(s->p.dirty_pages, 0);
}

static void play(u64 pages, u64 seed)
{
	static struct session s;

	start(&s, pages);
	for (u32 step = 0; step < 60; step++) {
		u64 initial = initial_of(&s), n;

		if (miglab_prng(&seed) % 2) {
			for (u64 i = miglab_prng(&seed) % 8; i; i--)
				mark(&s, miglab_prng(&seed) % pages);
			assert_int_equal(initial_of(&s), initial);
		} else if (!(miglab_prng(&seed) % 16)) {
			reinit(&s);
		} else {
			n = read_once(&s, 1 + miglab_prng(&seed) % MIGLAB_RECORD_MAX, false);
			/* It comes first, so all that is read is taken from it. */
			assert_int_equal(initial_of(&s), initial ? initial - n : 0);
		}
		check_promises(&s);
	}
	drain(&s, true);
	check_everything_was_sent(&s);
}

static void test_any_interleaving_keeps_the_promises(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		for (u64 seed = 0; seed < 40; seed++)
			play(sizes[i], seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_needed),
		cmocka_unit_test(test_first_figures),
		cmocka_unit_test(test_initial_pass),
		cmocka_unit_test(test_mark),
		cmocka_unit_test(test_dirty_behind_an_unread_record),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_fair),
		cmocka_unit_test(test_reinit),
		cmocka_unit_test(test_truncate),
		cmocka_unit_test(test_any_interleaving_keeps_the_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
