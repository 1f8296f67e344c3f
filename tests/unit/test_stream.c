// SPDX-License-Identifier: GPL-2.0-only
#include "unit.h"

#include "core/content.h"

#define STATE_PAGES	3u
#define STATE_BYTES	(STATE_PAGES * MIGLAB_PAGE)
#define STREAM_MAX	(8 * MIGLAB_RECORD_MAX)

static const struct miglab_identity identity = {
	.model = MIGLAB_MODEL_SYNTHETIC,
	.vendor = 0x8086,
	.device = 0x10ed,
	.subvendor = 0x1af4,
	.subdevice = 0x1100,
	.state_bytes = STATE_BYTES,
};

/* A stream in the making. */
struct stream {
	u8 bytes[STREAM_MAX];
	size_t len;
	u64 pages;		/* PAGES records in it */
};

/* What a decoder made of one. */
struct outcome {
	u8 state[STATE_BYTES];
	u64 records, fingerprint;
	int got, finish;
};

static struct stream stream;

/* Are these bytes the decoder's own, or of pages of the state? */
static bool room_is_there(const struct miglab_decoder *d, const u8 *at, size_t size)
{
	return (at >= d->head && at + size <= d->head + sizeof(d->head)) ||
	       (at >= d->state && at + size <= d->state + STATE_BYTES);
}

/* Feeds in pieces of at most @piece bytes, of random size when it is 0. */
static int feed(struct miglab_decoder *d, const u8 *bytes, size_t len, size_t piece)
{
	while (len) {
		u8 *at;
		ssize_t want = miglab_decoder_want(d, &at);
		size_t n = piece ? piece : 1 + (size_t)rand() % 5000;

		if (want < 0)
			return (int)want;
		assert_true(want > 0);
		assert_true(room_is_there(d, at, (size_t)want));
		n = n < (size_t)want ? n : (size_t)want;
		n = n < len ? n : len;
		memcpy(at, bytes, n);
		bytes += n;
		len -= n;
		miglab_decoder_got(d, n);
	}
	return d->error;
}

static void decode(const struct stream *s, size_t piece, struct outcome *o)
{
	struct miglab_decoder d;

	memset(o, 0, sizeof(*o));
	miglab_decoder_init(&d, &identity, o->state);
	o->got = feed(&d, s->bytes, s->len, piece);
	o->finish = miglab_decoder_finish(&d);
	o->records = d.records;
	o->fingerprint = d.fingerprint;
}

/* Of all but the bytes of pages. */
static u32 crc_of(const u8 *rec, u32 length)
{
	return ~crc32c(crc32c(~0u, rec, 12), rec + 16, rec[0] == MIGLAB_TAG_PAGES ? 8 : length);
}

/* Makes the record at @rec whole again after a change. */
static void correct_crc(u8 *rec)
{
	__le32 length, crc;

	memcpy(&length, rec + 8, sizeof(length));
	crc = cpu_to_le32(crc_of(rec, le32_to_cpu(length)));
	memcpy(rec + 12, &crc, sizeof(crc));
}

/* Any record, good or not. Its payload is zeroes. */
static void add_raw(struct stream *s, u32 tag, u32 flags, u32 length)
{
	struct miglab_rec rec = {
		.tag = cpu_to_le32(tag),
		.flags = cpu_to_le32(flags),
		.length = cpu_to_le32(length),
	};
	u8 *at = s->bytes + s->len;

	assert_true(s->len + sizeof(rec) + length <= sizeof(s->bytes));
	memcpy(at, &rec, sizeof(rec));
	memset(at + sizeof(rec), 0, length);
	correct_crc(at);
	s->len += sizeof(rec) + length;
}

static void add_pages(struct stream *s, u64 offset, u32 len, u8 seed)
{
	u8 *at = s->bytes + s->len;

	for (u32 i = 0; i < len; i++)
		at[MIGLAB_PAGES_BYTES + i] = (u8)(i * 7 + seed);
	s->len += miglab_stream_put_pages(at, offset, len);
	s->pages++;
}

