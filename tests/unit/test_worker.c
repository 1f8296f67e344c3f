// SPDX-License-Identifier: GPL-2.0-only
/*
 * The worker with a device that does what a script says, and a socket pair for
 * the connection.
 */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "device/ops.h"
#include "vmm/framing.h"
#include "vmm/mover.h"
#include "vmm/worker.h"

struct fake {
	struct device device;
	int set_error[VFIO_DEVICE_STATE_PRE_COPY_P2P + 1];	/* by state */
	int reset_error, get_error;
	uint32_t state;		/* as get_state() says */
	char calls[256];
	const ssize_t *reads;	/* what read() returns, one after the other */
	ssize_t write_max;	/* bytes that one write() takes; negative: its error */
	uint8_t written[64];
	size_t written_count;
	unsigned int waits;
	struct precopy_info info;
	int info_error;
};

static void note(struct fake *f, const char *what, uint32_t state)
{
	size_t len = strlen(f->calls);

	snprintf(f->calls + len, sizeof(f->calls) - len, "%s%s %u", len ? ", " : "", what, state);
}

static int fake_set_state(struct device *dev, uint32_t state, struct error *err)
{
	struct fake *f = (struct fake *)dev;

	note(f, "set", state);
	return f->set_error[state] ? error_set(err, f->set_error[state], "it will not") : 0;
}

static int fake_get_state(struct device *dev, uint32_t *ret_state, struct error *err)
{
	struct fake *f = (struct fake *)dev;

	note(f, "get", f->state);
	if (f->get_error)
		return error_set(err, f->get_error, "it will not");
	*ret_state = f->state;
	return 0;
}

static int fake_reset(struct device *dev, struct error *err)
{
	struct fake *f = (struct fake *)dev;

	note(f, "reset", 0);
	return f->reset_error ? error_set(err, f->reset_error, "it will not") : 0;
}

static int fake_precopy_info(struct device *dev, struct precopy_info *ret_info, struct error *err)
{
	struct fake *f = (struct fake *)dev;

	if (f->info_error)
		return error_set(err, f->info_error, "it will not");
	*ret_info = f->info;
	return 0;
}

static int fake_data_size(struct device *dev, uint64_t *ret_bytes, struct error *err)
{
	(void)dev;
	(void)err;
	*ret_bytes = 99;
	return 0;
}

static ssize_t fake_read(struct device *dev, void *buf, size_t size)
{
	struct fake *f = (struct fake *)dev;
	ssize_t n = *f->reads++;

	assert_true(n <= (ssize_t)size);
	if (n > 0)
		memset(buf, 'x', n);
	return n;
}

static ssize_t fake_write(struct device *dev, const void *buf, size_t size)
{
	struct fake *f = (struct fake *)dev;
	size_t n = (ssize_t)size < f->write_max ? size : (size_t)f->write_max;

	if (f->write_max < 0)
		return f->write_max;
	assert_true(f->written_count + n <= sizeof(f->written));
	memcpy(f->written + f->written_count, buf, n);
	f->written_count += n;
	return n;
}

static int fake_wait(struct device *dev, int timeout_ms)
{
	struct fake *f = (struct fake *)dev;

	(void)timeout_ms;
	f->waits++;
	return 0;
}

static void fake_end_session(struct device *dev)
{
	note((struct fake *)dev, "end", 0);
}

static const struct device_ops fake_ops = {
	.set_state = fake_set_state,
	.get_state = fake_get_state,
	.data_size = fake_data_size,
	.precopy_info = fake_precopy_info,
	.read = fake_read,
	.write = fake_write,
	.wait = fake_wait,
	.end_session = fake_end_session,
	.reset = fake_reset,
};

/* A mover with a fake device, and both ends of its connection. */
struct bench {
	struct fake fake;
	struct mover mover;
	int near, far;
};

