// SPDX-License-Identifier: GPL-2.0-only
#include "stream.h"

static_assert(sizeof(struct miglab_rec) == 16, "the wire format has no padding");
static_assert(sizeof(struct miglab_header_payload) == 32, "the wire format has no padding");
static_assert(sizeof(struct miglab_pages_payload) == 8, "the wire format has no padding");
static_assert(sizeof(struct miglab_end_payload) == 16, "the wire format has no padding");

/* The bytes of a payload that are no pages. */
static u32 fixed_bytes(u32 tag, u32 length)
{
	return tag == MIGLAB_TAG_PAGES ? sizeof(struct miglab_pages_payload) : length;
}

/* The CRC of the record at @buf: of all before the CRC, and of @fixed bytes behind it. */
static u32 record_crc(const u8 *buf, u32 fixed)
{
	u32 crc = crc32c(~0u, buf, offsetof(struct miglab_rec, crc));

	return ~crc32c(crc, buf + sizeof(struct miglab_rec), fixed);
}

/* Puts a record's head before its payload, which is in place but for pages. */
static size_t finish_record(u8 *buf, u32 tag, u32 length)
{
	struct miglab_rec rec = {
		.tag = cpu_to_le32(tag),
		.flags = cpu_to_le32(MIGLAB_REC_MANDATORY),
		.length = cpu_to_le32(length),
	};

	memcpy(buf, &rec, sizeof(rec));
	rec.crc = cpu_to_le32(record_crc(buf, fixed_bytes(tag, length)));
	memcpy(buf, &rec, sizeof(rec));
	return sizeof(rec) + length;
}

size_t miglab_stream_put_header(u8 *buf, const struct miglab_identity *id)
{
	struct miglab_header_payload payload = {
		.magic = cpu_to_le64(MIGLAB_STREAM_MAGIC),
		.version = cpu_to_le32(MIGLAB_STREAM_VERSION),
		.model = cpu_to_le32(id->model),
		.vendor = cpu_to_le16(id->vendor),
		.device = cpu_to_le16(id->device),
		.subvendor = cpu_to_le16(id->subvendor),
		.subdevice = cpu_to_le16(id->subdevice),
		.state_bytes = cpu_to_le64(id->state_bytes),
	};

	memcpy(buf + sizeof(struct miglab_rec), &payload, sizeof(payload));
	return finish_record(buf, MIGLAB_TAG_HEADER, sizeof(payload));
}

size_t miglab_stream_put_pages(u8 *buf, u64 offset, u32 len)
{
	struct miglab_pages_payload payload = { .offset = cpu_to_le64(offset) };

	memcpy(buf + sizeof(struct miglab_rec), &payload, sizeof(payload));
	return finish_record(buf, MIGLAB_TAG_PAGES, (u32)sizeof(payload) + len);
}

size_t miglab_stream_put_end(u8 *buf, u64 records, u32 fingerprint)
{
	struct miglab_end_payload payload = {
		.records = cpu_to_le64(records),
		.fingerprint = cpu_to_le64(fingerprint),
	};

	memcpy(buf + sizeof(struct miglab_rec), &payload, sizeof(payload));
	return finish_record(buf, MIGLAB_TAG_END, sizeof(payload));
}

void miglab_decoder_init(struct miglab_decoder *d, const struct miglab_identity *expect, u8 *state)
{
	*d = (struct miglab_decoder){ .expect = *expect, .state = state };
}

static struct miglab_rec record_head(const struct miglab_decoder *d)
{
	struct miglab_rec rec;

	memcpy(&rec, d->head, sizeof(rec));
	return rec;
}

/* Size of the present record, as far as it is known. */
static size_t record_size(const struct miglab_decoder *d)
{
	struct miglab_rec rec;

	if (d->have < sizeof(rec))
		return sizeof(rec);
	rec = record_head(d);
	return sizeof(rec) + le32_to_cpu(rec.length);
}

/* The same without its pages. */
static size_t head_size(const struct miglab_decoder *d)
{
	struct miglab_rec rec;

	if (d->have < sizeof(rec))
		return sizeof(rec);
	rec = record_head(d);
	return sizeof(rec) + fixed_bytes(le32_to_cpu(rec.tag), le32_to_cpu(rec.length));
}

/* May a record of @length payload bytes carry @tag? */
static bool length_ok(u32 tag, u32 flags, u32 length)
{
	u32 data = length - (u32)sizeof(struct miglab_pages_payload);

	switch (tag) {
	case MIGLAB_TAG_HEADER:
		return length == sizeof(struct miglab_header_payload);
	case MIGLAB_TAG_PAGES:
		return length > sizeof(struct miglab_pages_payload) &&
		       data <= MIGLAB_PAGES_MAX && data % MIGLAB_PAGE == 0;
	case MIGLAB_TAG_END:
		return length == sizeof(struct miglab_end_payload);
	default:
		return !(flags & MIGLAB_REC_MANDATORY) && length <= MIGLAB_FIXED_MAX;
	}
}

