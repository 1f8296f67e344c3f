// SPDX-License-Identifier: GPL-2.0-only
/*
 * GET and SET of the state: which arcs there are and what a SET promises.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conform/case.h"
#include "core/fsm.h"
#include "device/state.h"

#define NR_STATES	(VFIO_DEVICE_STATE_PRE_COPY_P2P + 1)
#define GET_STATE	(VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE)
#define SET_STATE	(VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE)
#define LOOKS		40

static void get_gives_no_fd(struct conform *c)
{
	for (uint32_t state = 1; state < NR_STATES; state++) {
		struct vfio_device_feature_mig_state arg = { .data_fd = 7 };

		if (!dut_offers(c, state))
			continue;
		dut_go(c, state);
		require_result(c, dut_feature(c, GET_STATE, &arg, sizeof(arg)), 0, "GET");
		require(c, arg.data_fd == -1, "GET in %s gave the data_fd %d",
			device_state_name(state), arg.data_fd);
		dut_home(c);
	}
}

static int fd_after_set(struct conform *c, uint32_t state, int want)
{
	struct vfio_device_feature_mig_state arg = { .device_state = state, .data_fd = 12345 };

	require_result(c, dut_feature(c, SET_STATE, &arg, sizeof(arg)), want, "SET %s",
		       device_state_name(state));
	return arg.data_fd;
}

static void set_ignores_fd(struct conform *c)
{
	int fd = fd_after_set(c, VFIO_DEVICE_STATE_STOP, 0);

	require(c, fd == -1, "the data_fd after SET STOP is %d instead of -1", fd);
	fd = fd_after_set(c, VFIO_DEVICE_STATE_ERROR, -EINVAL);
	require(c, fd == -1, "the data_fd after SET ERROR, which fails, is %d instead of -1", fd);
	require(c, fd_after_set(c, VFIO_DEVICE_STATE_STOP_COPY, 0) >= 0,
		"SET STOP_COPY gave no data_fd");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void set_is_complete(struct conform *c)
{
	for (uint32_t state = 1; state < NR_STATES; state++) {
		char when[48];

		if (!dut_offers(c, state))
			continue;
		dut_go(c, state);
		snprintf(when, sizeof(when), "after SET %s", device_state_name(state));
		require_state(c, state, when);
		dut_home(c);
	}
}

static void set_same(struct conform *c)
{
	for (uint32_t state = 1; state < NR_STATES; state++) {
		char byte;
		int fd, none;

		if (!dut_offers(c, state))
			continue;
		fd = dut_go(c, state);
		require_result(c, dut_set(c, state, &none), 0, "SET %s in %s",
			       device_state_name(state), device_state_name(state));
		require(c, none == -1, "SET %s in it gave the data_fd %d",
			device_state_name(state), none);
		if (device_state_is_saving(state))
			require_result(c, dut_read(c, fd, &byte, 1), 1, "read() of the session");
		dut_home(c);
	}
}

/* SET @to in @from: as the model has it, and no trace of it when that is a refusal. */
static void try_pair(struct conform *c, uint32_t from, uint32_t to, struct bytes stream)
{
	uint32_t first, state;
	int want, ret, fd;

	dut_enter(c, from, stream);
	want = miglab_fsm_next(c->flags, from, to, &first);
	ret = dut_set(c, to, &fd);
	require_result(c, ret, want, "SET %s (%u) in %s", device_state_name(to), to,
		       device_state_name(from));
	state = dut_state(c);
	require(c, state == (ret ? from : to), "SET %s in %s ended in %s", device_state_name(to),
		device_state_name(from), device_state_name(state));
	dut_home(c);
}

static void all_pairs(struct conform *c)
{
	struct bytes stream = dut_save(c);

	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
	for (uint32_t from = 1; from < NR_STATES; from++)
		for (uint32_t to = 0; to < NR_STATES && dut_offers(c, from); to++)
			try_pair(c, from, to, stream);
}

static void refuses(struct conform *c, uint32_t state)
{
	int fd;

	require_result(c, dut_set(c, state, &fd), -EINVAL, "SET %u", state);
	require_state(c, VFIO_DEVICE_STATE_RUNNING, "after it");
}

static void no_such_state(struct conform *c)
{
	refuses(c, NR_STATES);
	refuses(c, UINT32_MAX);
}

static void not_offered(struct conform *c)
{
	bool any = false;

	for (uint32_t state = 1; state < NR_STATES; state++) {
		if (dut_offers(c, state))
			continue;
		any = true;
		refuses(c, state);
	}
	if (!any)
		conform_skip(c, "the device offers all states");
}

