// SPDX-License-Identifier: GPL-2.0-only
#include "qmp/reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum scan {
	SCAN_OK,
	SCAN_BYTE,	/* no byte of JSON text */
	SCAN_DEPTH,
};

int qmp_reader_init(struct qmp_reader *reader, size_t bytes_max, unsigned int depth_max)
{
	*reader = (struct qmp_reader){ .bytes_max = bytes_max, .depth_max = depth_max };

	/* One more than allowed, since json-c does not count an empty innermost bracket. */
	reader->tokener = json_tokener_new_ex((int)depth_max + 1);
	if (!reader->tokener)
		return -ENOMEM;

	json_tokener_set_flags(reader->tokener,
			       JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
	return 0;
}

void qmp_reader_cleanup(struct qmp_reader *reader)
{
	if (reader->tokener)
		json_tokener_free(reader->tokener);
	reader->tokener = NULL;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_open(char c)
{
	return c == '{' || c == '[';
}

/* What all versions of json-c agree about in a string. */
static bool is_plain(char c)
{
	return (unsigned char)c >= ' ' && (unsigned char)c < 0x80;
}

static bool begins_number(char c)
{
	return (c >= '0' && c <= '9') || c == '-';
}

static void follow_number(struct qmp_reader *reader, char c)
{
	if (begins_number(c) || (reader->number && strchr(".eE+", c))) {
		reader->number++;
		reader->exponent |= c == 'e' || c == 'E';
	} else {
		reader->number = 0;
		reader->exponent = false;
	}
}

/*
 * How much of @buf json-c gets in one call. What it makes of a number depends on where the
 * calls cut it, so that it gets each byte of one, and the one behind it, alone. Nor does it
 * get all of a string: see parse_odd().
 */
static size_t piece(const struct qmp_reader *reader, const char *buf, size_t len)
{
	size_t n = 0;

	if (reader->number)
		return 1;
	while (n < len && (reader->in_string ? is_plain(buf[n]) : !begins_number(buf[n])))
		if (buf[n++] == '"')
			break;
	return n ?: 1;
}

/*
 * What json-c gets in the place of @c, the first byte of a call. Behind a part of a number,
 * it would go on with "-" as if that were a sign, and with "I" as if it were -Infinity. The
 * one is to end the number as "+" does, and the other one as "/".
 */
static char first_byte(const struct qmp_reader *reader, char c)
{
	if (reader->number && !reader->exponent && c == '-')
		return '+';
	if (reader->number > 1 && (c == 'I' || c == 'i'))
		return '/';
	return c;
}

/* Follows strings and brackets; what they hold is json-c's business. */
static enum scan scan_byte(struct qmp_reader *reader, char c)
{
	/* json-c's own check forgets a sequence that is split between two calls. */
	bool utf8 = utf8_next(&reader->utf8, (unsigned char)c);

	if (reader->in_string) {
		if (reader->escaped)
			reader->escaped = false;
		else if (c == '\\')
			reader->escaped = true;
		else if (c == '"')
			reader->in_string = false;
		return utf8 && (unsigned char)c >= ' ' ? SCAN_OK : SCAN_BYTE;
	}

	follow_number(reader, c);
	if (c == '"')
		reader->in_string = true;
	else if (c == ':')
		reader->members++;
	else if (is_open(c))
		reader->depth++;
	else if ((c == '}' || c == ']') && reader->depth)
		reader->depth--;

	/* json-c takes 'text', NaN and Infinity even when it is to be strict. */
	if (!utf8 || strchr("'NI", c) || ((unsigned char)c < ' ' && !is_space(c)))
		return SCAN_BYTE;
	return reader->depth > reader->depth_max ? SCAN_DEPTH : SCAN_OK;
}

static void begin_value(struct qmp_reader *reader)
{
	json_tokener_reset(reader->tokener);
	reader->inside = false;
	reader->skipping = false;
	reader->bytes = 0;
	reader->depth = 0;
	reader->members = 0;
	reader->number = 0;
	reader->exponent = false;
	reader->in_string = false;
	reader->escaped = false;
	reader->utf8 = (struct utf8){ 0 };
}

/* Returns how much it took: less than @len when the skipping is over or went on too long. */
static size_t skip(struct qmp_reader *reader, const char *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len && reader->bytes < reader->bytes_max; i++) {
		unsigned int depth = reader->depth;

		if (!depth && !reader->in_string && is_open(buf[i])) {
			begin_value(reader);
			return i;
		}
		reader->bytes++;
		scan_byte(reader, buf[i]);
		if (buf[i] == '\n' || (depth && !reader->depth)) {
			begin_value(reader);
			return i + 1;
		}
	}
	return i;
}

static int malformed(struct qmp_reader *reader, enum scan why, char c, struct error *err)
{
	reader->skipping = true;
	if (why == SCAN_DEPTH)
		return error_set(err, -EBADMSG, "JSON nesting depth limit exceeded");

	/* The end of a line is also the end of the skipping, and it is used up. */
	if (c == '\n')
		begin_value(reader);
	return error_set(err, -EBADMSG, "JSON parse error, stray byte 0x%02x", (unsigned char)c);
}

static int unparsable(struct qmp_reader *reader, struct error *err)
{
	enum json_tokener_error why = json_tokener_get_error(reader->tokener);

	if (why == json_tokener_error_depth)
		return malformed(reader, SCAN_DEPTH, 0, err);
	reader->skipping = true;
	return error_set(err, -EBADMSG, "JSON parse error, %s", json_tokener_error_desc(why));
}

/* Of all objects in @value, which is as deep as the reader allows. */
static size_t count_members(struct json_object *value)
{
	size_t count = 0;

	if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, name, member) {
			(void)name;
			count += 1 + count_members(member);
		}
	} else if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			count += count_members(json_object_array_get_idx(value, i));
	}
	return count;
}

