// SPDX-License-Identifier: GPL-2.0-only
/*
 * The destination's end of a migration's connections, over real sockets: who gets in, and
 * what is believed of whom. The loop is stepped, so that nothing waits for a clock but for
 * what silence does.
 */
#include "unit.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/log.h"
#include "vmm/channel.h"
#include "vmm/framing.h"
#include "vmm/wire.h"

#define STEPS	50	/* of the loop: more than anything here needs */

static const char *const ids[] = { "vf0", "vf1" };
static char uri[64];
static struct loop *loop;
static struct channel *channel;
static char heard[512];
static bool silent;

static void note(const char *text)
{
	snprintf(heard + strlen(heard), sizeof(heard) - strlen(heard), "%s%s",
		 *heard ? ", " : "", text);
}

static void on_message(void *opaque, enum message message, bool running, const char *text)
{
	static const char *const names[] = { "ready", "done", "loaded", "failed", "ack" };

	(void)opaque;
	(void)running;
	(void)text;
	note(names[message]);
}

static void on_lost(void *opaque, const char *text)
{
	(void)opaque;
	note(text);
}

static void on_silent(void *opaque)
{
	(void)opaque;
	silent = true;
	loop_stop(loop, 0);
}

static const struct channel_handler handler = {
	.message = on_message, .lost = on_lost, .silent = on_silent,
};

static void stop(void *opaque)
{
	loop_stop(opaque, 0);
}

/* @want is all that was heard since the last time. */
static void expect(const char *want)
{
	for (int i = 0; i < STEPS; i++) {
		assert_non_null(loop_at(loop, 0, stop, loop));
		assert_int_equal(loop_run(loop), 0);
	}
	assert_string_equal(heard, want);
	*heard = '\0';
}

static int dial(const void *bytes, size_t len)
{
	struct address address;
	int fd;

	assert_int_equal(socket_address(uri, &address, NULL), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, &address.any, address.len), 0);
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
	return fd;
}

static int dial_hello(const struct hello *hello)
{
	uint8_t frame[HELLO_BYTES_MAX];

	return dial(frame, hello_encode(frame, hello));
}

static int dial_control(void)
{
	return dial_hello(&(struct hello){ .session = 7, .count = 2, .id = { "vf0", "vf1" } });
}

static int dial_data(uint64_t session, uint32_t index)
{
	return dial_hello(&(struct hello){
		.kind = HELLO_DATA, .session = session, .index = index });
}

static void say(int fd, enum frame_type type, uint32_t len)
{
	uint8_t frame[FRAME_HEADER_BYTES + 1] = { 0 };

	frame_put_header(frame, type, len);
	assert_int_equal(send(fd, frame, FRAME_HEADER_BYTES + len, MSG_NOSIGNAL),
			 FRAME_HEADER_BYTES + len);
}

/* Its other end is closed, or not; nothing was sent. */
static bool is_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

	assert_true(n <= 0);
	return !n || errno == ECONNRESET;
}

static void listen_here(void)
{
	assert_int_equal(channel_listen(channel, uri, NULL), 0);
}