static void no_way_back(struct conform *c)
{
	const uint32_t blocked[] = { VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_PRE_COPY_P2P };
	int fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);
	char byte;

	for (size_t i = 0; i < 2; i++) {
		int none;

		require_result(c, dut_set(c, blocked[i], &none), -EINVAL, "SET %s in STOP_COPY",
			       device_state_name(blocked[i]));
		require_state(c, VFIO_DEVICE_STATE_STOP_COPY, "after it");
		require_result(c, dut_read(c, fd, &byte, 1), 1, "read() after it");
	}
}

/* Is @state one that a SET of @to in @from may leave when it fails? */
static bool on_the_way(struct conform *c, uint32_t from, uint32_t to, uint32_t state)
{
	if (state == VFIO_DEVICE_STATE_ERROR || state == from)
		return true;
	while (from != to && !miglab_fsm_next(c->flags, from, to, &from))
		if (state == from)
			return true;
	return false;
}

static void require_on_the_way(struct conform *c, uint32_t from, uint32_t to)
{
	uint32_t state = dut_state(c);

	require(c, on_the_way(c, from, to, state), "SET %s in %s failed and left %s",
		device_state_name(to), device_state_name(from), device_state_name(state));
}

/* An empty stream makes RESUMING > STOP fail; a rule can fail each arc of a path. */
static void fails_on_the_way(struct conform *c)
{
	int fd;

	dut_go(c, VFIO_DEVICE_STATE_RESUMING);
	require(c, dut_set(c, VFIO_DEVICE_STATE_RUNNING, &fd) < 0,
		"an empty stream was accepted, so that no SET failed");
	require_on_the_way(c, VFIO_DEVICE_STATE_RESUMING, VFIO_DEVICE_STATE_RUNNING);
	dut_reset(c);
	if (!c->dev->lab || c->keep_rules)
		return;
	dut_lab(c, "rules", "arc=STOP>STOP_COPY errno=EIO");
	require_result(c, dut_set(c, VFIO_DEVICE_STATE_STOP_COPY, &fd), -EIO,
		       "SET STOP_COPY with a rule that fails it");
	require_on_the_way(c, VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_STOP_COPY);
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void error_is_final(struct conform *c)
{
	int fd, none;
	char byte;

	dut_lab(c, "rules", "arc=STOP_COPY>STOP errno=EIO then=ERROR");
	fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);
	require_result(c, dut_set(c, VFIO_DEVICE_STATE_STOP, &none), -EIO, "SET with then=ERROR");
	require_state(c, VFIO_DEVICE_STATE_ERROR, "after then=ERROR");
	for (uint32_t state = 0; state < NR_STATES; state++)
		require(c, dut_set(c, state, &none) < 0, "SET %s in ERROR succeeded",
			device_state_name(state));
	require_state(c, VFIO_DEVICE_STATE_ERROR, "after these");
	require(c, dut_read(c, fd, &byte, 1) <= 0, "read() in ERROR gave data");
	dut_reset(c);
	require_state(c, VFIO_DEVICE_STATE_RUNNING, "after a reset in ERROR");
}

static void no_drift(struct conform *c)
{
	for (uint32_t state = 1; state < NR_STATES; state++) {
		char when[64];

		if (!dut_offers(c, state))
			continue;
		dut_go(c, state);
		snprintf(when, sizeof(when), "some time after SET %s", device_state_name(state));
		for (int i = 0; i < LOOKS; i++) {
			require_state(c, state, when);
			usleep(5000);
		}
		dut_home(c);
	}
}

static void refusal_is_harmless(struct conform *c)
{
	const uint32_t invalid[] = { VFIO_DEVICE_STATE_ERROR, NR_STATES, UINT32_MAX };
	struct bytes stream, rest;
	uint8_t head[100];
	ssize_t end;
	int fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY), none;
	ssize_t n = dut_read(c, fd, head, sizeof(head));

	require(c, n > 0 && n <= (ssize_t)sizeof(head), "read() in STOP_COPY gave %zd", n);
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
		require_result(c, dut_set(c, invalid[i], &none), -EINVAL, "SET %u", invalid[i]);
	require_state(c, VFIO_DEVICE_STATE_STOP_COPY, "after refused SETs");
	rest = dut_drain(c, fd, 65536, &end);
	require_result(c, end, 0, "read() at the end");
	stream = (struct bytes){ rest.data, rest.size };
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	dut_close_fd(c, fd);
	fd = dut_go(c, VFIO_DEVICE_STATE_RESUMING);
	require_result(c, dut_feed(c, fd, (struct bytes){ head, n }, n), 0, "write()");
	require_result(c, dut_feed(c, fd, stream, 65536), 0, "write()");
	require_result(c, dut_set(c, VFIO_DEVICE_STATE_STOP, &none), 0,
		       "SET STOP with a stream read around refused SETs");
}

