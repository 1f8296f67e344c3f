// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/listener.h"
#include "base/log.h"
#include "vmm/framing.h"
#include "vmm/savefile.h"

/* Connections that have not said yet what they are for: a migration's own, and some strangers. */
#define GUESTS_MAX	(HELLO_DEVICES_MAX + 8)
#define ALIVE_NS	(200 * NSEC_PER_MSEC)	/* between two signs of life */

/* A connection whose HELLO is awaited, or a device's that came before its control connection. */
struct guest {
	struct channel *channel;
	int fd;
	struct loop_source *source;	/* NULL once @hello is there */
	uint64_t since_ns;
	struct frame_reader reader;
	struct hello hello;
};

/* A connection that is being made. */
struct call {
	struct channel *channel;
	struct loop_source *source;	/* NULL when nothing is awaited */
	struct hello hello;		/* to be sent then */
};

struct channel {
	struct loop *loop;
	const char *const *ids;
	unsigned int count;
	const struct channel_handler *handler;
	void *opaque;

	struct listener *listener;		/* until all connections of a source are there */
	struct address address;			/* of the listener, or of the destination */
	int control;
	struct loop_source *controlling;
	struct frame_reader reader;		/* of the control connection */
	uint64_t session;
	unsigned int own[HELLO_DEVICES_MAX];	/* the peer's index of a device to ours */
	int data[HELLO_DEVICES_MAX];		/* by our index */
	struct guest *guests[GUESTS_MAX];
	struct call calls[1 + HELLO_DEVICES_MAX];	/* control, devices */

	uint64_t timeout_ns;			/* 0: none */
	uint64_t heard_ns;			/* when the peer last did what it owes us */
	struct loop_timer *tick;
	bool silent;				/* the handler was told */

	bool filed;				/* the peer is a file, which answers soon: */
	struct loop_timer *soon;
	bool saved, running;			/* DONE was written; it was read, with this */
	struct error error;			/* or not written */
};

