// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decoder of the migration stream, loading a synthetic device.
 *
 * - It accepts what a second decoder accepts that sees the stream as a whole.
 * - Any segmentation gives the same result.
 * - It asks for no byte beyond its buffer, and places none beyond the state.
 * - A refused stream stays refused, and changes nothing any more.
 * - What is accepted encodes to the same bytes, and the state sends itself to the same state.
 * - It becomes a device's state only if it has the fingerprint that the stream names.
 */
#include "fuzz.h"

#include "core/synthetic.h"

#define STATE_BYTES	(2 * MIGLAB_PAGE)
#define STREAM_MAX	(2 * MIGLAB_RECORD_MAX)
#define SQUEEZED	40u	/* bytes of a payload that an input has */

static const struct miglab_identity identity = {
	.model = MIGLAB_MODEL_SYNTHETIC,
	.vendor = 0x8086,
	.device = 0x10ed,
	.subvendor = 0x1af4,
	.subdevice = 0x1100,
	.state_bytes = STATE_BYTES,
};

static const u32 mandatory = MIGLAB_REC_MANDATORY;

/* What came of a stream. */
struct outcome {
	u8 state[STATE_BYTES];
	struct miglab_content content;	/* that state */
	u64 records, fingerprint;
	int error;		/* the decoder's at the end */
	int loaded;		/* the verdict on a whole stream */
};

/* Of all but the bytes of pages. */
static u32 crc_of(const u8 *rec, u32 length)
{
	u32 covered = rec[0] == MIGLAB_TAG_PAGES && length > 8 ? 8 : length;

	return ~crc32c(crc32c(~0u, rec, offsetof(struct miglab_rec, crc)),
		       rec + sizeof(struct miglab_rec), covered);
}

/*
 * One record of the input at @in to @out, which has @room: a payload lacks what is
 * behind SQUEEZED bytes, where the last one goes on, and a CRC of 0 is the right one.
 * Returns what it made, and 0 of @ret_used at the end.
 */
static size_t expand_record(const u8 *in, size_t len, u8 *out, size_t room, size_t *ret_used)
{
	size_t head = len < sizeof(struct miglab_rec) ? len : sizeof(struct miglab_rec), there;
	struct miglab_rec rec;
	u32 length;

	*ret_used = 0;
	if (room < sizeof(rec) + SQUEEZED)
		return 0;
	memcpy(out, in, head);
	*ret_used = head;
	if (head < sizeof(rec))
		return head;
	memcpy(&rec, in, sizeof(rec));
	length = le32_to_cpu(rec.length);
	there = length < SQUEEZED ? length : SQUEEZED;
	there = there < len - head ? there : len - head;
	memcpy(out + head, in + head, there);
	*ret_used += there;
	if (there < length && there == SQUEEZED && length <= room - head)
		memset(out + head + there, out[head + there - 1], length - there);
	else if (there < length)
		return head + there;
	if (!rec.crc) {
		rec.crc = cpu_to_le32(crc_of(out, length));
		memcpy(out, &rec, sizeof(rec));
	}
	return head + length;
}

static size_t expand(const u8 *in, size_t len, u8 *out)
{
	size_t size = 0, used = 1;

	for (; len && used; in += used, len -= used)
		size += expand_record(in, len, out + size, STREAM_MAX - size, &used);
	return size;
}

/* --- the second decoder --------------------------------------------------------- */

/* Is the record at @at, whole and with a right CRC, what the encoder makes of its fields? */
static void check_reencodes(const u8 *at, const struct miglab_rec *rec)
{
	u8 again[MIGLAB_HEADER_BYTES];
	u32 length = le32_to_cpu(rec->length);
	size_t head = sizeof(*rec) + length;
	__le64 number[2];

	if (le32_to_cpu(rec->flags) != mandatory)
		return;
	memcpy(number, at + sizeof(*rec), sizeof(number));
	if (le32_to_cpu(rec->tag) == MIGLAB_TAG_HEADER) {
		miglab_stream_put_header(again, &identity);
	} else if (le32_to_cpu(rec->tag) == MIGLAB_TAG_END) {
		if (le64_to_cpu(number[1]) >> 32)	/* no state has that */
			return;
		miglab_stream_put_end(again, le64_to_cpu(number[0]), (u32)le64_to_cpu(number[1]));
	} else {
		head = MIGLAB_PAGES_BYTES;
		miglab_stream_put_pages(again, le64_to_cpu(number[0]),
					length - (u32)sizeof(struct miglab_pages_payload));
	}
	CHECK(!memcmp(again, at, head));
}

