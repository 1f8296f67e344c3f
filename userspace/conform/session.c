// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data session: when its descriptor begins and ends, and how it moves bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "conform/case.h"
#include "device/lab.h"
#include "device/state.h"

#define CYCLES		200
#define ANY_IOCTL	_IO(VFIO_TYPE, VFIO_BASE + 60)

static void fd_is_new(struct conform *c)
{
	int first = dut_fileno(c, dut_go(c, VFIO_DEVICE_STATE_STOP_COPY)), second;

	require(c, fcntl(first, F_GETFD) & FD_CLOEXEC, "the data_fd survives exec()");
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	second = dut_fileno(c, dut_go(c, VFIO_DEVICE_STATE_STOP_COPY));
	require(c, first != second, "two sessions have one data_fd");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

/* Adds what a read() of up to @size gives. */
static void take(struct conform *c, int fd, struct bytes *stream, size_t size)
{
	ssize_t n;

	stream->data = realloc(stream->data, stream->size + size);
	n = dut_read(c, fd, stream->data + stream->size, size);
	require(c, n >= 0 || n == -ENOMSG, "read() failed: %s", strerror(-n));
	require(c, n <= (ssize_t)size, "read() of %zu bytes gave %zd", size, n);
	stream->size += n > 0 ? n : 0;
}

static void take_rest(struct conform *c, int fd, struct bytes *stream)
{
	ssize_t end;
	struct bytes rest = dut_drain(c, fd, 65536, &end);

	require_result(c, end, 0, "read() at the end of the stream");
	stream->data = realloc(stream->data, stream->size + rest.size);
	memcpy(stream->data + stream->size, rest.data, rest.size);
	stream->size += rest.size;
}

/* @fd is read to its end; what came is a whole stream. The device ends in STOP. */
static void require_whole(struct conform *c, int fd, struct bytes *stream)
{
	take_rest(c, fd, stream);
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	dut_close_fd(c, fd);
	require_result(c, dut_load(c, *stream, 65536), 0, "loading the stream that was read");
}

/* SET @state within a session. */
static void require_no_fd(struct conform *c, uint32_t state)
{
	int fd = dut_go(c, state);

	require(c, fd == -1, "SET %s within a session gave the data_fd %d",
		device_state_name(state), fd);
}

static void one_session(struct conform *c)
{
	int fd = dut_go(c, VFIO_DEVICE_STATE_PRE_COPY);
	struct bytes stream = { NULL, 0 };

	take(c, fd, &stream, 5000);
	if (dut_offers(c, VFIO_DEVICE_STATE_PRE_COPY_P2P)) {
		require_no_fd(c, VFIO_DEVICE_STATE_PRE_COPY_P2P);
		take(c, fd, &stream, 3000);
		require_no_fd(c, VFIO_DEVICE_STATE_PRE_COPY);
		take(c, fd, &stream, 1000);
	}
	require_no_fd(c, VFIO_DEVICE_STATE_STOP_COPY);
	require_whole(c, fd, &stream);
}

/* A waiting reader, in a thread. */
struct waiter {
	pthread_t thread;
	struct conform *c;
	int fd, events;
};

static void *wait_for_data(void *arg)
{
	struct waiter *w = arg;

	w->events = dut_poll(w->c, w->fd, POLLIN, 20000);
	return NULL;
}

/* The session that SET @from begins is over when @to is reached, for a sleeping reader too. */
static void require_end(struct conform *c, uint32_t from, uint32_t to, struct bytes stream)
{
	struct waiter w = { .c = c, .fd = dut_enter(c, from, stream) };
	bool sleeps = from == VFIO_DEVICE_STATE_PRE_COPY || from == VFIO_DEVICE_STATE_PRE_COPY_P2P;
	char byte = 0;
	ssize_t end;

	if (sleeps) {
		dut_drain(c, w.fd, 65536, &end);
		pthread_create(&w.thread, NULL, wait_for_data, &w);
		usleep(20000);
	}
	dut_go(c, to);
	if (sleeps) {
		pthread_join(w.thread, NULL);
		require(c, w.events > 0, "%s > %s: a poll() of the data_fd sleeps on",
			device_state_name(from), device_state_name(to));
	}
	require(c, dut_read(c, w.fd, &byte, 1) <= 0, "%s > %s: the data_fd still gives data",
		device_state_name(from), device_state_name(to));
	require(c, dut_write(c, w.fd, &byte, 1) < 0, "%s > %s: the data_fd still takes data",
		device_state_name(from), device_state_name(to));
	dut_close_fd(c, w.fd);
	dut_home(c);
}

static void ends_at_once(struct conform *c)
{
	static const struct { uint32_t from, to; } arcs[] = {
		{ VFIO_DEVICE_STATE_STOP_COPY, VFIO_DEVICE_STATE_STOP },
		{ VFIO_DEVICE_STATE_RESUMING, VFIO_DEVICE_STATE_STOP },
		{ VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_RUNNING },
		{ VFIO_DEVICE_STATE_PRE_COPY_P2P, VFIO_DEVICE_STATE_RUNNING_P2P },
	};
	struct bytes stream = dut_save(c);

	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
	for (size_t i = 0; i < sizeof(arcs) / sizeof(arcs[0]); i++)
		if (dut_offers(c, arcs[i].from) && dut_offers(c, arcs[i].to))
			require_end(c, arcs[i].from, arcs[i].to, stream);
}

static void old_fd_stays_dead(struct conform *c)
{
	int old = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY), new;
	char byte;

	dut_go(c, VFIO_DEVICE_STATE_STOP);
	new = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);
	require(c, dut_read(c, old, &byte, 1) <= 0, "the ended session's data_fd gives new data");
	require_result(c, dut_read(c, new, &byte, 1), 1, "read() of the new session");
	dut_close_fd(c, old);
	require_result(c, dut_read(c, new, &byte, 1), 1, "read() after the old data_fd's close");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