static void add_end(struct stream *s, u64 records)
{
	s->len += miglab_stream_put_end(s->bytes + s->len, records, 0x12345678);
}

/* One letter, one record. */
static void add(struct stream *s, char letter)
{
	switch (letter) {
	case 'H':		/* header */
		s->len += miglab_stream_put_header(s->bytes + s->len, &identity);
		break;
	case '0':		/* that page */
	case '1':
	case '2':
		add_pages(s, (u64)(letter - '0') * MIGLAB_PAGE, MIGLAB_PAGE, (u8)s->len);
		break;
	case 'A':		/* all pages in one record */
		add_pages(s, 0, STATE_BYTES, 3);
		break;
	case 'E':		/* end, with the right count */
		add_end(s, s->pages);
		break;
	case 'u':		/* end, counting too few */
		add_end(s, s->pages - 1);
		break;
	case 'v':		/* end, counting too many */
		add_end(s, s->pages + 1);
		break;
	case 'o':		/* unknown and optional */
		add_raw(s, 77, 0, 5);
		break;
	case 'n':		/* ... without any payload */
		add_raw(s, 0, 0, 0);
		break;
	case 'x':		/* ... of the largest size */
		add_raw(s, 0xffffffff, 0, MIGLAB_FIXED_MAX);
		break;
	case 'X':		/* ... larger */
		add_raw(s, 0xffffffff, 0, MIGLAB_FIXED_MAX + 1);
		break;
	case 'm':		/* unknown and mandatory */
		add_raw(s, 77, MIGLAB_REC_MANDATORY, 5);
		break;
	case 'f':		/* a flag of the future */
		add_raw(s, 77, 2, 5);
		break;
	case 'p':		/* a page of zeroes by hand, the twin of the next four */
		add_raw(s, MIGLAB_TAG_PAGES, MIGLAB_REC_MANDATORY, 8 + MIGLAB_PAGE);
		s->pages++;
		break;
	case 'z':		/* PAGES without data */
		add_raw(s, MIGLAB_TAG_PAGES, MIGLAB_REC_MANDATORY, 8);
		s->pages++;
		break;
	case 'q':		/* PAGES of less than a page */
		add_raw(s, MIGLAB_TAG_PAGES, MIGLAB_REC_MANDATORY, 8 + 4095);
		s->pages++;
		break;
	case 's':		/* PAGES too short for its offset */
		add_raw(s, MIGLAB_TAG_PAGES, MIGLAB_REC_MANDATORY, 7);
		s->pages++;
		break;
	case 'L':		/* PAGES of one page more than a record may have */
		add_raw(s, MIGLAB_TAG_PAGES, MIGLAB_REC_MANDATORY,
			MIGLAB_PAYLOAD_MAX + MIGLAB_PAGE);
		s->pages++;
		break;
	case 'h':		/* header of a wrong length */
		add_raw(s, MIGLAB_TAG_HEADER, MIGLAB_REC_MANDATORY, 33);
		break;
	case 'e':		/* end of a wrong length */
		add_raw(s, MIGLAB_TAG_END, MIGLAB_REC_MANDATORY, 8);
		break;
	case '!':		/* the first byte of whatever */
		s->bytes[s->len++] = 3;
		break;
	default:
		fail_msg("no record for '%c'", letter);
	}
}

static void build(const char *letters)
{
	stream.len = 0;
	stream.pages = 0;
	while (*letters)
		add(&stream, *letters++);
}