/* A descriptor table that is full. */
static void no_descriptor_left(struct conform *c)
{
	struct rlimit old, full;
	int ret, fd, lowest = dup(dut_fileno(c, DEVICE_SELF));

	require(c, lowest >= 0 && !getrlimit(RLIMIT_NOFILE, &old), "cannot count descriptors");
	close(lowest);
	full = (struct rlimit){ lowest, old.rlim_max };
	require(c, !setrlimit(RLIMIT_NOFILE, &full), "cannot limit descriptors");
	ret = dut_set(c, VFIO_DEVICE_STATE_STOP_COPY, &fd);
	setrlimit(RLIMIT_NOFILE, &old);
	require_result(c, ret, -EMFILE, "SET STOP_COPY with no descriptor left");
	require_state(c, VFIO_DEVICE_STATE_STOP_COPY, "after it");
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
	require(c, dut_go(c, VFIO_DEVICE_STATE_STOP_COPY) >= 0, "the next session has no data_fd");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void read_only_argument(struct conform *c)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	struct vfio_device_feature_mig_state state = {
		.device_state = VFIO_DEVICE_STATE_STOP_COPY, .data_fd = -1,
	};
	struct vfio_device_feature *arg = mmap(NULL, page, PROT_READ | PROT_WRITE,
					       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	require(c, arg != MAP_FAILED, "no memory");
	arg->argsz = sizeof(*arg) + sizeof(state);
	arg->flags = SET_STATE;
	memcpy(arg->data, &state, sizeof(state));
	mprotect(arg, page, PROT_READ);
	require_result(c, dut_ioctl(c, DEVICE_SELF, VFIO_DEVICE_FEATURE, arg), -EFAULT,
		       "SET STOP_COPY with an argument that cannot be written");
	require_state(c, VFIO_DEVICE_STATE_STOP_COPY, "after it");
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

#define STATES	"uapi/linux/vfio.h, enum vfio_device_mig_state"
#define FEATURE	"uapi/linux/vfio.h, VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE"

const struct conform_case arcs_cases[] = {
	{ 14, "get-gives-no-fd", CLASS_SPEC, 0, 0, FEATURE,
	  "GET sets data_fd to -1.", get_gives_no_fd },
	{ 15, "set-ignores-fd", CLASS_CORE, 0, 0, FEATURE,
	  "SET does not look at data_fd and sets it to -1 when no session begins or an arc fails.",
	  set_ignores_fd },
	{ 16, "set-is-complete", CLASS_SPEC, 0, 0, FEATURE,
	  "When SET returns, GET names the state that was asked for.", set_is_complete },
	{ 17, "set-same", CLASS_SPEC, 0, 0, STATES,
	  "SET of the present state succeeds, gives no data_fd and leaves the session alone.",
	  set_same },
	{ 18, "all-pairs", CLASS_SPEC, BLOCKED_ARC, 0, STATES,
	  "Each pair of states is combined from arcs or refused as the table of arcs has it, and a refusal changes nothing.",
	  all_pairs },
	{ 19, "no-such-state", CLASS_SPEC, 0, 0, STATES,
	  "A value that is no state is EINVAL.", no_such_state },
	{ 20, "not-offered", CLASS_SPEC, 0, 0, STATES,
	  "A state that the device does not offer is EINVAL.", not_offered },
	{ 21, "no-way-back", CLASS_SPEC, NEEDS_PRE_COPY | BLOCKED_ARC,
	  VFIO_DEVICE_STATE_STOP_COPY, STATES,
	  "There is no way from STOP_COPY to PRE_COPY or PRE_COPY_P2P; the session lives on.",
	  no_way_back },
	{ 22, "fails-on-the-way", CLASS_SPEC, 0, 0, FEATURE,
	  "After a SET that failed the device is where it was, on the way, or in ERROR.",
	  fails_on_the_way },
	{ 23, "error-is-final", CLASS_SPEC, NEEDS_LAB, 0, STATES,
	  "ERROR refuses every SET and every byte; a reset leads to RUNNING.", error_is_final },
	{ 24, "no-drift", CLASS_SPEC, 0, 0, FEATURE,
	  "No state changes without a SET or a reset.", no_drift },
	{ 25, "refusal-is-harmless", CLASS_ROB, 0, VFIO_DEVICE_STATE_STOP, FEATURE,
	  "A SET that is refused disturbs neither state nor session.", refusal_is_harmless },
	{ 26, "no-descriptor-left", CLASS_CORE, NEEDS_KERNEL, 0, FEATURE,
	  "SET is EMFILE when the caller has no descriptor left; the arc was taken and the device goes on.",
	  no_descriptor_left },
	{ 27, "read-only-argument", CLASS_CORE, NEEDS_KERNEL, 0, FEATURE,
	  "SET is EFAULT when its answer cannot be written; the arc was taken and the device goes on.",
	  read_only_argument },
	{ }
};
