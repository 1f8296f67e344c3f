// SPDX-License-Identifier: GPL-2.0-only
/*
 * JSON values out of a stream of bytes.
 *
 * - Any segmentation gives the same values and the same errors.
 * - Each call gets on, and none goes beyond the bytes that it was given.
 * - A value that is accepted is no larger and no deeper than allowed; printed and read
 *   again, it is the same one, to the end of the text.
 * - What is said is UTF-8 on one line.
 */
#include "fuzz.h"

#include <errno.h>

#include "qmp/reader.h"

#define BYTES_MAX	200	/* of one value: so small that inputs exceed it */
#define DEPTH_MAX	6
#define RESULTS_MAX	(1u << 16)

/* All that came of a stream, as text. */
struct outcome {
	char text[RESULTS_MAX];
	size_t len;
};

static unsigned int depth_of(struct json_object *value)
{
	unsigned int depth = 0, inner;

	if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, name, member) {
			(void)name;
			inner = depth_of(member);
			depth = inner > depth ? inner : depth;
		}
		return depth + 1;
	}
	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			inner = depth_of(json_object_array_get_idx(value, i));
			depth = inner > depth ? inner : depth;
		}
		return depth + 1;
	}
	return 0;
}

static void check_rereads(const char *text)
{
	struct qmp_reader reader;
	struct json_object *value = NULL;
	struct error err;
	size_t used, len = strlen(text);
	int ret = 0;

	CHECK(!qmp_reader_init(&reader, 16 * BYTES_MAX, DEPTH_MAX));
	for (const char *at = text; !ret && len; at += used, len -= used)
		ret = qmp_reader_next(&reader, at, len, &used, &value, &err);
	/* A number does not end by itself. */
	if (!ret)
		ret = qmp_reader_next(&reader, " ", 1, &used, &value, &err);
	CHECK(ret == 1 && !len);
	CHECK(!strcmp(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), text));
	json_object_put(value);
	qmp_reader_cleanup(&reader);
}

static void check_text(const char *text)
{
	struct utf8 utf8 = { 0 };

	for (; *text; text++)
		CHECK((unsigned char)*text >= ' ' && utf8_next(&utf8, (unsigned char)*text));
	CHECK(!utf8.left);
}

static void say(struct outcome *o, const char *what, const char *text)
{
	o->len += (size_t)snprintf(o->text + o->len, sizeof(o->text) - o->len, "%s %s\n", what,
				   text);
	CHECK(o->len < sizeof(o->text));
}

static void take_value(const struct qmp_reader *reader, struct json_object *value,
		       struct outcome *o)
{
	const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);

	CHECK(reader->bytes && reader->bytes <= BYTES_MAX);
	CHECK(depth_of(value) <= DEPTH_MAX);
	check_text(text);
	check_rereads(text);
	say(o, "value", text);
	json_object_put(value);
}

/* False when the stream is lost. */
static bool read_piece(struct qmp_reader *reader, const char *buf, size_t len, struct outcome *o)
{
	while (len) {
		struct json_object *value = NULL;
		struct error err = { "" };
		size_t used = len + 1;
		int ret = qmp_reader_next(reader, buf, len, &used, &value, &err);

		CHECK(used <= len);
		CHECK(ret == 1 || (ret <= 0 && !value));
		CHECK(reader->bytes <= BYTES_MAX);
		if (ret == 1) {
			take_value(reader, value, o);
		} else if (ret) {
			CHECK(ret == -EBADMSG || ret == -EMSGSIZE || ret == -EOVERFLOW);
			CHECK(*err.text);
			check_text(err.text);
			say(o, "error", err.text);
			if (ret != -EBADMSG)
				return false;
		} else {
			CHECK(used);
		}
		buf += used;
		len -= used;
	}
	return true;
}

static void read_all(const char *bytes, size_t len, struct cuts cuts, struct outcome *o)
{
	struct qmp_reader reader;
	size_t n;

	o->len = 0;
	o->text[0] = '\0';
	CHECK(!qmp_reader_init(&reader, BYTES_MAX, DEPTH_MAX));
	for (; len; bytes += n, len -= n) {
		n = next_cut(&cuts, len);
		if (!read_piece(&reader, bytes, n, o))
			break;
	}
	qmp_reader_cleanup(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome whole, cut;

	if (!size)
		return 0;
	read_all((const char *)data + 1, size - 1, cuts_of(0), &whole);
	read_all((const char *)data + 1, size - 1, cuts_of(data[0]), &cut);
	if (strcmp(whole.text, cut.text))
		fprintf(stderr, "whole:\n%scut:\n%s", whole.text, cut.text);
	CHECK(!strcmp(whole.text, cut.text));
	return 0;
}
