/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the program says about itself, on stderr. Results go to stdout and are
 * not logged. Quiet unless asked: errors and warnings only.
 */
#ifndef MIGLAB_BASE_LOG_H
#define MIGLAB_BASE_LOG_H

enum log_level {
	LOG_LEVEL_ERROR,	/* the work cannot go on */
	LOG_LEVEL_WARN,		/* it goes on, and something was lost or looks wrong; the default */
	LOG_LEVEL_INFO,		/* what a reader of --verbose wants to follow */
	LOG_LEVEL_DEBUG,
};

/* Lines above @level are dropped. Call before threads start. */
void log_set_level(enum log_level level);

/*
 * One line "miglab: TEXT" in one write(2), so that lines of several threads do not
 * mix; longer than 1 KiB it is cut. Any thread. Keeps errno.
 */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)	log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)	log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)	log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
