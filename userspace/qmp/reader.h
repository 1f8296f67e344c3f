/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON values out of a stream of bytes, as both ends of QMP need it. No lines:
 * a value ends where its brackets end, and any segmentation of the input gives
 * the same values and the same errors.
 *
 * Strict JSON (RFC 8259), UTF-8 only, without the 'text' that QEMU also takes. An object
 * that has a member twice is malformed, too. A malformed value is reported once;
 * then the input is skipped to the end of its outermost bracket or to the next
 * newline, whichever comes first, and outside of brackets also to the next opening
 * one.
 */
#ifndef MIGLAB_QMP_READER_H
#define MIGLAB_QMP_READER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/utf8.h"

struct qmp_reader {
	struct json_tokener *tokener;
	size_t bytes_max;	/* of one value, skipped ones included */
	unsigned int depth_max;	/* open brackets of one value */

	bool inside;		/* of a value */
	size_t bytes;		/* of it so far; after its end: its length */
	unsigned int depth;
	size_t members;		/* of its objects so far */
	size_t number;		/* bytes of the number that the last byte was of; 0: none */
	bool exponent;		/* it has an 'e' */
	bool in_string;
	bool escaped;		/* the byte before was a backslash */
	bool skipping;		/* behind an error */
	struct utf8 utf8;
	unsigned int wide;	/* the bits so far of a character beyond ASCII */
};

/* -ENOMEM. */
int qmp_reader_init(struct qmp_reader *reader, size_t bytes_max, unsigned int depth_max);
/* A zeroed reader is allowed. */
void qmp_reader_cleanup(struct qmp_reader *reader);

/**
 * qmp_reader_next() - the next value of the stream
 * @ret_used: how much of @buf is done with, always set; call again while there is a rest
 * @ret_value: owned by the caller; NULL is JSON's null
 *
 * Return: 1 with a value, 0 without one, -EBADMSG with QEMU's words for a malformed value
 * (reading goes on), -EMSGSIZE when a value exceeds @bytes_max, -EOVERFLOW when a
 * malformed one, already reported, has no end within that. After the last two the
 * stream is lost.
 */
int qmp_reader_next(struct qmp_reader *reader, const char *buf, size_t len, size_t *ret_used,
		    struct json_object **ret_value, struct error *err);

#endif
