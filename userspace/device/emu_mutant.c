// SPDX-License-Identifier: GPL-2.0-only
/*
 * Emulated devices with one defect each. A defect is a system call that answers in
 * its own way; all others are the sound device's.
 */
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "device/emu.h"
#include "device/mutants.h"

#define GET(feature)	(VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_ ## feature)
#define SET(feature)	(VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_ ## feature)
#define LARGE		4096	/* more bytes than any answer */

static struct emu *to_emu(struct device *dev)
{
	return (struct emu *)dev;
}

/* Is that call the feature @flags, PROBE apart? */
static bool is(int fd, unsigned long request, const void *arg, u32 flags)
{
	return fd == DEVICE_SELF && request == VFIO_DEVICE_FEATURE && (uintptr_t)arg >= LARGE &&
	       ((const struct vfio_device_feature *)arg)->flags == flags;
}

static bool is_info(int fd, unsigned long request, const void *arg)
{
	return fd != DEVICE_SELF && request == VFIO_MIG_GET_PRECOPY_INFO && (uintptr_t)arg >= LARGE;
}

static void *payload(void *arg)
{
	return ((struct vfio_device_feature *)arg)->data;
}

/* Of a GET or SET of the state. */
static u32 *state_in(void *arg)
{
	return &((struct vfio_device_feature_mig_state *)payload(arg))->device_state;
}

static int *fd_in(void *arg)
{
	return &((struct vfio_device_feature_mig_state *)payload(arg))->data_fd;
}

/* Is it a SET of @want in @from? */
static bool is_set(struct device *dev, int fd, unsigned long request, void *arg, u32 from, u32 want)
{
	return is(fd, request, arg, SET(MIG_DEVICE_STATE)) && to_emu(dev)->state == from &&
	       *state_in(arg) == want;
}

/* The device is in @state now, without a session, however it came there. */
static void force(struct device *dev, u32 state)
{
	struct emu *e = to_emu(dev);

	pthread_mutex_lock(&e->model_lock);
	emu_session_end(e);
	pthread_mutex_lock(&e->lock);
	e->state = state;
	pthread_mutex_unlock(&e->lock);
	pthread_mutex_unlock(&e->model_lock);
}

static int no_stop_copy(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is(fd, request, arg, GET(MIGRATION)))
		*(u64 *)payload(arg) &= ~(u64)VFIO_MIGRATION_STOP_COPY;
	return ret;
}

static int odd_flags(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is(fd, request, arg, GET(MIGRATION)))
		*(u64 *)payload(arg) |= 8;
	return ret;
}

static int flags_change(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (request == VFIO_DEVICE_RESET)
		to_emu(dev)->mutant_data[0] = 1;
	if (!ret && to_emu(dev)->mutant_data[0] && is(fd, request, arg, GET(MIGRATION)))
		*(u64 *)payload(arg) ^= VFIO_MIGRATION_P2P;
	return ret;
}

static int state_outlives_close(struct device *dev, int fd, unsigned long request, void *arg)
{
	static u32 left = VFIO_DEVICE_STATE_RUNNING;
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is(fd, request, arg, SET(MIG_DEVICE_STATE))) {
		to_emu(dev)->mutant_data[0] = 1;
		left = *state_in(arg);
	}
	if (is(fd, request, arg, GET(MIG_DEVICE_STATE)) && !to_emu(dev)->mutant_data[0])
		*state_in(arg) = left;
	return ret;
}

static int get_gives_fd(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is(fd, request, arg, GET(MIG_DEVICE_STATE)))
		*fd_in(arg) = 0;
	return ret;
}

static int keeps_passed_fd(struct device *dev, int fd, unsigned long request, void *arg)
{
	const bool set = is(fd, request, arg, SET(MIG_DEVICE_STATE));
	const int passed = set ? *fd_in(arg) : 0;
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (set && !ret && *fd_in(arg) == -1)
		*fd_in(arg) = passed;
	return ret;
}

static int failure_keeps_fd(struct device *dev, int fd, unsigned long request, void *arg)
{
	const bool set = is(fd, request, arg, SET(MIG_DEVICE_STATE));
	const int passed = set ? *fd_in(arg) : 0;
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (set && ret)
		*fd_in(arg) = passed;
	return ret;
}

static int gives_no_fd(struct device *dev, int fd, unsigned long request, void *arg)
{
	const bool set = is(fd, request, arg, SET(MIG_DEVICE_STATE));
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (set)
		*fd_in(arg) = -1;
	return ret;
}

static int set_too_early(struct device *dev, int fd, unsigned long request, void *arg)
{
	u64 *old = to_emu(dev)->mutant_data, before = to_emu(dev)->state;
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is(fd, request, arg, SET(MIG_DEVICE_STATE))) {
		old[0] = before;
	} else if (is(fd, request, arg, GET(MIG_DEVICE_STATE)) && old[0]) {
		*state_in(arg) = old[0];
		old[0] = 0;
	}
	return ret;
}

static int same_gives_fd(struct device *dev, int fd, unsigned long request, void *arg)
{
	const bool same = is_set(dev, fd, request, arg, VFIO_DEVICE_STATE_STOP_COPY,
				 VFIO_DEVICE_STATE_STOP_COPY);
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (same)
		*fd_in(arg) = EMU_FIRST_HANDLE;
	return ret;
}

