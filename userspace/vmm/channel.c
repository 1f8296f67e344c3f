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
#include "base/log.h"
#include "vmm/filing.h"
#include "vmm/framing.h"
#include "vmm/guests.h"
#include "vmm/savefile.h"
#include "vmm/wire.h"

#define ALIVE_NS	(200 * NSEC_PER_MSEC)	/* between two signs of life */

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
	uint64_t memory;			/* bytes, of the last of @ids; 0: there is none */
	const struct channel_handler *handler;
	void *opaque;

	struct log_limit seconds, strays;	/* sources and connections that are sent away */
	struct guests guests;			/* until all connections of a source are there */
	struct address address;			/* of the listener, or of the destination */
	int control;
	struct loop_source *controlling;
	struct frame_reader reader;		/* of the control connection */
	uint64_t session;
	unsigned int own[HELLO_DEVICES_MAX];	/* the peer's index of a device to ours */
	int data[HELLO_DEVICES_MAX];		/* by our index */
	struct call calls[1 + HELLO_DEVICES_MAX];	/* control, devices */

	uint64_t timeout_ns;			/* 0: none */
	uint64_t heard_ns;			/* when the peer last did what it owes us */
	struct loop_timer *tick;
	bool silent;				/* the handler was told */

	struct filing *filing;			/* the peer is a file; NULL: it is none */
	bool saved, opened;			/* all is to be kept; to be loaded */
};

