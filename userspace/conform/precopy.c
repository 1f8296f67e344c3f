// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pre-copy: the figures, the temporary end, and the way on.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform/case.h"

#define INFO_MIN	24	/* bytes of struct vfio_precopy_info in its first version */

static void only_in_precopy(struct conform *c)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };
	int fd = dut_go(c, VFIO_DEVICE_STATE_PRE_COPY);

	dut_info(c, fd);
	if (dut_offers(c, VFIO_DEVICE_STATE_PRE_COPY_P2P)) {
		dut_go(c, VFIO_DEVICE_STATE_PRE_COPY_P2P);
		dut_info(c, fd);
	}
	dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);
	require_result(c, dut_info_raw(c, fd, &info), -EINVAL, "the figures in STOP_COPY");
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	require(c, dut_info_raw(c, fd, &info) < 0, "the figures are given after the session");
}

static void info_argsz(struct conform *c)
{
	struct vfio_precopy_info info = { .argsz = INFO_MIN - 1 };
	int fd = dut_go(c, VFIO_DEVICE_STATE_PRE_COPY);

	require_result(c, dut_info_raw(c, fd, &info), -EINVAL, "argsz %u", info.argsz);
	info.argsz = 16;
	require_result(c, dut_info_raw(c, fd, &info), -EINVAL, "argsz %u", info.argsz);
	require_result(c, dut_info_raw(c, fd, (void *)8), -EFAULT, "an argument at address 8");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void not_for_resuming(struct conform *c)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };

	require_result(c, dut_info_raw(c, dut_go(c, VFIO_DEVICE_STATE_RESUMING), &info), -ENOTTY,
		       "the figures of a session that resumes");
}

