// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stream: what it restores, and what a driver must refuse. Streams are opaque:
 * that a damaged one is refused is demanded of miglab's own devices; of others, that
 * a truncated one is, and that no damage harms the host.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "conform/case.h"
#include "device/lab.h"
#include "device/state.h"

#define ENDLESS_BYTES	(1ull << 31)	/* more than any state */
#define PIECE		64	/* bytes of a small write() */
#define FLIPS		64		/* places of a stream that are damaged */

static bool same(struct bytes a, struct bytes b)
{
	return a.size == b.size && !memcmp(a.data, b.data, a.size);
}

static void round_trip(struct conform *c)
{
	static const size_t pieces[] = { 65536, 1000, 4097 };
	struct bytes stream = dut_save(c), again = dut_save(c);
	bool steady = same(stream, again);

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		dut_reset(c);
		require_result(c, dut_load(c, stream, pieces[i]), 0, "loading in pieces of %zu",
			       pieces[i]);
		if (steady)
			require(c, same(stream, dut_save(c)),
				"what was loaded is not what is saved then");
		dut_go(c, VFIO_DEVICE_STATE_RUNNING);
	}
}

static void repeatable(struct conform *c)
{
	struct bytes first = dut_save(c), second = dut_save(c);

	require_result(c, second.size, first.size, "bytes of the second stream");
	require(c, same(first, second), "two streams of a stopped device differ");
}

/* Loads what must be refused; false if it was not. RUNNING afterwards. */
static bool refused(struct conform *c, struct bytes stream)
{
	uint32_t state;
	int ret;

	ret = dut_load(c, stream, 4096);
	state = dut_state(c);
	if (!ret || state == VFIO_DEVICE_STATE_STOP)	/* whatever write() said */
		return false;
	require(c, state == VFIO_DEVICE_STATE_RESUMING || state == VFIO_DEVICE_STATE_ERROR,
		"a stream was refused and left %s", device_state_name(state));
	dut_reset(c);
	require_state(c, VFIO_DEVICE_STATE_RUNNING, "after a refused stream and a reset");
	return true;
}

/* Writes in small pieces whatever write() says. */
static void push(struct conform *c, int fd, const uint8_t *data, size_t size)
{
	for (size_t at = 0; at < size; at += PIECE)
		dut_write(c, fd, data + at, size - at < PIECE ? size - at : PIECE);
}

static void not_whole(struct conform *c)
{
	struct bytes stream = dut_save(c);
	const size_t cuts[] = { 0, 1, 8, 16, 24, 56, stream.size / 3, stream.size / 2,
				stream.size - 32, stream.size - 1 };
	int none;

	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
		if (cuts[i] < stream.size)
			require(c, refused(c, (struct bytes){ stream.data, cuts[i] }),
				"%zu bytes of a stream of %zu were accepted", cuts[i], stream.size);
	stream.data[0] ^= 0xff;
	push(c, dut_go(c, VFIO_DEVICE_STATE_RESUMING), stream.data, stream.size);
	require(c, dut_set(c, VFIO_DEVICE_STATE_STOP, &none) < 0,
		"a stream with a wrong first byte was accepted");
	dut_reset(c);
}

/*
 * The first bytes are wrong. A driver that has noticed must not be talked round,
 * neither with the rest nor with the right bytes; one that notices in the end, if at
 * all, is not_whole()'s.
 */
static void poisoned(struct conform *c)
{
	struct bytes stream = dut_save(c);
	uint8_t bad[PIECE];
	size_t size = stream.size < PIECE ? stream.size : PIECE;

	memcpy(bad, stream.data, size);
	bad[0] ^= 0xff;
	for (int right = 0; right < 2; right++) {
		size_t from = right ? 0 : size;
		int none, fd;

		dut_reset(c);
		fd = dut_go(c, VFIO_DEVICE_STATE_RESUMING);
		if (dut_write(c, fd, bad, size) >= 0)
			conform_skip(c, "write() does not notice a wrong first byte");
		push(c, fd, stream.data + from, stream.size - from);
		require(c, dut_set(c, VFIO_DEVICE_STATE_STOP, &none) < 0,
			"write() refused a wrong first byte, and took %s then",
			right ? "the right stream" : "the rest");
	}
	dut_reset(c);
}

/* Writes and reads the first registers of each BAR: what a bad state may trip over. */
static void touch_registers(struct conform *c)
{
	uint8_t byte = 0;
	size_t size;
	off_t at;

	for (unsigned int bar = 0; bar <= VFIO_PCI_BAR5_REGION_INDEX; bar++) {
		if (!dut_region(c, bar, &at, &size))
			continue;
		for (size_t i = 0; i < size && i < 8; i++) {
			c->dev->calls->pwrite(c->dev, DEVICE_SELF, &byte, 1, at + i);
			c->dev->calls->pread(c->dev, DEVICE_SELF, &byte, 1, at + i);
		}
	}
}

static void damaged(struct conform *c)
{
	struct bytes stream = dut_save(c);
	size_t step = stream.size / FLIPS + 1;

	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
	for (size_t at = 0; at < stream.size; at += at < FLIPS ? 1 : step) {
		const uint8_t right = stream.data[at];

		stream.data[at] = right ^ 200 ? 200 : 100;
		if (!refused(c, stream)) {
			require(c, !c->dev->lab, "a stream with byte %zu changed was accepted", at);
			dut_go(c, VFIO_DEVICE_STATE_RUNNING);
			touch_registers(c);
			dut_reset(c);
		}
		stream.data[at] = right;
	}
}

