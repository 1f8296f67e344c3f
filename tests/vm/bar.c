// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model bar: what is in the memory moves, and in pre-copy only what was written since
 * it was last sent.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bar.h"
#include "core/fsm.h"
#include "core/prng.h"

static void the_contents_move(void **state)
{
	(void)state;
	fill(&src, 1);
	fill(&dst, 2);
	go(dst.dev, MIGLAB_RESUMING);
	end();
	assert_moved();
	go(dst.dev, MIGLAB_RUNNING);
	fill(&dst, 3);
	assert_int_not_equal(memcmp(src.map, dst.map, src.info.size), 0);
}

/* A byte that is sent wrong is a byte that is wrong there, and the fingerprint says so. */
static void a_wrong_byte_is_seen(void **state)
{
	(void)state;
	fill(&src, 4);
	set_attribute(src.dev, "rules", "op=save corrupt=12345");
	go(dst.dev, MIGLAB_RESUMING);
	end();
	assert_false(same_fingerprints());
	assert_int_equal(src.map[12345] ^ dst.map[12345], 0xff);
	dst.map[12345] ^= 0xff;
	assert_memory_equal(src.map, dst.map, src.info.size);
}

/* How a page is written. */
typedef void (*write_fn)(uint64_t page);

static void write_by_mmap(uint64_t page)
{
	src.map[page * PAGE + page % PAGE] += 1;
}

static void write_by_call(uint64_t page)
{
	uint64_t at = page * PAGE + page % (PAGE - 8);
	unsigned char bytes[8];

	assert_int_equal(pread(src.fd, bytes, sizeof(bytes), (off_t)(src.info.offset + at)), 8);
	bytes[3] += 1;
	assert_int_equal(pwrite(src.fd, bytes, sizeof(bytes), (off_t)(src.info.offset + at)), 8);
}

static void write_some(write_fn write_page, uint64_t first, uint64_t step, uint64_t count)
{
	uint64_t i;

	for (i = 0; i < count; i++)
		write_page(first + i * step);
}

/* No two of these pages are neighbours, so each is a record of its own. */
static void assert_resent(uint64_t count)
{
	assert_int_equal(dirty_bytes(), count * PAGE);
	assert_int_equal(pump(NULL), count * (PAGE + MIGLAB_PAGES_BYTES));
	assert_int_equal(dirty_bytes(), 0);
}

static void written_pages_are_dirty(write_fn write_page)
{
	fill(&src, 5);
	begin();
	write_some(write_page, 10, 2, 20);
	write_some(write_page, 10, 2, 20);
	assert_resent(20);
	write_some(write_page, 10, 2, 20);
	assert_resent(20);
	assert_resent(0);
	write_page(pages() - 1);
	write_page(0);
	assert_resent(2);
	write_some(write_page, 1, 3, 30);
	end();
	assert_moved();
}

static void pages_written_by_mmap_are_dirty(void **state)
{
	(void)state;
	written_pages_are_dirty(write_by_mmap);
}

static void pages_written_by_call_are_dirty(void **state)
{
	(void)state;
	written_pages_are_dirty(write_by_call);
}

/* A page is mapped as it may be used, so to read it through a mapping is to touch it: once. */
static void pages_read_by_mmap_are_dirty(void **state)
{
	volatile unsigned char *map = src.map;
	unsigned char byte;

	(void)state;
	fill(&src, 5);
	begin();
	(void)map[3 * PAGE];
	(void)map[5 * PAGE];
	(void)map[5 * PAGE + 1];
	assert_resent(2);
	assert_resent(0);
	/* It is mapped for writing by now, and nothing else is told of the write. */
	(void)map[3 * PAGE];
	map[3 * PAGE] += 1;
	/* A call maps nothing. */
	assert_int_equal(pread(src.fd, &byte, 1, (off_t)(src.info.offset + 7 * PAGE)), 1);
	assert_resent(1);
	end();
	assert_moved();
}

/* The rule loses the first mark; so the page is not sent again, and the end record tells. */
static void a_lost_mark_is_seen(write_fn write_page)
{
	fill(&src, 6);
	begin();
	set_attribute(src.dev, "rules", "op=dirty drop times=1");
	write_page(7);
	assert_resent(0);
	write_page(9);
	assert_resent(1);
	end_refused();
}

static void a_lost_mark_of_a_mapping_is_seen(void **state)
{
	(void)state;
	a_lost_mark_is_seen(write_by_mmap);
}

static void a_lost_mark_of_a_call_is_seen(void **state)
{
	(void)state;
	a_lost_mark_is_seen(write_by_call);
}