int channel_new(struct loop *loop, const char *const *ids, unsigned int count, uint64_t memory,
		const struct channel_handler *handler, void *opaque, struct channel **ret_channel)
{
	struct channel *ch = calloc(1, sizeof(*ch));

	if (!ch)
		return -ENOMEM;
	ch->loop = loop;
	ch->ids = ids;
	ch->count = count;
	ch->memory = memory;
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

static void close_control(struct channel *ch)
{
	drop_source(&ch->controlling);
	close_fd(&ch->control);
}

void channel_close(struct channel *ch)
{
	loop_cancel(ch->tick);
	ch->tick = NULL;
	if (ch->filing) {
		filing_end(ch->filing);
		ch->filing = NULL;
		for (unsigned int i = 0; i < ch->count; i++)
			ch->data[i] = -1;
	}
	ch->saved = ch->opened = false;
	for (unsigned int i = 0; i <= ch->count; i++)
		drop_source(&ch->calls[i].source);
	guests_close(&ch->guests);
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
	filing_settle();
	free(ch);
}

void channel_leave(struct channel *ch)
{
	if (!ch || !ch->filing)
		return;
	filing_end(ch->filing);
	ch->filing = NULL;
	filing_settle();
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
	wire_send(fd, frame, sizeof(frame));
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
	if (ch->timeout_ns)
		guests_expire(&ch->guests, ch->timeout_ns);
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
	[MSG_ACK] = FRAME_ACK,
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
	wire_send(fd, frame, FRAME_HEADER_BYTES + len);
}

/* What the other side of a file would say. */
static void on_saved(void *opaque, int ret, const struct error *err)
{
	struct channel *ch = opaque;

	if (ret && ch->saved) {
		ch->handler->message(ch->opaque, MSG_FAILED, false, err->text);
	} else if (ret) {
		lost(ch, err->text);
	} else if (ch->saved) {
		ch->handler->message(ch->opaque, MSG_LOADED, false, "");
	} else {
		for (unsigned int i = 0; i < ch->count; i++)
			ch->data[i] = filing_data(ch->filing, i);
		ch->handler->message(ch->opaque, MSG_READY, false, "");
	}
}

/* Without the thread, the files are not kept. */
static void tell_file(struct channel *ch, enum message message, bool running)
{
	if (message != MSG_DONE || ch->opened)
		return;
	ch->saved = true;
	if (filing_keep(ch->filing, running))
		lost(ch, strerror(ENOMEM));
}

void channel_tell(struct channel *ch, enum message message, bool running, const char *text)
{
	if (ch->filing)
		tell_file(ch, message, running);
	else if (ch->control >= 0)
		tell(ch->control, message, running, text);
}

static void hand_on(struct channel *ch)
{
	const struct frame_reader *r = &ch->reader;
	char text[FRAME_TEXT_MAX + 1] = "";

	/* Until all its connections are here, these are what it owes us. */
	if (!ch->guests.listener)
		ch->heard_ns = clock_ns();
	if (r->type == FRAME_ALIVE)
		return;
	for (unsigned int m = 0; m < sizeof(frames) / sizeof(frames[0]); m++) {
		if (frames[m] != r->type)
			continue;
		/* The destination's own conclusion, which nobody else can draw. */
		if (m == MSG_READY && ch->guests.listener)
			break;
		if (r->type == FRAME_FAILED)
			memcpy(text, frame_payload(r), r->length);
		ch->handler->message(ch->opaque, m, r->length && *frame_payload(r) == 1, text);
		return;
	}
	lost(ch, "the peer says on the control connection what does not belong there");
}

void channel_poll(struct channel *ch)
{
	while (ch->controlling) {
		int ret = wire_receive(ch->control, &ch->reader);

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

static bool is_known(const char *uri)
{
	return savefile_path(uri) || !strncmp(uri, "unix:", 5) || !strncmp(uri, "tcp:", 4);
}

int channel_check_uri(const char *uri, struct error *err)
{
	const char *path = savefile_path(uri);
	struct address address;
	int ret;

	if (!is_known(uri))
		return error_set(err, -EINVAL, "unknown migration protocol: %s", uri);
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
	int ret = wire_send(fd, frame, hello_encode(frame, hello));

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
		.memory = ch->memory,
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

	ret = ret ?: filing_new(ch->loop, path, on_saved, ch, &ch->filing);
	ret = ret ?: filing_create(ch->filing, &ch->calls[0].hello);
	if (!ret)
		return 0;
	channel_close(ch);
	return error_set(err, ret, "cannot begin to save: %s", strerror(-ret));
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
	if (hello->memory != ch->memory)
		return error_set(err, -ENODEV,
				 "the source has a memory of %llu bytes and the destination one of %llu; give both the same --ram",
				 (unsigned long long)hello->memory,
				 (unsigned long long)ch->memory);
	if (hello->count != ch->count)
		return error_set(err, -ENODEV, "the source has %u devices, the destination %u",
				 hello->count - !!ch->memory, ch->count - !!ch->memory);
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

static enum admission admit_control(struct channel *ch, int fd, const struct hello *hello)
{
	struct error err;

	if (ch->control >= 0) {
		log_warn_limited(&ch->seconds, "a second source connected to %s; it is sent away",
				 ch->address.text);
		return GUEST_REFUSED;
	}
	if (match_devices(ch, hello, &err)) {
		tell(fd, MSG_FAILED, false, err.text);
		lost(ch, err.text);
		return GUEST_REFUSED;
	}
	ch->session = hello->session;
	ch->heard_ns = clock_ns();
	if (serve_control(ch, fd))
		lost(ch, strerror(ENOMEM));
	return GUEST_TAKEN;
}

static bool all_here(const struct channel *ch)
{
	for (unsigned int i = 0; i < ch->count; i++) {
		if (ch->data[i] < 0)
			return false;
	}
	return true;
}

static enum admission admit_data(struct channel *ch, int fd, const struct hello *hello)
{
	int *data;

	if (ch->control < 0)
		return GUEST_EARLY;
	data = hello->index < ch->count ? &ch->data[ch->own[hello->index]] : NULL;
	if (hello->session != ch->session || !data || *data >= 0) {
		log_warn_limited(&ch->strays,
				 "a connection to %s belongs to no device of this migration",
				 ch->address.text);
		return GUEST_REFUSED;
	}
	*data = fd;
	let_block(fd);
	if (all_here(ch)) {
		guests_close(&ch->guests);
		ch->heard_ns = clock_ns();
		ch->handler->message(ch->opaque, MSG_READY, false, "");
	}
	return GUEST_TAKEN;
}

static enum admission admit(void *opaque, int fd, const struct hello *hello)
{
	return hello->kind == HELLO_CONTROL ? admit_control(opaque, fd, hello) :
					      admit_data(opaque, fd, hello);
}

/* First who is in it, then the files of those. */
static void on_loaded(void *opaque, int ret, const struct error *err)
{
	struct channel *ch = opaque;
	const struct hello *hello = filing_hello(ch->filing);
	struct error why = *err;

	if (!ret && !ch->opened) {
		ret = match_devices(ch, hello, &why);
		ch->opened = !ret;
		if (!ret && filing_open(ch->filing))
			ret = error_set(&why, -ENOMEM, "no memory to load");
	} else if (!ret) {
		for (unsigned int i = 0; i < ch->count; i++)
			ch->data[ch->own[i]] = filing_data(ch->filing, i);
		ch->handler->message(ch->opaque, MSG_READY, false, "");
		if (ch->filing)
			ch->handler->message(ch->opaque, MSG_DONE, filing_running(ch->filing), "");
		return;
	}
	if (ret)
		lost(ch, why.text);
}

static int load(struct channel *ch, const char *path, struct error *err)
{
	int ret = filing_new(ch->loop, path, on_loaded, ch, &ch->filing);

	ret = ret ?: filing_read(ch->filing);
	if (!ret)
		return 0;
	channel_close(ch);
	return error_set(err, ret, "cannot begin to load: %s", strerror(-ret));
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
		ret = guests_open(&ch->guests, ch->loop, &ch->address, admit, ch, err);
	if (ret)
		return error_prefix(err, ret, "the migration URI");
	if (start_ticking(ch)) {
		channel_close(ch);
		return error_set(err, -ENOMEM, "no memory to wait for a migration");
	}
	if (!address_is_local(&ch->address))
		log_warn("other hosts can reach %s, and whoever connects first is taken for the source; use a network that you trust",
			 ch->address.text);
	return 0;
}