static bool place_pages(const u8 *payload, u32 length, u8 *state)
{
	__le64 le_offset;
	u64 offset;

	if (length <= sizeof(le_offset) || (length - sizeof(le_offset)) % MIGLAB_PAGE ||
	    length > MIGLAB_PAYLOAD_MAX)
		return false;
	memcpy(&le_offset, payload, sizeof(le_offset));
	offset = le64_to_cpu(le_offset);
	length -= sizeof(le_offset);
	if (offset % MIGLAB_PAGE || offset >= STATE_BYTES || length > STATE_BYTES - offset)
		return false;
	memcpy(state + offset, payload + sizeof(le_offset), length);
	return true;
}

static bool is_header(const u8 *payload, u32 length)
{
	u8 header[MIGLAB_HEADER_BYTES];

	miglab_stream_put_header(header, &identity);
	return length == sizeof(struct miglab_header_payload) &&
	       !memcmp(payload, header + sizeof(struct miglab_rec), length);
}

/* Is it a stream for us, and which state does it carry? */
static bool is_stream(const u8 *at, size_t len, u8 *state, u64 *ret_records, u64 *ret_fingerprint)
{
	bool first = true, end = false;
	u64 records = 0;

	while (len >= sizeof(struct miglab_rec) && !end) {
		const u8 *payload = at + sizeof(struct miglab_rec);
		struct miglab_rec rec;
		u32 tag, length;
		__le64 end_payload[2] = { 0 };

		memcpy(&rec, at, sizeof(rec));
		tag = le32_to_cpu(rec.tag);
		length = le32_to_cpu(rec.length);
		if (length > len - sizeof(rec) || le32_to_cpu(rec.flags) & ~mandatory ||
		    le32_to_cpu(rec.crc) != crc_of(at, length) ||
		    first != (tag == MIGLAB_TAG_HEADER))
			return false;
		if (first && !is_header(payload, length))
			return false;
		if (tag == MIGLAB_TAG_PAGES && !place_pages(payload, length, state))
			return false;
		if (tag == MIGLAB_TAG_END) {
			if (length != sizeof(end_payload))
				return false;
			memcpy(end_payload, payload, sizeof(end_payload));
			if (le64_to_cpu(end_payload[0]) != records)
				return false;
			*ret_fingerprint = le64_to_cpu(end_payload[1]);
		}
		if (tag && tag <= MIGLAB_TAG_END)
			check_reencodes(at, &rec);
		else if (le32_to_cpu(rec.flags) == mandatory || length > MIGLAB_FIXED_MAX)
			return false;
		records += tag == MIGLAB_TAG_PAGES;
		end = tag == MIGLAB_TAG_END;
		first = false;
		at = payload + length;
		len -= sizeof(rec) + length;
	}
	*ret_records = records;
	return end && !len;
}

/* --- the first one -------------------------------------------------------------- */

/* Are these bytes the decoder's own, or of pages within the state? */
static bool room_is_there(const struct miglab_decoder *d, const u8 *at, size_t size)
{
	return (at >= d->head && at + size <= d->head + sizeof(d->head)) ||
	       (at >= d->state && at + size <= d->state + STATE_BYTES);
}

