// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA logging: VFIO_DEVICE_FEATURE_DMA_LOGGING_*.
 */
#include <errno.h>
#include <string.h>

#include "conform/case.h"
#include "conform/dirty.h"
#include "device/state.h"

#define PAGE	4096ull
#define IOVA	0x100000ull
#define LENGTH	(64 * PAGE)
#define RANGES_MAX	256	/* that VFIO takes at once where a page has 4096 bytes */

typedef struct vfio_device_feature_dma_logging_range range_t;

static int control(struct conform *c, struct vfio_device_feature_dma_logging_control *arg)
{
	return dut_feature(c, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START, arg,
			   sizeof(*arg));
}

int dirty_start_raw(struct conform *c, const range_t *ranges, uint32_t num, uint64_t *page_size)
{
	struct vfio_device_feature_dma_logging_control arg = {
		.page_size = *page_size, .num_ranges = num, .ranges = (uintptr_t)ranges,
	};
	int ret = control(c, &arg);

	*page_size = arg.page_size;
	return ret;
}

void dirty_start(struct conform *c, uint64_t iova, uint64_t length)
{
	const range_t range = { iova, length };
	uint64_t page_size = PAGE;

	require_result(c, dirty_start_raw(c, &range, 1, &page_size), 0, "DMA_LOGGING_START");
}

int dirty_stop(struct conform *c)
{
	char none = 0;

	return dut_feature(c, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, &none,
			   0);
}

int dirty_report(struct conform *c, uint64_t iova, uint64_t length, uint64_t page_size,
		 uint64_t *bitmap)
{
	struct vfio_device_feature_dma_logging_report arg = {
		.iova = iova, .length = length, .page_size = page_size,
		.bitmap = (uintptr_t)bitmap,
	};
	int ret = dut_feature(c, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
			      &arg, sizeof(arg));

	if (ret == -EOPNOTSUPP)
		conform_skip(c, "this kernel cannot report, whatever the driver does (no IOMMUFD)");
	return ret;
}

static int bits(const uint64_t *bitmap, size_t words)
{
	int count = 0;

	for (size_t i = 0; i < words; i++)
		count += __builtin_popcountll(bitmap[i]);
	return count;
}

int dirty_count(struct conform *c, uint64_t iova, uint64_t length)
{
	uint64_t bitmap[64] = { 0 };

	require_result(c, dirty_report(c, iova, length, PAGE, bitmap), 0, "DMA_LOGGING_REPORT");
	return bits(bitmap, 64);
}

static void start_refused(struct conform *c, const range_t *ranges, uint32_t num, int want,
			  const char *what)
{
	uint64_t page_size = PAGE;

	require_result(c, dirty_start_raw(c, ranges, num, &page_size), want, "START with %s", what);
}

static void core_checks(struct conform *c)
{
	static range_t many[RANGES_MAX + 1];
	const range_t misaligned = { IOVA + 1, LENGTH }, odd = { IOVA, LENGTH + 1 };
	const range_t overlapping[] = { { IOVA, LENGTH }, { IOVA + PAGE, LENGTH } };
	const range_t too_far = { UINT64_MAX - PAGE + 1, 2 * PAGE };

	for (size_t i = 0; i <= RANGES_MAX; i++)
		many[i] = (range_t){ i * 2 * PAGE, PAGE };
	start_refused(c, many, 0, -EINVAL, "no ranges");
	start_refused(c, many, RANGES_MAX + 1, -E2BIG, "too many ranges");
	start_refused(c, &misaligned, 1, -EINVAL, "a range that begins within a page");
	start_refused(c, &odd, 1, -EINVAL, "a range that ends within a page");
	start_refused(c, overlapping, 2, -EINVAL, "ranges that overlap");
	start_refused(c, &too_far, 1, -EOVERFLOW, "a range beyond the last address");
	start_refused(c, (void *)8, 1, -EFAULT, "ranges that cannot be reached");
}

