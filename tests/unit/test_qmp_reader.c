// SPDX-License-Identifier: GPL-2.0-only
/*
 * qmp/reader: each row is read whole, byte by byte, and split in two at every
 * byte; the outcome is the same. '!' stands for a malformed value.
 */
#include "unit.h"

#include <errno.h>

#include "qmp/reader.h"

#define BYTES_MAX	200
#define DEPTH_MAX	4

struct outcome {
	char text[1024];
	int status;		/* what ended the stream, or 0 */
};

static void note(struct outcome *outcome, const char *text)
{
	size_t len = strlen(outcome->text);

	snprintf(outcome->text + len, sizeof(outcome->text) - len, "%s%s", len ? " " : "", text);
}

static void feed(struct qmp_reader *reader, const char *in, size_t len, struct outcome *outcome)
{
	struct json_object *value;
	struct error err;
	size_t used;
	int ret;

	for (; len && !outcome->status; in += used, len -= used) {
		value = NULL;
		ret = qmp_reader_next(reader, in, len, &used, &value, &err);
		assert_true(used <= len);
		if (ret > 0)
			note(outcome, json_object_to_json_string_ext(value, 0));
		else if (ret == -EBADMSG)
			note(outcome, "!");
		else
			outcome->status = ret;
		json_object_put(value);
	}
}

/* @first bytes at once, then @step at a time. Each piece is a copy that ends where it ends. */
static struct outcome read_all(const char *in, size_t len, size_t first, size_t step)
{
	struct outcome outcome = { 0 };
	struct qmp_reader reader;
	size_t at, part;

	assert_int_equal(qmp_reader_init(&reader, BYTES_MAX, DEPTH_MAX), 0);
	for (at = 0; at < len; at += part) {
		char *piece;

		part = at ? step : first;
		part = part < len - at ? part : len - at;
		piece = malloc(part);
		assert_non_null(piece);
		memcpy(piece, in + at, part);
		feed(&reader, piece, part, &outcome);
		free(piece);
	}
	qmp_reader_cleanup(&reader);
	return outcome;
}

static void check(const char *in, size_t len, const char *want, int status)
{
	struct outcome outcome;
	size_t first;

	for (first = 1; first <= len; first++) {
		outcome = read_all(in, len, first, len);
		assert_string_equal(outcome.text, want);
		assert_int_equal(outcome.status, status);
	}
	outcome = read_all(in, len, 1, 1);
	assert_string_equal(outcome.text, want);
	assert_int_equal(outcome.status, status);
}

#define ROW(in, want)	{ in, sizeof(in) - 1, want }

