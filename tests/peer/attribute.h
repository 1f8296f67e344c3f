/* SPDX-License-Identifier: GPL-2.0-only */
/* The attributes of a function of ours, by its address. */
#ifndef TESTS_PEER_ATTRIBUTE_H
#define TESTS_PEER_ATTRIBUTE_H

#include "base/error.h"

/* The whole text, or its first line without the end of it; freed by the caller. */
int attribute_read(const char *bdf, const char *name, char **ret_text, struct error *err);
int attribute_read_line(const char *bdf, const char *name, char **ret_text, struct error *err);
int attribute_write(const char *bdf, const char *name, const char *text, struct error *err);

#endif