/* Writes @data again and again until it is refused. */
static void repeat(struct conform *c, struct bytes data, const char *what)
{
	int fd = dut_go(c, VFIO_DEVICE_STATE_RESUMING);
	unsigned long long taken = 0;

	while (taken < ENDLESS_BYTES && !dut_feed(c, fd, data, data.size))
		taken += data.size;
	require(c, taken < ENDLESS_BYTES, "%llu bytes of %s were taken, and no end", taken, what);
	dut_reset(c);
}

static void endless(struct conform *c)
{
	static uint8_t zeros[1 << 20];
	struct bytes stream = dut_save(c);

	repeat(c, (struct bytes){ zeros, sizeof(zeros) }, "zeros");
	repeat(c, stream, "its own stream over and over");
	stream.size = stream.size / 2 + 1;
	repeat(c, stream, "the first half of its stream over and over");
}

static void huge_length(struct conform *c)
{
	int fd = dut_go(c, VFIO_DEVICE_STATE_RESUMING);
	char byte = 0;

	require(c, dut_write(c, fd, &byte, SSIZE_MAX) < 0, "write() of SSIZE_MAX bytes succeeds");
	dut_reset(c);
}

/*
 * A reset may make a new state each time. Where it does not, it makes the same one as
 * without the loading; where it does, none that begins as what was loaded. A driver
 * has the @loaded first half in its hands, but for the record that was cut.
 */
static void no_trace(struct conform *c, struct bytes loaded, struct bytes plain, bool steady)
{
	struct bytes now = dut_save(c);

	require_result(c, now.size, plain.size, "bytes that are saved after a reset in RESUMING");
	if (steady)
		require(c, same(now, plain),
			"a reset in RESUMING leaves another state than one in RUNNING");
	else
		require(c, memcmp(now.data, loaded.data, loaded.size / 2),
			"a reset in RESUMING leaves what was loaded");
}

static struct bytes save_after_reset(struct conform *c)
{
	dut_reset(c);
	return dut_save(c);
}

static void aborted(struct conform *c)
{
	struct bytes stream = dut_save(c), plain = save_after_reset(c);
	const bool steady = same(plain, save_after_reset(c));
	struct bytes half = { stream.data, stream.size / 2 };

	dut_reset(c);
	for (uint32_t from = 1; from <= VFIO_DEVICE_STATE_PRE_COPY_P2P; from++) {
		int fd;

		if (!dut_offers(c, from) || from == VFIO_DEVICE_STATE_RESUMING)
			continue;
		dut_go(c, from);
		fd = dut_go(c, VFIO_DEVICE_STATE_RESUMING);
		require_result(c, dut_feed(c, fd, half, 65536), 0, "write() of half a stream");
		dut_reset(c);
		require_state(c, VFIO_DEVICE_STATE_RUNNING, "after a reset in RESUMING");
		no_trace(c, half, plain, steady);
		dut_go(c, VFIO_DEVICE_STATE_RUNNING);
	}
}

static long long data_size(struct conform *c, const char *where)
{
	struct vfio_device_feature_mig_data_size size = { 0 };

	require_result(c, dut_feature(c, VFIO_DEVICE_FEATURE_GET |
				      VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, &size, sizeof(size)), 0,
		       "GET MIG_DATA_SIZE in %s", where);
	return size.stop_copy_length;
}

static void size_anywhere(struct conform *c)
{
	struct bytes stream;
	long long size;
	ssize_t end;
	int fd;

	for (uint32_t state = 1; state <= VFIO_DEVICE_STATE_PRE_COPY_P2P; state++) {
		if (!dut_offers(c, state))
			continue;
		dut_go(c, state);
		data_size(c, device_state_name(state));
		dut_home(c);
	}
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);
	size = data_size(c, "STOP_COPY");
	stream = dut_drain(c, fd, 65536, &end);
	require(c, size >= (long long)stream.size, "MIG_DATA_SIZE said %lld, and %zu bytes came",
		size, stream.size);
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

#define STATES	"uapi/linux/vfio.h, enum vfio_device_mig_state, RESUMING"
#define FEATURE	"uapi/linux/vfio.h, VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE"
#define ACCEPT	"driver-api/vfio-pci-device-specific-driver-acceptance.rst"

const struct conform_case stream_cases[] = {
	{ 68, "round-trip", CLASS_SPEC, 0, 0, STATES,
	  "The bytes of one session, in any pieces, restore what was saved.", round_trip },
	{ 69, "repeatable", CLASS_SHOULD, 0, VFIO_DEVICE_STATE_STOP, FEATURE,
	  "A device that did nothing between two sessions saves the same.", repeatable },
	{ 70, "not-whole", CLASS_SPEC, 0, 0, STATES,
	  "A stream that is empty, truncated or wrong at its head makes the arc to STOP fail; a reset recovers.",
	  not_whole },
	{ 71, "poisoned", CLASS_ROB, 0, 0, STATES,
	  "A session that got wrong data stays wrong, whatever is written then.", poisoned },
	{ 72, "damaged", CLASS_ROB, 0, 0, ACCEPT,
	  "The contents are checked, not the header alone.", damaged },
	{ 73, "endless", CLASS_ROB, 0, 0, ACCEPT,
	  "A session that resumes does not take data without end.", endless },
	{ 74, "huge-length", CLASS_ROB, 0, 0, "write(2)",
	  "A length near the largest number is an error and overflows nothing.", huge_length },
	{ 75, "aborted", CLASS_SPEC, 0, 0, STATES,
	  "RESUMING can be entered from every state, and aborted by a reset without a trace.",
	  aborted },
	{ 76, "size-anywhere", CLASS_SPEC, 0, 0,
	  "uapi/linux/vfio.h, VFIO_DEVICE_FEATURE_MIG_DATA_SIZE",
	  "MIG_DATA_SIZE is answered in every state, and is no less than what comes.",
	  size_anywhere },
	{ }
};
