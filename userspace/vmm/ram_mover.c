// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/ram_mover.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "device/ops.h"
#include "device/state.h"
#include "vmm/framing.h"
#include "vmm/transfer.h"

#define WHAT	"the memory"	/* in messages, where a device has its id */

int ram_mover_init(struct ram_mover *m, struct memory *memory, struct device *const *devices,
		   unsigned int count, struct workload *workload)
{
	int ret;

	*m = (struct ram_mover){
		.memory = memory, .devices = devices, .count = count, .workload = workload,
		.state = VFIO_DEVICE_STATE_RUNNING,
	};
	ret = ram_init(&m->ram, memory->bytes, memory->size);
	if (ret)
		return ret;
	m->written = calloc(ram_words(&m->ram), sizeof(*m->written));
	m->buf = malloc(FRAME_HEADER_BYTES + FRAME_DATA_MAX);
	if (m->written && m->buf)
		return 0;
	ram_mover_fini(m);
	return -ENOMEM;
}

void ram_mover_fini(struct ram_mover *m)
{
	ram_fini(&m->ram);
	free(m->written);
	free(m->buf);
	m->written = NULL;
	m->buf = NULL;
}

static void untrack(struct ram_mover *m)
{
	for (; m->tracking; m->tracking--)
		m->devices[m->tracking - 1]->ops->untrack(m->devices[m->tracking - 1]);
}

static int track(struct ram_mover *m, struct error *err)
{
	int ret = 0;

	while (!ret && m->tracking < m->count) {
		struct device *d = m->devices[m->tracking];

		ret = d->ops->track(d, 0, m->memory->size, err);
		m->tracking += !ret;
	}
	if (ret)
		untrack(m);
	return ret;
}

/* What was written by anyone since the last time; a pass is over. */
static int sync_pages(struct ram_mover *m, struct error *err)
{
	int ret = 0;

	memset(m->written, 0, ram_words(&m->ram) * sizeof(*m->written));
	memory_collect(m->memory, m->written);
	for (unsigned int i = 0; !ret && i < m->tracking; i++)
		ret = m->devices[i]->ops->dirty(m->devices[i], m->written, err);
	/* What was collected would be lost, but for this. */
	ram_sync(&m->ram, m->written);
	return ret;
}

static int send_frame(struct ram_mover *m, int fd, size_t len, struct work_result *r)
{
	uint64_t begin = clock_ns();
	int ret = transfer_send(fd, m->buf, len);

	if (ret)
		return error_set(&r->text, ret, WHAT ": cannot send it: %s", strerror(-ret));
	r->bytes += len;
	r->busy_ns += clock_ns() - begin;
	return 0;
}

static int send_mark(struct ram_mover *m, int fd, enum frame_type type, struct work_result *r)
{
	frame_put_header(m->buf, type, 0);
	return send_frame(m, fd, FRAME_HEADER_BYTES, r);
}

/* Sends pages until the pass is over or @most bytes were sent by this command. */
static int send_pages(struct ram_mover *m, int fd, uint64_t most, struct work_result *r)
{
	int ret = 0;

	while (!ret && r->bytes < most) {
		size_t len = ram_put_pages(&m->ram, m->buf);

		if (!len)
			break;
		ret = send_frame(m, fd, len, r);
	}
	return ret;
}

static int send_sums(struct ram_mover *m, int fd, struct work_result *r)
{
	uint64_t page = 0;
	size_t len;
	int ret = 0;

	while (!ret && (len = ram_put_sums(&m->ram, page, m->buf))) {
		ret = send_frame(m, fd, len, r);
		page += FRAME_SUMS_MAX;
	}
	return ret;
}

/* What nobody can know in advance does not keep the machine from its switchover. */
static int do_info(struct ram_mover *m, const struct work *work, struct work_result *r)
{
	(void)work;
	r->size = m->ram.stats.remaining;
	r->info.dirty_bytes = ram_is_hopeless(&m->ram) ? 0 : r->size;
	return 0;
}

static int do_pass(struct ram_mover *m, const struct work *work, struct work_result *r)
{
	int ret;

	/* Through with it for now: the devices are what the machine waits for. */
	if (!m->ram.stats.remaining || ram_is_hopeless(&m->ram))
		poll(NULL, 0, WORK_IDLE_MS);
	if (ram_is_hopeless(&m->ram))
		return do_info(m, work, r);
	ret = send_pages(m, work->fd, WORK_PASS_BYTES, r);
	if (!ret && !m->ram.stats.remaining)
		ret = sync_pages(m, &r->text);
	return ret ? ret : do_info(m, work, r);
}

static int send_end(struct ram_mover *m, int fd, struct work_result *r)
{
	int ret;

	frame_put_header(m->buf, FRAME_END, 8);
	frame_put_u64(m->buf + FRAME_HEADER_BYTES, m->ram.stats.normal + m->ram.stats.duplicate);
	ret = send_frame(m, fd, FRAME_HEADER_BYTES + 8, r);
	/* What is in a file is safe now; other peers say so themselves. */
	if (!ret && fdatasync(fd) && errno != EINVAL)
		ret = error_set(&r->text, -errno, WHAT ": cannot write it to disk: %s",
				strerror(errno));
	return ret;
}

/* All devices have stopped: what they wrote is the last, and what they interrupted for. */
static int do_save(struct ram_mover *m, const struct work *work, struct work_result *r)
{
	int ret = 0;

	if (m->workload)
		workload_settle(m->workload);
	m->ram.stats.precopy = m->ram.stats.transferred;
	if (work->again)
		ret = send_mark(m, work->fd, FRAME_AGAIN, r);
	return ret ?: sync_pages(m, &r->text) ?: send_pages(m, work->fd, UINT64_MAX, r) ?:
	       send_sums(m, work->fd, r) ?: send_end(m, work->fd, r);
}