/* Streams as letters of add(); what is refused has a twin that is not. */
static const struct {
	const char *letters;
	int got, finish;
	const char *twin;
} sequences[] = {
	{ "HAE", 0, 0, NULL },
	{ "H012E", 0, 0, NULL },
	{ "H210E", 0, 0, NULL },
	{ "H0000E", 0, 0, NULL },			/* a page may come again */
	{ "HE", 0, 0, NULL },
	{ "HpE", 0, 0, NULL },
	{ "HonA0oE", 0, 0, NULL },			/* optional ones are skipped */
	{ "HxAxE", 0, 0, NULL },
	{ "", 0, -EINVAL, "HE" },			/* truncated at a record */
	{ "H", 0, -EINVAL, "HE" },
	{ "HA", 0, -EINVAL, "HAE" },
	{ "HAo", 0, -EINVAL, "HAoE" },
	{ "0HE", -EINVAL, -EINVAL, "H0E" },		/* out of order */
	{ "oHE", -EINVAL, -EINVAL, "HoE" },
	{ "E", -EINVAL, -EINVAL, "HE" },
	{ "HHE", -EINVAL, -EINVAL, "HE" },
	{ "H0HE", -EINVAL, -EINVAL, "H0E" },
	{ "HAEo", -EINVAL, -EINVAL, "HAoE" },
	{ "HAEE", -EINVAL, -EINVAL, "HAE" },
	{ "HAEH", -EINVAL, -EINVAL, "HAE" },
	{ "HAE!", -EINVAL, -EINVAL, "HAE" },
	{ "H0u", -EINVAL, -EINVAL, "H0E" },		/* records lost or doubled */
	{ "H0v", -EINVAL, -EINVAL, "H0E" },
	{ "HmE", -EINVAL, -EINVAL, "HoE" },		/* unknown */
	{ "HfE", -EINVAL, -EINVAL, "HoE" },
	{ "HXE", -EINVAL, -EINVAL, "HxE" },		/* lengths */
	{ "HzE", -EINVAL, -EINVAL, "HpE" },
	{ "HqE", -EINVAL, -EINVAL, "HpE" },
	{ "HsE", -EINVAL, -EINVAL, "HpE" },
	{ "HLE", -EINVAL, -EINVAL, "HpE" },
	{ "hE", -EINVAL, -EINVAL, "HE" },
	{ "He", -EINVAL, -EINVAL, "HE" },
};

static void test_sequences(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(sequences); i++) {
		struct outcome o;

		build(sequences[i].letters);
		/* The first byte after an END record is one too many already. */
		decode(&stream, SIZE_MAX, &o);
		if (o.got != sequences[i].got || o.finish != sequences[i].finish)
			fail_msg("\"%s\": got %d, finish %d", sequences[i].letters, o.got,
				 o.finish);
		if (!sequences[i].finish)
			continue;
		build(sequences[i].twin);
		decode(&stream, SIZE_MAX, &o);
		if (o.finish)
			fail_msg("\"%s\" is refused", sequences[i].twin);
	}
}

/* However the bytes are cut, the same is decoded, errors included. */
static void test_any_segmentation(void **unused)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 15, 16, 17, 24, 4095, 4096, 4121, 0, 0, 0, 0 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(sequences); i++) {
		struct outcome whole, cut;

		build(sequences[i].letters);
		decode(&stream, SIZE_MAX, &whole);
		for (size_t p = 0; p < ARRAY_SIZE(pieces); p++) {
			decode(&stream, pieces[p], &cut);
			if (memcmp(&whole, &cut, sizeof(cut)))
				fail_msg("\"%s\" in pieces of %zu: other result",
					 sequences[i].letters, pieces[p]);
		}
	}
}

static void test_pages_arrive(void **unused)
{
	struct outcome o;

	(void)unused;
	build("H0120E");
	decode(&stream, SIZE_MAX, &o);
	assert_int_equal(o.records, 4);
	/* The last word on page 0 wins; the others are as sent. */
	for (u32 page = 0; page < STATE_PAGES; page++) {
		size_t at = MIGLAB_HEADER_BYTES +
			    (page ? page : 3) * (MIGLAB_PAGES_BYTES + MIGLAB_PAGE);

		assert_memory_equal(o.state + page * MIGLAB_PAGE,
				    stream.bytes + at + MIGLAB_PAGES_BYTES, MIGLAB_PAGE);
	}
}

