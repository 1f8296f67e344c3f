/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The connections of one migration: one for control, served by the loop, and one
 * for each device, which the device's worker uses with blocking calls.
 *
 * All functions belong to the loop's thread, and none waits for the peer.
 */
#ifndef MIGLAB_VMM_CHANNEL_H
#define MIGLAB_VMM_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "vmm/message.h"

struct channel;

/* Called from the loop. May call any function but channel_free(). */
struct channel_handler {
	/*
	 * @running: of MSG_DONE; @text: of MSG_FAILED. The destination is told
	 * MSG_READY when all connections are there and the devices are its own.
	 */
	void (*message)(void *opaque, enum message message, bool running, const char *text);
	/* The connection is of no use any more; @text is a sentence. At most once. */
	void (*lost)(void *opaque, const char *text);
	/*
	 * The peer kept silent for as long as channel_set_timeout() allows. It can
	 * still be told MSG_FAILED. At most once, and lost() may follow.
	 */
	void (*silent)(void *opaque);
};

/*
 * @ids: of the @count devices, at most HELLO_ID_MAX bytes each; they outlive the channel.
 * @memory: bytes of the memory, whose id is the last one; 0: there is none.
 */
int channel_new(struct loop *loop, const char *const *ids, unsigned int count, uint64_t memory,
		const struct channel_handler *handler, void *opaque, struct channel **ret_channel);
/* Closes first, and waits for what is to become of files. NULL is allowed. */
void channel_free(struct channel *channel);
/*
 * In the place of channel_free() when workers still use the connections and the process ends:
 * removes the files that were not complete. NULL is allowed.
 */
void channel_leave(struct channel *channel);

/*
 * How long the peer may say nothing on its control connection, or leave us without
 * the connections that it owes us; 0: for ever. A peer whose devices take long is
 * not silent: its loop says so. Strangers are sent away after the same time.
 */
void channel_set_timeout(struct channel *channel, uint64_t timeout_ns);

/* Is @uri one that can be connected to? -EINVAL and a sentence when not. */
int channel_check_uri(const char *uri, struct error *err);

/*
 * Source: begins to connect to "unix:PATH" or "tcp:HOST:PORT" and introduces itself;
 * what fails later is told by lost(). "file:PATH" is a destination that takes everything.
 */
int channel_connect(struct channel *channel, const char *uri, struct error *err);

/*
 * Destination: waits for a source at such an address, or takes a file as one; what is wrong
 * with the file is told by lost(). Errors are those of listener_new().
 */
int channel_listen(struct channel *channel, const char *uri, struct error *err);

/* The connection of device number @device; -1 when there is none. */
int channel_data(const struct channel *channel, unsigned int device);

/* Without a control connection nothing happens. */
void channel_tell(struct channel *channel, enum message message, bool running, const char *text);

/* Hands on at once what has arrived on the control connection. */
void channel_poll(struct channel *channel);

/* Shuts the devices' connections down: whoever waits in one comes back with an error. */
void channel_shut(struct channel *channel);

/* Closes all connections. The channel can be used again. */
void channel_close(struct channel *channel);

#endif
