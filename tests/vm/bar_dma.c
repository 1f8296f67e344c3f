// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an edu device writes by DMA: the container of its user knows which pages, and so
 * does another function whose memory it is. Function number 2 is an edu.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bar.h"
#include "core/fsm.h"
#include "edu.h"

#define EDU		2
#define RAM_PAGES	(RAM_BYTES / PAGE)
#define ALL_PAGES	((1u << RAM_PAGES) - 1)
#define PEER_IOVA	0x4000000u	/* below what an edu reaches, 256 MiB */
#define WRITE_BYTES	100u

static struct edu edu;

static int open_edu_row(void **state)
{
	(void)state;
	configure(EDU, "model", "edu");
	open_edu(&edu, EDU);
	return 0;
}

static int open_three(void **state)
{
	open_both(state);
	return open_edu_row(state);
}

static int close_edu(void **state)
{
	close(edu.event);
	close_functions(state);
	configure(EDU, "model", "synthetic");
	return 0;
}

static int close_three(void **state)
{
	close_both(state);
	return close_edu(state);
}

static void write_page(uint64_t page)
{
	transfer(&edu, RAM_IOVA + page * PAGE + 7, 0, WRITE_BYTES, MIGLAB_EDU_TO_RAM);
}

/* --- the container's bitmap --- */

static void dirty_pages(uint32_t flag, void *payload, size_t size)
{
	union {
		struct vfio_iommu_type1_dirty_bitmap head;
		char bytes[sizeof(struct vfio_iommu_type1_dirty_bitmap) +
			   sizeof(struct vfio_iommu_type1_dirty_bitmap_get)];
	} arg = { .head = { .argsz = sizeof(arg.head) + (uint32_t)size, .flags = flag } };

	if (size)
		memcpy(arg.head.data, payload, size);
	assert_int_equal(ioctl(edu.container, VFIO_IOMMU_DIRTY_PAGES, &arg), 0);
}

/* Since the last time. A device that is P2P quiesced has reported all that it wrote. */
static uint64_t dirty_now(void)
{
	uint64_t bits = 0;
	struct vfio_iommu_type1_dirty_bitmap_get range = {
		.iova = RAM_IOVA,
		.size = RAM_BYTES,
		.bitmap = { .pgsize = PAGE, .size = sizeof(bits), .data = (void *)&bits },
	};

	go(edu.dev, MIGLAB_RUNNING_P2P);
	dirty_pages(VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP, &range, sizeof(range));
	go(edu.dev, MIGLAB_RUNNING);
	return bits;
}

static uint64_t bit(unsigned int page)
{
	return 1ull << page;
}

static void track(void)
{
	dirty_pages(VFIO_IOMMU_DIRTY_PAGES_FLAG_START, NULL, 0);
	/* Nobody has said yet that all DMA is reported. */
	assert_int_equal(dirty_now(), ALL_PAGES);
	write_page(0);
	dirty_now();
	assert_int_equal(dirty_now(), 0);
}

static void the_container_knows_the_written_pages(void **state)
{
	static const unsigned int some[] = { 9, 12, 15, 9 };
	size_t i;

	(void)state;
	track();
	write_page(5);
	assert_int_equal(dirty_now(), bit(5));
	for (i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		write_page(some[i]);
	assert_int_equal(dirty_now(), bit(9) | bit(12) | bit(15));
	assert_int_equal(dirty_now(), 0);
	/* Over the end of a page; all of one; to the device, which writes nothing. */
	transfer(&edu, RAM_IOVA + 10 * PAGE - 1, 0, 2, MIGLAB_EDU_TO_RAM);
	transfer(&edu, RAM_IOVA + 13 * PAGE, 0, PAGE, MIGLAB_EDU_TO_RAM);
	transfer(&edu, RAM_IOVA + 14 * PAGE, 0, PAGE, 0);
	assert_int_equal(dirty_now(), bit(9) | bit(10) | bit(13));
	dirty_pages(VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP, NULL, 0);
}

static uint64_t pages_with_zeros(void)
{
	uint64_t bits = 0;
	unsigned int page;

	for (page = 0; page < RAM_PAGES; page++)
		if (!ram[page * PAGE])
			bits |= bit(page);
	return bits;
}

/*
 * Whose user gives the next command as soon as it is taken, and never asks for the end of one. The
 * function itself writes, since its buffer has the bytes: see the next row.
 */
static void each_write_of_many_is_reported(void **state)
{
	unsigned int page = 0;
	uint64_t bits;

	(void)state;
	memset(ram, 0, RAM_BYTES);
	transfer(&edu, RAM_IOVA, 0, WRITE_BYTES, 0);
	track();
	memset(ram, 0xff, RAM_BYTES);
	while (since_open(&edu, DMA_DONE) < 24)
		give(&edu, RAM_IOVA + page++ % RAM_PAGES * PAGE, 0, 8, MIGLAB_EDU_TO_RAM);
	bits = dirty_now();
	assert_int_equal(bits, pages_with_zeros());
	assert_true(bits & (bits - 1));
	dirty_pages(VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP, NULL, 0);
}

/*
 * The rule loses the record of one. The function itself writes it, since its buffer has all of it:
 * what the driver writes in its stead type1 knows from that.
 */
static void a_write_without_a_record_is_missing(void **state)
{
	(void)state;
	transfer(&edu, RAM_IOVA, 0, WRITE_BYTES, 0);
	track();
	set_attribute(edu.dev, "rules", "op=dma_record drop times=1");
	write_page(7);
	write_page(8);
	assert_int_equal(dirty_now(), bit(8));
	dirty_pages(VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP, NULL, 0);
}

/* A page that is written while its mapping goes away is nobody's, and nothing waits for ever. */
static void an_unmapped_page_is_no_matter(void **state)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap), .iova = RAM_IOVA, .size = RAM_BYTES,
	};

	(void)state;
	track();
	give(&edu, RAM_IOVA, 0, 8, MIGLAB_EDU_TO_RAM);
	assert_int_equal(ioctl(edu.container, VFIO_IOMMU_UNMAP_DMA, &unmap), 0);
	go(edu.dev, MIGLAB_RUNNING_P2P);
	go(edu.dev, MIGLAB_RUNNING);
	map_for_edu(&edu, ram, RAM_IOVA, RAM_BYTES);
	write_page(3);
	assert_true(dirty_now() & bit(3));
	assert_int_equal(dirty_now(), 0);
}