/* What a program does: one call for many pages, and one page through two mappings. */
static void a_call_marks_all_that_it_reaches(void **state)
{
	static unsigned char bytes[5 * PAGE];
	unsigned char *other;

	(void)state;
	begin();
	assert_int_equal(pwrite(src.fd, bytes, sizeof(bytes),
				(off_t)(src.info.offset + 3 * PAGE + 4095)), sizeof(bytes));
	assert_int_equal(dirty_bytes(), 6 * PAGE);
	pump(NULL);
	other = map_pages(&src, 5, 2);
	other[0] = 1;
	src.map[5 * PAGE + 1] = 2;
	other[PAGE] = src.map[6 * PAGE];
	assert_int_equal(dirty_bytes(), 2 * PAGE);
	pump(NULL);
	other[0] = 3;
	assert_int_equal(dirty_bytes(), PAGE);
	munmap(other, 2 * PAGE);
	/* At its end a call is cut; beyond it there is nothing. */
	assert_int_equal(pwrite(src.fd, bytes, 100,
				(off_t)(src.info.offset + src.info.size - 10)), 10);
	assert_int_equal(pwrite(src.fd, bytes, 1, (off_t)(src.info.offset + src.info.size)), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(dirty_bytes(), 2 * PAGE);
	end();
	assert_moved();
}

/* One page in a hundred, each far from the next: the pass has at most two in a hundred bytes. */
static void only_changes_are_sent_again(void **state)
{
	uint64_t count = pages() / 100, bytes;

	(void)state;
	fill(&src, 8);
	begin();
	write_some(write_by_mmap, 50, 100, count);
	bytes = pump(NULL);
	assert_in_range(bytes, count * PAGE, src.info.size / 50);
	print_message("# %llu of %llu bytes changed, %llu were sent again\n",
		      (unsigned long long)(count * PAGE), (unsigned long long)src.info.size,
		      (unsigned long long)bytes);
	end();
	assert_moved();
}

/* --- lost updates --- */

static _Atomic bool over;
static _Atomic uint64_t written;

/* Writes pages in no order, as fast as it can: through the mapping, now and then by a call. */
static void *write_main(void *opaque)
{
	uint64_t seed = (uintptr_t)opaque, at, value;

	while (!over) {
		value = miglab_prng(&seed);
		at = miglab_prng(&seed) % (src.info.size / 8) * 8;
		if (value % 16)
			*(volatile uint64_t *)(src.map + at) = value;
		else if (pwrite(src.fd, &value, 8, (off_t)(src.info.offset + at)) != 8)
			break;
		written++;
	}
	return NULL;
}

/* Moves pages while two threads write them, until all were sent and as many again twice. */
static void storm(void)
{
	pthread_t writers[2];
	uint64_t sent = 0;
	ssize_t n;
	size_t i;

	over = false;
	written = 0;
	go(dst.dev, MIGLAB_RESUMING);
	go(src.dev, MIGLAB_PRE_COPY);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_main,
						(void *)(uintptr_t)(i + 1)), 0);
	/* There may be no end of the data: they can be faster than what moves it. */
	while (sent < src.info.size * 3) {
		n = pump_once();
		sent += n > 0 ? (uint64_t)n : 0;
	}
	go(src.dev, MIGLAB_PRE_COPY_P2P);
	over = true;
	for (i = 0; i < 2; i++)
		pthread_join(writers[i], NULL);
	print_message("# %llu writes, %llu bytes sent\n", (unsigned long long)written,
		      (unsigned long long)sent);
}

static void no_write_is_lost(void **state)
{
	(void)state;
	fill(&src, 9);
	storm();
	end();
	assert_moved();
}

static void a_write_that_is_lost_is_seen(void **state)
{
	(void)state;
	fill(&src, 10);
	set_attribute(src.dev, "rules", "op=dirty drop every=2");
	storm();
	end_refused();
}

int bar_rows(void)
{
	const struct CMUnitTest rows[] = {
		bar_row(the_contents_move),
		bar_row(a_wrong_byte_is_seen),
		bar_row(pages_written_by_mmap_are_dirty),
		bar_row(pages_written_by_call_are_dirty),
		bar_row(pages_read_by_mmap_are_dirty),
		bar_row(a_lost_mark_of_a_mapping_is_seen),
		bar_row(a_lost_mark_of_a_call_is_seen),
		bar_row(a_call_marks_all_that_it_reaches),
		bar_row(only_changes_are_sent_again),
		bar_row(no_write_is_lost),
		bar_row(a_write_that_is_lost_is_seen),
	};

	return cmocka_run_group_tests_name("bar", rows, NULL, NULL);
}