/* The value of a line "KEY N" of the lab's attribute stats; -1 without a lab. */
static long long stat_of(struct conform *c, const char *key)
{
	char *text, *line;
	long long value = -1;

	if (!c->dev->lab || c->dev->lab->ops->read(c->dev->lab, "stats", &text, NULL))
		return -1;
	line = strstr(text, key);
	if (line)
		value = strtoll(line + strlen(key), NULL, 10);
	free(text);
	return value;
}

static void cycles(struct conform *c)
{
	long long sessions = stat_of(c, "sessions_live ");
	char buf[512];

	for (int i = 0; i < CYCLES; i++) {
		int fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);

		require(c, dut_read(c, fd, buf, sizeof(buf)) > 0, "cycle %d: nothing to read", i);
		dut_go(c, VFIO_DEVICE_STATE_STOP);
		dut_close_fd(c, fd);
		dut_go(c, VFIO_DEVICE_STATE_RUNNING);
	}
	require_result(c, stat_of(c, "sessions_live "), sessions,
		       "sessions that live after %d cycles", CYCLES);
}

static void is_a_stream(struct conform *c)
{
	int fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);
	char byte = 0;

	require_result(c, c->dev->calls->pread(c->dev, fd, &byte, 1, 0), -ESPIPE, "pread()");
	require_result(c, c->dev->calls->pwrite(c->dev, fd, &byte, 1, 0), -ESPIPE, "pwrite()");
	if (c->dev->calls->fileno(c->dev, fd) >= 0) {
		fd = dut_fileno(c, fd);
		require(c, lseek(fd, 0, SEEK_CUR) < 0 && errno == ESPIPE, "lseek() works");
		require(c, mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED,
			"it can be mapped");
	}
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void one_direction(struct conform *c)
{
	char byte = 0;

	require_result(c, dut_write(c, dut_go(c, VFIO_DEVICE_STATE_STOP_COPY), &byte, 1), -EBADF,
		       "write() to a session that saves");
	require_result(c, dut_read(c, dut_go(c, VFIO_DEVICE_STATE_RESUMING), &byte, 1), -EBADF,
		       "read() of a session that resumes");
}

