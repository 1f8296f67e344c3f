// SPDX-License-Identifier: GPL-2.0-only
/* What goes into a record: the bytes, brought up to date by a model that fetches them. */
#include <errno.h>
#include <string.h>

#include "unit.h"
#include "core/content.h"

#define PAGES	20u

static u8 bytes[PAGES * MIGLAB_PAGE], live[PAGES * MIGLAB_PAGE];
static struct miglab_outgoing out;
static u64 bitmap[1];
static struct miglab_precopy track;

static int fetch(void *opaque, u64 offset, u32 len)
{
	int *result = opaque;

	memcpy(bytes + offset, live + offset, len);
	return *result;
}

/* Reads the record that was staged; its first byte that is of a page, or 0. */
static u8 take_record(const struct miglab_content *c)
{
	u8 first = 0;

	while (out.taken < out.size) {
		const u8 *at;
		size_t n = miglab_content_next(c, &out, &at);

		if (!first && at >= bytes && at < bytes + sizeof(bytes))
			first = *at;
		out.taken += n;
		miglab_precopy_read(&track, n);
	}
	return first;
}

/* A session whose head has been read. */
static struct miglab_content begin(miglab_fetch_fn how, int *result)
{
	struct miglab_content c = {
		.id = { .model = MIGLAB_MODEL_BAR, .state_bytes = sizeof(bytes) },
		.bytes = bytes,
		.fetch = how,
		.opaque = result,
	};

	memset(bytes, 'b', sizeof(bytes));
	memset(live, 'l', sizeof(live));
	miglab_precopy_start(&track, sizeof(bytes), bitmap);
	assert_int_equal(miglab_content_stage(&c, &track, false, &out), 1);
	assert_int_equal(out.size, MIGLAB_HEADER_BYTES);
	assert_int_equal(take_record(&c), 0);
	return c;
}

static void test_bytes_are_sent(void **unused)
{
	struct miglab_content c = begin(NULL, NULL);

	(void)unused;
	assert_int_equal(miglab_content_stage(&c, &track, false, &out), 1);
	assert_int_equal(out.size, MIGLAB_PAGES_BYTES + MIGLAB_PAGES_MAX);
	assert_int_equal(take_record(&c), 'b');
}

static void test_fetched_bytes_are_sent(void **unused)
{
	int result = 0;
	struct miglab_content c = begin(fetch, &result);

	(void)unused;
	assert_int_equal(miglab_content_stage(&c, &track, false, &out), 1);
	assert_int_equal(out.size, MIGLAB_PAGES_BYTES + MIGLAB_PAGES_MAX);
	assert_int_equal(take_record(&c), 'l');
	/* No more than what is sent was fetched. */
	assert_int_equal(bytes[MIGLAB_PAGES_MAX - 1], 'l');
	assert_int_equal(bytes[MIGLAB_PAGES_MAX], 'b');
}

static void test_an_error_of_a_fetch_is_the_readers(void **unused)
{
	int result = -EIO;
	struct miglab_content c = begin(fetch, &result);

	(void)unused;
	assert_int_equal(miglab_content_stage(&c, &track, false, &out), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_are_sent),
		cmocka_unit_test(test_fetched_bytes_are_sent),
		cmocka_unit_test(test_an_error_of_a_fetch_is_the_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
