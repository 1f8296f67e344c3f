// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/listener.h"
#include "base/log.h"
#include "vmm/framing.h"

/* Connections that have not said yet what they are for: a migration's own, and some strangers. */
#define GUESTS_MAX	(HELLO_DEVICES_MAX + 8)

/* A connection whose HELLO is awaited, or a device's that came before its control connection. */
struct guest {
	struct channel *channel;
	int fd;
	struct loop_source *source;	/* NULL once @hello is there */
	struct frame_reader reader;
	struct hello hello;
};

struct channel {
	struct loop *loop;
	const char *const *ids;
	unsigned int count;
	const struct channel_handler *handler;
	void *opaque;

	struct listener *listener;		/* until all connections of a source are there */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];	/* of the listener */
	int control;
	struct loop_source *controlling;
	struct frame_reader reader;		/* of the control connection */
	uint64_t session;
	unsigned int own[HELLO_DEVICES_MAX];	/* the peer's index of a device to ours */
	int data[HELLO_DEVICES_MAX];		/* by our index */
	struct guest *guests[GUESTS_MAX];
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

void channel_tell(struct channel *ch, enum message message, bool running, const char *text)
{
	if (ch->control >= 0)
		tell(ch->control, message, running, text);
}

static void hand_on(struct channel *ch)
{
	const struct frame_reader *r = &ch->reader;
	char text[FRAME_TEXT_MAX + 1] = "";

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
	while (ch->control >= 0) {
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
	struct sockaddr_un addr;
	int ret = unix_address(uri, &addr, err);

	return ret ? error_prefix(err, ret, "the migration URI") : 0;
}

/* A connect(2) to a local socket is done at once, or not at all. */
static int connect_one(const struct sockaddr_un *addr, const struct hello *hello, int *ret_fd)
{
	uint8_t frame[HELLO_BYTES_MAX];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int ret;

	if (fd < 0)
		return -errno;
	ret = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? -errno : 0;
	if (!ret)
		ret = send_frame(fd, frame, hello_encode(frame, hello));
	if (ret) {
		close(fd);
		return ret;
	}
	*ret_fd = fd;
	return 0;
}

/* From now on the calls of the device's worker wait. */
static void let_block(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

static int connect_all(struct channel *ch, const struct sockaddr_un *addr)
{
	struct hello hello = { .kind = HELLO_CONTROL, .count = ch->count };
	int ret, fd;

	if (getrandom(&hello.session, sizeof(hello.session), GRND_NONBLOCK) < 0)
		return -errno;
	for (unsigned int i = 0; i < ch->count; i++)
		strcpy(hello.id[i], ch->ids[i]);
	ret = connect_one(addr, &hello, &fd);
	if (ret)
		return ret;
	ret = serve_control(ch, fd);
	hello.kind = HELLO_DATA;
	hello.count = 0;
	for (hello.index = 0; !ret && hello.index < ch->count; hello.index++) {
		ret = connect_one(addr, &hello, &ch->data[hello.index]);
		if (!ret)
			let_block(ch->data[hello.index]);
	}
	return ret;
}

int channel_connect(struct channel *ch, const char *uri, struct error *err)
{
	struct sockaddr_un addr;
	int ret = unix_address(uri, &addr, err);

	if (ret)
		return ret;
	ret = connect_all(ch, &addr);
	if (ret) {
		channel_close(ch);
		return error_set(err, ret, "Failed to connect to '%s': %s", addr.sun_path,
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
		log_warn("a second source connected to %s; it is sent away", ch->path);
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
	dismiss(guest, true);
	if (serve_control(ch, fd))
		lost(ch, strerror(ENOMEM));
}

static void admit_data(struct channel *ch, struct guest **guest)
{
	const struct hello *hello = &(*guest)->hello;
	int *data = hello->index < ch->count ? &ch->data[ch->own[hello->index]] : NULL;

	if (hello->session != ch->session || !data || *data >= 0) {
		log_warn("a connection to %s belongs to no device of this migration", ch->path);
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
			 ch->path);
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
		log_warn("a connection to %s is closed: %s", ch->path, strerror(-ret));
		close(fd);
	}
}

int channel_listen(struct channel *ch, const char *uri, struct error *err)
{
	struct sockaddr_un addr;
	int ret = unix_address(uri, &addr, err);

	if (!ret)
		ret = listener_new(ch->loop, &addr, GUESTS_MAX, on_connection, ch, &ch->listener,
				   err);
	if (ret)
		return error_prefix(err, ret, "the migration URI");
	strcpy(ch->path, addr.sun_path);
	return 0;
}
