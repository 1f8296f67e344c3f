// SPDX-License-Identifier: GPL-2.0-only
/*
 * The uAPI of an emulated device: what VFIO's core, the file system and the driver
 * would answer together. Its data_fds are numbers of its own.
 */
#include <limits.h>
#include <linux/pci_regs.h>
#include <poll.h>

#include "base/clock.h"
#include "device/emu.h"

#define FEATURE_WAYS	(VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET)
#define CONFIG_BYTES	256u
#define REGION(index)	((off_t)(index) << 40)

static struct emu *to_emu(struct device *dev)
{
	return (struct emu *)dev;
}

/* Would the kernel reach the user's memory there? The first page stands for all that is not. */
static bool reachable(const void *user)
{
	return (uintptr_t)user >= MIGLAB_PAGE;
}

bool emu_may_write(u32 state)
{
	return miglab_synthetic_active(state);
}

/* --- data_fds --- */

static int handle_add(struct emu *e, u64 session, bool resuming)
{
	int fd = -EMFILE;

	pthread_mutex_lock(&e->lock);
	for (int i = 0; i < (int)EMU_HANDLES && fd < 0; i++) {
		if (e->handles[i].session)
			continue;
		e->handles[i] = (struct emu_handle){ session, resuming };
		fd = EMU_FIRST_HANDLE + i;
	}
	pthread_mutex_unlock(&e->lock);
	return fd;
}

static int handle_get(struct emu *e, int fd, struct emu_handle *ret)
{
	const int i = fd - EMU_FIRST_HANDLE;
	struct emu_handle handle = { 0 };

	pthread_mutex_lock(&e->lock);
	if (i >= 0 && i < (int)EMU_HANDLES)
		handle = e->handles[i];
	pthread_mutex_unlock(&e->lock);
	if (!handle.session)
		return -EBADF;
	*ret = handle;
	return 0;
}

static int call_close(struct device *dev, int fd)
{
	struct emu *e = to_emu(dev);
	struct emu_handle handle;
	int ret = handle_get(e, fd, &handle);

	if (ret)
		return ret;
	pthread_mutex_lock(&e->lock);
	e->handles[fd - EMU_FIRST_HANDLE].session = 0;
	pthread_mutex_unlock(&e->lock);
	emu_session_close(e, handle.session);
	return 0;
}

/* --- VFIO_DEVICE_FEATURE --- */

static u64 open_session(struct emu *e, bool *ret_resuming)
{
	u64 id = 0;

	pthread_mutex_lock(&e->model_lock);
	if (e->session) {
		id = e->session->id;
		*ret_resuming = e->session->resuming;
	}
	pthread_mutex_unlock(&e->model_lock);
	return id;
}

static int set_state(struct emu *e, void *payload)
{
	struct vfio_device_feature_mig_state *state = payload;
	bool resuming = false;
	u64 before, after;
	int ret;

	state->data_fd = -1;
	pthread_mutex_lock(&e->set_lock);
	before = open_session(e, &resuming);
	ret = emu_set_state(&e->dev, state->device_state, NULL);
	after = open_session(e, &resuming);
	if (!ret && after && after != before) {
		ret = handle_add(e, after, resuming);
		state->data_fd = ret < 0 ? -1 : ret;
	}
	if (ret >= 0) {
		ret = 0;
		pthread_mutex_lock(&e->model_lock);
		pthread_mutex_lock(&e->lock);
		emu_log_resume(e);
		pthread_mutex_unlock(&e->lock);
		pthread_mutex_unlock(&e->model_lock);
	}
	pthread_mutex_unlock(&e->set_lock);
	return ret;
}

static int get_state(struct emu *e, void *payload)
{
	struct vfio_device_feature_mig_state *state = payload;

	pthread_mutex_lock(&e->lock);
	state->device_state = e->state;
	pthread_mutex_unlock(&e->lock);
	state->data_fd = -1;
	return 0;
}

static int get_flags(struct emu *e, void *payload)
{
	((struct vfio_device_feature_migration *)payload)->flags = e->dev.flags;
	return 0;
}

static int get_data_size(struct emu *e, void *payload)
{
	struct vfio_device_feature_mig_data_size *size = payload;
	uint64_t bytes;
	int ret = emu_data_size(&e->dev, &bytes, NULL);

	if (!ret)
		size->stop_copy_length = bytes;
	return ret;
}

static int opt_in(struct emu *e, void *payload)
{
	(void)payload;
	e->opted_in = true;
	return 0;
}

static int log_start(struct emu *e, void *payload)
{
	int ret;

	pthread_mutex_lock(&e->lock);
	ret = emu_log_start(e, payload);
	pthread_mutex_unlock(&e->lock);
	return ret;
}