/*
 * The next byte, @c, of a string, a control character or part of one beyond ASCII. json-c 0.16
 * takes the former even when it is to be strict, and 0.18 takes the latter for the former: it
 * never sees the one, and gets the other as an escape.
 */
static int parse_odd(struct qmp_reader *reader, char c, struct error *err)
{
	bool first = !reader->utf8.left, escaped = reader->escaped;
	char text[32];
	unsigned int bits;

	reader->bytes++;
	if (scan_byte(reader, c) != SCAN_OK || escaped)
		return malformed(reader, SCAN_BYTE, c, err);

	/* A first byte announces how many follow, each with six bits. */
	bits = first ? 0x3f >> reader->utf8.left : 0x3f;
	reader->wide = (first ? 0 : reader->wide << 6) | ((unsigned char)c & bits);
	if (reader->utf8.left)
		return 0;

	if (reader->wide < 0x10000)
		snprintf(text, sizeof(text), "\\u%04x", reader->wide);
	else
		snprintf(text, sizeof(text), "\\u%04x\\u%04x", 0xd7c0 + (reader->wide >> 10),
			 0xdc00 + (reader->wide & 0x3ff));
	json_tokener_parse_ex(reader->tokener, text, (int)strlen(text));
	if (json_tokener_get_error(reader->tokener) != json_tokener_continue)
		return unparsable(reader, err);
	return 0;
}

/* Parses at most @len bytes, at least one. As qmp_reader_next(), 0 when more are needed. */
static int parse(struct qmp_reader *reader, const char *buf, size_t len, size_t *ret_used,
		 struct json_object **ret_value, struct error *err)
{
	/* For json-c a NUL ends the text; it gets none. */
	size_t i, end, text;
	char first = first_byte(reader, *buf);
	struct json_object *value;
	enum json_tokener_error result;

	if (reader->in_string && !is_plain(*buf)) {
		*ret_used = 1;
		return parse_odd(reader, *buf, err);
	}
	len = piece(reader, buf, len);
	text = strnlen(buf, len);
	if (first != *buf)
		value = json_tokener_parse_ex(reader->tokener, &first, 1);
	else
		value = json_tokener_parse_ex(reader->tokener, buf, (int)text);
	result = json_tokener_get_error(reader->tokener);
	end = result == json_tokener_continue ? len : json_tokener_get_parse_end(reader->tokener);

	for (i = 0; i < end; i++) {
		enum scan why = scan_byte(reader, buf[i]);

		reader->bytes++;
		if (why == SCAN_OK)
			continue;
		json_object_put(value);
		*ret_used = i + 1;
		return malformed(reader, why, buf[i], err);
	}

	*ret_used = end;
	if (result == json_tokener_continue)
		return 0;
	if (result != json_tokener_success)
		return unparsable(reader, err);

	/* json-c also takes the white space behind a value. */
	for (; end && is_space(buf[end - 1]); end--)
		reader->bytes--;
	reader->inside = false;
	/* Each colon of the text was a member; json-c keeps the last one of a name, silently. */
	if (count_members(value) != reader->members) {
		json_object_put(value);
		return error_set(err, -EBADMSG, "JSON parse error, duplicate key");
	}
	*ret_value = value;
	return 1;
}

int qmp_reader_next(struct qmp_reader *reader, const char *buf, size_t len, size_t *ret_used,
		    struct json_object **ret_value, struct error *err)
{
	size_t used = 0, part, room;
	int ret;

	if (reader->skipping)
		used = skip(reader, buf, len);
	else if (!reader->inside)
		begin_value(reader);

	if (!reader->skipping && !reader->inside) {
		while (used < len && is_space(buf[used]))
			used++;
		reader->inside = used < len;
	}

	*ret_used = used;
	room = reader->bytes_max - reader->bytes;
	if (reader->skipping)
		return room ? 0 : error_set(err, -EOVERFLOW, "malformed JSON without an end");
	if (used == len)
		return 0;
	do {
		room = reader->bytes_max - reader->bytes;
		if (!room)
			return error_set(err, -EMSGSIZE, "JSON token size limit exceeded");
		ret = parse(reader, buf + used, room < len - used ? room : len - used, &part,
			    ret_value, err);
		used += part;
		*ret_used = used;
	} while (!ret && used < len);
	return ret;
}