/* One that has failed: more input of any kind changes nothing. */
static void check_sticky(struct miglab_decoder *d, struct outcome *o)
{
	u32 fingerprint = miglab_content_fingerprint(&o->content);
	u8 *at = NULL;

	CHECK(miglab_decoder_want(d, &at) == -EINVAL && !at);
	CHECK(miglab_decoder_got(d, 1) == -EINVAL);
	CHECK(miglab_decoder_got(d, 0) == -EINVAL);
	CHECK(miglab_decoder_finish(d) == -EINVAL);
	CHECK(miglab_content_loaded(&o->content, d) == -EINVAL);
	CHECK(miglab_content_fingerprint(&o->content) == fingerprint);
}

static void decode(const u8 *bytes, size_t len, struct cuts cuts, struct outcome *o)
{
	struct miglab_decoder d;

	memset(o, 0, sizeof(*o));
	o->content = (struct miglab_content){ .bytes = o->state, .id = identity };
	miglab_decoder_init(&d, &identity, o->state);
	while (len && !o->error) {
		u8 *at;
		ssize_t want = miglab_decoder_want(&d, &at);
		size_t n;

		CHECK(want > 0 && room_is_there(&d, at, (size_t)want));
		n = next_cut(&cuts, len < (size_t)want ? len : (size_t)want);
		memcpy(at, bytes, n);
		o->error = miglab_decoder_got(&d, n);
		CHECK(!o->error || o->error == -EINVAL);
		bytes += n;
		len -= n;
	}
	o->records = d.records;
	o->fingerprint = d.fingerprint;
	if (!o->error) {
		o->error = miglab_decoder_finish(&d);
		o->loaded = miglab_content_loaded(&o->content, &d);
		CHECK(!o->error || o->loaded == o->error);
	}
	if (d.error)
		check_sticky(&d, o);
}

/* The state of @from, staged as a saving session does. */
static void check_sends_itself(struct outcome *from)
{
	static u8 stream[STATE_BYTES + 4 * MIGLAB_HEADER_BYTES];
	static struct outcome again;
	struct miglab_outgoing out;
	struct miglab_precopy track;
	u64 bitmap[1];
	size_t n, len = 0;
	const u8 *at;

	CHECK(sizeof(bitmap) >= miglab_precopy_bytes_needed(STATE_BYTES));
	miglab_precopy_start(&track, STATE_BYTES, bitmap);
	while (miglab_content_stage(&from->content, &track, true, &out)) {
		for (; out.taken < out.size; out.taken += n, len += n) {
			n = miglab_content_next(&from->content, &out, &at);
			CHECK(n && n <= out.size - out.taken && n <= sizeof(stream) - len);
			memcpy(stream + len, at, n);
			miglab_precopy_read(&track, n);
		}
	}
	CHECK(len <= miglab_content_stream_bytes(STATE_BYTES));
	decode(stream, len, cuts_of(0), &again);
	CHECK(!again.error && !again.loaded);
	CHECK(!memcmp(again.state, from->state, STATE_BYTES));
	CHECK(miglab_content_fingerprint(&again.content) ==
	      miglab_content_fingerprint(&from->content));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome whole, cut;
	static u8 stream[STREAM_MAX], state[STATE_BYTES];
	u64 records, fingerprint;
	size_t len;
	bool good;

	if (!size)
		return 0;
	len = expand(data + 1, size - 1, stream);
	memset(state, 0, sizeof(state));
	good = is_stream(stream, len, state, &records, &fingerprint);
	decode(stream, len, cuts_of(0), &whole);
	decode(stream, len, cuts_of(data[0]), &cut);

	CHECK(whole.error == (good ? 0 : -EINVAL));
	CHECK(cut.error == whole.error && cut.records == whole.records);
	CHECK(cut.loaded == whole.loaded);
	CHECK(!memcmp(cut.state, whole.state, STATE_BYTES));
	if (good) {
		CHECK(!memcmp(whole.state, state, STATE_BYTES) && whole.records == records);
		CHECK(whole.fingerprint == fingerprint);
		CHECK(whole.loaded == (fingerprint == whole.content.fingerprint ? 0 : -EINVAL));
		check_sends_itself(&whole);
	}
	return 0;
}