static int lacks_combination(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is_set(dev, fd, request, arg, VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_STOP))
		return -EINVAL;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int any_state(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is(fd, request, arg, SET(MIG_DEVICE_STATE)) && *state_in(arg) >= MIGLAB_NR_STATES)
		return 0;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int not_offered(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is(fd, request, arg, SET(MIG_DEVICE_STATE)) &&
	    *state_in(arg) == VFIO_DEVICE_STATE_PRE_COPY)
		return 0;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int way_back_ends(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is_set(dev, fd, request, arg, VFIO_DEVICE_STATE_STOP_COPY,
		   VFIO_DEVICE_STATE_PRE_COPY))
		emu_session_close(to_emu(dev), 0);
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int fails_elsewhere(struct device *dev, int fd, unsigned long request, void *arg)
{
	const bool resuming = to_emu(dev)->state == VFIO_DEVICE_STATE_RESUMING;
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (ret && resuming && is(fd, request, arg, SET(MIG_DEVICE_STATE)))
		force(dev, VFIO_DEVICE_STATE_STOP_COPY);
	return ret;
}

static int leaves_error(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is_set(dev, fd, request, arg, VFIO_DEVICE_STATE_ERROR, VFIO_DEVICE_STATE_STOP))
		force(dev, VFIO_DEVICE_STATE_STOP);
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int drifts(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is(fd, request, arg, GET(MIG_DEVICE_STATE)) &&
	    *state_in(arg) == VFIO_DEVICE_STATE_STOP && ++to_emu(dev)->mutant_data[0] == 5)
		force(dev, VFIO_DEVICE_STATE_RUNNING);
	return ret;
}

static int refusal_breaks(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is(fd, request, arg, SET(MIG_DEVICE_STATE)) &&
	    *state_in(arg) == VFIO_DEVICE_STATE_ERROR) {
		force(dev, VFIO_DEVICE_STATE_ERROR);
		return -EINVAL;
	}
	return emu_calls.ioctl(dev, fd, request, arg);
}

/* Is it a SET that no device takes, in STOP_COPY? */
static bool is_nonsense(struct device *dev, int fd, unsigned long request, void *arg)
{
	return to_emu(dev)->state == VFIO_DEVICE_STATE_STOP_COPY &&
	       is(fd, request, arg, SET(MIG_DEVICE_STATE)) && *state_in(arg) == UINT32_MAX;
}

static int refusal_moves(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is_nonsense(dev, fd, request, arg))
		force(dev, VFIO_DEVICE_STATE_STOP);
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int refusal_ends(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is_nonsense(dev, fd, request, arg))
		emu_session_close(to_emu(dev), 0);
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int refusal_costs(struct device *dev, int fd, unsigned long request, void *arg)
{
	char lost[100];

	if (is_nonsense(dev, fd, request, arg))
		emu_session_read(to_emu(dev), 0, lost, sizeof(lost));
	return emu_calls.ioctl(dev, fd, request, arg);
}

static ssize_t refusal_damages_read(struct device *dev, int fd, void *buf, size_t size)
{
	u64 *due = to_emu(dev)->mutant_data;
	ssize_t ret = emu_calls.read(dev, fd, buf, size);

	if (*due && ret > 2 * (ssize_t)MIGLAB_PAGE) {
		((u8 *)buf)[MIGLAB_PAGE] ^= 1;	/* in the middle of a page's record */
		*due = 0;
	}
	return ret;
}

static int refusal_damages_ioctl(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is_nonsense(dev, fd, request, arg))
		to_emu(dev)->mutant_data[0] = 1;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int second_fd(struct device *dev, int fd, unsigned long request, void *arg)
{
	const bool final = is_set(dev, fd, request, arg, VFIO_DEVICE_STATE_PRE_COPY,
				  VFIO_DEVICE_STATE_STOP_COPY);
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (final)
		*fd_in(arg) = EMU_FIRST_HANDLE;
	return ret;
}

static ssize_t lingers(struct device *dev, int fd, void *buf, size_t size)
{
	ssize_t ret = emu_calls.read(dev, fd, buf, size);

	if (ret == -ENODEV)
		memset(buf, 0, size);
	if (ret == -ENODEV)
		ret = size;
	return ret;
}

static ssize_t old_fd_reads(struct device *dev, int fd, void *buf, size_t size)
{
	ssize_t ret = emu_calls.read(dev, fd, buf, size);

	for (int other = fd + 1; ret == -ENODEV && other < fd + 4; other++)
		ret = emu_calls.read(dev, other, buf, size);
	return ret;
}

static int leaks(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is(fd, request, arg, SET(MIG_DEVICE_STATE)) &&
	    *state_in(arg) == VFIO_DEVICE_STATE_STOP_COPY && ++to_emu(dev)->mutant_data[0] > 100)
		return -ENOMEM;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static ssize_t seekable(struct device *dev, int fd, void *buf, size_t size, off_t offset)
{
	if (fd != DEVICE_SELF)
		return emu_calls.read(dev, fd, buf, size);
	return emu_calls.pread(dev, fd, buf, size, offset);
}

static ssize_t both_directions(struct device *dev, int fd, const void *buf, size_t size)
{
	ssize_t ret = emu_calls.write(dev, fd, buf, size);

	if (ret == -EBADF && fd >= EMU_FIRST_HANDLE)
		ret = size;
	return ret;
}

static ssize_t loses_in_small_reads(struct device *dev, int fd, void *buf, size_t size)
{
	char two[2];
	ssize_t ret;

	if (size != 1 || (uintptr_t)buf < LARGE)
		return emu_calls.read(dev, fd, buf, size);
	ret = emu_calls.read(dev, fd, two, 2);
	if (ret > 0)
		memcpy(buf, two, 1);
	return ret > 0 ? 1 : ret;
}

static ssize_t says_too_much(struct device *dev, int fd, void *buf, size_t size)
{
	ssize_t ret = emu_calls.read(dev, fd, buf, size);

	return ret > 0 ? ret + 1 : ret;
}