/* Odd sizes by turns, a byte at a time at first. */
static void any_size(struct conform *c)
{
	static const size_t sizes[] = { 1, 4095, 7, 4097, 2, 65537, 4096, 3 };
	int fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY), none;
	struct bytes stream = { NULL, 0 };
	size_t before = SIZE_MAX, done = 0;

	for (int i = 0; i < 300; i++)
		take(c, fd, &stream, 1);
	for (int i = 0; stream.size != before; i++) {
		before = stream.size;
		take(c, fd, &stream, sizes[i % 8]);
	}
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	dut_close_fd(c, fd);
	fd = dut_go(c, VFIO_DEVICE_STATE_RESUMING);
	for (int i = 0; done < stream.size; i++) {
		size_t size = i < 300 ? 1 : sizes[i % 8];
		struct bytes piece = { stream.data + done, stream.size - done };

		piece.size = piece.size < size ? piece.size : size;
		require_result(c, dut_feed(c, fd, piece, piece.size), 0, "write() of %zu bytes",
			       piece.size);
		done += piece.size;
	}
	require_result(c, dut_set(c, VFIO_DEVICE_STATE_STOP, &none), 0,
		       "SET STOP after reads and writes of odd sizes");
}

static void zero_length(struct conform *c)
{
	int fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);
	struct bytes stream = { NULL, 0 };
	char none;

	require_result(c, dut_read(c, fd, &none, 0), 0, "read() of 0 bytes");
	take(c, fd, &stream, 10);
	require_result(c, dut_read(c, fd, &none, 0), 0, "read() of 0 bytes");
	take_rest(c, fd, &stream);
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	dut_close_fd(c, fd);
	fd = dut_go(c, VFIO_DEVICE_STATE_RESUMING);
	require_result(c, dut_write(c, fd, &none, 0), 0, "write() of 0 bytes");
	require_result(c, dut_feed(c, fd, stream, 65536), 0, "write()");
	require_result(c, dut_write(c, fd, &none, 0), 0, "write() of 0 bytes");
	require_result(c, dut_set(c, VFIO_DEVICE_STATE_STOP, &fd), 0, "SET STOP");
}

static void bad_buffer(struct conform *c)
{
	int fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY), none;
	struct bytes stream = { NULL, 0 };

	for (int i = 0; i < 3; i++) {
		require_result(c, dut_read(c, fd, (void *)8, 100), -EFAULT, "read() to nowhere");
		take(c, fd, &stream, 5);
	}
	take_rest(c, fd, &stream);
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	dut_close_fd(c, fd);
	fd = dut_go(c, VFIO_DEVICE_STATE_RESUMING);
	require_result(c, dut_write(c, fd, (void *)8, 5), -EFAULT, "write() from nowhere");
	require_result(c, dut_feed(c, fd, stream, 65536), 0, "write() after it");
	require_result(c, dut_set(c, VFIO_DEVICE_STATE_STOP, &none), 0,
		       "SET STOP after buffers that could not be reached");
}

static void other_ioctl(struct conform *c)
{
	char arg[64] = "";
	int fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);

	require_result(c, dut_ioctl(c, fd, ANY_IOCTL, arg), -ENOTTY, "an unknown ioctl");
	require_result(c, dut_ioctl(c, fd, VFIO_DEVICE_FEATURE, arg), -ENOTTY,
		       "VFIO_DEVICE_FEATURE on a data_fd");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void duplicates(struct conform *c)
{
	int fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);
	struct bytes stream = { NULL, 0 };
	int twin = dup(dut_fileno(c, fd));

	take(c, fd, &stream, 100);
	take(c, twin, &stream, 100);
	dut_close_fd(c, fd);
	require_whole(c, twin, &stream);
}

struct reader {
	pthread_t thread;
	struct conform *c;
	int fd;
	size_t bytes;
	unsigned long long sum;
};

static unsigned long long sum_of(const uint8_t *data, size_t size)
{
	unsigned long long sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += data[i];
	return sum;
}

