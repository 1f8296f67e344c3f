// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/mover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "device/lab.h"
#include "device/state.h"
#include "vmm/framing.h"
#include "vmm/transfer.h"

int mover_init(struct mover *m, struct device *device, const char *id)
{
	*m = (struct mover){ .device = device, .id = id };
	m->buf = malloc(FRAME_HEADER_BYTES + FRAME_DATA_MAX);
	return m->buf ? 0 : -ENOMEM;
}

void mover_fini(struct mover *m)
{
	free(m->buf);
}

static int send_all(struct mover *m, int fd, size_t len, struct error *err)
{
	int ret = transfer_send(fd, m->buf, len);

	return ret ? error_set(err, ret, "%s: cannot send its state: %s", m->id, strerror(-ret)) :
		     0;
}

static int receive_all(struct mover *m, int fd, uint8_t *buf, size_t len, struct error *err)
{
	int ret = transfer_receive(fd, buf, len);

	if (ret == -EPIPE)
		return error_set(err, ret,
				 "%s: its data ended after %llu bytes, before the end mark",
				 m->id, (unsigned long long)m->total);
	return ret ? error_set(err, ret, "%s: cannot receive its state: %s", m->id,
			       strerror(-ret)) : 0;
}

/*
 * Reads once from the device and sends what came.
 *
 * Return: bytes, 0 at the end of the stream, -ENOMSG for nothing now, or an error.
 */
static ssize_t send_some(struct mover *m, int fd, struct work_result *r)
{
	uint64_t begin = clock_ns();
	ssize_t n = m->device->ops->read(m->device, m->buf + FRAME_HEADER_BYTES, FRAME_DATA_MAX);
	int ret;

	if (n == 0 || n == -ENOMSG)
		return n;
	if (n < 0)
		return error_set(&r->text, n, "%s: cannot read its state: %s", m->id, strerror(-n));
	frame_put_header(m->buf, FRAME_DATA, n);
	ret = send_all(m, fd, FRAME_HEADER_BYTES + n, &r->text);
	if (ret)
		return ret;
	m->total += n;
	r->bytes += n;
	r->busy_ns += clock_ns() - begin;
	return n;
}

static int send_mark(struct mover *m, int fd, enum frame_type type, struct error *err)
{
	frame_put_header(m->buf, type, 0);
	return send_all(m, fd, FRAME_HEADER_BYTES, err);
}

/* An estimate, for reports only. */
static void ask_size(struct mover *m, struct work_result *r)
{
	struct error why;

	if (m->device->ops->data_size(m->device, &r->size, &why))
		r->size = 0;
}

static int do_info(struct mover *m, const struct work *work, struct work_result *r)
{
	int ret = m->device->ops->precopy_info(m->device, &r->info, &r->text);

	(void)work;
	if (ret)
		return error_set(&r->text, ret, "%s: cannot get its pre-copy figures: %s", m->id,
				 strerror(-ret));
	if (r->info.reinit && m->announced) {
		m->announced = false;
		r->reinit = true;
	}
	ask_size(m, r);
	return 0;
}

static int do_pass(struct mover *m, const struct work *work, struct work_result *r)
{
	const struct device_ops *ops = m->device->ops;
	ssize_t n = 0;
	int ret;

	if (m->idle) {
		ret = ops->wait(m->device, WORK_IDLE_MS);
		if (ret < 0)
			return error_set(&r->text, ret, "%s: cannot wait for its data: %s", m->id,
					 strerror(-ret));
	}
	while (r->bytes < WORK_PASS_BYTES) {
		n = send_some(m, work->fd, r);
		if (n <= 0)
			break;
	}
	if (n < 0 && n != -ENOMSG)
		return n;
	m->idle = n <= 0;
	ret = do_info(m, work, r);
	if (!ret && work->ack && !m->announced && !r->info.initial_bytes) {
		m->announced = true;
		ret = send_mark(m, work->fd, FRAME_INITIAL, &r->text);
	}
	return ret;
}

