/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the program says about itself, on stderr. Results go to stdout and are
 * not logged. Quiet unless asked: errors and warnings only.
 *
 * Nobody waits for the reader of stderr: a line that a pipe, a socket or a terminal has no
 * room for is lost, and the next one that finds room is followed by how many were.
 */
#ifndef MIGLAB_BASE_LOG_H
#define MIGLAB_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR,	/* the work cannot go on */
	LOG_LEVEL_WARN,		/* it goes on, and something was lost or looks wrong; the default */
	LOG_LEVEL_INFO,		/* what a reader of --verbose wants to follow */
	LOG_LEVEL_DEBUG,
};

/* Lines above @level are dropped. Call before threads start. */
void log_set_level(enum log_level level);

/* Does a line at @level go out? */
bool log_goes_out(enum log_level level);

/*
 * One line "miglab: TEXT" in one write(2), so that lines of several threads do not
 * mix; longer than 1 KiB it is cut. Any thread. Keeps errno.
 */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * What may happen as often as a stranger likes: the first line goes out, and then one a
 * second, which says how many were left out. All zero at first; one thread at a time.
 */
struct log_limit {
	uint64_t until_ns;	/* lines before are left out */
	unsigned int left_out;	/* since the last one that went out */
};

/* As log_warn(), as far as @limit allows. */
void log_warn_limited(struct log_limit *limit, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* May a line go out at @now_ns? Then @ret_left_out says how many did not before it. */
bool log_limit_allows(struct log_limit *limit, uint64_t now_ns, unsigned int *ret_left_out);

#define log_error(...)	log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)	log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)	log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
