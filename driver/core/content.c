// SPDX-License-Identifier: GPL-2.0-only
#include "content.h"

/* Walks over the whole state let others run after so many bytes. */
#define BREATH		(64u * MIGLAB_PAGE)

ssize_t miglab_content_stage(struct miglab_content *c, struct miglab_precopy *track, bool final,
			     u8 *buf)
{
	bool initial = track->cursor < track->pages;
	size_t size;
	u64 offset;
	u32 len;
	int ret;

	if (!track->left)
		return 0;
	if (!track->header) {
		size = miglab_stream_put_header(buf, &c->id);
		track->header = true;
	} else if (miglab_precopy_next(track, &offset, &len)) {
		ret = c->fetch ? c->fetch(c->opaque, offset, len) : 0;
		if (ret) {
			miglab_precopy_give_back(track, offset, len, initial);
			return ret;
		}
		memcpy(buf + MIGLAB_PAGES_BYTES, c->bytes + offset, len);
		if (track->corrupt - offset < len)
			buf[MIGLAB_PAGES_BYTES + track->corrupt - offset] ^= 0xff;
		size = miglab_stream_put_pages(buf, offset, len);
	} else if (final && !track->end) {
		size = miglab_stream_put_end(buf, track->records);
		track->end = true;
	} else {
		return 0;
	}
	miglab_precopy_staged(track, size, initial);
	return (ssize_t)track->unread;
}

void miglab_content_put_pages(void *opaque, u64 offset, const u8 *data, u32 len)
{
	struct miglab_content *c = opaque;

	memcpy(c->bytes + offset, data, len);
}

u32 miglab_content_fingerprint(const struct miglab_content *c)
{
	u32 crc = ~0u;
	u64 at, n;

	for (at = 0; at < c->id.state_bytes; at += n) {
		n = c->id.state_bytes - at;
		n = n < BREATH ? n : BREATH;
		crc = crc32c(crc, c->bytes + at, (size_t)n);
		cond_resched();
	}
	return ~crc;
}

u64 miglab_content_stream_bytes(u64 state_bytes)
{
	const struct miglab_precopy fresh = {
		.pages = state_bytes / MIGLAB_PAGE,
		.left = U64_MAX,
	};

	return miglab_precopy_remaining(&fresh);
}