static int log_stop(struct emu *e, void *payload)
{
	int ret;

	(void)payload;
	pthread_mutex_lock(&e->lock);
	ret = emu_log_stop(e);
	pthread_mutex_unlock(&e->lock);
	return ret;
}

static int log_report(struct emu *e, void *payload)
{
	int ret;

	pthread_mutex_lock(&e->lock);
	ret = emu_log_report(e, payload);
	pthread_mutex_unlock(&e->lock);
	return ret;
}

static const struct feature {
	u32 id;
	size_t size;	/* of the payload */
	int (*get)(struct emu *e, void *payload);
	int (*set)(struct emu *e, void *payload);
} features[] = {
	{ VFIO_DEVICE_FEATURE_MIGRATION, sizeof(struct vfio_device_feature_migration),
	  get_flags, NULL },
	{ VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, sizeof(struct vfio_device_feature_mig_state),
	  get_state, set_state },
	{ VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, sizeof(struct vfio_device_feature_mig_data_size),
	  get_data_size, NULL },
	{ VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2, 0, NULL, opt_in },
	{ VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
	  sizeof(struct vfio_device_feature_dma_logging_control), NULL, log_start },
	{ VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, 0, NULL, log_stop },
	{ VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
	  sizeof(struct vfio_device_feature_dma_logging_report), log_report, NULL },
};

static int call_feature(struct emu *e, struct vfio_device_feature *arg)
{
	const u32 ways = FEATURE_WAYS | VFIO_DEVICE_FEATURE_PROBE;
	const u32 asked = arg->flags & FEATURE_WAYS;
	const struct feature *f = NULL;

	if (arg->argsz < sizeof(*arg) || arg->flags & ~(VFIO_DEVICE_FEATURE_MASK | ways) ||
	    (asked == FEATURE_WAYS && !(arg->flags & VFIO_DEVICE_FEATURE_PROBE)))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (features[i].id == (arg->flags & VFIO_DEVICE_FEATURE_MASK))
			f = &features[i];
	if (!f)
		return -ENOTTY;
	if (f->set == opt_in && !(e->dev.flags & MIGLAB_FLAG_PRE_COPY))
		return -EINVAL;
	if ((asked & VFIO_DEVICE_FEATURE_GET && !f->get) ||
	    (asked & VFIO_DEVICE_FEATURE_SET && !f->set))
		return -EINVAL;
	if (arg->flags & VFIO_DEVICE_FEATURE_PROBE)
		return 0;
	if (!asked || arg->argsz < sizeof(*arg) + f->size)
		return -EINVAL;
	return asked & VFIO_DEVICE_FEATURE_GET ? f->get(e, arg->data) : f->set(e, arg->data);
}

/* --- the rest of ioctl --- */

static int call_precopy_info(struct emu *e, u64 session, struct vfio_precopy_info *arg)
{
	struct precopy_info info;
	int ret;

	if (arg->argsz < sizeof(*arg))
		return -EINVAL;
	ret = emu_session_info(e, session, &info, NULL);
	if (ret)
		return ret == -EBADF ? -ENODEV : ret;
	arg->flags = info.reinit && e->opted_in ? VFIO_PRECOPY_INFO_REINIT : 0;
	arg->initial_bytes = info.initial_bytes;
	arg->dirty_bytes = info.dirty_bytes;
	return 0;
}