/* One field of the stream "HAE": what it may hold and what not, with a correct CRC. */
static const struct {
	const char *name;
	struct {
		size_t rec, field, width;
	} at;
	u64 good, bad;
} fields[] = {
#define PAYLOAD(r, type, f) \
	{ r, sizeof(struct miglab_rec) + offsetof(struct type, f), sizeof(((struct type *)0)->f) }
#define HEADER(f)	PAYLOAD(0, miglab_header_payload, f)
#define PAGES(f)	PAYLOAD(MIGLAB_HEADER_BYTES, miglab_pages_payload, f)
#define END(f)		PAYLOAD(MIGLAB_HEADER_BYTES + MIGLAB_PAGES_BYTES + 2 * MIGLAB_PAGE, \
				miglab_end_payload, f)
	{ "magic", HEADER(magic), MIGLAB_STREAM_MAGIC, MIGLAB_STREAM_MAGIC + 1 },
	{ "version 1", HEADER(version), 2, 1 },
	{ "version 3", HEADER(version), 2, 3 },
	{ "model", HEADER(model), 1, 2 },
	{ "vendor", HEADER(vendor), 0x8086, 0x8087 },
	{ "device", HEADER(device), 0x10ed, 0 },
	{ "subvendor", HEADER(subvendor), 0x1af4, 0xffff },
	{ "subdevice", HEADER(subdevice), 0x1100, 0x1101 },
	{ "smaller state", HEADER(state_bytes), STATE_BYTES, STATE_BYTES - MIGLAB_PAGE },
	{ "larger state", HEADER(state_bytes), STATE_BYTES, STATE_BYTES + (1ull << 32) },
	{ "unaligned", PAGES(offset), 4096, 4095 },
	{ "half a page", PAGES(offset), 4096, 2048 },
	{ "over the end", PAGES(offset), 4096, 8192 },
	{ "at the end", PAGES(offset), 0, STATE_BYTES },
	{ "past the end", PAGES(offset), 0, STATE_BYTES + MIGLAB_PAGE },
	{ "overflow", PAGES(offset), 0, 0xfffffffffffff000ull },
	{ "count 0", END(records), 1, 0 },
	{ "count 2", END(records), 1, 2 },
	{ "count 2^32 + 1", END(records), 1, (1ull << 32) + 1 },
};

static int finish_with_field(size_t row, u64 value)
{
	__le64 wire = cpu_to_le64(value);
	struct outcome o;

	stream.len = 0;
	stream.pages = 0;
	add(&stream, 'H');
	add_pages(&stream, 0, 2 * MIGLAB_PAGE, 9);
	add(&stream, 'E');
	memcpy(stream.bytes + fields[row].at.rec + fields[row].at.field, &wire,
	       fields[row].at.width);
	correct_crc(stream.bytes + fields[row].at.rec);
	decode(&stream, SIZE_MAX, &o);
	assert_int_equal(o.got, o.finish);
	return o.finish;
}

static void test_fields(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (finish_with_field(i, fields[i].good))
			fail_msg("%s: the good value is refused", fields[i].name);
		if (finish_with_field(i, fields[i].bad) != -EINVAL)
			fail_msg("%s: the bad value is taken", fields[i].name);
	}
}

/* Each is refused, and taken when it is put right; in a page the fingerprint tells. */
static void test_a_changed_bit_anywhere(void **unused)
{
	struct miglab_content content = { .id = identity };
	struct outcome o;

	(void)unused;
	build("Ho1E");
	decode(&stream, SIZE_MAX, &o);
	content.bytes = o.state;
	stream.len -= MIGLAB_END_BYTES;
	stream.len += miglab_stream_put_end(stream.bytes + stream.len, 1,
					    miglab_content_fingerprint(&content));
	for (size_t i = 0; i < 8 * stream.len; i++) {
		stream.bytes[i / 8] ^= (u8)(1u << (i % 8));
		decode(&stream, SIZE_MAX, &o);
		if (!o.finish && miglab_content_fingerprint(&content) == o.fingerprint)
			fail_msg("bit %zu changed, and nobody noticed", i);
		stream.bytes[i / 8] ^= (u8)(1u << (i % 8));
		decode(&stream, SIZE_MAX, &o);
		assert_int_equal(o.finish, 0);
		assert_int_equal(miglab_content_fingerprint(&content), o.fingerprint);
	}
}