int channel_new(struct loop *loop, const char *const *ids, unsigned int count,
		const struct channel_handler *handler, void *opaque, struct channel **ret_channel)
{
	struct channel *ch = calloc(1, sizeof(*ch));

	if (!ch)
		return -ENOMEM;
	ch->loop = loop;
	ch->ids = ids;
	ch->count = count;
	ch->handler = handler;
	ch->opaque = opaque;
	ch->control = -1;
	for (unsigned int i = 0; i < HELLO_DEVICES_MAX; i++)
		ch->data[i] = -1;
	*ret_channel = ch;
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void drop_source(struct loop_source **source)
{
	loop_remove(*source);
	*source = NULL;
}

/* @keep: its descriptor has another owner now. */
static void dismiss(struct guest **guest, bool keep)
{
	if (!*guest)
		return;
	loop_remove((*guest)->source);
	if (!keep)
		close((*guest)->fd);
	free(*guest);
	*guest = NULL;
}

static void close_listener(struct channel *ch)
{
	listener_free(ch->listener);
	ch->listener = NULL;
	for (unsigned int i = 0; i < GUESTS_MAX; i++)
		dismiss(&ch->guests[i], false);
}

static void close_control(struct channel *ch)
{
	drop_source(&ch->controlling);
	close_fd(&ch->control);
}

void channel_close(struct channel *ch)
{
	loop_cancel(ch->tick);
	ch->tick = NULL;
	loop_cancel(ch->soon);
	ch->soon = NULL;
	ch->filed = ch->saved = false;
	for (unsigned int i = 0; i <= ch->count; i++)
		drop_source(&ch->calls[i].source);
	close_listener(ch);
	close_control(ch);
	for (unsigned int i = 0; i < ch->count; i++)
		close_fd(&ch->data[i]);
	memset(&ch->reader, 0, sizeof(ch->reader));
}

void channel_free(struct channel *ch)
{
	if (!ch)
		return;
	channel_close(ch);
	free(ch);
}

void channel_shut(struct channel *ch)
{
	for (unsigned int i = 0; i < ch->count; i++) {
		if (ch->data[i] >= 0)
			shutdown(ch->data[i], SHUT_RDWR);
	}
}

int channel_data(const struct channel *ch, unsigned int device)
{
	return ch->data[device];
}

static void lost(struct channel *ch, const char *text)
{
	close_control(ch);
	ch->handler->lost(ch->opaque, text);
}

/* Control frames are few and small: a socket that has no room for one has a peer that is gone. */
static int send_frame(int fd, const uint8_t *frame, size_t len)
{
	ssize_t n = send(fd, frame, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -ENOBUFS;
}

void channel_set_timeout(struct channel *ch, uint64_t timeout_ns)
{
	ch->timeout_ns = timeout_ns;
}

static bool overdue(const struct channel *ch, uint64_t since_ns)
{
	return ch->timeout_ns && clock_ns() - since_ns > ch->timeout_ns;
}

/* One that the peer has not taken yet is enough: the room is for what matters. */
static void say_alive(int fd)
{
	uint8_t frame[FRAME_HEADER_BYTES];
	int unread;

	if (ioctl(fd, SIOCOUTQ, &unread) || unread)
		return;
	frame_put_header(frame, FRAME_ALIVE, 0);
	send_frame(fd, frame, sizeof(frame));
}

static void dismiss_overdue(struct channel *ch)
{
	for (unsigned int i = 0; i < GUESTS_MAX; i++) {
		if (!ch->guests[i] || !overdue(ch, ch->guests[i]->since_ns))
			continue;
		log_warn("a connection to %s that was of no use for %llu ms is closed",
			 ch->address.text, (unsigned long long)(ch->timeout_ns / NSEC_PER_MSEC));
		dismiss(&ch->guests[i], false);
	}
}

static bool expects_peer(const struct channel *ch)
{
	return ch->control >= 0 && !ch->silent;
}

static void on_tick(void *opaque)
{
	struct channel *ch = opaque;

	ch->tick = loop_at(ch->loop, clock_ns() + ALIVE_NS, on_tick, ch);
	if (ch->controlling)
		say_alive(ch->control);
	/* What came while this thread had no time counts. */
	channel_poll(ch);
	dismiss_overdue(ch);
	if (expects_peer(ch) && overdue(ch, ch->heard_ns)) {
		ch->silent = true;
		ch->handler->silent(ch->opaque);
	}
}

static int start_ticking(struct channel *ch)
{
	ch->silent = false;
	ch->heard_ns = clock_ns();
	ch->tick = loop_at(ch->loop, ch->heard_ns + ALIVE_NS, on_tick, ch);
	return ch->tick ? 0 : -ENOMEM;
}

static const enum frame_type frames[] = {
	[MSG_READY] = FRAME_READY,
	[MSG_DONE] = FRAME_DONE,
	[MSG_LOADED] = FRAME_LOADED,
	[MSG_FAILED] = FRAME_FAILED,
};

static void tell(int fd, enum message message, bool running, const char *text)
{
	uint8_t frame[FRAME_HEADER_BYTES + FRAME_TEXT_MAX];
	uint8_t *payload = frame + FRAME_HEADER_BYTES;
	size_t len = 0;

	if (message == MSG_DONE) {
		payload[len++] = running;
	} else if (message == MSG_FAILED) {
		len = strnlen(text, FRAME_TEXT_MAX);
		memcpy(payload, text, len);
	}
	frame_put_header(frame, frames[message], len);
	/* Reading will tell that the peer is gone, after what it said last. */
	send_frame(fd, frame, FRAME_HEADER_BYTES + len);
}

/* What the other side of a file would say. */
static void answer_source(void *opaque)
{
	struct channel *ch = opaque;

	ch->soon = NULL;
	if (*ch->error.text)
		ch->handler->message(ch->opaque, MSG_FAILED, false, ch->error.text);
	else
		ch->handler->message(ch->opaque, ch->saved ? MSG_LOADED : MSG_READY, false, "");
}

static void answer_destination(void *opaque)
{
	struct channel *ch = opaque;

	ch->soon = NULL;
	ch->handler->message(ch->opaque, MSG_READY, false, "");
	if (ch->filed)
		ch->handler->message(ch->opaque, MSG_DONE, ch->running, "");
}

static int answer_soon(struct channel *ch, loop_timer_fn fn)
{
	ch->filed = true;
	ch->error = (struct error){ 0 };
	ch->soon = loop_at(ch->loop, clock_ns(), fn, ch);
	return ch->soon ? 0 : -ENOMEM;
}

static void tell_file(struct channel *ch, enum message message, bool running)
{
	uint8_t frame[FRAME_HEADER_BYTES + 1];
	ssize_t n;

	if (message != MSG_DONE)
		return;
	frame_put_header(frame, FRAME_DONE, 1);
	frame[FRAME_HEADER_BYTES] = running;
	ch->saved = true;
	if (answer_soon(ch, answer_source)) {
		lost(ch, strerror(ENOMEM));
		return;
	}
	n = write(ch->control, frame, sizeof(frame));
	if (n != sizeof(frame))
		error_set(&ch->error, -EIO, "cannot write to the file: %s",
			  strerror(n < 0 ? errno : ENOSPC));
}

void channel_tell(struct channel *ch, enum message message, bool running, const char *text)
{
	if (ch->filed)
		tell_file(ch, message, running);
	else if (ch->control >= 0)
		tell(ch->control, message, running, text);
}

static void hand_on(struct channel *ch)
{
	const struct frame_reader *r = &ch->reader;
	char text[FRAME_TEXT_MAX + 1] = "";

	/* Until all its connections are here, these are what it owes us. */
	if (!ch->listener)
		ch->heard_ns = clock_ns();
	if (r->type == FRAME_ALIVE)
		return;
	for (unsigned int m = 0; m < sizeof(frames) / sizeof(frames[0]); m++) {
		if (frames[m] != r->type)
			continue;
		/* The destination's own conclusion, which nobody else can draw. */
		if (m == MSG_READY && ch->listener)
			break;
		if (r->type == FRAME_FAILED)
			memcpy(text, frame_payload(r), r->length);
		ch->handler->message(ch->opaque, m, r->length && *frame_payload(r) == 1, text);
		return;
	}
	lost(ch, "the peer says on the control connection what does not belong there");
}

/* One recv(2): 1 when a frame is complete, 0 when not yet, -EAGAIN, -EPIPE at the end. */
static int receive(int fd, struct frame_reader *r)
{
	uint8_t *at;
	size_t want = frame_want(r, &at);
	ssize_t n;

	do {
		n = recv(fd, at, want, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? frame_got(r, n) : -EPIPE;
}

void channel_poll(struct channel *ch)
{
	while (ch->controlling) {
		int ret = receive(ch->control, &ch->reader);

		if (ret == -EAGAIN)
			return;
		if (ret == -EPIPE || ret == -ECONNRESET)
			lost(ch, "the peer closed the connection");
		else if (ret == -EPROTO)
			lost(ch, "the peer sent a malformed message on the control connection");
		else if (ret < 0)
			lost(ch, strerror(-ret));
		else if (ret)
			hand_on(ch);
	}
}

static void on_control(void *opaque, int fd, short revents)
{
	(void)fd;
	(void)revents;
	channel_poll(opaque);
}

static int serve_control(struct channel *ch, int fd)
{
	ch->control = fd;
	ch->controlling = loop_add(ch->loop, fd, POLLIN, on_control, ch);
	return ch->controlling ? 0 : -ENOMEM;
}

int channel_check_uri(const char *uri, struct error *err)
{
	const char *path = savefile_path(uri);
	struct address address;
	int ret;

	if (path && *path && strlen(path) <= SAVEFILE_PATH_MAX)
		return 0;
	ret = path ? error_set(err, -EINVAL, "'%s' is no file, write file:PATH", uri) :
		     socket_address(uri, &address, err);
	return ret ? error_prefix(err, ret, "the migration URI") : 0;
}

/* From now on the calls of the device's worker wait. */
static void let_block(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

/* The connection is made. */
static int introduce(struct channel *ch, const struct hello *hello)
{
	int fd = hello->kind == HELLO_CONTROL ? ch->control : ch->data[hello->index];
	uint8_t frame[HELLO_BYTES_MAX];
	int ret = send_frame(fd, frame, hello_encode(frame, hello));

	if (ret)
		return ret;
	if (hello->kind == HELLO_CONTROL)
		return serve_control(ch, fd);
	let_block(fd);
	return 0;
}

static void on_connected(void *opaque, int fd, short revents)
{
	struct call *call = opaque;
	struct channel *ch = call->channel;
	socklen_t len = sizeof(int);
	struct error err;
	int ret;

	(void)revents;
	drop_source(&call->source);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &ret, &len))
		ret = errno;
	ret = -ret ?: introduce(ch, &call->hello);
	if (!ret)
		return;
	/* Why it wants no further connection is the better reason. */
	channel_poll(ch);
	if (ch->control < 0)
		return;
	error_set(&err, ret, "Failed to connect to '%s': %s", ch->address.text, strerror(-ret));
	lost(ch, err.text);
}

/* A connect(2) to a local socket is done at once, or not at all; TCP takes its time. */
static int connect_one(struct channel *ch, struct call *call, int *ret_fd)
{
	int fd = address_socket(&ch->address);

	if (fd < 0)
		return fd;
	*ret_fd = fd;
	call->channel = ch;
	if (!connect(fd, &ch->address.any, ch->address.len))
		return introduce(ch, &call->hello);
	if (errno != EINPROGRESS)
		return -errno;
	call->source = loop_add(ch->loop, fd, POLLOUT, on_connected, call);
	return call->source ? 0 : -ENOMEM;
}

/* What each connection begins with. */
static int prepare_hellos(struct channel *ch)
{
	struct hello *control = &ch->calls[0].hello;
	uint64_t session;

	if (getrandom(&session, sizeof(session), GRND_NONBLOCK) < 0)
		return -errno;
	*control = (struct hello){
		.kind = HELLO_CONTROL, .session = session, .count = ch->count,
	};
	for (unsigned int i = 0; i < ch->count; i++) {
		strcpy(control->id[i], ch->ids[i]);
		ch->calls[1 + i].hello = (struct hello){
			.kind = HELLO_DATA, .session = session, .index = i,
		};
	}
	return 0;
}

static int connect_all(struct channel *ch)
{
	int ret = prepare_hellos(ch);

	if (!ret)
		ret = connect_one(ch, &ch->calls[0], &ch->control);
	for (unsigned int i = 0; !ret && i < ch->count; i++)
		ret = connect_one(ch, &ch->calls[1 + i], &ch->data[i]);
	return ret ?: start_ticking(ch);
}

static int save(struct channel *ch, const char *path, struct error *err)
{
	int ret = prepare_hellos(ch);

	if (ret)
		return error_set(err, ret, "no session: %s", strerror(-ret));
	ret = savefile_create(path, NULL, &ch->calls[0].hello, &ch->control, err);
	for (unsigned int i = 0; !ret && i < ch->count; i++)
		ret = savefile_create(path, ch->ids[i], &ch->calls[1 + i].hello, &ch->data[i], err);
	if (!ret && answer_soon(ch, answer_source))
		ret = error_set(err, -ENOMEM, "no memory to migrate");
	if (ret)
		channel_close(ch);
	return ret;
}

int channel_connect(struct channel *ch, const char *uri, struct error *err)
{
	int ret;

	if (savefile_path(uri))
		return save(ch, savefile_path(uri), err);
	ret = socket_address(uri, &ch->address, err);
	if (ret)
		return ret;
	ret = connect_all(ch);
	if (ret) {
		/* Why it wants no further connection is the better reason. */
		channel_poll(ch);
		channel_close(ch);
		return error_set(err, ret, "Failed to connect to '%s': %s", ch->address.text,
				 strerror(-ret));
	}
	return 0;
}

/* Finds each of the source's devices among our own. */
static int match_devices(struct channel *ch, const struct hello *hello, struct error *err)
{
	if (hello->count != ch->count)
		return error_set(err, -ENODEV, "the source has %u devices, the destination %u",
				 hello->count, ch->count);
	for (unsigned int i = 0; i < hello->count; i++) {
		unsigned int own = 0;

		while (own < ch->count && strcmp(hello->id[i], ch->ids[own]))
			own++;
		if (own == ch->count)
			return error_set(err, -ENODEV,
					 "the source's device '%s' does not exist at the destination",
					 hello->id[i]);
		for (unsigned int j = 0; j < i; j++) {
			if (ch->own[j] == own)
				return error_set(err, -EINVAL,
						 "the source lists its device '%s' twice",
						 hello->id[i]);
		}
		ch->own[i] = own;
	}
	return 0;
}

static void admit_control(struct channel *ch, struct guest **guest)
{
	struct hello *hello = &(*guest)->hello;
	int fd = (*guest)->fd;
	struct error err;

	if (ch->control >= 0) {
		log_warn("a second source connected to %s; it is sent away", ch->address.text);
		dismiss(guest, false);
		return;
	}
	if (match_devices(ch, hello, &err)) {
		tell(fd, MSG_FAILED, false, err.text);
		dismiss(guest, false);
		lost(ch, err.text);
		return;
	}
	ch->session = hello->session;
	ch->heard_ns = clock_ns();
	dismiss(guest, true);
	if (serve_control(ch, fd))
		lost(ch, strerror(ENOMEM));
}

static void admit_data(struct channel *ch, struct guest **guest)
{
	const struct hello *hello = &(*guest)->hello;
	int *data = hello->index < ch->count ? &ch->data[ch->own[hello->index]] : NULL;

	if (hello->session != ch->session || !data || *data >= 0) {
		log_warn("a connection to %s belongs to no device of this migration",
			 ch->address.text);
		dismiss(guest, false);
		return;
	}
	*data = (*guest)->fd;
	let_block(*data);
	dismiss(guest, true);
}

/* Gives the devices those connections that have introduced themselves. */
static void admit_waiting(struct channel *ch)
{
	for (unsigned int i = 0; ch->control >= 0 && i < GUESTS_MAX; i++) {
		if (ch->guests[i] && !ch->guests[i]->source)
			admit_data(ch, &ch->guests[i]);
	}
	for (unsigned int i = 0; i < ch->count; i++) {
		if (ch->data[i] < 0)
			return;
	}
	close_listener(ch);
	ch->heard_ns = clock_ns();
	ch->handler->message(ch->opaque, MSG_READY, false, "");
}

static void on_guest(void *opaque, int fd, short revents)
{
	struct guest *guest = opaque;
	struct channel *ch = guest->channel;
	struct guest **slot = ch->guests;
	int ret = receive(fd, &guest->reader);

	(void)revents;
	if (ret == 0 || ret == -EAGAIN)
		return;
	while (*slot != guest)
		slot++;
	if (ret > 0 && guest->reader.type == FRAME_HELLO)
		ret = hello_decode(frame_payload(&guest->reader), guest->reader.length,
				   &guest->hello);
	else
		ret = -EPROTO;
	if (ret) {
		log_warn("a connection to %s did not introduce itself as a source of this version",
			 ch->address.text);
		dismiss(slot, false);
		return;
	}
	drop_source(&guest->source);
	if (guest->hello.kind == HELLO_CONTROL)
		admit_control(ch, slot);
	admit_waiting(ch);
}

static int receive_guest(struct channel *ch, int fd)
{
	struct guest **slot = ch->guests, *guest;

	while (slot < ch->guests + GUESTS_MAX && *slot)
		slot++;
	if (slot == ch->guests + GUESTS_MAX)
		return -EUSERS;
	guest = calloc(1, sizeof(*guest));
	if (!guest)
		return -ENOMEM;
	guest->channel = ch;
	guest->fd = fd;
	guest->since_ns = clock_ns();
	guest->source = loop_add(ch->loop, fd, POLLIN, on_guest, guest);
	if (!guest->source) {
		free(guest);
		return -ENOMEM;
	}
	*slot = guest;
	return 0;
}

static void on_connection(void *opaque, int fd)
{
	struct channel *ch = opaque;
	int ret = receive_guest(ch, fd);

	if (ret) {
		log_warn("a connection to %s is closed: %s", ch->address.text, strerror(-ret));
		close(fd);
	}
}

static int load(struct channel *ch, const char *path, struct error *err)
{
	struct hello hello;
	int ret = savefile_read(path, &hello, &ch->running, err);

	ret = ret ?: match_devices(ch, &hello, err);
	for (unsigned int i = 0; !ret && i < ch->count; i++)
		ret = savefile_open(path, &hello, i, &ch->data[ch->own[i]], err);
	if (!ret && answer_soon(ch, answer_destination))
		ret = error_set(err, -ENOMEM, "no memory to wait for a migration");
	if (ret)
		channel_close(ch);
	return ret;
}

int channel_listen(struct channel *ch, const char *uri, struct error *err)
{
	int ret = channel_check_uri(uri, err);

	if (ret)
		return ret;
	if (savefile_path(uri))
		return load(ch, savefile_path(uri), err);
	ret = socket_address(uri, &ch->address, err);
	if (!ret)
		ret = listener_new(ch->loop, &ch->address, GUESTS_MAX, on_connection, ch,
				   &ch->listener, err);
	if (ret)
		return error_prefix(err, ret, "the migration URI");
	if (start_ticking(ch)) {
		channel_close(ch);
		return error_set(err, -ENOMEM, "no memory to wait for a migration");
	}
	return 0;
}