static int receive(int fd, uint8_t *bytes, size_t len, struct error *err)
{
	int ret = transfer_receive(fd, bytes, len);

	if (ret == -EPIPE)
		return error_set(err, ret, WHAT ": its data ended before the end mark");
	return ret ? error_set(err, ret, WHAT ": cannot receive it: %s", strerror(-ret)) : 0;
}

/* Pages that came twice count twice, on both sides. */
static int take_end(struct ram_mover *m, struct error *err)
{
	const struct ram_stats *stats = &m->ram.stats;
	uint64_t came = stats->normal + stats->duplicate, sent = frame_u64(m->buf);

	if (came != sent)
		return error_set(err, -EPROTO, "%llu pages came where the end mark says %llu",
				 (unsigned long long)came, (unsigned long long)sent);
	return ram_take_end(&m->ram, err) ?: 1;
}

static int take_frame(struct ram_mover *m, enum frame_type type, uint32_t length,
		      struct error *err)
{
	switch (type) {
	case FRAME_PAGES:
		return ram_take_pages(&m->ram, m->buf, length, err);
	case FRAME_ZEROS:
		return ram_take_zeros(&m->ram, m->buf, err);
	case FRAME_SUMS:
		return ram_take_sums(&m->ram, m->buf, length, err);
	case FRAME_END:
		return take_end(m, err);
	case FRAME_AGAIN:
		ram_begin(&m->ram);
		return 0;
	default:
		return error_set(err, -EPROTO, "malformed data");
	}
}

/* Takes one frame; 1 after the last one. */
static int load_frame(struct ram_mover *m, int fd, struct work_result *r)
{
	uint8_t header[FRAME_HEADER_BYTES];
	enum frame_type type;
	uint32_t length;
	int ret = receive(fd, header, sizeof(header), &r->text);

	if (ret)
		return ret;
	if (frame_header(header, &type, &length))
		return error_set(&r->text, -EPROTO, WHAT ": malformed data");
	ret = receive(fd, m->buf, length, &r->text);
	if (ret)
		return ret;
	ret = take_frame(m, type, length, &r->text);
	if (ret < 0)
		return error_prefix(&r->text, ret, WHAT);
	r->bytes += FRAME_HEADER_BYTES + length;
	return ret;
}

static int do_load(struct ram_mover *m, const struct work *work, struct work_result *r)
{
	int ret;

	do {
		ret = load_frame(m, work->fd, r);
	} while (ret == 0);
	return ret < 0 ? ret : 0;
}

/* Pages that the program wrote until now are among all of them. */
static int begin_saving(struct ram_mover *m, uint32_t state, struct error *err)
{
	int ret = state == VFIO_DEVICE_STATE_PRE_COPY ? track(m, err) : 0;

	if (ret)
		return ret;
	memory_collect(m->memory, m->written);
	ram_begin(&m->ram);
	return 0;
}

static int change_state(struct ram_mover *m, uint32_t to, struct error *err)
{
	bool was_saving = device_state_is_saving(m->state), saving = device_state_is_saving(to);

	if (saving && !was_saving)
		return begin_saving(m, to, err);
	if (was_saving && !saving)
		untrack(m);
	if (to == VFIO_DEVICE_STATE_RESUMING)
		ram_begin(&m->ram);
	return 0;
}

/* It stays where it is when it cannot go, and can always be asked again. */
static int do_set(struct ram_mover *m, const struct work *work, struct work_result *r)
{
	int ret = change_state(m, work->state, &r->text);

	if (!ret)
		m->state = work->state;
	r->state = m->state;
	if (device_state_is_saving(m->state))
		r->size = m->ram.stats.remaining;
	return ret ? error_prefix(&r->text, ret, WHAT) : 0;
}

static int do_state(struct ram_mover *m, const struct work *work, struct work_result *r)
{
	(void)work;
	r->state = m->state;
	return 0;
}

static int do_reset(struct ram_mover *m, const struct work *work, struct work_result *r)
{
	(void)work;
	untrack(m);
	r->state = m->state = VFIO_DEVICE_STATE_RUNNING;
	return 0;
}

static int do_end(struct ram_mover *m, const struct work *work, struct work_result *r)
{
	(void)m;
	(void)work;
	(void)r;
	return 0;
}

static int do_cpus_run(struct ram_mover *m, const struct work *work, struct work_result *r)
{
	int ret = m->workload ? workload_run(m->workload) : 0;

	(void)work;
	return ret ? error_set(&r->text, ret, "the workload has no thread: %s", strerror(-ret)) : 0;
}

static int do_cpus_stop(struct ram_mover *m, const struct work *work, struct work_result *r)
{
	(void)work;
	(void)r;
	if (m->workload)
		workload_pause(m->workload);
	return 0;
}

void ram_mover_do(void *mover, const struct work *work, struct work_result *ret_result)
{
	static int (*const op[])(struct ram_mover *m, const struct work *w,
				 struct work_result *r) = {
		[WORK_SET] = do_set,
		[WORK_STATE] = do_state,
		[WORK_RESET] = do_reset,
		[WORK_PASS] = do_pass,
		[WORK_INFO] = do_info,
		[WORK_SAVE] = do_save,
		[WORK_LOAD] = do_load,
		[WORK_END] = do_end,
		[WORK_CPUS_RUN] = do_cpus_run,
		[WORK_CPUS_STOP] = do_cpus_stop,
	};
	struct ram_mover *m = mover;

	*ret_result = (struct work_result){ .op = work->op, .enter_ns = clock_ns() };
	ret_result->error = op[work->op](m, work, ret_result);
	ret_result->ram = m->ram.stats;
	ret_result->return_ns = clock_ns();
}