/* Each is refused at the end, and whole as soon as the rest comes. */
static void test_truncation_anywhere(void **unused)
{
	struct miglab_decoder d;
	struct outcome o;

	(void)unused;
	build("Ho1E");
	for (size_t cut = 0; cut < stream.len; cut++) {
		miglab_decoder_init(&d, &identity, o.state);
		assert_int_equal(feed(&d, stream.bytes, cut, SIZE_MAX), 0);
		assert_int_equal(miglab_decoder_finish(&d), -EINVAL);
		assert_int_equal(feed(&d, stream.bytes + cut, stream.len - cut, SIZE_MAX), 0);
		assert_int_equal(miglab_decoder_finish(&d), 0);
	}
}

/* What a load makes of "HAE" with @damage done to a byte of the pages. */
static int load_damaged(u8 damage, u32 fingerprint, struct miglab_content *c)
{
	struct miglab_decoder d;
	int first;

	build("HA");
	stream.bytes[MIGLAB_HEADER_BYTES + MIGLAB_PAGES_BYTES + 4242] ^= damage;
	stream.len += miglab_stream_put_end(stream.bytes + stream.len, 1, fingerprint);
	miglab_decoder_init(&d, &c->id, c->bytes);
	assert_int_equal(feed(&d, stream.bytes, stream.len, SIZE_MAX), 0);
	first = miglab_content_loaded(c, &d);
	/* It sticks, whatever the bytes are then. */
	c->bytes[4242] ^= damage;
	assert_int_equal(miglab_decoder_finish(&d), first);
	if (first)
		assert_int_equal(miglab_content_loaded(c, &d), first);
	c->bytes[4242] ^= damage;
	return first;
}

/* Damage of a page is refused, unless the end record agrees: then it is data as any other. */
static void test_corrupted_page(void **unused)
{
	static u8 sent[STATE_BYTES], damaged[STATE_BYTES];
	struct miglab_content a = { .id = identity, .bytes = sent };
	struct miglab_content b = { .id = identity, .bytes = damaged };
	u32 good, bad;

	(void)unused;
	build("HA");
	memcpy(sent, stream.bytes + MIGLAB_HEADER_BYTES + MIGLAB_PAGES_BYTES, STATE_BYTES);
	memcpy(damaged, sent, STATE_BYTES);
	damaged[4242] ^= 0x10;
	good = miglab_content_fingerprint(&a);
	bad = miglab_content_fingerprint(&b);
	assert_int_not_equal(good, bad);
	memset(sent, 0, STATE_BYTES);
	assert_int_equal(load_damaged(0, good, &a), 0);
	assert_int_equal(a.fingerprint, good);
	assert_int_equal(load_damaged(0x10, good, &b), -EINVAL);
	assert_int_equal(load_damaged(0x10, bad, &b), 0);
	assert_int_equal(b.fingerprint, bad);
	assert_int_equal(load_damaged(0, bad, &a), -EINVAL);
}

/* The upper half of the end's fingerprint is zero, and a page that never came is missed. */
static void test_fingerprint(void **unused)
{
	static u8 state[STATE_BYTES];
	struct miglab_content c = { .id = identity, .bytes = state };
	struct miglab_decoder d;
	u32 right;

	(void)unused;
	for (u32 i = 0; i < 3; i++) {
		build("H01");
		memset(state, 0, sizeof(state));
		memcpy(state, stream.bytes + MIGLAB_HEADER_BYTES + MIGLAB_PAGES_BYTES, MIGLAB_PAGE);
		memcpy(state + MIGLAB_PAGE, stream.bytes + stream.len - MIGLAB_PAGE, MIGLAB_PAGE);
		right = miglab_content_fingerprint(&c);
		stream.len += miglab_stream_put_end(stream.bytes + stream.len, 2, right);
		stream.bytes[stream.len - 1] = i == 1;
		correct_crc(stream.bytes + stream.len - MIGLAB_END_BYTES);
		memset(state + 2 * MIGLAB_PAGE, i == 2, MIGLAB_PAGE);
		miglab_decoder_init(&d, &identity, state);
		assert_int_equal(feed(&d, stream.bytes, stream.len, SIZE_MAX), 0);
		assert_int_equal(miglab_content_loaded(&c, &d), i ? -EINVAL : 0);
	}
}

