// SPDX-License-Identifier: GPL-2.0-only
#include "content.h"

/* Walks over the whole state let others run after so many bytes. */
#define BREATH		(64u * MIGLAB_PAGE)

static u32 checksum(const struct miglab_content *c, u32 crc, u64 from, u64 to)
{
	u64 n;

	for (; from < to; from += n) {
		n = to - from < BREATH ? to - from : BREATH;
		crc = crc32c(crc, c->bytes + from, (size_t)n);
		cond_resched();
	}
	return crc;
}

/* The fingerprint of the bytes as they are sent: a rule's damage is no damage of the stream. */
static u32 sent_fingerprint(const struct miglab_content *c, u64 corrupt)
{
	u8 wrong;
	u32 crc;

	if (corrupt >= c->id.state_bytes)
		return c->fingerprint;
	wrong = c->bytes[corrupt] ^ 0xff;
	crc = crc32c(checksum(c, ~0u, 0, corrupt), &wrong, 1);
	return ~checksum(c, crc, corrupt + 1, c->id.state_bytes);
}

int miglab_content_stage(struct miglab_content *c, struct miglab_precopy *track, bool final,
			 struct miglab_outgoing *out)
{
	bool initial = track->cursor < track->pages;
	u64 offset = 0;
	u32 len = 0;
	size_t size;
	int ret;

	if (!track->left)
		return 0;
	if (!track->header) {
		size = miglab_stream_put_header(out->head, &c->id);
		track->header = true;
	} else if (miglab_precopy_next(track, &offset, &len)) {
		ret = c->fetch ? c->fetch(c->opaque, offset, len) : 0;
		if (ret) {
			miglab_precopy_give_back(track, offset, len, initial);
			return ret;
		}
		size = miglab_stream_put_pages(out->head, offset, len);
	} else if (final && !track->end) {
		size = miglab_stream_put_end(out->head, track->records,
					     sent_fingerprint(c, track->corrupt));
		track->end = true;
	} else {
		return 0;
	}
	miglab_precopy_staged(track, size, initial);
	out->head_bytes = size - len;
	out->size = (size_t)track->unread;
	out->taken = 0;
	out->offset = offset;
	out->corrupt = track->corrupt;
	return 1;
}

size_t miglab_content_next(const struct miglab_content *c, struct miglab_outgoing *out,
			   const u8 **ret_at)
{
	size_t left = out->size - out->taken;
	u64 at;

	if (out->taken < out->head_bytes) {
		*ret_at = out->head + out->taken;
		return left < out->head_bytes - out->taken ? left : out->head_bytes - out->taken;
	}
	at = out->offset + (out->taken - out->head_bytes);
	if (at == out->corrupt) {
		out->wrong = c->bytes[at] ^ 0xff;
		*ret_at = &out->wrong;
		return 1;
	}
	*ret_at = c->bytes + at;
	return at < out->corrupt && out->corrupt - at < left ? (size_t)(out->corrupt - at) : left;
}

u32 miglab_content_fingerprint(const struct miglab_content *c)
{
	return ~checksum(c, ~0u, 0, c->id.state_bytes);
}

int miglab_content_loaded(struct miglab_content *c, struct miglab_decoder *d)
{
	int ret = miglab_decoder_finish(d);

	if (ret)
		return ret;
	c->fingerprint = c->sums ? miglab_sums_fingerprint(c->sums, c->bytes) :
				   miglab_content_fingerprint(c);
	if (c->fingerprint != d->fingerprint)
		d->error = -EINVAL;
	return d->error;
}

u64 miglab_content_stream_bytes(u64 state_bytes)
{
	const struct miglab_precopy fresh = {
		.pages = state_bytes / MIGLAB_PAGE,
		.left = U64_MAX,
	};

	return miglab_precopy_remaining(&fresh);
}