static void starts_once(struct conform *c)
{
	const range_t range = { IOVA, LENGTH };
	uint64_t page_size = PAGE;

	dirty_start(c, IOVA, LENGTH);
	require(c, dirty_start_raw(c, &range, 1, &page_size) < 0,
		"START of a log that is on succeeds");
}

static void says_page_size(struct conform *c)
{
	const range_t range = { 0, 1ull << 22 };
	uint64_t page_size = 1ull << 21;

	require_result(c, dirty_start_raw(c, &range, 1, &page_size), 0,
		       "START with pages of 2 MiB");
	require(c, page_size >= PAGE && !(page_size & (page_size - 1)),
		"START says page_size %llu", (unsigned long long)page_size);
}

static void senseless(struct conform *c)
{
	static const struct { uint64_t page_size; range_t range; const char *what; } starts[] = {
		{ 0, { 0, 0 }, "page_size 0 and an empty range" },
		{ 0, { IOVA, LENGTH }, "page_size 0" },
		{ 3 * PAGE, { 0, 12 * PAGE }, "page_size 12288" },
		{ PAGE, { IOVA, 0 }, "an empty range" },
	};

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		uint64_t page_size = starts[i].page_size;

		require(c, dirty_start_raw(c, &starts[i].range, 1, &page_size) < 0,
			"START with %s succeeds", starts[i].what);
	}
}

static void not_started(struct conform *c)
{
	uint64_t bitmap[1] = { 0 };

	require(c, dirty_report(c, IOVA, LENGTH, PAGE, bitmap) < 0,
		"REPORT of a log that is off succeeds");
	dirty_stop(c);
	dirty_start(c, IOVA, LENGTH);
}

static void report_checks(struct conform *c)
{
	uint64_t bitmap[64] = { 0 };

	dirty_start(c, IOVA, LENGTH);
	require_result(c, dirty_report(c, IOVA, LENGTH, 2048, bitmap), -EINVAL,
		       "REPORT in pages of 2048 bytes");
	require_result(c, dirty_report(c, IOVA, LENGTH, 3 * PAGE, bitmap), -EINVAL,
		       "REPORT in pages of 12288 bytes");
	require_result(c, dirty_report(c, UINT64_MAX - PAGE + 1, 2 * PAGE, PAGE, bitmap),
		       -EOVERFLOW, "REPORT beyond the last address");
}

static void outside(struct conform *c)
{
	uint64_t bitmap[64] = { 0 };

	dirty_start(c, IOVA, LENGTH);
	require(c, dirty_report(c, IOVA + 4 * LENGTH, LENGTH, PAGE, bitmap) < 0,
		"REPORT of a range that is not logged succeeds");
}

static void only_sets(struct conform *c)
{
	uint64_t bitmap[3] = { 0x5555, 0xaaaa, 0x1234 };

	dirty_start(c, IOVA, LENGTH);
	require_result(c, dirty_report(c, IOVA, LENGTH, PAGE, bitmap), 0, "REPORT");
	require(c, (bitmap[0] & 0x5555) == 0x5555, "REPORT clears bits");
	require(c, bitmap[1] == 0xaaaa && bitmap[2] == 0x1234,
		"REPORT writes beyond the bits of its range");
	dirty_count(c, IOVA, LENGTH);
	require_result(c, dirty_count(c, IOVA, LENGTH), 0,
		       "pages in a second report of a device that rests");
}

static void write_page(struct conform *c, uint64_t page)
{
	dut_dma(c, IOVA + page * PAGE, 100);
	dut_dma_wait(c);
}

static void reports_all(struct conform *c)
{
	uint64_t bitmap[1] = { 0 };

	dut_memory(c, IOVA, LENGTH);
	dirty_start(c, IOVA, LENGTH);
	write_page(c, 3);
	write_page(c, 7);
	write_page(c, 63);
	require_result(c, dirty_report(c, IOVA, LENGTH, PAGE, bitmap), 0, "REPORT");
	require(c, bitmap[0] == (1ull << 3 | 1ull << 7 | 1ull << 63),
		"pages 3, 7, 63 were written and the report is 0x%llx",
		(unsigned long long)bitmap[0]);
	write_page(c, 5);
	require_result(c, dirty_count(c, IOVA, LENGTH), 1, "pages in the next report");
}