/* A length is refused as soon as it is known, before its bytes are asked for. */
static void test_length_is_bounded_before_use(void **unused)
{
	static const struct {
		u32 length;
		int pages, optional;
	} rows[] = {
		{ MIGLAB_FIXED_MAX, -EINVAL, 0 },
		{ MIGLAB_FIXED_MAX + 1, -EINVAL, -EINVAL },
		{ MIGLAB_PAYLOAD_MAX, 0, -EINVAL },
		{ MIGLAB_PAYLOAD_MAX + 1, -EINVAL, -EINVAL },
		{ MIGLAB_PAYLOAD_MAX + MIGLAB_PAGE, -EINVAL, -EINVAL },
		{ 0x7fffffff, -EINVAL, -EINVAL },
		{ 0xfffffff0, -EINVAL, -EINVAL },	/* wraps when the head is added */
		{ 0xffffffff, -EINVAL, -EINVAL },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (u32 optional = 0; optional < 2; optional++) {
			struct miglab_rec rec = {
				.tag = cpu_to_le32(optional ? 99 : MIGLAB_TAG_PAGES),
				.flags = cpu_to_le32(!optional),
				.length = cpu_to_le32(rows[i].length),
			};
			struct outcome o;

			build("H");
			memcpy(stream.bytes + stream.len, &rec, sizeof(rec));
			stream.len += sizeof(rec);
			decode(&stream, SIZE_MAX, &o);
			assert_int_equal(o.got, optional ? rows[i].optional : rows[i].pages);
		}
	}
}

static void test_errors_stick(void **unused)
{
	struct miglab_decoder d;
	struct outcome o;
	u8 *at = NULL;

	(void)unused;
	miglab_decoder_init(&d, &identity, o.state);
	build("HmE");
	assert_int_equal(feed(&d, stream.bytes, stream.len, SIZE_MAX), -EINVAL);
	build("HAE");
	assert_int_equal(feed(&d, stream.bytes, stream.len, SIZE_MAX), -EINVAL);
	assert_int_equal(miglab_decoder_want(&d, &at), -EINVAL);
	assert_null(at);
	assert_int_equal(miglab_decoder_got(&d, 0), -EINVAL);
	assert_int_equal(miglab_decoder_got(&d, 16), -EINVAL);
	assert_int_equal(miglab_decoder_finish(&d), -EINVAL);
	assert_int_equal(d.records, 0);

	/* Not even a good stream from the start, put there behind want()'s back, helps. */
	miglab_decoder_init(&d, &identity, o.state);
	build("H");
	stream.bytes[20] ^= 1;
	assert_int_equal(feed(&d, stream.bytes, stream.len, SIZE_MAX), -EINVAL);
	build("H");
	memcpy(d.head, stream.bytes, stream.len);
	assert_int_equal(miglab_decoder_got(&d, 16), -EINVAL);
	assert_int_equal(miglab_decoder_got(&d, 32), -EINVAL);
}

static void test_got_more_than_wanted(void **unused)
{
	struct miglab_decoder d;
	struct outcome o;
	u8 *at;

	(void)unused;
	miglab_decoder_init(&d, &identity, o.state);
	assert_int_equal(miglab_decoder_want(&d, &at), 16);
	assert_int_equal(miglab_decoder_got(&d, 17), -EINVAL);
}

/* A copy from the user that fails changes nothing; nor does one of no bytes. */
static void test_want_without_got(void **unused)
{
	struct miglab_decoder d;
	struct outcome o;
	u8 *first, *again;

	(void)unused;
	build("HAE");
	miglab_decoder_init(&d, &identity, o.state);
	assert_int_equal(feed(&d, stream.bytes, 100, SIZE_MAX), 0);
	assert_true(miglab_decoder_want(&d, &first) > 0);
	memset(first, 0xee, 50);
	assert_int_equal(miglab_decoder_got(&d, 0), 0);
	assert_true(miglab_decoder_want(&d, &again) > 0);
	assert_ptr_equal(first, again);
	assert_int_equal(feed(&d, stream.bytes + 100, stream.len - 100, SIZE_MAX), 0);
	assert_int_equal(miglab_decoder_finish(&d), 0);
}