static void open_bench(struct bench *b)
{
	int fds[2];

	memset(b, 0, sizeof(*b));
	b->fake.device.ops = &fake_ops;
	b->fake.write_max = 1 << 20;
	assert_int_equal(mover_init(&b->mover, &b->fake.device, "vf0"), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	b->near = fds[0];
	b->far = fds[1];
}

static void close_bench(struct bench *b)
{
	mover_fini(&b->mover);
	close(b->near);
	if (b->far >= 0)
		close(b->far);
}

static void test_set(void **state)
{
	const uint32_t stop_copy = VFIO_DEVICE_STATE_STOP_COPY, stop = VFIO_DEVICE_STATE_STOP;
	const uint32_t none = VFIO_DEVICE_STATE_ERROR, running = VFIO_DEVICE_STATE_RUNNING;
	const struct {
		int stop_copy, stop, reset;	/* errors */
		uint32_t recover;
		int error;
		uint32_t ends_in;
		const char *calls;
	} rows[] = {
		{ 0, 0, 0, stop, 0, stop_copy, "set 3" },
		{ -EIO, 0, 0, stop, -EIO, stop, "set 3, set 1" },
		{ -EIO, -EBUSY, 0, stop, -EIO, running, "set 3, set 1, reset 0" },
		{ -EIO, 0, 0, none, -EIO, running, "set 3, reset 0" },
		{ -EIO, 0, -ENOTTY, none, -EIO, none, "set 3, reset 0" },
		/* It is where it says, not where it was to go. */
		{ -EIO, 0, 0, WORK_STAY, -EIO, VFIO_DEVICE_STATE_PRE_COPY, "set 3, get 6" },
		/* The change took place. */
		{ -EBADFD, 0, 0, none, -EBADFD, stop_copy, "set 3" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct work work = {
			.op = WORK_SET, .state = stop_copy, .recover = rows[i].recover,
		};
		struct work_result r;
		struct bench b;

		open_bench(&b);
		b.fake.set_error[stop_copy] = rows[i].stop_copy;
		b.fake.set_error[stop] = rows[i].stop;
		b.fake.reset_error = rows[i].reset;
		b.fake.state = VFIO_DEVICE_STATE_PRE_COPY;
		mover_do(&b.mover, &work, &r);
		assert_int_equal(r.error, rows[i].error);
		assert_int_equal(r.state, rows[i].ends_in);
		assert_string_equal(b.fake.calls, rows[i].calls);
		assert_true(r.enter_ns && r.enter_ns <= r.return_ns);
		assert_int_equal(!!*r.text.text, !!rows[i].error);
		close_bench(&b);
	}
}

static void test_state_and_reset(void **state)
{
	const uint32_t none = VFIO_DEVICE_STATE_ERROR, stop = VFIO_DEVICE_STATE_STOP;
	const struct {
		enum work_op op;
		int get, reset;		/* errors */
		int error;
		uint32_t ends_in;
		const char *calls;
	} rows[] = {
		{ WORK_STATE, 0, 0, 0, stop, "get 1" },
		{ WORK_STATE, -EIO, 0, -EIO, none, "get 1" },
		{ WORK_RESET, 0, 0, 0, stop, "reset 0, get 1" },
		{ WORK_RESET, -EIO, 0, -EIO, none, "reset 0, get 1" },
		{ WORK_RESET, 0, -ENOTTY, -ENOTTY, none, "reset 0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct work_result r;
		struct bench b;

		open_bench(&b);
		b.fake.state = stop;
		b.fake.get_error = rows[i].get;
		b.fake.reset_error = rows[i].reset;
		mover_do(&b.mover, &(struct work){ .op = rows[i].op }, &r);
		assert_int_equal(r.error, rows[i].error);
		assert_int_equal(r.state, rows[i].ends_in);
		assert_string_equal(b.fake.calls, rows[i].calls);
		assert_int_equal(!!*r.text.text, !!rows[i].error);
		close_bench(&b);
	}
}

/* A driver that says what no state is: a shift by it, or its name, would be none. */
static void test_a_state_that_is_none(void **state)
{
	static const uint32_t states[] = { 8, 42, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		struct work_result r;
		struct bench b;
		char want[32];

		open_bench(&b);
		b.fake.state = states[i];
		mover_do(&b.mover, &(struct work){ .op = WORK_STATE }, &r);
		assert_int_equal(r.error, -EPROTO);
		assert_int_equal(r.state, VFIO_DEVICE_STATE_ERROR);
		snprintf(want, sizeof(want), "in state %u,", states[i]);
		assert_non_null(strstr(r.text.text, want));
		close_bench(&b);
	}
}

/* One frame from the far end. */
static void expect_frame(struct bench *b, enum frame_type type, uint32_t length)
{
	uint8_t buf[FRAME_HEADER_BYTES + 64];
	enum frame_type got_type;
	uint32_t got_length;

	assert_int_equal(recv(b->far, buf, FRAME_HEADER_BYTES, MSG_WAITALL), FRAME_HEADER_BYTES);
	assert_int_equal(frame_header(buf, &got_type, &got_length), 0);
	assert_int_equal(got_type, type);
	assert_int_equal(got_length, length);
	if (length)
		assert_int_equal(recv(b->far, buf, length, MSG_WAITALL), length);
	if (type == FRAME_END)
		assert_int_equal(frame_u64(buf), b->mover.total);
}

static void test_passes_then_save(void **state)
{
	static const ssize_t reads[] = { 10, 20, -ENOMSG, -ENOMSG, 5, 6, 0 };
	struct work_result r;
	struct bench b;

	(void)state;
	open_bench(&b);
	b.fake.reads = reads;
	b.fake.info = (struct precopy_info){ .initial_bytes = 3, .dirty_bytes = 4 };
	mover_do(&b.mover, &(struct work){ .op = WORK_PASS, .fd = b.near }, &r);
	assert_int_equal(r.error, 0);
	assert_int_equal(r.bytes, 30);
	assert_int_equal(r.size, 99);
	assert_int_equal(r.info.initial_bytes, 3);
	assert_int_equal(r.info.dirty_bytes, 4);
	assert_int_equal(b.fake.waits, 0);
	expect_frame(&b, FRAME_DATA, 10);
	expect_frame(&b, FRAME_DATA, 20);
	/* There was nothing left, so the next one waits first. */
	mover_do(&b.mover, &(struct work){ .op = WORK_PASS, .fd = b.near }, &r);
	assert_int_equal(r.bytes, 0);
	assert_int_equal(b.fake.waits, 1);
	mover_do(&b.mover, &(struct work){ .op = WORK_SET, .state = VFIO_DEVICE_STATE_STOP_COPY },
		 &r);
	mover_do(&b.mover, &(struct work){ .op = WORK_SAVE, .fd = b.near }, &r);
	assert_int_equal(r.error, 0);
	assert_int_equal(r.bytes, 11);
	expect_frame(&b, FRAME_DATA, 5);
	expect_frame(&b, FRAME_DATA, 6);
	assert_int_equal(b.mover.total, 41);
	expect_frame(&b, FRAME_END, 8);
	/* The next stream counts from zero. */
	mover_do(&b.mover, &(struct work){ .op = WORK_SET, .state = VFIO_DEVICE_STATE_STOP }, &r);
	assert_int_equal(b.mover.total, 0);
	close_bench(&b);
}

/* That all initial bytes were sent is said once, and once more after each REINIT. */
static void test_initial_bytes(void **state)
{
	static const ssize_t reads[] = { 10, -ENOMSG, 20, -ENOMSG, -ENOMSG, 30, -ENOMSG, 0 };
	const struct work pass = { .op = WORK_PASS, .ack = true }, info = { .op = WORK_INFO };
	static const struct {
		struct precopy_info info;
		uint32_t data;		/* bytes, 0: no frame */
		bool initial, reinit;
	} rows[] = {
		{ { .initial_bytes = 1 }, 10, false, false },
		{ { .dirty_bytes = 5, .reinit = true }, 20, true, false },
		{ { .dirty_bytes = 5 }, 0, false, false },
		{ { .initial_bytes = 7, .reinit = true }, 30, false, true },
	};
	struct work_result r;
	struct bench b;

	(void)state;
	open_bench(&b);
	b.fake.reads = reads;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct work work = pass;

		work.fd = b.near;
		b.fake.info = rows[i].info;
		mover_do(&b.mover, &work, &r);
		assert_int_equal(r.error, 0);
		assert_int_equal(r.reinit, rows[i].reinit);
		if (rows[i].data)
			expect_frame(&b, FRAME_DATA, rows[i].data);
		if (rows[i].initial)
			expect_frame(&b, FRAME_INITIAL, 0);
	}
	/* It was taken back already, and is so once. */
	mover_do(&b.mover, &info, &r);
	assert_false(r.reinit);
	mover_do(&b.mover, &(struct work){ .op = WORK_SAVE, .fd = b.near, .again = true }, &r);
	expect_frame(&b, FRAME_AGAIN, 0);
	expect_frame(&b, FRAME_END, 8);
	close_bench(&b);
}

/* What was said of one migration's initial bytes does not hold for the next one's. */
static void test_initial_bytes_of_the_next(void **state)
{
	static const ssize_t reads[] = { -ENOMSG, -ENOMSG, 0 };
	struct work_result r;
	struct bench b;

	(void)state;
	open_bench(&b);
	b.fake.reads = reads;
	for (int i = 0; i < 2; i++) {
		struct work set = { .op = WORK_SET, .state = VFIO_DEVICE_STATE_PRE_COPY };
		struct work pass = { .op = WORK_PASS, .ack = true, .fd = b.near };

		mover_do(&b.mover, &set, &r);
		mover_do(&b.mover, &pass, &r);
		assert_int_equal(r.error, 0);
		expect_frame(&b, FRAME_INITIAL, 0);
		set.state = VFIO_DEVICE_STATE_RUNNING;
		mover_do(&b.mover, &set, &r);
	}
	close_bench(&b);
}

/* In the words of the device's id, as everything that goes to the user and the peer. */
static void test_no_figures(void **state)
{
	static const ssize_t reads[] = { -ENOMSG };
	struct work_result r;
	struct bench b;

	(void)state;
	open_bench(&b);
	b.fake.reads = reads;
	b.fake.info_error = -EIO;
	mover_do(&b.mover, &(struct work){ .op = WORK_PASS, .fd = b.near }, &r);
	assert_int_equal(r.error, -EIO);
	assert_string_equal(r.text.text,
			    "vf0: cannot get its pre-copy figures: Input/output error");
	close_bench(&b);
}

static void test_save_failures(void **state)
{
	static const struct {
		ssize_t reads[2];
		bool far_closed;
		int error;
		const char *text;
	} rows[] = {
		{ { 4, -EIO }, false, -EIO, "vf0: cannot read its state: Input/output error" },
		{ { 4, -ENOMSG }, false, -EPROTO,
		  "vf0: the driver says ENOMSG in STOP_COPY, where only data or the end may come" },
		{ { 4, 0 }, true, -EPIPE, "vf0: cannot send its state: Broken pipe" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct work_result r;
		struct bench b;

		open_bench(&b);
		b.fake.reads = rows[i].reads;
		if (rows[i].far_closed) {
			close(b.far);
			b.far = -1;
		}
		mover_do(&b.mover, &(struct work){ .op = WORK_SAVE, .fd = b.near }, &r);
		assert_int_equal(r.error, rows[i].error);
		assert_string_equal(r.text.text, rows[i].text);
		close_bench(&b);
	}
}

/* DATA of 3 and 4 bytes and an END that says @total; only the first @len bytes of it all. */
static void send_stream(struct bench *b, uint64_t total, size_t len)
{
	uint8_t bytes[3 * FRAME_HEADER_BYTES + 3 + 4 + 8];

	frame_put_header(bytes, FRAME_DATA, 3);
	memcpy(bytes + 8, "abc", 3);
	frame_put_header(bytes + 11, FRAME_DATA, 4);
	memcpy(bytes + 19, "defg", 4);
	frame_put_header(bytes + 23, FRAME_END, 8);
	frame_put_u64(bytes + 31, total);
	len = len < sizeof(bytes) ? len : sizeof(bytes);
	assert_int_equal(write(b->far, bytes, len), len);
	close(b->far);
	b->far = -1;
}

static void load(struct bench *b, struct work_result *r)
{
	mover_do(&b->mover, &(struct work){ .op = WORK_LOAD, .fd = b->near }, r);
}

static void test_load_marks(void **state)
{
	const struct work with_ack = { .op = WORK_LOAD, .ack = true };
	struct work work = with_ack;
	uint8_t mark[FRAME_HEADER_BYTES];
	struct work_result r;
	struct bench b;

	(void)state;
	open_bench(&b);
	work.fd = b.near;
	frame_put_header(mark, FRAME_INITIAL, 0);
	assert_int_equal(write(b.far, mark, sizeof(mark)), sizeof(mark));
	mover_do(&b.mover, &work, &r);
	assert_int_equal(r.error, 0);
	assert_true(r.initial);
	/* What came before AGAIN does not count. */
	b.mover.total = 5;
	frame_put_header(mark, FRAME_AGAIN, 0);
	assert_int_equal(write(b.far, mark, sizeof(mark)), sizeof(mark));
	send_stream(&b, 7, SIZE_MAX);
	mover_do(&b.mover, &work, &r);
	assert_int_equal(r.error, 0);
	assert_false(r.initial);
	assert_string_equal(b.fake.calls, "reset 0, set 4");
	close_bench(&b);

	open_bench(&b);
	frame_put_header(mark, FRAME_INITIAL, 0);
	assert_int_equal(write(b.far, mark, sizeof(mark)), sizeof(mark));
	load(&b, &r);
	assert_string_equal(r.text.text,
			    "vf0: Received INIT_DATA_SENT but switchover ack is not used");
	close_bench(&b);

	open_bench(&b);
	b.fake.reset_error = -EIO;
	frame_put_header(mark, FRAME_AGAIN, 0);
	assert_int_equal(write(b.far, mark, sizeof(mark)), sizeof(mark));
	load(&b, &r);
	assert_int_equal(r.error, -EIO);
	assert_string_equal(r.text.text,
			    "vf0: cannot take its state from the beginning: it will not");
	close_bench(&b);
}

static void test_load(void **state)
{
	struct work_result r;
	struct bench b;

	(void)state;
	open_bench(&b);
	b.fake.write_max = 2;
	send_stream(&b, 7, SIZE_MAX);
	load(&b, &r);
	assert_int_equal(r.error, 0);
	assert_int_equal(r.bytes, 7);
	assert_int_equal(b.fake.written_count, 7);
	assert_memory_equal(b.fake.written, "abcdefg", 7);
	close_bench(&b);
}

/* Wherever the connection breaks, that is never the end. */
static void test_load_truncated(void **state)
{
	(void)state;
	for (size_t len = 0; len < 39; len++) {
		struct work_result r;
		struct bench b;

		open_bench(&b);
		send_stream(&b, 7, len);
		load(&b, &r);
		assert_int_equal(r.error, -EPIPE);
		close_bench(&b);
	}
}

static void test_load_failures(void **state)
{
	struct work_result r;
	struct bench b;

	(void)state;
	open_bench(&b);
	send_stream(&b, 8, SIZE_MAX);
	load(&b, &r);
	assert_int_equal(r.error, -EPROTO);
	assert_string_equal(r.text.text, "vf0: 7 bytes came where the end mark says 8");
	close_bench(&b);

	open_bench(&b);
	b.fake.write_max = -EINVAL;
	send_stream(&b, 7, SIZE_MAX);
	load(&b, &r);
	assert_int_equal(r.error, -EINVAL);
	assert_string_equal(r.text.text,
			    "vf0: the device refuses its state after 0 bytes: Invalid argument");
	close_bench(&b);

	open_bench(&b);
	assert_int_equal(write(b.far, "\377\377\377\377\377\377\377\377", 8), 8);
	load(&b, &r);
	assert_int_equal(r.error, -EPROTO);
	close_bench(&b);
}

struct answers {
	struct loop *loop;
	struct worker_pool *pool;
	unsigned int index[3], count, expected;
	struct work_result result[3];
};

static void on_wake(void *opaque)
{
	struct answers *a = opaque;

	while (a->count < a->expected &&
	       worker_pool_take(a->pool, &a->index[a->count], &a->result[a->count]))
		a->count++;
	if (a->count == a->expected)
		loop_stop(a->loop, 0);
}

/* A worker that waits for its peer holds up nobody, and a shutdown of the connection frees it. */
static void test_threads(void **state)
{
	struct answers a = { .count = 0 };
	struct worker *worker[3];
	struct bench b[3];

	(void)state;
	assert_int_equal(loop_new(&a.loop), 0);
	assert_int_equal(worker_pool_new(a.loop, &a.pool), 0);
	loop_on_wake(a.loop, on_wake, &a);
	for (unsigned int i = 0; i < 3; i++) {
		open_bench(&b[i]);
		assert_int_equal(worker_new(a.pool, mover_do, &b[i].mover, i, &worker[i]), 0);
	}
	worker_post(worker[0], &(struct work){ .op = WORK_LOAD, .fd = b[0].near });
	worker_post(worker[1], &(struct work){ .op = WORK_END });
	a.expected = 1;
	assert_int_equal(loop_run(a.loop), 0);
	assert_int_equal(a.index[0], 1);
	assert_string_equal(b[1].fake.calls, "end 0");
	a.expected = 3;
	shutdown(b[0].near, SHUT_RDWR);
	worker_post(worker[2], &(struct work){ .op = WORK_END });
	assert_int_equal(loop_run(a.loop), 0);
	assert_int_equal(a.index[1] + a.index[2], 2);
	assert_int_equal(a.result[a.index[1] ? 2 : 1].error, -EPIPE);
	for (unsigned int i = 0; i < 3; i++) {
		worker_free(worker[i]);
		close_bench(&b[i]);
	}
	worker_pool_free(a.pool);
	loop_free(a.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_state_and_reset),
		cmocka_unit_test(test_a_state_that_is_none),
		cmocka_unit_test(test_passes_then_save),
		cmocka_unit_test(test_initial_bytes),
		cmocka_unit_test(test_initial_bytes_of_the_next),
		cmocka_unit_test(test_no_figures),
		cmocka_unit_test(test_save_failures),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_load_marks),
		cmocka_unit_test(test_load_truncated),
		cmocka_unit_test(test_load_failures),
		cmocka_unit_test(test_threads),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