/* Judges a record by its head, before @length bytes of room are trusted to it. */
static int check_head(const struct miglab_decoder *d)
{
	struct miglab_rec rec = record_head(d);
	u32 tag = le32_to_cpu(rec.tag);
	u32 flags = le32_to_cpu(rec.flags);
	bool header = tag == MIGLAB_TAG_HEADER;

	/* The header comes first and never again. */
	if (header == d->header)
		return -EINVAL;
	if (flags & ~MIGLAB_REC_MANDATORY)
		return -EINVAL;
	return length_ok(tag, flags, le32_to_cpu(rec.length)) ? 0 : -EINVAL;
}

static int apply_header(struct miglab_decoder *d, const u8 *at)
{
	const struct miglab_identity *want = &d->expect;
	struct miglab_header_payload got;

	memcpy(&got, at, sizeof(got));
	if (le64_to_cpu(got.magic) != MIGLAB_STREAM_MAGIC ||
	    le32_to_cpu(got.version) != MIGLAB_STREAM_VERSION)
		return -EINVAL;
	if (le32_to_cpu(got.model) != want->model ||
	    le16_to_cpu(got.vendor) != want->vendor ||
	    le16_to_cpu(got.device) != want->device ||
	    le16_to_cpu(got.subvendor) != want->subvendor ||
	    le16_to_cpu(got.subdevice) != want->subdevice ||
	    le64_to_cpu(got.state_bytes) != want->state_bytes)
		return -EINVAL;
	d->header = true;
	return 0;
}

static int apply_pages(struct miglab_decoder *d, const u8 *at, u32 length)
{
	struct miglab_pages_payload payload;
	u32 len = length - (u32)sizeof(payload);
	u64 offset;

	memcpy(&payload, at, sizeof(payload));
	offset = le64_to_cpu(payload.offset);
	if (offset % MIGLAB_PAGE || offset > d->expect.state_bytes ||
	    len > d->expect.state_bytes - offset)
		return -EINVAL;
	d->offset = offset;
	d->records++;
	return 0;
}

static int apply_end(struct miglab_decoder *d, const u8 *at)
{
	struct miglab_end_payload payload;

	memcpy(&payload, at, sizeof(payload));
	if (le64_to_cpu(payload.records) != d->records)
		return -EINVAL;
	d->fingerprint = le64_to_cpu(payload.fingerprint);
	d->end = true;
	return 0;
}

/* The record is complete, but for its pages. */
static int apply_record(struct miglab_decoder *d)
{
	struct miglab_rec rec = record_head(d);
	u32 tag = le32_to_cpu(rec.tag);
	u32 length = le32_to_cpu(rec.length);
	const u8 *payload = d->head + sizeof(rec);

	if (le32_to_cpu(rec.crc) != record_crc(d->head, fixed_bytes(tag, length)))
		return -EINVAL;
	switch (tag) {
	case MIGLAB_TAG_HEADER:
		return apply_header(d, payload);
	case MIGLAB_TAG_PAGES:
		return apply_pages(d, payload, length);
	case MIGLAB_TAG_END:
		return apply_end(d, payload);
	default:
		return 0;
	}
}

ssize_t miglab_decoder_want(struct miglab_decoder *d, u8 **ret_at)
{
	size_t head = head_size(d);

	if (d->error)
		return d->error;
	if (d->have < head) {
		*ret_at = d->head + d->have;
		return (ssize_t)(head - d->have);
	}
	*ret_at = d->state + d->offset + (d->have - head);
	return (ssize_t)(record_size(d) - d->have);
}

/* The decoder's view of @n more bytes; what it returns sticks. */
static int take(struct miglab_decoder *d, size_t n)
{
	u8 *at;
	int err = 0;

	if (d->end || n > (size_t)miglab_decoder_want(d, &at))
		return -EINVAL;
	d->have += n;
	if (d->have == sizeof(struct miglab_rec))
		err = check_head(d);
	if (!err && d->have == head_size(d))
		err = apply_record(d);
	if (!err && d->have == record_size(d))
		d->have = 0;
	return err;
}

int miglab_decoder_got(struct miglab_decoder *d, size_t n)
{
	if (!d->error && n)
		d->error = take(d, n);
	return d->error;
}

int miglab_decoder_finish(const struct miglab_decoder *d)
{
	if (d->error)
		return d->error;
	return d->end ? 0 : -EINVAL;
}