static void *read_all(void *arg)
{
	struct reader *r = arg;
	uint8_t buf[3000];
	ssize_t n;

	while ((n = dut_read(r->c, r->fd, buf, sizeof(buf))) > 0 && n <= (ssize_t)sizeof(buf)) {
		r->bytes += n;
		r->sum += sum_of(buf, n);
	}
	return NULL;
}

static void two_readers(struct conform *c)
{
	struct bytes once = dut_save(c), twice = dut_save(c);
	struct reader readers[2];
	int fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);

	for (int i = 0; i < 2; i++) {
		readers[i] = (struct reader){ .c = c, .fd = fd };
		pthread_create(&readers[i].thread, NULL, read_all, &readers[i]);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(readers[i].thread, NULL);
	require_result(c, readers[0].bytes + readers[1].bytes, once.size,
		       "bytes that two readers got");
	if (once.size == twice.size && !memcmp(once.data, twice.data, once.size))
		require(c, readers[0].sum + readers[1].sum == sum_of(once.data, once.size),
			"two readers got other bytes than one");
}

static void closed_early(struct conform *c)
{
	char byte;
	int fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);

	require_result(c, dut_read(c, fd, &byte, 1), 1, "read()");
	dut_close_fd(c, fd);
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
	dut_close_fd(c, dut_go(c, VFIO_DEVICE_STATE_RESUMING));
	dut_reset(c);
	fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);
	require_result(c, dut_read(c, fd, &byte, 1), 1, "read() of the next session");
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void device_closed_first(struct conform *c)
{
	int fd = dut_fileno(c, dut_go(c, VFIO_DEVICE_STATE_STOP_COPY));
	char byte;

	dut_close(c);
	require(c, read(fd, &byte, 1) <= 0, "the data_fd gives data after the device's close");
	close(fd);
	dut_open(c);
	dut_home(c);
}

static void io_after_end(struct conform *c)
{
	struct bytes stream = dut_save(c);
	int fd = dut_go(c, VFIO_DEVICE_STATE_RESUMING);

	require_result(c, dut_feed(c, fd, stream, 65536), 0, "write()");
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	for (int i = 0; i < 2; i++)
		require(c, dut_write(c, fd, stream.data, stream.size) < 0,
			"write() succeeds after the end of its session");
}

/* A reader that stands in a page fault that nobody serves yet. */
static void *fault_in_read(void *arg)
{
	struct reader *r = arg;
	uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0);
	struct uffdio_register reg = {
		.range = { (uintptr_t)page, 4096 }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	r->sum = ioctl(r->bytes, UFFDIO_REGISTER, &reg) ? 1 : 0;
	if (!r->sum)
		dut_read(r->c, r->fd, page, 4096);
	return NULL;
}

static void faulting_reader(struct conform *c)
{
	struct reader r = { .c = c, .fd = dut_go(c, VFIO_DEVICE_STATE_STOP_COPY) };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK), none;
	struct uffdio_api api = { .api = UFFD_API };
	struct pollfd pfd = { .fd = uffd, .events = POLLIN };

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		conform_skip(c, "the kernel gives no userfaultfd");
	r.bytes = uffd;
	pthread_create(&r.thread, NULL, fault_in_read, &r);
	if (poll(&pfd, 1, 10000) != 1)
		conform_skip(c, "the reader met no page fault");
	require_result(c, dut_set(c, VFIO_DEVICE_STATE_STOP, &none), 0,
		       "SET STOP while a reader stands in a page fault");
	dut_reset(c);
	close(uffd);
	pthread_join(r.thread, NULL);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* A read() that sleeps here must be woken by a signal, which comes again and again. */
static void interruptible(struct conform *c)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	const struct itimerval soon = { { .tv_usec = 200000 }, { .tv_usec = 200000 } };
	const struct itimerval never = { 0 };
	int fd = dut_go(c, VFIO_DEVICE_STATE_PRE_COPY);
	ssize_t end;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	dut_drain(c, fd, 65536, &end);
	setitimer(ITIMER_REAL, &never, NULL);
	require(c, end == -ENOMSG || end == -EINTR || !end, "read() of nothing: %s",
		strerror(-end));
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