static const struct row {
	const char *in;
	size_t len;
	const char *want;
} rows[] = {
	/* values */
	ROW("{}", "{}"),
	ROW("{}{}[]\r\n\t {\"a\":1}", "{} {} [] {\"a\":1}"),
	ROW("{\n\"a\"\n:\r\n[1,\n2]}", "{\"a\":[1,2]}"),
	ROW("[1]2 -3.50 \"x\"\"y\"true null ", "[1] 2 -3.50 \"x\" \"y\" true null"),
	ROW("{\"a\":9223372036854775807,\"b\":-9223372036854775808}",
	    "{\"a\":9223372036854775807,\"b\":-9223372036854775808}"),
	ROW("{\"a\":18446744073709551615}", "{\"a\":18446744073709551615}"),
	ROW("{\"a\":\"}{][\\\"\\\\\"}{}", "{\"a\":\"}{][\\\"\\\\\"} {}"),
	ROW("{\"a\":{\"b\":1},\"c\":[{\"b\":\":\"},{\"b\":[]}]}",
	    "{\"a\":{\"b\":1},\"c\":[{\"b\":\":\"},{\"b\":[]}]}"),

	/* numbers end in the same place however they are cut */
	ROW("[-1.5e+3,2E-1,-0]", "[-1.5e+3,2E-1,0]"),
	ROW("1-2 ", "1 -2"),
	ROW("[1-2]{}", "! {}"),
	ROW("[--1]{}", "! {}"),
	ROW("[1e5-1]{}", "! {}"),
	ROW("[1e5,1-2]{}", "! {}"),
	ROW("[1.2.3]{}", "! {}"),
	ROW("-1I{}", "-1 ! {}"),
	ROW("-2i{}", "-2 ! {}"),
	ROW("[-1I]{}", "! {}"),

	/* a name that comes twice in an object: which one was meant? */
	ROW("{\"a\":1,\"a\":2}{}", "! {}"),
	ROW("{\"a\":1,\"b\":2,\"a\":1}[]", "! []"),
	ROW("[{\"b\":{\"a\":1,\"\\u0061\":2}}]{}", "! {}"),

	/* UTF-8: the shortest and longest of each length, and what is none */
	ROW("\"\xc2\x80\xdf\xbf\"", "\"\xc2\x80\xdf\xbf\""),
	ROW("\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\"", "\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\""),
	ROW("\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""),
	ROW("\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""),
	ROW("{\"a\":\"\x80\"}{}", "! {}"),
	ROW("{\"a\":\"\xc1\xbf\"}{}", "! {}"),
	ROW("{\"a\":\"\xc3\"}{}", "! {}"),
	ROW("{\"a\":\"\xe0\x9f\xbf\"}{}", "! {}"),
	ROW("{\"a\":\"\xed\xa0\x80\"}{}", "! {}"),
	ROW("{\"a\":\"\xf0\x8f\xbf\xbf\"}{}", "! {}"),
	ROW("{\"a\":\"\xf4\x90\x80\x80\"}{}", "! {}"),
	ROW("{\"a\":\"\xff\"}{}", "! {}"),
	ROW("\xff{}", "! {}"),
	ROW("\xc3\xa9{}", "! {}"),
	ROW("{\"\xc3\xa9\":\"caf\xc3\xa9 \xe2\x82\xac\\n\"}{}",
	    "{\"\xc3\xa9\":\"caf\xc3\xa9 \xe2\x82\xac\\n\"} {}"),
	ROW("{\"\xc3\xa9\":1,\"\\u00e9\":2}{}", "! {}"),
	ROW("\"\xf0\x9f\x98\x80\\u00e9\xc3\xa9\"", "\"\xf0\x9f\x98\x80\xc3\xa9\xc3\xa9\""),
	/* an escape that a character beyond ASCII does not complete */
	ROW("[\"\\\xc3\xa9\"]{}", "! {}"),
	ROW("[\"\\u\xc3\xa9\"]{}", "! {}"),
	ROW("[\"\\u00\xc3\xa9\"]{}", "! {}"),
	/* it is no second half of a pair */
	ROW("\"\\ud83d\xc3\xa9\"", "\"\xef\xbf\xbd\xc3\xa9\""),

	/* what only a lenient parser takes */
	ROW("[01]{}", "! {}"),
	ROW("[TRUE]{}", "! {}"),
	ROW("[nan]{}", "! {}"),
	ROW("[nULL]{}", "! {}"),
	ROW("[inf]{}", "! {}"),
	ROW("[-infinity]{}", "! {}"),
	ROW("[1/**/]{}", "! {}"),
	ROW("[1]//\n[]", "[1] ! []"),
	ROW("[+1]{}", "! {}"),
	ROW("[.5]{}", "! {}"),
	ROW("[0x10]{}", "! {}"),

	/* one error for each malformed value, and on behind its brackets */
	ROW("{\"a\" 1}{}", "! {}"),
	ROW("{\"a\":1,}{}", "! {}"),
	ROW("{\"a\":{\"b\":x},\"c\":[1]}{}", "! {}"),
	ROW("{\"a\":x,\"b\":\"}\"}{}", "! {}"),
	ROW("{\"a\":x,\"b\":\"\\\"}\"}{}", "! {}"),
	ROW("{1:2}{}", "! {}"),
	ROW("[1 2]{}", "! {}"),
	ROW("{]{}", "! {}"),
	ROW("[}{}", "! {}"),
	ROW("{'a':1}{}", "! {}"),
	ROW("[NaN]{}", "! {}"),
	ROW("[-Infinity]{}", "! {}"),
	ROW("[-]{}", "! {}"),
	ROW("[\"\\q\"]{}", "! {}"),

	/* outside of brackets, up to the next opening one */
	ROW("}{}", "! {}"),
	ROW("foo{}", "! {}"),
	ROW("@@@@{}", "! {}"),
	ROW("@\xc3{}", "! {}"),
	ROW("/* x */[]", "! []"),
	ROW("{}x{}", "{} ! {}"),
	ROW("{}]{}", "{} ! {}"),

	/* or to the end of the line */
	ROW("foo\n{}", "! {}"),
	ROW("{\"a\":[}\n{}", "! {}"),
	ROW("{\"a\":\"b\n{}", "! {}"),
	ROW("\"abc\n[]", "! []"),
	ROW("{\"a\":x\r\n{}\r\n", "! {}"),

	/* bytes that no JSON text has */
	ROW("\0{}", "! {}"),
	ROW("{\0}{}", "! {}"),
	ROW("{\"a\":\"\0\"}{}", "! {}"),
	ROW("{\"a\":\"\t\"}{}", "! {}"),
	ROW("{\"a\":\x01}{}", "! {}"),

	/* four brackets are allowed here */
	ROW("[[[[1]]]]{\"a\":{\"a\":{\"a\":{}}}}", "[[[[1]]]] {\"a\":{\"a\":{\"a\":{}}}}"),
	ROW("[[[[[]]]]]{}", "! {}"),
	ROW("[[[[[1]]]]]{}", "! {}"),
	ROW("{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}[]", "! []"),
	ROW("[\"[[[[[[[\"]", "[\"[[[[[[[\"]"),
};

static void any_segmentation_reads_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(rows[i].in, rows[i].len, rows[i].want, 0);
}

/* {"a":"xxx..."} of @len bytes, and {} behind it. */
static void fill_value(char *buf, size_t len)
{
	memset(buf, 'x', len);
	memcpy(buf, "{\"a\":\"", 6);
	memcpy(buf + len - 2, "\"}{}", 5);
}

static void size_is_bounded(void **state)
{
	char buf[BYTES_MAX + 8], want[BYTES_MAX + 8];

	(void)state;
	fill_value(buf, BYTES_MAX);
	snprintf(want, sizeof(want), "%.*s {}", BYTES_MAX, buf);
	check(buf, BYTES_MAX + 2, want, 0);

	fill_value(buf, BYTES_MAX + 1);
	check(buf, BYTES_MAX + 3, "", -EMSGSIZE);
}

static void endless_garbage_is_bounded(void **state)
{
	char buf[2 * BYTES_MAX];

	(void)state;
	memset(buf, '@', sizeof(buf));
	check(buf, sizeof(buf), "!", -EOVERFLOW);
	buf[0] = '{';
	check(buf, sizeof(buf), "!", -EOVERFLOW);
	memset(buf, '[', sizeof(buf));
	check(buf, sizeof(buf), "!", -EOVERFLOW);
}

/* Between values it costs nothing, so it may go on. */
static void white_space_is_not_bounded(void **state)
{
	char buf[4 * BYTES_MAX];

	(void)state;
	memset(buf, ' ', sizeof(buf));
	memcpy(buf + sizeof(buf) - 2, "{}", 2);
	check(buf, sizeof(buf), "{}", 0);
}

static void counts_the_bytes_of_a_value(void **state)
{
	static const char in[] = " \r\n{\"a\": \"\xc3\xa9\"} \r\n ";
	struct json_object *value;
	struct qmp_reader reader;
	struct error err;
	size_t used;

	(void)state;
	assert_int_equal(qmp_reader_init(&reader, BYTES_MAX, DEPTH_MAX), 0);
	assert_int_equal(qmp_reader_next(&reader, in, strlen(in), &used, &value, &err), 1);
	assert_int_equal(reader.bytes, strlen("{\"a\": \"\xc3\xa9\"}"));
	json_object_put(value);
	qmp_reader_cleanup(&reader);
}

static void says_what_is_wrong(void **state)
{
	static const struct {
		const char *in, *text;
	} texts[] = {
		{ "[[[[[", "JSON nesting depth limit exceeded" },
		{ "[[[[[1", "JSON nesting depth limit exceeded" },
		{ "{\"\n", "JSON parse error, stray byte 0x0a" },
		{ "{]", "JSON parse error, quoted object property name expected" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct json_object *value;
		struct qmp_reader reader;
		struct error err;
		size_t used;

		assert_int_equal(qmp_reader_init(&reader, BYTES_MAX, DEPTH_MAX), 0);
		assert_int_equal(qmp_reader_next(&reader, texts[i].in, strlen(texts[i].in), &used,
						 &value, &err), -EBADMSG);
		assert_string_equal(err.text, texts[i].text);
		qmp_reader_cleanup(&reader);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_segmentation_reads_the_same),
		cmocka_unit_test(size_is_bounded),
		cmocka_unit_test(endless_garbage_is_bounded),
		cmocka_unit_test(white_space_is_not_bounded),
		cmocka_unit_test(counts_the_bytes_of_a_value),
		cmocka_unit_test(says_what_is_wrong),
	};

	return cmocka_run_group_tests_name("qmp_reader", tests, NULL, NULL);
}