static void test_all_connections(void **state)
{
	int fds[3] = { dial_data(7, 1), -1, -1 };	/* who comes early waits */

	(void)state;
	expect("");
	fds[1] = dial_control();
	expect("");
	assert_int_equal(channel_data(channel, 0), -1);
	assert_true(channel_data(channel, 1) >= 0);
	fds[2] = dial_data(7, 0);
	expect("ready");
	say(fds[1], FRAME_DONE, 1);
	expect("done");
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

/* Each is closed, and takes nobody's place: neither a device's nor the source's. */
static void test_strays(void **state)
{
	int control = dial_control(), first, fds[4], taken;

	(void)state;
	expect("");
	first = dial_data(7, 0);
	expect("");
	taken = channel_data(channel, 0);
	assert_true(taken >= 0);
	fds[0] = dial_data(8, 1);	/* of another session */
	fds[1] = dial_data(7, 0);	/* a second one */
	fds[2] = dial_data(7, 2);	/* of no device */
	fds[3] = dial_control();	/* a second source */
	expect("");
	for (int i = 0; i < 4; i++) {
		assert_true(is_closed(fds[i]));
		close(fds[i]);
	}
	assert_int_equal(channel_data(channel, 0), taken);
	assert_int_equal(channel_data(channel, 1), -1);
	assert_false(is_closed(first));
	assert_false(is_closed(control));
	fds[0] = dial_data(7, 1);
	expect("ready");
	say(control, FRAME_DONE, 1);
	expect("done");
	close(fds[0]);
	close(first);
	close(control);
}

static void test_a_device_twice(void **state)
{
	int fd = dial_hello(&(struct hello){ .session = 7, .count = 2, .id = { "vf0", "vf0" } });

	(void)state;
	expect("the source lists its device 'vf0' twice");
	close(fd);
}

/* That all connections are there is for the destination to see. */
static void test_ready_is_not_said_by_the_source(void **state)
{
	int fd = dial_control();

	(void)state;
	say(fd, FRAME_READY, 0);
	expect("the peer says on the control connection what does not belong there");
	close(fd);
}

/* What one peer began, another one does not end. */
static void test_half_a_frame_is_forgotten(void **state)
{
	int fds[3] = { dial_control(), -1, -1 };

	(void)state;
	expect("");
	assert_int_equal(send(fds[0], "\3\0\0", 3, MSG_NOSIGNAL), 3);
	expect("");
	close(fds[0]);
	expect("the peer closed the connection");
	channel_close(channel);
	listen_here();
	fds[0] = dial_control();
	fds[1] = dial_data(7, 0);
	fds[2] = dial_data(7, 1);
	expect("ready");
	say(fds[0], FRAME_DONE, 1);
	expect("done");
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static int alive_fd;
static unsigned int signs;

static void say_alive(void *opaque)
{
	say(alive_fd, FRAME_ALIVE, 0);
	if (++signs == 500)
		loop_stop(opaque, 0);
	else
		assert_non_null(loop_at(opaque, clock_ns() + 2 * NSEC_PER_MSEC, say_alive, opaque));
}

/* A source that lives owes us its devices' connections all the same. */
static void test_signs_of_life_are_no_connections(void **state)
{
	(void)state;
	channel_set_timeout(channel, 100 * NSEC_PER_MSEC);
	alive_fd = dial_control();
	expect("");
	signs = 0;
	say_alive(loop);
	assert_int_equal(loop_run(loop), 0);
	assert_true(silent);
	close(alive_fd);
}

/* Of signs of life, one is enough that the peer has not read. */
static void test_signs_of_life_leave_room(void **state)
{
	int fds[3] = { dial_control(), dial_data(7, 0), dial_data(7, 1) };
	uint8_t bytes[1024];

	(void)state;
	expect("ready");
	assert_non_null(loop_at(loop, clock_ns() + 900 * NSEC_PER_MSEC, stop, loop));
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(recv(fds[0], bytes, sizeof(bytes), MSG_DONTWAIT), FRAME_HEADER_BYTES);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void test_half_a_frame_sent(void **state)
{
	static uint8_t frames[4 << 20];
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(wire_send(fds[0], frames, 8), 0);
	assert_int_equal(wire_send(fds[0], frames, sizeof(frames)), -ENOBUFS);
	close(fds[1]);
	assert_int_equal(wire_send(fds[0], frames, 8), -EPIPE);
	close(fds[0]);
}

static int setup(void **state)
{
	(void)state;
	snprintf(uri, sizeof(uri), "unix:/tmp/miglab-channel-%d", (int)getpid());
	*heard = '\0';
	silent = false;
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(channel_new(loop, ids, 2, 0, &handler, NULL, &channel), 0);
	listen_here();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	channel_free(channel);
	loop_free(loop);
	return access(uri + 5, F_OK) ? 0 : -1;
}

#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		row(test_all_connections),
		row(test_strays),
		row(test_a_device_twice),
		row(test_ready_is_not_said_by_the_source),
		row(test_half_a_frame_is_forgotten),
		row(test_signs_of_life_are_no_connections),
		row(test_signs_of_life_leave_room),
		row(test_half_a_frame_sent),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