/* --- peer to peer --- */

/* Its memory is as the device's buffer by now, and that is 8 bytes of noise. */
static void write_peer(uint64_t page)
{
	transfer(&edu, PEER_IOVA + page * PAGE, 0, 8, MIGLAB_EDU_TO_RAM);
	go(edu.dev, MIGLAB_RUNNING_P2P);
	go(edu.dev, MIGLAB_RUNNING);
}

static void begin_with_peer(void)
{
	fill(&src, 20);
	memcpy(ram, "not zero", 8);
	transfer(&edu, RAM_IOVA, 0, 8, 0);
	map_for_edu(&edu, src.map, PEER_IOVA, src.info.size);
	begin();
}

static void what_a_peer_writes_is_sent_again(void **state)
{
	(void)state;
	begin_with_peer();
	write_peer(11);
	assert_int_equal(src.dev->ops->wait(src.dev, PATIENCE_MS), 1);
	assert_memory_equal(src.map + 11 * PAGE, "not zero", 8);
	assert_int_equal(dirty_bytes(), PAGE);
	pump(NULL);
	write_peer(13);
	end();
	assert_moved();
}

/* Two marks: type1 faults the page in to find out what it is, and then the device tells. */
static void what_a_peer_writes_unmarked_is_missing(void **state)
{
	(void)state;
	begin_with_peer();
	set_attribute(src.dev, "rules", "op=dirty drop times=2");
	write_peer(11);
	assert_int_equal(dirty_bytes(), 0);
	end_refused();
}

/* type1 takes a page as it finds it mapped: one that was read must be writable too. */
static void a_page_that_was_read_can_be_mapped_for_dma(void **state)
{
	volatile unsigned char *map = src.map;

	(void)state;
	begin();
	(void)map[11 * PAGE];
	assert_int_equal(dirty_bytes(), PAGE);
	map_for_edu(&edu, src.map, PEER_IOVA, 16 * PAGE);
	memcpy(ram, "not zero", 8);
	transfer(&edu, RAM_IOVA, 0, 8, 0);
	write_peer(11);
	end();
	assert_memory_equal(src.map + 11 * PAGE, "not zero", 8);
	assert_moved();
}

int bar_dma_rows(void)
{
	const struct CMUnitTest rows[] = {
		cmocka_unit_test_setup_teardown(the_container_knows_the_written_pages,
						open_edu_row, close_edu),
		cmocka_unit_test_setup_teardown(each_write_of_many_is_reported, open_edu_row,
						close_edu),
		cmocka_unit_test_setup_teardown(a_write_without_a_record_is_missing,
						open_edu_row, close_edu),
		cmocka_unit_test_setup_teardown(an_unmapped_page_is_no_matter, open_edu_row,
						close_edu),
		cmocka_unit_test_setup_teardown(what_a_peer_writes_is_sent_again, open_three,
						close_three),
		cmocka_unit_test_setup_teardown(what_a_peer_writes_unmarked_is_missing, open_three,
						close_three),
		cmocka_unit_test_setup_teardown(a_page_that_was_read_can_be_mapped_for_dma,
						open_three, close_three),
	};

	return cmocka_run_group_tests_name("bar dma", rows, setup_ram, teardown_ram);
}