static void is_mandatory(struct conform *c)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };
	int ret = dut_info_raw(c, dut_go(c, VFIO_DEVICE_STATE_PRE_COPY), &info);

	require(c, ret != -ENOTTY && ret != -EOPNOTSUPP, "the driver has no figures: %s",
		strerror(-ret));
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void starts_initial(struct conform *c)
{
	struct vfio_precopy_info info = dut_info(c, dut_go(c, VFIO_DEVICE_STATE_PRE_COPY));

	require(c, info.initial_bytes, "initial_bytes is 0 at the start");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void starts_clean(struct conform *c)
{
	struct vfio_precopy_info info = dut_info(c, dut_go(c, VFIO_DEVICE_STATE_PRE_COPY));

	require_result(c, info.dirty_bytes, 0, "dirty_bytes at the start");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void initial_falls(struct conform *c)
{
	int fd = dut_go(c, VFIO_DEVICE_STATE_PRE_COPY);
	unsigned long long initial = dut_info(c, fd).initial_bytes, total = 0;
	const unsigned long long first = initial;
	static uint8_t buf[10000];
	ssize_t n;

	while ((n = dut_read(c, fd, buf, sizeof(buf))) > 0) {
		struct vfio_precopy_info now = dut_info(c, fd);

		require(c, now.initial_bytes <= initial, "initial_bytes rose from %llu to %llu",
			initial, (unsigned long long)now.initial_bytes);
		require(c, initial - now.initial_bytes <= (unsigned long long)n,
			"initial_bytes fell by %llu with a read() of %zd",
			initial - (unsigned long long)now.initial_bytes, n);
		initial = now.initial_bytes;
		total += n;
		require(c, total < first || !initial || now.dirty_bytes,
			"initial_bytes is %llu after %llu bytes of %llu were read", initial, total,
			first);
	}
	require_result(c, initial, 0, "initial_bytes at the end");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void no_false_promise(struct conform *c)
{
	int fd = dut_go(c, VFIO_DEVICE_STATE_PRE_COPY);
	struct vfio_precopy_info info = dut_info(c, fd);
	unsigned long long promised = info.initial_bytes + info.dirty_bytes;
	ssize_t end;
	struct bytes got = dut_drain(c, fd, 65536, &end);

	require(c, got.size >= promised, "%llu bytes were promised and %zu could be read", promised,
		got.size);
	info = dut_info(c, fd);
	require_result(c, info.initial_bytes + info.dirty_bytes, 0,
		       "what is promised when read() has nothing");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void output_only(struct conform *c)
{
	struct vfio_precopy_info a = {
		.argsz = sizeof(a), .initial_bytes = 0x5a5a5a5a5a5a5a5a, .dirty_bytes = 0xa5a5a5a5,
	};
	struct vfio_precopy_info b = { .argsz = sizeof(b) };
	int fd = dut_go(c, VFIO_DEVICE_STATE_PRE_COPY);

	require_result(c, dut_info_raw(c, fd, &a), 0, "the figures with a poisoned argument");
	require_result(c, dut_info_raw(c, fd, &b), 0, "the figures with an empty argument");
	require(c, a.initial_bytes == b.initial_bytes && a.dirty_bytes == b.dirty_bytes,
		"the figures depend on what the argument held: %llu/%llu and %llu/%llu",
		(unsigned long long)a.initial_bytes, (unsigned long long)a.dirty_bytes,
		(unsigned long long)b.initial_bytes, (unsigned long long)b.dirty_bytes);
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void flags_in_v1(struct conform *c)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info), .flags = 0xffffffff };
	int fd = dut_go(c, VFIO_DEVICE_STATE_PRE_COPY);

	require_result(c, dut_info_raw(c, fd, &info), 0, "the figures with all flags set");
	require(c, info.initial_bytes == dut_info(c, fd).initial_bytes,
		"the flags passed in change the figures");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void opt_in(struct conform *c)
{
	char none = 0;

	require_result(c, dut_feature(c, VFIO_DEVICE_FEATURE_SET |
				      VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2, &none, 0), 0,
		       "SET MIG_PRECOPY_INFOv2");
}

static void flags_in_v2(struct conform *c)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info), .flags = 0xffffffff };

	opt_in(c);
	require_result(c, dut_info_raw(c, dut_go(c, VFIO_DEVICE_STATE_PRE_COPY), &info), 0,
		       "the figures with all flags set");
	require(c, !(info.flags & ~VFIO_PRECOPY_INFO_REINIT), "flags 0x%x came back", info.flags);
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

/* One query in a new session that the lab makes begin anew; is REINIT reported? */
static bool reports_reinit(struct conform *c)
{
	struct vfio_precopy_info info;

	dut_lab(c, "rules", "op=precopy_info reinit");
	info = dut_info(c, dut_go(c, VFIO_DEVICE_STATE_PRE_COPY));
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
	return info.flags & VFIO_PRECOPY_INFO_REINIT;
}

static void opt_in_lasts(struct conform *c)
{
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	opt_in(c);
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
	require(c, reports_reinit(c), "REINIT is not reported after the opt-in");
	dut_reset(c);
	require(c, reports_reinit(c), "a reset ends the opt-in");
	dut_close(c);
	dut_open(c);
	require(c, !reports_reinit(c), "the opt-in outlives the close");
}

static void reinit_by_opt_in(struct conform *c)
{
	struct vfio_precopy_info info;
	uint8_t buf[5000];
	int fd;

	require(c, !reports_reinit(c), "REINIT is reported though nobody opted in");
	opt_in(c);
	dut_lab(c, "rules", "\n");
	fd = dut_go(c, VFIO_DEVICE_STATE_PRE_COPY);
	require(c, dut_read(c, fd, buf, sizeof(buf)) > 0, "nothing to read");
	dut_lab(c, "rules", "op=precopy_info reinit times=1");
	info = dut_info(c, fd);
	require(c, info.flags & VFIO_PRECOPY_INFO_REINIT, "REINIT is not reported");
	require(c, info.initial_bytes && !info.dirty_bytes,
		"with REINIT initial_bytes is %llu and dirty_bytes %llu",
		(unsigned long long)info.initial_bytes, (unsigned long long)info.dirty_bytes);
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void reinit_once(struct conform *c)
{
	int fd;

	opt_in(c);
	dut_lab(c, "rules", "op=precopy_info reinit times=1");
	fd = dut_go(c, VFIO_DEVICE_STATE_PRE_COPY);
	require(c, dut_info(c, fd).flags & VFIO_PRECOPY_INFO_REINIT, "REINIT is not reported");
	require(c, !(dut_info(c, fd).flags & VFIO_PRECOPY_INFO_REINIT), "REINIT is reported twice");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

/* Reads all that there is for now; skips the case when the device does not rest. */
static void exhaust(struct conform *c, int fd, ssize_t want_end)
{
	struct vfio_precopy_info info;
	ssize_t end;

	dut_drain(c, fd, 65536, &end);
	if (want_end)
		require_result(c, end, want_end, "read() with nothing to send for now");
	info = dut_info(c, fd);
	if (info.initial_bytes + info.dirty_bytes)
		conform_skip(c, "the device has always more to send");
}

static void temporary_end(struct conform *c)
{
	int fd = dut_go(c, VFIO_DEVICE_STATE_PRE_COPY);
	char byte;

	exhaust(c, fd, -ENOMSG);
	require_result(c, dut_read(c, fd, &byte, 1), -ENOMSG, "read() once more");
	if (dut_offers(c, VFIO_DEVICE_STATE_PRE_COPY_P2P)) {
		dut_go(c, VFIO_DEVICE_STATE_PRE_COPY_P2P);
		exhaust(c, fd, -ENOMSG);
	}
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void poll_waits(struct conform *c)
{
	int fd = dut_go(c, VFIO_DEVICE_STATE_PRE_COPY);

	exhaust(c, fd, 0);
	require(c, !(dut_poll(c, fd, POLLIN, 0) & POLLIN),
		"poll() says that there is data, and read() has none");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void wakes_for_more(struct conform *c)
{
	char *model = dut_lab_text(c, "model");
	bool own_work = !strcmp(model, "synthetic\n");
	char byte;
	int fd;

	free(model);
	if (!own_work)
		conform_skip(c, "a device with this model changes its state for its user only");
	fd = dut_go(c, VFIO_DEVICE_STATE_PRE_COPY);
	exhaust(c, fd, -ENOMSG);
	dut_lab(c, "dirty_bytes_per_sec", "1000000");
	require(c, dut_poll(c, fd, POLLIN, 10000) & POLLIN, "poll() does not wake for new data");
	dut_lab(c, "dirty_bytes_per_sec", "0");
	require(c, dut_info(c, fd).dirty_bytes, "poll() woke, and dirty_bytes is 0");
	require_result(c, dut_read(c, fd, &byte, 1), 1, "read() of the new data");
	exhaust(c, fd, -ENOMSG);
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void final_end(struct conform *c)
{
	int fd = dut_go(c, VFIO_DEVICE_STATE_PRE_COPY);
	ssize_t end;
	char byte;

	dut_drain(c, fd, 65536, &end);
	dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);
	require(c, dut_poll(c, fd, POLLIN, 0) & POLLIN, "poll() waits in STOP_COPY");
	dut_drain(c, fd, 65536, &end);
	require_result(c, end, 0, "read() at the end of the stream");
	for (int i = 0; i < 3; i++) {
		require_result(c, dut_read(c, fd, &byte, 1), 0, "read() behind the end");
		require(c, dut_poll(c, fd, POLLIN, 0) & POLLIN, "poll() waits behind the end");
	}
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void poll_after_end(struct conform *c)
{
	int fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);

	dut_go(c, VFIO_DEVICE_STATE_STOP);
	require(c, dut_poll(c, fd, POLLIN, 5000) > 0, "poll() sleeps on a session that is over");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
	fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);
	dut_reset(c);
	require(c, dut_poll(c, fd, POLLIN, 5000) > 0,
		"poll() sleeps on a session that a reset ended");
}

static void leaves_early(struct conform *c)
{
	int fd = dut_go(c, VFIO_DEVICE_STATE_PRE_COPY);
	struct bytes stream;
	uint8_t head[10];
	ssize_t end, n = dut_read(c, fd, head, sizeof(head));

	require(c, n > 0 && n <= (ssize_t)sizeof(head), "read() in PRE_COPY gave %zd", n);
	dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);
	stream = dut_drain(c, fd, 65536, &end);
	require_result(c, end, 0, "read() at the end");
	stream.data = realloc(stream.data, stream.size + n);
	memmove(stream.data + n, stream.data, stream.size);
	memcpy(stream.data, head, n);
	stream.size += n;
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	require_result(c, dut_load(c, stream, 65536), 0,
		       "loading a stream whose pre-copy was cut short");
}

static void device_works(struct conform *c)
{
	const uint32_t states[] = { VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_PRE_COPY_P2P };
	uint32_t before, now;
	size_t size;
	off_t at;

	if (!dut_region(c, VFIO_PCI_CONFIG_REGION_INDEX, &at, &size))
		conform_skip(c, "the device has no configuration space");
	require_result(c, c->dev->calls->pread(c->dev, DEVICE_SELF, &before, 4, at), 4,
		       "reading its ids in RUNNING");
	for (size_t i = 0; i < 2; i++) {
		if (!dut_offers(c, states[i]))
			continue;
		dut_go(c, states[i]);
		require_result(c, c->dev->calls->pread(c->dev, DEVICE_SELF, &now, 4, at), 4,
			       "reading its ids in pre-copy");
		require(c, now == before, "its ids read 0x%08x instead of 0x%08x", now, before);
		if (dut_region(c, VFIO_PCI_BAR0_REGION_INDEX, &at, &size) && size >= 4)
			require_result(c, c->dev->calls->pread(c->dev, DEVICE_SELF, &now, 4, at), 4,
				       "reading BAR 0 in pre-copy");
		dut_region(c, VFIO_PCI_CONFIG_REGION_INDEX, &at, &size);
	}
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

#define INFO	"uapi/linux/vfio.h, VFIO_MIG_GET_PRECOPY_INFO"
#define V2	"uapi/linux/vfio.h, VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2"
#define PRE	NEEDS_PRE_COPY

const struct conform_case precopy_cases[] = {
	{ 47, "only-in-precopy", CLASS_SPEC, PRE, VFIO_DEVICE_STATE_STOP, INFO,
	  "The figures are for PRE_COPY and PRE_COPY_P2P, and EINVAL elsewhere on the same descriptor.",
	  only_in_precopy },
	{ 48, "info-argsz", CLASS_SPEC, PRE, 0, INFO,
	  "An argsz below the structure is EINVAL, an argument that cannot be reached EFAULT.",
	  info_argsz },
	{ 49, "not-for-resuming", CLASS_SPEC, 0, VFIO_DEVICE_STATE_RESUMING, INFO,
	  "A session that resumes has no figures: ENOTTY.", not_for_resuming },
	{ 50, "is-mandatory", CLASS_SPEC, PRE, 0, INFO,
	  "A driver that offers PRE_COPY gives the figures.", is_mandatory },
	{ 51, "starts-initial", CLASS_SPEC, PRE, 0, INFO,
	  "initial_bytes is not 0 when a session begins.", starts_initial },
	{ 52, "starts-clean", CLASS_SPEC, PRE, 0, INFO,
	  "dirty_bytes is 0 when a session begins.", starts_clean },
	{ 53, "initial-falls", CLASS_SPEC, PRE, 0, INFO,
	  "initial_bytes only falls, by what was read at most, and reaches 0.", initial_falls },
	{ 54, "no-false-promise", CLASS_SHOULD, PRE, 0, INFO,
	  "The figures do not promise what read() cannot deliver in pre-copy.", no_false_promise },
	{ 55, "output-only", CLASS_SPEC, PRE, 0, INFO,
	  "The figures do not depend on what the argument held.", output_only },
	{ 56, "flags-in-v1", CLASS_SPEC, PRE, 0, INFO,
	  "Without the opt-in the flags passed in mean nothing.", flags_in_v1 },
	{ 57, "flags-in-v2", CLASS_SPEC, PRE | NEEDS_INFO_V2, 0, V2,
	  "After the opt-in the flags are output: 0 or REINIT.", flags_in_v2 },
	{ 58, "opt-in-lasts", CLASS_CORE, PRE | NEEDS_INFO_V2 | NEEDS_LAB, 0, V2,
	  "The opt-in works in any state, outlives a reset and ends with the close.",
	  opt_in_lasts },
	{ 59, "reinit-by-opt-in", CLASS_SPEC, PRE | NEEDS_INFO_V2 | NEEDS_LAB, 0, V2,
	  "REINIT is reported after the opt-in only, with dirty_bytes 0.", reinit_by_opt_in },
	{ 60, "reinit-once", CLASS_SHOULD, PRE | NEEDS_INFO_V2 | NEEDS_LAB, 0, V2,
	  "REINIT is reported once for each time that it happens.", reinit_once },
	{ 61, "temporary-end", CLASS_SPEC, PRE, 0, INFO,
	  "In pre-copy read() with nothing to send is ENOMSG.", temporary_end },
	{ 62, "poll-waits", CLASS_SPEC, PRE, 0, INFO,
	  "poll() waits while there is nothing to send.", poll_waits },
	{ 63, "wakes-for-more", CLASS_SPEC, PRE | NEEDS_LAB, 0, INFO,
	  "New data after ENOMSG wakes poll(), shows in dirty_bytes and can be read.",
	  wakes_for_more },
	{ 64, "final-end", CLASS_SPEC, PRE, 0, INFO,
	  "In STOP_COPY read() gives the rest, then 0 for ever, and poll() never waits.",
	  final_end },
	{ 65, "poll-after-end", CLASS_SPEC, 0, 0, INFO,
	  "poll() of a session that is over returns at once.", poll_after_end },
	{ 66, "leaves-early", CLASS_SPEC, PRE, VFIO_DEVICE_STATE_STOP, INFO,
	  "PRE_COPY may be left before initial_bytes is 0; the stream is whole all the same.",
	  leaves_early },
	{ 67, "device-works", CLASS_SPEC, PRE, 0, "uapi/linux/vfio.h, enum vfio_device_mig_state",
	  "In PRE_COPY and PRE_COPY_P2P the device's registers work as before.", device_works },
	{ }
};