/* After the end there is room to find out that there is more; no bytes is no error. */
static void test_after_the_end(void **unused)
{
	struct miglab_decoder d;
	struct outcome o;
	u8 *at;

	(void)unused;
	build("HAE");
	miglab_decoder_init(&d, &identity, o.state);
	assert_int_equal(feed(&d, stream.bytes, stream.len, SIZE_MAX), 0);
	assert_true(miglab_decoder_want(&d, &at) > 0);
	assert_int_equal(miglab_decoder_got(&d, 0), 0);
	assert_int_equal(miglab_decoder_finish(&d), 0);
	assert_int_equal(miglab_decoder_got(&d, 1), -EINVAL);
	assert_int_equal(miglab_decoder_finish(&d), -EINVAL);
}

/*
 * The wire format, byte by byte, computed apart from this code. A change here
 * is a new MIGLAB_STREAM_VERSION.
 */
static void test_golden(void **unused)
{
	static const struct miglab_identity one_page = {
		.model = 1, .vendor = 0x8086, .device = 0x10ed, .subvendor = 0x1af4,
		.subdevice = 0x1100, .state_bytes = 4096,
	};
	static const u8 header[] = {
		0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,	/* tag, flags */
		0x20, 0x00, 0x00, 0x00, 0xa4, 0x13, 0x56, 0x6c,	/* length, crc */
		0x01, 0x00, 'M', 'I', 'G', 'L', 'A', 'B',
		0x02, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,	/* version, model */
		0x86, 0x80, 0xed, 0x10, 0xf4, 0x1a, 0x00, 0x11,	/* ids */
		0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,	/* state_bytes */
	};
	static const u8 pages[] = {
		0x02, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
		0x08, 0x10, 0x00, 0x00, 0xa2, 0xde, 0xbc, 0xf3,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,	/* offset */
	};
	static const u8 end[] = {
		0x03, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
		0x10, 0x00, 0x00, 0x00, 0x60, 0x6e, 0x19, 0x6c,
		0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,	/* records */
		0x78, 0x56, 0x34, 0x12, 0x00, 0x00, 0x00, 0x00,	/* fingerprint */
	};
	u8 record[sizeof(header)];

	(void)unused;
	assert_int_equal(miglab_stream_put_header(record, &one_page), sizeof(header));
	assert_memory_equal(record, header, sizeof(header));
	assert_int_equal(miglab_stream_put_pages(record, 0, MIGLAB_PAGE),
			 sizeof(pages) + MIGLAB_PAGE);
	assert_memory_equal(record, pages, sizeof(pages));
	assert_int_equal(miglab_stream_put_end(record, 1, 0x12345678), sizeof(end));
	assert_memory_equal(record, end, sizeof(end));
}

static void test_sizes(void **unused)
{
	(void)unused;
	assert_int_equal(MIGLAB_HEADER_BYTES, 48);
	assert_int_equal(MIGLAB_PAGES_BYTES, 24);
	assert_int_equal(MIGLAB_END_BYTES, 32);
	assert_int_equal(MIGLAB_RECORD_MAX, 24 + 65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sequences),
		cmocka_unit_test(test_any_segmentation),
		cmocka_unit_test(test_pages_arrive),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_a_changed_bit_anywhere),
		cmocka_unit_test(test_truncation_anywhere),
		cmocka_unit_test(test_corrupted_page),
		cmocka_unit_test(test_fingerprint),
		cmocka_unit_test(test_length_is_bounded_before_use),
		cmocka_unit_test(test_errors_stick),
		cmocka_unit_test(test_got_more_than_wanted),
		cmocka_unit_test(test_want_without_got),
		cmocka_unit_test(test_after_the_end),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
