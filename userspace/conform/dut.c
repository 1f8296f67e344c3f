// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device under test, in the words of the cases.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conform/case.h"
#include "device/lab.h"
#include "device/state.h"

#define FILL		0xa5
#define DMA_LIMIT_MS	20000
#define STREAM_MAX	(64u << 20)	/* no stream of a device under test is larger */

const char *result_text(long long result, char buf[24])
{
	const char *name = result < 0 && result > -4096 ? strerrorname_np(-result) : NULL;

	if (name)
		return name;
	snprintf(buf, 24, "%lld", result);
	return buf;
}

void require_result(struct conform *c, long long got, long long want, const char *fmt, ...)
{
	char what[256], a[24], b[24];
	va_list args;

	if (got == want)
		return;
	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	conform_fail(c, "%s: %s instead of %s", what, result_text(got, a), result_text(want, b));
}

void dut_open(struct conform *c)
{
	struct error err = { "" };

	if (device_open(c->spec, &c->dev, &err))
		conform_fail(c, "cannot open it again: %s", err.text);
	c->flags = c->dev->flags;
	if (c->pulse)
		pulse_attach(c->pulse, c->dev);
	if (c->dev->lab && !c->keep_rules)
		dut_lab(c, "rules", "\n");
}

void dut_close(struct conform *c)
{
	c->dev->ops->close(c->dev);
	c->dev = NULL;
}

int dut_feature_raw(struct conform *c, uint32_t argsz, uint32_t flags, void *payload, size_t size)
{
	union {
		struct vfio_device_feature head;
		char bytes[sizeof(struct vfio_device_feature) + 256];
	} arg = { .head = { .argsz = argsz, .flags = flags } };
	int ret;

	memcpy(arg.head.data, payload, size);
	ret = c->dev->calls->ioctl(c->dev, DEVICE_SELF, VFIO_DEVICE_FEATURE, &arg);
	memcpy(payload, arg.head.data, size);
	return ret;
}

int dut_feature(struct conform *c, uint32_t flags, void *payload, size_t size)
{
	return dut_feature_raw(c, sizeof(struct vfio_device_feature) + size, flags, payload, size);
}

int dut_set(struct conform *c, uint32_t want, int *ret_fd)
{
	struct vfio_device_feature_mig_state state = { .device_state = want, .data_fd = -1 };
	int ret = dut_feature(c, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
			      &state, sizeof(state));

	*ret_fd = state.data_fd;
	return ret;
}

int dut_go(struct conform *c, uint32_t state)
{
	int fd;

	require_result(c, dut_set(c, state, &fd), 0, "SET %s", device_state_name(state));
	return fd;
}

uint32_t dut_state(struct conform *c)
{
	struct vfio_device_feature_mig_state state = { .data_fd = -1 };

	require_result(c, dut_feature(c, VFIO_DEVICE_FEATURE_GET |
				      VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, &state, sizeof(state)),
		       0, "GET of the state");
	return state.device_state;
}

void require_state(struct conform *c, uint32_t state, const char *when)
{
	uint32_t is = dut_state(c);

	require(c, is == state, "%s the state is %s (%u) instead of %s", when,
		device_state_name(is), is, device_state_name(state));
}

bool dut_offers(const struct conform *c, uint32_t state)
{
	switch (state) {
	case VFIO_DEVICE_STATE_ERROR:
		return false;
	case VFIO_DEVICE_STATE_RUNNING_P2P:
		return c->flags & VFIO_MIGRATION_P2P;
	case VFIO_DEVICE_STATE_PRE_COPY:
		return c->flags & VFIO_MIGRATION_PRE_COPY;
	case VFIO_DEVICE_STATE_PRE_COPY_P2P:
		return c->flags & VFIO_MIGRATION_PRE_COPY && c->flags & VFIO_MIGRATION_P2P;
	default:
		return state <= VFIO_DEVICE_STATE_RESUMING;
	}
}

void dut_reset(struct conform *c)
{
	int ret = dut_ioctl(c, DEVICE_SELF, VFIO_DEVICE_RESET, NULL);

	if (ret == -EINVAL || ret == -ENOTTY)
		conform_skip(c, "the function has no reset method");
	require_result(c, ret, 0, "VFIO_DEVICE_RESET");
}

void dut_home(struct conform *c)
{
	int fd;

	if (dut_state(c) == VFIO_DEVICE_STATE_RESUMING ||
	    dut_set(c, VFIO_DEVICE_STATE_RUNNING, &fd))
		dut_reset(c);
}

int dut_ioctl(struct conform *c, int fd, unsigned long request, void *arg)
{
	return c->dev->calls->ioctl(c->dev, fd, request, arg);
}

ssize_t dut_read(struct conform *c, int fd, void *buf, size_t size)
{
	return c->dev->calls->read(c->dev, fd, buf, size);
}

ssize_t dut_write(struct conform *c, int fd, const void *buf, size_t size)
{
	return c->dev->calls->write(c->dev, fd, buf, size);
}

int dut_poll(struct conform *c, int fd, short events, int timeout_ms)
{
	return c->dev->calls->poll(c->dev, fd, events, timeout_ms);
}