static int do_save(struct mover *m, const struct work *work, struct work_result *r)
{
	ssize_t n;
	int ret;

	if (work->again) {
		ret = send_mark(m, work->fd, FRAME_AGAIN, &r->text);
		if (ret)
			return ret;
	}
	do {
		n = send_some(m, work->fd, r);
	} while (n > 0);
	if (n == -ENOMSG)
		return error_set(&r->text, -EPROTO,
				 "%s: the driver says ENOMSG in STOP_COPY, where only data or the end may come",
				 m->id);
	if (n < 0)
		return n;
	frame_put_header(m->buf, FRAME_END, 8);
	frame_put_u64(m->buf + FRAME_HEADER_BYTES, m->total);
	ret = send_all(m, work->fd, FRAME_HEADER_BYTES + 8, &r->text);
	/* What is in a file is safe now; other peers say so themselves. */
	if (!ret && fdatasync(work->fd) && errno != EINVAL)
		ret = error_set(&r->text, -errno, "%s: cannot write its state to disk: %s", m->id,
				strerror(errno));
	return ret;
}

/* A device of miglab's takes the state of one like itself: the way out, for that mistake. */
static void add_hint(struct mover *m, int ret, struct error *err)
{
	struct lab *lab = m->device->lab;
	size_t len = strlen(err->text);
	char *bytes;

	if (ret != -EINVAL || !lab || lab->ops->read(lab, "state_bytes", &bytes, NULL))
		return;
	bytes[strcspn(bytes, "\n")] = '\0';
	snprintf(err->text + len, sizeof(err->text) - len,
		 "; it takes that of a device with the same PCI ids and a state of %s bytes: give both sides the same device and state_bytes",
		 bytes);
	free(bytes);
}

static int write_all(struct mover *m, size_t len, struct error *err)
{
	for (size_t done = 0; done < len; ) {
		ssize_t n = m->device->ops->write(m->device, m->buf + done, len - done);

		if (n == 0)
			n = -EIO;
		if (n < 0) {
			error_set(err, n, "%s: the device refuses its state after %llu bytes: %s",
				  m->id, (unsigned long long)m->total + done, strerror(-n));
			if (!m->total)
				add_hint(m, n, err);
			return n;
		}
		done += n;
	}
	return 0;
}

static int take_data(struct mover *m, uint32_t length, struct work_result *r)
{
	int ret = write_all(m, length, &r->text);

	if (!ret) {
		m->total += length;
		r->bytes += length;
	}
	return ret;
}

static int take_end(struct mover *m, struct work_result *r)
{
	if (frame_u64(m->buf) == m->total)
		return 1;
	return error_set(&r->text, -EPROTO, "%s: %llu bytes came where the end mark says %llu",
			 m->id, (unsigned long long)m->total,
			 (unsigned long long)frame_u64(m->buf));
}

static int take_initial(struct mover *m, const struct work *work, struct work_result *r)
{
	r->initial = work->ack;
	if (work->ack)
		return 1;
	return error_set(&r->text, -EPROTO,
			 "%s: Received INIT_DATA_SENT but switchover ack is not used", m->id);
}

/* Only a reset makes a device forget what it was fed. */
static int take_again(struct mover *m, struct work_result *r)
{
	const struct device_ops *ops = m->device->ops;
	int ret = ops->reset(m->device, &r->text);

	if (!ret)
		ret = ops->set_state(m->device, VFIO_DEVICE_STATE_RESUMING, &r->text);
	if (ret)
		return error_prefix(&r->text, ret, "%s: cannot take its state from the beginning",
				    m->id);
	m->total = 0;
	return 0;
}

/* Takes one frame; 1 after the last one of this command. */
static int load_frame(struct mover *m, const struct work *work, struct work_result *r)
{
	uint8_t header[FRAME_HEADER_BYTES];
	enum frame_type type;
	uint32_t length;
	int ret;

	ret = receive_all(m, work->fd, header, sizeof(header), &r->text);
	if (!ret)
		ret = frame_header(header, &type, &length) ?
			error_set(&r->text, -EPROTO, "%s: malformed data after %llu bytes", m->id,
				  (unsigned long long)m->total) :
			receive_all(m, work->fd, m->buf, length, &r->text);
	if (ret)
		return ret;
	switch (type) {
	case FRAME_DATA:
		return take_data(m, length, r);
	case FRAME_END:
		return take_end(m, r);
	case FRAME_INITIAL:
		return take_initial(m, work, r);
	case FRAME_AGAIN:
		return take_again(m, r);
	default:
		return error_set(&r->text, -EPROTO, "%s: malformed data after %llu bytes", m->id,
				 (unsigned long long)m->total);
	}
}