static void other_page_sizes(struct conform *c)
{
	uint64_t bitmap[1] = { 0 };

	dut_memory(c, IOVA, LENGTH);
	dirty_start(c, IOVA, LENGTH);
	write_page(c, 6);
	write_page(c, 7);
	require_result(c, dirty_report(c, IOVA, LENGTH, 4 * PAGE, bitmap), 0,
		       "REPORT in pages of 16 KiB");
	require(c, bitmap[0] == 2, "pages 6, 7 of 4 KiB are 0x%llx in pages of 16 KiB",
		(unsigned long long)bitmap[0]);
}

static void any_state(struct conform *c)
{
	dirty_start(c, IOVA, LENGTH);
	for (uint32_t state = 1; state <= VFIO_DEVICE_STATE_PRE_COPY_P2P; state++) {
		if (!dut_offers(c, state) || state == VFIO_DEVICE_STATE_RESUMING)
			continue;
		dut_go(c, state);
		dirty_count(c, IOVA, LENGTH);
		dut_go(c, VFIO_DEVICE_STATE_RUNNING);
	}
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	require_result(c, dirty_stop(c), 0, "STOP of the log in STOP");
	dirty_start(c, IOVA, LENGTH);
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
	require_result(c, dirty_stop(c), 0, "STOP of the log in RUNNING");
}

static void ends_with_close(struct conform *c)
{
	dirty_start(c, IOVA, LENGTH);
	dut_close(c);
	dut_open(c);
	dirty_start(c, IOVA, LENGTH);
}

#define START	"uapi/linux/vfio.h, VFIO_DEVICE_FEATURE_DMA_LOGGING_START"
#define STOP	"uapi/linux/vfio.h, VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP"
#define REPORT	"uapi/linux/vfio.h, VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT"

const struct conform_case logging_cases[] = {
	{ 92, "core-checks", CLASS_CORE, NEEDS_LOG, 0, START,
	  "Ranges that are none, too many, misaligned, overlapping, too far or unreachable are refused.",
	  core_checks },
	{ 93, "starts-once", CLASS_SPEC, NEEDS_LOG, 0, START,
	  "START of a log that is on is an error.", starts_once },
	{ 94, "says-page-size", CLASS_SPEC, NEEDS_LOG, 0, START,
	  "START answers with the page size that it chose.", says_page_size },
	{ 95, "senseless", CLASS_ROB, NEEDS_LOG | DESTRUCTIVE, 0, START,
	  "A page size of 0 or no power of two, and an empty range, are refused.", senseless },
	{ 96, "not-started", CLASS_SPEC, NEEDS_LOG, 0, REPORT,
	  "REPORT of a log that is off is an error, and STOP of it does no harm.", not_started },
	{ 97, "report-checks", CLASS_CORE, NEEDS_LOG, 0, REPORT,
	  "REPORT refuses page sizes that cannot be and a range beyond the last address.",
	  report_checks },
	{ 98, "outside", CLASS_SHOULD, NEEDS_LOG, 0, REPORT,
	  "REPORT of what is not logged is an error.", outside },
	{ 99, "only-sets", CLASS_SPEC, NEEDS_LOG, 0, REPORT,
	  "REPORT sets bits of its range, clears none, and empties the log.", only_sets },
	{ 100, "reports-all", CLASS_SPEC, NEEDS_LOG | NEEDS_DMA, 0, REPORT,
	  "Every write since the last report is reported.", reports_all },
	{ 101, "other-page-sizes", CLASS_SPEC, NEEDS_LOG | NEEDS_DMA, 0, REPORT,
	  "A report in other pages than the log's merges or repeats bits.", other_page_sizes },
	{ 102, "any-state", CLASS_SPEC, NEEDS_LOG, 0, STOP,
	  "The log has nothing to do with the migration state.", any_state },
	{ 103, "ends-with-close", CLASS_ROB, NEEDS_LOG, 0, STOP,
	  "The close of the device ends the log.", ends_with_close },
	{ }
};