void dut_close_fd(struct conform *c, int fd)
{
	require_result(c, c->dev->calls->close(c->dev, fd), 0, "close of a data_fd");
}

int dut_fileno(struct conform *c, int fd)
{
	int real = c->dev->calls->fileno(c->dev, fd);

	require(c, real >= 0, "there is no descriptor behind it");
	return real;
}

int dut_info_raw(struct conform *c, int fd, struct vfio_precopy_info *info)
{
	return dut_ioctl(c, fd, VFIO_MIG_GET_PRECOPY_INFO, info);
}

struct vfio_precopy_info dut_info(struct conform *c, int fd)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };

	require_result(c, dut_info_raw(c, fd, &info), 0, "VFIO_MIG_GET_PRECOPY_INFO");
	return info;
}

void dut_lab(struct conform *c, const char *attribute, const char *text)
{
	struct error err = { "" };

	if (c->dev->lab->ops->write(c->dev->lab, attribute, text, &err))
		conform_fail(c, "%s", err.text);
}

char *dut_lab_text(struct conform *c, const char *attribute)
{
	struct error err = { "" };
	char *text = NULL;

	if (c->dev->lab->ops->read(c->dev->lab, attribute, &text, &err))
		conform_fail(c, "%s", err.text);
	return text;
}

void dut_wait_held(struct conform *c)
{
	for (;;) {
		char *held = dut_lab_text(c, "held");
		bool none = !strncmp(held, "none", 4);

		free(held);
		if (!none)
			return;
		usleep(1000);
	}
}

bool dut_region(struct conform *c, unsigned int index, off_t *ret_offset, size_t *ret_size)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	if (dut_ioctl(c, DEVICE_SELF, VFIO_DEVICE_GET_REGION_INFO, &info) ||
	    !info.size || !(info.flags & VFIO_REGION_INFO_FLAG_READ))
		return false;
	*ret_offset = info.offset;
	*ret_size = info.size;
	return true;
}

const uint8_t *dut_memory(struct conform *c, uint64_t iova, uint64_t length)
{
	struct error err = { "" };
	uint8_t *bytes = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);

	require(c, bytes != MAP_FAILED, "no memory for the device: %s", strerror(errno));
	memset(bytes, FILL, length);
	if (c->dev->ops->map(c->dev, iova, bytes, length, &err))
		conform_fail(c, "%s", err.text);
	return bytes;
}

bool dut_untouched(const uint8_t *bytes, uint64_t length)
{
	for (uint64_t i = 0; i < length; i++)
		if (bytes[i] != FILL)
			return false;
	return true;
}

void dut_dma(struct conform *c, uint64_t iova, uint64_t length)
{
	require_result(c, c->dev->calls->dma(c->dev, iova, length), 0, "giving the device work");
}

void dut_dma_wait(struct conform *c)
{
	require_result(c, c->dev->calls->dma_wait(c->dev, DMA_LIMIT_MS), 0,
		       "waiting until the device has done its work");
}

struct bytes dut_drain(struct conform *c, int fd, size_t piece, ssize_t *ret_end)
{
	struct bytes out = { NULL, 0 };
	ssize_t n = 1;

	while (n > 0) {
		out.data = realloc(out.data, out.size + piece);
		require(c, out.data && out.size < STREAM_MAX, "its stream does not end");
		n = dut_read(c, fd, out.data + out.size, piece);
		require(c, n <= (ssize_t)piece, "read() of %zu bytes gave %zd", piece, n);
		out.size += n > 0 ? n : 0;
	}
	*ret_end = n;
	return out;
}

struct bytes dut_save(struct conform *c)
{
	struct bytes stream;
	ssize_t end;
	int fd;

	dut_go(c, VFIO_DEVICE_STATE_STOP);
	fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);
	stream = dut_drain(c, fd, 65536, &end);
	require_result(c, end, 0, "read() at the end of the stream");
	require(c, stream.size, "the stream is empty");
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	dut_close_fd(c, fd);
	return stream;
}

int dut_feed(struct conform *c, int fd, struct bytes stream, size_t piece)
{
	while (stream.size) {
		size_t size = piece < stream.size ? piece : stream.size;
		ssize_t n = dut_write(c, fd, stream.data, size);

		if (n < 0)
			return n;
		require(c, n > 0 && (size_t)n <= stream.size, "write() took %zd of %zu bytes", n,
			stream.size);
		stream.data += n;
		stream.size -= n;
	}
	return 0;
}

int dut_load(struct conform *c, struct bytes stream, size_t piece)
{
	int fd = dut_go(c, VFIO_DEVICE_STATE_RESUMING), no_fd;
	int ret = dut_feed(c, fd, stream, piece);

	ret = dut_set(c, VFIO_DEVICE_STATE_STOP, &no_fd) ?: ret;
	dut_close_fd(c, fd);
	return ret;
}

int dut_enter(struct conform *c, uint32_t state, struct bytes stream)
{
	int fd = dut_go(c, state);

	if (state == VFIO_DEVICE_STATE_RESUMING)
		require_result(c, dut_feed(c, fd, stream, 65536), 0, "write() of its own stream");
	return fd;
}