static int do_load(struct mover *m, const struct work *work, struct work_result *r)
{
	int ret;

	do {
		ret = load_frame(m, work, r);
	} while (ret == 0);
	return ret < 0 ? ret : 0;
}

/* Whether it worked or not, @r says where the device is: a device that does not say is lost. */
static int ask_state(struct mover *m, struct work_result *r, struct error *err)
{
	int ret = m->device->ops->get_state(m->device, &r->state, err);

	if (!ret && r->state > VFIO_DEVICE_STATE_PRE_COPY_P2P)
		ret = error_set(err, -EPROTO,
				"the driver says that it is in state %u, and there is none of that number",
				r->state);
	if (ret)
		r->state = VFIO_DEVICE_STATE_ERROR;
	return ret;
}

/* @r says where the device is afterwards. The error is that of the change which was wanted. */
static int change_state(struct mover *m, const struct work *work, struct work_result *r)
{
	const struct device_ops *ops = m->device->ops;
	struct error why;
	int ret;

	r->state = work->state;
	ret = ops->set_state(m->device, work->state, &r->text);
	/* The change took place, only its session is of no use. */
	if (!ret || ret == -EBADFD)
		return ret ? error_prefix(&r->text, ret, "%s", m->id) : 0;
	error_set(&r->text, ret, "%s: cannot go to %s: %s", m->id, device_state_name(work->state),
		  device_strerror(-ret));
	if (work->recover == WORK_STAY) {
		ask_state(m, r, &why);
		return ret;
	}
	r->state = work->recover;
	if (work->recover != VFIO_DEVICE_STATE_ERROR &&
	    !ops->set_state(m->device, work->recover, &why))
		return ret;
	r->state = ops->reset(m->device, &why) ? VFIO_DEVICE_STATE_ERROR :
						 VFIO_DEVICE_STATE_RUNNING;
	return ret;
}

/* A stream lasts as long as the device stays in the saving group. */
static void note_state(struct mover *m, struct work_result *r)
{
	if (device_state_is_saving(r->state)) {
		ask_size(m, r);
	} else {
		m->total = 0;
		m->idle = m->announced = false;
	}
}

static int do_set(struct mover *m, const struct work *work, struct work_result *r)
{
	int ret = change_state(m, work, r);

	note_state(m, r);
	return ret;
}

static int do_state(struct mover *m, const struct work *work, struct work_result *r)
{
	int ret = ask_state(m, r, &r->text);

	(void)work;
	if (ret)
		return error_prefix(&r->text, ret, "%s", m->id);
	note_state(m, r);
	return 0;
}

static int do_reset(struct mover *m, const struct work *work, struct work_result *r)
{
	int ret = m->device->ops->reset(m->device, &r->text);

	if (!ret)
		return do_state(m, work, r);
	r->state = VFIO_DEVICE_STATE_ERROR;
	return error_prefix(&r->text, ret, "%s", m->id);
}

static int do_end(struct mover *m, const struct work *work, struct work_result *r)
{
	(void)work;
	(void)r;
	m->device->ops->end_session(m->device);
	return 0;
}

void mover_do(void *mover, const struct work *work, struct work_result *ret_result)
{
	static int (*const op[])(struct mover *m, const struct work *w, struct work_result *r) = {
		[WORK_SET] = do_set,
		[WORK_STATE] = do_state,
		[WORK_RESET] = do_reset,
		[WORK_PASS] = do_pass,
		[WORK_INFO] = do_info,
		[WORK_SAVE] = do_save,
		[WORK_LOAD] = do_load,
		[WORK_END] = do_end,
	};
	struct mover *m = mover;

	*ret_result = (struct work_result){ .op = work->op, .enter_ns = clock_ns() };
	ret_result->error = op[work->op](m, work, ret_result);
	ret_result->return_ns = clock_ns();
}