static ssize_t no_empty_read(struct device *dev, int fd, void *buf, size_t size)
{
	if (!size)
		return -EINVAL;
	return emu_calls.read(dev, fd, buf, size);
}

static ssize_t bad_buffer_costs(struct device *dev, int fd, void *buf, size_t size)
{
	char lost[100];

	if ((uintptr_t)buf < LARGE)
		emu_calls.read(dev, fd, lost, sizeof(lost));
	return emu_calls.read(dev, fd, buf, size);
}

static int any_ioctl(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (fd != DEVICE_SELF && request != VFIO_MIG_GET_PRECOPY_INFO)
		return 0;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static ssize_t reads_twice(struct device *dev, int fd, void *buf, size_t size)
{
	if (size > 1 && (uintptr_t)buf >= LARGE && ++to_emu(dev)->mutant_data[0] % 7 == 0)
		return emu_calls.read(dev, fd, buf, 1) < 0 ? -ENODEV : (ssize_t)size;
	return emu_calls.read(dev, fd, buf, size);
}

static int early_close_wedges_close(struct device *dev, int fd)
{
	const bool early = to_emu(dev)->session != NULL;
	int ret = emu_calls.close(dev, fd);

	to_emu(dev)->mutant_data[0] = early;
	return ret;
}

static int early_close_wedges_ioctl(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (to_emu(dev)->mutant_data[0] && is(fd, request, arg, SET(MIG_DEVICE_STATE)))
		return -EIO;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static ssize_t late_writes(struct device *dev, int fd, const void *buf, size_t size)
{
	ssize_t ret = emu_calls.write(dev, fd, buf, size);

	if (ret == -ENODEV)
		ret = size;
	return ret;
}

static ssize_t uninterruptible(struct device *dev, int fd, void *buf, size_t size)
{
	ssize_t ret = emu_calls.read(dev, fd, buf, size);

	while (ret == -ENOMSG)
		pause();
	return ret;
}

static int info_in_stop_copy(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (ret == -EINVAL && is_info(fd, request, arg) &&
	    ((struct vfio_precopy_info *)arg)->argsz >= sizeof(struct vfio_precopy_info))
		ret = 0;
	return ret;
}

static int short_argsz(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is_info(fd, request, arg))
		((struct vfio_precopy_info *)arg)->argsz = sizeof(struct vfio_precopy_info);
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int info_of_resuming(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (ret == -ENOTTY && is_info(fd, request, arg))
		ret = 0;
	return ret;
}

static int no_info(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is_info(fd, request, arg))
		return -ENOTTY;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int nothing_initial(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is_info(fd, request, arg))
		((struct vfio_precopy_info *)arg)->initial_bytes = 0;
	return ret;
}

static int dirty_at_once(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is_info(fd, request, arg))
		((struct vfio_precopy_info *)arg)->dirty_bytes = 4096;
	return ret;
}

static int initial_stays(struct device *dev, int fd, unsigned long request, void *arg)
{
	u64 *first = to_emu(dev)->mutant_data;
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is_info(fd, request, arg)) {
		struct vfio_precopy_info *info = arg;

		if (!*first)
			*first = info->initial_bytes;
		info->initial_bytes = *first;
	}
	return ret;
}

static int initial_rises(struct device *dev, int fd, unsigned long request, void *arg)
{
	u64 *asked = to_emu(dev)->mutant_data;
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is_info(fd, request, arg))
		((struct vfio_precopy_info *)arg)->initial_bytes += ++*asked * 1000000;
	return ret;
}

static int initial_jumps(struct device *dev, int fd, unsigned long request, void *arg)
{
	u64 *asked = to_emu(dev)->mutant_data;
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is_info(fd, request, arg) && ++*asked > 1)
		((struct vfio_precopy_info *)arg)->initial_bytes /= 2;
	return ret;
}

static int initial_is_never_0(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is_info(fd, request, arg)) {
		((struct vfio_precopy_info *)arg)->initial_bytes += 1;
		((struct vfio_precopy_info *)arg)->dirty_bytes += 1;
	}
	return ret;
}

static int promises_too_much(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is_info(fd, request, arg))
		((struct vfio_precopy_info *)arg)->initial_bytes *= 2;
	return ret;
}

static int echoes(struct device *dev, int fd, unsigned long request, void *arg)
{
	u64 passed = is_info(fd, request,
		arg) ? ((struct vfio_precopy_info *)arg)->dirty_bytes : 0;
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is_info(fd, request, arg))
		((struct vfio_precopy_info *)arg)->dirty_bytes = passed;
	return ret;
}

static int minds_flags(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is_info(fd, request, arg) && ((struct vfio_precopy_info *)arg)->flags)
		return -EINVAL;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int echoes_flags(struct device *dev, int fd, unsigned long request, void *arg)
{
	u32 passed = is_info(fd, request, arg) ? ((struct vfio_precopy_info *)arg)->flags : 0;
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is_info(fd, request, arg))
		((struct vfio_precopy_info *)arg)->flags = passed;
	return ret;
}

static int reinit_unasked(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is_info(fd, request, arg))
		to_emu(dev)->opted_in = true;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int reinit_stays(struct device *dev, int fd, unsigned long request, void *arg)
{
	u64 *seen = to_emu(dev)->mutant_data;
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is_info(fd, request, arg)) {
		*seen |= ((struct vfio_precopy_info *)arg)->flags;
		((struct vfio_precopy_info *)arg)->flags = *seen;
	}
	return ret;
}