#define STATES	"uapi/linux/vfio.h, enum vfio_device_mig_state"
#define FEATURE	"uapi/linux/vfio.h, VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE"
#define OPS	"linux/vfio.h, struct vfio_migration_ops"

const struct conform_case session_cases[] = {
	{ 28, "fd-is-new", CLASS_CORE, NEEDS_KERNEL, 0, FEATURE,
	  "Every session has a descriptor of its own, closed on exec.", fd_is_new },
	{ 29, "one-session", CLASS_SPEC, NEEDS_PRE_COPY, VFIO_DEVICE_STATE_STOP, STATES,
	  "PRE_COPY, PRE_COPY_P2P and STOP_COPY share a session: no new descriptor, no byte lost or twice.",
	  one_session },
	{ 30, "ends-at-once", CLASS_SPEC, 0, 0, STATES,
	  "The arc that leaves a session ends it: the old descriptor moves no data, and who waits on it wakes.",
	  ends_at_once },
	{ 31, "old-fd-stays-dead", CLASS_SPEC, 0, 0, OPS,
	  "A new session works while the old descriptor is open, which never sees its data.",
	  old_fd_stays_dead },
	{ 32, "cycles", CLASS_ROB, 0, 0, OPS,
	  "Hundreds of sessions one after another leave nothing behind.", cycles },
	{ 33, "is-a-stream", CLASS_SPEC, 0, 0, FEATURE,
	  "A data_fd is a stream: no position, no mapping.", is_a_stream },
	{ 34, "one-direction", CLASS_SPEC, 0, VFIO_DEVICE_STATE_RESUMING, FEATURE,
	  "A session that saves is only read, one that resumes only written.", one_direction },
	{ 35, "any-size", CLASS_SPEC, 0, VFIO_DEVICE_STATE_STOP, FEATURE,
	  "Reads and writes may have any size; the pieces need not be kept.", any_size },
	{ 36, "zero-length", CLASS_SPEC, 0, VFIO_DEVICE_STATE_STOP, "read(2), write(2)",
	  "A read or write of 0 bytes is 0 and nothing else.", zero_length },
	{ 37, "bad-buffer", CLASS_SHOULD, 0, VFIO_DEVICE_STATE_STOP, "read(2), write(2)",
	  "A buffer that cannot be reached is EFAULT and costs no data.", bad_buffer },
	{ 38, "other-ioctl", CLASS_SPEC, 0, 0, "uapi/linux/vfio.h, VFIO_MIG_GET_PRECOPY_INFO",
	  "A data_fd answers ENOTTY to other ioctls.", other_ioctl },
	{ 39, "duplicates", CLASS_CORE, NEEDS_KERNEL, VFIO_DEVICE_STATE_STOP, "dup(2)",
	  "Duplicates of a data_fd share what was read; the last close ends it.", duplicates },
	{ 40, "two-readers", CLASS_ROB, 0, VFIO_DEVICE_STATE_STOP_COPY, "read(2)",
	  "Two threads that read one data_fd get every byte once between them.", two_readers },
	{ 41, "closed-early", CLASS_ROB, 0, 0, OPS,
	  "Closing a data_fd in mid-session leaves a device that works.", closed_early },
	{ 42, "device-closed-first", CLASS_ROB, NEEDS_KERNEL, 0, OPS,
	  "A data_fd that outlives the device's descriptor moves no data.", device_closed_first },
	{ 44, "io-after-end", CLASS_ROB, 0, VFIO_DEVICE_STATE_STOP, OPS,
	  "Writes after the session's end fail and do no harm.", io_after_end },
	{ 45, "faulting-reader", CLASS_ROB, NEEDS_KERNEL, 0, OPS,
	  "A reader in an unserved page fault delays no SET and no reset.", faulting_reader },
	{ 46, "interruptible", CLASS_SHOULD, NEEDS_PRE_COPY, 0, "read(2)",
	  "A read that waits ends with a signal.", interruptible },
	{ }
};