static int call_region_info(struct vfio_region_info *info)
{
	if (info->argsz < offsetof(struct vfio_region_info, offset) + sizeof(info->offset) ||
	    info->index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;
	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	info->offset = REGION(info->index);
	info->size = info->index == VFIO_PCI_BAR0_REGION_INDEX ? EMU_BAR_BYTES :
		     info->index == VFIO_PCI_CONFIG_REGION_INDEX ? CONFIG_BYTES : 0;
	return 0;
}

static int call_device_ioctl(struct emu *e, unsigned long request, void *arg)
{
	if (request == VFIO_DEVICE_RESET)
		return emu_reset(&e->dev, NULL);
	if (!reachable(arg))
		return -EFAULT;
	if (request == VFIO_DEVICE_FEATURE)
		return call_feature(e, arg);
	return request == VFIO_DEVICE_GET_REGION_INFO ? call_region_info(arg) : -ENOTTY;
}

static int call_ioctl(struct device *dev, int fd, unsigned long request, void *arg)
{
	struct emu *e = to_emu(dev);
	struct emu_handle handle;
	int ret;

	if (fd == DEVICE_SELF)
		return call_device_ioctl(e, request, arg);
	ret = handle_get(e, fd, &handle);
	if (ret)
		return ret;
	if (handle.resuming || request != VFIO_MIG_GET_PRECOPY_INFO)
		return -ENOTTY;
	return reachable(arg) ? call_precopy_info(e, handle.session, arg) : -EFAULT;
}

/* --- bytes --- */

static ssize_t call_read(struct device *dev, int fd, void *buf, size_t size)
{
	struct emu *e = to_emu(dev);
	struct emu_handle handle;
	ssize_t ret = handle_get(e, fd, &handle);

	if (ret || handle.resuming)
		return -EBADF;
	if (!size)
		return 0;
	if (!reachable(buf) || size > SSIZE_MAX)
		return -EFAULT;
	ret = emu_session_read(e, handle.session, buf, size);
	return ret == -EBADF ? -ENODEV : ret;
}

static ssize_t call_write(struct device *dev, int fd, const void *buf, size_t size)
{
	struct emu *e = to_emu(dev);
	struct emu_handle handle;
	ssize_t ret = handle_get(e, fd, &handle);

	if (ret || !handle.resuming)
		return -EBADF;
	if (!size)
		return 0;
	if (!reachable(buf) || size > SSIZE_MAX - MIGLAB_PAGE)
		return -EFAULT;
	ret = emu_session_write(e, handle.session, buf, size);
	return ret == -EBADF ? -ENODEV : ret;
}

/* The registers: BAR 0 is memory, of configuration space one register can be written. */
static ssize_t access_region(struct emu *e, void *into, const void *from, size_t size, off_t offset)
{
	const int index = offset >> 40;
	const size_t at = offset - REGION(index);
	const size_t limit = index == VFIO_PCI_BAR0_REGION_INDEX ? EMU_BAR_BYTES :
			     index == VFIO_PCI_CONFIG_REGION_INDEX ? CONFIG_BYTES : 0;
	u8 *bytes = index == VFIO_PCI_CONFIG_REGION_INDEX ? e->config : e->region;

	if (at > limit || size > limit - at)
		return -EINVAL;
	pthread_mutex_lock(&e->lock);
	if (into)
		memcpy(into, bytes + at, size);
	else if (from && (bytes == e->region || at == PCI_INTERRUPT_LINE))
		memcpy(bytes + at, from, size);
	pthread_mutex_unlock(&e->lock);
	return size;
}

static ssize_t call_pread(struct device *dev, int fd, void *buf, size_t size, off_t offset)
{
	if (fd != DEVICE_SELF)
		return -ESPIPE;
	return access_region(to_emu(dev), buf, NULL, size, offset);
}

static ssize_t call_pwrite(struct device *dev, int fd, const void *buf, size_t size, off_t offset)
{
	if (fd != DEVICE_SELF)
		return -ESPIPE;
	return access_region(to_emu(dev), NULL, buf, size, offset);
}

static int call_poll(struct device *dev, int fd, short events, int timeout_ms)
{
	struct emu *e = to_emu(dev);
	struct emu_handle handle;
	bool resuming = false;
	int ret = handle_get(e, fd, &handle);

	if (ret)
		return POLLNVAL;
	if (open_session(e, &resuming) != handle.session)
		return (events & (POLLIN | POLLOUT)) | POLLHUP | POLLERR;
	if (handle.resuming)
		return events & POLLOUT;
	if (!(events & POLLIN))
		return 0;
	ret = emu_session_wait(e, handle.session, timeout_ms);
	return ret < 0 ? POLLIN | POLLHUP | POLLERR : ret ? POLLIN : 0;
}

static int call_dma(struct device *dev, uint64_t iova, uint64_t length)
{
	struct emu *e = to_emu(dev);
	int ret;

	if (!length)
		return 0;
	pthread_mutex_lock(&e->model_lock);
	pthread_mutex_lock(&e->lock);
	ret = emu_log_write(e, iova, length);
	pthread_mutex_unlock(&e->lock);
	pthread_mutex_unlock(&e->model_lock);
	return ret;
}

/* No work takes it time: what is pending waits for another state, so nobody else need. */
static int call_dma_wait(struct device *dev, int timeout_ms)
{
	struct emu *e = to_emu(dev);
	bool pending;

	(void)timeout_ms;
	pthread_mutex_lock(&e->lock);
	pending = e->log.pending;
	pthread_mutex_unlock(&e->lock);
	return pending ? -ETIMEDOUT : 0;
}

static int call_fileno(struct device *dev, int fd)
{
	(void)dev;
	(void)fd;
	return -EBADF;
}

static int call_group(struct device *dev)
{
	(void)dev;
	return -EBADF;
}

static int call_sysfs(struct device *dev, char *ret_path, size_t size)
{
	(void)dev;
	(void)ret_path;
	(void)size;
	return -ENOENT;
}

const struct device_calls emu_calls = {
	.ioctl = call_ioctl,
	.read = call_read,
	.write = call_write,
	.pread = call_pread,
	.pwrite = call_pwrite,
	.poll = call_poll,
	.close = call_close,
	.dma = call_dma,
	.dma_wait = call_dma_wait,
	.fileno = call_fileno,
	.group = call_group,
	.sysfs = call_sysfs,
};