static ssize_t ends_in_pre_copy(struct device *dev, int fd, void *buf, size_t size)
{
	ssize_t ret = emu_calls.read(dev, fd, buf, size);

	if (ret == -ENOMSG)
		ret = 0;
	return ret;
}

static int always_ready(struct device *dev, int fd, short events, int timeout_ms)
{
	return emu_calls.poll(dev, fd, events, timeout_ms) | (events & POLLIN);
}

static int never_wakes(struct device *dev, int fd, short events, int timeout_ms)
{
	if (timeout_ms > 0 && to_emu(dev)->state == VFIO_DEVICE_STATE_PRE_COPY)
		return 0;
	return emu_calls.poll(dev, fd, events, timeout_ms);
}

static ssize_t no_final_end(struct device *dev, int fd, void *buf, size_t size)
{
	ssize_t ret = emu_calls.read(dev, fd, buf, size);

	if (!ret && size && to_emu(dev)->state == VFIO_DEVICE_STATE_STOP_COPY)
		ret = -ENOMSG;
	return ret;
}

static int sleeps_after_end(struct device *dev, int fd, short events, int timeout_ms)
{
	int ret = emu_calls.poll(dev, fd, events, timeout_ms);

	if (ret & POLLHUP)
		ret = 0;
	return ret;
}

static int wants_all_initial(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is_set(dev, fd, request, arg, VFIO_DEVICE_STATE_PRE_COPY,
		   VFIO_DEVICE_STATE_STOP_COPY) &&
	    to_emu(dev)->session->track.cursor != to_emu(dev)->session->track.pages)
		return -EBUSY;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static ssize_t deaf_in_pre_copy(struct device *dev, int fd, void *buf, size_t size, off_t offset)
{
	if (to_emu(dev)->state == VFIO_DEVICE_STATE_PRE_COPY)
		return -EIO;
	return emu_calls.pread(dev, fd, buf, size, offset);
}

static int restores_wrong(struct device *dev, int fd, unsigned long request, void *arg)
{
	const bool load = to_emu(dev)->state == VFIO_DEVICE_STATE_RESUMING &&
			  is(fd, request, arg, SET(MIG_DEVICE_STATE));
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (load && !ret)
		to_emu(dev)->content.bytes[100] ^= 1;
	return ret;
}

static int not_repeatable(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is(fd, request, arg, SET(MIG_DEVICE_STATE)) &&
	    *state_in(arg) == VFIO_DEVICE_STATE_STOP_COPY)
		to_emu(dev)->content.bytes[100]++;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int takes_empty(struct device *dev, int fd, unsigned long request, void *arg)
{
	const bool load = is_set(dev, fd, request, arg, VFIO_DEVICE_STATE_RESUMING,
				 VFIO_DEVICE_STATE_STOP);
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (load && ret && !to_emu(dev)->stats.bytes_written) {
		force(dev, VFIO_DEVICE_STATE_STOP);
		ret = 0;
	}
	return ret;
}

static ssize_t forgives(struct device *dev, int fd, const void *buf, size_t size)
{
	if (size && (uintptr_t)buf >= LARGE && to_emu(dev)->session &&
	    !to_emu(dev)->session->decoder.header && *(const u8 *)buf != MIGLAB_TAG_HEADER)
		return -EINVAL;
	return emu_calls.write(dev, fd, buf, size);
}

static ssize_t checks_no_contents_write(struct device *dev, int fd, const void *buf, size_t size)
{
	ssize_t ret = emu_calls.write(dev, fd, buf, size);

	if (size)
		to_emu(dev)->mutant_data[0] += size;
	return ret < 0 && to_emu(dev)->mutant_data[0] > MIGLAB_PAGE ? (ssize_t)size : ret;
}

static int checks_no_contents_ioctl(struct device *dev, int fd, unsigned long request, void *arg)
{
	const bool load = is_set(dev, fd, request, arg, VFIO_DEVICE_STATE_RESUMING,
				 VFIO_DEVICE_STATE_STOP);
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (load && ret && to_emu(dev)->mutant_data[0] > MIGLAB_PAGE) {
		force(dev, VFIO_DEVICE_STATE_STOP);
		ret = 0;
	}
	return ret;
}

static ssize_t takes_all(struct device *dev, int fd, const void *buf, size_t size)
{
	ssize_t ret = emu_calls.write(dev, fd, buf, size);

	if (ret == -EINVAL)
		ret = size;
	return ret;
}

static ssize_t takes_huge(struct device *dev, int fd, const void *buf, size_t size)
{
	if (size > SSIZE_MAX - MIGLAB_PAGE)
		return SSIZE_MAX;
	return emu_calls.write(dev, fd, buf, size);
}

static int one_way_to_resuming(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is_set(dev, fd, request, arg, VFIO_DEVICE_STATE_STOP_COPY,
		   VFIO_DEVICE_STATE_RESUMING))
		return -EINVAL;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int size_not_anywhere(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (to_emu(dev)->state == VFIO_DEVICE_STATE_RESUMING &&
	    is(fd, request, arg, GET(MIG_DATA_SIZE)))
		return -EINVAL;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static ssize_t registers_move(struct device *dev, int fd, void *buf, size_t size, off_t offset)
{
	if (to_emu(dev)->state == VFIO_DEVICE_STATE_STOP)
		to_emu(dev)->region[0]++;
	return emu_calls.pread(dev, fd, buf, size, offset);
}

static ssize_t no_set_up_in_stop(struct device *dev, int fd, const void *buf, size_t size,
				 off_t offset)
{
	if (to_emu(dev)->state == VFIO_DEVICE_STATE_STOP)
		return (ssize_t)size;
	return emu_calls.pwrite(dev, fd, buf, size, offset);
}

static ssize_t crashes_in_resuming(struct device *dev, int fd, void *buf, size_t size, off_t offset)
{
	if (to_emu(dev)->state == VFIO_DEVICE_STATE_RESUMING)
		raise(SIGKILL);
	return emu_calls.pread(dev, fd, buf, size, offset);
}

static int writes_in_p2p(struct device *dev, uint64_t iova, uint64_t length)
{
	u32 state = to_emu(dev)->state;
	int ret;

	to_emu(dev)->state = VFIO_DEVICE_STATE_RUNNING;
	ret = emu_calls.dma(dev, iova, length);
	to_emu(dev)->state = state;
	return ret;
}

static int reset_forgets_resuming(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (request == VFIO_DEVICE_RESET && to_emu(dev)->state == VFIO_DEVICE_STATE_RESUMING)
		return 0;
	return emu_calls.ioctl(dev, fd, request, arg);
}

/* What was loaded is the state, even if a reset comes first. */
static int loads_in_place(struct device *dev, int fd, unsigned long request, void *arg)
{
	struct emu *e = to_emu(dev);
	const u64 bytes = e->content.id.state_bytes;
	u8 *loaded = NULL;
	int ret;

	if (request == VFIO_DEVICE_RESET && e->state == VFIO_DEVICE_STATE_RESUMING) {
		loaded = malloc(bytes);
		memcpy(loaded, e->session->incoming.bytes, bytes);
	}
	ret = emu_calls.ioctl(dev, fd, request, arg);
	if (loaded)
		memcpy(e->content.bytes, loaded, bytes);
	free(loaded);
	return ret;
}

static int reset_waits(struct device *dev, int fd, unsigned long request, void *arg)
{
	struct emu *e = to_emu(dev);
	int ret;

	if (request != VFIO_DEVICE_RESET)
		return emu_calls.ioctl(dev, fd, request, arg);
	pthread_mutex_lock(&e->set_lock);
	ret = emu_calls.ioctl(dev, fd, request, arg);
	pthread_mutex_unlock(&e->set_lock);
	return ret;
}

/* A reset that no arc sees: neither does it end, nor is it made to fail. */
static int reset_breaks_nothing(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (request == VFIO_DEVICE_RESET && to_emu(dev)->held)
		return 0;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int reset_lets_go(struct device *dev, int fd, unsigned long request, void *arg)
{
	struct emu *e = to_emu(dev);

	if (request != VFIO_DEVICE_RESET || !e->held)
		return emu_calls.ioctl(dev, fd, request, arg);
	pthread_mutex_lock(&e->lock);
	e->permits++;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
	return 0;
}

static int arc_outlives_reset(struct device *dev, int fd, unsigned long request, void *arg)
{
	const bool breaks = request == VFIO_DEVICE_RESET && to_emu(dev)->held;
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (breaks)
		force(dev, VFIO_DEVICE_STATE_STOP);
	return ret;
}

static int resets_deadlock(struct device *dev, int fd, unsigned long request, void *arg)
{
	while (request == VFIO_DEVICE_RESET && to_emu(dev)->stats.resets == 9)
		pause();
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int reset_fails_at_times(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (request == VFIO_DEVICE_RESET && to_emu(dev)->stats.resets % 8 == 7)
		return -EAGAIN;
	return ret;
}

static int set_gives_a_count(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is(fd, request, arg, SET(MIG_DEVICE_STATE)) &&
	    *state_in(arg) == VFIO_DEVICE_STATE_RESUMING)
		ret = 1;
	return ret;
}

static int get_fails_at_times(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is(fd, request, arg, GET(MIG_DEVICE_STATE)) &&
	    __atomic_add_fetch(to_emu(dev)->mutant_data, 1, __ATOMIC_RELAXED) % 16 == 0)
		return -EAGAIN;
	return emu_calls.ioctl(dev, fd, request, arg);
}

/* Between two arcs, so that none is under way. */
static int moves_between_sets(struct device *dev, int fd, unsigned long request, void *arg)
{
	struct emu *e = to_emu(dev);

	if (is(fd, request, arg, SET(MIG_DEVICE_STATE))) {
		pthread_mutex_lock(&e->set_lock);
		if (++e->mutant_data[0] % 8 == 0)
			force(dev, e->state == VFIO_DEVICE_STATE_STOP ? VFIO_DEVICE_STATE_RUNNING :
			      VFIO_DEVICE_STATE_STOP);
		pthread_mutex_unlock(&e->set_lock);
	}
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int state_runs_away(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (is(fd, request, arg, SET(MIG_DEVICE_STATE)))
		__atomic_fetch_add(to_emu(dev)->mutant_data, 1, __ATOMIC_RELAXED);
	if (is(fd, request, arg, GET(MIG_DEVICE_STATE)) &&
	    __atomic_load_n(to_emu(dev)->mutant_data, __ATOMIC_RELAXED) > 50)
		*state_in(arg) = 42;
	return ret;
}

static int sets_overlap(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (!is(fd, request, arg, SET(MIG_DEVICE_STATE)))
		return emu_calls.ioctl(dev, fd, request, arg);
	*fd_in(arg) = -1;
	return emu_set_state(dev, *state_in(arg), NULL);
}

static int error_in_arc(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (is(fd, request, arg, GET(MIG_DEVICE_STATE)) && to_emu(dev)->held)
		*state_in(arg) = VFIO_DEVICE_STATE_ERROR;
	return ret;
}

static int starts_twice(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (ret == -EBUSY && is(fd, request, arg, SET(DMA_LOGGING_START)))
		ret = 0;
	return ret;
}

static int no_page_size(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (!ret && is(fd, request, arg, SET(DMA_LOGGING_START)))
		*(u64 *)payload(arg) = 0;
	return ret;
}

static int page_size_0(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (ret == -EINVAL && is(fd, request, arg, SET(DMA_LOGGING_START)) &&
	    !*(u64 *)payload(arg))
		ret = 0;
	return ret;
}

static int reports_off(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (!to_emu(dev)->log.on && is(fd, request, arg, GET(DMA_LOGGING_REPORT)))
		return 0;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int reports_outside(struct device *dev, int fd, unsigned long request, void *arg)
{
	int ret = emu_calls.ioctl(dev, fd, request, arg);

	if (ret == -EINVAL && to_emu(dev)->log.on &&
	    is(fd, request, arg, GET(DMA_LOGGING_REPORT)))
		ret = 0;
	return ret;
}

static int report_clears(struct device *dev, int fd, unsigned long request, void *arg)
{
	struct vfio_device_feature_dma_logging_report *report = payload(arg);

	if (to_emu(dev)->log.on && is(fd, request, arg, GET(DMA_LOGGING_REPORT)))
		memset((void *)(uintptr_t)report->bitmap, 0, 1);
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int forgets_writes(struct device *dev, uint64_t iova, uint64_t length)
{
	if (length && ++to_emu(dev)->mutant_data[0] % 2 == 0)
		return 0;
	return emu_calls.dma(dev, iova, length);
}

static int one_page_size(struct device *dev, int fd, unsigned long request, void *arg)
{
	const struct vfio_device_feature_dma_logging_report *report = payload(arg);

	if (is(fd, request, arg, GET(DMA_LOGGING_REPORT)) && report->page_size > MIGLAB_PAGE)
		return 0;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int stop_ends_log(struct device *dev, int fd, unsigned long request, void *arg)
{
	if (is(fd, request, arg, SET(MIG_DEVICE_STATE)) &&
	    *state_in(arg) == VFIO_DEVICE_STATE_STOP)
		to_emu(dev)->log.on = false;
	return emu_calls.ioctl(dev, fd, request, arg);
}

static int log_outlives_close(struct device *dev, int fd, unsigned long request, void *arg)
{
	static bool on;
	int ret;

	if (on && !to_emu(dev)->log.on && is(fd, request, arg, SET(DMA_LOGGING_START)))
		return -EBUSY;
	ret = emu_calls.ioctl(dev, fd, request, arg);
	on = to_emu(dev)->log.on;
	return ret;
}

const struct mutant device_mutants[] = {
	{ 10, "no-stop-copy",
	  "does not offer STOP_COPY",
	  { .ioctl = no_stop_copy }, 0 },
	{ 11, "odd-flags",
	  "offers a flag that is not defined",
	  { .ioctl = odd_flags }, 0 },
	{ 12, "flags-change",
	  "offers other things after a reset",
	  { .ioctl = flags_change }, 0 },
	{ 13, "state-outlives-close",
	  "opens in the state that it was closed in",
	  { .ioctl = state_outlives_close }, 0 },
	{ 14, "get-gives-fd",
	  "GET leaves data_fd 0",
	  { .ioctl = get_gives_fd }, 0 },
	{ 15, "keeps-passed-fd",
	  "leaves data_fd as it was passed in when no session begins",
	  { .ioctl = keeps_passed_fd }, 0 },
	{ 15, "failure-keeps-fd",
	  "leaves data_fd as it was passed in when a SET fails",
	  { .ioctl = failure_keeps_fd }, 0 },
	{ 15, "gives-no-fd",
	  "begins sessions without a data_fd",
	  { .ioctl = gives_no_fd }, 0 },
	{ 16, "set-too-early",
	  "SET returns before the state has changed",
	  { .ioctl = set_too_early }, 0 },
	{ 17, "same-gives-fd",
	  "SET of the present state gives a data_fd",
	  { .ioctl = same_gives_fd }, 0 },
	{ 18, "lacks-combination",
	  "refuses to go from PRE_COPY to STOP",
	  { .ioctl = lacks_combination }, 0 },
	{ 19, "any-state",
	  "takes a state that does not exist",
	  { .ioctl = any_state }, 0 },
	{ 20, "not-offered",
	  "takes PRE_COPY without offering it",
	  { .ioctl = not_offered }, MIGLAB_FLAG_STOP_COPY },
	{ 21, "way-back-ends",
	  "a refused way from STOP_COPY to PRE_COPY ends the session",
	  { .ioctl = way_back_ends }, 0 },
	{ 22, "fails-elsewhere",
	  "is in a state off the way after a SET that failed",
	  { .ioctl = fails_elsewhere }, 0 },
	{ 23, "leaves-error",
	  "goes from ERROR to STOP",
	  { .ioctl = leaves_error }, 0 },
	{ 24, "drifts",
	  "goes from STOP to RUNNING after a while",
	  { .ioctl = drifts }, 0 },
	{ 25, "refusal-breaks",
	  "goes to ERROR when a SET is invalid",
	  { .ioctl = refusal_breaks }, 0 },
	{ 25, "refusal-moves",
	  "goes to STOP when a SET is invalid",
	  { .ioctl = refusal_moves }, 0 },
	{ 25, "refusal-ends",
	  "ends the session when a SET is invalid",
	  { .ioctl = refusal_ends }, 0 },
	{ 25, "refusal-costs",
	  "loses data when a SET is invalid",
	  { .ioctl = refusal_costs }, 0 },
	{ 25, "refusal-damages",
	  "changes data when a SET is invalid",
	  { .ioctl = refusal_damages_ioctl, .read = refusal_damages_read }, 0 },
	{ 29, "second-fd",
	  "gives a second data_fd within a session",
	  { .ioctl = second_fd }, 0 },
	{ 30, "lingers",
	  "reads on after the end of the session",
	  { .read = lingers }, 0 },
	{ 31, "old-fd-reads",
	  "gives the new session to an old data_fd",
	  { .read = old_fd_reads }, 0 },
	{ 32, "leaks",
	  "has no memory left after a hundred sessions",
	  { .ioctl = leaks }, 0 },
	{ 33, "seekable",
	  "has a position in its stream",
	  { .pread = seekable }, 0 },
	{ 34, "both-directions",
	  "takes writes while it saves",
	  { .write = both_directions }, 0 },
	{ 35, "loses-in-small-reads",
	  "loses a byte in a read of one byte",
	  { .read = loses_in_small_reads }, 0 },
	{ 35, "says-too-much",
	  "says of a read that it gave a byte more than it did",
	  { .read = says_too_much }, 0 },
	{ 36, "no-empty-read",
	  "fails a read of 0 bytes",
	  { .read = no_empty_read }, 0 },
	{ 37, "bad-buffer-costs",
	  "loses what a buffer could not take",
	  { .read = bad_buffer_costs }, 0 },
	{ 38, "any-ioctl",
	  "answers any ioctl of a data_fd",
	  { .ioctl = any_ioctl }, 0 },
	{ 40, "reads-twice",
	  "gives bytes that it has not taken from the stream",
	  { .read = reads_twice }, 0 },
	{ 41, "early-close-wedges",
	  "takes no SET after a data_fd was closed early",
	  { .close = early_close_wedges_close, .ioctl = early_close_wedges_ioctl }, 0 },
	{ 44, "late-writes",
	  "takes writes after the session's end",
	  { .write = late_writes }, 0 },
	{ 46, "uninterruptible",
	  "sleeps for ever when there is nothing to read",
	  { .read = uninterruptible }, 0 },
	{ 47, "info-in-stop-copy",
	  "gives the figures in STOP_COPY",
	  { .ioctl = info_in_stop_copy }, 0 },
	{ 48, "short-argsz",
	  "takes an argument that is too short for the figures",
	  { .ioctl = short_argsz }, 0 },
	{ 49, "info-of-resuming",
	  "gives figures of a session that resumes",
	  { .ioctl = info_of_resuming }, 0 },
	{ 50, "no-info",
	  "has no figures",
	  { .ioctl = no_info }, 0 },
	{ 51, "nothing-initial",
	  "says initial_bytes 0",
	  { .ioctl = nothing_initial }, 0 },
	{ 52, "dirty-at-once",
	  "says dirty_bytes 4096 at the start",
	  { .ioctl = dirty_at_once }, 0 },
	{ 53, "initial-stays",
	  "never lets initial_bytes fall",
	  { .ioctl = initial_stays }, 0 },
	{ 53, "initial-rises",
	  "lets initial_bytes rise",
	  { .ioctl = initial_rises }, 0 },
	{ 53, "initial-jumps",
	  "lets initial_bytes fall by more than was read",
	  { .ioctl = initial_jumps }, 0 },
	{ 53, "initial-is-never-0",
	  "never comes to initial_bytes 0",
	  { .ioctl = initial_is_never_0 }, 0 },
	{ 54, "promises-too-much",
	  "doubles initial_bytes",
	  { .ioctl = promises_too_much }, 0 },
	{ 55, "echoes",
	  "leaves dirty_bytes as it was passed in",
	  { .ioctl = echoes }, 0 },
	{ 56, "minds-flags",
	  "refuses flags that mean nothing",
	  { .ioctl = minds_flags }, 0 },
	{ 57, "echoes-flags",
	  "leaves the flags as they were passed in",
	  { .ioctl = echoes_flags }, 0 },
	{ 59, "reinit-unasked",
	  "reports REINIT without an opt-in",
	  { .ioctl = reinit_unasked }, 0 },
	{ 60, "reinit-stays",
	  "reports REINIT again and again",
	  { .ioctl = reinit_stays }, 0 },
	{ 61, "ends-in-pre-copy",
	  "says 0 where ENOMSG is meant",
	  { .read = ends_in_pre_copy }, 0 },
	{ 62, "always-ready",
	  "lets poll() return without data",
	  { .poll = always_ready }, 0 },
	{ 63, "never-wakes",
	  "does not wake a poll()",
	  { .poll = never_wakes }, 0 },
	{ 64, "no-final-end",
	  "says ENOMSG at the end of the stream",
	  { .read = no_final_end }, 0 },
	{ 65, "sleeps-after-end",
	  "lets poll() sleep on a session that is over",
	  { .poll = sleeps_after_end }, 0 },
	{ 66, "wants-all-initial",
	  "refuses STOP_COPY before all initial bytes were read",
	  { .ioctl = wants_all_initial }, 0 },
	{ 67, "deaf-in-pre-copy",
	  "does not answer register reads in PRE_COPY",
	  { .pread = deaf_in_pre_copy }, 0 },
	{ 68, "restores-wrong",
	  "changes a byte of what it loads",
	  { .ioctl = restores_wrong }, 0 },
	{ 69, "not-repeatable",
	  "changes while it is stopped",
	  { .ioctl = not_repeatable }, 0 },
	{ 70, "takes-empty",
	  "accepts an empty stream",
	  { .ioctl = takes_empty }, 0 },
	{ 71, "forgives",
	  "forgets that a write() was refused",
	  { .write = forgives }, 0 },
	{ 72, "checks-no-contents",
	  "accepts damaged pages",
	  { .write = checks_no_contents_write, .ioctl = checks_no_contents_ioctl }, 0 },
	{ 73, "takes-all",
	  "takes data without end",
	  { .write = takes_all }, 0 },
	{ 74, "takes-huge",
	  "says that it took more bytes than there can be",
	  { .write = takes_huge }, 0 },
	{ 75, "one-way-to-resuming",
	  "enters RESUMING from STOP and RUNNING only",
	  { .ioctl = one_way_to_resuming }, 0 },
	{ 75, "loads-in-place",
	  "keeps through a reset what was half loaded",
	  { .ioctl = loads_in_place }, 0 },
	{ 76, "size-not-anywhere",
	  "has no MIG_DATA_SIZE in RESUMING",
	  { .ioctl = size_not_anywhere }, 0 },
	{ 77, "registers-move",
	  "changes its registers in STOP",
	  { .pread = registers_move }, 0 },
	{ 78, "no-set-up-in-stop",
	  "ignores writes to configuration space in STOP",
	  { .pwrite = no_set_up_in_stop }, 0 },
	{ 79, "crashes-in-resuming",
	  "crashes when a register is read in RESUMING",
	  { .pread = crashes_in_resuming }, 0 },
	{ 80, "writes-in-p2p",
	  "writes memory in RUNNING_P2P",
	  { .dma = writes_in_p2p }, 0 },
	{ 81, "reset-forgets-resuming",
	  "is not reset in RESUMING",
	  { .ioctl = reset_forgets_resuming }, 0 },
	{ 83, "reset-waits",
	  "lets a reset wait for the arc under way",
	  { .ioctl = reset_waits }, 0 },
	{ 83, "reset-breaks-nothing",
	  "goes on with an arc through a reset",
	  { .ioctl = reset_breaks_nothing }, 0 },
	{ 83, "reset-lets-go",
	  "comes to the end of an arc with the help of a reset",
	  { .ioctl = reset_lets_go }, 0 },
	{ 83, "arc-outlives-reset",
	  "comes to the end of an arc that a reset broke",
	  { .ioctl = arc_outlives_reset }, 0 },
	{ 84, "resets-deadlock",
	  "hangs in its tenth reset",
	  { .ioctl = resets_deadlock }, 0 },
	{ 84, "reset-fails-at-times",
	  "fails a reset that it did",
	  { .ioctl = reset_fails_at_times }, 0 },
	{ 84, "get-fails-at-times",
	  "fails a GET now and then",
	  { .ioctl = get_fails_at_times }, 0 },
	{ 85, "state-runs-away",
	  "has an impossible state after many SETs",
	  { .ioctl = state_runs_away }, 0 },
	{ 85, "set-gives-a-count",
	  "answers 1 to a SET that succeeded",
	  { .ioctl = set_gives_a_count }, 0 },
	{ 85, "moves-between-sets",
	  "changes its state without an arc",
	  { .ioctl = moves_between_sets }, 0 },
	{ 85, "sets-overlap",
	  "walks for two SETs at once",
	  { .ioctl = sets_overlap }, 0 },
	{ 86, "error-in-arc",
	  "says ERROR while an arc is under way",
	  { .ioctl = error_in_arc }, 0 },
	{ 93, "starts-twice",
	  "starts a log that is on",
	  { .ioctl = starts_twice }, 0 },
	{ 94, "no-page-size",
	  "says page_size 0",
	  { .ioctl = no_page_size }, 0 },
	{ 95, "page-size-0",
	  "logs in pages of 0 bytes",
	  { .ioctl = page_size_0 }, 0 },
	{ 96, "reports-off",
	  "reports a log that is off",
	  { .ioctl = reports_off }, 0 },
	{ 98, "reports-outside",
	  "reports what it does not log",
	  { .ioctl = reports_outside }, 0 },
	{ 99, "report-clears",
	  "clears bits of the report",
	  { .ioctl = report_clears }, 0 },
	{ 100, "forgets-writes",
	  "forgets every second write",
	  { .dma = forgets_writes }, 0 },
	{ 101, "one-page-size",
	  "reports nothing in other pages than its own",
	  { .ioctl = one_page_size }, 0 },
	{ 102, "stop-ends-log",
	  "ends the log in STOP",
	  { .ioctl = stop_ends_log }, 0 },
	{ 103, "log-outlives-close",
	  "logs on after the close",
	  { .ioctl = log_outlives_close }, 0 },
	{ }
};

/* The members that @own has, over those that are there. */
static void take_over(struct device_calls *calls, const struct device_calls *own)
{
	calls->ioctl = own->ioctl ? own->ioctl : calls->ioctl;
	calls->read = own->read ? own->read : calls->read;
	calls->write = own->write ? own->write : calls->write;
	calls->pread = own->pread ? own->pread : calls->pread;
	calls->pwrite = own->pwrite ? own->pwrite : calls->pwrite;
	calls->poll = own->poll ? own->poll : calls->poll;
	calls->close = own->close ? own->close : calls->close;
	calls->dma = own->dma ? own->dma : calls->dma;
}

int emu_mutate(struct emu *e, const char *name, struct error *err)
{
	for (const struct mutant *m = device_mutants; m->name; m++) {
		if (strcmp(m->name, name))
			continue;
		take_over(&e->calls, &m->calls);
		e->dev.flags = m->flags ? m->flags : e->dev.flags;
		return 0;
	}
	return error_set(err, -EINVAL,
			 "emu: there is no mutant \"%s\"; see miglab conform --mutants", name);
}
